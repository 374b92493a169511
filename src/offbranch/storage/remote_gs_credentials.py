"""Tokens as Google's tools find them: a file, the environment, gcloud's login, workload identity, the metadata server."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

import google.auth
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.auth.transport.requests import Request

from offbranch.base.errors import RemoteError

_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)


def find_token_provider(label: str, path: str | None, *, hint: str) -> Callable[[], Mapping[str, Any]]:
    """Returns what gives obstore tokens, fresh ones when they expire; a first one is asked for now.

    Args:
        label: How messages name the remote.
        path: File with credentials of any kind; None for what Google's tools would use.
        hint: The way out when there are none.

    Raises:
        RemoteError: There are none, or they are not accepted.
    """
    try:
        if path:
            found, _ = google.auth.load_credentials_from_file(path, scopes=_SCOPES)
        else:
            found, _ = google.auth.default(scopes=_SCOPES)
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


def _reason(error: Exception) -> str:
    """Returns the first sentence of an error: what follows may be an answer of a server, in full."""
    text = " ".join(str(error.args[0] if error.args else error).split()).partition(". ")[0].rstrip(".")
    return text[:1].lower() + text[1:200]
