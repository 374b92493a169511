""".dvc files: those DVC 3.67.1 wrote are read and written back byte for byte; edits keep what is the user's."""

from pathlib import Path

import pytest

from offbranch.base.errors import BadInputError
from offbranch.base.paths import RepoPath
from offbranch.base.yaml import load_yaml
from offbranch.pipeline.datafile import digest, parse_data_file, render_data_file, update_datafile_text
from offbranch.pipeline.stage import LockedItem, Output

GOLDEN = sorted((Path(__file__).parent / "data").glob("*.dvc"))
MD5 = "1b5bb282b8f8792875e3c4203cfa9c57"
FILE = RepoPath("sub/f.csv.dvc")


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_writes_what_dvc_wrote(path: Path) -> None:
    text = path.read_text()
    stage, locked = parse_data_file(text, RepoPath(path.name))
    outs = list(zip(stage.outs, locked.outs, strict=True))
    deps = list(zip(stage.deps, locked.deps, strict=True))
    assert render_data_file(outs, deps, frozen=stage.frozen) == text
    recorded = {item.written: item for item in locked.outs}
    assert update_datafile_text(text, path.name, recorded, {item.written: item for item in locked.deps}) == text


def test_the_digest_is_that_of_dvc() -> None:
    document = load_yaml(next(path for path in GOLDEN if path.stem == "import-url").read_text(), "x.dvc")
    assert digest(document) == document["md5"]


def test_parse() -> None:
    text = (
        f"desc: my data\nouts:\n- md5: {MD5}.dir\n  size: 4\n  nfiles: 2\n  hash: md5\n  path: d\n"
        "  cache: false\n  persist: true\n  push: false\n  remote: r\n  desc: one\n  labels: [a]\nmeta: {k: 1}\n"
    )
    stage, locked = parse_data_file(text, FILE)
    assert (stage.name, stage.address, stage.wdir, stage.command) == (None, FILE, "sub", None)
    assert (stage.desc, stage.meta, stage.frozen) == ("my data", {"k": 1}, False)
    assert stage.outs == (
        Output(
            written="d", path=RepoPath("sub/d"), cache=False, persist=True, push=False, remote="r",
            annotations={"desc": "one", "labels": ["a"]},
        ),
    )  # fmt: skip
    assert locked.outs == (LockedItem(written="d", md5=f"{MD5}.dir", size=4, n_files=2),)


def test_parse_import() -> None:
    text = (
        "frozen: true\ndeps:\n- path: data/x\n  repo:\n    url: https://example.com/r\n    rev_lock: abc\n"
        "outs:\n- path: x\n"
    )
    stage, locked = parse_data_file(text, FILE)
    assert stage.frozen
    assert stage.deps[0].path is None
    assert stage.deps[0].source == {"repo": {"url": "https://example.com/r", "rev_lock": "abc"}}
    assert locked.deps[0].hash_name is None
    assert locked.outs[0].md5 is None


def test_options_are_written_after_the_path() -> None:
    out = Output(
        written="f", path=RepoPath("f"), cache=False, persist=True, push=False, remote="r", annotations={"desc": "d"}
    )
    item = LockedItem(written="f", md5=MD5, size=4, is_executable=True)
    assert render_data_file([(out, item)], desc="top", meta={"k": 1}) == (
        f"desc: top\nouts:\n- md5: {MD5}\n  size: 4\n  isexec: true\n  hash: md5\n  path: f\n"
        "  cache: false\n  persist: true\n  remote: r\n  push: false\n  desc: d\nmeta:\n  k: 1\n"
    )


COMMENTED = """\
# top comment
desc: my data
outs:
- md5: 401b30e3b8b5d629635a5c613cdb7919 # old
  size: 2
  path: f.csv   # the file
  desc: hello
  labels: [a, b]
meta:
  k: "quoted"  # c
"""


def test_update_keeps_comments_and_places() -> None:
    item = LockedItem(written="f.csv", md5=MD5, size=4, is_executable=True)
    updated = update_datafile_text(COMMENTED, "f.dvc", {"f.csv": item})
    assert updated == COMMENTED.replace("401b30e3b8b5d629635a5c613cdb7919", MD5).replace("size: 2", "size: 4").replace(
        "  labels: [a, b]\n", "  labels: [a, b]\n  isexec: true\n  hash: md5\n"
    )


def test_update_drops_what_is_no_longer_true() -> None:
    text = f"outs:\n- md5: {MD5}.dir\n  size: 4\n  nfiles: 2\n  hash: md5\n  path: d\n- md5: {MD5}\n  path: e\n"
    updated = update_datafile_text(text, "d.dvc", {"d": LockedItem(written="d", md5=MD5, size=1)})
    assert updated == f"outs:\n- md5: {MD5}\n  size: 1\n  hash: md5\n  path: d\n- md5: {MD5}\n  path: e\n"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[]", "mapping"),
        ("out: []", "unknown key"),
        ("outs: x", "list"),
        ("outs:\n- md5: x\n", "'path'"),
        ("outs:\n- path: x\n  cache: 1\n", "true or false"),
        ("outs:\n- path: x\n  md5: 12\n", "text"),
        ("outs:\n- path: x\n  md5: ../../../../../x\n", "not an md5"),
        ('outs:\n- path: "x\\0y"\n', "NUL"),
        ("outs:\n- path: x\n  remote: [r]\n", "data remote"),
        ("outs:\n- path: x\n  md5: ab\n", "not an md5"),
        ("deps:\n- path: y\n  md5: /etc/passwd\nouts:\n- path: x\n", "not an md5"),
        ("cmd: x\nouts:\n- path: x\n", "command"),
        ("wdir: ../..\nouts:\n- path: x\n", "outside"),
    ],
)
def test_malformed(text: str, word: str) -> None:
    with pytest.raises(BadInputError, match=word):
        parse_data_file(text, FILE)
