"""Whose API key: found by its digest, good until it ends; and when each was used last.

Not here: logins with passwords (authenticator), what a key is (addressbook.api_keys).
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from addressbook.api_keys import PREFIX, digest_of, is_good
from addressbook.people import Credential
from addressbook.proof import Proof, ProofKind
from addressbook.senders import Principal
from gateway.ports import Clock
from sms.outcome import Refusal, Refused
from store.api_keys import note_use
from store.engine.database import Database, StorageError

log = structlog.get_logger()

_LONGEST: Final = 200
_NOTED_EVERY: Final = timedelta(minutes=10)


class ApiKeys:
    """Proves API keys. `key_of` finds one by its digest, `confirm` catches up with what it knows before a «no»."""

    def __init__(
        self,
        *,
        database: Database,
        key_of: Callable[[str], Credential | None],
        confirm: Callable[[], Awaitable[bool]],
        clock: Clock,
    ) -> None:
        self._database = database
        self._key_of = key_of
        self._confirm = confirm
        self._clock = clock
        self._noted: dict[str, datetime] = {}

    async def prove(self, key: str) -> Principal | Refused:
        """Return whose key it is. Nobody guesses 238 bits: a wrong one costs a look and nothing else."""
        if not key.startswith(PREFIX) or len(key) > _LONGEST:
            return Refused(refusal=Refusal.AUTHENTICATION_FAILED, detail=f"An API key begins with {PREFIX}.")
        digest = digest_of(key)
        found = self._key_of(digest)
        if not self._is_good(found, digest):
            if not await self._confirm():
                return Refused(refusal=Refusal.INTERNAL)
            found = self._key_of(digest)
        if found is None or not self._is_good(found, digest):
            ended = found is not None and found.active
            detail = "This API key has ended." if ended else "This API key is nobody's."
            return Refused(refusal=Refusal.AUTHENTICATION_FAILED, detail=detail)
        await self._note(found.login)
        return Principal(
            customer_id=found.customer_id,
            user_id=found.user_id,
            login=found.login,
            scopes=found.scopes,
            sandbox=found.sandbox,
            proof=Proof(kind=ProofKind.KEY, evidence=found.login),
        )

    def _is_good(self, found: Credential | None, digest: str) -> bool:
        now = self._clock.now()
        if found is None or not found.active or (found.expires_at is not None and found.expires_at <= now):
            return False
        return is_good(found.verifier, digest, now)

    async def _note(self, login: str) -> None:
        """Write down that a key is in use, once in a while."""
        now = self._clock.now()
        noted = self._noted.get(login)
        if noted is not None and now - noted < _NOTED_EVERY:
            return
        self._noted[login] = now
        try:
            await self._database.write(note_use, (login, now))
        except StorageError as error:
            log.warning("api_key_use_not_noted", login=login, cause=str(error)[:300])
