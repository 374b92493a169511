"""What every store of obstore is told of its HTTP client: timeouts, whose certificates it trusts, and never to retry."""

from typing import Any

from offbranch.storage.remote_options import get_timeout, get_trust, option_error
from offbranch.storage.remote_setting import RemoteSetting

NO_RETRIES = {"max_retries": 0}
# Of botocore; obstore has 5 s to connect, and 30 s for a whole answer however big.
_TIMEOUT_S = 60.0
_NO_LIMIT = "30days"


def client_options(
    setting: RemoteSetting, *, connect: str = "connect_timeout", read: str = "read_timeout"
) -> dict[str, Any]:
    """Returns the configuration of the HTTP client.

    Args:
        setting: Of the remote.
        connect: Option with the seconds to wait for a connection.
        read: Option with the seconds to wait for more of an answer.

    Raises:
        BadInputError: An option makes no sense.
    """
    options: dict[str, Any] = {
        "connect_timeout": _milliseconds(get_timeout(setting, connect, _TIMEOUT_S)),
        "read_timeout": _milliseconds(get_timeout(setting, read, _TIMEOUT_S)),
        "timeout": _NO_LIMIT,
    }
    trust = get_trust(setting)
    if trust is False:
        options["allow_invalid_certificates"] = True
    elif isinstance(trust, str):
        try:
            with open(trust, "rb") as file:
                options["root_certificate"] = file.read()
        except OSError as error:
            raise option_error(setting, "ssl_verify", f"cannot read '{trust}': {error.strerror}") from error
    return options


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
