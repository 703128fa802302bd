"""Whose login a token is: signed by the issuer that a customer named, for the audience that it named (OpenID Connect).

Only addresses of configured issuers are asked for keys, never one that a token names. Needs the extra `oidc`. Not here:
the exchange on the wire (mta.mechanisms), signing in to the portal (gateway.portal.issuers), HTTPS (web.issuer).
"""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import structlog

from addressbook.canonical import canonical_login
from addressbook.people import Customer, Directory
from addressbook.proof import IdentityProvider, Proof, ProofKind
from addressbook.senders import Principal
from gateway.log_lines import for_log
from gateway.ports import Clock
from sms.outcome import Refusal, Refused

# RFC 8725 §3.1: no «none», and no key that the issuer shares with us
_ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
_LEEWAY: Final = 60.0
_FRESH: Final = 3600.0
_KEPT: Final = 86_400.0
_PAUSE: Final = 60.0
_FAILED: Final = Refused(refusal=Refusal.AUTHENTICATION_FAILED)

log = structlog.get_logger()


class IssuerUnavailableError(Exception):
    """What an issuer has to say cannot be had now; the message says why."""


class DocumentFetcher(Protocol):
    """Asks issuers for small documents."""

    async def fetch(self, url: str, bearer: str = "") -> bytes:
        """Return what is at an https URL for who has a token (RFC 6750 §2.1). Raises IssuerUnavailableError."""

    async def post_form(
        self, url: str, fields: Mapping[str, str], credentials: tuple[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Return status and body of the answer to a form, sent with the name and the secret of a client.

        Raises IssuerUnavailableError.
        """


@dataclass(frozen=True, slots=True)
class TokenClaim:
    """What a client sent: as whom it wants to act, empty where it does not say, and its token."""

    identity: str
    token: str = field(repr=False)


def is_available() -> bool:
    """Return whether the extra for tokens is installed."""
    return find_spec("joserfc") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What an issuer says of itself, and its key set (RFC 7517 §5), as of `at` (monotonic seconds)."""

    at: float
    configuration: Mapping[str, Any]
    keys: Mapping[str, Any]

    def has_key(self, key_id: str) -> bool:
        """Return whether there is a key of this name."""
        return any(key.get("kid", "") == key_id for key in self.keys["keys"])


class IssuerKeys:
    """What issuers publish: an hour fresh, a day where the issuer cannot be reached, asked again for a new key.

    `clock` is monotonic seconds.
    """

    def __init__(self, fetcher: DocumentFetcher, clock: Callable[[], float]) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._kept: dict[str, Published] = {}
        self._asked: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def keys_of(self, issuer: str, key_id: str, *, at_once: bool = False) -> Mapping[str, Any]:
        """Return the key set of an issuer (RFC 7517 §5). Raises IssuerUnavailableError.

        A key that is not known is asked for once a minute, or `at_once` where the issuer itself has just named it.
        """
        return (await self._published(issuer, key_id, 0.0 if at_once else _PAUSE)).keys

    async def configuration_of(self, issuer: str) -> Mapping[str, Any]:
        """Return what an issuer says of itself (OpenID Connect Discovery 1.0 §3). Raises IssuerUnavailableError."""
        return (await self._published(issuer, None, _PAUSE)).configuration

    async def _published(self, issuer: str, key_id: str | None, pause: float) -> Published:
        async with self._locks.setdefault(issuer, asyncio.Lock()):
            now, kept = self._clock(), self._kept.get(issuer)
            known = kept is not None and (key_id is None or kept.has_key(key_id))
            fresh = known and kept is not None and now - kept.at < _FRESH
            if not fresh and now - self._asked.get(issuer, -_PAUSE) >= pause:
                self._asked[issuer] = now
                try:
                    kept = self._kept[issuer] = await self._fetch(issuer, now)
                except IssuerUnavailableError as error:
                    log.warning("issuer_unavailable", issuer=issuer, cause=for_log(str(error)))
            if kept is None or now - kept.at >= _KEPT:
                raise IssuerUnavailableError("what it publishes is not known")
            return kept

    async def _fetch(self, issuer: str, now: float) -> Published:
        # OpenID Connect Discovery 1.0 §4
        found = read_object(await self._fetcher.fetch(f"{issuer.removesuffix('/')}/.well-known/openid-configuration"))
        if found.get("issuer") != issuer:
            raise IssuerUnavailableError(f"its configuration is that of the issuer {found.get('issuer')!r}")
        keys = read_object(await self._fetcher.fetch(endpoint_of(found, "jwks_uri")))
        if not isinstance(keys.get("keys"), list) or not all(isinstance(key, dict) for key in keys["keys"]):
            raise IssuerUnavailableError("it has no set of keys")
        return Published(at=now, configuration=found, keys=keys)


def endpoint_of(configuration: Mapping[str, Any], name: str) -> str:
    """Return an address that an issuer's configuration names. Raises IssuerUnavailableError where it is not https."""
    address = configuration.get(name)
    with suppress(ValueError):
        if isinstance(address, str) and address.isascii() and address.isprintable():
            parts = urlsplit(address)
            if parts.scheme == "https" and parts.hostname:
                return address
    raise IssuerUnavailableError(f"its configuration has no https address as {name}")


class Tokens:
    """Proves tokens by the directory in force and the keys of its issuers, if the extra is there."""

    def __init__(
        self, *, directory: Callable[[], Directory], keys: IssuerKeys, clock: Clock, available: bool | None = None
    ) -> None:
        self._directory = directory
        self._keys = keys
        self._clock = clock
        self._available = is_available() if available is None else available

    @property
    def is_offered(self) -> bool:
        """Whether some customer has an issuer, and tokens can be verified."""
        return self._available and bool(self._directory().issuers)

    async def prove(self, claim: TokenClaim) -> Principal | Refused:
        """Return whose token it is; INTERNAL where the keys of its issuer cannot be had."""
        header, said = (read_unverified(claim.token, part) for part in (0, 1))
        for customer, provider in self._named_by(said):
            try:
                keys = await self._keys.keys_of(provider.issuer, str(header.get("kid", "")))
            except IssuerUnavailableError:
                return Refused(refusal=Refusal.INTERNAL)
            claims = read_verified(claim.token, keys)
            if claims is not None and self._holds(claims, provider):
                proven = self._owner(customer, provider, claims, claim.identity)
                if proven is not None:
                    return proven
        return _FAILED

    def _named_by(self, said: Mapping[str, Any]) -> Iterator[tuple[Customer, IdentityProvider]]:
        """Yield the customers whose issuer and audience an unverified token names."""
        for customer in self._directory().issuers:
            provider = customer.identity_provider
            if provider is not None and customer.active and _is_for(said, provider):
                yield customer, provider

    def _holds(self, claims: Mapping[str, Any], provider: IdentityProvider) -> bool:
        """Return whether verified claims are of now and for us."""
        return _is_for(claims, provider) and is_current(claims, self._clock.now())

    def _owner(
        self, customer: Customer, provider: IdentityProvider, claims: Mapping[str, Any], identity: str
    ) -> Principal | None:
        """Return the customer's user or login that the claim names; it may act for nobody else."""
        named = claims.get(provider.claim)
        # OpenID Connect Core 1.0 §5.1: an address that the issuer says it did not verify is anybody's
        if not isinstance(named, str) or (provider.claim == "email" and claims.get("email_verified") is False):
            return None
        directory = self._directory()
        user, login = directory.user(named), directory.credential(named)
        proof = Proof(kind=ProofKind.LOGIN, evidence=f"{canonical_login(named)}, token of {provider.issuer}")
        if user is not None and user.customer_id == customer.key:
            found = Principal(customer_id=customer.key, user_id=user.key, login=user.address, proof=proof)
        elif login is not None and login.active and login.customer_id == customer.key:
            found = Principal(
                customer_id=customer.key,
                user_id=login.user_id,
                login=login.login,
                service=login.service,
                service_by=f"login {login.login}",
                profile_id=login.profile_id,
                proof=proof,
            )
        else:
            return None
        return found if not identity or canonical_login(identity) in {found.login, canonical_login(named)} else None


def _is_for(claims: Mapping[str, Any], provider: IdentityProvider) -> bool:
    return claims.get("iss") == provider.issuer and provider.audience in audiences_of(claims)


def audiences_of(claims: Mapping[str, Any]) -> Sequence[object]:
    """Return whom a token is for (RFC 7519 §4.1.3)."""
    audience = claims.get("aud")
    return audience if isinstance(audience, list) else [audience]


def is_current(claims: Mapping[str, Any], at: datetime) -> bool:
    """Return whether a token counts at an instant, with a minute between the clocks (RFC 7519 §4.1.4, §4.1.5)."""
    now, until, since = at.timestamp(), claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(until, int | float) or not isinstance(since, int | float):
        return False
    # Not `until + …`: whatever number stands there is compared, however large.
    return since <= now + _LEEWAY and now - _LEEWAY < until


def read_verified(token: str, keys: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the claims of a token that one of the keys signed, by an algorithm that we take."""
    from joserfc import jwk, jws, jwt  # noqa: PLC0415 - an extra
    from joserfc.errors import JoseError  # noqa: PLC0415 - an extra

    usable = []
    for key in keys.get("keys", ()):
        # RFC 7517 §5: a key of a kind that we do not know says nothing of the others
        with suppress(JoseError, ValueError, TypeError, KeyError):
            if key.get("use", "sig") == "sig" and key.get("kty") != "oct":
                usable.append(jwk.import_key(key))
    registry = jws.JWSRegistry(algorithms=list(_ALGORITHMS), strict_check_header=False)
    with suppress(JoseError, ValueError, TypeError, KeyError):
        return jwt.decode(token, jwk.KeySet(usable), registry=registry).claims
    return None


def read_unverified(token: str, part: int) -> Mapping[str, Any]:
    """Return what a token's header (0) or its claims (1) say, which proves nothing."""
    try:
        words = token.split(".")
        octets = base64.urlsafe_b64decode(words[part] + "=" * (-len(words[part]) % 4))
        return read_object(octets)
    except (ValueError, IndexError, IssuerUnavailableError):
        return {}


def read_object(octets: bytes) -> Mapping[str, Any]:
    """Return a JSON object. Raises IssuerUnavailableError where it is none."""
    try:
        found = json.loads(octets)
    except (ValueError, RecursionError):
        raise IssuerUnavailableError("what it says is no JSON") from None
    if not isinstance(found, dict):
        raise IssuerUnavailableError("what it says is no JSON object")
    return found
