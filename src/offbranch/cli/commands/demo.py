"""Makes a small example project in a new directory: data, code, a pipeline of three stages, and a Git repository.

With --run it also runs the pipeline and three experiments in it and shows them as a table. The project needs numpy and
scikit-learn; they come with 'pip install "offbranch[demo]"'.
"""

import os
import sys
from argparse import Namespace

from offbranch.api.demo import Demo, commit_results, create_demo
from offbranch.api.exp import RunRequest
from offbranch.api.exp import run as run_experiment
from offbranch.api.pipeline import ReproRequest, repro
from offbranch.base.errors import ExitCode, OffbranchError
from offbranch.base.paths import absolute
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.cli.console import Console
from offbranch.cli.main import main
from offbranch.cli.next_steps import quoted
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob demo", "makes ./ob-demo"),
    ("ob demo --run my-demo", "makes ./my-demo and runs experiments in it"),
)
_NEEDED = (("numpy", "numpy"), ("sklearn", "scikit-learn"))


def add_arguments(parser: Parser) -> None:
    parser.add_argument("directory", nargs="?", default="ob-demo", help="a new directory; ./ob-demo if not given")
    parser.add_flag("--run", help="run experiments in it and show them")


def run(args: Namespace, console: Console) -> int:
    if args.run:
        _need_packages()
    directory = absolute(args.directory, base=console.start)
    demo = create_demo(directory, session_of(console))
    shown = quoted(os.path.relpath(directory, console.start))
    console.message(f"Made an example project in '{shown}'.")
    if args.run:
        _run_experiments(demo, console)
        console.message("")
        # The table is drawn by the command that draws tables, as the user will do next.
        main(["--cd", directory, "exp", "show", "--only-changed", "--no-pager"])
        steps = [
            "ob exp run -S train.lr=0.02",
            "ob exp show --only-changed",
            "ob exp diff main faster",
            "ob exp apply faster",
        ]
        console.message(f"\nTry your own:\n\n{_lines(_activation(console), f'cd {shown}', *steps)}")
    else:
        steps = ["ob dag", "ob exp run -S train.lr=0.01", "ob exp show"]
        console.message(f"Try it:\n\n{_lines(_activation(console), f'cd {shown}', *steps)}")
    return ExitCode.DONE


def _lines(*commands: str) -> str:
    return "".join(f"\t{command}\n" for command in commands if command)


def _activation(console: Console) -> str:
    """Returns the command that puts `ob` and the `python` of its virtual environment on the path, if they are not."""
    script = os.path.join(os.path.dirname(sys.executable), "activate")
    path = console.environment.all.get("PATH", "").split(os.pathsep)
    if os.path.dirname(sys.executable) in path or not os.path.exists(script):
        return ""
    return f". {quoted(os.path.relpath(script, console.start))}"


def _run_experiments(demo: Demo, console: Console) -> None:
    # Its stages say `python`: they get the one that runs ob, which has the packages they need.
    variables = dict(console.environment.all)
    variables["PATH"] = os.pathsep.join((os.path.dirname(sys.executable), variables.get("PATH", os.defpath)))
    environment = replace(console.environment, all=variables)
    session = replace(session_of(console), start=demo.root, environment=environment)
    console.message("\n$ ob repro")
    result = repro(ReproRequest(), session)
    if result.error is not None:
        raise result.error
    console.message("\n$ git add --all && git commit -m 'First results'")
    commit_results(demo, session)
    for name, overrides in demo.experiments:
        command = " ".join(("ob exp run -n", name, *(f"-S {text}" for text in overrides)))
        console.message(f"\n$ {command}")
        run_experiment(RunRequest(name=name, overrides=overrides), session)


def _need_packages() -> None:
    missing = [package for module, package in _NEEDED if load("importlib.util:find_spec")(module) is None]
    if missing:
        raise OffbranchError(
            f"the example project needs {' and '.join(missing)}, not installed for '{sys.executable}'",
            hint="pip install 'offbranch[demo]'",
        )
