"""Changes to users and logins, and the address book file in and out.

Not here: customers and profiles (admin), settings (settings), what a file says (addressbook.exchange).
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from addressbook.exchange import ExportedPerson, PeopleFile
from addressbook.hierarchy import LayerKey, LayerKind
from addressbook.import_plan import ImportPlan, PlannedPerson, StoredPerson, plan_import
from addressbook.people import (
    Credential,
    CredentialKind,
    Customer,
    Profile,
    User,
    canonical_address,
    canonical_login,
    canonical_name,
)
from gateway.admin.customers import (
    Answer,
    Change,
    Changed,
    Edit,
    Fault,
    counted,
    no_customer,
    no_profile,
    with_customer,
)
from gateway.admin.settings import constraints_of, no_user, why_forbidden
from sms.settings import UNSET
from store.directory import (
    find_credential,
    find_customer,
    find_customer_by_key,
    find_domain_owner,
    find_profile,
    find_user,
    find_users,
    profiles_of,
    users_of,
)
from store.directory_changes import CellToStore, read_cells_of
from store.engine.database import Transaction

SHORTEST_PASSWORD = 8


def random_password() -> str:
    """Return a new password with 144 random bits, in characters that survive every mail client's dialog."""
    return secrets.token_urlsafe(18)


def with_user(address_text: str, act: Callable[[Edit, User], Answer]) -> Change:
    """Return the change that acts on the user with this address, or the fault that there is none."""

    def run(edit: Edit) -> Answer:
        address = canonical_address(address_text)
        user = find_user(edit.tx, address) if address is not None else None
        return no_user(address_text) if user is None else act(edit, user)

    return run


def add_user(address_text: str, customer_name: str, *, profile_name: str = "", name: str = "") -> Change:
    """Make a user; without a profile the customer's default one applies. An address has one owner."""

    def act(edit: Edit, customer: Customer) -> Answer:
        address = canonical_address(address_text)
        if address is None:
            return Fault(sentence=f"«{address_text}» is not a mail address.")
        taken = _why_taken(edit.tx, address, customer)
        if taken is not None:
            return taken
        profile = _profile_or_fault(edit.tx, customer, profile_name)
        if isinstance(profile, Fault):
            return profile
        user = User(
            id=0,
            customer_id=customer.id,
            address=address,
            profile_id=profile.id if profile is not None else None,
            name=" ".join(name.split())[:200],
        )
        edit.stored.add_users([user], "manual")
        with_profile = f" with the profile «{profile.name}»" if profile is not None else ""
        return edit.done("user.add", address, f"The user {address} of «{customer.name}» was added{with_profile}.")

    return with_customer(customer_name, act)


def _why_taken(tx: Transaction, address: str, customer: Customer) -> Fault | None:
    found = find_user(tx, address)
    if found is not None:
        owner = find_customer_by_key(tx, found.customer_id)
        return Fault(sentence=f"There is already a user {address}, of «{owner.name if owner else ''}».")
    domain = address.rpartition("@")[2]
    owner = find_domain_owner(tx, domain)
    if owner is not None and owner.id != customer.id:
        return Fault(sentence=f"The domain {domain} belongs to the customer «{owner.name}», not to «{customer.name}».")
    return None


def _profile_or_fault(tx: Transaction, customer: Customer, name: str) -> Profile | Fault | None:
    if not name:
        return None
    return find_profile(tx, customer.id, name) or no_profile(name, customer)


def remove_user(address: str) -> Change:
    """Remove a user with its settings and logins; its past jobs stay."""

    def act(edit: Edit, user: User) -> Answer:
        edit.stored.remove_user(user.id)
        return edit.done("user.remove", user.address, f"The user {user.address} was removed.")

    return with_user(address, act)


