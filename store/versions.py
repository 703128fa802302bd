"""Rows in versions: which of them are in force, which are awaited, and what makes a run stale.

A run of a directory writes the next version of each user and cell that it changes, and names itself as the end of the
one before; being applied puts all of that in force at once. An edit of what an open run replaces makes the run stale,
so that nobody's change is lost. Not here: writing a run's rows (directory_runs).
"""

from collections.abc import Iterable

from store.engine.database import Transaction

_APPLIED = "(SELECT key FROM directory_run WHERE state = 'applied')"
IN_FORCE = f"(since_run IS NULL OR since_run IN {_APPLIED}) AND (until_run IS NULL OR until_run NOT IN {_APPLIED})"
"""Which rows in versions (UserRow, SettingRow) are in force: a run makes all of its rows so at once."""

COUNTS = f"(run_key IS NULL OR run_key IN {_APPLIED})"
"""Which lines of the audit count: those of a run once it is applied."""

_STAGED = "state IN ('staging', 'held')"
AWAITED = (
    f"(since_run IS NULL OR since_run IN (SELECT key FROM directory_run WHERE state = 'applied' OR {_STAGED}))"  # noqa: S608 - ours
    f" AND (until_run IS NULL OR until_run NOT IN {_APPLIED})"
)
"""Which of those rows are in force, or will be if an open run is applied."""

_OWNERS = f"SELECT address, user_key FROM mail_user WHERE address IN (??) AND {AWAITED}"  # noqa: S608 - conditions of ours
BUT_OF = (
    " AND (since_run IS NULL OR since_run NOT IN"
    " (SELECT key FROM directory_run WHERE state <> 'applied' AND directory_key = ?))"
)
"""Leaves out of those rows what is awaited by runs of one directory."""
_END_BY_USERS = (
    "UPDATE directory_run SET state = 'stale' WHERE key IN (SELECT until_run FROM mail_user WHERE user_key IN (??))"  # noqa: S608 - ours
    f" AND {_STAGED} AND key <> ? RETURNING key"
)
_END_BY_PROFILE = (
    "UPDATE directory_run SET state = 'stale' WHERE key IN (SELECT since_run FROM mail_user WHERE profile_key = ?)"  # noqa: S608 - ours
    f" AND {_STAGED}"
)


def find_owners(tx: Transaction, addresses: Iterable[str], but_of_directory: int = 0) -> dict[str, int]:
    """Return which of these canonical addresses a user has, or will have by an open run, with the user's key.

    `but_of_directory` has open runs that do not count.
    """
    return dict(owner_rows(tx, addresses, but_of_directory))


def owner_rows(tx: Transaction, addresses: Iterable[str], but_of_directory: int = 0) -> list[tuple[str, int]]:
    """Return the same as pairs: an address that moves within a run has two owners."""
    return [(address, key) for address, key in tx.rows_in(_OWNERS + BUT_OF, addresses, (but_of_directory,))]


def end_runs_that_replace(tx: Transaction, user_keys: Iterable[int], but_run: int = 0) -> None:
    """Make the open runs stale that have a next version of one of these users."""
    tx.rows_in(_END_BY_USERS, set(user_keys), (but_run,))


def end_runs_that_give(tx: Transaction, profile_key: int) -> None:
    """Make the open runs stale that would give a profile to somebody."""
    tx.execute(_END_BY_PROFILE, (profile_key,))
