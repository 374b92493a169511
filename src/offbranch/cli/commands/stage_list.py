"""Lists the stages of the pipeline file in the current directory, of targets, or of the whole project."""

import json
from argparse import Namespace

from offbranch.api.stages import stages
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_recursive, add_targets
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.pipeline.stage import OutputKind, Stage

EXAMPLES = (
    ("ob stage list", "those of ./dvc.yaml"),
    ("ob stage list --all --name-only", "the names of all, one a line"),
)


def add_arguments(parser: Parser) -> None:
    add_targets(parser, "pipeline file, stage, .dvc file or directory; ./dvc.yaml if not given")
    parser.add_flag("--all", help="all stages of the project")
    parser.add_flag("--fail", help="accepted for DVC's sake: a mistake in a file is always told")
    add_recursive(parser, "a directory stands for all stages below it")
    parser.add_flag("--name-only", "--names-only", help="only the names")
    add_json(parser, "the stages")


def run(args: Namespace, console: Console) -> int:
    found = stages(session_of(console), args.targets, all_stages=args.all, recursive=args.recursive)
    if args.json:
        console.data(json.dumps([_data(stage) for stage in found]))
    elif args.name_only:
        console.data("".join(f"{stage.address}\n" for stage in found))
    else:
        width = max((len(stage.address) for stage in found), default=0)
        console.data("".join(f"{stage.address:<{width}}  {described(stage)}\n" for stage in found))
        if not found:
            console.hint("there are no stages; 'ob stage add' makes one")
    return ExitCode.DONE


def described(stage: Stage) -> str:
    """Returns what a stage says of itself, or else what it makes."""
    if stage.desc:
        return stage.desc.strip().splitlines()[0]
    outputs = [out.written for out in stage.outs if out.kind is OutputKind.OUT]
    reports = [out.written for out in stage.outs if out.kind is not OutputKind.OUT]
    parts = [f"{word} {', '.join(names)}" for word, names in (("Outputs", outputs), ("Reports", reports)) if names]
    if not parts and stage.deps:
        parts = [f"Depends on {', '.join(dep.written for dep in stage.deps)}"]
    return "; ".join(parts) or "No outputs or dependencies"


def _data(stage: Stage) -> dict[str, object]:
    return {
        "stage": stage.address,
        "file": stage.file,
        "desc": stage.desc,
        "cmd": list(stage.command) if isinstance(stage.command, tuple) else stage.command,
        "deps": [dep.written for dep in stage.deps],
        "params": {group.written: list(group.keys) for group in stage.params},
        "outs": [out.written for out in stage.outs],
        "frozen": stage.frozen,
    }