def set_user_profile(address: str, profile_name: str) -> Change:
    """Give a user another profile; an empty name means the customer's default."""

    def act(edit: Edit, user: User) -> Answer:
        customer = find_customer_by_key(edit.tx, user.customer_id)
        assert customer is not None
        profile = _profile_or_fault(edit.tx, customer, profile_name)
        if isinstance(profile, Fault):
            return profile
        edit.stored.set_users([replace(user, profile_id=profile.id if profile is not None else None)])
        chosen = f"«{profile.name}»" if profile is not None else "the customer's default"
        return edit.done("user.profile", user.address, f"The profile of {user.address} is now {chosen}.", profile_name)

    return with_user(address, act)


def set_user_active(address: str, *, active: bool) -> Change:
    """Let a user send, or stop it from sending without removing anything."""

    def act(edit: Edit, user: User) -> Answer:
        edit.stored.set_users([replace(user, active=active)])
        word = "enable" if active else "disable"
        return edit.done(f"user.{word}", user.address, f"The user {user.address} was {word}d.")

    return with_user(address, act)


def add_login(
    login_text: str, password: str, hash_password: Callable[[str], str], *, customer: str = "", user: str = ""
) -> Change:
    """Make a login of a customer or of a user, or give one that exists and is theirs a new password.

    The password is hashed here, outside the transaction, since that takes a while by design.
    """
    login = canonical_login(login_text)
    verifier = hash_password(password) if len(password) >= SHORTEST_PASSWORD else ""

    def store(edit: Edit, customer_id: int, user_id: int | None, owner: str) -> Answer:
        if not login or len(login) > 200 or not login.isprintable():
            return Fault(sentence=f"«{login_text}» cannot be a login: 1 to 200 visible characters are expected.")
        if not verifier:
            return Fault(sentence=f"The password is too short: {SHORTEST_PASSWORD} characters at least.")
        before = find_credential(edit.tx, login)
        if before is not None and (before.customer_id, before.user_id) != (customer_id, user_id):
            return Fault(sentence=f"The login «{login}» already belongs to somebody else.")
        edit.stored.put_credential(
            Credential(
                login=login,
                customer_id=customer_id,
                user_id=user_id,
                kind=CredentialKind.PASSWORD,
                verifier=verifier,
            )
        )
        done = "has a new password" if before is not None else "was added"
        return edit.done("login.set", login, f"The login «{login}» of {owner} {done}.", owner)

    if user:
        return with_user(user, lambda edit, found: store(edit, found.customer_id, found.id, found.address))
    return with_customer(customer, lambda edit, found: store(edit, found.id, None, f"«{found.name}»"))


def remove_login(login_text: str) -> Change:
    """Remove a login; who uses it is refused from then on."""

    def run(edit: Edit) -> Answer:
        login = canonical_login(login_text)
        if not edit.stored.remove_credential(login):
            return Fault(sentence=f"There is no login «{login_text}».")
        return edit.done("login.remove", login, f"The login «{login}» was removed.")

    return run


def plan_people(tx: Transaction, customer: Customer, people_file: PeopleFile) -> ImportPlan:
    """Return what a file would change for a customer."""
    addresses = {row.address for row in people_file.rows}
    users = {**find_users(tx, addresses), **{user.address: user for user in users_of(tx, customer.id)}}
    cells = read_cells_of(tx, customer.id, LayerKind.USER)
    pinned = read_cells_of(tx, customer.id, LayerKind.PINNED)
    stored = {
        user.address: StoredPerson(
            id=user.id,
            customer_id=user.customer_id,
            address=user.address,
            name=user.name,
            active=user.active,
            profile_id=user.profile_id,
            cells=cells.get(user.id, {}),
            pinned=pinned.get(user.id, {}),
        )
        for user in users.values()
    }
    domains = {address.rpartition("@")[2] for address in addresses}
    owners = {domain: find_domain_owner(tx, domain) for domain in domains}
    foreign = frozenset(domain for domain, owner in owners.items() if owner is not None and owner.id != customer.id)
    profiles = {canonical_name(profile.name): profile.id for profile in profiles_of(tx, customer.id)}
    rules = constraints_of(tx, customer.id)

    def forbidden(name: str, value: object) -> str:
        return "" if value is UNSET else why_forbidden(name, value, LayerKind.USER, rules)

    return plan_import(people_file, customer.id, profiles, stored, foreign, why_forbidden=forbidden)


