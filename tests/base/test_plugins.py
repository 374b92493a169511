"""Late loading of what goes by several names."""

import json
import sys
from threading import Thread, Timer

import pytest

from offbranch.base.plugins import load, load_first


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


def test_a_module_that_another_thread_is_loading_is_waited_for(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path_factory.mktemp("modules")
    (directory / "slow_gate_of_test.py").write_text("from threading import Event\nbegun, gate = Event(), Event()\n")
    (directory / "slow_module_of_test.py").write_text(
        "import slow_gate_of_test as g\ng.begun.set()\ng.gate.wait(5)\nvalue = 7\n"
    )
    monkeypatch.syspath_prepend(str(directory))
    begun, gate = load("slow_gate_of_test:begun"), load("slow_gate_of_test:gate")
    first = Thread(target=load, args=("slow_module_of_test:value",))
    first.start()
    assert begun.wait(5)
    Timer(0.05, gate.set).start()
    assert load("slow_module_of_test:value") == 7
    first.join()
    for name in ("slow_module_of_test", "slow_gate_of_test"):
        del sys.modules[name]
