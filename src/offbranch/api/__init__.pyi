"""What `offbranch.api` offers, for type checkers: the names of `PUBLIC`, kept so by a test."""

from collections.abc import Mapping

from offbranch.api.care import fsck, gc
from offbranch.api.config import cache_dir, get_config, list_config, set_config, unset_config
from offbranch.api.config_levels import Level as ConfigLevel
from offbranch.api.data import add
from offbranch.api.data_move import move
from offbranch.api.data_unprotect import unprotect
from offbranch.api.demo import create_demo
from offbranch.api.exp import RunRequest
from offbranch.api.exp import apply as exp_apply
from offbranch.api.exp import branch as exp_branch
from offbranch.api.exp import remove as exp_remove
from offbranch.api.exp import rename as exp_rename
from offbranch.api.exp import run as exp_run
from offbranch.api.exp import save as exp_save
from offbranch.api.files import ListRequest, list_files, space_used
from offbranch.api.freezing import Frozen, set_frozen
from offbranch.api.getting import get, get_url, list_url, url_of
from offbranch.api.ignored import check_ignore
from offbranch.api.imports import ImportRequest, UpdateRequest, import_path, import_url, update
from offbranch.api.labels import labels as exp_labels
from offbranch.api.labels import note as exp_note
from offbranch.api.labels import tag as exp_tag
from offbranch.api.looking import DataStatusOptions, data_status, diff
from offbranch.api.migrate import migrate as cache_migrate
from offbranch.api.outputs import checkout, commit
from offbranch.api.pipeline import ReproRequest, plan, repro
from offbranch.api.plots import (
    PlotRequest,
    plot_template,
    plot_templates,
    plots_diff,
    plots_show,
    write_images,
    write_page,
)
from offbranch.api.plots_modify import modify_plot
from offbranch.api.project import init, root
from offbranch.api.project_destroy import destroy
from offbranch.api.remotes import (
    add_remote,
    default_remote,
    list_remotes,
    modify_remote,
    remove_remote,
    rename_remote,
    set_default_remote,
)
from offbranch.api.self_check import doctor
from offbranch.api.session import Session, make_session
from offbranch.api.show import exp_diff, exp_list, exp_show, exp_table
from offbranch.api.stage_edit import NewStage, add_stage
from offbranch.api.stage_remove import remove
from offbranch.api.stages import dag, status
from offbranch.api.stages import stages as list_stages
from offbranch.experiments.fsck import FsckOptions
from offbranch.experiments.kept import GcScope
from offbranch.experiments.remove import Removal
from offbranch.experiments.save import SaveRequest
from offbranch.experiments.source_repo import RepoSource
from offbranch.views.listing import ListOptions
from offbranch.views.options import ShowOptions

__all__ = [
    "PUBLIC",
    "ConfigLevel",
    "DataStatusOptions",
    "Frozen",
    "FsckOptions",
    "GcScope",
    "ImportRequest",
    "ListOptions",
    "ListRequest",
    "NewStage",
    "PlotRequest",
    "Removal",
    "RepoSource",
    "ReproRequest",
    "RunRequest",
    "SaveRequest",
    "Session",
    "ShowOptions",
    "UpdateRequest",
    "add",
    "add_remote",
    "add_stage",
    "cache_dir",
    "cache_migrate",
    "check_ignore",
    "checkout",
    "commit",
    "create_demo",
    "dag",
    "data_status",
    "default_remote",
    "destroy",
    "diff",
    "doctor",
    "exp_apply",
    "exp_branch",
    "exp_diff",
    "exp_labels",
    "exp_list",
    "exp_note",
    "exp_remove",
    "exp_rename",
    "exp_run",
    "exp_save",
    "exp_show",
    "exp_table",
    "exp_tag",
    "fsck",
    "gc",
    "get",
    "get_config",
    "get_url",
    "import_path",
    "import_url",
    "init",
    "list_config",
    "list_files",
    "list_remotes",
    "list_stages",
    "list_url",
    "make_session",
    "modify_plot",
    "modify_remote",
    "move",
    "plan",
    "plot_template",
    "plot_templates",
    "plots_diff",
    "plots_show",
    "remove",
    "remove_remote",
    "rename_remote",
    "repro",
    "root",
    "set_config",
    "set_default_remote",
    "set_frozen",
    "space_used",
    "status",
    "unprotect",
    "unset_config",
    "update",
    "url_of",
    "write_images",
    "write_page",
]

PUBLIC: Mapping[str, str]
