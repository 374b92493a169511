"""Tokens as Azure's tools find them: service principal, workload and managed identity, the login of `az` and others."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import AzureError
from azure.identity import ClientSecretCredential, DefaultAzureCredential

from offbranch.base.errors import RemoteError

_SCOPE = "https://storage.azure.com/.default"


def find_token_provider(
    label: str, *, principal: Mapping[str, str], excluded: Mapping[str, bool], hint: str
) -> Callable[[], Mapping[str, Any]]:
    """Returns what gives obstore tokens, fresh ones when they expire; a first one is asked for now.

    Args:
        label: How messages name the remote.
        principal: `tenant_id`, `client_id` and `client_secret`; without a secret the id is that of a managed identity.
        excluded: Sources that are not to be tried, as arguments of `DefaultAzureCredential`.
        hint: The way out when there are none.

    Raises:
        RemoteError: There are none, or they are not accepted.
    """

    def refused(error: Exception) -> RemoteError:
        said = " ".join(str(error).partition("\n")[0].split()).rstrip(".")
        message = f"{label} failed: there are no credentials for it: {said[:1].lower()}{said[1:200]}"
        return RemoteError(message, hint=hint)

    credential: Any
    try:
        if "client_secret" in principal:
            credential = ClientSecretCredential(**principal)
        else:
            credential = DefaultAzureCredential(managed_identity_client_id=principal.get("client_id"), **excluded)
    except ValueError as error:
        raise refused(error) from error

    def provider() -> Mapping[str, Any]:
        try:
            token = credential.get_token(_SCOPE)
        except (AzureError, ValueError) as error:
            raise refused(error) from None
        return {"token": token.token, "expires_at": datetime.fromtimestamp(token.expires_on, UTC)}

    provider()
    return provider
