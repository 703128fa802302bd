"""The address book file in and out: what it would change, the change, and an export that reads back.

Not here: what a file says (addressbook.exchange) and what that changes (addressbook.sync_plan).
"""

from collections.abc import Iterable, Mapping

from addressbook.changes import Reading
from addressbook.exchange import ExportedUser, UserFile
from addressbook.hierarchy import LayerKey, LayerKind
from addressbook.people import Customer, User
from addressbook.sync_plan import SyncPlan, plan_sync
from addressbook.user_plan import Bar, PlannedUser, PlanRules, StoredUser, UserAction
from gateway.admin.domains import find_domain_bars
from gateway.admin.edit import AuditAction, Changed, Edit, changed
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from gateway.admin.settings import find_bar, limits_of
from store.directory import find_users, profiles_of, users_of
from store.directory_changes import CellToStore, read_cells_of
from store.engine.database import Transaction


def preview_import(tx: Transaction, customer: str, user_file: UserFile) -> SyncPlan:
    """Return what `import_users` would change now."""
    return _plan(tx, get_customer(tx, customer), user_file)


def _plan(tx: Transaction, customer: Customer, user_file: UserFile) -> SyncPlan:
    if user_file.damaged:
        return SyncPlan(faults=user_file.faults)
    addresses = {row.address for row in user_file.rows}
    users = {**find_users(tx, addresses), **{user.address: user for user in users_of(tx, customer.id)}}
    cells = read_cells_of(tx, customer.id, LayerKind.USER)
    pinned = read_cells_of(tx, customer.id, LayerKind.PINNED)
    stored = [
        StoredUser(
            id=user.id,
            customer_id=user.customer_id,
            address=user.address,
            name=user.name,
            phone=user.phone,
            active=user.active,
            profile_id=user.profile_id,
            directory_key=user.directory_id,
            cells=cells.get(user.id, {}),
            pinned=pinned.get(user.id, {}),
        )
        for user in users.values()
    ]
    barred = find_domain_bars(tx, customer, (address.rpartition("@")[2] for address in addresses))
    limits = limits_of(tx, customer.id)

    def bar_of(name: str, value: object) -> Bar | None:
        fault = find_bar(name, value, LayerKind.USER, limits)
        return None if fault is None else (fault.code, fault.facts)

    rules = PlanRules(
        customer_id=customer.id,
        profiles=profiles_of(tx, customer.id),
        barred_domains=barred,
        find_bar=bar_of,
    )
    reading = Reading(source=user_file.source, complete=False, changes=user_file.rows, faults=user_file.faults)
    return plan_sync(reading, stored, rules)


def import_users(edit: Edit, customer: str, user_file: UserFile, *, skip_faulty: bool = False) -> Changed:
    """Apply an address book file; a damaged one changes nothing. Pinned settings stay, absent users stay.

    A single fault leaves everything as it is, unless rows with faults are to be skipped.
    """
    owner = get_customer(edit.tx, customer)
    plan = _plan(edit.tx, owner, user_file)
    if plan.faults and (user_file.damaged or not skip_faulty):
        raise AdminFault(FaultCode.FILE_FAULTY, faults=len(plan.faults), place=plan.faults[0].place)
    added = plan.of(UserAction.ADD)
    differing = [planned for planned in plan.users if not planned.is_new]
    counts = {
        "added": len(added),
        "changed": len(differing),
        "unchanged": plan.unchanged,
        "not_in_file": plan.left_alone,
        "faults": len(plan.faults),
    }
    if not plan.users:
        return changed(AuditAction.IMPORT_USERS, **counts)
    keys = edit.stored.add_users([_as_user(planned.after) for planned in added], "file")
    known = {planned.after.address: planned.after.id for planned in differing}
    edit.stored.set_users([_as_user(planned.after) for planned in differing])
    for kind in (LayerKind.USER, LayerKind.PINNED):
        edit.stored.put_cells(_cells_of(user_file, added, keys, kind), of_new_owners=True)
        edit.stored.put_cells(_cells_of(user_file, differing, known, kind))
    told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
    detail = f"file {user_file.source} (SHA-256 {user_file.digest}): {told}"
    return edit.done(AuditAction.IMPORT_USERS, owner.name, detail, **counts)


def _cells_of(
    user_file: UserFile, planned_users: Iterable[PlannedUser], keys: Mapping[str, int], kind: LayerKind
) -> list[CellToStore]:
    return [
        CellToStore(
            key=LayerKey(kind, keys[planned.after.address]),
            field=name,
            text=text,
            origin=user_file.origin(planned.row, name),
        )
        for planned in planned_users
        if planned.row is not None
        for name, text in (planned.pinned if kind is LayerKind.PINNED else planned.cells).items()
    ]


def _as_user(stored: StoredUser) -> User:
    return User(
        id=stored.id,
        customer_id=stored.customer_id,
        address=stored.address,
        profile_id=stored.profile_id,
        name=stored.name,
        active=stored.active,
        phone=stored.phone,
    )


def export_users(tx: Transaction, customer: str) -> list[ExportedUser]:
    """Return a customer's users with what is set for each of them; where an administrator pinned it, that, named so."""
    owner = get_customer(tx, customer)
    names = {profile.id: profile.name for profile in profiles_of(tx, owner.id)}
    of_file = read_cells_of(tx, owner.id, LayerKind.USER)
    pinned = read_cells_of(tx, owner.id, LayerKind.PINNED)
    return [
        ExportedUser(
            address=user.address,
            name=user.name,
            phone=user.phone,
            active=user.active,
            profile=names.get(user.profile_id, "") if user.profile_id is not None else "",
            cells={**of_file.get(user.id, {}), **pinned.get(user.id, {})},
            pinned=frozenset(pinned.get(user.id, {})),
        )
        for user in users_of(tx, owner.id)
    ]
