"""The table of commands: name -> module and one line of help. Nothing of a command is loaded until it is asked for."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, cast

from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser


class Command(NamedTuple):
    """One line of the table.

    Attributes:
        name: What the user types, e.g. `exp run`.
        module: Where it is.
        summary: One line for lists of commands.
    """

    name: str
    module: str
    summary: str


class CommandModule(Protocol):
    """What a module of `cli/commands` has."""

    __doc__: str | None
    EXAMPLES: Sequence[tuple[str, str]]

    def add_arguments(self, parser: Parser) -> None:
        """Declares its options and arguments."""
        ...

    def run(self, args: Namespace, console: Console) -> int:
        """Carries it out; returns the exit code."""
        ...


_HERE = "offbranch.cli.commands"
COMMANDS: Mapping[str, Command] = {
    name: Command(name, f"{_HERE}.{module}", summary)
    for name, module, summary in (
        ("init", "init", "make a project in a Git repository"),
        ("demo", "demo", "make a small example project and run experiments in it"),
        ("add", "add", "put data files or directories under control"),
        ("stage add", "stage_add", "add a stage to dvc.yaml"),
        ("stage list", "stage_list", "list the stages"),
        ("repro", "repro", "bring the pipeline up to date"),
        ("status", "status", "show what has changed since it last ran, and why"),
        ("commit", "commit", "record the present content of data and outputs"),
        ("checkout", "checkout", "put recorded data and outputs into the workspace"),
        ("push", "push", "upload data to a data remote"),
        ("pull", "pull", "download data and put it into the workspace"),
        ("fetch", "fetch", "download data into the cache"),
        ("import", "import_path", "bring data of another repository, with a record of where it came from"),
        ("import-url", "import_url", "bring data from a url, with a record of where it came from"),
        ("update", "update", "bring imported data up to date"),
        ("get", "get", "copy data of a repository, without a record"),
        ("get-url", "get_url", "copy data from a url, without a record"),
        ("list-url", "list_url", "list the files below a url"),
        ("data status", "data_status", "show what has happened to the data since the last Git commit"),
        ("diff", "diff", "compare the data of two commits"),
        ("ls", "ls", "list the files of a project, those of Git and the data"),
        ("du", "du", "show how much space the files of a project take"),
        ("gc", "gc", "remove data that nothing uses from the cache"),
        ("fsck", "fsck", "check the cache, and repair it"),
        ("dag", "dag", "draw which stage needs which"),
        ("freeze", "freeze", "keep a stage or .dvc file from running or changing"),
        ("unfreeze", "unfreeze", "let a frozen stage or .dvc file go"),
        ("exp run", "exp_run", "run an experiment"),
        ("exp show", "exp_show", "show experiments as a table"),
        ("live", "live", "draw the metrics of runs as curves, while they run"),
        ("exp list", "exp_list", "list experiments by name"),
        ("exp diff", "exp_diff", "compare two experiments: parameters, metrics, code and more"),
        ("exp compare", "exp_compare", "compare many experiments in one table"),
        ("exp apply", "exp_apply", "bring the files of an experiment into the workspace"),
        ("exp branch", "exp_branch", "make a Git branch of an experiment"),
        ("exp remove", "exp_remove", "remove experiments"),
        ("exp rename", "exp_rename", "give an experiment another name"),
        ("exp tag", "exp_tag", "give experiments tags, or list them"),
        ("exp note", "exp_note", "write a note on an experiment, or show it"),
        ("exp push", "exp_push", "push experiments to a Git remote, with their outputs"),
        ("exp pull", "exp_pull", "pull experiments from a Git remote, with their outputs"),
        ("exp clean", "exp_clean", "remove what workers and control messages have left behind"),
        ("exp save", "exp_save", "save the workspace as an experiment without running"),
        ("checkpoint", "checkpoint", "make a checkpoint of the experiment that runs this command"),
        ("queue start", "queue_start", "start workers that run what is queued"),
        ("queue status", "queue_status", "show the tasks of the queue and the workers"),
        ("queue wait", "queue_wait", "wait until tasks have ended; tells whether all succeeded"),
        ("queue logs", "queue_logs", "print what an experiment has written"),
        ("queue stop", "queue_stop", "let the workers end"),
        ("queue kill", "queue_kill", "stop tasks that run"),
        ("queue retry", "queue_retry", "queue again what has failed or was stopped"),
        ("queue hold", "queue_hold", "have tasks wait until they are released"),
        ("queue release", "queue_release", "let held tasks go"),
        ("queue priority", "queue_priority", "run tasks earlier or later than others"),
        ("queue remove", "queue_remove", "take tasks out of the queue"),
        ("queue import", "queue_import", "take over what DVC has queued"),
        ("queue slots", "queue_slots", "show the GPUs and processors of this machine, and which tasks have them"),
        ("queue config", "queue_config", "show or set where the queue is: here, or shared with other machines"),
        ("queue sync", "queue_sync", "exchange tasks and results with a shared queue"),
        ("params show", "params_show", "show parameters"),
        ("params diff", "params_diff", "compare the parameters of two commits or experiments"),
        ("metrics show", "metrics_show", "show metrics"),
        ("metrics diff", "metrics_diff", "compare the metrics of two commits or experiments"),
        ("report", "report", "write a page about metrics and parameters, for the comment of a pull request"),
        ("plots show", "plots_show", "draw plots of the workspace"),
        ("plots diff", "plots_diff", "draw plots of several commits or experiments together"),
        ("plots modify", "plots_modify", "change how a plot of a stage is drawn"),
        ("plots templates", "plots_templates", "list the templates of plots, or print one"),
        ("remove", "remove", "stop tracking data, or remove stages"),
        ("move", "move", "rename data, with its .dvc file"),
        ("unprotect", "unprotect", "make linked data writable"),
        ("destroy", "destroy", "take the project apart; the data in the workspace stays"),
        ("check-ignore", "check_ignore", "tell which paths .dvcignore leaves out, and why"),
        ("config", "config", "read and change the configuration"),
        ("remote add", "remote_add", "add a data remote"),
        ("remote list", "remote_list", "list the data remotes"),
        ("remote modify", "remote_modify", "set an option of a data remote"),
        ("remote remove", "remote_remove", "remove a data remote"),
        ("remote rename", "remote_rename", "rename a data remote"),
        ("remote default", "remote_default", "print or choose the default data remote"),
        ("cache dir", "cache_dir", "print or set where the cache is"),
        ("cache migrate", "cache_migrate", "bring objects of DVC 2 into the layout of DVC 3"),
        ("doctor", "doctor", "examine the project and this machine, and say what to mend"),
        ("root", "root", "print where the project begins"),
        ("completion", "completion", "print a completion script for a shell"),
        ("version", "version", "print versions and where things are"),
        ("help", "help", "explain a command"),
    )
}
# What ob runs itself, elsewhere: in no list of commands, and nothing to be typed.
INTERNAL: Mapping[str, Command] = {
    "queue run-task": Command(
        "queue run-task", f"{_HERE}.queue_run_task", "carry out a task as a job of a batch system"
    ),
}
GROUPS: Mapping[str, str] = {
    "exp": "run, compare and keep experiments",
    "queue": "run queued experiments in the background, and look at them",
    "params": "show and compare parameters",
    "metrics": "show and compare metrics",
    "remote": "places that data is pushed to and pulled from",
    "cache": "where data is kept on this machine",
    "stage": "add and list the stages of a pipeline",
    "plots": "draw data and images, of one revision or several",
    "data": "look at data files and directories",
}
ALIASES: Mapping[str, str] = {
    "experiments": "exp",
    "exp ls": "exp list",
    "exp rm": "exp remove",
    "list": "ls",
    "ls-url": "list-url",
    "queue rm": "queue remove",
    "rm": "remove",
    "mv": "move",
}
# Commands of DVC 3.67 that later versions bring; each gets one honest line instead of "unknown".
LATER: frozenset[str] = frozenset("artifacts import-db install studio".split())


def load_command(command: Command) -> CommandModule:
    """Returns the module of a command."""
    return cast(CommandModule, load(command.module))


def build_parser(command: Command, module: CommandModule) -> Parser:
    """Returns the parser of one command."""
    parser = Parser(command.name)
    module.add_arguments(parser)
    parser.add_common_options()
    return parser
