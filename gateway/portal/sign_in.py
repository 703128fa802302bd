"""Who signs in to the portal: by address and password, by the code of an authenticator, or by a link that is used once.

A stranger, a wrong password and an account that may not sign in are refused alike, after the same work. Not here:
sessions (sessions), what guesses cost (gateway.auth), pages (web.portal).
"""

import asyncio
from dataclasses import dataclass
from functools import partial

import structlog

from addressbook.accounts import Account, AccountState, LinkKind, SessionStage
from addressbook.canonical import canonical_address
from gateway.admin.account_links import ask_reset, find_linked, use_up_link
from gateway.admin.edit import Administration, Change
from gateway.admin.faults import AdminFault
from gateway.admin.own_account import set_own_password
from gateway.auth.authenticator import Authenticator
from gateway.log_lines import log_login
from gateway.portal.codes import step_of_code, without_code
from gateway.portal.passwords import Weakness, find_weakness
from gateway.portal.sessions import PortalSession, PortalSessions
from gateway.ports import Clock
from sms.outcome import Refusal
from store.engine.database import Database, Transaction
from store.engine.keys import Keys, to_stored
from store.portal_accounts import find_account, find_secrets, find_verifier, take_recovery, take_step

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A link that is good, and whose it is."""

    key: int
    kind: LinkKind
    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """Where somebody signs in: the address of its client, and what the browser calls itself."""

    client: str
    agent: str


class SignIn:
    """Proves who somebody is, and begins its session."""

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        database: Database,
        keys: Keys,
        clock: Clock,
        authenticator: Authenticator,
        sessions: PortalSessions,
        address: str,
    ) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._authenticator = authenticator
        self._address = address
        self._resets: set[asyncio.Task[None]] = set()
        self.sessions = sessions

    async def by_password(self, address: str, password: str, browser: Browser) -> str | Refusal:
        """Return the token of a new session, or why there is none."""
        canonical = canonical_address(address) or ""
        verifier = await self._database.read(partial(find_verifier, address=canonical))
        refusal = await self._prove(canonical, verifier, password, browser.client)
        log_login(log, succeeded=refusal is None, login=address, client=browser.client, mechanism="PORTAL")
        if refusal is not None:
            return refusal
        account = await self._database.read(partial(find_account, address=canonical))
        return Refusal.AUTHENTICATION_FAILED if account is None else await self._begin(account, browser)

    async def proves(self, account: Account, password: str, client: str) -> Refusal | None:
        """Return why a password is not that of an account, None where it is."""
        secrets = await self._database.read(partial(find_secrets, account_key=account.key))
        return await self._prove(account.address, secrets.verifier, password, client)

    async def by_code(self, session: PortalSession, code: str, browser: Browser) -> str | Refusal:
        """Return the token of an open session in place of one that waits for a code of the authenticator."""
        account = session.account
        step = int(self._clock.now().timestamp()) // 30
        # A code that was wrong a while ago may be right now: what was guessed is the code at its time.
        refusal = await self._authenticator.prove_by(
            f"portal-code {account.address}", f"{code} {step}", browser.client, partial(self._takes_code, account, code)
        )
        log_login(log, succeeded=refusal is None, login=account.address, client=browser.client, mechanism="PORTAL-CODE")
        if refusal is not None:
            return refusal
        await self.sessions.end(session)
        return await self.sessions.begin(account, SessionStage.OPEN, browser.client, browser.agent)

    async def find_link(self, text: str) -> Linked | None:
        """Return what a link opens, None where it is none of ours, over or used."""
        found = await self._database.read(partial(find_linked, text=text, now=to_stored(self._clock.now())))
        if found is None:
            return None
        record, account = found
        return Linked(key=record.key, kind=record.kind, account=account)

    async def set_password(self, linked: Linked, password: str, browser: Browser) -> str | Weakness | None:
        """Return the token of a session once a link gave the account its password; None: it was used meanwhile."""
        weakness = find_weakness(password, linked.account.address, linked.account.name)
        if weakness is not None:
            return weakness
        verifier = await self._authenticator.hash(password)
        try:
            await self._change(
                linked.account, _use(linked), partial(set_own_password, account=linked.account, verifier=verifier)
            )
        except AdminFault:
            return None
        return await self._begin(linked.account, browser)

    async def change_password(self, account: Account, password: str, browser: Browser) -> str | Weakness:
        """Return the token of the one session that is left after somebody changed the password."""
        weakness = find_weakness(password, account.address, account.name)
        if weakness is not None:
            return weakness
        verifier = await self._authenticator.hash(password)
        await self._change(account, partial(set_own_password, account=account, verifier=verifier))
        return await self.sessions.begin(account, SessionStage.OPEN, browser.client, browser.agent)

    async def by_link(self, linked: Linked, browser: Browser) -> str | None:
        """Return the token of a session by a link for that; None where it was used meanwhile."""
        try:
            await self._change(linked.account, _use(linked))
        except AdminFault:
            return None
        return await self._begin(linked.account, browser)

    def forget(self, address: str, language: str) -> None:
        """Send a link for a new password, if there is such an account; nobody can tell by when this returns."""
        task = asyncio.get_running_loop().create_task(self._reset(address, language))
        self._resets.add(task)
        task.add_done_callback(self._resets.discard)

    async def settle(self) -> None:
        """Return when the links that were asked for are written."""
        await asyncio.gather(*self._resets)

    async def _reset(self, address: str, language: str) -> None:
        account = await self._database.read(partial(find_account, address=canonical_address(address) or ""))
        if account is not None and account.state is not AccountState.DISABLED:
            await self._change(account, partial(ask_reset, account=account, portal=self._address, language=language))

    async def _prove(self, address: str, verifier: str, password: str, client: str) -> Refusal | None:
        # The name of the portal keeps these guesses apart from those of a login that looks like an address.
        return await self._authenticator.prove_password(f"portal {address}", verifier or None, password, client)

    async def _begin(self, account: Account, browser: Browser) -> str:
        stage = SessionStage.CODE if account.has_totp else SessionStage.OPEN
        return await self.sessions.begin(account, stage, browser.client, browser.agent)

    async def _takes_code(self, account: Account, code: str) -> bool:
        secrets = await self._database.read(partial(find_secrets, account_key=account.key))
        step = step_of_code(secrets.totp_secret, code, self._clock.now()) if secrets.totp_secret else None
        if step is not None:
            return await self._database.write(_take_steps, (account.key, step))
        rest = without_code(secrets.recovery, code)
        return rest is not None and await self._database.write(_take_codes, (account.key, secrets.recovery, rest))

    async def _change(self, account: Account, *changes: Change) -> None:
        await Administration(self._database, self._keys, account.address, self._clock.now).change(*changes)


def _use(linked: Linked) -> Change:
    return partial(use_up_link, link_key=linked.key, account=linked.account)


def _take_steps(tx: Transaction, taken: list[tuple[int, int]]) -> list[bool]:
    return [take_step(tx, key, step) for key, step in taken]


def _take_codes(tx: Transaction, taken: list[tuple[int, str, str]]) -> list[bool]:
    return [take_recovery(tx, key, before, after) for key, before, after in taken]
