"""What requirement and lock files ask for, as tables."""

from pathlib import Path

import pytest

from offbranch.base.files import DirectoryReader
from offbranch.base.paths import AbsPath
from offbranch.experiments.requirements import requirements_of

UV = """\
version = 1
[[package]]
name = "NumPy"
version = "1.26.0"
[[package]]
name = "torch"
version = "2.1"
[[package]]
name = "torch"
version = "2.2"
"""
CONDA = """\
dependencies:
- python=3.11
- numpy>=1.2
- conda-forge::Scikit_Learn=1.4=py311
- pip:
  - requests==2.0
"""
PIP = """\
# comment
-r base.txt
--hash=sha256:00
Foo_Bar[extra] >= 1.0, <2 ; python_version > "3" # why
numpy==1.26 \\
    --hash=sha256:abc
bare
https://example.com/x.whl
"""


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("uv.lock", UV, {"numpy": "1.26.0", "torch": "2.1, 2.2"}),
        (
            "environment.yml",
            CONDA,
            {"python": "=3.11", "numpy": ">=1.2", "conda-forge::scikit-learn": "=1.4=py311", "requests": "==2.0"},
        ),
        (
            "requirements-dev.txt",
            PIP,
            {
                "-r base.txt": "yes",
                "foo-bar[extra]": '>= 1.0, <2 ; python_version > "3"',
                "numpy": "==1.26",
                "bare": "any",
                "https://example.com/x.whl": "yes",
            },
        ),
        (".python-version", "3.12\n", {"python": "3.12"}),
        ("requirements/train.txt", "a==1\n", {"a": "==1"}),
        ("pyproject.toml", "[project]\n", {"content": ""}),
        ("uv.lock", "not = [toml", {"content": ""}),
        ("environment.yml", "- a list\n", {"content": ""}),
        ("requirements.txt", "", {"content": ""}),
    ],
)
def test_what_a_file_asks_for(tmp_path: Path, name: str, text: str, wanted: dict[str, str]) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    found = requirements_of(DirectoryReader(AbsPath(str(tmp_path))))
    assert found.keys() == {name}
    if "content" in wanted:
        assert found[name].keys() == {"content"}
        assert len(found[name]["content"]) == 10
    else:
        assert found[name] == wanted


def test_other_files_ask_for_nothing(tmp_path: Path) -> None:
    for name in ("train.py", "notes.txt", "requirements/readme.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("numpy\n")
    (tmp_path / "uv.lock").mkdir()
    assert requirements_of(DirectoryReader(AbsPath(str(tmp_path)))) == {}
