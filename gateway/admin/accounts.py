"""Accounts of the portal: who is invited, as what at which customer, and who may sign in at all.

Not here: links (account_links), how somebody signs in (gateway.portal), what a role may do (addressbook.rights).
"""

from collections.abc import Mapping

from addressbook.accounts import Account, AccountState, LinkKind
from addressbook.canonical import canonical_address
from addressbook.people import Customer
from addressbook.rights import Role
from gateway.admin.account_links import get_account, make_link
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, ValueChange
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from gateway.letters import letter_row
from store.directory_lookup import all_customers
from store.engine.database import Transaction
from store.engine.keys import to_stored
from store.outbox import Outbox
from store.portal_accounts import (
    accounts_of,
    add_account,
    find_account,
    find_secrets,
    put_membership,
    put_state,
    put_totp_rule,
    remove_membership,
)
from store.portal_sessions import end_sessions

OPERATOR_KEY = 0
"""What stands for all customers."""


def invite_account(  # noqa: PLR0913 - what an invitation says
    edit: Edit,
    address: str,
    *,
    customer: str,
    role: str,
    portal: str,
    name: str = "",
    language: str = "",
    tell: bool = True,
) -> Changed:
    """Give somebody a role at a customer (empty: the operator's), and `tell` it by a letter in a language.

    Who never had a password gets a link by which to set one; `portal` is the address with which the link begins.
    """
    canonical = canonical_address(address)
    if canonical is None:
        raise AdminFault(FaultCode.BAD_ADDRESS, address=address)
    owner, asked = role_at(edit.tx, customer, role)
    account = find_account(edit.tx, canonical)
    if account is None:
        key = edit.keys.take()
        add_account(edit.tx, key, canonical, name, to_stored(edit.now))
    else:
        key = account.key
        _check_last_administrator(edit.tx, account, owner, asked)
    put_membership(edit.tx, key, owner.key if owner is not None else OPERATOR_KEY, asked)
    link = ""
    if account is None or account.state is AccountState.INVITED:
        link = make_link(edit, key, LinkKind.INVITATION, portal)
    if tell:
        name_of_customer = owner.name if owner is not None else "mail2sms"
        letter = letter_row(
            canonical,
            "account-invited" if link else "account-role",
            {
                "who": f" ({edit.who})" if "@" in edit.who else "",
                "customer": name_of_customer,
                "link": link or f"{portal}/portal/",
            },
            now=to_stored(edit.now),
            language=(account.language if account is not None else "") or language,
        )
        Outbox(edit.keys).add(edit.tx, [letter])
    return edit.done(
        AuditAction.INVITE_ACCOUNT,
        subject_of(canonical, owner, account, asked),
        address=canonical,
        customer=owner.name if owner is not None else "",
        role=asked.value,
        link=link,
    )


def set_role(edit: Edit, address: str, *, customer: str, role: str) -> Changed:
    """Give an account another role at a customer where it has one."""
    owner, asked = role_at(edit.tx, customer, role)
    account = get_account_of(edit.tx, address, owner)
    _check_last_administrator(edit.tx, account, owner, asked)
    put_membership(edit.tx, account.key, owner.key if owner is not None else OPERATOR_KEY, asked)
    return edit.done(
        AuditAction.SET_ROLE,
        subject_of(account.address, owner, account, asked),
        address=account.address,
        customer=owner.name if owner is not None else "",
        role=asked.value,
    )


def remove_role(edit: Edit, address: str, *, customer: str) -> Changed:
    """Take an account's role at a customer away; its other ones stay."""
    owner = get_customer(edit.tx, customer) if customer else None
    account = get_account_of(edit.tx, address, owner)
    _check_last_administrator(edit.tx, account, owner, None)
    remove_membership(edit.tx, account.key, owner.key if owner is not None else OPERATOR_KEY)
    if len(account.memberships) == 1:
        end_sessions(edit.tx, account.key)
    return edit.done(
        AuditAction.REMOVE_ROLE,
        subject_of(account.address, owner, account, None),
        address=account.address,
        customer=owner.name if owner is not None else "",
    )


def set_account_active(edit: Edit, address: str, *, active: bool, customer: str = "") -> Changed:
    """Let an account sign in again, or not from now on; a customer may do so with accounts that are nobody else's."""
    owner = get_customer(edit.tx, customer) if customer else None
    account = get_account_of(edit.tx, address, owner) if owner is not None else get_account(edit.tx, address)
    if owner is not None and not account.belongs_to(owner.key):
        raise AdminFault(FaultCode.ACCOUNT_ELSEWHERE, address=account.address, customer=owner.name)
    if not active:
        _check_last_administrator(edit.tx, account, owner, None)
    state = AccountState.DISABLED
    if active:
        has_password = bool(find_secrets(edit.tx, account.key).verifier)
        state = AccountState.ACTIVE if has_password else AccountState.INVITED
    else:
        end_sessions(edit.tx, account.key)
    put_state(edit.tx, account.key, state)
    action = AuditAction.ENABLE_ACCOUNT if active else AuditAction.DISABLE_ACCOUNT
    return edit.done(action, Subject(account.address, _key_of(owner)), address=account.address)


