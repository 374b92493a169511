"""`-S` in every kind of parameter file: what `ob` makes of the data is what DVC makes of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from interop.peers import PeerProject, twins
from offbranch.params.files import parse_params

pytestmark = pytest.mark.interop
FILES: Mapping[str, str] = {
    "params.yaml": (
        "# c\nlr: 0.1 # rate\nd: {x: 1, y: [1, 2, {z: 3}]}\nl: [1, 2]\nn: null\ns: 'q'\nt: true\ne: {}\n"
        "gone: 1\ngoes: {a: 1, b: 2}\nv: 1\nw: 1\n"
    ),
    "p.json": (
        '{"lr": 0.1, "d": {"x": 1, "y": [1, 2, {"z": 3}]}, "l": [1, 2], "n": null, "s": "q", "t": true, "e": {},'
        ' "gone": 1, "goes": {"a": 1, "b": 2}, "v": 1, "w": 1}\n'
    ),
    "p.toml": (
        'lr = 0.1 # rate\nl = [1, 2]\ns = "q"\nt = true\nn = 0\ngone = 1\nv = 1\nw = 1\n'
        "[d]\nx = 1\ny = [1, 2, {z = 3}]\n[e]\n[goes]\na = 1\nb = 2\n"
    ),
    "p.py": (
        "lr = 0.1  # rate\nd = {'x': 1, 'y': [1, 2, {'z': 3}]}\nl = [1, 2]\nn = None\ns = 'q'\nt = True\ne = {}\n"
        "gone = 1\ngoes = {'a': 1, 'b': 2}\nv = 1\nw = 1\n"
        "class C:\n    k = 1\n    def __init__(self):\n        self.z = 2\n"
    ),
    "a:b.yaml": "lr: 1\n",
    "dvc.yaml": "stages:\n  s:\n    cmd: 'true'\n",
}
# Together in one run: no two of them at one place.
MANY = """\
lr=int(3.7)
d.x=1_000
d.y.0=0o7
d.y.1=1e-3
d.y.2.z=[a,{b: 1}]
l.1='a, b: c #d'
s="ünï \\"☃\\""
t=FALSE
~gone
~goes.a
~v=1
w=${d.x}
n={a:1,b:[2,'c d']}
e=a=b:c
+new.a.b=007
++also='1e3'
+more=[a,null,true]
""".splitlines()
ONE = """\
lr=
lr=''
lr='null'
lr=[1,[2]]
lr={a:1,b:{c:x}}
l=[]
lr=inf
lr=-inf
lr=str(3)
lr=bool(1)
lr=${nope}
s='${d.x}-a'
s=' lead'
s='2020-01-01'
d={x:2}
d={w:2}
+d={w:2}
d=5
+l=[3]
+lr=2
+n=4
nope=1
~nope
~lr=7
d.y.9=1
d.x.y=1
lr=a b
lr=[1
lr
lr=foo(1)
lr=1,2
""".splitlines()


def compare(ours: PeerProject, theirs: PeerProject, *overrides: str) -> None:
    words = [word for each in overrides for word in ("-S", each)]
    mine = ours.ob("exp", "run", "-f", "-n", "e", *words)
    peer = theirs.dvc("exp", "run", "-f", "-n", "e", *words, code=None)
    assert (mine.code == 0) == (peer.code == 0), f"{overrides}\n{mine.err}\n{peer.err}"
    assert "Traceback" not in mine.err
    for name in ("params.yaml", "p.json", "p.toml", "p.py", "a:b.yaml", "new.yaml", "sub/new.json"):
        # By their text: 1 is not 1.0, and not a number is itself.
        assert repr(data(ours, name)) == repr(data(theirs, name)), f"{overrides}: {name}"


def data(project: PeerProject, name: str) -> Any:
    return parse_params((project.root / name).read_bytes(), name) if project.exists(name) else None


@pytest.mark.parametrize("file", ["", "p.json:", "p.toml:", "p.py:"])
def test_many_at_once(tmp_path: Path, dvc: str, file: str) -> None:
    compare(*twins(tmp_path, dvc, FILES), *(f"{file}{each}" for each in MANY))


@pytest.mark.parametrize("override", ONE)
def test_one_of_yaml(tmp_path: Path, dvc: str, override: str) -> None:
    compare(*twins(tmp_path, dvc, FILES), override)


@pytest.mark.parametrize(
    "override",
    [
        "p.py:C.k=5",
        "p.py:C.z=6",
        "new.yaml:lr=1",
        "new.yaml:+lr=1",
        "sub/new.json:++a.b=1",
        "./params.yaml:lr=2",
        "p.json:lr=",
        "p.json:l=[]",
        "p.toml:d={w:1}",
        "p.toml:lr=[1,{a: 2}]",
    ],
)
def test_one_of_another_file(tmp_path: Path, dvc: str, override: str) -> None:
    compare(*twins(tmp_path, dvc, FILES), override)


@pytest.mark.parametrize(
    "override", ["lr=2", "params.yaml:lr=2", "p.json:lr=2", "../p.json:lr=2", "../params.yaml:lr=2"]
)
def test_files_are_those_of_the_directory(tmp_path: Path, dvc: str, override: str) -> None:
    files = {**FILES, **{f"in/{name}": FILES[name] for name in ("params.yaml", "p.json", "dvc.yaml")}}
    ours, theirs = twins(tmp_path, dvc, files)
    assert ours.ob("exp", "run", "-n", "e", "-S", override, cwd="in").code == 0
    theirs.dvc("exp", "run", "-n", "e", "-S", override, cwd="in")
    for name in ("params.yaml", "p.json", "in/params.yaml", "in/p.json"):
        assert repr(data(ours, name)) == repr(data(theirs, name)), name
