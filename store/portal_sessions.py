"""Sessions of the portal, by the digest of the browser's token, and links that are used once.

Not here: how long they are good (gateway.portal.sessions, gateway.portal.links), the accounts (portal_accounts).
"""

from collections.abc import Sequence

from msgspec import Struct

from addressbook.accounts import LinkKind, SessionStage
from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert
from store.portal_tables import PortalLinkRow, PortalSessionRow

_SESSIONS = Insert(PortalSessionRow)
_LINKS = Insert(PortalLinkRow)


class SessionRecord(Struct, frozen=True, array_like=True):
    """One session; instants are microseconds."""

    key: int
    account_key: int
    stage: SessionStage
    created_at: int
    used_at: int
    expires_at: int
    client: str
    agent: str


class LinkRecord(Struct, frozen=True, array_like=True):
    """One link; instants are microseconds."""

    key: int
    account_key: int
    kind: LinkKind
    expires_at: int
    used_at: int | None


_BY_DIGEST = query(SessionRecord, "FROM portal_session WHERE digest = ?")
_OF_ACCOUNT = query(SessionRecord, "FROM portal_session WHERE account_key = ? ORDER BY used_at DESC")
_LINK = query(LinkRecord, "FROM portal_link WHERE key = ?")


def add_session(tx: Transaction, digest: str, session: SessionRecord) -> None:
    """Store a session, and drop those that are over."""
    tx.execute("DELETE FROM portal_session WHERE expires_at < ?", (session.created_at,))
    row = _SESSIONS.row(
        key=session.key,
        digest=digest,
        account_key=session.account_key,
        stage=session.stage.value,
        created_at=session.created_at,
        used_at=session.used_at,
        expires_at=session.expires_at,
        client=session.client,
        agent=session.agent,
    )
    tx.insert(_SESSIONS, [row])
    if session.stage.is_open:
        tx.execute(
            "UPDATE portal_account SET signed_in_at = ? WHERE key = ?", (session.created_at, session.account_key)
        )


def find_session(tx: Transaction, digest: str) -> SessionRecord | None:
    """Return the session of a token's digest."""
    return next(iter(tx.select(SessionRecord, _BY_DIGEST, (digest,))), None)


def sessions_of(tx: Transaction, account_key: int) -> Sequence[SessionRecord]:
    """Return the sessions of an account, the one used last first."""
    return tx.select(SessionRecord, _OF_ACCOUNT, (account_key,))


def note_session_use(tx: Transaction, key: int, at: int) -> None:
    """Store that a session was used."""
    tx.execute("UPDATE portal_session SET used_at = ? WHERE key = ?", (at, key))


def end_session(tx: Transaction, key: int, account_key: int) -> None:
    """Delete one session of an account."""
    tx.execute("DELETE FROM portal_session WHERE key = ? AND account_key = ?", (key, account_key))


def end_sessions(tx: Transaction, account_key: int, but: int = 0) -> None:
    """Delete all sessions of an account but one."""
    tx.execute("DELETE FROM portal_session WHERE account_key = ? AND key <> ?", (account_key, but))


def add_link(tx: Transaction, link: LinkRecord, made_by: str) -> None:
    """Store a link; those of its kind that the account had before are void."""
    tx.execute("DELETE FROM portal_link WHERE account_key = ? AND kind = ?", (link.account_key, link.kind.value))
    row = _LINKS.row(
        key=link.key,
        account_key=link.account_key,
        kind=link.kind.value,
        made_by=made_by,
        expires_at=link.expires_at,
        used_at=None,
    )
    tx.insert(_LINKS, [row])


def void_links(tx: Transaction, account_key: int) -> None:
    """Delete all links of an account."""
    tx.execute("DELETE FROM portal_link WHERE account_key = ?", (account_key,))


def find_link(tx: Transaction, key: int) -> LinkRecord | None:
    """Return a link."""
    return next(iter(tx.select(LinkRecord, _LINK, (key,))), None)


def last_link_ends(tx: Transaction, account_key: int, kind: LinkKind) -> int:
    """Return until when the last link of a kind is good that an account was given; 0 where there was none."""
    found = tx.value(
        "SELECT MAX(expires_at) FROM portal_link WHERE account_key = ? AND kind = ?", (account_key, kind.value)
    )
    return int(found or 0)


def use_link(tx: Transaction, key: int, at: int) -> bool:
    """Mark a link as used; return whether it was good until now."""
    return (
        tx.execute(
            "UPDATE portal_link SET used_at = ? WHERE key = ? AND used_at IS NULL AND expires_at > ?", (at, key, at)
        )
        > 0
    )
