"""What somebody changes about its own account: password, authenticator, name, sessions.

Who asks is known before (gateway.portal). Not here: roles and invitations (accounts).
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from addressbook.accounts import Account
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.letters import letter_row
from gateway.portal.codes import digests_of
from store.engine.keys import to_stored
from store.outbox import Outbox
from store.portal_accounts import put_authenticator, put_password, put_person
from store.portal_sessions import end_session, end_sessions, void_links


def set_own_password(edit: Edit, account: Account, verifier: str) -> Changed:
    """Store a new password, end all sessions, make all links void, and tell the account by mail."""
    put_password(edit.tx, account.key, verifier)
    end_sessions(edit.tx, account.key)
    void_links(edit.tx, account.key)
    letter = letter_row(
        account.address,
        "account-password",
        {"address": account.address},
        now=to_stored(edit.now),
        language=account.language,
    )
    Outbox(edit.keys).add(edit.tx, [letter])
    return edit.done(AuditAction.SET_ACCOUNT_PASSWORD, _about(account), address=account.address)


def set_authenticator(edit: Edit, account: Account, *, secret: str, codes: Sequence[str], step: int) -> Changed:
    """Store a new authenticator with its recovery codes, or take it away (empty secret).

    `step` is the time step of the code that proved it, which proves nothing again.
    """
    put_authenticator(edit.tx, account.key, secret, digests_of(codes), step)
    return edit.done(AuditAction.SET_AUTHENTICATOR, _about(account), address=account.address, has_one=bool(secret))


def set_person(edit: Edit, account: Account, *, name: str, language: str, zone: str) -> Changed:
    """Store how somebody is called, and the language and zone of its pages; empty: the browser's and the customer's."""
    if zone:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise AdminFault(FaultCode.NO_ZONE, name=zone) from None
    put_person(edit.tx, account.key, name, language, zone)
    before = {"name": account.name, "language": account.language, "zone": account.zone}
    values = differences(before, {"name": name, "language": language, "zone": zone})
    return edit.done(AuditAction.SET_ACCOUNT, Subject(account.address, None, values=values), address=account.address)


def end_own_session(edit: Edit, account: Account, session_key: int) -> Changed:
    """End one session of the account."""
    end_session(edit.tx, session_key, account.key)
    return edit.done(AuditAction.END_SESSIONS, _about(account), address=account.address)


def end_other_sessions(edit: Edit, account: Account, own: int) -> Changed:
    """End all sessions of the account but this one."""
    end_sessions(edit.tx, account.key, own)
    return edit.done(AuditAction.END_SESSIONS, _about(account), address=account.address)


def _about(account: Account) -> Subject:
    return Subject(account.address, None)
