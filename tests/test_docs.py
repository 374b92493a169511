"""The documentation is true: generated pages are fresh, and every option, code, variable, key, link and path is there."""

import ast
import re
import runpy
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import offbranch
from offbranch.base.config import KNOWN
from offbranch.base.environ import VARIABLES
from offbranch.base.errors import ExitCode, OffbranchError
from offbranch.base.plugins import load
from offbranch.cli.help import EXIT_TEXTS
from offbranch.cli.main import BROKEN_PIPE, read_words
from offbranch.cli.table import COMMANDS, build_parser, load_command
from offbranch.storage import remote_s3

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PACKAGE = Path(offbranch.__file__).resolve().parent
PAGES = tuple(
    sorted(
        (*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "changelog.d").glob("*.md"), *(ROOT / "bench").glob("*.md"))
    )
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
CHANGE = re.compile(r"\d+\.(added|changed|fixed)(\.[a-z0-9-]+)?\.md")


def read(path: Path) -> str:
    return path.read_text("utf-8")


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def build() -> Mapping[str, Any]:
    return runpy.run_path(str(DOCS / "build.py"))


# Generated pages


def test_generated_pages_are_fresh(build: Mapping[str, Any]) -> None:
    assert build["stale_pages"](DOCS, build["pages"]()) == [], "run: make docs"


def test_generated_pages_are_the_same_every_time(build: Mapping[str, Any]) -> None:
    assert build["pages"]() == build["pages"]()


def test_a_stale_page_is_noticed(build: Mapping[str, Any], tmp_path: Path) -> None:
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference" / "gone.md").write_text("of a command that is no more")
    (tmp_path / "a.md").write_text("old")
    (tmp_path / "b.md").write_text("right")
    wanted = {"a.md": "new", "b.md": "right", "c.md": "missing"}
    assert build["stale_pages"](tmp_path, wanted) == ["a.md", "c.md", "reference/gone.md"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_reference(build: Mapping[str, Any], name: str) -> None:
    command = COMMANDS[name]
    text = read(DOCS / "reference" / build["file_name"](command))
    for entry in build_parser(command, load_command(command)).entries:
        for option in entry.option_strings:
            assert re.search(rf"`{re.escape(option)}[` ]", text), f"{option} of 'ob {name}' is not documented"


@pytest.mark.parametrize("page", ["README.md", "docs/reference/README.md"])
def test_every_exit_code_is_documented(page: str) -> None:
    text = read(ROOT / page)
    assert EXIT_TEXTS.keys() == set(ExitCode)
    for code in (*ExitCode, BROKEN_PIPE):
        assert re.search(rf"^\| {int(code)} \|", text, re.MULTILINE), f"exit code {int(code)} is not in {page}"


# Environment and configuration


def strings_read_from_environment() -> Iterator[str]:
    for node in ast.walk(ast.parse(read(PACKAGE / "base" / "environ.py"))):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="env"), attr="get"), args=[ast.Constant(value=name), *_]
            ):
                yield str(name)


def test_every_variable_is_documented() -> None:
    text = read(DOCS / "environment.md")
    for name in VARIABLES:
        assert f"`{name}`" in text


def test_every_variable_that_is_read_is_named() -> None:
    found = set(strings_read_from_environment())
    assert "OFFBRANCH_CACHE_DIR" in found
    assert found <= VARIABLES.keys()


def config_keys_read() -> Iterator[tuple[str, str]]:
    """Every (section, option) that code asks a `Config` for."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(read(path))):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="get" | "get_bool" | "choice"),
                    args=[ast.Constant(value=str(section)), ast.Constant(value=str(option)), *_],
                ) if section in KNOWN:
                    yield section, option
                case ast.Call(
                    func=ast.Attribute(value=ast.Attribute(attr="settings"), attr="get"),
                    args=[ast.Tuple(elts=[ast.Constant(value=str(section)), ast.Constant(value=str(option))]), *_],
                ):
                    yield section, option


def test_every_config_key_that_is_read_is_documented() -> None:
    found = set(config_keys_read())
    assert ("cache", "dir") in found
    text = read(DOCS / "configuration.md")
    documented = set(re.findall(r"^\| `(\w+)\.(\w+)` \|", text, re.MULTILINE))
    assert documented == found


@pytest.mark.parametrize("module", ["s3", "gs", "azure", "ssh_connection", "http"])
def test_every_option_of_a_remote_is_documented(module: str) -> None:
    text = read(DOCS / "remotes.md")
    options = {*load(f"offbranch.storage.remote_{module}:OPTIONS"), *(remote_s3.REFUSED if module == "s3" else ())}
    assert [option for option in sorted(options) if f"`{option}`" not in text] == []


# Prose


def test_the_walk_finds_the_pages() -> None:
    assert {"README.md", "ARCHITECTURE.md", "docs/glossary.md"} <= {page_id(page) for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_relative_links_lead_to_files(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", read(page))):
        if "://" in target or target.startswith(("#", "mailto:")):
            continue
        assert (page.parent / target.partition("#")[0]).exists(), f"{page_id(page)}: '{target}' leads nowhere"


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.name != "README.md" or p.parent != DOCS / "reference"], ids=page_id
)
def test_modules_that_are_named_exist(page: Path) -> None:
    for name in re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", read(page)):
        assert (PACKAGE / name).is_file() or (ROOT / name).is_file(), f"{page_id(page)}: there is no '{name}'"


def test_pages_that_the_code_names_exist() -> None:
    named = {name for path in PACKAGE.rglob("*.py") for name in re.findall(r"\bdocs/[\w/-]+\.md", read(path))}
    assert "docs/formats/refs.md" in named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def commands_shown(text: str) -> Iterator[str]:
    for block in FENCE.findall(text):
        for line in block.splitlines()[1:-1]:
            line = line.strip().removeprefix("$ ")
            if line.startswith("ob "):
                yield line


def commands_named(text: str) -> Iterator[str]:
    """Commands in the middle of a sentence; one with an ellipsis is only spoken of."""
    for line in re.findall(r"`(ob [^`]+)`", FENCE.sub("", text)):
        if "…" not in line:
            yield " ".join(line.split())


TYPED = (ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((DOCS / "guide").glob("*.md")))


@pytest.mark.parametrize("page", TYPED, ids=page_id)
def test_commands_that_are_shown_can_be_typed(page: Path) -> None:
    in_prose = frozenset(commands_named(read(page)))  # where the bare name of a command may stand for it
    for line in (*commands_shown(read(page)), *in_prose):
        words = shlex.split(line, comments=True)[1:]
        try:
            request = read_words(words)
            if request.command is not None and (request.words or line not in in_prose):
                build_parser(request.command, load_command(request.command)).read(request.words)
        except OffbranchError as error:
            pytest.fail(f"{page_id(page)}: '{line}': {error}")


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (DOCS / "decisions").glob("[0-9]*.md"))
    assert numbers and numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("page", sorted((DOCS / "decisions").glob("[0-9]*.md")), ids=page_id)
def test_a_decision_has_its_four_parts(page: Path) -> None:
    heads = re.findall(r"^## (.+)$", read(page), re.MULTILINE)
    assert heads == ["Context", "Decision", "Alternatives", "Consequences"]


def test_changes_are_named_as_their_readme_says() -> None:
    names = [path.name for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    assert names
    assert [name for name in names if not CHANGE.fullmatch(name)] == []
