"""SHA-1 and SHA-256 of a few bytes by what is built into Python: `hashlib` loads OpenSSL, which takes 3 ms.

For names and keys; md5 of data is in `storage/hashing.py`.
"""

import sys

from offbranch.base.plugins import load_first

_SHA256 = "_sha2:sha256" if sys.version_info >= (3, 12) else "_sha256:sha256"


def sha256(data: bytes) -> str:
    """Returns the SHA-256 of bytes as hex."""
    return str(load_first(_SHA256, "hashlib:sha256")(data).hexdigest())


def sha1(data: bytes) -> str:
    """Returns the SHA-1 of bytes as hex; for names, as Git uses it."""
    return str(load_first("_sha1:sha1", "hashlib:sha1")(data, usedforsecurity=False).hexdigest())
