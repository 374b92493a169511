"""The user guide is true: each page is carried out as a reader would, and prints what it says.

`OFFBRANCH_UPDATE_GOLDEN=1` writes what the commands print into the pages.
"""

import re
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from golden_files import IS_UPDATE
from guide_pages import (
    GUIDE,
    Command,
    File,
    agrees,
    needs_slurm,
    normalised,
    page_names,
    page_text,
    rewritten,
    run_page,
    steps,
)
from programs import need
from remote_workers import end_all
from slurm_site import slurm_site

PAGES = page_names()
# Programs beside Git and Python that the reader of a page has.
NEEDED = {"cluster": ("redis-server", "redis-cli")}


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ends")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_followed(name: str, tmp_path: Path, ends: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in NEEDED.get(name, ()):
        need(program)
    text = page_text(name)
    commands = [step for step in steps(text) if isinstance(step, Command)]
    with ExitStack() as stack:
        if needs_slurm(text):
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True))
            monkeypatch.setenv("SLURM_CONF", str(stack.enter_context(slurm_site(Path(place))).conf))
        stack.callback(end_all, tmp_path)
        done = run_page(name, tmp_path, ends)
    if done:
        last = done[-1]
        assert last.code == last.command.code, f"'{last.command.text}' exits with {last.code}:\n{last.output}"
    assert len(done) == len(commands)
    if IS_UPDATE:
        (GUIDE / f"{name}.md").write_text(rewritten(text, done, tmp_path), encoding="utf-8")
        return
    for printed in done:
        if printed.command.shown is not None:
            shown, real = (normalised(each, tmp_path) for each in (printed.command.shown, printed.output))
            assert agrees(shown, real), f"'{printed.command.text}' prints\n{real}\nand the page says\n{shown}"


@pytest.mark.parametrize("name", PAGES)
def test_no_command_of_a_page_is_left_out(name: str) -> None:
    run = "\n".join(step.text for step in steps(page_text(name)) if isinstance(step, Command))
    for fence in re.findall(r"^```.*?^```$", page_text(name), re.DOTALL | re.MULTILINE):
        for line in fence.splitlines():
            command = line.strip().removeprefix("$ ")
            assert not command.startswith("ob ") or command in run, f"'{command}' is shown and not run"


# The reading of pages

PAGE = """\
Words.

```{code-block} python
:caption: sub/a.py

print(1)
```

```sh
true
# a remark
false
```

```console
$ echo a; \\
> echo b
a
b
$ exit 3   # exit 3
$ echo 1234567 x
...
1234567 x
```

```yaml
nothing: to do
```
"""


def test_steps_of_a_page() -> None:
    found = list(steps(PAGE))
    assert found[0] == File(path="sub/a.py", text="print(1)\n")
    assert [step.text for step in found[1:] if isinstance(step, Command)] == [
        "true",
        "false",
        "echo a; \\\necho b",
        "exit 3   # exit 3",
        "echo 1234567 x",
    ]
    console = [step for step in found if isinstance(step, Command) and step.shown is not None]
    assert [(step.code, step.shown) for step in console] == [(0, "a\nb\n"), (3, ""), (0, "...\n1234567 x\n")]
    assert [PAGE[slice(*step.span)] for step in console] == [step.shown for step in console]


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\nb", "a\nb", True),
        ("a\nb", "a\nc", False),
        ("a\n...\nb", "a\n1\n2\nb", True),
        ("a\n...", "a\n1", True),
        ("...\nb", "a\nc", False),
        ("", "x", False),
    ],
)
def test_what_agrees(shown: str, printed: str, same: bool) -> None:
    assert agrees(shown, printed) is same


def test_ids_and_times_do_not_count(tmp_path: Path) -> None:
    one = normalised(f"├── bffb39e [x]   12:05 AM  {tmp_path}/a 0.89755", tmp_path)
    assert one == normalised("├── 18e7591 [x]   01:07 PM  ~/a 0.89755", tmp_path)
    assert "0.89755" in one and "~/a" in one
