"""Signing in to the portal at a customer's own OpenID Connect issuer: where the browser goes, what its answer proves.

The authorization code flow with PKCE (OpenID Connect Core 1.0 §3.1, RFC 7636). Between the two the browser alone keeps
something, and what is sent to the issuer is derived from that. Not here: who gets a role (gateway.admin.portal_issuer),
tokens as logins (gateway.auth.tokens), pages (web.portal.issuer).
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode, urlsplit

import structlog

from addressbook.accounts import Account, SessionStage
from addressbook.canonical import canonical_address
from addressbook.people import Customer, Directory
from gateway.admin.edit import Administration
from gateway.admin.faults import AdminFault
from gateway.admin.portal_issuer import admit_account, way_back
from gateway.auth.authenticator import Authenticator
from gateway.auth.tokens import (
    DocumentFetcher,
    IssuerKeys,
    IssuerUnavailableError,
    audiences_of,
    endpoint_of,
    is_available,
    is_current,
    read_object,
    read_unverified,
    read_verified,
)
from gateway.log_lines import for_log, log_login
from gateway.portal.sessions import PortalSessions
from gateway.portal.sign_in import Browser
from gateway.ports import Clock
from sms.outcome import Refusal
from store.engine.database import Database
from store.engine.keys import Keys
from store.portal_accounts import PortalClient, customers_with_portal_client, find_account, find_portal_client

log = structlog.get_logger()

AWAY: Final = timedelta(minutes=10)
"""How long a browser may be at the issuer."""
_SCOPE: Final = "openid email profile"
_LONGEST_BACK: Final = 1000
_LONGEST_NAME: Final = 200
_OK: Final = 200
_KEPT: Final = re.compile(r"[A-Za-z0-9_-]{43}\.([0-9]{1,19})\.([0-9]{1,12})\.(.*)")


class IssuerFailure(StrEnum):
    """Why nobody is signed in by an issuer.

    NONE: the address belongs to no customer whose accounts sign in so. STATE: this browser did not begin it, or not
    of late. REFUSED: the issuer says no. UNAVAILABLE: it does not answer, or not as one should. INVALID: its answer
    proves nothing. BUSY: too many such answers. UNVERIFIED: it names no address that it has verified. FOREIGN: the
    address is of no domain of the customer. NO_ACCOUNT: the address has no account that may sign in so.
    """

    NONE = "none"
    STATE = "state"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    INVALID = "invalid"
    BUSY = "busy"
    UNVERIFIED = "unverified"
    FOREIGN = "foreign"
    NO_ACCOUNT = "no-account"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerFailed:
    """Why nobody is signed in; `address` is what the issuer has proved, empty where it has proved none."""

    failure: IssuerFailure
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """The way to an issuer: the address for the browser, whose it is, and what the browser keeps until it is back."""

    url: str
    host: str
    kept: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerAnswer:
    """With what a browser comes back (RFC 6749 §4.1.2, RFC 9207 §2), at whose address, and what it has kept."""

    customer_key: int
    kept: str
    state: str
    code: str
    issuer: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """The token of a new session, and the page that was asked for before."""

    token: str
    back: str


class _FailedError(Exception):
    """Ends a sign-in; `cause` is for the log."""

    def __init__(self, failure: IssuerFailure, cause: str, address: str = "") -> None:
        super().__init__(cause)
        self.failed = IssuerFailed(failure=failure, address=address)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Provider:
    """A customer whose accounts sign in at an issuer, and what the portal is there."""

    customer: Customer
    issuer: str
    client: PortalClient


class IssuerSignIn:
    """Sends browsers to the issuers of customers, and begins the sessions of whom these have proved."""

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        database: Database,
        keys: Keys,
        clock: Clock,
        directory: Callable[[], Directory],
        authenticator: Authenticator,
        sessions: PortalSessions,
        issuers: IssuerKeys,
        fetcher: DocumentFetcher,
        address: str,
    ) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._directory = directory
        self._authenticator = authenticator
        self._sessions = sessions
        self._issuers = issuers
        self._fetcher = fetcher
        self._address = address

    async def is_offered(self) -> bool:
        """Return whether accounts of some customer sign in so."""
        able = [item for item in self._directory().issuers if item.active] if is_available() else []
        if not able:
            return False
        with_client = await self._database.read(customers_with_portal_client)
        return any(item.key in with_client for item in able)

    async def begin(self, address: str, back: str, *, anew: bool = False) -> Departure | IssuerFailed:
        """Return the way to the issuer for an address, whether it has an account or not.

        `anew` has the issuer ask who somebody is, also where it knows the browser.
        """
        domain = (canonical_address(address) or "").rpartition("@")[2]
        provider = await self._provider_of(self._directory().customer_of_domain(domain) if domain else None)
        if provider is None:
            return IssuerFailed(failure=IssuerFailure.NONE)
        kept = _keep(provider.customer.key, int(self._clock.now().timestamp()), back)
        try:
            configuration = await self._issuers.configuration_of(provider.issuer)
            endpoint = endpoint_of(configuration, "authorization_endpoint")
        except IssuerUnavailableError as error:
            return _failed(provider, "", error)
        asked = {
            "response_type": "code",
            "client_id": provider.client.name,
            "redirect_uri": way_back(self._address, provider.customer.key),
            "scope": _SCOPE,
            "state": _derived("state", kept),
            "nonce": _derived("nonce", kept),
            "code_challenge": _challenge(_derived("verifier", kept)),
            "code_challenge_method": "S256",
            "login_hint": address,
            **({"prompt": "login"} if anew else {}),
        }
        # RFC 6749 §3.1: the endpoint may have a query of its own
        url = f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"
        return Departure(url=url, host=urlsplit(endpoint).netloc, kept=kept)

    async def finish(self, answer: IssuerAnswer, browser: Browser) -> Entered | IssuerFailed:
        """Return the session of who comes back from an issuer."""
        back = self._back_of(answer)
        provider = await self._provider_of(self._directory().customer(answer.customer_key))
        if back is None or provider is None:
            return IssuerFailed(failure=IssuerFailure.STATE)
        try:
            claims = await self._proved(provider, answer, browser)
            account = await self._admit(provider, claims)
        except (_FailedError, IssuerUnavailableError) as error:
            return _failed(provider, browser.client, error)
        log_login(log, succeeded=True, login=account.address, client=browser.client, mechanism="PORTAL-ISSUER")
        # An issuer's word replaces the authenticator where its own customer is the account's only one.
        elsewhere = not account.belongs_to(provider.customer.key)
        stage = SessionStage.CODE if account.has_totp and elsewhere else SessionStage.AT_ISSUER
        token = await self._sessions.begin(account, stage, browser.client, browser.agent, provider.issuer)
        return Entered(token=token, back=back)

    async def _provider_of(self, customer: Customer | None) -> _Provider | None:
        found = customer.identity_provider if customer is not None and customer.active and is_available() else None
        if customer is None or found is None:
            return None
        client = await self._database.read(partial(find_portal_client, customer_key=customer.key))
        return None if client is None else _Provider(customer=customer, issuer=found.issuer, client=client)

    def _back_of(self, answer: IssuerAnswer) -> str | None:
        """Return the page to go back to, None where this browser did not begin what it ends, or too long ago."""
        kept = _KEPT.fullmatch(answer.kept)
        if kept is None or not hmac.compare_digest(_derived("state", answer.kept).encode(), answer.state.encode()):
            return None
        customer, at, back = kept.groups()
        age = self._clock.now().timestamp() - int(at)
        return unquote(back) if int(customer) == answer.customer_key and age < AWAY.total_seconds() else None

    async def _proved(self, provider: _Provider, answer: IssuerAnswer, browser: Browser) -> Mapping[str, Any]:
        """Return what the issuer says of who signed in there; a code that proves nothing counts as a guess.

        Raises _FailedError, IssuerUnavailableError.
        """
        configuration = await self._issuers.configuration_of(provider.issuer)
        # RFC 9207 §2.4
        promised = configuration.get("authorization_response_iss_parameter_supported") is True
        if (answer.issuer or promised) and answer.issuer != provider.issuer:
            raise _FailedError(IssuerFailure.INVALID, f"the answer is of the issuer {answer.issuer!r}")
        if answer.error or not answer.code:
            raise _FailedError(IssuerFailure.REFUSED, answer.error or "neither a code nor an error")
        found: Mapping[str, Any] = {}
        invalid: _FailedError | None = None

        async def prove() -> bool:
            nonlocal found, invalid
            try:
                found = await self._redeem(provider, configuration, answer)
            except _FailedError as error:
                invalid = error
            return invalid is None

        name = f"portal-issuer {answer.state}"
        refusal = await self._authenticator.prove_by(name, answer.code, browser.client, prove)
        if refusal is Refusal.RATE_LIMITED:
            raise _FailedError(IssuerFailure.BUSY, "too many wrong codes of this client")
        if refusal is not None:
            raise invalid or _FailedError(IssuerFailure.INVALID, "the code was found wrong before")
        return found

    async def _redeem(
        self, provider: _Provider, configuration: Mapping[str, Any], answer: IssuerAnswer
    ) -> Mapping[str, Any]:
        """Return what the issuer says for a code. Raises _FailedError (INVALID), IssuerUnavailableError."""
        given = await self._ask_tokens(provider, configuration, answer)
        token = given.get("id_token")
        if not isinstance(token, str):
            raise IssuerUnavailableError("it answers a code without an ID token")
        header = read_unverified(token, 0)
        keys = await self._issuers.keys_of(provider.issuer, str(header.get("kid", "")), at_once=True)
        claims = read_verified(token, keys)
        if claims is None:
            cause = f"no published key has signed the ID token: alg {header.get('alg')!r}, kid {header.get('kid')!r}"
            raise _FailedError(IssuerFailure.INVALID, cause)
        self._check_claims(provider, claims, _derived("nonce", answer.kept))
        return await self._with_address(configuration, claims, given.get("access_token"))

    async def _ask_tokens(
        self, provider: _Provider, configuration: Mapping[str, Any], answer: IssuerAnswer
    ) -> Mapping[str, Any]:
        client = provider.client
        fields = {
            "grant_type": "authorization_code",
            "code": answer.code,
            "redirect_uri": way_back(self._address, provider.customer.key),
            "code_verifier": _derived("verifier", answer.kept),
        }
        # OpenID Connect Discovery 1.0 §3: where it says nothing, client_secret_basic
        methods = configuration.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        by_basic = "client_secret_basic" in methods
        if not by_basic:
            fields |= {"client_id": client.name, "client_secret": client.secret}
        status, body = await self._fetcher.post_form(
            endpoint_of(configuration, "token_endpoint"), fields, (client.name, client.secret) if by_basic else None
        )
        given = read_object(body)
        if status == _OK:
            return given
        cause = f"its token endpoint answers {status} {given.get('error')}: {given.get('error_description')}"
        # RFC 6749 §5.2: the code is wrong, over or was used; anything else is wrong between the issuer and us
        if given.get("error") == "invalid_grant":
            raise _FailedError(IssuerFailure.INVALID, cause)
        raise IssuerUnavailableError(cause)

    def _check_claims(self, provider: _Provider, claims: Mapping[str, Any], nonce: str) -> None:
        # OpenID Connect Core 1.0 §3.1.3.7
        audiences, party = audiences_of(claims), claims.get("azp", provider.client.name)
        wrong = {
            "iss": claims.get("iss") != provider.issuer,
            "aud": provider.client.name not in audiences or (len(audiences) > 1 and "azp" not in claims),
            "azp": party != provider.client.name,
            "exp": not is_current(claims, self._clock.now()),
            "nonce": claims.get("nonce") != nonce,
            "sub": not isinstance(claims.get("sub"), str),
        }
        if any(wrong.values()):
            names = ", ".join(name for name, is_wrong in wrong.items() if is_wrong)
            raise _FailedError(IssuerFailure.INVALID, f"claims of the ID token do not hold: {names}")

    async def _with_address(
        self, configuration: Mapping[str, Any], claims: Mapping[str, Any], access_token: object
    ) -> Mapping[str, Any]:
        """Return claims that say what an address is worth: those of the token, else with the UserInfo endpoint's."""
        is_told = "email" in claims and not claims.keys().isdisjoint(("email_verified", "xms_edov"))
        if is_told or "userinfo_endpoint" not in configuration or not isinstance(access_token, str):
            return claims
        said = read_object(await self._fetcher.fetch(endpoint_of(configuration, "userinfo_endpoint"), access_token))
        # OpenID Connect Core 1.0 §5.3.2
        if said.get("sub") != claims["sub"]:
            raise _FailedError(IssuerFailure.INVALID, "its UserInfo endpoint speaks of somebody else")
        return {**claims, **said}

    async def _admit(self, provider: _Provider, claims: Mapping[str, Any]) -> Account:
        """Return the account of a verified address of the customer's own domains. Raises _FailedError."""
        address, customer = _verified_address(claims), provider.customer
        if not address:
            raise _FailedError(IssuerFailure.UNVERIFIED, "neither email with email_verified nor xms_edov")
        owner = self._directory().customer_of_domain(address.rpartition("@")[2])
        if owner is None or owner.key != customer.key:
            raise _FailedError(IssuerFailure.FOREIGN, f"{address} is outside the customer's domains", address)
        given = " ".join(str(claims.get("name") or "").split())
        name = "".join(char for char in given if char.isprintable())[:_LONGEST_NAME]
        administration = Administration(self._database, self._keys, provider.issuer, self._clock.now)
        try:
            await administration.change(partial(admit_account, address=address, customer=customer, name=name))
        except AdminFault as fault:
            raise _FailedError(IssuerFailure.NO_ACCOUNT, str(fault), address) from None
        account = await self._database.read(partial(find_account, address=address))
        if account is None:
            raise _FailedError(IssuerFailure.NO_ACCOUNT, "it was removed meanwhile", address)
        return account


