"""What a plan of users is made upon: who is stored, what binds a customer, and whose the addresses are.

Not here: the plan (addressbook.sync_plan), what it is made of (user_import, gateway.sync_planning).
"""

from collections.abc import Collection, Iterable

from addressbook.hierarchy import LayerKind
from addressbook.people import Customer
from addressbook.user_plan import Bar, PlanRules, StoredUser
from gateway.admin.domains import find_domain_bars
from gateway.admin.settings import find_bar, limits_of
from store.directory_changes import read_cells_of
from store.directory_lookup import profiles_of
from store.engine.database import Transaction
from store.stored_people import StoredPerson, holders_of, people_of


def stored_people(
    tx: Transaction, customer: Customer, addresses: Collection[str], directory_key: int = 0
) -> list[StoredPerson]:
    """Return a customer's users, and who else has one of these addresses or awaits it by another directory's run."""
    people = people_of(tx, customer.key)
    own = {person.address for person in people}
    return [*people, *(other for other in holders_of(tx, addresses, directory_key) if other.address not in own)]


def stored_users(tx: Transaction, customer: Customer, people: Iterable[StoredPerson]) -> list[StoredUser]:
    """Return people with what is set for those of a customer."""
    cells = read_cells_of(tx, customer.key, LayerKind.USER)
    pinned = read_cells_of(tx, customer.key, LayerKind.PINNED)
    return [
        StoredUser(
            key=person.user_key,
            customer_id=person.customer_key,
            address=person.address,
            name=person.name,
            phone=person.phone,
            active=person.active,
            profile_id=person.profile_key,
            source=person.source,
            directory_key=person.directory_key,
            anchor=person.anchor,
            disabled=person.disabled,
            unseen=person.unseen_at is not None,
            missing=person.missing_at is not None,
            cells=cells.get(person.user_key, {}),
            pinned=pinned.get(person.user_key, {}),
        )
        for person in people
    ]


def plan_rules(
    tx: Transaction, customer: Customer, addresses: Iterable[str], directory_key: int | None = None
) -> PlanRules:
    """Return what binds a plan with these addresses."""
    limits = limits_of(tx, customer.key)

    def bar_of(name: str, value: object) -> Bar | None:
        fault = find_bar(name, value, LayerKind.USER, limits)
        return None if fault is None else (fault.code, fault.facts)

    return PlanRules(
        customer_id=customer.key,
        directory_key=directory_key,
        profiles=profiles_of(tx, customer.key),
        barred_domains=find_domain_bars(tx, customer, {address.rpartition("@")[2] for address in addresses}),
        find_bar=bar_of,
    )
