"""offbranch-dvc, built from this checkout: the wheel, and what an installer makes of it."""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).resolve().parent.parent / "packages" / "offbranch-dvc"


@cache
def backend() -> ModuleType:
    """Returns what builds it."""
    path = PACKAGE / "backend" / "offbranch_dvc_build.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(directory: Path) -> Path:
    """Builds the wheel, for any environment."""
    name = backend().build_wheel(str(directory), {"for": "elsewhere"})
    return directory / str(name)


def pip(*args: str, python: Path | str) -> list[str]:
    """Returns the words that run pip for an environment, without a network."""
    command, *rest = args
    offline = ["--no-index", "--no-deps", "--no-build-isolation"] if command == "install" else []
    return [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--python",
        str(python),
        command,
        *offline,
        *rest,
    ]
