"""Which packages the files of a project ask for: requirement and lock files of Python's tools, and conda's, as tables.

Reads through `FileReader`, so any revision can be asked. A file whose form is not known here, or that cannot be
understood, is stood for by the id of its content: enough to see that it is another one.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from offbranch.base.errors import OffbranchError
from offbranch.base.files import FileReader, decode
from offbranch.base.paths import ROOT, RepoPath
from offbranch.base.plugins import load
from offbranch.base.yaml import load_yaml

_LISTS = re.compile(r"(?:requirements|constraints)[\w.-]*\.(?:txt|in)")
_CONDA = ("environment.yml", "environment.yaml", "conda.yml", "conda.yaml")
_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml")
_VERSIONS = (".python-version", "runtime.txt")
_OTHERS = (
    "pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "Pipfile.lock", "conda-lock.yml", "pixi.toml", "pixi.lock",
    "renv.lock", "Dockerfile", "package-lock.json",
)  # fmt: skip
_ENDINGS = (".txt", ".in")
_DIRECTORIES = (ROOT, RepoPath("requirements"))
_NAME = re.compile(r"(?:[\w.-]+::)?[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?")
CONTENT: Final = "content"


def requirements_of(files: FileReader) -> dict[RepoPath, Mapping[str, str]]:
    """Returns file -> package -> what is asked for, of the top directory and of `requirements`."""
    found: dict[RepoPath, Mapping[str, str]] = {}
    for directory in _DIRECTORIES:
        for name, is_directory in files.list_dir(directory):
            path = RepoPath(f"{directory}/{name}" if directory else name)
            if not is_directory and (name.endswith(_ENDINGS) if directory else _is_known(name)):
                found[path] = _read(files, path, name)
    return found


def _is_known(name: str) -> bool:
    return bool(_LISTS.fullmatch(name)) or name in (*_CONDA, *_LOCKS, *_VERSIONS, *_OTHERS)


def _read(files: FileReader, path: RepoPath, name: str) -> Mapping[str, str]:
    try:
        content = files.read_bytes(path)
    except OSError:  # it has just gone, or leads nowhere
        return {}
    try:
        wanted: dict[str, str] = {}
        for package, version in _parse(decode(content, path), name, path):
            # A lock for several platforms names a package more than once.
            wanted[package] = version if wanted.get(package) in (None, version) else f"{wanted[package]}, {version}"
    except (OffbranchError, ValueError, TypeError, KeyError, AttributeError):
        wanted = {}
    return wanted or {CONTENT: _content_id(content)}


def _parse(text: str, name: str, path: RepoPath) -> Iterator[tuple[str, str]]:
    if name in _LOCKS:
        document: Mapping[str, Any] = load("tomllib:loads")(text)
        packages = document.get("package") or document.get("packages") or ()
        yield from ((_normal(each["name"]), str(each.get("version", ""))) for each in packages)
    elif name in _CONDA:
        yield from _conda(load_yaml(text, path))
    elif name in _VERSIONS:
        yield "python", text.strip()
    elif name.endswith(_ENDINGS):
        yield from _lines(text.splitlines())


def _lines(lines: Iterator[str] | list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        text = line.partition(" #")[0].strip().removesuffix("\\").strip()
        if not text or text.startswith(("#", "--hash")):
            continue
        if text.startswith("-") or ("://" in text and " @ " not in text):
            yield text, "yes"  # an option, or a url without a name
        else:
            yield _named(text)


def _named(text: str) -> tuple[str, str]:
    """Returns (package, what is asked for); a channel of conda belongs to the name."""
    match = _NAME.match(text)
    return (_normal(match.group()), text[match.end() :].strip() or "any") if match else (text, "yes")


def _conda(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for each in document.get("dependencies") or ():
        if isinstance(each, Mapping):
            yield from _lines([str(line) for line in each.get("pip") or ()])
        else:
            yield _named(str(each).strip())


def _normal(name: str) -> str:
    """Returns the one spelling of a package's name (PEP 503, but extras are kept)."""
    return re.sub(r"[-_.]+", "-", str(name)).lower()


def _content_id(content: bytes) -> str:
    """Returns the name that Git would give the content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()[:10]
