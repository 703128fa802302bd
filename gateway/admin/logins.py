"""Changes to logins, client certificates and API keys of customers and of their users, and the list of them.

Not here: how a login is proven (gateway.auth), the users themselves (users).
"""

import secrets
import string
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from addressbook.api_keys import PREFIX, Scope, join_verifier
from addressbook.canonical import canonical_login
from addressbook.people import Credential, CredentialKind, Customer, User
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import bind, get_customer, get_login, get_user
from sms.facts import Fact
from store.api_keys import last_uses
from store.directory_lookup import (
    all_customers,
    find_credential,
    find_credential_by_verifier,
    find_customer_by_key,
    find_user_by_key,
    logins_of,
    profiles_of,
    users_of,
)
from store.engine.database import Transaction

SHORTEST_PASSWORD = 8
Made = TypeVar("Made")
_LETTERS_AND_DIGITS = string.ascii_letters + string.digits


def random_password() -> str:
    """Return a password of 142 random bits: letters and digits, which dialogs, files and shells take as they are."""
    return "".join(secrets.choice(_LETTERS_AND_DIGITS) for _ in range(24))


def make_verifier(password: str, hash_password: Callable[[str], Made]) -> Made:
    """Return what a login stores of its password. It takes a while by design, so call it before the transaction.

    Raises AdminFault for a password that is too short.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise AdminFault(FaultCode.PASSWORD_TOO_SHORT, least=SHORTEST_PASSWORD)
    return hash_password(password)


def add_login(  # noqa: PLR0913 - what a login has
    edit: Edit,
    login: str,
    verifier: str,
    *,
    customer: str = "",
    user: str = "",
    scram: str = "",
    must_be_new: bool = False,
) -> Changed:
    """Make a login of a customer or of a user; one that exists and is theirs gets a new password, or is a fault."""
    owner, found = _owner(edit, customer, user)
    before = _find_own(edit, login, owner, found)
    if before is not None and must_be_new:
        raise AdminFault(FaultCode.LOGIN_TAKEN, login=before.login)
    if before is not None and before.kind is not CredentialKind.PASSWORD:
        raise AdminFault(FaultCode.LOGIN_IS_CERTIFICATE, login=before.login)
    login = before.login if before is not None else _canonical(login)
    bare = before or _new_credential(login, owner, found, CredentialKind.PASSWORD)
    edit.stored.put_credential(replace(bare, verifier=verifier, scram=scram))
    return _done(edit, AuditAction.SET_LOGIN, login, owner, found, new=before is None)


def add_certificate(  # noqa: PLR0913 - what a certificate has
    edit: Edit,
    login: str,
    verifier: str,
    *,
    customer: str = "",
    user: str = "",
    service: str | None = None,
    profile: str | None = None,
) -> Changed:
    """Let a client certificate prove a customer or one of its users, under a name of its own; `verifier` says which."""
    owner, found = _owner(edit, customer, user)
    before = _find_own(edit, login, owner, found)
    if before is not None and before.kind is not CredentialKind.CERTIFICATE:
        raise AdminFault(FaultCode.LOGIN_TAKEN, login=before.login)
    login = _canonical(login)
    same = find_credential_by_verifier(edit.tx, verifier)
    if same is not None and same.login != login:
        raise AdminFault(FaultCode.CERTIFICATE_TAKEN, login=same.login)
    bare = before or _new_credential(login, owner, found, CredentialKind.CERTIFICATE)
    edit.stored.put_credential(bind(edit.tx, owner, replace(bare, verifier=verifier), service, profile))
    return _done(edit, AuditAction.SET_CERTIFICATE, login, owner, found, new=before is None)


def random_key() -> str:
    """Return a new API key of 238 random bits."""
    return PREFIX + "".join(secrets.choice(_LETTERS_AND_DIGITS) for _ in range(40))


def add_key(  # noqa: PLR0913 - what an API key has
    edit: Edit,
    name: str,
    digest: str,
    *,
    login: str,
    scopes: Collection[Scope],
    expires_at: datetime | None = None,
    sandbox: bool = False,
) -> Changed:
    """Give the user of a login an API key under a name of its own."""
    of = get_login(edit.tx, login)
    owner, user = find_customer_by_key(edit.tx, of.customer_id), find_user_by_key(edit.tx, of.user_id or 0)
    assert owner is not None
    if user is None:
        raise AdminFault(FaultCode.LOGIN_OF_NO_USER, login=of.login)
    if not scopes:
        raise AdminFault(FaultCode.NO_SCOPE)
    canonical = _canonical(name)
    if find_credential(edit.tx, canonical) is not None:
        raise AdminFault(FaultCode.LOGIN_TAKEN, login=canonical)
    bare = _new_credential(canonical, owner, user, CredentialKind.KEY)
    made = replace(bare, verifier=digest, scopes=frozenset(scopes), expires_at=expires_at, sandbox=sandbox)
    edit.stored.put_credential(made)
    about = Subject(canonical, owner.key, user.address, differences({}, _key_terms(made)))
    return edit.done(AuditAction.ADD_KEY, about, login=canonical, address=user.address)


def rotate_key(edit: Edit, name: str, digest: str, *, keep_until: datetime | None = None) -> Changed:
    """Replace an API key; the one before stays good until an instant, None: it ends now."""
    before = get_login(edit.tx, name)
    if before.kind is not CredentialKind.KEY:
        raise AdminFault(FaultCode.LOGIN_IS_NO_KEY, login=before.login)
    edit.stored.put_credential(replace(before, verifier=join_verifier(digest, before.verifier, keep_until)))
    about = Subject(before.login, before.customer_id)
    return edit.done(AuditAction.ROTATE_KEY, about, login=before.login, until=_text(keep_until))


def _key_terms(key: Credential) -> dict[str, object]:
    return {
        "scopes": " ".join(sorted(key.scopes)),
        "expires_at": _text(key.expires_at),
        "sandbox": key.sandbox or None,
    }


def set_login(edit: Edit, login: str, *, service: str | None = None, profile: str | None = None) -> Changed:
    """Say of which service a login's mails are, and which profile applies to senders who are no users."""
    before = get_login(edit.tx, login)
    owner = find_customer_by_key(edit.tx, before.customer_id)
    assert owner is not None
    after = bind(edit.tx, owner, before, service, profile)
    edit.stored.put_credential(after)
    names = {item.key: item.name for item in profiles_of(edit.tx, owner.key)}
    told = [{"service": item.service, "profile": names.get(item.profile_id or 0)} for item in (before, after)]
    about = Subject(before.login, owner.key, values=differences(*told))
    service_named, profile_named = after.service or "", names.get(after.profile_id or 0, "")
    return edit.done(AuditAction.BIND_LOGIN, about, login=before.login, service=service_named, profile=profile_named)


