"""What options there are for data remotes of each scheme, and what values an option may have.

Checked when something is written; reading goes by `config.KNOWN`, which is looser, so that a file DVC accepts is never refused.
"""

from collections.abc import Iterable, Mapping

from offbranch.base.config import check_option, check_section
from offbranch.base.errors import UsageError, did_you_mean

_COMMON = frozenset("url jobs checksum_jobs worktree version_aware verify".split())
_WEBDAV = (
    "user password ask_password token bearer_token_command custom_auth_header cert_path key_path timeout ssl_verify"
)
_HTTP = "auth custom_auth_header user password ask_password ssl_verify method connect_timeout read_timeout"
_HDFS = "user kerb_ticket replication"
_OF_SCHEME: Mapping[str, str] = {
    "local": "type shared slow_link_warning",
    "s3": "region profile credentialpath configpath endpointurl access_key_id secret_access_key session_token listobjects"
    " use_ssl allow_anonymous_login ssl_verify sse sse_kms_key_id sse_customer_algorithm sse_customer_key acl grant_read"
    " grant_read_acp grant_write_acp grant_full_control cache_regions read_timeout connect_timeout",
    "gs": "projectname credentialpath endpointurl allow_anonymous_login",
    "azure": "connection_string sas_token account_name account_key tenant_id client_id client_secret"
    " allow_anonymous_login exclude_environment_credential exclude_visual_studio_code_credential"
    " exclude_shared_token_cache_credential exclude_managed_identity_credential timeout read_timeout connection_timeout",
    "ssh": "type port user password ask_password passphrase ask_passphrase keyfile timeout gss_auth allow_agent"
    " max_sessions",
    "http": _HTTP,
    "https": _HTTP,
    "webdav": _WEBDAV,
    "webdavs": _WEBDAV,
    "gdrive": "profile gdrive_use_service_account gdrive_client_id gdrive_client_secret gdrive_user_credentials_file"
    " gdrive_service_account_user_email gdrive_service_account_json_file_path gdrive_trash_only gdrive_acknowledge_abuse",
    "oss": "oss_key_id oss_key_secret oss_endpoint",
    "hdfs": _HDFS,
    "webhdfs": f"{_HDFS} webhdfs_token use_https ssl_verify token password data_proxy_target kerberos"
    " kerberos_principal proxy_to",
}
SCHEMES: Mapping[str, frozenset[str]] = {
    scheme: _COMMON | frozenset(options.split()) for scheme, options in _OF_SCHEME.items()
}
# Relative to the user's directory when they are typed, to the directory of the config file when they are written.
PATHS = frozenset(
    "credentialpath configpath keyfile cert_path key_path gdrive_user_credentials_file"
    " gdrive_service_account_json_file_path".split()
)
SECRETS = frozenset(
    "password secret_access_key access_key_id session_token sas_token account_key connection_string client_secret token"
    " passphrase gdrive_client_secret sse_customer_key oss_key_id oss_key_secret webhdfs_token".split()
)
_BOOLEANS = frozenset(
    "interactive analytics hardlink_lock no_scm autostage check_update slow_link_warning verify auto_push"
    " strict_baseline auto_open enabled offline worktree version_aware listobjects use_ssl allow_anonymous_login"
    " cache_regions ask_password ask_passphrase gss_auth allow_agent gdrive_use_service_account gdrive_trash_only"
    " gdrive_acknowledge_abuse exclude_environment_credential exclude_visual_studio_code_credential"
    " exclude_shared_token_cache_credential exclude_managed_identity_credential use_https".split()
)
_AT_LEAST_ONE = frozenset(("jobs", "checksum_jobs"))
_NUMBERS = (
    frozenset("port timeout read_timeout connect_timeout connection_timeout max_sessions replication".split())
    | _AT_LEAST_ONE
)
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "parsing.bool": ("store_true", "boolean_optional"),
    "parsing.list": ("nargs", "append"),
    "shared": ("group",),
    "exp.checkpoint": ("auto", "every", "off"),
    "auth": ("basic", "digest", "custom"),
}
_LINK_KINDS = ("reflink", "hardlink", "symlink", "copy")


def scheme_of(url: str) -> str:
    """Returns the scheme of a remote's url; `local` for a path or `file://`."""
    scheme, colon, _ = url.partition("://")
    return "local" if not colon or scheme.lower() == "file" else scheme.lower()


