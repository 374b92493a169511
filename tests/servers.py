"""Servers that tests talk to over the loopback: real ones where the machine has them, each in a context of its own.

A program that is missing skips the test, or fails it in CI (`programs.need`). Names of programs are read when this module is
loaded, before tests get an environment of their own.
"""

import base64
import getpass
import hashlib
import hmac
import http.server
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import IO

from programs import need

MOTO = os.environ.get("OFFBRANCH_TEST_MOTO") or "moto_server"
AZURITE = os.environ.get("OFFBRANCH_TEST_AZURITE") or "azurite-blob"
_serial = count(1)
_left_open: list[IO[str]] = []  # or the garbage collector complains, in the middle of another test


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
        name = f"bucket{os.getpid()}x{next(_serial)}"  # moto does not decode a name with an escaped `-`
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


@dataclass
class AzureServer(Server):
    ACCOUNT = "devstoreaccount1"
    KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    def container(self, *, public: bool = False) -> str:
        """Makes a container and returns its name."""
        name = f"container-{os.getpid()}-{next(_serial)}"
        now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"x-ms-date": now, "x-ms-version": "2021-12-02"}
        if public:
            headers["x-ms-blob-public-access"] = "container"
        shown = "".join(f"{header}:{headers[header]}\n" for header in sorted(headers))
        kind = "application/octet-stream"
        text = f"PUT\n\n\n\n\n{kind}\n\n\n\n\n\n\n{shown}/{self.ACCOUNT}/{self.ACCOUNT}/{name}\nrestype:container"
        made = hmac.new(base64.b64decode(self.KEY), text.encode(), "sha256").digest()
        headers["Authorization"] = f"SharedKey {self.ACCOUNT}:{base64.b64encode(made).decode()}"
        self.ask("PUT", f"/{self.ACCOUNT}/{name}?restype=container", **headers)
        return name