def rotate_login(edit: Edit, login: str, verifier: str, scram: str) -> Changed:
    """Give a login a new password; the one before proves nothing any more."""
    before = get_login(edit.tx, login)
    if before.kind is not CredentialKind.PASSWORD:
        raise AdminFault(FaultCode.LOGIN_IS_CERTIFICATE, login=before.login)
    edit.stored.put_credential(replace(before, verifier=verifier, scram=scram))
    owner = find_customer_by_key(edit.tx, before.customer_id)
    assert owner is not None
    user = find_user_by_key(edit.tx, before.user_id or 0)
    return _done(edit, AuditAction.SET_LOGIN, before.login, owner, user, new=False)


def set_login_active(edit: Edit, login: str, *, active: bool) -> Changed:
    """Let a login prove somebody, or stop it from proving anybody without removing it."""
    before = get_login(edit.tx, login)
    edit.stored.put_credential(replace(before, active=active))
    values = differences({"active": before.active}, {"active": active})
    action = AuditAction.ENABLE_LOGIN if active else AuditAction.DISABLE_LOGIN
    return edit.done(action, Subject(before.login, before.customer_id, values=values), login=before.login)


def remove_login(edit: Edit, login: str) -> Changed:
    """Remove a login or a certificate; who uses it is refused from then on."""
    found = get_login(edit.tx, login)
    edit.stored.remove_credential(found.login)
    return edit.done(AuditAction.REMOVE_LOGIN, Subject(found.login, found.customer_id), login=found.login)


