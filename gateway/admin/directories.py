"""Changes to customers' directories, and what is known of each: how it is set, and how its last runs ended.

Not here: what an option means (addressbook.source_options), a run and what it leaves (gateway.directory_sync).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from addressbook.lists import is_list_name
from addressbook.options import Option
from addressbook.people import Customer
from addressbook.runs import RunLine
from addressbook.source_options import OptionFault, merge_options, options_digest, read_options
from addressbook.sources import CustomerDirectory, SourceKind
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, changed, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer, get_profile
from sms.facts import Fact
from store.directories import (
    StoredDirectory,
    add_directory,
    count_directory_users,
    directories_of,
    find_directory,
    remove_directory,
    set_directory,
)
from store.directory_lookup import all_customers
from store.directory_runs import Run, find_by_digest, find_held, find_run, find_running, read_lines, runs_of
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_instant_if_set, to_stored


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryState:
    """A directory as it stands, its users in force, and its runs: one that waits, one under way, the last one."""

    customer: str
    admin_address: str
    stored: StoredDirectory
    users: int
    held: Run | None
    running: Run | None
    last: Run | None

    @property
    def last_at(self) -> datetime | None:
        """When the last run ended, or began where it is under way; None where there was none."""
        return None if self.last is None else to_instant(self.last.ended_at or self.last.began_at)

    @property
    def next_at(self) -> datetime | None:
        """When it is read next, None where it is switched off."""
        return to_instant_if_set(self.stored.due_at) if self.stored.directory.active else None


def make_directory(edit: Edit, customer: str, name: str, kind: str, options: Mapping[str, str]) -> Changed:
    """Add a directory; it is read for the first time after its usual pause, or when a run is asked for."""
    owner = get_customer(edit.tx, customer)
    edit.check_option(owner, Option.DIRECTORY)
    if not is_list_name(name):
        raise AdminFault(FaultCode.BAD_DIRECTORY_NAME, name=name)
    if find_directory(edit.tx, owner.key, name) is not None:
        raise AdminFault(FaultCode.DIRECTORY_EXISTS, customer=owner.name, name=name)
    given = merge_options({}, options)
    made = _read(SourceKind(kind), given, key=edit.stored.new_key(), owner=owner, name=name)
    _check_profiles(edit.tx, owner, made)
    add_directory(edit.tx, made, given, to_stored(edit.now + timedelta(minutes=made.every)))
    _note(edit, AuditAction.ADD_DIRECTORY, made, owner.name, ({}, given))
    return changed(AuditAction.ADD_DIRECTORY, customer=owner.name, name=name, kind=made.kind.value, minutes=made.every)


def change_directory(edit: Edit, customer: str, name: str, options: Mapping[str, str]) -> Changed:
    """Set options of a directory; an empty text is the default again.

    What changes who is read, or as what, makes the next run wait for approval where there are users.
    """
    owner = get_customer(edit.tx, customer)
    edit.check_option(owner, Option.DIRECTORY)
    found = get_directory(edit.tx, owner, name)
    before, after = found.directory, merge_options(found.options, options)
    made = _read(before.kind, after, key=before.key, owner=owner, name=before.name)
    _check_profiles(edit.tx, owner, made)
    set_directory(edit.tx, made, after)
    _note(edit, AuditAction.SET_DIRECTORY, made, owner.name, (found.options, after))
    will_wait = bool(found.digest) and options_digest(made) != found.digest
    keys = tuple(sorted(merge_options({}, dict.fromkeys(options, "x"))))
    return changed(
        AuditAction.SET_DIRECTORY,
        customer=owner.name,
        name=before.name,
        options=keys,
        active=made.active,
        waits=will_wait,
    )


def drop_directory(edit: Edit, customer: str, name: str, users: int, *, with_users: bool) -> Changed:
    """Remove a directory of which nothing is left: its users and lists were taken care of (`DirectorySync.clear`)."""
    owner = get_customer(edit.tx, customer)
    found = get_directory(edit.tx, owner, name).directory
    remove_directory(edit.tx, found.key)
    facts: dict[str, Fact] = {"customer": owner.name, "name": found.name, "users": users, "with_users": with_users}
    about = Subject(f"{owner.name}/{found.name}", owner.key, f"users: {users}")
    return edit.done(AuditAction.REMOVE_DIRECTORY, about, **facts)


def get_directory(tx: Transaction, owner: Customer, name: str) -> StoredDirectory:
    """Return a customer's directory. Raises AdminFault."""
    found = find_directory(tx, owner.key, name)
    if found is None:
        raise AdminFault(FaultCode.NO_DIRECTORY, customer=owner.name, name=name)
    return found


