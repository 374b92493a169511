"""Composing parameters with Hydra: what many trials of one composer give is what Hydra gives each alone; errors in one line."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobRuntime
from hydra.errors import HydraException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from offbranch.base.errors import BadInputError, NotFoundError, OffbranchError, UsageError
from offbranch.base.paths import AbsPath
from offbranch.params.compose_hydra import open_composer
from offbranch.params.hydra_source import HydraSource

FILES = {
    "conf/config.yaml": (
        "defaults:\n- db: mysql\n- model: small\n- _self_\n"
        "lr: 0.1\nname: exp-${db.user}\nalpha: [1, 2]\nnested:\n  x: ${lr}\n  y: a\n"
    ),
    "conf/db/mysql.yaml": "driver: mysql\nuser: root\nport: 3306\n",
    "conf/db/pg.yaml": "driver: pg\nuser: postgres\nport: 5432\n",
    "conf/model/small.yaml": "layers: 2\n",
    "conf/model/big.yaml": "layers: 9\nextra: true\n",
}


def write(root: Path, files: dict[str, str]) -> AbsPath:
    for path, text in files.items():
        where = root / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text)
    return AbsPath(str(root))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> AbsPath:
    return write(tmp_path_factory.mktemp("hydra"), FILES)


@pytest.fixture(autouse=True)
def other_application() -> Iterator[None]:
    """Whatever is composed, an application around us keeps its own Hydra."""
    before = GlobalHydra.instance().hydra
    name = JobRuntime.instance().get("name")
    yield
    assert GlobalHydra.instance().hydra is before
    assert JobRuntime.instance().get("name") == name


def told(text: str) -> None:
    raise AssertionError(f"warned of {text}")


def composed(root: AbsPath, *overrides: str, source: HydraSource | None = None) -> str:
    with open_composer(source or HydraSource(), root, warn=told) as compose_trial:
        return compose_trial(overrides)


def by_hydra(root: AbsPath, overrides: list[str]) -> str | None:
    with initialize_config_dir(os.path.join(root, "conf"), version_base=None):
        try:
            config = compose("config", overrides=overrides)
            OmegaConf.resolve(config)
        except (HydraException, OmegaConfBaseException, ValueError):
            return None
        return OmegaConf.to_yaml(config)


override = st.sampled_from(
    "db=pg db=mysql db=nope +db@other=pg ~db model=big model=[big,small] +db@nested=pg lr=1 lr=2 ++lr=x lrr=1 +lrr=1 ~lr"
    " nested.x=${db.port} nested={x:7} +nested={z:1} db.port=1 db={port:2} ~db.port name=a name=${nope} alpha.0=5 +a.b.c=1"
    " model.layers=null ~nested.y=a ~nested.y=b hydra.job.name=q +n=int(3.7)".split()
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trials=st.lists(st.lists(override, max_size=4), min_size=1, max_size=4))
def test_many_trials_are_what_hydra_composes_one_by_one(root: AbsPath, trials: list[list[str]]) -> None:
    with open_composer(HydraSource(), root, warn=told) as compose_trial:
        for overrides in trials:
            ours = None
            with suppress(OffbranchError):
                ours = compose_trial(overrides)
            assert ours == by_hydra(root, overrides)


def test_a_function_of_the_grammar_that_hydra_lacks(root: AbsPath) -> None:
    assert "name: '[1,2]'\n" in composed(root, "name=json_str([1,2])")


@pytest.mark.parametrize(
    ("overrides", "kind", "message", "hint"),
    [
        (["db=ph"], NotFoundError, "group 'db' has no 'ph'", "did you mean 'pg'?"),
        (["db=nothing"], NotFoundError, "group 'db' has no 'nothing'", "there are: mysql, pg"),
        (["modl=big"], NotFoundError, "could not override 'modl': it is not in", "did you mean 'model'?"),
        (["lrr=1"], NotFoundError, "could not override 'lrr': it is not in", "otherwise add it: --set-param '+lrr=1'"),
        (["nested.xx=1"], NotFoundError, "could not override 'nested.xx'", "did you mean 'nested.x'"),
        (["~nestd"], NotFoundError, "could not delete 'nestd'", "did you mean 'nested'?"),
        (["+db=pg"], OffbranchError, "could not add 'db'", "--set-param 'db=NAME'"),
        (["+lr=1"], OffbranchError, "could not add 'lr'", "leave the '+' out"),
        (["db@a=pg"], NotFoundError, "could not choose 'db@a'", "'+db@a=pg'"),
        (["name=${db.usr}"], NotFoundError, "there is no 'db.usr', which --set-param 'name=${db.usr}'", "'db.user'"),
        (["~db"], NotFoundError, "there is no 'db.user', which 'name' refers to", "'+db.user=VALUE'"),
        (["name=${lr"], UsageError, "invalid value for --set-param 'name=${lr'", "quotes"),
        (["lr=1", "a=[1"], UsageError, "invalid value for --set-param 'a=[1'", "quotes"),
        (["nested.x=${nested.x}"], OffbranchError, "recursive interpolation", "--no-hydra"),
    ],
)
def test_what_is_wrong_with_an_override_is_said_in_one_line(
    root: AbsPath, overrides: list[str], kind: type[OffbranchError], message: str, hint: str
) -> None:
    with pytest.raises(kind) as raised:
        composed(root, *overrides)
    assert message in raised.value.message and "\n" not in raised.value.message
    assert hint in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        ({"conf/config.yaml": "a: [\n"}, "conf/config.yaml:2:1: not valid YAML", None),
        ({"conf/config.yaml": "defaults:\n- x: y\n", "conf/x/y.yaml": "a: 1\na: 2\n"}, "conf/x/y.yaml:2:1", None),
        ({"conf/config.yaml": "defaults:\n- x: ???\n", "conf/x/y.yaml": ""}, "'x' must be chosen", "there are: y"),
        ({"conf/config.yaml": "defaults:\n- nope\n"}, "there is no 'nope'", None),
        ({"conf/config.yaml": "- 1\n"}, "must be a DictConfig", "--no-hydra"),
        ({"conf/config.yaml": "defaults: {a: 1}\n"}, "defaults must be a list", "--no-hydra"),
        ({"conf/config.yaml": "defaults:\n- config\n"}, "it leads in a circle", "--no-hydra"),
        ({"conf/config.yaml": "a: ${b\n"}, "cannot compose 'conf/config.yaml' at 'a'", "--no-hydra"),
        ({"conf/config.yaml": "a: ${oc.env:NOT_THERE_AT_ALL}\n"}, "NOT_THERE_AT_ALL", "--no-hydra"),
        ({"conf/confg.yaml": ""}, "there is no 'conf/config.yaml' (hydra.config_name)", "'confg'"),
        ({"x": ""}, "there is no directory 'conf' (hydra.config_dir)", "ob config hydra.config_dir DIR"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_said_in_one_line(
    tmp_path: Path, files: dict[str, str], message: str, hint: str | None
) -> None:
    with pytest.raises(OffbranchError) as raised:
        composed(write(tmp_path, files))
    assert message in raised.value.message and "\n" not in raised.value.message
    assert hint is None or hint in (raised.value.hint or "")


def test_a_file_that_is_malformed_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as raised:
        composed(write(tmp_path, {"conf/config.yaml": "a: 1\nb: !x 2\n"}))
    assert (raised.value.path, raised.value.line) == ("conf/config.yaml", 2)


def test_warnings_are_handed_on(tmp_path: Path) -> None:
    files = {"conf/config.yaml": "defaults:\n- x: y\na: 1\n", "conf/x/y.yaml": "b: 1\n"}
    heard: list[str] = []
    with open_composer(HydraSource(), write(tmp_path, files), warn=heard.append) as compose_trial:
        compose_trial(())
    assert len(heard) == 1 and "Defaults list is missing `_self_`" in heard[0]


def test_relative_search_paths_count_from_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "conf/config.yaml": "hydra:\n  searchpath:\n  - file://more\ndefaults:\n- x: y\n- _self_\n",
        "more/x/y.yaml": "b: 1\n",
        "more/x/z.yaml": "b: 2\n",
        "sub/file": "",
    }
    root = write(tmp_path, files)
    monkeypatch.chdir(tmp_path / "sub")
    assert composed(root) == "x:\n  b: 1\n"
    assert composed(root, "x=z") == "x:\n  b: 2\n"
    assert composed(root, "hydra.searchpath=[file://more]", "x=z") == "x:\n  b: 2\n"


def test_plugins_and_paths_are_forgotten_afterwards(tmp_path: Path) -> None:
    plugin = (
        "from hydra.plugins.search_path_plugin import SearchPathPlugin\n"
        "class Mine(SearchPathPlugin):\n    def manipulate_search_path(self, search_path):\n"
        "        search_path.append('mine', 'file://{}')\n"
    )
    files = {"conf/config.yaml": "defaults:\n- x: y\n- _self_\n"}
    for name in ("one", "two"):
        more = {"src/hydra_plugins/mine.py": plugin.format(name), f"{name}/x/y.yaml": f"b: {name}\n"}
        write(tmp_path / name, {**files, **more})
    path = list(sys.path)
    for name in ("one", "two"):
        source = HydraSource(plugins_path="src")
        assert composed(AbsPath(str(tmp_path / name)), source=source) == f"x:\n  b: {name}\n"
    assert sys.path == path
    assert not [name for name in sys.modules if name.startswith("hydra_plugins.mine")]
    with pytest.raises(NotFoundError):
        composed(AbsPath(str(tmp_path / "one")))


@pytest.mark.parametrize(
    ("files", "source", "message"),
    [
        ({"src/hydra_plugins/bad.py": "raise RuntimeError('boom')\n"}, HydraSource(plugins_path="src"), "boom"),
        ({}, HydraSource(plugins_path="nope"), "there is no directory 'nope'"),
        ({}, HydraSource(config_module="nope.conf"), "nope.conf"),
    ],
)
def test_code_that_cannot_be_loaded(tmp_path: Path, files: dict[str, str], source: HydraSource, message: str) -> None:
    root = write(tmp_path, {"conf/config.yaml": "a: 1\n", **files})
    with (
        pytest.raises(OffbranchError, match=message),
        open_composer(source, root, warn=lambda text: None) as compose_trial,
    ):
        compose_trial(())


def test_a_module_of_the_project_holds_the_configuration(tmp_path: Path) -> None:
    files = {"of_test/__init__.py": "", "of_test/conf/__init__.py": "", "of_test/conf/main.yaml": "lr: 2\n"}
    source = HydraSource(config_module="of_test.conf", config_name="main")
    assert composed(write(tmp_path, files), "lr=3", source=source) == "lr: 3\n"
