"""What `offbranch.api` offers, for type checkers: the names of `PUBLIC`, kept so by a test."""

from collections.abc import Mapping

from offbranch.api.data import add
from offbranch.api.demo import create_demo
from offbranch.api.exp import RunRequest
from offbranch.api.exp import apply as exp_apply
from offbranch.api.exp import branch as exp_branch
from offbranch.api.exp import remove as exp_remove
from offbranch.api.exp import rename as exp_rename
from offbranch.api.exp import run as exp_run
from offbranch.api.exp import save as exp_save
from offbranch.api.outputs import checkout, commit
from offbranch.api.pipeline import ReproRequest, plan, repro
from offbranch.api.project import init, root
from offbranch.api.session import Session, make_session
from offbranch.api.show import exp_diff, exp_list, exp_show, exp_table
from offbranch.api.stage_edit import NewStage, add_stage
from offbranch.api.stages import dag, status
from offbranch.api.stages import stages as list_stages
from offbranch.experiments.remove import Removal
from offbranch.experiments.save import SaveRequest
from offbranch.views.listing import ListOptions
from offbranch.views.options import ShowOptions

__all__ = [
    "PUBLIC",
    "ListOptions",
    "NewStage",
    "Removal",
    "ReproRequest",
    "RunRequest",
    "SaveRequest",
    "Session",
    "ShowOptions",
    "add",
    "add_stage",
    "checkout",
    "commit",
    "create_demo",
    "dag",
    "exp_apply",
    "exp_branch",
    "exp_diff",
    "exp_list",
    "exp_remove",
    "exp_rename",
    "exp_run",
    "exp_save",
    "exp_show",
    "exp_table",
    "init",
    "list_stages",
    "make_session",
    "plan",
    "repro",
    "root",
    "status",
]

PUBLIC: Mapping[str, str]