def name_directory(tx: Transaction, customer: str, name: str) -> StoredDirectory:
    """Return the directory of a customer that is named. Raises AdminFault."""
    return get_directory(tx, get_customer(tx, customer), name)


def directory_to_run(tx: Transaction, customer: str, name: str, default_options: frozenset[Option]) -> StoredDirectory:
    """Return the directory that is named, of a customer that has contracted the option. Raises AdminFault."""
    owner = get_customer(tx, customer)
    if not owner.has_option(Option.DIRECTORY, default_options):
        raise AdminFault(FaultCode.NOT_CONTRACTED, customer=owner.name, option=Option.DIRECTORY.value)
    return get_directory(tx, owner, name)


def list_directories(tx: Transaction, customer: str = "") -> list[DirectoryState]:
    """Return the directories, of one customer if named."""
    customers = [get_customer(tx, customer)] if customer else all_customers(tx)
    return [_state(tx, owner, stored) for owner in customers for stored in directories_of(tx, owner.key)]


def get_run(tx: Transaction, named: str) -> Run:
    """Return a run by its key, or the newest by at least eight digits of its digest. Raises AdminFault."""
    found = find_run(tx, int(named)) if named.isascii() and named.isdigit() else None
    if found is None and len(named) >= 8:
        found = next(iter(find_by_digest(tx, named)), None)
    if found is None:
        raise AdminFault(FaultCode.NO_RUN, name=named)
    return found


def waiting_lines(tx: Transaction, run: Run, most: int) -> list[RunLine]:
    """Return the first lines of the difference that a run makes."""
    return read_lines(tx, run.key, most)


def _state(tx: Transaction, owner: Customer, stored: StoredDirectory) -> DirectoryState:
    key = stored.directory.key
    return DirectoryState(
        customer=owner.name,
        admin_address=owner.admin_address,
        stored=stored,
        users=count_directory_users(tx, key),
        held=find_held(tx, key),
        running=find_running(tx, key),
        last=next(iter(runs_of(tx, key, 1)), None),
    )


def _read(kind: SourceKind, options: Mapping[str, str], *, key: int, owner: Customer, name: str) -> CustomerDirectory:
    read = read_options(kind, options, key=key, customer_id=owner.key, name=name)
    if not isinstance(read, CustomerDirectory):
        raise AdminFault(FaultCode.BAD_DIRECTORY, faults=tuple(map(_facts_of, read)))
    return read


def _facts_of(fault: OptionFault) -> tuple[Fact, ...]:
    return (fault.code.value, *fault.facts.items())


def _check_profiles(tx: Transaction, owner: Customer, directory: CustomerDirectory) -> None:
    """Raise AdminFault for a rule whose profile there is not: its users would be left as they are at every run."""
    for rule in directory.profiles:
        get_profile(tx, owner, rule.profile)


def _note(
    edit: Edit,
    action: AuditAction,
    directory: CustomerDirectory,
    owner: str,
    options: tuple[Mapping[str, str], Mapping[str, str]],
) -> None:
    """Audit each option that became another one."""
    edit.note(action, Subject(f"{owner}/{directory.name}", directory.customer_id, values=differences(*options)))
