"""Servers that tests talk to over the loopback: real ones where the machine has them, each in a context of its own.

A program that is missing skips the test, or fails it in CI (`programs.need`). Names of programs are read when this module is
loaded, before tests get an environment of their own.
"""

import os
import re
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from programs import need

MOTO = os.environ.get("OFFBRANCH_TEST_MOTO") or "moto_server"
_serial = count(1)


@dataclass
class Server:
    """A server: where it is, and the options a data remote needs to use it."""

    address: str
    options: Mapping[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, data: bytes | None = None, **headers: str) -> tuple[Mapping[str, str], bytes]:
        """Sends a request; returns headers and body of the answer."""
        headers = {"Content-Type": "application/octet-stream", **headers}
        request = urllib.request.Request(f"{self.address}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.headers, answer.read()


@dataclass
class S3Server(Server):
    # moto looks at the form of a signature only, unless told to be strict.
    SIGNED = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=x"

    def bucket(self, *, versioned: bool = False) -> str:
        """Makes a bucket and returns its name."""
        name = f"bucket-{os.getpid()}-{next(_serial)}"
        self.ask("PUT", f"/{name}")
        if versioned:
            text = '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status>'
            self.ask("PUT", f"/{name}?versioning", f"{text}</VersioningConfiguration>".encode())
        return name


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Runs moto, a server of S3, with a free port; it takes any credentials."""
    command = [need(MOTO), "-H", "127.0.0.1", "-p", "0"]
    with started(command, r"Running on (http://127\.0\.0\.1:\d+)") as address:
        options = {
            "endpointurl": address,
            "access_key_id": "AKIDTEST",
            "secret_access_key": "secret-of-tests",
            "region": "us-east-1",
        }
        yield S3Server(address, options)


@contextmanager
def started(command: Sequence[str], sign: str, *, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Runs a server until the context ends; yields what the pattern's group finds in its first lines of output."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **(env or {})},
    )
    assert process.stdout is not None
    lines: list[str] = []
    drain = threading.Thread(target=lambda output: [None for _ in output], args=(process.stdout,), daemon=True)
    try:
        for line in process.stdout:
            lines.append(line)
            if found := re.search(sign, line):
                break
        else:
            raise AssertionError(f"{command[0]} did not start:\n{''.join(lines)}")
        drain.start()  # a server whose output nobody reads would stop
        yield found[1] if found.groups() else found[0]
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if drain.ident is not None:
            drain.join(10)
        process.stdout.close()
