"""The command of real DVC, which these tests compare with."""

import os
import sys

import pytest

from interop.peers import Originals

VARIABLE = "OFFBRANCH_TEST_DVC"
# Seconds for a test: a start of real DVC, or of a training library, takes some on a machine that has much else to do.
PATIENCE_S = 400


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("interop") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(PATIENCE_S))


@pytest.fixture
def dvc() -> str:
    """Returns the command of DVC 3.67.1; without it the test is skipped, in CI of this suite it must be there."""
    command = os.environ.get(VARIABLE)
    if not command:
        pytest.skip(f"needs DVC 3.67.1, named by {VARIABLE}")
    return command


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Originals:
    return Originals(tmp_path_factory.mktemp("originals"))


@pytest.fixture
def ob_command() -> list[str]:
    """Returns the words that start `ob`."""
    return [sys.executable, "-m", "offbranch"]
