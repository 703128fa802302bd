"""What an action that pushes inbound SMS may say: where it goes, and what it brings.

Not here: storing an action (actions), its template (push_templates), how a push is sent (gateway.pushes, web.push).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from addressbook.canonical import canonical_name
from gateway.admin.faults import AdminFault, FaultCode
from inbound.actions import PushAction, PushLogin
from tls.mx import AddressGuard, parse_address

_METHODS = ("POST", "PUT")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110 §5.6.2
_HEADER_VALUE = re.compile(r"[ -~]{0,500}")
# What the connection, the signature and the login say; a secret has no place in a row.
_OUR_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer", "cookie"}
    | {"authorization", "proxy-authorization", "webhook-id", "webhook-timestamp", "webhook-signature"}
)
_URL = re.compile(r"[!-~]{1,500}")
_HOST = re.compile(r"[a-z0-9.:_-]{1,253}")


def check_push(settings: PushAction, customer: str, networks_of: Mapping[str, tuple[str, ...]]) -> None:
    """Raise AdminFault where a push of this customer can't be as the action says.

    `networks_of` are the networks that the operator's file allows, by canonical name. A host's name is looked up at
    each attempt; an address is judged here, too.
    """
    fault = _find_fault(settings, networks_of.get(canonical_name(customer), ()))
    if fault:
        raise AdminFault(FaultCode.BAD_PUSH, cause=fault)


def check_push_url(url: str, customer: str, networks_of: Mapping[str, tuple[str, ...]]) -> None:
    """Raise AdminFault where status pushes of this customer can't go to a URL."""
    fault = _url_fault(url, networks_of.get(canonical_name(customer), ()))
    if fault:
        raise AdminFault(FaultCode.BAD_PUSH, cause=fault)


def _find_fault(settings: PushAction, networks: tuple[str, ...]) -> str:
    if settings.method not in _METHODS:
        return f"the method «{settings.method}» is none of {' and '.join(_METHODS)}"
    return _url_fault(settings.url, networks) or _headers_fault(settings.headers) or _login_fault(settings)


def _url_fault(url: str, networks: tuple[str, ...]) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return f"«{url}» is no URL"
    if parts.scheme not in {"https", "http"} or not _URL.fullmatch(url) or not _HOST.fullmatch(host):
        return f"«{url}» is no URL such as https://app.example.com/sms"
    if parts.username is not None or parts.password is not None or "#" in url:
        return "the URL has a user, a password or a fragment: the login stands in user and password_file"
    address = parse_address("127.0.0.1" if host == "localhost" else host)
    guard = AddressGuard(allowed=networks)
    refused = guard.find_fault(address) if address is not None else ""
    if parts.scheme == "http" and not (networks if address is None else guard.is_allowed(address)):
        refused = f"plain http to {host} is not allowed to this customer"
    return refused and f"{refused}; [[push.allow]] of the operator's file allows networks to a customer"


def _headers_fault(headers: Mapping[str, str]) -> str:
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            return f"«{name}» is no header of printable ASCII characters"
        if name.lower() in _OUR_HEADERS:
            return f"the header {name} is ours; a login stands in user and password_file"
    return ""


def _login_fault(settings: PushAction) -> str:
    if settings.login is PushLogin.NONE:
        return "user and password_file need a login, basic or digest" if settings.user or settings.password_file else ""
    if settings.login is PushLogin.BEARER:
        if settings.user or not settings.password_file:
            return "the login bearer needs a password_file with its token, and no user"
    elif not settings.user or not settings.password_file or ":" in settings.user:
        return f"the login {settings.login} needs a user without colon, and a password_file"
    if not Path(settings.password_file).is_absolute():
        return f"password_file {settings.password_file} does not begin with /"
    try:
        Path(settings.password_file).open(encoding="utf-8").close()
    except OSError as error:
        return f"password_file {settings.password_file} can't be read: {error.strerror}"
    return ""
