import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offbranch.base.errors import BadInputError
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.base.plugins import load
from offbranch.storage.ignore import PATTERN_MATCHER, IgnoreRules, load_ignore_rules


def rules(root: Path, files: dict[str, str] | None = None) -> IgnoreRules:
    for name, text in (files or {}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return load_ignore_rules(AbsPath(str(root)))


def ignored(found: IgnoreRules, *paths: str) -> set[str]:
    """Returns the ignored ones; a path that ends with a slash is a directory."""
    return {path for path in paths if found.ignores(RepoPath(path.rstrip("/")), path.endswith("/"))}


def test_without_patterns_only_internal_directories_are_ignored(tmp_path: Path) -> None:
    found = rules(tmp_path, {".dvcignore": "# nothing\n\n", "a/f": ""})
    paths = [".dvc/", ".dvc/tmp/", ".dvc/config", ".git/", ".git/HEAD", "a/.hg/x"]
    assert ignored(found, "a/", "a/f", "b.dvc", "a/.git", "", *paths) == set(paths)
    assert not found.has_patterns(RepoPath("a"))


def test_without_patterns_the_matcher_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / ".dvcignore").write_text("# only a comment\n")
    code = (
        "import sys; from offbranch.storage.ignore import load_ignore_rules as r;"
        f"r({str(tmp_path)!r}).ignores('a/b', False); sys.exit('pathspec' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode
        == 0
    )


def test_the_table_entry_exists() -> None:
    assert load(PATTERN_MATCHER)


def test_a_directory_that_is_a_project_is_ignored_but_not_the_root(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "lib/sub/.dvc").mkdir(parents=True)
    found = rules(tmp_path)
    assert ignored(found, "lib/", "lib/f", "lib/sub/", "lib/sub/f", "lib/sub/d/f") == {
        "lib/sub/",
        "lib/sub/f",
        "lib/sub/d/f",
    }


def test_deeper_files_win_and_only_count_below_themselves(tmp_path: Path) -> None:
    found = rules(tmp_path, {".dvcignore": "*.log\n/top\n", "a/.dvcignore": "!keep.log\n/only\n"})
    assert ignored(found, "x.log", "keep.log", "a/x.log", "a/keep.log", "a/b/keep.log") == {
        "x.log",
        "keep.log",
        "a/x.log",
    }
    assert ignored(found, "top", "a/top", "a/only", "only", "a/b/only") == {"top", "a/only"}


def test_nothing_is_kept_below_an_ignored_directory(tmp_path: Path) -> None:
    found = rules(tmp_path, {".dvcignore": "out/\n!out/keep\n"})
    assert ignored(found, "out/", "out/keep", "out") == {"out/", "out/keep"}


def test_unfinished_files_of_ours_are_ignored(tmp_path: Path) -> None:
    assert ignored(rules(tmp_path), "a/.ob-tmp-12-ab", "a/ob-tmp") == {"a/.ob-tmp-12-ab"}


def test_a_pattern_that_is_none_is_named(tmp_path: Path) -> None:
    found = rules(tmp_path, {"a/.dvcignore": "!\n"})
    with pytest.raises(BadInputError, match=r"a/\.dvcignore"):
        found.ignores(RepoPath("a/f"), False)


NAMES = st.sampled_from(["a", "b", "ab", "a.b"])
SEGMENT = st.sampled_from(["a", "b", "ab", "a.b", "*", "**", "?", "a*", "*.b", "[ab]", "[!a]"])
PATTERN = st.builds(
    lambda bang, lead, parts, trail: bang + lead + "/".join(parts) + trail,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(SEGMENT, min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
)
FILES = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), min_size=1, max_size=6, unique=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(top=st.lists(PATTERN, max_size=4), inner=st.lists(PATTERN, max_size=3), paths=FILES)
def test_git_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, top: list[str], inner: list[str], paths: list[str]
) -> None:
    root = tmp_path_factory.mktemp("w")
    files = [p for p in paths if not any(q.startswith(p + "/") for q in paths)]
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    sources = {"": top, "a/": inner} if (root / "a").is_dir() else {"": top}
    for prefix, lines in sources.items():
        for name in (".dvcignore", ".gitignore"):
            (root / f"{prefix}{name}").write_text("\n".join(lines) + "\n")
    subprocess.run(["git", "init", "-q", "."], cwd=root, check=True)
    answer = subprocess.run(
        ["git", "ls-files", "-o", "-i", "--exclude-per-directory=.gitignore"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    expected = set(answer.stdout.split()) & set(files)
    assert ignored(rules(root), *files) == expected
