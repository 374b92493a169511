"""What `offbranch.api` offers, for type checkers: the names of `PUBLIC`, kept so by a test."""

from collections.abc import Mapping

from offbranch.api.care import fsck, gc
from offbranch.api.checkpoints import checkpoint, make_checkpoint
from offbranch.api.config import cache_dir, get_config, list_config, set_config, unset_config
from offbranch.api.config_levels import Level as ConfigLevel
from offbranch.api.data import add
from offbranch.api.data_move import move
from offbranch.api.data_unprotect import unprotect
from offbranch.api.demo import create_demo
from offbranch.api.exp import RunRequest
from offbranch.api.exp import run as exp_run
from offbranch.api.exp_keep import apply as exp_apply
from offbranch.api.exp_keep import branch as exp_branch
from offbranch.api.exp_keep import remove as exp_remove
from offbranch.api.exp_keep import rename as exp_rename
from offbranch.api.exp_keep import save as save_experiment
from offbranch.api.files import ListRequest, list_files, space_used
from offbranch.api.freezing import Frozen, set_frozen
from offbranch.api.getting import get, list_url, url_of
from offbranch.api.getting import get_url as get_from_url
from offbranch.api.ignored import check_ignore
from offbranch.api.imports import ImportRequest, UpdateRequest, import_path, import_url, update
from offbranch.api.labels import labels as exp_labels
from offbranch.api.labels import note as exp_note
from offbranch.api.labels import tag as exp_tag
from offbranch.api.live_look import LiveView as LiveView
from offbranch.api.live_look import follow_live as live_follow
from offbranch.api.live_look import live_view as live_view
from offbranch.api.looking import DataStatusOptions, data_status, diff
from offbranch.api.migrate import migrate as cache_migrate
from offbranch.api.outputs import checkout, commit
from offbranch.api.params import (
    ValuesDiffRequest,
    ValuesRequest,
    diff_metrics,
    diff_params,
    show_metrics,
    show_params,
)
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
from offbranch.api.python_artifacts import artifacts_show, get_dataset
from offbranch.api.python_experiments import exp_save, exp_show
from offbranch.api.python_files import get_url, read
from offbranch.api.python_files import open_file as open  # noqa: A004
from offbranch.api.python_filesystem import DVCFileSystem
from offbranch.api.python_refs import all_branches, all_commits, all_tags
from offbranch.api.python_values import metrics_show, params_show
from offbranch.api.queue import submit as exp_queue
from offbranch.api.queue_change import change_terms as queue_terms
from offbranch.api.queue_change import hold as queue_hold
from offbranch.api.queue_change import release as queue_release
from offbranch.api.queue_change import remove as queue_remove
from offbranch.api.queue_change import retry as queue_retry
from offbranch.api.queue_change import set_priority as queue_priority
from offbranch.api.queue_ending import kill_tasks as queue_kill
from offbranch.api.queue_ending import stop_workers as queue_stop
from offbranch.api.queue_logs import LogRequest as LogRequest
from offbranch.api.queue_logs import find_log as queue_log
from offbranch.api.queue_logs import follow_found as follow_log
from offbranch.api.queue_logs import read_found as read_log
from offbranch.api.queue_look import QueueView as QueueView
from offbranch.api.queue_look import queue_status as queue_status
from offbranch.api.queue_look import queue_wait as queue_wait
from offbranch.api.queue_look import watch_queue as queue_watch
from offbranch.api.queue_offer import SlotWish
from offbranch.api.queue_peer import clean as queue_clean
from offbranch.api.queue_peer import import_tasks as queue_import
from offbranch.api.queue_remote import configure as set_queue_config
from offbranch.api.queue_remote import look_at_config as queue_config
from offbranch.api.queue_remote import sync as queue_sync
from offbranch.api.queue_run_all import run_all as run_queue
from offbranch.api.queue_slots import look_at_slots
from offbranch.api.queue_work import run_one as run_task
from offbranch.api.queue_workers import StartRequest as StartRequest
from offbranch.api.queue_workers import Voices as Voices
from offbranch.api.queue_workers import be_worker as be_queue_worker
from offbranch.api.queue_workers import start_workers as queue_start
from offbranch.api.remotes import (
    add_remote,
    default_remote,
    list_remotes,
    modify_remote,
    remove_remote,
    rename_remote,
    set_default_remote,
)
from offbranch.api.report import make_report
from offbranch.api.self_check import doctor
from offbranch.api.session import Session, make_session
from offbranch.api.share import pull as exp_pull
from offbranch.api.share import push as exp_push
from offbranch.api.share_there import list_there as exp_list_remote
from offbranch.api.share_there import remove as exp_remove_remote
from offbranch.api.share_there import rename as exp_rename_remote
from offbranch.api.show import exp_compare, exp_diff, exp_list, exp_table
from offbranch.api.show import exp_show as exp_states
from offbranch.api.show_follow import Followed as Followed
from offbranch.api.show_follow import follow_experiments as exp_follow
from offbranch.api.stage_edit import NewStage, add_stage
from offbranch.api.stage_remove import remove
from offbranch.api.stages import dag, status
from offbranch.api.stages import stages as list_stages
from offbranch.experiments.choose import Choice
from offbranch.experiments.diff_record import CompareOptions, DiffOptions
from offbranch.experiments.fsck import FsckOptions
from offbranch.experiments.kept import GcScope
from offbranch.experiments.remove import Removal
from offbranch.experiments.save import SaveRequest
from offbranch.experiments.share_remove import RemoteRemoval
from offbranch.experiments.sharing import ShareRequest
from offbranch.experiments.source_repo import RepoSource
from offbranch.experiments.values_revisions import Revisions
from offbranch.queue.chosen import TaskChoice
from offbranch.queue.remote.config import QueueChange
from offbranch.queue.task import TaskState
from offbranch.queue.terms import Terms
from offbranch.views.experiment_rows import ExperimentRows
from offbranch.views.listing import ListOptions
from offbranch.views.options import ShowOptions
from offbranch.views.report_collect import ReportOptions
from offbranch.views.report_markdown import render_report