def end_account_sessions(edit: Edit, address: str, *, customer: str = "") -> Changed:
    """Have an account sign in anew everywhere: all its sessions end."""
    owner = get_customer(edit.tx, customer) if customer else None
    account = get_account_of(edit.tx, address, owner) if owner is not None else get_account(edit.tx, address)
    end_sessions(edit.tx, account.key)
    return edit.done(AuditAction.END_SESSIONS, Subject(account.address, _key_of(owner)), address=account.address)


def require_authenticator(edit: Edit, customer: str, *, required: bool) -> Changed:
    """Ask every account of a customer (empty: the operator's) for an authenticator, or not."""
    owner = get_customer(edit.tx, customer) if customer else None
    put_totp_rule(edit.tx, owner.key if owner is not None else OPERATOR_KEY, required=required)
    subject = Subject(owner.name if owner is not None else "operator", owner.key if owner is not None else None)
    name = owner.name if owner is not None else ""
    return edit.done(AuditAction.SET_PORTAL_RULE, subject, customer=name, totp_required=required)


def get_account_of(tx: Transaction, address: str, owner: Customer | None) -> Account:
    """Return the account of an address that has a role at a customer. Raises AdminFault."""
    account = find_account(tx, canonical_address(address) or "")
    key = owner.key if owner is not None else OPERATOR_KEY
    if account is None or all(item.customer_key != key for item in account.memberships):
        raise AdminFault(FaultCode.NO_ACCOUNT, address=address, customer=owner.name if owner is not None else "")
    return account


def list_accounts(tx: Transaction, customer: str = "") -> list[Mapping[str, object]]:
    """Return a row for each role of each account, of one customer or of all."""
    owner = get_customer(tx, customer) if customer else None
    names = {item.key: item.name for item in all_customers(tx)}
    return [
        {
            "address": account.address,
            "name": account.name,
            "customer": names.get(item.customer_key, ""),
            "role": item.role.value,
            "state": account.state.value,
            "authenticator": account.has_totp,
            "signed_in": "" if account.signed_in_at is None else account.signed_in_at.isoformat(timespec="seconds"),
        }
        for account in accounts_of(tx, owner.key if owner is not None else None)
        for item in account.memberships
        if owner is None or item.customer_key == owner.key
    ]


def find_accounts(tx: Transaction, customer_key: int) -> list[Account]:
    """Return the accounts that have a role at a customer, by address."""
    return accounts_of(tx, customer_key)


def role_at(tx: Transaction, customer: str, text: str) -> tuple[Customer | None, Role]:
    """Return whose role it is, None for the operator's. Raises AdminFault."""
    try:
        role = Role(text.strip().lower())
    except ValueError:
        raise AdminFault(FaultCode.NO_ROLE, name=text) from None
    if (role is Role.OPERATOR) == bool(customer):
        raise AdminFault(FaultCode.ROLE_ELSEWHERE, role=role.value, customer=customer)
    return get_customer(tx, customer) if customer else None, role


def _check_last_administrator(tx: Transaction, account: Account, owner: Customer | None, role: Role | None) -> None:
    """Raise AdminFault where nobody would be left who may change a customer's accounts."""
    if owner is None or role is Role.ADMINISTRATOR or account.role_at(owner.key) is not Role.ADMINISTRATOR:
        return
    if is_last_administrator(tx, account, owner.key):
        raise AdminFault(FaultCode.LAST_ADMINISTRATOR, address=account.address, customer=owner.name)


def is_last_administrator(tx: Transaction, account: Account, customer_key: int) -> bool:
    """Return whether no other account that may sign in administers a customer as this one does."""
    administrators = [
        item.key
        for item in accounts_of(tx, customer_key)
        if item.role_at(customer_key) is Role.ADMINISTRATOR and item.state is not AccountState.DISABLED
    ]
    return administrators == [account.key]


def _key_of(owner: Customer | None) -> int | None:
    return owner.key if owner is not None else None


def subject_of(address: str, owner: Customer | None, before: Account | None, role: Role | None) -> Subject:
    """Return how the audit tells that an account has another role (None: no longer one)."""
    key = owner.key if owner is not None else OPERATOR_KEY
    had = None if before is None else next((item.role for item in before.memberships if item.customer_key == key), None)
    change = ValueChange("role", had.value if had is not None else "", role.value if role is not None else "")
    return Subject(address, owner.key if owner is not None else None, values=[change])
