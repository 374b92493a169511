"""A program that a warm process starts finds what one finds that was started anew, and ends in the same ways."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from warm import Program, run_program

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere everything is started anew")
TELL = """\
import json, os, resource, sys
has_colorsys = "colorsys" in sys.modules
import colorsys
told = {
    "argv": sys.argv,
    "path": sys.path,
    "name": __name__,
    "cwd": os.getcwd(),
    "environment": dict(os.environ),
    "umask": os.umask(0),
    "limit": resource.getrlimit(resource.RLIMIT_FSIZE),
    "read": sys.stdin.read(),
    "terminals": [os.isatty(n) for n in range(3)],
    "open": sorted(os.listdir("/proc/self/fd"))[:4],
    "session": os.getsid(0),
}
if sys.argv[1] == "warmth":
    told = has_colorsys
print(json.dumps(told))
print("and", "so", file=sys.stderr)
"""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    script = tmp_path / "program.py"
    script.write_text(
        TELL + "if sys.argv[1] == 'fail': sys.exit(3)\nif sys.argv[1] == 'die': os.kill(os.getpid(), 9)\n"
    )
    return sys.executable, str(script)


def test_it_finds_and_leaves_the_same(program: Program, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    env = {**os.environ, "ANOTHER": "a b"}
    where = tmp_path / "elsewhere"
    before = os.umask(0o027)
    try:
        for words in (["tell", "é"], ["fail"], ["die"], ["tell"]):
            warm = run_program(program, words, cwd=where, env=env, timeout=60)
            cold = subprocess.run(
                [*program, *words], cwd=where, env=env, capture_output=True, stdin=subprocess.DEVNULL, text=True
            )
            assert (warm.returncode, warm.stdout, warm.stderr) == (cold.returncode, cold.stdout, cold.stderr)
    finally:
        os.umask(before)


def test_it_is_warm_from_the_second_time_on(program: Program, tmp_path: Path) -> None:
    found = [run_program(program, ["warmth"], cwd=tmp_path, env=os.environ, timeout=60).stdout for _ in range(3)]
    assert [line.strip() for line in found] == ["false", "true", "true"]


def test_one_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "slow.py"
    script.write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n")
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        run_program((sys.executable, str(script)), [], cwd=tmp_path, env=os.environ, timeout=3)
    for pid in caught.value.output.split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
    script.write_text("print('quick')\n")
    assert run_program((sys.executable, str(script)), [], cwd=tmp_path, env=os.environ, timeout=60).stdout == "quick\n"
