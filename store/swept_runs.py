"""What runs of directories leave over, taken away in small steps: replaced versions, versions never in force, old runs.

Each step is a transaction of its own and may be the last: the next run goes on where this one was killed. Not here: the
runs themselves (directory_runs).
"""

from datetime import timedelta

from addressbook.runs import RunState
from store.directory_changes import DirectoryChanges
from store.directory_runs import Run, find_run
from store.engine.database import Transaction
from store.versions import IN_FORCE

_KEPT = 200
_KEPT_FOR = int(timedelta(days=2).total_seconds()) * 1_000_000
_UNSWEPT = (
    "SELECT key FROM directory_run WHERE directory_key = ? AND NOT swept"
    " AND state NOT IN ('reading', 'staging', 'held') ORDER BY key"
)
_OLD = (
    "SELECT key FROM directory_run WHERE directory_key = ? AND swept AND began_at < ? AND key NOT IN"
    " (SELECT key FROM directory_run WHERE directory_key = ? ORDER BY key DESC LIMIT ?) ORDER BY key"
)
# A reader that has not followed so far finds no versions of the run any more: it reads everybody.
_FORGET_TOUCHED = "UPDATE directory_change SET kind = 'all', target = 0 WHERE kind = 'run' AND target = ?"
_REPLACED = "SELECT key, user_key FROM mail_user WHERE until_run = ? LIMIT ?"
_IN_FORCE = f"SELECT user_key FROM mail_user WHERE user_key IN (??) AND {IN_FORCE}"  # noqa: S608 - a condition of ours


def unswept_runs(tx: Transaction, directory_key: int) -> list[int]:
    """Return the ended runs of a directory of which something is left over, oldest first."""
    return [key for (key,) in tx.rows(_UNSWEPT, (directory_key,))]


def old_runs(tx: Transaction, directory_key: int, now: int) -> list[int]:
    """Return the runs of a directory that need not be kept: neither the newest 200 nor those of two days."""
    return [key for (key,) in tx.rows(_OLD, (directory_key, now - _KEPT_FOR, directory_key, _KEPT))]


def all_runs(tx: Transaction, directory_key: int) -> list[int]:
    """Return all runs of a directory."""
    return [key for (key,) in tx.rows("SELECT key FROM directory_run WHERE directory_key = ?", (directory_key,))]


def sweep(tx: Transaction, changes: DirectoryChanges, run_key: int, most: int) -> bool:
    """Take away up to so many rows of each kind that an ended run left over; False once nothing is left."""
    run = find_run(tx, run_key)
    if run is None:
        return False
    left = _sweep_applied(tx, changes, run, most) if run.state is RunState.APPLIED else _sweep_dead(tx, run, most)
    if not left:
        tx.execute("UPDATE directory_run SET swept = ? WHERE key = ?", (True, run_key))
    return left


def _sweep_applied(tx: Transaction, changes: DirectoryChanges, run: Run, most: int) -> bool:
    tx.execute(_FORGET_TOUCHED, (run.key,))
    replaced = tx.rows(_REPLACED, (run.key, most))
    ended = {user_key for _, user_key in replaced}
    ended -= {user_key for (user_key,) in tx.rows_in(_IN_FORCE, ended)}
    for user_key in ended:
        changes.remove_user(user_key)
    tx.execute_many("DELETE FROM mail_user WHERE key = ?", [(key,) for key, _ in replaced])
    removed = len(replaced) + _delete(tx, "setting", "until_run", run.key, most)
    removed += sum(_delete_members(tx, item.replaces, most) for item in run.sets)
    kept = sum(_forget(tx, table, "since_run", run.key, most) for table in ("mail_user", "setting"))
    return removed + kept > 0


def _sweep_dead(tx: Transaction, run: Run, most: int) -> bool:
    removed = sum(_delete(tx, table, "since_run", run.key, most) for table in ("mail_user", "setting"))
    removed += _delete(tx, "audit", "run_key", run.key, most)
    removed += sum(_delete_members(tx, item.members_key, most) for item in run.sets)
    kept = sum(_forget(tx, table, "until_run", run.key, most) for table in ("mail_user", "setting"))
    return removed + kept > 0


def _delete(tx: Transaction, table: str, column: str, run_key: int, most: int) -> int:
    chosen = f"SELECT key FROM {table} WHERE {column} = ? LIMIT ?"  # noqa: S608 - names of ours
    return tx.execute(f"DELETE FROM {table} WHERE key IN ({chosen})", (run_key, most))  # noqa: S608 - the same


def _forget(tx: Transaction, table: str, column: str, run_key: int, most: int) -> int:
    chosen = f"SELECT key FROM {table} WHERE {column} = ? LIMIT ?"  # noqa: S608 - names of ours
    return tx.execute(f"UPDATE {table} SET {column} = NULL WHERE key IN ({chosen})", (run_key, most))  # noqa: S608 - the same


def _delete_members(tx: Transaction, members_key: int, most: int) -> int:
    chosen = "SELECT number FROM list_member WHERE list_key = ? LIMIT ?"
    deleted = f"DELETE FROM list_member WHERE list_key = ? AND number IN ({chosen})"  # noqa: S608 - ours
    return tx.execute(deleted, (members_key, members_key, most))


def remove_run(tx: Transaction, run_key: int, most: int) -> bool:
    """Forget a swept run; its lines stay in the audit. False once it is done, True if there is more to do."""
    if _forget(tx, "audit", "run_key", run_key, most):
        return True
    tx.execute("DELETE FROM directory_run WHERE key = ?", (run_key,))
    return False


_OF_DIRECTORY = f"SELECT user_key, address FROM mail_user WHERE {IN_FORCE} AND directory_key = ?"  # noqa: S608 - ours


def missing_users(tx: Transaction, directory_key: int, before: int, most: int) -> list[tuple[int, str]]:
    """Return users of a directory, with their addresses, whose entries were gone before an instant."""
    rows = tx.rows(_OF_DIRECTORY + " AND missing_at <= ? ORDER BY user_key LIMIT ?", (directory_key, before, most))
    return [(key, address) for key, address in rows]


def users_of_directory(tx: Transaction, directory_key: int, most: int) -> list[tuple[int, str]]:
    """Return users of a directory, with their addresses."""
    rows = tx.rows(_OF_DIRECTORY + " ORDER BY user_key LIMIT ?", (directory_key, most))
    return [(key, address) for key, address in rows]


def release_lists(tx: Transaction, directory_key: int) -> None:
    """Leave the lists of a directory to administrators, with their members."""
    tx.execute("UPDATE distribution_list SET directory_key = NULL WHERE directory_key = ?", (directory_key,))
