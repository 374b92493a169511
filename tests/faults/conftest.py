"""The warm process in which `ob` is killed, made once, for it imports everything; what a test leaves behind is ended."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from killing import Killer, open_killer
from queue_processes import working_in


@pytest.fixture(scope="session")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    with open_killer(tmp_path_factory.mktemp("killer")) as killer:
        yield killer


@pytest.fixture(autouse=True)
def nothing_goes_on(tmp_path: Path) -> Iterator[None]:
    """Ends the commands of a killed `ob`, which may wait for a word that nobody says."""
    yield
    if os.path.isdir("/proc/self/fd"):
        for found in working_in(tmp_path):
            with suppress(ProcessLookupError):
                os.kill(int(found.partition(" ")[0]), signal.SIGKILL)
