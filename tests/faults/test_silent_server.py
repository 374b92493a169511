"""Ctrl-C while a data remote says nothing: the command ends at once, and the same command finishes the work later."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from projects import SOURCE, make_project
from servers import http_server

pytestmark = [pytest.mark.fault, pytest.mark.timeout(90)]


@pytest.mark.parametrize("words", [("push",), ("status", "-c")])
@pytest.mark.parametrize("kind", ["http", "s3"])
def test_ctrl_c_does_not_wait_for_a_silent_server(tmp_path: Path, words: tuple[str, ...], kind: str) -> None:
    with http_server() as site:
        if kind == "http":
            config = f"[core]\n    remote = r\n['remote \"r\"']\n    url = {site.address}\n    method = PUT\n"
        else:
            keys = "access_key_id = a\n    secret_access_key = b\n    region = us-east-1"
            remote = f"url = s3://b/p\n    endpointurl = {site.address}\n    {keys}"
            config = f"[core]\n    remote = r\n['remote \"r\"']\n    {remote}\n"
        project = make_project(tmp_path / "p", {}, config=config)
        project.write("one.bin", "one\n")
        assert project.ob("add", "one.bin").code == 0
        asked = threading.Event()
        site.requests = _Told(asked)  # type: ignore[assignment]
        site.hold.clear()
        process = subprocess.Popen(
            [sys.executable, "-m", "offbranch", *words],
            cwd=project.root,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert asked.wait(30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)  # the server would be waited for a minute, five times
        assert process.returncode == 130, err
        assert "Traceback" not in err
        if kind == "http" and words == ("push",):
            site.hold.set()
            assert project.ob("push").code == 0
            assert b"one\n" in site.files.values()


class _Told(list[object]):
    """Requests; says when there is one."""

    def __init__(self, asked: threading.Event) -> None:
        super().__init__()
        self._asked = asked

    def append(self, item: object) -> None:
        super().append(item)
        self._asked.set()