__all__ = [
    "PUBLIC",
    "Choice",
    "CompareOptions",
    "ConfigLevel",
    "DVCFileSystem",
    "DataStatusOptions",
    "DiffOptions",
    "ExperimentRows",
    "Followed",
    "Frozen",
    "FsckOptions",
    "GcScope",
    "ImportRequest",
    "ListOptions",
    "ListRequest",
    "LiveView",
    "LogRequest",
    "NewStage",
    "PlotRequest",
    "QueueChange",
    "QueueView",
    "RemoteRemoval",
    "Removal",
    "RepoSource",
    "ReportOptions",
    "ReproRequest",
    "Revisions",
    "RunRequest",
    "SaveRequest",
    "Session",
    "ShareRequest",
    "ShowOptions",
    "SlotWish",
    "StartRequest",
    "TaskChoice",
    "TaskState",
    "Terms",
    "UpdateRequest",
    "ValuesDiffRequest",
    "ValuesRequest",
    "Voices",
    "add",
    "add_remote",
    "add_stage",
    "all_branches",
    "all_commits",
    "all_tags",
    "artifacts_show",
    "be_queue_worker",
    "cache_dir",
    "cache_migrate",
    "check_ignore",
    "checkout",
    "checkpoint",
    "commit",
    "create_demo",
    "dag",
    "data_status",
    "default_remote",
    "destroy",
    "diff",
    "diff_metrics",
    "diff_params",
    "doctor",
    "exp_apply",
    "exp_branch",
    "exp_compare",
    "exp_diff",
    "exp_follow",
    "exp_labels",
    "exp_list",
    "exp_list_remote",
    "exp_note",
    "exp_pull",
    "exp_push",
    "exp_queue",
    "exp_remove",
    "exp_remove_remote",
    "exp_rename",
    "exp_rename_remote",
    "exp_run",
    "exp_save",
    "exp_show",
    "exp_states",
    "exp_table",
    "exp_tag",
    "follow_log",
    "fsck",
    "gc",
    "get",
    "get_config",
    "get_dataset",
    "get_from_url",
    "get_url",
    "import_path",
    "import_url",
    "init",
    "list_config",
    "list_files",
    "list_remotes",
    "list_stages",
    "list_url",
    "live_follow",
    "live_view",
    "look_at_slots",
    "make_checkpoint",
    "make_report",
    "make_session",
    "metrics_show",
    "modify_plot",
    "modify_remote",
    "move",
    "open",
    "params_show",
    "plan",
    "plot_template",
    "plot_templates",
    "plots_diff",
    "plots_show",
    "queue_clean",
    "queue_config",
    "queue_hold",
    "queue_import",
    "queue_kill",
    "queue_log",
    "queue_priority",
    "queue_release",
    "queue_remove",
    "queue_retry",
    "queue_start",
    "queue_status",
    "queue_stop",
    "queue_sync",
    "queue_terms",
    "queue_wait",
    "queue_watch",
    "read",
    "read_log",
    "remove",
    "remove_remote",
    "rename_remote",
    "render_report",
    "repro",
    "root",
    "run_queue",
    "run_task",
    "save_experiment",
    "set_config",
    "set_default_remote",
    "set_frozen",
    "set_queue_config",
    "show_metrics",
    "show_params",
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
