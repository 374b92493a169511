"""Tokens as Google's tools find them: a file, the environment, gcloud's login, workload identity, the metadata server."""

import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

import google.auth
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials

from offbranch.base.errors import RemoteError

_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
_KINDS: Mapping[Any, Callable[..., Any]] = {
    "service_account": service_account.Credentials.from_service_account_info,
    "authorized_user": Credentials.from_authorized_user_info,
}


def find_token_provider(label: str, path: str | None, *, hint: str) -> Callable[[], Mapping[str, Any]]:
    """Returns what gives obstore tokens, fresh ones when they expire; a first one is asked for now.

    Args:
        label: How messages name the remote.
        path: File with the key of a service account, or the login of a user; None for what Google's tools would use.
        hint: The way out when there are none.

    Raises:
        RemoteError: There are none, or they are not accepted.
    """
    try:
        found = _of_file(path) if path else google.auth.default(scopes=_SCOPES)[0]
    except (GoogleAuthError, OSError, ValueError) as error:
        kind = "there are no credentials for it" if isinstance(error, DefaultCredentialsError) else "no credentials"
        raise RemoteError(f"{label} failed: {kind}: {_reason(error)}", hint=hint) from error
    request = Request()
    guard = threading.Lock()

    def provider() -> Mapping[str, Any]:
        with guard:
            try:
                if not found.valid:
                    found.refresh(request)
            except GoogleAuthError as error:
                is_transient = bool(getattr(error, "retryable", False))
                message = f"{label} failed: no token: {_reason(error)}"
                raise RemoteError(message, hint=hint, is_transient=is_transient) from None
            expiry = found.expiry
        return {"token": found.token, "expires_at": expiry.replace(tzinfo=UTC) if expiry else None}

    provider()
    return provider


def _of_file(path: str) -> Any:
    """Returns the credentials of a file. A config file may be a stranger's, so only kinds that ask Google are taken."""
    with open(path, "rb") as file:
        values = json.load(file)
    kind = values.get("type") if isinstance(values, dict) else None
    make = _KINDS.get(kind)
    if make is None:
        raise ValueError(f"'{path}' is of the kind '{kind}', not {' or '.join(_KINDS)}")
    return make(values, scopes=_SCOPES)


def _reason(error: Exception) -> str:
    """Returns the first sentence of an error: what follows may be an answer of a server, in full."""
    text = " ".join(str(error.args[0] if error.args else error).split()).partition(". ")[0].rstrip(".")
    return text[:1].lower() + text[1:200]
