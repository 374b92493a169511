"""What an error of obstore means: its texts are long and hold urls (with signatures), so nothing of them is shown as it is.

obstore has few exception classes; status, error code of the server and cause of a broken connection are only in the text
(obstore 0.12, object_store 0.14).
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from offbranch.base.errors import RemoteError
from offbranch.base.records import record
from offbranch.storage.remote_options import scrub

# Makes a store of obstore; it may look for credentials, so it is called when the first request needs one.
MakeStore = Callable[[], Any]

_STATUS = re.compile(r"\bstatus(?: code)?: (\d{3})\b")
_CODE = re.compile(r"<Code>([\w.]{1,60})</Code>|\"(?:code|reason)\":\s*\"([\w.]{1,60})\"")
_SAID = re.compile(r"<Message>([^<]{1,300})", re.DOTALL)
_CAUSE = re.compile(r"\bmessage: \"([^\"]{1,120})\"|error: \"([^\"]{1,120})\"|invalid peer certificate: (\w+)")
_KIND = re.compile(r"\bkind: (Connect|Timeout|Interrupted|Request|Decode|Body)\b")
_BUSY = frozenset(
    ("SlowDown", "RequestTimeout", "InternalError", "ServerBusy", "OperationTimedOut", "ServiceUnavailable")
)
_PERMANENT_CAUSES = ("certificate", "Name or service not known", "nodename nor servname", "No address associated")
_NO_PLACE = frozenset(("NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted"))
_NO_ENTRY = frozenset(
    (
        "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AuthenticationFailed",
        "AccessDenied", "AuthorizationFailure", "NoAuthenticationInformation", "AuthorizationPermissionMismatch",
    )
)  # fmt: skip
_OTHER_REGION = re.compile(
    r"redirect without LOCATION|AuthorizationHeaderMalformed|PermanentRedirect|IllegalLocationConstraint"
)


@record
class Place:
    """Where in an object store, and what to say when it fails.

    Attributes:
        bucket: Bucket or container.
        prefix: Key of the url itself, without slashes around it; empty for the whole bucket.
        noun: `bucket` or `container`.
        credentials: Hint: how to give credentials.
        endpoint: Hint: the option that says where the service is.
        elsewhere: Returns another maker of stores when the bucket turns out to be in another region, None if unknown.
    """

    bucket: str
    prefix: str
    noun: str
    credentials: str
    endpoint: str
    elsewhere: Callable[[], MakeStore | None] | None = None


class PlaceMissingError(RemoteError):
    """The bucket does not exist."""


@record
class Failure:
    """What went wrong.

    Attributes:
        reason: In a few words; free of urls, not yet of secrets that a server repeats.
        status: Of the answer; None if there was none.
        is_transient: It may work when tried again.
        is_place_missing: The bucket or container does not exist.
        is_refused: The credentials are missing, wrong, or not enough.
        is_unreachable: No connection came about.
        is_other_region: The bucket is in another region than was asked.
    """

    reason: str
    status: int | None
    is_transient: bool
    is_place_missing: bool = False
    is_refused: bool = False
    is_unreachable: bool = False
    is_other_region: bool = False


def explain(text: str, kind: str = "") -> Failure:
    """Returns what the text of an error of obstore means.

    Args:
        text: Of the exception.
        kind: Name of its class.
    """
    status = int(found[1]) if (found := _STATUS.search(text)) else None
    code = next(filter(None, found.groups()), "") if (found := _CODE.search(text)) else ""
    if status is not None:
        return _answered(status, code, text)
    if _OTHER_REGION.search(text):
        return Failure(reason="it is in another region", status=None, is_transient=False, is_other_region=True)
    if kind in ("PermissionDeniedError", "UnauthenticatedError"):
        return Failure(reason="access denied", status=None, is_transient=False, is_refused=True)
    return _broken(text)


def to_error(failure: Failure | None, place: Place, label: str, secrets: Iterable[str]) -> RemoteError:
    """Returns the error to raise; None is a 404 where only the bucket can be missing."""
    if failure is None or failure.is_place_missing:
        return PlaceMissingError(
            f"{label}: there is no {place.noun} '{place.bucket}'",
            hint=f"make the {place.noun}, or correct the url or {place.endpoint} of the remote",
        )
    hint = None
    if failure.is_refused:
        hint = place.credentials
    elif failure.is_other_region and place.elsewhere is not None:
        hint = "set region"
    elif failure.is_unreachable:
        hint = f"check the network, and {place.endpoint} of the remote"
    return RemoteError(
        f"{label} failed: {scrub(failure.reason, secrets)}", hint=hint, is_transient=failure.is_transient
    )


def _answered(status: int, code: str, text: str) -> Failure:
    said = found[1].strip() if (found := _SAID.search(text)) else ""
    reason = f"the server answered {status}{f' {code}' if code else ''}{f': {_one_line(said)}' if said else ''}"
    return Failure(
        reason=reason,
        status=status,
        is_transient=(status >= 500 and status != 501) or status in (408, 425, 429) or code in _BUSY,
        is_place_missing=code in _NO_PLACE,
        is_refused=status in (401, 403, 407) or code in _NO_ENTRY,
        # A 400 to HEAD has no body to say why.
        is_other_region=bool(_OTHER_REGION.search(text)) or (status == 400 and not code),
    )


def _broken(text: str) -> Failure:
    kind = found[1] if (found := _KIND.search(text)) else ""
    causes = [next(filter(None, groups), "") for groups in _CAUSE.findall(text)]
    if "timed out" in text or "TimedOut" in text or kind == "Timeout":
        return Failure(reason="it timed out", status=None, is_transient=True, is_unreachable=kind == "Connect")
    cause = causes[-1] if causes else ""
    permanent = any(part in text for part in _PERMANENT_CAUSES)
    if kind:
        reason = "the certificate of the server is not trusted" if "certificate" in text else _one_line(cause)
        return Failure(
            reason=reason or "the connection broke",
            status=None,
            is_transient=not permanent,
            is_unreachable=kind in ("Connect", "Request"),
        )
    first = text.partition("\n")[0]
    return Failure(reason=_one_line(re.sub(r"\S+://\S+", "…", first)), status=None, is_transient=False)


def _one_line(text: str) -> str:
    text = " ".join(text.split()).rstrip(". ")
    return text[:1].lower() + text[1:200]
