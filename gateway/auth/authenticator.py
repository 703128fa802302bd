"""Whose login: a password against its argon2 verifier (RFC 9106), or a SCRAM exchange; with bounds on guessing.

Not here: how guesses are counted (guesses), who may send without a login (addressbook.senders), what SCRAM says
(scram), the exchange on the wire (the edges).
"""

import asyncio
import base64
import hashlib
import os
import secrets
import sys
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from addressbook.canonical import canonical_login
from addressbook.people import Credential, CredentialKind, Verifiers
from addressbook.proof import Proof, ProofKind
from addressbook.senders import Principal
from gateway.auth.guesses import Attempt, Guesses, GuessLimits, Standing
from gateway.auth.scram import ScramExchange, ScramVerifier, feigned_verifier, make_verifier, read_verifier
from gateway.auth.tokens import TokenClaim
from gateway.limits import client_network
from sms.outcome import Refusal, Refused


def unmatched_verifier(hasher: PasswordHasher) -> str:
    """Return a verifier that costs what the hasher's own cost and that no password fits: chance in place of a hash."""

    def field(octets: int) -> str:
        return base64.b64encode(secrets.token_bytes(octets)).decode().rstrip("=")

    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${field(hasher.salt_len)}${field(hasher.hash_len)}"


class Authenticator:
    """Proves logins, for every edge alike.

    `credential_of` takes a login as the client gave it and is asked at each proof, so that a changed or deactivated
    credential holds at once. `confirm` catches up with what it knows, and tells whether it could: it is asked before a
    «no» for good, and one look serves all who wait. Each of the `workers` needs the memory that the verifiers ask for.
    `clock` is monotonic seconds; `shared_key`, once it is known, makes the salts of logins that there are not, the
    same on all nodes. End it with `close`.
    """

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        credential_of: Callable[[str], Credential | None],
        confirm: Callable[[], Awaitable[bool]],
        workers: int = 2,
        limits: GuessLimits | None = None,
        clock: Callable[[], float] = monotonic,
        hasher: PasswordHasher | None = None,
        shared_key: Callable[[], bytes | None] = lambda: None,
    ) -> None:
        self._credential_of = credential_of
        self._confirm = confirm
        self._limits = limits or GuessLimits()
        self._clock = clock
        self._hasher = hasher or PasswordHasher()
        self._stranger = unmatched_verifier(self._hasher)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="argon2", initializer=_step_back)
        self._places = 2 * workers
        self._waiting = 0
        self._key = secrets.token_bytes(32)
        self._shared_key = shared_key
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._guesses = Guesses(self._limits)
        self._proofs: dict[tuple[bytes, str], asyncio.Task[Refusal | None]] = {}
        self._ended = asyncio.Condition()
        self._log = structlog.get_logger()

    async def prove(self, login: str, password: str, client: str) -> Principal | Refused:
        """Return whose login it is; a stranger and a wrong password are refused alike, after the same work."""
        while True:
            credential = self._credential_of(login)
            proven = await self._prove(credential, login, password, client)
            if isinstance(proven, Principal) or proven.refusal is not Refusal.AUTHENTICATION_FAILED:
                return proven
            if not await self._confirm():
                return Refused(refusal=Refusal.INTERNAL)
            if self._credential_of(login) == credential:
                return proven
            self._guesses.attempt(login, client).withdraw(
                self._digest(login, password, self._verifier(self._usable(credential)))
            )

    async def _prove(
        self, credential: Credential | None, login: str, password: str, client: str
    ) -> Principal | Refused:
        usable = self._usable(credential)
        refusal = await self.prove_password(login, usable.verifier if usable is not None else None, password, client)
        if refusal is not None or usable is None:
            return Refused(refusal=refusal or Refusal.AUTHENTICATION_FAILED)
        return _principal(usable)

    async def prove_password(self, login: str, verifier: str | None, password: str, client: str) -> Refusal | None:
        """Return why a password does not fit what was just read of its login (None: nothing), None where it fits.

        Guesses are counted by `login`, whatever it names. Without a verifier the work is the same, in vain.
        """
        digest = self._digest(login, password, verifier or self._stranger)
        now = self._clock()
        if verifier and self._remembered.get(digest, now) > now:
            return None
        attempt = self._guesses.attempt(login, client)
        if attempt.known_wrong(digest, now):
            return Refusal.AUTHENTICATION_FAILED
        # A client that logs in on many connections at the same moment costs one proof.
        same = (digest, client_network(client))
        proof = self._proofs.get(same)
        if proof is None:
            proof = asyncio.get_running_loop().create_task(
                self._prove_once(attempt, verifier or self._stranger, password, digest, client)
            )
            self._proofs[same] = proof
            proof.add_done_callback(lambda _: self._proofs.pop(same, None))
        return await asyncio.shield(proof)

    async def prove_by(
        self, login: str, evidence: str, client: str, prove: Callable[[], Awaitable[bool]]
    ) -> Refusal | None:
        """Return why what somebody showed for a login proves nothing, None where it does; each is a guess."""
        attempt = self._guesses.attempt(login, client)
        digest, now = self._digest(login, evidence, ""), self._clock()
        if attempt.known_wrong(digest, now):
            return Refusal.AUTHENTICATION_FAILED
        standing = attempt.standing(now)
        if standing is not Standing.FREE:
            self._log.warning("auth_throttled", rip=client, standing=standing.value)
            return Refusal.RATE_LIMITED
        attempt.begin()
        try:
            if await prove():
                attempt.right()
                return None
            attempt.wrong(digest, now)
            return Refusal.AUTHENTICATION_FAILED
        finally:
            attempt.end()

    async def hash(self, password: str) -> str:
        """Return the verifier to keep for a password, made by the workers."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, hash_password, password)

    def scram_verifier_of(self, login: str) -> ScramVerifier:
        """Return what proves a login by SCRAM; of one that has nothing, or is nobody's, what no password fits."""
        credential = self._usable(self._credential_of(login))
        kept = read_verifier(credential.scram) if credential is not None else None
        return kept or feigned_verifier(self._shared_key() or self._key, canonical_login(login))

    async def prove_scram(self, exchange: ScramExchange, client: str) -> tuple[Principal, bytes] | Refused:
        """Return whose login an exchange proves, with the server's last word; each wrong one is a guess of its own."""
        login = exchange.login
        attempt = self._guesses.attempt(login, client)
        if attempt.standing(self._clock()) is Standing.FULL:
            self._log.warning("auth_throttled", rip=client, standing=Standing.FULL.value)
            return Refused(refusal=Refusal.RATE_LIMITED)
        final = exchange.finish()
        usable = self._usable(self._credential_of(login))
        # A password that was changed since the first message proves nothing any more, and the new one not yet.
        if final is not None and usable is not None and self.scram_verifier_of(login) == exchange.verifier:
            attempt.right()
            return _principal(usable), final
        if not await self._confirm() or self.scram_verifier_of(login) != exchange.verifier:
            return Refused(refusal=Refusal.INTERNAL)
        attempt.wrong(exchange.nonce.encode(), self._clock())
        return Refused(refusal=Refusal.AUTHENTICATION_FAILED)

    async def prove_token(
        self, claim: TokenClaim, client: str, prove: Callable[[TokenClaim], Awaitable[Principal | Refused]]
    ) -> Principal | Refused:
        """Return whose token it is; one that proves nothing counts as a guess, since it costs work."""
        attempt = self._guesses.attempt(canonical_login(claim.identity), client)
        digest = self._digest(claim.identity, claim.token, "")
        if attempt.known_wrong(digest, self._clock()):
            return Refused(refusal=Refusal.AUTHENTICATION_FAILED)
        if attempt.standing(self._clock()) is Standing.FULL:
            self._log.warning("auth_throttled", rip=client, standing=Standing.FULL.value)
            return Refused(refusal=Refusal.RATE_LIMITED)
        proven = await prove(claim)
        if isinstance(proven, Refused) and proven.refusal is Refusal.AUTHENTICATION_FAILED:
            if not await self._confirm():
                return Refused(refusal=Refusal.INTERNAL)
            proven = await prove(claim)
        if isinstance(proven, Principal):
            attempt.right()
        elif proven.refusal is Refusal.AUTHENTICATION_FAILED:
            attempt.wrong(digest, self._clock())
        return proven

    def close(self) -> None:
        """End the workers after the proofs under way."""
        self._pool.shutdown(wait=True)

    def _verifier(self, credential: Credential | None) -> str:
        return credential.verifier if credential is not None else self._stranger

    def _usable(self, credential: Credential | None) -> Credential | None:
        if credential is None or not credential.active:
            return None
        if credential.kind is not CredentialKind.PASSWORD:
            self._log.warning("credential_not_for_login", kind=str(credential.kind), customer_id=credential.customer_id)
            return None
        return credential

    async def _prove_once(
        self, attempt: Attempt, verifier: str, password: str, digest: bytes, client: str
    ) -> Refusal | None:
        """Return why a password proves nothing, None where it is right."""
        standing = await self._take_place(attempt)
        if standing is not Standing.FREE:
            self._log.warning("auth_throttled", rip=client, standing=standing.value, waiting=self._waiting)
            return Refusal.RATE_LIMITED
        try:
            loop = asyncio.get_running_loop()
            if not await loop.run_in_executor(self._pool, self._matches, verifier, password):
                attempt.wrong(digest, self._clock())
                return Refusal.AUTHENTICATION_FAILED
            attempt.right()
            self._remember(digest)
            return None
        finally:
            attempt.end()
            self._places += 1
            async with self._ended:
                self._ended.notify_all()

    async def _take_place(self, attempt: Attempt) -> Standing:
        """Wait for the proofs under way; return BUSY where too many wait already."""
        while (standing := self._standing(attempt)) is Standing.BUSY and self._waiting < self._limits.waiting:
            self._waiting += 1
            try:
                async with self._ended:
                    await self._ended.wait()
            finally:
                self._waiting -= 1
        if standing is Standing.FREE:
            attempt.begin()
            self._places -= 1
        return standing

    def _standing(self, attempt: Attempt) -> Standing:
        standing = attempt.standing(self._clock())
        return Standing.BUSY if standing is Standing.FREE and not self._places else standing

    def _matches(self, verifier: str, password: str) -> bool:
        try:
            return self._hasher.verify(verifier, _prepared(password))
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError) as error:
            self._log.error("verifier_unusable", error=type(error).__name__)
            return False

    def _digest(self, login: str, password: str, verifier: str) -> bytes:
        """Return what a right password is remembered by: useless outside this process, and void with its verifier."""
        digest = hashlib.blake2b(key=self._key, digest_size=32)
        for word in (login, password, verifier):
            octets = word.encode()
            digest.update(len(octets).to_bytes(4, "big") + octets)
        return digest.digest()

    def _remember(self, digest: bytes) -> None:
        self._remembered[digest] = self._clock() + self._limits.remember
        self._remembered.move_to_end(digest)
        if len(self._remembered) > self._limits.remembered:
            self._remembered.popitem(last=False)


def _step_back() -> None:
    """Give this thread, and those it starts, only the CPU that the others leave, so that guesses slow down no mail."""
    if sys.platform == "linux":  # elsewhere a thread has no priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + 10)


def hash_password(password: str) -> str:
    """Return the verifier to keep for a password."""
    return PasswordHasher().hash(_prepared(password))


def make_verifiers(password: str) -> Verifiers:
    """Return what to keep of a password."""
    return Verifiers(password=hash_password(password), scram=str(make_verifier(password)))


def _prepared(password: str) -> str:
    return unicodedata.normalize("NFC", password)  # RFC 8265 §4.2.2


def _principal(credential: Credential) -> Principal:
    return Principal(
        customer_id=credential.customer_id,
        user_id=credential.user_id,
        login=credential.login,
        service=credential.service,
        service_by=f"login {credential.login}",
        profile_id=credential.profile_id,
        proof=Proof(kind=ProofKind.LOGIN, evidence=credential.login),
    )
