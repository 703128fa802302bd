"""Links that are used once: how an account of the portal gets its password, a new one, or in without any.

Not here: roles and invitations (accounts), what a link looks like (gateway.portal.links).
"""

from datetime import timedelta
from typing import Final

from addressbook.accounts import Account, AccountState, LinkKind
from addressbook.canonical import canonical_address
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, changed
from gateway.admin.faults import AdminFault, FaultCode
from gateway.letters import letter_row
from gateway.portal.links import GOOD_FOR, SECRET, read_link, sign_link
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_stored
from store.outbox import Outbox
from store.portal_accounts import find_account, find_account_by_key, put_authenticator, put_state
from store.portal_sessions import LinkRecord, add_link, end_sessions, find_link, last_link_ends, use_link
from store.secrets import find_secret, secret_named

RESET_EVERY: Final = timedelta(minutes=5)
"""How often somebody who has forgotten the password gets a link at most."""


def get_account(tx: Transaction, address: str) -> Account:
    """Return the account of an address. Raises AdminFault."""
    account = find_account(tx, canonical_address(address) or "")
    if account is None:
        raise AdminFault(FaultCode.NO_ACCOUNT, address=address, customer="")
    return account


def reset_account(edit: Edit, address: str, *, portal: str) -> Changed:
    """Return a link by which an account gets a new password; its authenticator is gone, and its sessions end."""
    account = get_account(edit.tx, address)
    put_authenticator(edit.tx, account.key, "", "", 0)
    end_sessions(edit.tx, account.key)
    link = make_link(edit, account.key, LinkKind.RESET, portal)
    _tell_link(edit, account, link, account.language)
    return edit.done(AuditAction.RESET_ACCOUNT, Subject(account.address, None), address=account.address, link=link)


def ask_reset(edit: Edit, account: Account, *, portal: str, language: str) -> Changed:
    """Send somebody who has forgotten the password a link for a new one, once in a while."""
    made_at = to_instant(last_link_ends(edit.tx, account.key, LinkKind.RESET)) - GOOD_FOR[LinkKind.RESET]
    if edit.now < made_at + RESET_EVERY:
        return changed(AuditAction.RESET_ACCOUNT, address=account.address, link="")
    link = make_link(edit, account.key, LinkKind.RESET, portal)
    _tell_link(edit, account, link, account.language or language)
    return edit.done(AuditAction.RESET_ACCOUNT, Subject(account.address, None), address=account.address, link=link)


def link_to_sign_in(edit: Edit, address: str, *, portal: str) -> Changed:
    """Return a link that signs an account in by itself, once."""
    account = get_account(edit.tx, address)
    put_state(edit.tx, account.key, AccountState.ACTIVE)
    link = make_link(edit, account.key, LinkKind.SIGN_IN, portal)
    return edit.done(AuditAction.RESET_ACCOUNT, Subject(account.address, None), address=account.address, link=link)


def use_up_link(edit: Edit, link_key: int, account: Account) -> Changed:
    """Use a link, of which the rest of the transaction makes something. Raises AdminFault where it was used before."""
    if not use_link(edit.tx, link_key, to_stored(edit.now)):
        raise AdminFault(FaultCode.LINK_USED)
    return changed(AuditAction.SIGN_IN, address=account.address)


def find_linked(tx: Transaction, text: str, now: int) -> tuple[LinkRecord, Account] | None:
    """Return what a link is good for now (microseconds) and whose it is; None where it is not."""
    key = read_link(find_secret(tx, SECRET) or b"", text)
    record = find_link(tx, key) if key is not None else None
    if record is None or record.used_at is not None or record.expires_at <= now:
        return None
    account = find_account_by_key(tx, record.account_key)
    return None if account is None or account.state is AccountState.DISABLED else (record, account)


def _tell_link(edit: Edit, account: Account, link: str, language: str) -> None:
    letter = letter_row(account.address, "account-reset", {"link": link}, now=to_stored(edit.now), language=language)
    Outbox(edit.keys).add(edit.tx, [letter])


def make_link(edit: Edit, account_key: int, kind: LinkKind, portal: str) -> str:
    """Return a new link of a kind for an account; the one before is void."""
    key = edit.keys.take()
    expires_at = to_stored(edit.now + GOOD_FOR[kind])
    record = LinkRecord(key=key, account_key=account_key, kind=kind, expires_at=expires_at, used_at=None)
    add_link(edit.tx, record, edit.who)
    return f"{portal}/portal/link?link={sign_link(secret_named(edit.tx, SECRET), key)}"
