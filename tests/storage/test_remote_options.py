"""Options of data remotes: each that a config file may have is read or refused by who opens the remote."""

import os
from pathlib import Path

import pytest

from offbranch.base.config_schema import SCHEMES
from offbranch.base.errors import BadInputError, RemoteError
from offbranch.base.plugins import load
from offbranch.storage import remote_s3
from offbranch.storage.remote_options import (
    COMMON,
    ask_at_terminal,
    get_path,
    get_trust,
    scrub,
    secrets_of,
    with_answers,
)
from offbranch.storage.remote_setting import RemoteSetting

MODULES = {"s3": "s3", "gs": "gs", "azure": "azure", "ssh": "ssh_connection", "http": "http", "https": "http"}


def setting(url: str = "ssh://h/x", **options: str) -> RemoteSetting:
    return RemoteSetting(name="store", scheme=url.partition("://")[0], url=url, options=options)


@pytest.mark.parametrize("scheme", MODULES)
def test_every_option_of_a_config_file_is_read_or_refused(scheme: str) -> None:
    options = {*load(f"offbranch.storage.remote_{MODULES[scheme]}:OPTIONS"), *COMMON, "url"}
    assert SCHEMES[scheme] == options | (remote_s3.REFUSED.keys() if scheme == "s3" else set())


def test_what_is_asked_for_becomes_an_option() -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return f"answer {len(asked)}"

    found = with_answers(setting(ask_password="true", ask_passphrase="yes"), ask)
    assert (found.options["password"], found.options["passphrase"]) == ("answer 1", "answer 2")
    assert asked == ["Password for data remote 'store': ", "Passphrase for data remote 'store': "]
    assert with_answers(found, ask) is found
    assert with_answers(setting(ask_password="false"), ask).options == {"ask_password": "false"}
    assert with_answers(setting("s3://b/x", ask_password="true"), ask).options == {"ask_password": "true"}
    assert len(asked) == 2


def test_nobody_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda descriptor: False)
    with pytest.raises(RemoteError, match="no terminal to ask at: Password for x"):
        ask_at_terminal("Password for x: ")


def test_a_relative_path_counts_from_its_config_file(tmp_path: Path, pinned_environment: Path) -> None:
    made = RemoteSetting(
        name="store",
        scheme="ssh",
        url="ssh://h/x",
        options={"keyfile": "../key", "other": "~/key", "empty": ""},
        base=str(tmp_path / ".dvc"),
    )
    assert get_path(made, "keyfile") == str(tmp_path / "key")
    assert get_path(made, "other") == str(pinned_environment / "key")
    assert get_path(made, "empty") is None


def test_what_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    assert get_trust(setting()) is True
    assert get_trust(setting(ssl_verify="True")) is True
    assert get_trust(setting(ssl_verify="no")) is False
    assert get_trust(setting(ssl_verify=str(tmp_path / "ca.pem"))) == str(tmp_path / "ca.pem")
    with pytest.raises(BadInputError, match=r"remote\.store\.ssl_verify: expected true, false or a file"):
        get_trust(setting(ssl_verify="gone.pem"))


def test_secrets_are_taken_out() -> None:
    made = setting("ssh://ann:p%40ss-word@h/x", password="hunter22", user="ann")
    secrets = secrets_of(made)
    assert scrub("ann said hunter22, p%40ss-word or p@ss-word", secrets) == "ann said ***, *** or ***"
