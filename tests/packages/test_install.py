"""offbranch-dvc in real virtual environments: installed, found, used, removed; and beside the real ones, in both orders."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import offbranch
from dropin import PACKAGE, backend, build, pip
from projects import SOURCE


class Environment:
    """A virtual environment that has offbranch, from this checkout, with what it needs."""

    def __init__(self, directory: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True)
        self.bin = directory / "bin"
        self.python = self.bin / "python"
        self.packages = next(directory.glob("lib/python*/site-packages"))
        # Not the directories of packages of this Python themselves: pip would take what is there for ours.
        (self.packages / "offbranch.pth").write_text(f"{SOURCE}\n{sysconfig.get_path('purelib')}\n")
        self.before = self.files()

    def run(self, *words: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(words, capture_output=True, text=True, env={**variables, **env}, check=False)
        assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    def pip(self, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.run(*pip(*args, python=self.python), code=code)

    def evaluate(self, code: str) -> str:
        return self.run(str(self.python), "-c", code).stdout.strip()

    def files(self) -> set[str]:
        found = {str(path.relative_to(self.packages)) for path in self.packages.rglob("*") if path.is_file()}
        return {path for path in found if "__pycache__" not in path} | {path.name for path in self.bin.iterdir()}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    yield Environment(tmp_path / "env")


def give_real_ones(environment: Environment) -> None:
    """Puts in what looks to Python and to pip like DVC and DVCLive: packages with records of their files."""
    for name, version in (("dvc", "3.67.1"), ("dvclive", "3.49.1")):
        info = f"{name}-{version}.dist-info"
        written = {
            f"{name}/__init__.py": f"WHO = 'the real {name}'\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/INSTALLER": "pip\n",
        }
        written[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*written, f"{info}/RECORD"))
        for path, text in written.items():
            (environment.packages / path).parent.mkdir(exist_ok=True)
            (environment.packages / path).write_text(text)


def test_versions_are_those_of_offbranch() -> None:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())
    assert project["project"]["version"] == offbranch.__version__
    assert project["project"]["dependencies"] == [f"offbranch[fsspec]=={offbranch.__version__}"]
    said = (PACKAGE / "src/offbranch_dvc/__init__.py").read_text()
    for name, version in project["tool"]["offbranch-dvc"]["stands-in-for"].items():
        assert f'{name.upper()}_VERSION = "{version}"' in said


def test_the_wheel_is_the_same_each_time_and_its_record_is_whole(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = build(tmp_path / "a"), build(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as wheel:
        recorded = {
            line.split(",")[0] for line in wheel.read("offbranch_dvc-0.1.0.dist-info/RECORD").decode().splitlines()
        }
        assert recorded == set(wheel.namelist())


def test_the_source_archive_builds_the_same_wheel(tmp_path: Path, wheel: Path) -> None:
    name = backend().build_sdist(str(tmp_path))
    with tarfile.open(tmp_path / name) as archive:
        archive.extractall(tmp_path, filter="data")
    inside = tmp_path / name.removesuffix(".tar.gz")
    code = "import sys; sys.path.insert(0, 'backend'); import offbranch_dvc_build as b; b.build_wheel('.', dict([b.ELSEWHERE]))"
    subprocess.run([sys.executable, "-c", code], cwd=inside, check=True)
    assert (inside / wheel.name).read_bytes() == wheel.read_bytes()


def test_it_is_installed_found_and_removed_without_a_trace(environment: Environment, tmp_path: Path) -> None:
    environment.pip("install", str(PACKAGE))
    assert environment.run(str(environment.bin / "dvc"), "--version").stdout == "3.67.1\n"
    assert environment.run(str(environment.python), "-m", "dvc", "--version").stdout == "3.67.1\n"
    code = """
