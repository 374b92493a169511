"""`params` and `metrics` commands: the JSON of `ob` is that of DVC, and so are its tables but for the order of files."""

import json
from pathlib import Path
from typing import Any

import pytest

from interop.peers import PeerProject, make_peer_project

pytestmark = pytest.mark.interop
DVC_YAML = """\
metrics:
- sub/top.json
params:
- p.toml
stages:
  a:
    cmd: echo
    params:
    - lr
    - b
    - nested.k
    - sub/q.json:
      - x
    - sub/all.yaml:
    metrics:
    - m.json:
        cache: false
    - cached.json
    - mdir
  t:
    cmd: echo ${tpl.x}
    vars:
    - tpl.yaml
    metrics:
    - py.py:
        cache: false
"""
PARAMS = """\
lr: 0.123456789
b: true
l: [1, 2, {a: 1}]
n: null
gone: null
e: {}
f: {}
el: []
s: text
d: {x: 1, y: {z: 2}}
nested: {k: [1, 2], j: 3}
big: 123456789.123
one: 1
"""
METRICS = (
    '{"acc": 0.123456789, "big": 123456.789, "i": 123456789, "b": true, "s": "x y", "l": [1, 2], "n": null, "neg": -1e-9,'
    ' "e": {}, "nested": {"z": 1, "a": 2}, "same": 1}'
)
FILES = {
    "dvc.yaml": DVC_YAML,
    ".gitignore": "/cached.json\n/mdir\n",
    "params.yaml": PARAMS,
    "tpl.yaml": "tpl: {x: 1, y: 2}\n",
    "sub/q.json": '{"x": 1, "y": 2}',
    "sub/all.yaml": "k: 1\n",
    "p.toml": "t = 1\n[u]\nv = 2\n",
    "c.py": "A = 1\nclass B:\n    c = 2\n",
    "m.json": METRICS,
    "py.py": "score = 3\n",
    "cached.json": '{"c": 1}',
    "mdir/z.json": '{"z": 1}',
    "mdir/y.yaml": "y: 2\n",
    "mdir/t.txt": "hello\n",
    "sub/top.json": '{"top": 5}',
    "ev/x.txt": "hello world\n",
    "ev/a.yaml": "k: 1\n",
    "ev/dvc.yaml": "stages:\n  z:\n    cmd: foo\n",
    "ev/c.toml": "q = 1\n",
    "ev/p.py": "W = 1\n",
    "ev/num.json": "3",
    "ev/deep/b.json": '{"b": 1}',
}


@pytest.fixture(scope="module")
def built() -> dict[str, PeerProject]:
    """The one project of this module, once a test has made it: nothing in it changes but for a moment."""
    return {}


@pytest.fixture
def project(
    built: dict[str, PeerProject], dvc: str, tmp_path_factory: pytest.TempPathFactory, pinned_environment: object
) -> PeerProject:
    if not built:
        built[""] = build(tmp_path_factory.mktemp("values") / "p", dvc)
    return built[""]


def build(root: Path, dvc: str) -> PeerProject:
    made = make_peer_project(root, dvc, FILES)
    made.dvc("commit", "-q", "-f")
    made.commit("one")
    made.git("tag", "t1")
    made.git("tag", "t2")
    made.git("branch", "same")
    text = PARAMS.replace("0.123456789", "0.5").replace("b: true", "b: false").replace("[1, 2, {", "[1, 3, {")
    text = text.replace("\nn: null", "\nn: 1").replace("gone: null\n", "").replace("s: text", "s: 3")
    made.write(
        "params.yaml",
        text.replace("\ne: {}", "\ne: {k: 1}").replace("k: [1, 2]", "k: [2]").replace("one: 1", "one: 1.0"),
    )
    made.write("sub/q.json", '{"x": 3, "y": 2}')
    metrics = (
        METRICS.replace("0.123456789", "0.987654321").replace('"b": true', '"b": false').replace("123456.789", "2.5")
    )
    made.write(
        "m.json", metrics.replace("-1e-9", "1e-9").replace('"s": "x y"', '"s": "z"').replace('"i": 123456789', '"j": 5')
    )
    made.write("cached.json", '{"c": 2}')
    made.write("mdir/z.json", '{"z": 4}')
    made.dvc("commit", "-q", "-f")
    made.commit("two")
    made.git("checkout", "-q", "-b", "broken")
    made.write("dvc.yaml", "stages: [")
    made.commit("broken")
    made.git("checkout", "-q", "-b", "bad", "main")
    made.write("m.json", "{")
    made.commit("bad")
    made.git("checkout", "-q", "main")
    made.dvc("exp", "save", "-n", "saved", "-f")
    made.write("m.json", (made.root / "m.json").read_text().replace("2.5", "3.5"))
    return made


