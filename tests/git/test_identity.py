"""Whether Git knows who the user is: told by the plain files, or asked of Git."""

from pathlib import Path

import pytest

from git_repos import opened, write
from offbranch.base.records import replace
from offbranch.git.identity import unknown_identity

BOTH = ("user.name", "user.email")
PLAIN = '[core]\n\tbare = false\n[User]\n\tname = "Some One" ; me\n\tEMAIL = me@example.com\n'


@pytest.mark.parametrize("place", [".gitconfig", ".config/git/config", "xdg/git/config"])
def test_plain_settings_need_no_process(
    git_repo: Path, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, place, PLAIN)
    monkeypatch.setenv("PATH", "/nowhere")
    env = {"HOME": str(tmp_path)} | ({"XDG_CONFIG_HOME": f"{tmp_path}/xdg"} if "xdg" in place else {})
    assert unknown_identity(replace(opened(git_repo), env=env)) == ()


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", BOTH),
        ("[user]\nname = A\n", ("user.email",)),
        ("[user]\nname = # A\nemail = ; b\n", BOTH),
        ('[user]\nname = ""\nemail\n', BOTH),
        ('[user "x"]\nname = A\nemail = b\n', BOTH),
        ("[alias]\nx = y\\\n[user]\nname = A\nemail = b\n", BOTH),
        ("[include]\npath = more\n", ()),
        ("[author]\nname = A\nemail = b\n[committer]\nname = A\nemail = b\n", ()),
    ],
)
def test_what_is_not_plain_is_asked_of_git(git_repo: Path, tmp_path: Path, text: str, missing: tuple[str, ...]) -> None:
    home = tmp_path / "home"
    write(home, ".gitconfig", text)
    write(home, "more", "[user]\nname = A\nemail = b\n")
    env = {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
    assert unknown_identity(replace(opened(git_repo), env=env)) == missing


def test_files_that_git_is_told_not_to_read_say_nothing(git_repo: Path, tmp_path: Path) -> None:
    write(tmp_path, ".gitconfig", PLAIN)
    env = {"HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    assert unknown_identity(replace(opened(git_repo), env=env)) == BOTH
