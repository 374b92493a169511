"""Parameters composed by Hydra: `ob` and DVC write the same params.yaml, to the byte, and refuse the same."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from interop.peers import PeerProject, twins

pytestmark = pytest.mark.interop
CONFIG = """\
# the whole
defaults:
- db: mysql
- model: small
- _self_
lr: 0.1
name: "exp-${db.user}"
zeta: 1
alpha: [1, 2]
nested:
  x: ${lr}
  missing: null
  s: 'yes'
  t: "1e3"
  big: 1e-5
  i: "007"
  u: "ünï ☃"
  multi: "a\\nb"
  long: "word word word word word word word word word word word word word word word word word word word word word"
  date: 2020-01-01
  empty: {}
  none: []
"""
FILES: Mapping[str, str] = {
    "conf/config.yaml": CONFIG,
    "conf/other.yaml": "defaults:\n- model: big\n- _self_\nlr: 7\n",
    "conf/db/mysql.yaml": "driver: mysql\nuser: root\nport: 3306\n",
    "conf/db/pg.yaml": "driver: pg\nuser: postgres\nport: 5432\n",
    "conf/model/small.yaml": "layers: 2\n",
    "conf/model/big.yaml": "# @package _global_\nmodel: {layers: 9}\nextra: true\n",
    "other.yaml": "a: 1 # one\n",
    "params.yaml": "# mine\nlr: 5\n",
    "dvc.yaml": (
        "stages:\n  s:\n    cmd: cp params.yaml out.txt\n    params: [lr]\n    outs:\n    - out.txt:\n        cache: false\n"
    ),
}
ENABLED = "[hydra]\n    enabled = true\n"


def compare(ours: PeerProject, theirs: PeerProject, *args: str) -> str:
    """Runs both; returns their params.yaml, or nothing where both refuse."""
    mine = ours.ob("exp", "run", "-q", "-f", "-n", "e", *args)
    peer = theirs.dvc("exp", "run", "-q", "-f", "-n", "e", *args, code=None)
    assert (mine.code == 0) == (peer.code == 0), f"{mine}\n{peer}"
    assert ours.read("params.yaml") == theirs.read("params.yaml")
    assert ours.read("other.yaml") == theirs.read("other.yaml")
    if mine.code != 0:
        assert "Traceback" not in mine.err
        assert ours.read("params.yaml") == FILES["params.yaml"]
        return ""
    name = next(name for name in ours.exps() if name == "e")
    for path in ("params.yaml", "out.txt", "conf/config.yaml"):
        assert ours.file_at(ours.exps()[name], path) == theirs.file_at(theirs.exps()[name], path)
    return ours.read("params.yaml")


CASES = [
    [],
    ["db=pg"],
    ["model=big"],
    ["db=pg", "model=big", "lr=3"],
    ["+db=pg"],
    ["++db=pg"],
    ["~db"],
    ["~db", "name=x"],
    ["~db=mysql", "name=x"],
    ["~db=pg", "name=x"],
    ["db@other=pg"],
    ["+db@other=pg"],
    ["+db@a.b=pg"],
    ["+db@_global_=pg"],
    ["db=nope"],
    ["nope=pg"],
    ["lrr=3"],
    ["++lrr=3"],
    ["+new.a.b=2"],
    ["+lr=3"],
    ["~nested.x"],
    ["~nope"],
    ["~lr=7"],
    ["~zeta=1"],
    ["nested=null"],
    ["nested={x:1}"],
    ["+nested={q:1}"],
    ["lr=[1,2]"],
    ["alpha.0=5"],
    ["alpha.7=5"],
    ["lr="],
    ["lr='1'"],
    ['name="a: b"'],
    ["nested.s=${db.port}"],
    ["name=${nope}"],
    ["lr=int(3.7)"],
    ["lr=1,2"],
    ["lr=1", "lr=2"],
    ["db=mysql", "db=pg"],
    ["db.port=1", "db=pg"],
    ["model=[big,small]"],
    ["hydra.job.name=x"],
    ["params.yaml:lr=7"],
    ["other.yaml:a=2"],
    ["other.yaml:a=2", "lr=9"],
    ["other.yaml:nope=2"],
    ["+name2=${db.user}-${model.layers}"],
    ["nested.x={a:1,b:[2,{c:3}]}"],
    ["+n.0=1"],
    ["lr='a\\'b'"],
    ["+é=1"],
]


@pytest.mark.parametrize("overrides", CASES, ids=" ".join)
def test_a_composition_is_the_same(tmp_path: Path, dvc: str, overrides: list[str]) -> None:
    ours, theirs = twins(tmp_path, dvc, FILES, config=ENABLED)
    compare(ours, theirs, *(word for each in overrides for word in ("-S", each)))


@pytest.mark.parametrize(
    "config",
    [
        "config_name = other",
        "config_name = sub/deep",
        "config_name = config.yaml",
        "config_name = nope",
        "config_dir = nope",
        "config_dir = conf/../conf",
        "config_module = pkg.conf",
    ],
)
def test_where_the_configuration_is(tmp_path: Path, dvc: str, config: str) -> None:
    module = {
        "pkg/__init__.py": "",
        "pkg/conf/__init__.py": "",
        "pkg/conf/config.yaml": "lr: 2\nb: ${lr}\n",
        "conf/sub/deep.yaml": "# @package _global_\nlr: 6\n",
    }
    ours, theirs = twins(tmp_path, dvc, {**FILES, **module}, config=f"{ENABLED}    {config}\n")
    # DVC wants the module where Python finds it; ob looks into the project too.
    theirs.env["PYTHONPATH"] = str(theirs.root)
    compare(ours, theirs)


CONFIGS = {
    "env": "lr: ${oc.env:NOT_THERE,x}\nu: ${oc.decode:'[1,2]'}\n",
    "missing": "lr: 1\nb: ???\nc: ${b}\n",
    "empty": "",
    "keys": "lr: 1\n2: x\ntrue: y\n2.5: z\n",
    "a list": "- 1\n",
    "no text": "a: [\n",
    "twice": "lr: 1\nlr: 2\n",
    "no such": "defaults:\n- nope\n",
    "no such option": "defaults:\n- db: nope\n",
    "must choose": "defaults:\n- db: ???\nlr: 1\n",
    "launcher": "defaults:\n- override hydra/launcher: basic\nhydra:\n  job:\n    name: q\nlr: 1\n",
    "launcher of old": "defaults:\n- _self_\n- hydra/launcher: basic\nlr: 1\n",
    "package": "defaults:\n- db@_global_: pg\n- _self_\nlr: 1\n",
    "optional": "defaults:\n- optional db: nope\n- _self_\nlr: 1\n",
    "search path": "hydra:\n  searchpath:\n  - file://more\ndefaults:\n- x: y\n- _self_\nlr: 1\n",
    "no search path": "hydra:\n  searchpath:\n  - file://nomore\nlr: 1\n",
    "circle": "lr: ${b}\nb: ${lr}\n",
    "hydra": "lr: ${hydra:job.name}\n",
    "hydra node": "lr: ${hydra.job.name}\n",
    "bad reference": "lr: ${b\n",
    "tag": "lr: !foo 3\n",
    "itself": "defaults:\n- config\nlr: 1\n",
    "interpolated": "defaults:\n- db: pg\n- model: ${name_of.${db}}\n- _self_\nlr: 1\n",
    "text only": "hello",
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_configuration_means_the_same(tmp_path: Path, dvc: str, case: str) -> None:
    more = {"conf/config.yaml": CONFIGS[case], "more/x/y.yaml": "q: 1\n"}
    ours, theirs = twins(tmp_path, dvc, {**FILES, **more}, config=ENABLED)
    for project in (ours, theirs):
        project.write("dvc.yaml", FILES["dvc.yaml"].replace("params: [lr]", "deps: [params.yaml]"))
    compare(ours, theirs)


def test_plugins_are_loaded(tmp_path: Path, dvc: str) -> None:
    plugin = (
        "from omegaconf import OmegaConf\nfrom hydra.plugins.search_path_plugin import SearchPathPlugin\n"
        "OmegaConf.register_new_resolver('plus_10', lambda x: x + 10, replace=True)\n"
        "class Mine(SearchPathPlugin):\n    def manipulate_search_path(self, search_path):\n"
        "        search_path.append('mine', 'file://src/extra')\n"
    )
    more = {
        "conf/config.yaml": "defaults:\n- sub: x\n- _self_\nlr: ${plus_10:5}\n",
        "src/hydra_plugins/mine.py": plugin,
        "src/extra/sub/x.yaml": "q: 1\n",
    }
    ours, theirs = twins(tmp_path, dvc, {**FILES, **more}, config=f"{ENABLED}    plugins_path = src\n")
    assert compare(ours, theirs) == "sub:\n  q: 1\nlr: 15\n"


def test_without_hydra_the_file_is_patched(tmp_path: Path, dvc: str) -> None:
    ours, theirs = twins(tmp_path, dvc, FILES, config=ENABLED)
    assert compare(ours, theirs, "--no-hydra", "-S", "lr=8") == "# mine\nlr: 8\n"
    ours.git("checkout", "-q", "params.yaml")
    theirs.git("checkout", "-q", "params.yaml")
    assert compare(ours, theirs, "--no-hydra", "-S", "db=pg") == ""


def test_a_temporary_run_composes_too(tmp_path: Path, dvc: str) -> None:
    ours, theirs = twins(tmp_path, dvc, FILES, config=ENABLED)
    for project in (ours, theirs):
        project.write("conf/model/small.yaml", "layers: 77\n")
    ours.did("exp", "run", "--temp", "-n", "t", "-S", "db=pg")
    theirs.dvc("exp", "run", "--temp", "-n", "t", "-S", "db=pg")
    for path in ("params.yaml", "conf/model/small.yaml", "out.txt"):
        assert ours.file_at(ours.exps()["t"], path) == theirs.file_at(theirs.exps()["t"], path)
    assert "layers: 77" in ours.file_at(ours.exps()["t"], "params.yaml")
    assert ours.read("params.yaml") == theirs.read("params.yaml") == FILES["params.yaml"]


def test_dvc_works_with_the_experiments(tmp_path: Path, dvc: str) -> None:
    ours, _ = twins(tmp_path, dvc, FILES, config=ENABLED)
    ours.did("exp", "run", "-n", "mine", "-S", "db=pg")
    assert "mine" in ours.dvc("exp", "list", "--name-only").out
    shown = ours.dvc("exp", "show", "--csv").out
    assert "postgres" in shown
    ours.git("checkout", "-q", ".")
    ours.dvc("exp", "apply", "mine")
    assert "postgres" in ours.read("params.yaml")
