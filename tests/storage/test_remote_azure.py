"""Azure as data remote, against Azurite."""

import base64
import hmac
import urllib.parse
from pathlib import Path

import pytest

from contracts.remote_files import RemoteFilesContract, keys
from offbranch.base.errors import BadInputError, RemoteError
from offbranch.storage.remote_azure import credential_arguments, read_account
from offbranch.storage.remote_files import RemoteFiles, open_files
from offbranch.storage.remote_setting import RemoteSetting
from servers import AzureServer

KEY = base64.b64encode(b"key of nobody at all").decode()


def setting(url: str = "azure://c/x", **options: str) -> RemoteSetting:
    return RemoteSetting(name="store", scheme="azure", url=url, options=options)


def opened(server: AzureServer, url: str = "", **options: str) -> RemoteFiles:
    url = url or f"azure://{server.container()}/some/where"
    return open_files(setting(url, **{**server.options, **options}))


class TestAzureFiles(RemoteFilesContract):
    @pytest.fixture(autouse=True)
    def server(self, azure: AzureServer) -> None:
        self.azure = azure

    def make(self, tmp_path: Path) -> RemoteFiles:
        return opened(self.azure)


def test_a_container_that_is_not_there_is_said(azure: AzureServer) -> None:
    for call in (lambda files: files.find("a"), lambda files: files.write("a", b"x"), lambda files: files.read("a")):
        with pytest.raises(RemoteError, match="there is no container 'no-such-container'") as caught:
            call(opened(azure, "azure://no-such-container/x"))
        assert not caught.value.is_transient


def endpoint(azure: AzureServer) -> str:
    return f"BlobEndpoint={azure.address}/{AzureServer.ACCOUNT}"


def test_a_key_may_be_an_option(azure: AzureServer) -> None:
    files = opened(
        azure, connection_string=endpoint(azure), account_name=AzureServer.ACCOUNT, account_key=AzureServer.KEY
    )
    files.write("a", b"x")
    assert keys(files, "") == ["a"]


def test_a_connection_string_may_be_in_the_environment(azure: AzureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azure.options["connection_string"])
    files = open_files(setting(f"azure://{azure.container()}"))
    files.write("a", b"x")
    assert keys(files, "") == ["a"]


def shared_access(permissions: str) -> str:
    values = {"sv": "2021-06-08", "ss": "b", "srt": "sco", "sp": permissions, "se": "2100-01-01T00:00:00Z"}
    lines = (AzureServer.ACCOUNT, permissions, "b", "sco", "", values["se"], "", "", values["sv"], "", "")
    text = "\n".join(lines)
    made = hmac.new(base64.b64decode(AzureServer.KEY), text.encode(), "sha256").digest()
    return urllib.parse.urlencode({**values, "sig": base64.b64encode(made).decode()})


def test_a_shared_access_signature_is_used_and_never_shown(azure: AzureServer) -> None:
    container = azure.container()
    options = {"connection_string": endpoint(azure), "account_name": AzureServer.ACCOUNT}
    files = open_files(setting(f"azure://{container}", sas_token=f"?{shared_access('rwdlac')}", **options))
    files.write("a", b"x")
    assert files.read("a") == b"x"
    only_read = shared_access("rl")
    files = open_files(setting(f"azure://{container}", sas_token=only_read, **options))
    assert files.read("a") == b"x"
    with pytest.raises(RemoteError, match="the server answered 403") as caught:
        files.write("b", b"x")
    signature = urllib.parse.parse_qs(only_read)["sig"][0]
    assert signature not in str(caught.value)
    assert urllib.parse.quote(signature, safe="") not in str(caught.value)
    assert "sas_token" in str(caught.value.hint)


def test_a_wrong_key_is_refused_and_never_shown(azure: AzureServer) -> None:
    text = f"{endpoint(azure)};AccountName={AzureServer.ACCOUNT};AccountKey={KEY}"
    files = opened(azure, connection_string=text)
    for call in (lambda: files.write("a", b"x"), lambda: files.read("a"), lambda: list(files.iter_files(""))):
        with pytest.raises(RemoteError, match="the server answered 403") as caught:
            call()
        assert not caught.value.is_transient
        assert KEY not in f"{caught.value} {caught.value.hint}"
        assert "account_key" in str(caught.value.hint)


def test_anybody_may_read_a_public_container(azure: AzureServer) -> None:
    container = azure.container(public=True)
    opened(azure, f"azure://{container}").write("a", b"x")
    files = open_files(
        setting(
            f"azure://{container}",
            connection_string=endpoint(azure),
            account_name=AzureServer.ACCOUNT,
            allow_anonymous_login="true",
        )
    )
    assert files.read("a") == b"x"
    with pytest.raises(RemoteError):
        files.write("b", b"x")


def test_a_connection_string_is_read() -> None:
    text = "DefaultEndpointsProtocol=https;AccountName=ann;AccountKey=a2V5==;EndpointSuffix=core.example.net"
    found = read_account(setting(connection_string=text))
    assert (found.name, found.endpoint, found.key) == ("ann", "https://ann.blob.core.example.net", "a2V5==")
    found = read_account(setting(connection_string="UseDevelopmentStorage=true"))
    assert (found.name, found.endpoint) == ("devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1")
    found = read_account(
        setting(connection_string="BlobEndpoint=https://bob.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=x")
    )
    assert (found.name, found.endpoint, found.sas) == ("bob", "https://bob.blob.core.windows.net", "sv=1&sig=x")
    assert read_account(setting(account_name="ann")).endpoint == "https://ann.blob.core.windows.net"


def test_what_azures_tools_are_told() -> None:
    found = credential_arguments(setting(exclude_environment_credential="true", client_id="i"))
    assert found == {"principal": {"client_id": "i"}, "excluded": {"exclude_environment_credential": True}}
    principal = {"tenant_id": "t", "client_id": "i", "client_secret": "s"}
    assert credential_arguments(setting(**principal)) == {"principal": principal, "excluded": {}}


def test_a_refused_principal_is_said() -> None:
    principal = {"tenant_id": "not a tenant!", "client_id": "i", "client_secret": "secret-of-ann"}
    files = open_files(setting(account_name="ann", **principal))
    with pytest.raises(RemoteError, match="there are no credentials") as caught:
        files.find("a")
    assert "secret-of-ann" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("azure://c", {}, r"names no storage account"),
        ("azure://", {"account_name": "a"}, r"names no container"),
        ("azure://c", {"account_nam": "a"}, r"remote\.store\.account_nam: azure:// remotes have no such option"),
        ("azure://c", {"connection_string": "nonsense"}, r"connection_string: expected NAME=VALUE"),
        ("azure://c", {"account_name": "a", "client_secret": "s"}, r"tenant_id: client_secret needs tenant_id"),
        ("azure://c", {"account_name": "a", "timeout": "never"}, r"timeout: expected a number"),
    ],
)
def test_options_that_make_no_sense_are_refused(url: str, options: dict[str, str], said: str) -> None:
    with pytest.raises((BadInputError, RemoteError), match=said):
        open_files(setting(url, **options))