def is_secret(section: str, option: str) -> bool:
    """Tells whether the value of an option lets somebody in."""
    return option in SECRETS and section.partition(" ")[0] in ("remote", "db", "studio")


def holds_secret(section: str, option: str, value: str) -> bool:
    """Tells whether a setting is a secret, or has one in it: the password of a url."""
    return is_secret(section, option) or (option == "url" and without_password(value) != value)


def check_setting(section: str, option: str, value: str, *, schemes: Iterable[str] | None = None) -> None:
    """Makes sure that an option may be set to a value.

    Args:
        section: In normal form.
        option: In lower case.
        value: As it will be written.
        schemes: For a remote: what its url may be; None when that is not known.

    Raises:
        BadInputError: There is no such section or option.
        UsageError: The option does not fit the scheme of the remote, or the value is of the wrong kind.
    """
    check_known(section, option)
    if section.startswith("remote "):
        if option == "url":
            _check_url(value)
        else:
            check_remote_option(section, option, schemes)
    key = f"{section}.{option}"
    if option in _BOOLEANS and value.lower() not in ("true", "false"):
        raise UsageError(f"{key}: expected true or false, found '{value}'")
    if option in _NUMBERS:
        _check_number(key, option, value)
    if (allowed := _CHOICES.get(key) or _CHOICES.get(option)) and value not in allowed:
        raise UsageError(f"{key}: expected one of {', '.join(allowed)}, found '{value}'")
    if option == "type":
        for word in value.split(","):
            if word.strip() not in _LINK_KINDS:
                hint = did_you_mean(word.strip(), _LINK_KINDS) or f"use {', '.join(_LINK_KINDS)}"
                raise UsageError(f"{key}: '{word.strip()}' is not a kind of link", hint=hint)


def check_known(section: str, option: str) -> None:
    """Makes sure that there is such a section, and such an option in it.

    Raises:
        BadInputError: There is none.
    """
    check_section(section, path="config")
    check_option(section, option, path="config")


def check_remote_option(section: str, option: str, schemes: Iterable[str] | None) -> None:
    """Makes sure that a remote of one of some schemes may have an option.

    Raises:
        UsageError: It may not; near names are offered.
    """
    kinds = tuple(SCHEMES if schemes is None else schemes)
    known = frozenset[str]().union(*(SCHEMES.get(kind, frozenset()) for kind in kinds))
    if option in known:
        return
    name = section.partition(" ")[2].strip('"')
    owners = [kind for kind, options in SCHEMES.items() if option in options]
    if owners and schemes is not None:
        reason = f"it is an option of {', '.join(owners)}, not of {', '.join(kinds)}"
    else:
        reason = "there is no such option"
    raise UsageError(
        f"cannot set '{option}' of the data remote '{name}': {reason}",
        hint=did_you_mean(option, known) or f"options here: {', '.join(sorted(known))}",
    )


def without_password(url: str) -> str:
    """Returns a url with the password in it, and what stands after `?` (a signature may), made unreadable."""
    scheme, found, rest = url.partition("://")
    rest, mark, _ = rest.partition("?")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    name, colon, _ = user.partition(":")
    if not found or not (mark or (at and colon)):
        return url
    shown = f"{name}:***" if colon else user
    return f"{scheme}://{shown}{at}{host}{slash}{path}{'?***' if mark else ''}"


def _check_url(value: str) -> None:
    if not value:
        raise UsageError("a data remote needs a url", hint="a path, or e.g. s3://bucket/path")
    scheme = scheme_of(value)
    if scheme not in SCHEMES and scheme != "remote":
        known = [f"{kind}://" for kind in SCHEMES if kind != "local"]
        hint = did_you_mean(f"{scheme}://", known) or f"a path, or one of {', '.join(known)}"
        raise UsageError(f"'{value}': data remotes of the kind '{scheme}://' are not known", hint=hint)
    if value.lower().startswith("file://") and not value[7:].startswith("/"):
        raise UsageError(
            f"'{value}': a file:// url needs an absolute path", hint="write the path alone, or file:///..."
        )


def _check_number(key: str, option: str, value: str) -> None:
    try:
        number = int(value)
    except ValueError:
        raise UsageError(f"{key}: expected a whole number, found '{value}'") from None
    least = 1 if option in _AT_LEAST_ONE else 0
    if number < least:
        raise UsageError(f"{key}: expected at least {least}, found {number}")