import importlib.metadata as m, importlib.util as u
import dvclive, dvclive.plots, dvclive.utils, dvclive.error, dvclive.env, dvc.api
from dvclive.live import Live
assert dvclive.Live is Live and u.find_spec("dvclive.lightning") and not u.find_spec("dvclive.nothing")
assert issubclass(dvclive.error.InvalidDataTypeError, dvclive.error.DvcLiveError)
assert all(callable(getattr(dvc.api, name)) for name in dvc.api.__all__)
print(m.version("dvclive"), m.metadata("dvclive")["Name"], m.version("dvc"))
"""
    assert environment.evaluate(code) == "3.49.1+offbranch dvclive 3.67.1+offbranch"
    assert "that of offbranch" in environment.run(str(environment.python), "-m", "offbranch_dvc").stdout
    listed = environment.pip("list").stdout
    assert "3.49.1+offbranch" in listed and "offbranch-dvc" in listed
    environment.pip("check")
    environment.pip("uninstall", "-y", "offbranch-dvc")
    assert environment.files() == environment.before


def test_pip_takes_it_for_dvclive_and_removes_or_replaces_no_part_of_it(
    environment: Environment, tmp_path: Path, wheel: Path
) -> None:
    environment.pip("install", str(wheel))
    assert "already satisfied" in environment.pip("install", "dvclive>=2.11").stdout
    said = environment.pip("uninstall", "-y", "dvclive", code=1).stderr
    assert "offbranch-dvc" in said
    stem = "dvclive-3.48.0"
    with zipfile.ZipFile(tmp_path / f"{stem}-py3-none-any.whl", "w") as other:
        other.writestr("dvclive/__init__.py", "")
        other.writestr(f"{stem}.dist-info/METADATA", "Metadata-Version: 2.1\nName: dvclive\nVersion: 3.48.0\n")
        other.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        other.writestr(f"{stem}.dist-info/RECORD", "")
    said = environment.pip("install", str(tmp_path / f"{stem}-py3-none-any.whl"), code=1).stderr
    assert "offbranch-dvc" in said
    assert environment.evaluate("import dvclive; print(dvclive.__version__)") == "3.49.1+offbranch"


def test_it_refuses_to_be_built_and_installed_beside_the_real_ones(environment: Environment) -> None:
    give_real_ones(environment)
    before = environment.files()
    done = environment.pip("install", str(PACKAGE), code=1)
    assert "is not installed beside the real dvc and dvclive" in done.stdout + done.stderr
    assert environment.files() == before


def test_a_wheel_beside_the_real_ones_is_in_nobodys_way(environment: Environment, wheel: Path) -> None:
    """An installer of wheels runs no code, so nothing can refuse: the real modules win, and the command says what is wrong."""
    give_real_ones(environment)
    before = environment.files()
    environment.pip("install", str(wheel))
    assert environment.evaluate("import dvc, dvclive; print(dvc.WHO, dvclive.WHO)") == "the real dvc the real dvclive"
    said = environment.run(str(environment.bin / "dvc"), "status", code=1).stderr
    assert "the real DVC is installed beside it" in said and "pip uninstall offbranch-dvc" in said
    assert "the real one" in environment.run(str(environment.python), "-m", "offbranch_dvc", code=1).stdout
    environment.pip("uninstall", "-y", "offbranch-dvc")
    assert environment.files() == before


def test_real_ones_that_come_later_win_and_lose_nothing(environment: Environment, wheel: Path) -> None:
    environment.pip("install", str(wheel))
    give_real_ones(environment)
    assert environment.evaluate("import dvc, dvclive; print(dvc.WHO, dvclive.WHO)") == "the real dvc the real dvclive"
    environment.pip("uninstall", "-y", "offbranch-dvc")
    assert environment.evaluate("import dvc, dvclive; print(dvc.WHO, dvclive.WHO)") == "the real dvc the real dvclive"


@pytest.mark.interop
def test_beside_the_real_dvc_and_dvclive(environment: Environment, wheel: Path) -> None:
    command = os.environ.get("OFFBRANCH_TEST_DVC")
    if not command:
        pytest.skip("needs DVC 3.67.1, named by OFFBRANCH_TEST_DVC")
    theirs = next(Path(command).parent.parent.glob("lib/python*/site-packages"))
    for name in ("dvc", "dvclive"):
        for source in (theirs / name, *theirs.glob(f"{name}-*.dist-info")):
            shutil.copytree(source, environment.packages / source.name)
    with (environment.packages / "offbranch.pth").open("a") as paths:
        paths.write(f"{theirs}\n")
    assert "is not installed beside" in environment.pip("install", str(PACKAGE), code=1).stderr
    environment.pip("install", str(wheel))
    code = "import dvc.api, dvclive; print(dvc.__path__[0], dvclive.Live.__module__)"
    assert environment.evaluate(code) == f"{environment.packages / 'dvc'} dvclive.live"
    assert environment.run(str(environment.bin / "dvc"), "--version", code=1).stderr.startswith("error: ")
    environment.pip("uninstall", "-y", "offbranch-dvc")
    assert environment.evaluate(code) == f"{environment.packages / 'dvc'} dvclive.live"
