"""What surrounded a run: system, Python and installed packages, noted beside the record of its attempt.

Read from files only: the first `python` on PATH is what a stage command finds, and what is installed stands in its
directory. Nothing is executed, nothing is guessed; what cannot be read is left out. The note stays on this machine
(docs/formats/attempts.md).
"""

import json
import os
from collections.abc import Iterator, Mapping

from offbranch.base.files import atomic_write
from offbranch.base.paths import AbsPath
from offbranch.base.records import field, record
from offbranch.experiments.attempts import attempt_dir

FILE = "environment.json"
_VERSION = 1
_PYTHONS = ("python", "python3")
_DISTRIBUTION = ".dist-info"


@record
class RunEnvironment:
    """What is known of the machine and the Python of a run.

    Attributes:
        system: `os`, `release`, `machine`, `python` (its version), `python_path`; those that are known.
        packages: Installed packages of that Python -> version; empty where it is not an environment of its own.
    """

    system: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)


def look_around(variables: Mapping[str, str]) -> RunEnvironment:
    """Returns what a command that is started with some environment variables will find."""
    system = _of_machine()
    python = _first_python(variables.get("PATH", os.defpath))
    if python is None:
        return RunEnvironment(system=system)
    prefix = os.path.dirname(os.path.dirname(python))
    version = _version(prefix)
    found = {**system, "python_path": python, **({"python": version} if version else {})}
    # Without an environment of its own, what is installed may lie in many places that only Python itself knows.
    return RunEnvironment(system=found, packages=dict(_packages(prefix)) if version else {})


def note_environment(root: AbsPath, attempt_id: str, variables: Mapping[str, str]) -> None:
    """Writes down what surrounds an attempt that begins; failing to is no error."""
    around = look_around(variables)
    document = {"version": _VERSION, "system": dict(around.system), "packages": dict(around.packages)}
    try:
        path = AbsPath(os.path.join(attempt_dir(root, attempt_id), FILE))
        atomic_write(path, f"{json.dumps(document, indent=0, sort_keys=True)}\n".encode())
    except OSError:
        return  # a note is not worth a failed run


def read_environment_of(root: AbsPath, attempt_id: str) -> RunEnvironment | None:
    """Returns the note of an attempt, None where there is none that can be read."""
    try:
        with open(os.path.join(attempt_dir(root, attempt_id), FILE), "rb") as file:
            document = json.loads(file.read())
        if document["version"] != _VERSION:
            return None
        return RunEnvironment(system=_texts(document["system"]), packages=_texts(document["packages"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _of_machine() -> dict[str, str]:
    if not hasattr(os, "uname"):
        return {"os": os.name}
    name = os.uname()
    return {"os": name.sysname, "release": name.release, "machine": name.machine}


def _first_python(search: str) -> str | None:
    for directory in search.split(os.pathsep):
        for name in _PYTHONS:
            path = os.path.join(directory, name)
            if directory and os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return None


def _version(prefix: str) -> str | None:
    """Returns the version that an environment says it has: of venv and virtualenv, or of conda."""
    try:
        with open(os.path.join(prefix, "pyvenv.cfg"), encoding="utf-8") as file:
            pairs = (line.partition("=") for line in file)
            values = {key.strip().lower(): value.strip() for key, _, value in pairs}
        return values.get("version") or values.get("version_info")
    except (OSError, UnicodeDecodeError):
        pass
    for name in _names(os.path.join(prefix, "conda-meta")):
        words = name.removesuffix(".json").split("-")
        if name.endswith(".json") and len(words) == 3 and words[0] == "python":
            return words[1]
    return None


def _packages(prefix: str) -> Iterator[tuple[str, str]]:
    for library in _libraries(prefix):
        for name in sorted(_names(library)):
            if name.endswith(_DISTRIBUTION):
                package, dash, version = name.removesuffix(_DISTRIBUTION).rpartition("-")
                if dash:
                    yield package.lower().replace("_", "-"), version


def _libraries(prefix: str) -> Iterator[str]:
    yield os.path.join(prefix, "Lib", "site-packages")
    for name in sorted(_names(os.path.join(prefix, "lib"))):
        if name.startswith("python"):
            yield os.path.join(prefix, "lib", name, "site-packages")


def _names(directory: str) -> tuple[str, ...]:
    try:
        return tuple(os.listdir(directory))
    except OSError:
        return ()


def _texts(values: Mapping[str, str]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}
