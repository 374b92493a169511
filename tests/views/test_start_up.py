"""What looking at experiments loads: nothing heavy, so that it stays within its budget of CPU time."""

import subprocess
import sys
from pathlib import Path

import pytest

from offbranch.api.show import PARTS
from offbranch.base.plugins import load
from projects import SOURCE, make_project

HEAVY = (
    "argparse dataclasses hydra inspect logging pathlib pathspec rich ruamel sqlite3 subprocess tomlkit yaml".split()
)
HEAD = """\
import sys
from offbranch.api.show import exp_list, exp_show, exp_table
from offbranch.base.environ import read_environment
from offbranch.views.listing import ListOptions, render_listing
from offbranch.views.options import ShowOptions
where = dict(start=sys.argv[1], environment=read_environment())
"""
LIST = "print(render_listing(exp_list(ListOptions(), **where)))"
SHOW = "assert exp_show(ShowOptions(), **where)[1]['data']['params']"
TABLE = "from offbranch.views.text import render_text\nprint(render_text(exp_table(ShowOptions(), **where), now_s=0))"


@pytest.mark.parametrize(
    ("action", "more"),
    [(LIST, ("offbranch.pipeline.load", "offbranch.views.collect")), (SHOW, ()), (TABLE, ())],
    ids=["list", "show", "table"],
)
def test_nothing_heavy_is_loaded(tmp_path: Path, action: str, more: tuple[str, ...]) -> None:
    project = make_project(tmp_path / "p")
    script = f"{HEAD}{action}\nprint(*sys.modules, sep='\\n', file=sys.stderr)"
    command = [sys.executable, "-S", "-c", script, str(project.root)]
    path = ":".join([str(SOURCE), *(each for each in sys.path if each.endswith("site-packages"))])
    done = subprocess.run(command, env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.split())
    assert not loaded & {*HEAVY, *more}


def test_every_part_exists() -> None:
    assert all(callable(load(target)) for target in PARTS.values())
