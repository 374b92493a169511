"""The README is true: the training that is killed and goes on is carried out as printed, in one shell, and prints what it says.

`OFFBRANCH_UPDATE_GOLDEN=1` writes what the commands print into it. What differs from run to run by the moment of the kill, is
compared without its numbers.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from golden_files import IS_UPDATE
from guide_pages import Command, Printed, agrees, normalised, rewritten, steps

README = Path(__file__).resolve().parent.parent / "README.md"
HEAD = "## A training that is killed, and goes on\n"
PROGRAM = re.compile(r"^```python\n# (?P<path>train\.py)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = "--- ended with"
# The first one stays where it is to be killed, however slow the machine is.
WAITING = "time.sleep(0.01 if live.step < 4 or 'DVCLIVE_RESUME' in __import__('os').environ else 60)"
# A shell as the reader's: jobs have numbers. Waiting ends as soon as there is something to kill.
SESSION = """\
set -m
sleep() { until grep -qs '"step": 3' dvclive/metrics.json; do command sleep 0.02; done; }
"""


def section() -> str:
    text = README.read_text("utf-8")
    start = text.index(HEAD)
    return text[start : text.index("\n## ", start)]


def carried_out(text: str, place: Path) -> list[Printed]:
    """Types all commands into one shell; returns what each did, up to the first that failed."""
    commands = [step for step in steps(text) if isinstance(step, Command)]
    typed = "".join(f"{each.text}\necho '{MARK}' $?\n" for each in commands)
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
    env = {**os.environ, "PATH": path, "COLUMNS": "120", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-c", SESSION + typed],
        cwd=place,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=100,
    )
    parts = re.split(rf"^{MARK} (\d+)\n", done.stdout.decode(), flags=re.MULTILINE)
    found = zip(commands, parts[::2], parts[1::2], strict=False)
    return [Printed(command=each, code=int(code), output=output) for each, output, code in found]


def rough(printed: Command, output: str, home: Path) -> str:
    """Returns output without what differs from run to run, the moment of the kill included."""
    text = re.sub(r"^bash: .* Killed .*\n", "", normalised(output, home) + "\n", flags=re.MULTILINE).strip("\n")
    text = re.sub(r"(?<=checkpoint )\d+|(?<=\(step )\d+|(?<=made )\d+(?= checkpoints)", "N", text)
    text = re.sub(r"/runs/[\w-]+/", "/runs/ID/", text)
    if printed.text == "ob exp show":
        text = re.sub(r" +", " ", re.sub(r"\d+( +)0\.\d+( +)\d|-( +)0\.\d+( +)\d", "N", text))
    return text


@pytest.mark.timeout(120)
def test_a_training_is_killed_and_goes_on_as_printed(tmp_path: Path) -> None:
    text = section()
    program = PROGRAM.search(text)
    assert program is not None
    place = tmp_path / "my-project"
    place.mkdir()
    assert "time.sleep(1)" in program["text"]
    (place / program["path"]).write_text(program["text"].replace("time.sleep(1)", WAITING))
    done = carried_out(text, place)
    assert [each.command.text for each in done] == [step.text for step in steps(text) if isinstance(step, Command)]
    assert [each.code for each in done] == [0] * len(done), done[-1].output
    if IS_UPDATE:
        README.write_text(README.read_text("utf-8").replace(text, rewritten(text, done, tmp_path)), encoding="utf-8")
        return
    for each in done:
        shown, real = (rough(each.command, output, tmp_path) for output in (each.command.shown or "", each.output))
        assert agrees(shown, real), f"'{each.command.text}' prints\n{real}\nand the README says\n{shown}"