@contextmanager
def azure_server() -> Iterator[AzureServer]:
    """Runs Azurite, Microsoft's emulator of Azure's blobs."""
    place = ["--blobHost", "127.0.0.1", "--blobPort", "0"]
    command = [need(AZURITE), *place, "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    with started(command, r"listens on (http://127\.0\.0\.1:\d+)") as address:
        text = f"AccountName={AzureServer.ACCOUNT};AccountKey={AzureServer.KEY};"
        endpoint = f"BlobEndpoint={address}/{AzureServer.ACCOUNT};"
        yield AzureServer(address, {"connection_string": text + endpoint})


@dataclass
class SshServer(Server):
    """An SSH server that lets this user in with a key; `root` is a directory it can reach.

    Attributes:
        user, port: For 127.0.0.1.
        root: An empty directory.
        keyfile: The user's key.
        known_hosts: The line of ~/.ssh/known_hosts that trusts it.
    """

    user: str = ""
    port: int = 0
    root: Path = Path()
    keyfile: Path = Path()
    known_hosts: str = ""

    def trust(self, home: Path) -> None:
        """Lets a user of this home trust the server."""
        (home / ".ssh").mkdir(mode=0o700, exist_ok=True)
        (home / ".ssh" / "known_hosts").write_text(self.known_hosts)

    def url(self, path: str = "") -> str:
        return f"{self.address}{self.root}{f'/{path}' if path else ''}"


@contextmanager
def ssh_server(directory: Path, *, config: str = "") -> Iterator[SshServer]:
    """Runs OpenSSH's sshd on the loopback, with keys and configuration of its own.

    Args:
        directory: An empty one, for its files.
        config: Further lines of sshd_config.
    """
    sshd = need("sshd")
    keygen = need("ssh-keygen")
    for name in ("host", "user"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True)
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # where sshd started as root separates its privileges
    for _ in range(5):
        port = free_port()
        lines = (
            f"Port {port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {directory}/host",
            f"AuthorizedKeysFile {directory}/user.pub",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "MaxStartups 100",
            "Subsystem sftp internal-sftp",
            config,
        )
        (directory / "sshd_config").write_text("\n".join(lines) + "\n")
        command = [sshd, "-D", "-e", "-f", str(directory / "sshd_config")]
        try:
            with started(command, rf"Server listening on 127\.0\.0\.1 port {port}"):
                (directory / "root").mkdir(exist_ok=True)
                kind, key = (directory / "host.pub").read_text().split()[:2]
                yield SshServer(
                    f"ssh://{getpass.getuser()}@127.0.0.1:{port}",
                    {"keyfile": str(directory / "user")},
                    user=getpass.getuser(),
                    port=port,
                    root=directory / "root",
                    keyfile=directory / "user",
                    known_hosts=f"[127.0.0.1]:{port} {kind} {key}\n",
                )
                return
        except NotStartedError:
            continue  # somebody took the port
    raise AssertionError("sshd did not start")


@dataclass
class WebServer(Server):
    """A web server that keeps what is put there, in this process.

    Attributes:
        files: Path (decoded, without query) -> content.
        requests: (method, path as sent, headers) of every request, in order; the header `X-Port` is the client's port.
        answers: Statuses to answer the next requests with, instead of the right thing; a text is a place to redirect to.
        auth: `basic`, `digest` or `custom` (header `X-Token`): what is asked for, of user `ann` with password `hunter22`.
        headers: Further headers of files, made from their content; an empty one is not sent.
        replies: Path -> what is said to something sent there, instead of keeping it.
        hold: While it is not set, a request is not answered.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    answers: list[int | str] = field(default_factory=list)
    auth: str = ""
    headers: Callable[[bytes], Mapping[str, str]] = lambda content: {}
    replies: dict[str, bytes] = field(default_factory=dict)
    hold: threading.Event = field(default_factory=threading.Event)
    user: str = "ann"
    password: str = "hunter22"


class _WebHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: WebServer

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:  # the client went away, or does not trust the certificate
            self.close_connection = True

    def do_GET(self) -> None:
        if self._may_pass():
            content = self.site.files.get(self._name)
            if content is None:
                self._answer(404)
            else:
                self._answer(200, content, {"ETag": f'"{hash(content):x}"', **self.site.headers(content)})

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        length = self.headers["Content-Length"]
        body = self.rfile.read(int(length)) if length is not None else self._read_chunks()
        if self._may_pass():
            if (reply := self.site.replies.get(self._name)) is not None:
                self._answer(200, reply, {"Content-Type": "application/json"})
                return
            self.site.files[self._name] = body
            self._answer(201)

    do_POST = do_PUT

    def do_DELETE(self) -> None:
        if self._may_pass():
            self._answer(404 if self.site.files.pop(self._name, None) is None else 204)

    def log_message(self, format: str, *args: object) -> None:
        pass

    @property
    def _name(self) -> str:
        return urllib.parse.unquote(self.path.partition("?")[0])

    def _may_pass(self) -> bool:
        sent = {name.title(): value for name, value in self.headers.items()}
        self.site.requests.append((self.command, self.path, {**sent, "X-Port": str(self.client_address[1])}))
        self.site.hold.wait(75)
        if self.site.answers:
            answer = self.site.answers.pop(0)
            if isinstance(answer, str):
                self._answer(307, headers={"Location": answer})
            else:
                self._answer(answer)
            return False
        if not self._is_known():
            kind = {"basic": "Basic", "digest": "Digest"}.get(self.site.auth)
            ask = {"WWW-Authenticate": f'{kind} realm="r", nonce="n", qop="auth"'} if kind else {}
            self._answer(401, headers=ask)
            return False
        return True

    def _is_known(self) -> bool:
        user, password, given = self.site.user, self.site.password, self.headers["Authorization"] or ""
        if self.site.auth == "basic":
            return given == f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
        if self.site.auth == "digest":
            values = dict(re.findall(r'(\w+)="?([^",]+)"?', given))
            first, second = _md5(f"{user}:r:{password}"), _md5(f"{self.command}:{self.path}")
            middle = ":".join(values.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
            return values.get("response") == _md5(f"{first}:{middle}:{second}")
        return self.headers["X-Token"] == password if self.site.auth == "custom" else True

    def _read_chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, status: int, content: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            if value:
                self.send_header(name, value)
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@contextmanager
def http_server(*, tls: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    """Runs a web server in this process, with TLS where that is given."""
    handler = type("Handler", (_WebHandler,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    site = WebServer(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}")
    site.hold.set()
    handler.site = site  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class RedisServer(Server):
    """Redis with a directory of its own; it can be stopped and started again, at the same port.

    Attributes:
        directory: Where it keeps what is to outlive a restart.
        port: Where it listens.
    """

    directory: Path = Path()
    port: int = 0
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self, *, forgets: bool = False) -> None:
        """Starts it; with `forgets` as if it had kept nothing."""
        if forgets:
            for path in self.directory.glob("*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)]
        command = [need("redis-server"), *place, "--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        for _ in range(500):
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                    connection.sendall(b"PING\r\nINFO server\r\n")
                    said = connection.recv(1 << 16)
                    # Another one may have got the port first, and answers as well.
                    if said.startswith(b"+PONG") and f"process_id:{self._process.pid}\r\n".encode() in said:
                        return
            except OSError:
                pass
            if self._process.poll() is not None:
                raise NotStartedError("redis-server did not start")
            time.sleep(0.02)
        raise NotStartedError("redis-server does not answer")

    def stop(self, *, kill: bool = False) -> None:
        """Ends it, in order or not."""
        if self._process is not None:
            self._process.kill() if kill else self._process.terminate()
            self._process.wait()
            self._process = None


@contextmanager
def redis_server(directory: Path) -> Iterator[RedisServer]:
    """Runs Redis with a free port, which keeps each command on disk.

    Args:
        directory: An empty one.
    """
    need("redis-server")
    for _ in range(5):
        port = free_port()
        server = RedisServer(f"redis://127.0.0.1:{port}/0", directory=directory, port=port)
        try:
            server.start()
        except NotStartedError:
            server.stop(kill=True)
            continue  # somebody took the port
        try:
            yield server
        finally:
            server.stop(kill=True)
        return
    raise AssertionError("redis-server did not start")


@contextmanager
def rabbitmq_server(directory: Path) -> Iterator[Server]:
    """Runs RabbitMQ with free ports, on the loopback only, with a directory of its own.

    Args:
        directory: An empty one.
    """
    # Beside Debian's script, which would change the user.
    server = need("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
    port, distribution, names = free_port(), free_port(), free_port()
    (directory / "plugins").write_text("[].")
    (directory / "env.conf").touch()
    env = {
        "HOME": str(directory),
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": str(directory / "env.conf"),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
    }
    # Otherwise RabbitMQ starts one that stays for ever.
    with (
        subprocess.Popen(
            [need("epmd"), "-port", str(names), "-address", "127.0.0.1"], env={**os.environ, **env}
        ) as epmd,
        started([server], r"Server startup complete", env=env),
    ):
        try:
            yield Server(f"amqp://guest:guest@127.0.0.1:{port}//")
        finally:
            epmd.terminate()


class Relay:
    """Passes connections on to a port of this machine, and can cut them.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends every connection as a broken network does; new ones are let through."""
        for one in self._open:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
        self._open.clear()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def relay(target: int) -> Iterator[Relay]:
    """Runs a relay to a port of this machine."""
    made = Relay(target)
    try:
        yield made
    finally:
        made.close()


class NotStartedError(Exception):
    pass


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


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
            raise NotStartedError(f"{command[0]} did not start:\n{''.join(lines)}")
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
            drain.join(5)
        if drain.is_alive():  # a child of the server that lives on holds the other end
            _left_open.append(process.stdout)
        else:
            process.stdout.close()