def preview_people(tx: Transaction, customer_name: str, people_file: PeopleFile) -> ImportPlan | Fault:
    """Return what `import_people` would change now."""
    customer = find_customer(tx, customer_name)
    return no_customer(customer_name) if customer is None else plan_people(tx, customer, people_file)


def import_people(customer_name: str, people_file: PeopleFile, *, skip_faulty: bool = False) -> Change:
    """Apply an address book file; a damaged one changes nothing. Pinned settings stay, absent people stay.

    A single fault leaves everything as it is, unless rows with faults are to be skipped.
    """

    def act(edit: Edit, customer: Customer) -> Answer:
        if people_file.damaged:
            return Fault(sentence="Nothing was imported: " + "; ".join(map(str, people_file.faults)) + ".")
        plan = plan_people(edit.tx, customer, people_file)
        if plan.faults and not skip_faulty:
            told = f"{counted(len(plan.faults), 'fault')}, the first in {plan.faults[0]}"
            return Fault(sentence=f"Nothing was imported: {told}.")
        if not plan.added and not plan.changed:
            return Changed(sentence=describe_plan(plan, applied=True))
        new = [_as_user(planned, customer.id, 0) for planned in plan.added]
        keys = edit.stored.add_users(new, "file")
        known = {planned.row.address: planned.before.id for planned in plan.changed if planned.before is not None}
        edit.stored.set_users([_as_user(planned, customer.id, known[planned.row.address]) for planned in plan.changed])
        for kind in (LayerKind.USER, LayerKind.PINNED):
            edit.stored.put_cells(_cells_of(people_file, plan.added, keys, kind), of_new_owners=True)
            edit.stored.put_cells(_cells_of(people_file, plan.changed, known, kind))
        told = describe_plan(plan, applied=True)
        return edit.done(
            "people.import", customer.name, told, f"file {people_file.source} (SHA-256 {people_file.digest}): {told}"
        )

    return with_customer(customer_name, act)


def _cells_of(
    people_file: PeopleFile, planned_people: Iterable[PlannedPerson], keys: Mapping[str, int], kind: LayerKind
) -> list[CellToStore]:
    return [
        CellToStore(
            key=LayerKey(kind, keys[planned.row.address]),
            field=name,
            text=text,
            origin=people_file.origin(planned.row, name),
        )
        for planned in planned_people
        for name, text in (planned.pinned if kind is LayerKind.PINNED else planned.cells).items()
    ]


def _as_user(planned: PlannedPerson, customer_id: int, key: int) -> User:
    return User(
        id=key,
        customer_id=customer_id,
        address=planned.row.address,
        profile_id=planned.profile_id,
        name=planned.name,
        active=planned.active,
    )


def describe_plan(plan: ImportPlan, *, applied: bool) -> str:
    """Return what a file changed, or would change, in one sentence."""
    would = "" if applied else "would be "
    told = f"{counted(len(plan.added), 'user')} {would}added, {len(plan.changed)} {would}changed, "
    told += f"{plan.unchanged} unchanged, {plan.not_in_file} not in the file and left alone"
    return told + (f"; rows left out for {counted(len(plan.faults), 'fault')}." if plan.faults else ".")


def export_people(tx: Transaction, customer_name: str) -> list[ExportedPerson] | Fault:
    """Return a customer's users with what is set for each of them; where an administrator pinned it, that, named so."""
    customer = find_customer(tx, customer_name)
    if customer is None:
        return no_customer(customer_name)
    names = {profile.id: profile.name for profile in profiles_of(tx, customer.id)}
    of_file = read_cells_of(tx, customer.id, LayerKind.USER)
    pinned = read_cells_of(tx, customer.id, LayerKind.PINNED)
    return [
        ExportedPerson(
            address=user.address,
            name=user.name,
            active=user.active,
            profile=names.get(user.profile_id, "") if user.profile_id is not None else "",
            cells={**of_file.get(user.id, {}), **pinned.get(user.id, {})},
            pinned=frozenset(pinned.get(user.id, {})),
        )
        for user in users_of(tx, customer.id)
    ]
