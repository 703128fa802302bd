"""Sessions of the portal: a random token in the browser, its digest here, and who has signed in with it.

A token is new at each sign-in, so that nobody can know it before. Not here: passwords and codes (sign_in), cookies and
pages (web.portal).
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from addressbook.accounts import Account, AccountState, SessionStage
from gateway.admin.edit import AuditAction
from gateway.ports import Clock
from store.audit import AuditLine, write_audit
from store.engine.database import Database, Transaction
from store.engine.keys import Keys, to_instant, to_stored
from store.portal_accounts import asks_for_authenticator, find_account_by_key
from store.portal_sessions import SessionRecord, add_session, end_session, find_session, note_session_use, sessions_of

IDLE: Final = timedelta(hours=1)
LONGEST: Final = timedelta(hours=12)
"""A session ends after `IDLE` without a page, and `LONGEST` after it began."""
FOR_CODE: Final = timedelta(minutes=5)
"""How long a session waits for the code of the authenticator."""
_NOTED_EVERY: Final = timedelta(minutes=1)
_LONGEST_AGENT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSession:
    """Somebody who has signed in. `token` is the browser's secret.

    `needs_authenticator`: a customer asks for one, and the account has none yet.
    """

    key: int
    token: str
    stage: SessionStage
    account: Account
    needs_authenticator: bool = False

    @property
    def csrf(self) -> str:
        """What each form of this session carries, so that no page of others can send one."""
        return csrf_of(self.token)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session as its owner sees it."""

    key: int
    began_at: datetime
    used_at: datetime
    client: str
    agent: str


def csrf_of(token: str) -> str:
    """Return what the forms of a session carry; who knows it does not know the token."""
    return hashlib.sha256(b"form " + token.encode()).hexdigest()[:40]


class PortalSessions:
    """The sessions of all accounts, shared by all processes of the database."""

    def __init__(self, *, database: Database, keys: Keys, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock

    async def begin(self, account: Account, stage: SessionStage, client: str, agent: str, proof: str = "") -> str:
        """Store a new session with a line of the audit, which names what proved it unless that is a password.

        Returns its token.
        """
        token, now = secrets.token_urlsafe(32), self._clock.now()
        record = SessionRecord(
            key=self._keys.take(),
            account_key=account.key,
            stage=stage,
            created_at=to_stored(now),
            used_at=to_stored(now),
            expires_at=to_stored(now + (FOR_CODE if stage is SessionStage.CODE else LONGEST)),
            client=client,
            agent=agent[:_LONGEST_AGENT],
        )
        line = AuditLine(action=AuditAction.SIGN_IN.value, target=account.address, detail=f"{client} {proof}".rstrip())

        def write(tx: Transaction, records: list[SessionRecord]) -> list[None]:
            for one in records:
                add_session(tx, _digest(token), one)
                if stage.is_open:
                    write_audit(tx, self._keys, account.address, one.created_at, [line])
            return [None for _ in records]

        await self._database.write(write, record)
        return token

    async def find(self, token: str) -> PortalSession | None:
        """Return the session of a token, None where it is over, nobody's, or its account may not sign in."""
        now = self._clock.now()

        def look(tx: Transaction) -> tuple[SessionRecord, Account, bool] | None:
            record = find_session(tx, _digest(token))
            if record is None or record.expires_at <= to_stored(now) or record.used_at <= to_stored(now - IDLE):
                return None
            account = find_account_by_key(tx, record.account_key)
            if account is None or account.state is not AccountState.ACTIVE:
                return None
            at_issuer = record.stage is SessionStage.AT_ISSUER
            if at_issuer and account.is_operator:  # it was made one since
                return None
            # The provider of its only customer has asked for what that customer wants.
            proved = at_issuer and len(account.memberships) == 1
            return record, account, not (proved or account.has_totp) and asks_for_authenticator(tx, account.key)

        found = await self._database.read(look)
        if found is None:
            return None
        record, account, needs = found
        if record.used_at <= to_stored(now - _NOTED_EVERY):
            await self._database.write(_note, (record.key, to_stored(now)))
        return PortalSession(
            key=record.key, token=token, stage=record.stage, account=account, needs_authenticator=needs
        )

    async def of(self, account: Account) -> Sequence[OpenSession]:
        """Return the sessions of an account, the one used last first."""
        records = await self._database.read(lambda tx: sessions_of(tx, account.key))
        idle = to_stored(self._clock.now() - IDLE)
        return [
            OpenSession(
                key=record.key,
                began_at=to_instant(record.created_at),
                used_at=to_instant(record.used_at),
                client=record.client,
                agent=record.agent,
            )
            for record in records
            if record.used_at > idle and record.stage.is_open
        ]

    async def end(self, session: PortalSession) -> None:
        """End a session."""
        await self._database.write(_end, (session.key, session.account.key))


def _note(tx: Transaction, uses: list[tuple[int, int]]) -> list[None]:
    for key, at in uses:
        note_session_use(tx, key, at)
    return [None for _ in uses]


def _end(tx: Transaction, ended: list[tuple[int, int]]) -> list[None]:
    for key, account_key in ended:
        end_session(tx, key, account_key)
    return [None for _ in ended]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
