"""What a user can do, one function per action: open the project, take the lock, call, return a record.

The command line calls exactly these. Each takes a `Session`: `make_session()` is one for the current directory. Locks are
taken here and nowhere else, and held to the end (by a temporary run: until it has taken what it needs).

A few others have the names and signatures of `dvc.api` (modules `python_*.py`), so that a program changes one import:
`exp_show`, `exp_save`, `params_show`, `metrics_show`, `open`, `read`, `get_url`, `all_branches`, `all_tags`, `all_commits`.

The names below are loaded when they are first used; their types and documentation are those of the modules
(`__init__.pyi` tells type checkers).
"""

from collections.abc import Mapping
from typing import Any

from offbranch.base.plugins import load

PUBLIC: Mapping[str, str] = {
    "Session": "offbranch.api.session:Session",
    "make_session": "offbranch.api.session:make_session",
    "init": "offbranch.api.project:init",
    "root": "offbranch.api.project:root",
    "add": "offbranch.api.data:add",
    "RepoSource": "offbranch.experiments.source_repo:RepoSource",
    "ImportRequest": "offbranch.api.imports:ImportRequest",
    "UpdateRequest": "offbranch.api.imports:UpdateRequest",
    "import_path": "offbranch.api.imports:import_path",
    "import_url": "offbranch.api.imports:import_url",
    "update": "offbranch.api.imports:update",
    "get": "offbranch.api.getting:get",
    "get_from_url": "offbranch.api.getting:get_url",
    "list_url": "offbranch.api.getting:list_url",
    "url_of": "offbranch.api.getting:url_of",
    "checkout": "offbranch.api.outputs:checkout",
    "commit": "offbranch.api.outputs:commit",
    "DataStatusOptions": "offbranch.api.looking:DataStatusOptions",
    "data_status": "offbranch.api.looking:data_status",
    "diff": "offbranch.api.looking:diff",
    "ListRequest": "offbranch.api.files:ListRequest",
    "list_files": "offbranch.api.files:list_files",
    "space_used": "offbranch.api.files:space_used",
    "GcScope": "offbranch.experiments.kept:GcScope",
    "gc": "offbranch.api.care:gc",
    "FsckOptions": "offbranch.experiments.fsck:FsckOptions",
    "fsck": "offbranch.api.care:fsck",
    "NewStage": "offbranch.api.stage_edit:NewStage",
    "add_stage": "offbranch.api.stage_edit:add_stage",
    "Frozen": "offbranch.api.freezing:Frozen",
    "set_frozen": "offbranch.api.freezing:set_frozen",
    "list_stages": "offbranch.api.stages:stages",
    "status": "offbranch.api.stages:status",
    "dag": "offbranch.api.stages:dag",
    "ReproRequest": "offbranch.api.pipeline:ReproRequest",
    "repro": "offbranch.api.pipeline:repro",
    "plan": "offbranch.api.pipeline:plan",
    "RunRequest": "offbranch.api.exp:RunRequest",
    "exp_run": "offbranch.api.exp:run",
    "exp_queue": "offbranch.api.queue:submit",
    "look_at_slots": "offbranch.api.queue_slots:look_at_slots",
    "SlotWish": "offbranch.api.queue_offer:SlotWish",
    "run_queue": "offbranch.api.queue:run_all",
    "SaveRequest": "offbranch.experiments.save:SaveRequest",
    "save_experiment": "offbranch.api.exp:save",
    "exp_apply": "offbranch.api.exp:apply",
    "exp_branch": "offbranch.api.exp:branch",
    "exp_rename": "offbranch.api.exp:rename",
    "Removal": "offbranch.experiments.remove:Removal",
    "exp_remove": "offbranch.api.exp:remove",
    "Choice": "offbranch.experiments.choose:Choice",
    "ShareRequest": "offbranch.experiments.sharing:ShareRequest",
    "exp_push": "offbranch.api.share:push",
    "exp_pull": "offbranch.api.share:pull",
    "exp_list_remote": "offbranch.api.share_there:list_there",
    "RemoteRemoval": "offbranch.experiments.share_remove:RemoteRemoval",
    "exp_remove_remote": "offbranch.api.share_there:remove",
    "exp_rename_remote": "offbranch.api.share_there:rename",
    "ShowOptions": "offbranch.views.options:ShowOptions",
    "ListOptions": "offbranch.views.listing:ListOptions",
    "exp_states": "offbranch.api.show:exp_show",
    "exp_table": "offbranch.api.show:exp_table",
    "exp_list": "offbranch.api.show:exp_list",
    "DiffOptions": "offbranch.experiments.diff_record:DiffOptions",
    "exp_diff": "offbranch.api.show:exp_diff",
    "exp_tag": "offbranch.api.labels:tag",
    "exp_note": "offbranch.api.labels:note",
    "exp_labels": "offbranch.api.labels:labels",
    "CompareOptions": "offbranch.experiments.diff_record:CompareOptions",
    "exp_compare": "offbranch.api.show:exp_compare",
    "Revisions": "offbranch.experiments.values_revisions:Revisions",
    "ValuesRequest": "offbranch.api.params:ValuesRequest",
    "ValuesDiffRequest": "offbranch.api.params:ValuesDiffRequest",
    "show_params": "offbranch.api.params:show_params",
    "show_metrics": "offbranch.api.params:show_metrics",
    "diff_params": "offbranch.api.params:diff_params",
    "diff_metrics": "offbranch.api.params:diff_metrics",
    "ReportOptions": "offbranch.views.report_collect:ReportOptions",
    "make_report": "offbranch.api.report:make_report",
    "render_report": "offbranch.views.report_markdown:render_report",
    "PlotRequest": "offbranch.api.plots:PlotRequest",
    "plots_show": "offbranch.api.plots:plots_show",
    "plots_diff": "offbranch.api.plots:plots_diff",
    "plot_templates": "offbranch.api.plots:plot_templates",
    "plot_template": "offbranch.api.plots:plot_template",
    "write_page": "offbranch.api.plots:write_page",
    "write_images": "offbranch.api.plots:write_images",
    "modify_plot": "offbranch.api.plots_modify:modify_plot",
    "remove": "offbranch.api.stage_remove:remove",
    "move": "offbranch.api.data_move:move",
    "unprotect": "offbranch.api.data_unprotect:unprotect",
    "destroy": "offbranch.api.project_destroy:destroy",
    "check_ignore": "offbranch.api.ignored:check_ignore",
    "ConfigLevel": "offbranch.api.config_levels:Level",
    "get_config": "offbranch.api.config:get_config",
    "list_config": "offbranch.api.config:list_config",
    "set_config": "offbranch.api.config:set_config",
    "unset_config": "offbranch.api.config:unset_config",
    "cache_dir": "offbranch.api.config:cache_dir",
    "cache_migrate": "offbranch.api.migrate:migrate",
    "list_remotes": "offbranch.api.remotes:list_remotes",
    "add_remote": "offbranch.api.remotes:add_remote",
    "modify_remote": "offbranch.api.remotes:modify_remote",
    "remove_remote": "offbranch.api.remotes:remove_remote",
    "rename_remote": "offbranch.api.remotes:rename_remote",
    "default_remote": "offbranch.api.remotes:default_remote",
    "set_default_remote": "offbranch.api.remotes:set_default_remote",
    "doctor": "offbranch.api.self_check:doctor",
    "open": "offbranch.api.python_files:open_file",
    "read": "offbranch.api.python_files:read",
    "get_url": "offbranch.api.python_files:get_url",
    "params_show": "offbranch.api.python_values:params_show",
    "metrics_show": "offbranch.api.python_values:metrics_show",
    "ExperimentRows": "offbranch.views.experiment_rows:ExperimentRows",
    "exp_show": "offbranch.api.python_experiments:exp_show",
    "exp_save": "offbranch.api.python_experiments:exp_save",
    "all_branches": "offbranch.api.python_refs:all_branches",
    "all_tags": "offbranch.api.python_refs:all_tags",
    "all_commits": "offbranch.api.python_refs:all_commits",
    "create_demo": "offbranch.api.demo:create_demo",
}


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'offbranch.api' has no attribute '{name}'")
    return load(PUBLIC[name])


def __dir__() -> list[str]:
    return sorted(PUBLIC)
