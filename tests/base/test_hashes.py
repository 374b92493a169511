import hashlib
import subprocess
import sys

from offbranch.base.hashes import sha1, sha256


def test_they_are_those_of_hashlib() -> None:
    for data in (b"", b"a", bytes(range(256)) * 9):
        assert (sha1(data), sha256(data)) == (hashlib.sha1(data).hexdigest(), hashlib.sha256(data).hexdigest())


def test_openssl_is_not_loaded_for_them() -> None:
    program = (
        "import sys; from offbranch.base.hashes import *; sha1(b''), sha256(b''); print('_hashlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
