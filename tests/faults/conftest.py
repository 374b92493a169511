"""The warm process in which `ob` is killed; it is made once, for it imports everything."""

from collections.abc import Iterator

import pytest

from killing import Killer, open_killer


@pytest.fixture(scope="session")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    with open_killer(tmp_path_factory.mktemp("killer")) as killer:
        yield killer
