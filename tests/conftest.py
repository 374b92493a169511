"""What every test gets: a home of its own, a fixed Git identity, no configuration of the machine, no network."""

import itertools
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from offbranch.base.environ import SOAK

# Machines differ in speed, so no example has a deadline. What a run says must not depend on chance: new examples are looked
# for where that is asked for.
settings.register_profile(
    "offbranch", deadline=None, derandomize=SOAK not in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("offbranch")

# Who starts the tests may let them ignore what ends a program (`nohup`, `&`); what they start must not inherit that.
for _name, _handler in {"SIGINT": signal.default_int_handler, "SIGHUP": lambda *_: None}.items():
    if (_number := getattr(signal, _name, None)) is not None and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

# Variables of the machine that programs would follow.
FOREIGN = (
    "GIT_",
    "DVC",
    "OFFBRANCH_",
    "XDG_",
    "AWS_",
    "AZURE_",
    "GOOGLE_",
    "CLOUDSDK_",
    "STORAGE_EMULATOR_",
    "SSH_",
    "SLURM_",
    "SBATCH_",
    "SQUEUE_",
    "SACCT_",
)

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ann Dev",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann Dev",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Returns what `-n auto` means: more than there are processors, for tests wait for what they have started."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    n_processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(2, n_processors * 3 // 2)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yields paths for new homes, in a directory of their own: pytest looks through all it has made to find a free name."""
    directory = tmp_path_factory.mktemp("homes")
    return (directory / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def pinned_environment(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Points everything a program reads of its user into a directory of the test's own; returns that home."""
    home = next(homes)
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(FOREIGN) and not name.startswith("OFFBRANCH_TEST_"):
            monkeypatch.delenv(name)
    settings = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "DVC_NO_ANALYTICS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",  # no machine is asked for credentials
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        "SHELL": "/bin/sh",
        # What stages call `python3` is the interpreter of the tests; a launcher that looks for one takes longer than they do.
        "PATH": os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"])),
        **IDENTITY,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (home / ".gitconfig").write_text(
        '[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n[protocol "file"]\n\tallow = always\n'
    )
    return home


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuses every connection that is not to this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0]) if isinstance(address, tuple) else ""
            if host not in ("127.0.0.1", "::1", "localhost"):
                raise RuntimeError(f"a test tried to reach the network: {address!r}")
        connect(self, address)  # type: ignore[arg-type]

    socket.socket.connect = guarded  # type: ignore[method-assign, assignment]
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]
