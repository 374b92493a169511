"""A machine with GPUs, as far as anybody can tell: a program `nvidia-smi` in a directory for PATH."""

import os
from collections.abc import Sequence
from pathlib import Path

UUIDS = tuple(f"GPU-{number:08x}-d33d-2b2c-524d-9e3d8d2b8a77" for number in range(16))


def fake_gpus(directory: Path, n: int, *, more: Sequence[str] = ()) -> str:
    """Writes a program that lists `n` GPUs, and more lines; returns a PATH on which it comes first."""
    lines = [f"GPU {number}: Fake A100 (UUID: {UUIDS[number]})" for number in range(n)]
    return fake_program(directory, "".join(f"echo '{line}'\n" for line in (*lines, *more)))


def fake_program(directory: Path, script: str) -> str:
    """Writes a program `nvidia-smi` of some lines of shell; returns a PATH on which it comes first."""
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}")
    program.chmod(0o755)
    return f"{directory}{os.pathsep}{os.environ['PATH']}"
