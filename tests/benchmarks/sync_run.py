"""`python -m tests.benchmarks.sync_run FOLDER USERS CHANGED ROUND`: one run of a directory, as `dirsync run` carries it out.

The reading is made by hand, since reading is measured by itself (directory): everybody, or with CHANGED only so many,
with another cost centre in each ROUND. Prints its CPU seconds, wall seconds, and the memory that it took at most, in MB.
"""

import os
import resource
import sys
import time
from datetime import UTC, datetime

import structlog

from addressbook.changes import Reading, UserChange
from addressbook.runs import RunMode, RunState
from addressbook.source_options import read_options
from addressbook.sources import CustomerDirectory, SourceKind
from gateway.directory_sync import DirectorySync, SyncRun
from store.directories import add_directory, find_directory
from store.directory_lookup import find_customer
from store.engine.database import Database, Transaction
from store.engine.keys import Keys

_OPTIONS = {
    "host": "ldap.example.com",
    "base": "dc=example,dc=com",
    "bind_dn": "cn=reader",
    "password_file": "/etc/none",
    "guard_percent": "100",
    "guard_count": "1000000",
}


def main() -> None:
    """Carry out the run, behind the gateway as one on schedule is."""
    os.nice(10)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    users, changed, turn = map(int, sys.argv[2:])
    database = Database(f"sqlite:///{sys.argv[1]}/mail2sms.db")
    database.open()
    directory = _directory(database)
    sync = DirectorySync(database, Keys(9, time.time), lambda: datetime.now(UTC))
    chosen = range(changed or users)
    reading = Reading(
        source="ldap:bench", complete=not changed, changes=tuple(_change(number, turn) for number in chosen)
    )
    wall, cpu = time.monotonic(), time.process_time()
    begun = sync.begin(directory, RunMode.DELTA if changed else RunMode.FULL, "bench")
    assert isinstance(begun, SyncRun)
    with begun:
        result = begun.apply(reading)
    assert result.state is RunState.APPLIED, result
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(time.process_time() - cpu, time.monotonic() - wall, peak)
    database.close()


def _directory(database: Database) -> CustomerDirectory:
    customer = database.read_now(lambda tx: find_customer(tx, "demo"))
    assert customer is not None
    known = database.read_now(lambda tx: find_directory(tx, customer.key, "bench"))
    if known is not None:
        return known.directory
    made = read_options(SourceKind.OPENLDAP, _OPTIONS, key=1, customer_id=customer.key, name="bench")
    assert isinstance(made, CustomerDirectory), made
    database.write_now(_store, made)
    return made


def _store(tx: Transaction, directories: list[CustomerDirectory]) -> list[None]:
    for directory in directories:
        add_directory(tx, directory, _OPTIONS, 1 << 62)
    return [None] * len(directories)


def _change(number: int, turn: int) -> UserChange:
    return UserChange(
        place=number + 1,
        address=f"user{number}@example.com",
        anchor=f"{number:032x}",
        name=f"User {number}",
        phone="447700900123",
        cells={"cost_centre": str(1000 * turn + number % 500), "language": "en"},
        columns={"cost_centre": "departmentNumber", "language": "preferredLanguage"},
    )


if __name__ == "__main__":
    main()
