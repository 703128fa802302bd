"""Reads what a run of a directory is about to change, before it is in force, so that following it takes no time then.

It is read in portions, between which others read. Nobody else changes what such a run replaces, or the run is stale
(versions). Not here: following the address book (directory), what a run stages (directory_runs).
"""

from collections.abc import Sequence

from addressbook.hierarchy import LayerKey, LayerKind
from store.directory import AwaitedRun, layers_of
from store.directory_records import CELLS, USERS, CellRecord, UserRecord, user_of
from store.engine.database import Transaction

_READY = (
    "SELECT key FROM directory_run WHERE ready_at IS NOT NULL AND state IN ('staging', 'held') ORDER BY key LIMIT 1"
)
_USERS_OF_RUN = (
    "SELECT user_key FROM mail_user WHERE since_run = ? UNION SELECT user_key FROM mail_user WHERE until_run = ?"
)
_THEN = "state = 'applied' OR key = ?"
_IN_FORCE_THEN = (
    f"(since_run IS NULL OR since_run IN (SELECT key FROM directory_run WHERE {_THEN}))"  # noqa: S608 - conditions of ours
    f" AND (until_run IS NULL OR until_run NOT IN (SELECT key FROM directory_run WHERE {_THEN}))"
)


def find_ready(tx: Transaction) -> int:
    """Return the run that is about to come into force, 0 for none."""
    return int(tx.value(_READY) or 0)


def users_of_run(tx: Transaction, run_key: int) -> list[int]:
    """Return the users whom a run changes."""
    return [key for (key,) in tx.rows(_USERS_OF_RUN, (run_key, run_key))]


def read_awaited(tx: Transaction, run_key: int, user_keys: Sequence[int]) -> AwaitedRun:
    """Return what some of the users of a run are once it is in force."""
    then = (run_key, run_key)
    rows = tx.select_in(UserRecord, f"{USERS}user_key IN (??) AND {_IN_FORCE_THEN}", user_keys, then)
    users = {row.key: user_of(row) for row in rows}
    cells = tx.select_in(
        CellRecord, f"{CELLS}owner_key IN (??) AND scope = 'user' AND {_IN_FORCE_THEN}", user_keys, then
    )
    layers = layers_of(cells, lambda key: users[key.owner_id].address if key.owner_id in users else "")
    keys = [LayerKey(LayerKind.USER, key) for key in user_keys]
    return AwaitedRun(
        key=run_key,
        users={key: users.get(key) for key in user_keys},
        layers={key: layers.get(key) for key in keys},
    )
