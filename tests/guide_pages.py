"""The pages of the user guide as scripts: files to write, commands to type, and what they print.

A page is run from top to bottom in one directory. What counts, in the order of the page:

- a fence `{code-block} LANGUAGE` with `:caption: PATH` is a file, written when it is reached;
- a fence `sh` holds commands, one a line, each of which must exit with 0;
- a fence `console` holds commands after `$ ` (continued after `> `), each followed by what it prints, output and errors as they
  come. A line `...` stands for any lines. A command that ends in `# exit N` must exit with N.

`<!-- needs slurm -->` at the top has the page followed where there is a SLURM, or not at all.
`<!-- any free port for 16399 -->` there gives the page a port that is free for the one it names.
`<!-- begins where PAGE ends -->` there makes the page start in the directory that another page leaves behind.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from servers import free_port

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guide"
_FENCE = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
_BEGINS = re.compile(r"^<!-- begins where (?P<page>[\w-]+) ends -->$", re.MULTILINE)
_PORT = re.compile(r"^<!-- any free port for (\d+) -->$", re.MULTILINE)
_FILE = re.compile(r":caption: (?P<path>\S+)\n\n?(?P<text>.*)", re.DOTALL)
_EXIT = re.compile(r"# exit (\d+)$")
_ANY = "..."
# Long ago enough to be shown as a date; each command a minute after the one before, so that the order is that of the page.
_END_UTC = 1_790_000_000
_A_PAGE_S = 10_000


@dataclass(frozen=True)
class File:
    """A file that the reader writes."""

    path: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command that the reader types.

    Attributes:
        text: The whole command, with line breaks where it has some.
        code: The exit code it must have.
        shown: What the page says it prints; None where the page does not show it.
        span: Where in the page `shown` stands.
    """

    text: str
    code: int = 0
    shown: str | None = None
    span: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Printed:
    """What a command really did."""

    command: Command
    code: int
    output: str


def page_names() -> tuple[str, ...]:
    """Returns the names of the pages of the guide."""
    return tuple(sorted(path.stem for path in GUIDE.glob("*.md")))


def page_text(name: str) -> str:
    """Returns the text of a page."""
    return (GUIDE / f"{name}.md").read_text("utf-8")


def begins_where(text: str) -> str | None:
    """Returns the name of the page whose end a page begins at."""
    found = _BEGINS.search(text)
    return None if found is None else found["page"]


def needs_slurm(text: str) -> bool:
    """Tells whether a page is about SLURM."""
    return "\n<!-- needs slurm -->\n" in text


def steps(text: str) -> Iterator[File | Command]:
    """Returns what the reader of a page does, in order."""
    for fence in _FENCE.finditer(text):
        info, body = fence["info"].strip(), fence["body"]
        if info == "console":
            yield from _console(body, fence.start("body"))
        elif info == "sh":
            yield from (Command(text=line) for line in body.splitlines() if line.strip() and line[0] != "#")
        elif info.startswith("{code-block}"):
            file = _FILE.match(body)
            if file is not None:
                yield File(path=file["path"], text=file["text"])


def run_page(name: str, place: Path, ends: Path, end_s: int = _END_UTC) -> list[Printed]:
    """Runs a page in a directory, which becomes what those it begins behind have left.

    Args:
        name: The page.
        place: An empty directory.
        ends: Where what pages have left is kept, so that each is only run once for those that begin there.
        end_s: When the page ends.

    Returns:
        What the commands of the page did, up to the first that did not end as it says.
    """
    text = page_text(name)
    before = begins_where(text)
    now_s = end_s - _A_PAGE_S
    if before is not None:
        left = ends / before
        if not left.exists():
            left.mkdir(parents=True)
            run_page(before, left, ends, now_s)
        shutil.copytree(left, place, symlinks=True, dirs_exist_ok=True)
        (place / "cwd").write_text((left / "cwd").read_text().replace(str(left), str(place)))
    where = place / "cwd"
    named = _PORT.search(text)
    port = named and (named[1], str(free_port()))
    done = []
    for step in steps(text):
        here = where.read_text().strip() if where.exists() else str(place)
        if isinstance(step, File):
            path = Path(here, step.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text)
        else:
            done.append(_run(step, here, where, now_s + 60 * len(done), port))
            if done[-1].code != step.code:
                break
    return done


def normalised(text: str, place: Path) -> str:
    """Returns output without what differs from run to run: ids, times, and where it ran."""
    text = text.replace(str(place.resolve()), "~").replace(str(place), "~")
    text = re.sub(r"(?<![\w.])[0-9a-f]{7,64}\b", lambda found: "0" * len(found[0]), text)
    text = re.sub(r"\b\d\d:\d\d (AM|PM)\b|\b[A-Z][a-z]{2} \d\d, \d{4}\b", "00:00 AM", text)
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def agrees(shown: str, printed: str) -> bool:
    """Tells whether output is as the page says; both normalised."""
    pattern = "\n".join(r"(?:.*\n)*?.*" if line.strip() == _ANY else re.escape(line) for line in shown.splitlines())
    return re.fullmatch(pattern, printed) is not None


def rewritten(text: str, done: list[Printed], place: Path) -> str:
    """Returns the page with what its commands really printed; output with `...` in it is left alone."""
    for printed in reversed(done):
        shown, (start, end) = printed.command.shown, printed.command.span
        if shown is not None and _ANY not in shown.splitlines():
            real = printed.output.replace(str(place.resolve()), "~").replace(str(place), "~")
            lines = [line.rstrip() for line in real.strip("\n").splitlines()]
            text = text[:start] + "".join(f"{line}\n" for line in lines) + text[end:]
    return text


def _console(body: str, start: int) -> Iterator[Command]:
    lines = body.splitlines(keepends=True)
    n, at = 0, start
    while n < len(lines):
        assert lines[n].startswith("$ "), f"a console block begins with a command, not with {lines[n]!r}"
        command = lines[n][2:].rstrip("\n")
        at += len(lines[n])
        n += 1
        while n < len(lines) and lines[n].startswith("> ") and command.endswith("\\"):
            command += "\n" + lines[n][2:].rstrip("\n")
            at += len(lines[n])
            n += 1
        output = ""
        while n < len(lines) and not lines[n].startswith("$ "):
            output += lines[n]
            n += 1
        code = _EXIT.search(command)
        span = (at, at + len(output))
        yield Command(text=command, code=int(code[1]) if code else 0, shown=output, span=span)
        at += len(output)


def _run(command: Command, here: str, where: Path, now_s: int, port: tuple[str, str] | None) -> Printed:
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
    # What the reader's terminal would be: no colours, no pager, and as wide as the page.
    env = {**os.environ, "PATH": path, "COLUMNS": "120", "NO_COLOR": "1", "PWD": here}
    env |= dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), f"@{now_s} +0000")
    text = command.text if port is None else command.text.replace(*port)
    script = f"{text}\ncode=$?\npwd >'{where}'\nexit $code\n"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=here,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=100,
    )
    output = done.stdout.decode()
    return Printed(
        command=command,
        code=done.returncode,
        output=output if port is None else output.replace(*reversed(port)),
    )
