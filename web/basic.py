"""HTTP Basic (RFC 7617) and API keys: whose request it is, proven as every login of the gateway is.

Clients write the same credentials in several ways: base64 of either alphabet, with or without padding, of UTF-8 or of
Latin-1. Not here: how a login is proven (gateway.auth), what it may do (the interfaces).
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from functools import partial

import structlog
from starlette.requests import Request

from addressbook.senders import Principal
from gateway.auth.api_keys import ApiKeys
from gateway.auth.authenticator import Authenticator
from gateway.caller_limits import LoginTurns
from gateway.log_lines import log_login
from sms.outcome import Refusal, Refused
from web.front import at_the_end

log = structlog.get_logger()

CHALLENGE = 'Basic realm="mail2sms", charset="UTF-8"'
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 1_000
_OWN_SITE = frozenset({"same-origin", "none"})
_TO_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def read_basic(header: str) -> Iterator[tuple[str, str]]:
    """Yield login and password of a header Authorization, read as UTF-8 and then as Latin-1 where that differs."""
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() != "basic" or len(token) > _LONGEST:
        return
    bare = token.strip().translate(_TO_STANDARD_ALPHABET).rstrip("=")
    try:
        octets = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (ValueError, binascii.Error):
        return
    seen = set[str]()
    for charset in ("utf-8", "latin-1"):
        try:
            text = octets.decode(charset)
        except UnicodeDecodeError:
            continue
        login, colon, password = text.partition(":")
        if colon and text not in seen and not _CONTROL.search(text):  # RFC 7617 §2
            yield login, password
        seen.add(text)


def read_bearer(request: Request) -> str | None:
    """Return the API key that a request brings as Bearer (RFC 6750 §2.1), None where it brings none."""
    scheme, _, key = request.headers.get("authorization", "").strip().partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


async def identify_key(request: Request, keys: ApiKeys, key: str) -> Principal | Refused:
    """Return whose API key a request brings; one that is nobody's is logged as a wrong password is, without the key."""
    proven = await keys.prove(key)
    if isinstance(proven, Refused) and proven.refusal is Refusal.AUTHENTICATION_FAILED:
        log_login(log, succeeded=False, login="", client=_client_of(request), mechanism="KEY")
    return proven


def is_secure(request: Request) -> bool:
    """Return whether a request came under TLS, to us or to a proxy that the operator names."""
    return bool(request.scope["scheme"] == "https")


class BasicLogins:
    """Proves requests, and lets each login have its turn.

    A browser that another site sends here proves nothing: its user did not mean it.
    """

    def __init__(self, authenticator: Authenticator, turns: LoginTurns) -> None:
        self._authenticator = authenticator
        self._turns = turns

    async def prove(self, request: Request) -> Principal | Refused:
        """Return whose request it is, once its login has a turn."""
        return await self.admit(request, await self.identify(request))

    async def identify(self, request: Request) -> Principal | Refused:
        """Return whose request it is; AUTHENTICATION_REQUIRED without credentials, RATE_LIMITED after many guesses."""
        if request.headers.get("sec-fetch-site", "none") not in _OWN_SITE:
            return Refused(refusal=Refusal.SENDER_NOT_AUTHORISED, detail="Another site's page made this request.")
        return await self._prove(read_basic(request.headers.get("authorization", "")), _client_of(request), "BASIC")

    async def prove_login(self, request: Request, login: str, password: str, interface: str) -> Principal | Refused:
        """Return whose login stands in a request's body or query, as an interface has it, once it has a turn."""
        given = ((login, password),) if login else ()
        return await self.admit(request, await self._prove(given, _client_of(request), interface))

    async def admit(self, request: Request, proven: Principal | Refused) -> Principal | Refused:
        """Return who was proven once the login has a turn, which ends with the answer; RATE_LIMITED without one."""
        if isinstance(proven, Refused):
            return proven
        refused = await self._turns.take(proven.login)
        if refused is None:
            at_the_end(request, partial(self._turns.leave, proven.login))
        return refused or proven

    async def _prove(self, given: Iterable[tuple[str, str]], client: str, mechanism: str) -> Principal | Refused:
        refused = Refused(refusal=Refusal.AUTHENTICATION_REQUIRED)
        login = ""
        for login, password in given:
            proven = await self._authenticator.prove(login, password, client)
            if isinstance(proven, Principal):
                return proven
            refused = proven
            if refused.refusal is not Refusal.AUTHENTICATION_FAILED:
                break
        if refused.refusal is Refusal.AUTHENTICATION_FAILED:
            log_login(log, succeeded=False, login=login, client=client, mechanism=mechanism)
        return refused


def _client_of(request: Request) -> str:
    return request.client.host if request.client is not None else ""