def list_logins(tx: Transaction, customer: str = "") -> list[dict[str, object]]:
    """Return the logins and certificates of a customer and its users by name; of all customers without a name."""
    customers = [get_customer(tx, customer)] if customer else all_customers(tx)
    return [view for owner in customers for view in _logins_view(tx, owner)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLogin:
    """A login with what is told beside it.

    `user` is whose it is (None: the whole customer's), `profile` the name of its own one for senders who are no users,
    `used_at` the last use of an API key.
    """

    login: Credential
    user: User | None
    profile: str
    used_at: datetime | None


def find_logins(tx: Transaction, customer_key: int) -> Iterator[OwnLogin]:
    """Yield the logins, certificates and API keys of a customer and its users by name."""
    profiles = {profile.key: profile.name for profile in profiles_of(tx, customer_key)}
    users = {user.key: user for user in users_of(tx, customer_key)}
    found = logins_of(tx, customer_key)
    used = last_uses(tx, [item.login for item in found if item.kind is CredentialKind.KEY])
    for item in found:
        yield OwnLogin(
            login=item,
            user=users.get(item.user_id or 0),
            profile=profiles.get(item.profile_id or 0, ""),
            used_at=used.get(item.login),
        )


def _logins_view(tx: Transaction, customer: Customer) -> Iterator[dict[str, object]]:
    for own in find_logins(tx, customer.key):
        item = own.login
        yield {
            "login": item.login,
            "customer": customer.name,
            "kind": item.kind.value,
            "proved_by": _proved_by(item),
            "user": own.user.address if own.user is not None else "",
            "service": item.service or "",
            "profile": own.profile,
            "active": item.active,
            "scopes": " ".join(sorted(item.scopes)),
            "expires_at": _text(item.expires_at),
            "used_at": _text(own.used_at),
        }


def _proved_by(item: Credential) -> str:
    """Return what proves a login, without a secret."""
    if item.kind is CredentialKind.PASSWORD:
        return "password, SCRAM" if item.scram else "password"
    if item.kind is CredentialKind.KEY:
        return "API key of the sandbox" if item.sandbox else "API key"
    kind, _, rest = item.verifier.partition(":")
    return f"public key {rest}" if kind == "spki" else f"name {rest.partition(':')[2]}"


def _text(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="seconds")


def _new_credential(login: str, owner: Customer, user: User | None, kind: CredentialKind) -> Credential:
    """Return a credential that nothing proves yet."""
    return Credential(
        login=login, customer_id=owner.key, user_id=user.key if user is not None else None, kind=kind, verifier=""
    )


def _owner(edit: Edit, customer: str, user: str) -> tuple[Customer, User | None]:
    found = get_user(edit.tx, user) if user else None
    if found is None:
        return get_customer(edit.tx, customer), None
    owner = find_customer_by_key(edit.tx, found.customer_id)
    assert owner is not None
    if customer and get_customer(edit.tx, customer).key != owner.key:
        raise AdminFault(FaultCode.NO_USER, address=user)
    return owner, found


def _canonical(login: str) -> str:
    canonical = canonical_login(login)
    if not canonical or len(canonical) > 200 or not canonical.isprintable():
        raise AdminFault(FaultCode.BAD_LOGIN, login=login)
    return canonical


def _find_own(edit: Edit, login: str, owner: Customer, user: User | None) -> Credential | None:
    """Return a login that exists and is theirs; raises AdminFault for one of somebody else."""
    canonical = _canonical(login)
    before = find_credential(edit.tx, canonical)
    if before is not None and (before.customer_id, before.user_id) != (owner.key, user.key if user else None):
        raise AdminFault(FaultCode.LOGIN_TAKEN, login=canonical)
    return before


def _done(  # noqa: PLR0913 - what was done, to whose login
    edit: Edit, action: AuditAction, login: str, owner: Customer, user: User | None, *, new: bool
) -> Changed:
    named = {"customer": "" if user else owner.name, "address": user.address if user else ""}
    detail = named["address"] or named["customer"]
    facts: dict[str, Fact] = {"login": login, "new": new, **named}
    return edit.done(action, Subject(login, owner.key, detail), **facts)
