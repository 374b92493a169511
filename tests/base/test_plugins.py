"""Late loading of what goes by several names."""

import json
import sys

import pytest

from offbranch.base.plugins import load_first


def test_the_first_that_is_installed_is_loaded() -> None:
    assert load_first("no_such_package.loggers:Logger", "json:loads") is json.loads
    assert load_first("json:dumps", "no_such_package:x") is json.dumps
    with pytest.raises(ModuleNotFoundError, match="none_either"):
        load_first("no_such_package:x", "none_either:x")


def test_a_package_that_lacks_something_itself_is_not_passed_over(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path_factory.mktemp("modules")
    (directory / "broken_package_of_test.py").write_text("import what_it_needs\n")
    monkeypatch.syspath_prepend(str(directory))
    with pytest.raises(ModuleNotFoundError, match="what_it_needs"):
        load_first("broken_package_of_test:x", "json:loads")
    assert "broken_package_of_test" not in sys.modules
