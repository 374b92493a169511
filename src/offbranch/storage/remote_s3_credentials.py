"""Credentials as the AWS tools find them: profiles, ~/.aws, SSO, web identity, containers, instance metadata; by botocore.

Loaded only when neither the remote nor the environment has a key.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError
from botocore.session import Session

from offbranch.base.errors import RemoteError
from offbranch.base.records import record

# botocore refreshes temporary keys well before they end; obstore asks again after this.
_ASK_AGAIN = timedelta(minutes=5)


@record
class FoundCredentials:
    """Credentials, and what else the profile says.

    Attributes:
        provider: Returns credentials as obstore wants them, fresh ones when they expire.
        config: `region`, `endpoint_url` and `addressing_style`, where the profile has them.
    """

    provider: Callable[[], Mapping[str, Any]]
    config: Mapping[str, str]


def find_credentials(
    label: str, profile: str | None, *, credentials_file: str | None, config_file: str | None, hint: str
) -> FoundCredentials:
    """Returns credentials of the AWS tools. May ask a metadata service or an identity provider.

    Args:
        label: How messages name the remote.
        profile: Of ~/.aws; None for the one of the environment, or the default.
        credentials_file: Instead of ~/.aws/credentials.
        config_file: Instead of ~/.aws/config.
        hint: The way out when there are none.

    Raises:
        RemoteError: There are none, or they cannot be had.
    """
    session = Session(profile=profile)
    if credentials_file:
        session.set_config_variable("credentials_file", credentials_file)
    if config_file:
        session.set_config_variable("config_file", config_file)
    try:
        scoped = session.get_scoped_config()
        found = session.get_credentials()
        region = session.get_config_variable("region")
    except BotoCoreError as error:
        raise RemoteError(f"{label} failed: no credentials: {_reason(error)}", hint=hint) from error
    if found is None:
        raise RemoteError(f"{label} failed: there are no credentials for it", hint=hint)
    config = {"region": region, "endpoint_url": _endpoint(session, scoped), "addressing_style": _addressing(scoped)}
    guard = threading.Lock()

    def provider() -> Mapping[str, Any]:
        with guard:
            try:
                frozen = found.get_frozen_credentials()
            except BotoCoreError as error:
                raise RemoteError(f"no credentials: {_reason(error)}", hint=hint) from error
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _ASK_AGAIN,
        }

    return FoundCredentials(provider=provider, config={name: str(value) for name, value in config.items() if value})


def _endpoint(session: Any, scoped: Mapping[str, Any]) -> str | None:
    services = session.full_config.get("services", {}).get(scoped.get("services", ""), {})
    own = services.get("s3", {}).get("endpoint_url")
    return own or scoped.get("endpoint_url")


def _addressing(scoped: Mapping[str, Any]) -> str | None:
    options = scoped.get("s3")
    return options.get("addressing_style") if isinstance(options, dict) else None


def _reason(error: BotoCoreError) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text[:1].lower() + text[1:300]
