"""Azure Blob Storage: the options of DVC for `azure://container/prefix`, as a store of obstore.

Requests are signed with the first that is there: a key or shared access signature (of the remote, its connection string or
the environment), a service principal, else what Azure's tools would use (`storage/remote_azure_credentials.py`).
"""

from collections.abc import Mapping
from typing import Any

from obstore.store import AzureStore

from offbranch.base.environ import cloud_variable
from offbranch.base.errors import RemoteError
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.storage.remote_files import RemoteFiles
from offbranch.storage.remote_obstore import ObjectStoreFiles
from offbranch.storage.remote_obstore_client import NO_RETRIES, client_options
from offbranch.storage.remote_obstore_errors import Place
from offbranch.storage.remote_options import check_options, option_error
from offbranch.storage.remote_setting import RemoteSetting

_EXCLUDE = "exclude_{}_credential"
_SOURCES = ("environment", "visual_studio_code", "shared_token_cache", "managed_identity")
OPTIONS = frozenset(
    (
        "connection_string", "sas_token", "account_name", "account_key", "tenant_id", "client_id", "client_secret",
        "allow_anonymous_login", "timeout", "read_timeout", "connection_timeout",
        *(_EXCLUDE.format(source) for source in _SOURCES),
    )
)  # fmt: skip
CREDENTIALS_HINT = (
    "check account_key, sas_token or connection_string of the remote (ob remote modify --local NAME …), or az login"
)
_SUFFIX = "core.windows.net"
# The account of every emulator; the key is part of its documentation.
_DEVELOPMENT = (
    "AccountName=devstoreaccount1;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;AccountKey="
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


@record
class AzureAccount:
    """What is known of a storage account.

    Attributes:
        name: Of the account.
        endpoint: Url of its blobs.
        key: Its key, if there is one.
        sas: Its shared access signature, if there is one.
    """

    name: str
    endpoint: str
    key: str | None
    sas: str | None


def open_azure(setting: RemoteSetting) -> RemoteFiles:
    """Opens a place in a container.

    Raises:
        BadInputError: An option makes no sense.
    """
    check_options(setting, OPTIONS, {})
    container, _, prefix = setting.url.partition("://")[2].partition("/")
    if not container:
        hint = "its url is azure://CONTAINER or azure://CONTAINER/PREFIX"
        raise RemoteError(f"{setting.label} names no container", hint=hint)
    account = read_account(setting)
    client = client_options(
        setting,
        connect="connection_timeout",
        read="read_timeout" if "read_timeout" in setting.options else "timeout",
    )
    client["allow_http"] = account.endpoint.startswith("http://")
    arguments = credential_arguments(setting)

    def make() -> Any:
        config: dict[str, Any] = {"account_name": account.name, "endpoint": account.endpoint}
        provider = None
        if not setting.get_bool("allow_anonymous_login"):
            provider = _provider(setting, account, arguments)
        else:
            config["skip_signature"] = True
        return AzureStore(
            container, config=config, client_options=client, retry_config=NO_RETRIES, credential_provider=provider
        )

    place = Place(
        bucket=container,
        prefix=prefix.strip("/"),
        noun="container",
        credentials=CREDENTIALS_HINT,
        endpoint="account_name",
    )
    return ObjectStoreFiles(setting, place, make, extra_secrets=filter(None, (account.key, account.sas)))


def read_account(setting: RemoteSetting) -> AzureAccount:
    """Returns the storage account of a remote: its options win over its connection string, and both over the environment.

    Raises:
        BadInputError: The connection string cannot be read.
        RemoteError: Nothing names an account.
    """
    options = setting.options
    text = options.get("connection_string")
    if not text and not options.get("account_name"):
        text = cloud_variable("AZURE_STORAGE_CONNECTION_STRING")
    values = _parse(setting, text) if text else {}
    name = options.get("account_name") or values.get("accountname") or cloud_variable("AZURE_STORAGE_ACCOUNT")
    endpoint = values.get("blobendpoint")
    if not name and endpoint:
        name = endpoint.partition("://")[2].partition(".")[0]
    if not name:
        raise RemoteError(
            f"{setting.label} names no storage account",
            hint="set account_name or connection_string, or AZURE_STORAGE_ACCOUNT",
        )
    if not endpoint:
        scheme = values.get("defaultendpointsprotocol", "https")
        endpoint = f"{scheme}://{name}.blob.{values.get('endpointsuffix', _SUFFIX)}"
    return AzureAccount(
        name=name,
        endpoint=endpoint.rstrip("/"),
        key=options.get("account_key") or values.get("accountkey") or cloud_variable("AZURE_STORAGE_KEY"),
        sas=options.get("sas_token")
        or values.get("sharedaccesssignature")
        or cloud_variable("AZURE_STORAGE_SAS_TOKEN"),
    )


def credential_arguments(setting: RemoteSetting) -> Mapping[str, Any]:
    """Returns arguments of `find_token_provider`.

    Raises:
        BadInputError: A service principal is incomplete, or an option is no truth value.
    """
    names = ("tenant_id", "client_id", "client_secret")
    principal = {name: setting.options[name] for name in names if setting.options.get(name)}
    if "client_secret" in principal and len(principal) < len(names):
        missing = next(name for name in names if name not in principal)
        raise option_error(setting, missing, "client_secret needs tenant_id and client_id too")
    excluded = {name: True for source in _SOURCES if setting.get_bool(name := _EXCLUDE.format(source))}
    return {"principal": principal, "excluded": excluded}


def _provider(setting: RemoteSetting, account: AzureAccount, arguments: Mapping[str, Any]) -> Any:
    if "client_secret" not in arguments["principal"]:
        if account.key:
            return lambda: {"access_key": account.key, "expires_at": None}
        if account.sas:
            return lambda: {"sas_token": (account.sas or "").lstrip("?"), "expires_at": None}
    find: Any = load("offbranch.storage.remote_azure_credentials:find_token_provider", extra="azure")
    return find(setting.label, hint=CREDENTIALS_HINT, **arguments)


def _parse(setting: RemoteSetting, text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for part in filter(None, text.strip().strip("\"'").split(";")):
        name, mark, value = part.partition("=")
        if not mark:
            raise option_error(setting, "connection_string", "expected NAME=VALUE;NAME=VALUE")
        values[name.strip().lower()] = value.strip()
    if values.get("usedevelopmentstorage", "").lower() == "true":
        return {**_parse(setting, _DEVELOPMENT), **values}
    return values
