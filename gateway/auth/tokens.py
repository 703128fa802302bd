"""Whose login a token is: signed by the issuer that a customer named, for the audience that it named (OpenID Connect).

Only addresses of configured issuers are asked for keys, never one that a token names. Needs the extra `oidc`. Not here:
the exchange on the wire (mta.mechanisms), fetching by HTTPS (web.issuer).
"""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final, Protocol

import structlog

from addressbook.canonical import canonical_login
from addressbook.people import Customer, Directory
from addressbook.proof import IdentityProvider, Proof, ProofKind
from addressbook.senders import Principal
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
    """An issuer's keys cannot be had now; the message says why."""


class DocumentFetcher(Protocol):
    """Fetches small documents of issuers."""

    async def fetch(self, url: str) -> bytes:
        """Return what is at an https URL. Raises IssuerUnavailableError."""


@dataclass(frozen=True, slots=True)
class TokenClaim:
    """What a client sent: as whom it wants to act, empty where it does not say, and its token."""

    identity: str
    token: str = field(repr=False)


def is_available() -> bool:
    """Return whether the extra for tokens is installed."""
    return find_spec("joserfc") is not None


class IssuerKeys:
    """The signing keys of issuers: an hour fresh, a day where the issuer cannot be reached, asked again for a new key.

    `clock` is monotonic seconds.
    """

    def __init__(self, fetcher: DocumentFetcher, clock: Callable[[], float]) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._kept: dict[str, tuple[float, Mapping[str, Any]]] = {}
        self._asked: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def keys_of(self, issuer: str, key_id: str) -> Mapping[str, Any]:
        """Return the key set of an issuer (RFC 7517 §5). Raises IssuerUnavailableError."""
        async with self._locks.setdefault(issuer, asyncio.Lock()):
            now = self._clock()
            at, keys = self._kept.get(issuer, (-_KEPT, {}))
            known = any(key.get("kid", "") == key_id for key in keys.get("keys", ()))
            if (now - at < _FRESH and known) or now - self._asked.get(issuer, -_PAUSE) < _PAUSE:
                return self._usable(issuer, now)
            self._asked[issuer] = now
            try:
                self._kept[issuer] = (now, await self._fetch(issuer))
            except IssuerUnavailableError as error:
                log.warning("issuer_unavailable", issuer=issuer, cause=str(error)[:300])
            return self._usable(issuer, now)

    def _usable(self, issuer: str, now: float) -> Mapping[str, Any]:
        at, keys = self._kept.get(issuer, (-_KEPT, {}))
        if now - at >= _KEPT:
            raise IssuerUnavailableError("its keys are not known")
        return keys

    async def _fetch(self, issuer: str) -> Mapping[str, Any]:
        # OpenID Connect Discovery 1.0 §4
        found = _object(await self._fetcher.fetch(f"{issuer.removesuffix('/')}/.well-known/openid-configuration"))
        address = found.get("jwks_uri")
        if found.get("issuer") != issuer or not isinstance(address, str) or not address.startswith("https://"):
            raise IssuerUnavailableError("its configuration names another issuer, or no https address of keys")
        keys = _object(await self._fetcher.fetch(address))
        if not isinstance(keys.get("keys"), list) or not all(isinstance(key, dict) for key in keys["keys"]):
            raise IssuerUnavailableError("it has no set of keys")
        return keys


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
        header, said = (_unverified(claim.token, part) for part in (0, 1))
        for customer, provider in self._named_by(said):
            try:
                keys = await self._keys.keys_of(provider.issuer, str(header.get("kid", "")))
            except IssuerUnavailableError:
                return Refused(refusal=Refusal.INTERNAL)
            claims = _verified(claim.token, keys)
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
        """Return whether verified claims are of now and for us (RFC 7519 §4.1)."""
        now = self._clock.now().timestamp()
        until, since = claims.get("exp"), claims.get("nbf", 0)
        if not isinstance(until, int | float) or not isinstance(since, int | float):
            return False
        return _is_for(claims, provider) and since - _LEEWAY <= now < until + _LEEWAY

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
        if user is not None and user.customer_id == customer.id:
            found = Principal(customer_id=customer.id, user_id=user.id, login=user.address, proof=proof)
        elif login is not None and login.active and login.customer_id == customer.id:
            found = Principal(
                customer_id=customer.id,
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
    audience = claims.get("aud")
    return claims.get("iss") == provider.issuer and (
        audience == provider.audience or (isinstance(audience, list) and provider.audience in audience)
    )


def _verified(token: str, keys: Mapping[str, Any]) -> Mapping[str, Any] | None:
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


def _unverified(token: str, part: int) -> Mapping[str, Any]:
    try:
        words = token.split(".")
        octets = base64.urlsafe_b64decode(words[part] + "=" * (-len(words[part]) % 4))
        return _object(octets)
    except (ValueError, IndexError, IssuerUnavailableError):
        return {}


def _object(octets: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(octets)
    except (ValueError, RecursionError):
        raise IssuerUnavailableError("what it says is no JSON") from None
    if not isinstance(found, dict):
        raise IssuerUnavailableError("what it says is no JSON object")
    return found
