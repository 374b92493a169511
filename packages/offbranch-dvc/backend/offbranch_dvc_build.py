"""Builds the wheel and the source archive of offbranch-dvc (PEP 517), with the standard library alone.

The wheel has the metadata of three distributions: its own, where a wheel has it, and those of `dvc` and `dvclive`, as files for
the directory of packages. Who installs records all of them for offbranch-dvc, so that removing it removes them; `dvc` and
`dvclive` have no RECORD, so that nobody can remove or replace them without it.

Building refuses where the interpreter that builds, which is that of the environment pip installs into, has the real ones.
"""

import base64
import hashlib
import io
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
# What a build says it is for, to be made where the real ones are: pip wheel --config-settings=for=elsewhere
ELSEWHERE = ("for", "elsewhere")
_EPOCH = (1980, 1, 1, 0, 0, 0)

Settings = Mapping[str, Any] | None


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    """Builds the wheel, and returns its name."""
    if (config_settings or {}).get(ELSEWHERE[0]) != ELSEWHERE[1]:
        refuse_beside_real_ones(Path(sysconfig.get_path("purelib")))
    project, stands_in = _described()
    files = dict(_files(project, stands_in))
    stem = f"offbranch_dvc-{project['version']}"
    record = f"{stem}.dist-info/RECORD"
    rows = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    files[record] = "\n".join([*rows, f"{record},,", ""]).encode()
    name = f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr = 0o644 << 16
            wheel.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return name


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """Builds the source archive, and returns its name."""
    project, _ = _described()
    stem = f"offbranch_dvc-{project['version']}"
    paths = [HERE / name for name in ("LICENSE", "README.md", "pyproject.toml")]
    paths += sorted([*HERE.glob("backend/*.py"), *HERE.glob("src/**/*.py")])
    with tarfile.open(Path(sdist_directory, f"{stem}.tar.gz"), "w:gz", format=tarfile.PAX_FORMAT) as archive:
        contents = [(path.relative_to(HERE).as_posix(), path.read_bytes()) for path in paths]
        for name, data in [*contents, ("PKG-INFO", _metadata(project).encode())]:
            entry = tarfile.TarInfo(f"{stem}/{name}")
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return f"{stem}.tar.gz"


def refuse_beside_real_ones(packages: Path) -> None:
    """Raises SystemExit if a directory has the real `dvc` or `dvclive`: those are packages, ours single modules."""
    found = [name for name in ("dvc", "dvclive") if (packages / name / "__init__.py").exists()]
    if found:
        names = " ".join(found)
        raise SystemExit(
            f"offbranch-dvc is not installed beside the real {' and '.join(found)} (in {packages})\n"
            f"hint: pip uninstall {names}, or use a virtual environment of its own;"
            " to build a wheel for elsewhere: --config-settings=for=elsewhere"
        )


def _described() -> tuple[dict[str, Any], dict[str, str]]:
    document = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))
    return document["project"], document["tool"]["offbranch-dvc"]["stands-in-for"]


def _files(project: Mapping[str, Any], stands_in: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    stem = f"offbranch_dvc-{project['version']}"
    for path in sorted((HERE / "src").rglob("*.py")):
        yield path.relative_to(HERE / "src").as_posix(), path.read_bytes()
    for name, version in stands_in.items():
        # At the top of a wheel there may be one such directory only.
        directory = f"{stem}.data/purelib/{name}-{version}+offbranch.dist-info"
        yield f"{directory}/METADATA", _metadata_of_stand_in(name, version).encode()
        yield f"{directory}/INSTALLER", b"offbranch-dvc\n"  # pip names it when it is asked to remove the distribution
        yield f"{directory}/top_level.txt", f"{name}\n".encode()
    info = f"{stem}.dist-info"
    scripts = "".join(f"{name} = {target}\n" for name, target in project["scripts"].items())
    yield f"{info}/licenses/LICENSE", (HERE / "LICENSE").read_bytes()
    yield f"{info}/METADATA", _metadata(project).encode()
    yield f"{info}/entry_points.txt", f"[console_scripts]\n{scripts}".encode()
    yield (
        f"{info}/WHEEL",
        b"Wheel-Version: 1.0\nGenerator: offbranch_dvc_build\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    )


def _metadata(project: Mapping[str, Any]) -> str:
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"License-Expression: {project['license']}",
        *(f"License-File: {name}" for name in project["license-files"]),
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {wanted}" for wanted in project["dependencies"]),
    ]
    for extra, wanted in project["optional-dependencies"].items():
        lines += [f"Provides-Extra: {extra}", *(f"Requires-Dist: {one} ; extra == '{extra}'" for one in wanted)]
    lines += ["Description-Content-Type: text/markdown", "", (HERE / project["readme"]).read_text("utf-8")]
    return "\n".join(lines)


def _metadata_of_stand_in(name: str, version: str) -> str:
    return (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}+offbranch\n"
        f"Summary: Stands in for {name} {version}; comes with offbranch-dvc, and goes with it\nLicense: Apache-2.0\n"
    )


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
