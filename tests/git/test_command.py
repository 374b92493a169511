import os
from pathlib import Path

import pytest

from git_repos import run, write
from offbranch.base.errors import GitError
from offbranch.base.paths import AbsPath
from offbranch.git.command import clean_environment, git_version, run_git
from offbranch.git.repository import GitRepo, repo_git


def test_variables_that_point_elsewhere_are_dropped_and_identity_is_kept() -> None:
    env = {"GIT_DIR": "/x", "GIT_INDEX_FILE": "/y", "GIT_PREFIX": "z", "GIT_AUTHOR_NAME": "Ann", "PATH": "/bin"}
    cleaned = clean_environment({**env, "GIT_TERMINAL_PROMPT": "0", "LANGUAGE": "de"})
    assert cleaned == {
        "GIT_AUTHOR_NAME": "Ann",
        "PATH": "/bin",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
    }


def test_every_variable_that_git_calls_local_is_dropped_but_its_configuration(git_repo: Path) -> None:
    local = set(run(git_repo, "rev-parse", "--local-env-vars").split())
    kept = clean_environment(dict.fromkeys(local, "x")).keys() & local
    assert kept == {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}


def test_failure_has_the_reason_of_git_and_a_hint(repo: GitRepo) -> None:
    with pytest.raises(GitError, match=r"^'git rev-parse' failed: Needed a single revision$") as caught:
        repo_git(repo, "rev-parse", "--verify", "nothing")
    assert caught.value.hint == "the command was: git rev-parse --verify nothing"


def test_the_verb_is_found_behind_settings(repo: GitRepo) -> None:
    with pytest.raises(GitError, match=r"^'git read-tree' failed"):
        repo_git(repo, "-c", "core.sparseCheckout=false", "read-tree", "nothing")


def test_allowed_exit_codes_are_no_failure(repo: GitRepo) -> None:
    assert repo_git(repo, "rev-parse", "--verify", "--quiet", "nothing", ok=(0, 1)) == b""


def test_lock_file_left_behind_is_explained(git_repo: Path, repo: GitRepo) -> None:
    write(git_repo, ".git/index.lock", b"")
    with pytest.raises(GitError) as caught:
        repo_git(repo, "add", "README")
    assert "Unable to create" in caught.value.message
    path = git_repo / ".git" / "index.lock"
    assert caught.value.hint == (
        f"another Git command is at work here, or was killed and left this lock; once none is: rm '{path}'"
    )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_repository_of_somebody_else_is_explained(git_repo: Path, repo: GitRepo) -> None:
    for path in (git_repo, git_repo / ".git"):
        os.chown(path, 12345, 12345)
    with pytest.raises(GitError, match="dubious ownership") as caught:
        repo_git(repo, "rev-parse", "HEAD")
    assert caught.value.hint == f"if you trust it: git config --global --add safe.directory '{git_repo}'"


def test_missing_program_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match=r"^cannot run 'git': not found on PATH$"):
        run_git(AbsPath(str(tmp_path)), "--version", env={})


def test_version_is_new_enough(tmp_path: Path) -> None:
    assert git_version(AbsPath(str(tmp_path)), clean_environment(os.environ)) >= (2, 36)


def test_no_hook_runs(git_repo: Path, repo: GitRepo) -> None:
    for name in ("post-index-change", "reference-transaction", "post-checkout"):
        hook = write(git_repo, f".git/hooks/{name}", f"#!/bin/sh\ntouch '{git_repo}/ran'\n")
        hook.chmod(0o755)
    repo_git(repo, "update-ref", "refs/x/y", "HEAD")
    repo_git(repo, "read-tree", "HEAD")
    assert not (git_repo / "ran").exists()
    run(git_repo, "update-ref", "refs/x/z", "HEAD")
    assert (git_repo / "ran").exists()
