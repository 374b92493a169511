"""Ids of Git objects as distinct types: lower-case hexadecimal, 40 digits (SHA-1) or 64 (SHA-256)."""

from typing import NewType

ObjectName = NewType("ObjectName", str)
CommitId = NewType("CommitId", str)
TreeId = NewType("TreeId", str)
BlobId = NewType("BlobId", str)


def is_hex(text: str) -> bool:
    """Tells whether a text is made of lower-case hexadecimal digits only."""
    return not text.strip("0123456789abcdef")
