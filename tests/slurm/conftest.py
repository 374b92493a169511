"""A SLURM for each worker of the test suite; started by the first test that asks for it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm_site import SlurmSite, slurm_site


@pytest.fixture(scope="session")
def session_site() -> Iterator[SlurmSite]:
    # Not in pytest's directory: the path of a socket must be short.
    with (
        tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as place,
        slurm_site(Path(place)) as site,
    ):
        yield site


@pytest.fixture
def slurm(session_site: SlurmSite, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmSite]:
    """A SLURM without jobs, which programs of this test find."""
    monkeypatch.setenv("SLURM_CONF", str(session_site.conf))
    yield session_site
    session_site.clear()
