"""Google Cloud Storage: the options of DVC for `gs://bucket/prefix`, as a store of obstore.

Requests carry a token of `credentialpath`, else of what Google's tools would use (`storage/remote_gs_credentials.py`).
"""

from typing import Any

from obstore.store import GCSStore

from offbranch.base.environ import cloud_variable
from offbranch.base.errors import RemoteError
from offbranch.base.plugins import load
from offbranch.storage.remote_files import RemoteFiles
from offbranch.storage.remote_obstore import ObjectStoreFiles
from offbranch.storage.remote_obstore_client import NO_RETRIES, client_options
from offbranch.storage.remote_obstore_errors import Place
from offbranch.storage.remote_options import check_options, get_path, option_error
from offbranch.storage.remote_setting import RemoteSetting

OPTIONS = frozenset(
    (
        "credentialpath", "endpointurl", "allow_anonymous_login",
        # Only who makes or lists buckets must name a project.
        "projectname",
    )
)  # fmt: skip
CREDENTIALS_HINT = (
    "check credentialpath of the remote, GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login"
)


def open_gs(setting: RemoteSetting) -> RemoteFiles:
    """Opens a place in a bucket.

    Raises:
        BadInputError: An option makes no sense.
    """
    check_options(setting, OPTIONS, {})
    bucket, _, prefix = setting.url.partition("://")[2].partition("/")
    if not bucket:
        raise RemoteError(f"{setting.label} names no bucket", hint="its url is gs://BUCKET or gs://BUCKET/PREFIX")
    is_anonymous = setting.get_bool("allow_anonymous_login")
    endpoint = setting.options.get("endpointurl")
    if endpoint and "://" not in endpoint:
        raise option_error(setting, "endpointurl", "expected a url such as https://storage.example.com")
    if not endpoint and (emulator := cloud_variable("STORAGE_EMULATOR_HOST")):
        # Google's tools do not sign in to an emulator.
        endpoint = emulator if "://" in emulator else f"http://{emulator}"
        is_anonymous = is_anonymous or not setting.options.get("credentialpath")
    client = client_options(setting)
    config: dict[str, Any] = {}
    if endpoint:
        config["base_url"] = endpoint.rstrip("/")
        client["allow_http"] = endpoint.startswith("http://")

    def make() -> Any:
        if is_anonymous:
            config["skip_signature"] = True
            provider = _nobody
        else:
            find: Any = load("offbranch.storage.remote_gs_credentials:find_token_provider", extra="gs")
            provider = find(setting.label, get_path(setting, "credentialpath"), hint=CREDENTIALS_HINT)
        return GCSStore(
            bucket, config=config, client_options=client, retry_config=NO_RETRIES, credential_provider=provider
        )

    place = Place(
        bucket=bucket, prefix=prefix.strip("/"), noun="bucket", credentials=CREDENTIALS_HINT, endpoint="endpointurl"
    )
    return ObjectStoreFiles(setting, place, make)


def _nobody() -> dict[str, Any]:
    """Returns a token that is none: obstore 0.12 would ask the metadata server for one before it writes."""
    return {"token": "anonymous", "expires_at": None}
