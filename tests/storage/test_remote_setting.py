"""What the configuration says of data remotes."""

from pathlib import Path

import pytest

from offbranch.base.config import Config, merge_configs, parse_config
from offbranch.base.errors import BadInputError, NotFoundError, UsageError
from offbranch.base.paths import AbsPath
from offbranch.storage.connections import Connections, jobs_of
from offbranch.storage.remote_setting import remote_names, resolve_remote, resolve_url, shown_url

ROOT = AbsPath("/p")
TEXT = """\
[core]
    remote = Store
['remote "store"']
    url = ../store
    jobs = 3
['remote "cloud"']
    url = s3://bucket/prefix/
    endpointurl = http://localhost
['remote "inner"']
    url = remote://cloud/a/b
    region = here
['remote "deep"']
    url = remote://inner/c
['remote "ring"']
    url = remote://ring2
['remote "ring2"']
    url = remote://ring
['remote "bare"']
    region = x
['remote "file"']
    url = file:///data/store
"""


def config(text: str = TEXT, *, user: str = "") -> Config:
    return merge_configs([parse_config(user, origin="/home/u/config"), parse_config(text, origin=".dvc/config")])


def test_a_path_counts_from_the_file_that_has_it() -> None:
    found = resolve_remote(config(), None, root=ROOT)
    assert (found.name, found.scheme, found.url, found.options) == ("store", "local", "/p/store", {"jobs": "3"})
    assert found.base == "/p/.dvc"
    assert resolve_remote(config("", user="['remote \"u\"']\n    url = ../x"), "U", root=ROOT).url == "/home/x"
    assert resolve_remote(config(), "file", root=ROOT).url == "/data/store"


def test_a_remote_below_another_has_its_options() -> None:
    found = resolve_remote(config(), "deep", root=ROOT)
    assert (found.scheme, found.url) == ("s3", "s3://bucket/prefix/a/b/c")
    assert found.options == {"endpointurl": "http://localhost", "region": "here"}


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(UsageError, match="no default"):
        resolve_remote(config(""), None, root=ROOT)
    with pytest.raises(NotFoundError, match="'stor'") as caught:
        resolve_remote(config(), "stor", root=ROOT)
    assert caught.value.hint == "did you mean 'store'?"
    with pytest.raises(BadInputError, match="refers to itself"):
        resolve_remote(config(), "ring", root=ROOT)
    with pytest.raises(UsageError, match="has no url"):
        resolve_remote(config(), "bare", root=ROOT)


def test_a_url_takes_the_options_of_a_remote_that_holds_it(tmp_path: Path) -> None:
    here = AbsPath(str(tmp_path))
    inside = resolve_url(config(), "s3://bucket/prefix/x", root=ROOT, base=here)
    assert (inside.url, inside.options) == ("s3://bucket/prefix/x", {"endpointurl": "http://localhost"})
    assert resolve_url(config(), "s3://bucket/prefixed", root=ROOT, base=here).options == {}
    assert resolve_url(config(), "remote://cloud/x", root=ROOT, base=here).url == "s3://bucket/prefix/x"
    assert resolve_url(config(), "x/../y", root=ROOT, base=here).url == str(tmp_path / "y")
    assert resolve_url(config(), "https://h/x", root=ROOT, base=here).scheme == "https"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:secret@h/p?sig=secret", "https://u@h/p"),
        ("ssh://u@h:22/p", "ssh://u@h:22/p"),
        ("s3://b/k", "s3://b/k"),
        ("/a:b@c", "/a:b@c"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_names_come_in_the_order_of_the_file() -> None:
    assert remote_names(config()) == ("store", "cloud", "inner", "deep", "ring", "ring2", "bare", "file")


def test_the_configured_number_of_transfers_counts_unless_another_is_asked_for() -> None:
    store, cloud = (resolve_remote(config(), name, root=ROOT) for name in ("store", "cloud"))
    assert (jobs_of(store, None), jobs_of(store, 8), jobs_of(cloud, None)) == (3, 8, None)
    with pytest.raises(BadInputError, match=r"remote\.x\.jobs"):
        jobs_of(resolve_remote(config("['remote \"x\"']\nurl = y\njobs = many\n"), "x", root=ROOT), None)


def test_a_remote_is_opened_once(tmp_path: Path) -> None:
    setting = resolve_url(config(""), str(tmp_path), root=ROOT, base=ROOT)
    with Connections() as connections:
        assert connections.files(setting) is connections.files(setting)
