"""The address book file in and out: what it would change, the change, and an export that reads back.

Not here: what a file says (addressbook.exchange) and what that changes (addressbook.import_plan).
"""

from collections.abc import Iterable, Mapping

from addressbook.exchange import ExportedUser, UserFile
from addressbook.hierarchy import LayerKey, LayerKind
from addressbook.import_plan import Bar, ImportPlan, PlannedUser, StoredUser, plan_import
from addressbook.people import Customer, User, canonical_name
from gateway.admin.domains import find_domain_bars
from gateway.admin.edit import AuditAction, Changed, Edit, changed
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from gateway.admin.settings import find_bar, limits_of
from store.directory import find_users, profiles_of, users_of
from store.directory_changes import CellToStore, read_cells_of
from store.engine.database import Transaction


def preview_import(tx: Transaction, customer: str, user_file: UserFile) -> ImportPlan:
    """Return what `import_users` would change now."""
    return _plan(tx, get_customer(tx, customer), user_file)


def _plan(tx: Transaction, customer: Customer, user_file: UserFile) -> ImportPlan:
    if user_file.damaged:
        return ImportPlan(faults=user_file.faults)
    addresses = {row.address for row in user_file.rows}
    users = {**find_users(tx, addresses), **{user.address: user for user in users_of(tx, customer.id)}}
    cells = read_cells_of(tx, customer.id, LayerKind.USER)
    pinned = read_cells_of(tx, customer.id, LayerKind.PINNED)
    stored = {
        user.address: StoredUser(
            id=user.id,
            customer_id=user.customer_id,
            address=user.address,
            name=user.name,
            active=user.active,
            phone=user.phone,
            profile_id=user.profile_id,
            cells=cells.get(user.id, {}),
            pinned=pinned.get(user.id, {}),
        )
        for user in users.values()
    }
    barred = find_domain_bars(tx, customer, (address.rpartition("@")[2] for address in addresses))
    profiles = {canonical_name(profile.name): profile.id for profile in profiles_of(tx, customer.id)}
    limits = limits_of(tx, customer.id)

    def bar_of(name: str, value: object) -> Bar | None:
        fault = find_bar(name, value, LayerKind.USER, limits)
        return None if fault is None else (fault.code, fault.facts)

    return plan_import(user_file.rows, customer.id, profiles, stored, barred, found=user_file.faults, find_bar=bar_of)


def import_users(edit: Edit, customer: str, user_file: UserFile, *, skip_faulty: bool = False) -> Changed:
    """Apply an address book file; a damaged one changes nothing. Pinned settings stay, absent users stay.

    A single fault leaves everything as it is, unless rows with faults are to be skipped.
    """
    owner = get_customer(edit.tx, customer)
    plan = _plan(edit.tx, owner, user_file)
    if plan.faults and (user_file.damaged or not skip_faulty):
        raise AdminFault(FaultCode.FILE_FAULTY, faults=len(plan.faults), place=plan.faults[0].place)
    counts = {
        "added": len(plan.added),
        "changed": len(plan.changed),
        "unchanged": plan.unchanged,
        "not_in_file": plan.not_in_source,
        "faults": len(plan.faults),
    }
    if not plan.added and not plan.changed:
        return changed(AuditAction.IMPORT_USERS, **counts)
    keys = edit.stored.add_users([_as_user(planned, owner.id, 0) for planned in plan.added], "file")
    known = {planned.row.address: planned.before.id for planned in plan.changed if planned.before is not None}
    edit.stored.set_users([_as_user(planned, owner.id, known[planned.row.address]) for planned in plan.changed])
    for kind in (LayerKind.USER, LayerKind.PINNED):
        edit.stored.put_cells(_cells_of(user_file, plan.added, keys, kind), of_new_owners=True)
        edit.stored.put_cells(_cells_of(user_file, plan.changed, known, kind))
    told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
    detail = f"file {user_file.source} (SHA-256 {user_file.digest}): {told}"
    return edit.done(AuditAction.IMPORT_USERS, owner.name, detail, **counts)


def _cells_of(
    user_file: UserFile, planned_users: Iterable[PlannedUser], keys: Mapping[str, int], kind: LayerKind
) -> list[CellToStore]:
    return [
        CellToStore(
            key=LayerKey(kind, keys[planned.row.address]),
            field=name,
            text=text,
            origin=user_file.origin(planned.row, name),
        )
        for planned in planned_users
        for name, text in (planned.pinned if kind is LayerKind.PINNED else planned.cells).items()
    ]


def _as_user(planned: PlannedUser, customer_id: int, key: int) -> User:
    return User(
        id=key,
        customer_id=customer_id,
        address=planned.row.address,
        profile_id=planned.profile_id,
        name=planned.name,
        active=planned.active,
        phone=planned.phone,
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
