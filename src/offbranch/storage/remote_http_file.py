"""What the answer of a web server says of a file."""

from collections.abc import Iterator, Mapping
from typing import Any

from offbranch.storage.remote_files import RemoteFile


def file_of(key: str, answer: Any) -> RemoteFile:
    """Returns the file of a key by the headers of an answer of requests."""
    headers: Mapping[str, str] = answer.headers
    size = headers.get("content-length", "")
    tag = headers.get("etag") or None
    checksum = headers.get("content-md5") or None
    return RemoteFile(
        key,
        int(size) if size.isdigit() and "content-encoding" not in headers else None,
        tag or checksum,
        is_checksum=tag is None and checksum is not None,
        about=tuple(_about(answer.url, headers)),
    )


def _about(url: str, headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if "content-type" in headers:
        yield "mimetype", headers["content-type"].partition(";")[0]
    yield "url", url
    for name in ("Digest", "Last-Modified"):
        if headers.get(name):
            yield name, headers[name]