def _keep(customer_key: int, at: int, back: str) -> str:
    """Return what the browser keeps: chance, the customer, when it left (seconds since 1970), where it goes then."""
    way = quote(back, safe="") if len(back) <= _LONGEST_BACK else ""
    return f"{secrets.token_urlsafe(32)}.{customer_key}.{at}.{way}"


def _derived(what: str, kept: str) -> str:
    """Return what goes to the issuer; all that the browser keeps is in it, so none of that can be another."""
    return hashlib.sha256(f"{what} {kept}".encode()).hexdigest()


def _challenge(verifier: str) -> str:
    # RFC 7636 §4.2
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _verified_address(claims: Mapping[str, Any]) -> str:
    """Return the address that an issuer says it has verified, empty where there is none.

    OpenID Connect Core 1.0 §5.1; some say «true» as a text, and Microsoft Entra ID has `xms_edov` in its place.
    """
    address, verified = claims.get("email"), claims.get("email_verified", claims.get("xms_edov"))
    if not isinstance(address, str) or not address.isprintable() or str(verified).lower() not in {"true", "1"}:
        return ""
    return canonical_address(address) or ""


def _failed(provider: _Provider, client: str, error: _FailedError | IssuerUnavailableError) -> IssuerFailed:
    failed = error.failed if isinstance(error, _FailedError) else IssuerFailed(failure=IssuerFailure.UNAVAILABLE)
    facts = {"customer": provider.customer.name, "issuer": provider.issuer, "rip": client}
    log.warning("issuer_sign_in_failed", failure=failed.failure.value, cause=for_log(str(error)), **facts)
    return failed
