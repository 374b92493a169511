"""Amazon S3 and servers like it: the options of DVC for `s3://bucket/prefix`, as a store of obstore.

Requests are signed with: `access_key_id` and `secret_access_key` of the remote; else those of the environment; else what the
AWS tools would use (`storage/remote_s3_credentials.py`). Each upload carries the SHA-256 of its bytes, so a server refuses a
damaged one.
"""

import base64
import http.client
import urllib.parse
from collections.abc import Mapping
from typing import Any

from obstore.store import S3Store

from offbranch.base.environ import cloud_variable
from offbranch.base.errors import RemoteError
from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.storage.remote_files import RemoteFiles
from offbranch.storage.remote_obstore import ObjectStoreFiles
from offbranch.storage.remote_obstore_client import NO_RETRIES, client_options
from offbranch.storage.remote_obstore_errors import MakeStore, Place
from offbranch.storage.remote_options import check_options, get_choice, get_path, host_of, option_error
from offbranch.storage.remote_setting import RemoteSetting

DEFAULT_REGION = "us-east-1"
OPTIONS = frozenset(
    (
        "region", "profile", "credentialpath", "configpath", "endpointurl", "access_key_id", "secret_access_key",
        "session_token", "use_ssl", "allow_anonymous_login", "ssl_verify", "sse", "sse_kms_key_id",
        "sse_customer_algorithm", "sse_customer_key", "read_timeout", "connect_timeout",
        # Nothing to do: the region of a bucket is looked up once for each remote that is opened.
        "cache_regions",
        # Of DVC 1: which of two requests lists.
        "listobjects",
    )
)  # fmt: skip
_NO_ACL = "access control lists cannot be set by ob, and an upload without one would be wrong; give the bucket a policy"
REFUSED = dict.fromkeys(("acl", "grant_read", "grant_read_acp", "grant_write_acp", "grant_full_control"), _NO_ACL)
_ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")
CREDENTIALS_HINT = (
    "check access_key_id and secret_access_key of the remote (ob remote modify --local NAME …), its profile,"
    " or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)


@record
class S3Target:
    """What a remote of S3 says, checked.

    Attributes:
        bucket: Its name.
        region: As configured; None if nothing says.
        endpoint: Url of a service that is not Amazon's; None for Amazon's.
        is_virtual: The bucket is named in the host instead of the path.
        config: Further configuration of the store.
        client: Configuration of its HTTP client.
    """

    bucket: str
    region: str | None
    endpoint: str | None
    is_virtual: bool
    config: Mapping[str, Any]
    client: Mapping[str, Any]


def open_s3(setting: RemoteSetting) -> RemoteFiles:
    """Opens a place in a bucket.

    Raises:
        BadInputError: An option makes no sense or cannot be honoured.
    """
    check_options(setting, OPTIONS, REFUSED)
    bucket, _, prefix = setting.url.partition("://")[2].partition("/")
    if not bucket:
        raise RemoteError(f"{setting.label} names no bucket", hint="its url is s3://BUCKET or s3://BUCKET/PREFIX")
    target = _target(setting, bucket)

    def make(target: S3Target = target) -> Any:
        provider, found = _credentials(setting)
        return _store(_completed(target, found), provider)

    def elsewhere() -> MakeStore | None:
        region = bucket_region(target)
        return (lambda: make(replace(target, region=region))) if region and region != target.region else None

    place = Place(
        bucket=bucket,
        prefix=prefix.strip("/"),
        noun="bucket",
        credentials=CREDENTIALS_HINT,
        endpoint="endpointurl",
        elsewhere=elsewhere,
    )
    return ObjectStoreFiles(setting, place, make)


def _target(setting: RemoteSetting, bucket: str) -> S3Target:
    endpoint = setting.options.get("endpointurl") or None
    is_tls = setting.get_bool("use_ssl", True)
    if endpoint and "://" not in endpoint:
        endpoint = f"{'https' if is_tls else 'http'}://{endpoint}"
    if endpoint is None and not is_tls:
        endpoint = f"http://s3.{setting.options.get('region') or DEFAULT_REGION}.amazonaws.com"
    if endpoint and not host_of(endpoint):
        raise option_error(setting, "endpointurl", "expected a url such as https://storage.example.com:9000")
    return S3Target(
        bucket=bucket,
        region=setting.options.get("region") or cloud_variable("AWS_REGION") or cloud_variable("AWS_DEFAULT_REGION"),
        endpoint=endpoint or cloud_variable("AWS_ENDPOINT_URL_S3") or cloud_variable("AWS_ENDPOINT_URL"),
        # A certificate for *.s3.amazonaws.com does not cover names with a dot.
        is_virtual=False,
        config=_encryption(setting),
        client=client_options(setting),
    )


def _encryption(setting: RemoteSetting) -> dict[str, Any]:
    options = setting.options
    config: dict[str, Any] = {}
    if "sse" in options:
        config["server_side_encryption"] = get_choice(setting, "sse", _ENCRYPTIONS, "")
    if key_id := options.get("sse_kms_key_id"):
        config.setdefault("server_side_encryption", "aws:kms")
        config["sse_kms_key_id"] = key_id
    if customer_key := options.get("sse_customer_key"):
        get_choice(setting, "sse_customer_algorithm", ("AES256",), "AES256")
        if config:
            raise option_error(setting, "sse_customer_key", "it excludes sse and sse_kms_key_id")
        return {"server_side_encryption": "sse-c", "sse_customer_key_base64": _key_text(setting, customer_key)}
    if "sse_customer_algorithm" in options:
        raise option_error(setting, "sse_customer_algorithm", "it needs sse_customer_key")
    return config


def _key_text(setting: RemoteSetting, key: str) -> str:
    """Returns a customer's key in base64: DVC takes 32 characters as they are."""
    if len(key.encode()) == 32:
        return base64.b64encode(key.encode()).decode()
    try:
        if len(base64.b64decode(key, validate=True)) == 32:
            return key
    except ValueError:
        pass
    raise option_error(setting, "sse_customer_key", "expected a key of 32 bytes, as it is or in base64")


def _credentials(setting: RemoteSetting) -> tuple[Any, Mapping[str, str]]:
    """Returns what gives obstore credentials (None: requests are not signed), and what a profile says beside them."""
    options = setting.options
    if setting.get_bool("allow_anonymous_login"):
        return None, {}
    key, secret = options.get("access_key_id"), options.get("secret_access_key")
    if bool(key) != bool(secret):
        missing = "secret_access_key" if key else "access_key_id"
        raise option_error(setting, missing, "access_key_id and secret_access_key go together, and this one is not set")
    token = options.get("session_token")
    if not key and not any(options.get(name) for name in ("profile", "credentialpath")):
        key, secret = cloud_variable("AWS_ACCESS_KEY_ID"), cloud_variable("AWS_SECRET_ACCESS_KEY")
        token = token or cloud_variable("AWS_SESSION_TOKEN")
    if key and secret:
        fixed = {"access_key_id": key, "secret_access_key": secret, "token": token or None, "expires_at": None}
        return (lambda: fixed), {}
    find: Any = load("offbranch.storage.remote_s3_credentials:find_credentials", extra="s3")
    found = find(
        setting.label,
        options.get("profile"),
        credentials_file=get_path(setting, "credentialpath"),
        config_file=get_path(setting, "configpath"),
        hint=CREDENTIALS_HINT,
    )
    return found.provider, found.config


def _completed(target: S3Target, found: Mapping[str, str]) -> S3Target:
    """Returns a target with what a profile says where nothing else does."""
    endpoint = target.endpoint or found.get("endpoint_url")
    is_virtual = found.get("addressing_style") == "virtual" if endpoint else "." not in target.bucket
    return replace(target, region=target.region or found.get("region"), endpoint=endpoint, is_virtual=is_virtual)


def _store(target: S3Target, provider: Any) -> Any:
    config = {
        **target.config,
        "region": target.region or DEFAULT_REGION,
        "virtual_hosted_style_request": target.is_virtual,
    }
    client = dict(target.client)
    if target.endpoint:
        endpoint = target.endpoint.rstrip("/")
        client["allow_http"] = endpoint.startswith("http://")
        if target.is_virtual:
            scheme, _, host = endpoint.partition("://")
            endpoint = f"{scheme}://{target.bucket}.{host}"
        # The variable AWS_ENDPOINT_URL_S3 would win over `endpoint`, which may be an option of the remote.
        config.update(endpoint=endpoint, aws_endpoint_url_s3=endpoint)
    if provider is None:
        config["skip_signature"] = True
    return S3Store(
        target.bucket, config=config, client_options=client, retry_config=NO_RETRIES, credential_provider=provider
    )


def bucket_region(target: S3Target) -> str | None:
    """Asks where a bucket is: any answer about it says so in a header, also a refusal."""
    url = urllib.parse.urlsplit(target.endpoint or f"https://s3.{DEFAULT_REGION}.amazonaws.com")
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=10)
    try:
        connection.request("HEAD", f"/{urllib.parse.quote(target.bucket)}")
        return connection.getresponse().getheader("x-amz-bucket-region")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
