"""The address book file in and out: what it would change, the change, and an export that reads back.

Not here: what a file says (addressbook.exchange) and what that changes (addressbook.sync_plan).
"""

from collections.abc import Collection, Iterable, Mapping

from addressbook.changes import ADDRESS, ChangeFault, ChangeFaultCode, Reading
from addressbook.exchange import ExportedUser, UserFile
from addressbook.hierarchy import LayerKey, LayerKind
from addressbook.people import Customer, User
from addressbook.sync_plan import SyncPlan, plan_sync
from addressbook.user_plan import PlannedUser, StoredUser, UserAction
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, changed
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from gateway.admin.plan_input import plan_rules, stored_people, stored_users
from store.audit import AuditLine
from store.directory_changes import CellToStore, read_cells_of
from store.directory_lookup import find_users, profiles_of, users_of
from store.engine.database import Transaction
from store.versions import find_owners


def preview_import(tx: Transaction, customer: str, user_file: UserFile) -> SyncPlan:
    """Return what `import_users` would change now."""
    return _plan(tx, get_customer(tx, customer), user_file)


def _plan(tx: Transaction, customer: Customer, user_file: UserFile) -> SyncPlan:
    if user_file.damaged:
        return SyncPlan(faults=user_file.faults)
    addresses = {row.address for row in user_file.rows}
    people = stored_people(tx, customer, addresses)
    rules = plan_rules(tx, customer, addresses)
    faults = (*user_file.faults, *_find_awaited(tx, user_file, addresses))
    reading = Reading(source=user_file.source, complete=False, changes=user_file.rows, faults=faults)
    return plan_sync(reading, stored_users(tx, customer, people), rules)


def _find_awaited(tx: Transaction, user_file: UserFile, addresses: Collection[str]) -> list[ChangeFault]:
    """Return a fault for each row whose address somebody will have by an open run of a directory."""
    awaited = find_owners(tx, addresses).keys() - find_users(tx, addresses).keys()
    code = ChangeFaultCode.OF_DIRECTORY
    return [
        ChangeFault(place=row.place, column=ADDRESS, code=code, facts={"address": row.address})
        for row in user_file.rows
        if row.address in awaited
    ]


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
    known = {planned.after.address: planned.after.key for planned in differing}
    edit.stored.set_users([_as_user(planned.after) for planned in differing])
    for kind in (LayerKind.USER, LayerKind.PINNED):
        edit.stored.put_cells(_cells_of(user_file, added, keys, kind), of_new_owners=True)
        edit.stored.put_cells(_cells_of(user_file, differing, known, kind))
    edit.stored.audit(
        *(
            AuditLine(
                action=AuditAction.IMPORT_USERS.value,
                target=line.target,
                customer_key=owner.key,
                field=line.field,
                before=line.before,
                after=line.after,
            )
            for line in plan.lines
        )
    )
    told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
    detail = f"file {user_file.source} (SHA-256 {user_file.digest}): {told}"
    return edit.done(AuditAction.IMPORT_USERS, Subject(owner.name, owner.key, detail), **counts)


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
        key=stored.key,
        customer_id=stored.customer_id,
        address=stored.address,
        profile_id=stored.profile_id,
        name=stored.name,
        active=stored.active,
        phone=stored.phone,
    )


def export_users(tx: Transaction, customer: str) -> list[ExportedUser]:
    """Return a customer's people with what is set for each; where an administrator pinned it, that, named so."""
    owner = get_customer(tx, customer)
    names = {profile.key: profile.name for profile in profiles_of(tx, owner.key)}
    of_file = read_cells_of(tx, owner.key, LayerKind.USER)
    pinned = read_cells_of(tx, owner.key, LayerKind.PINNED)
    return [
        ExportedUser(
            address=user.address,
            name=user.name,
            phone=user.phone,
            active=user.active,
            profile=names.get(user.profile_id, "") if user.profile_id is not None else "",
            cells={**of_file.get(user.key, {}), **pinned.get(user.key, {})},
            pinned=frozenset(pinned.get(user.key, {})),
        )
        for user in users_of(tx, owner.key)
        if not user.is_application
    ]