def without_words(data: Any) -> Any:
    """Errors are told in words of our own."""
    if isinstance(data, dict):
        if set(data) == {"error"}:
            return "error"
        return {key: without_words(value) for key, value in data.items()}
    return data


def without_texts(changes: Any) -> Any:
    """Where a file that is one text is gone, DVC does not say so."""
    return {path: names for path, names in changes.items() if names != {"": {"old": "hello", "new": None}}}


def sorted_rows(text: str) -> list[str]:
    head, *rows = text.splitlines() or [""]
    return [head.rstrip(), *sorted(row.rstrip() for row in rows)]


SHOW = [
    "",
    "-a",
    "-T",
    "-A",
    "-a -T",
    "m.json",
    "m.json cached.json -T",
    "ev",
    "-R ev -T",
    "mdir -T",
    "nope m.json",
    "nope -T",
]
DIFF = [
    "",
    "t1",
    "t1 HEAD",
    "t1 same",
    "HEAD t1",
    "workspace t1",
    "t1 --all",
    "t1 --targets m.json",
    "t1 --targets params.yaml c.py sub",
    "t1 --all --targets ev",
    "t1 --targets mdir",
    "--all --targets params.yaml c.py",
    "t1 --targets nope",
    "t1 broken",
    "t1 bad",
    "t1 saved",
    "saved t1",
]


@pytest.mark.parametrize("args", SHOW)
def test_metrics_show(project: PeerProject, args: str) -> None:
    words = args.split()
    assert without_words(project.did("metrics", "show", "--json", *words).json) == without_words(
        project.dvc("metrics", "show", "--json", *words).json
    )
    for more in ([], ["--md"], ["--precision", "2"]):
        ours, theirs = project.did("metrics", "show", *words, *more), project.dvc("metrics", "show", *words, *more)
        assert sorted_rows(ours.out) == sorted_rows(theirs.out)


@pytest.mark.parametrize("kind", ["metrics", "params"])
@pytest.mark.parametrize("args", DIFF)
def test_diff(project: PeerProject, kind: str, args: str) -> None:
    words = args.split()
    if kind == "metrics":
        words = [word for word in words if word not in ("c.py", "sub")]
    ours, theirs = (run(kind, "diff", "--json", *words).json for run in (project.did, project.dvc))
    assert without_texts(ours) == without_texts(theirs)
    if args == "t1 broken":  # what that text is, only ours tells
        return
    for more in ([], ["--md"], ["--no-path"]):
        ours, theirs = project.did(kind, "diff", *words, *more), project.dvc(kind, "diff", *words, *more)
        assert sorted_rows(ours.out) == sorted_rows(theirs.out)


@pytest.mark.parametrize("args", ["", "t1", "t1 --all", "t1 --all --targets sub/q.json"])
def test_params_that_stages_depend_on(project: PeerProject, args: str) -> None:
    words = ["params", "diff", "--deps", "--json", *args.split()]
    assert project.did(*words).json == project.dvc(*words).json


@pytest.mark.parametrize(
    "args",
    [
        "metrics show --json",
        "metrics show ../m.json top.json --json",
        "metrics diff t1 --json",
        "params diff t1 --json",
    ],
)
def test_from_a_directory_below(project: PeerProject, args: str) -> None:
    assert project.did(*args.split(), cwd="sub").json == project.dvc(*args.split(), cwd="sub").json


@pytest.mark.parametrize("args", ["metrics diff nope", "params diff nope", "params diff t1 nope"])
def test_a_revision_that_is_not_there(project: PeerProject, args: str) -> None:
    assert project.ob(*args.split()).code != 0
    assert project.dvc(*args.split(), code=None).code != 0


def test_a_workspace_that_cannot_be_understood(project: PeerProject) -> None:
    text = project.read("dvc.yaml")
    project.write("dvc.yaml", "stages: [")
    try:
        for args in (
            "metrics show --json",
            "metrics show m.json --json",
            "metrics diff t1 --json",
            "params diff t1 --json",
        ):
            ours, theirs = project.did(*args.split()).json, project.dvc(*args.split()).json
            assert without_texts(without_words(ours)) == without_texts(without_words(theirs))
    finally:
        project.write("dvc.yaml", text)


def test_the_workspace_is_hidden_where_it_is_the_branch(project: PeerProject) -> None:
    text = project.read("m.json")
    project.git("checkout", "-q", "m.json")
    try:
        ours, theirs = (run("metrics", "show", "-a", "--json").json for run in (project.did, project.dvc))
        assert "workspace" not in ours and list(ours) == list(theirs)
    finally:
        project.write("m.json", text)


def test_json_of_ours_is_one_line(project: PeerProject) -> None:
    for args in ("params show", "params diff t1", "metrics show", "metrics diff t1"):
        assert json.loads(project.did(*args.split(), "--json").out) is not None
