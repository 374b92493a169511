"""Golden files: text that is compared with what is stored, and stored anew with `OFFBRANCH_UPDATE_GOLDEN=1`.

The variable is read when this module is loaded, before tests get an environment of their own.
"""

import os
from pathlib import Path

DIRECTORY = Path(__file__).parent / "golden"
IS_UPDATE = os.environ.get("OFFBRANCH_UPDATE_GOLDEN") == "1"


def check_golden(name: str, text: str) -> None:
    """Compares a text with a golden file, or with the variable set writes it.

    Args:
        name: File below tests/golden, with `/` between the parts.
        text: What it must say, line ends included.
    """
    path = DIRECTORY / name
    if IS_UPDATE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return
    assert path.is_file(), f"there is no tests/golden/{name}; make it with OFFBRANCH_UPDATE_GOLDEN=1"
    assert text == path.read_bytes().decode(), f"tests/golden/{name} differs; OFFBRANCH_UPDATE_GOLDEN=1 writes it anew"
