"""Rows of the outbox of one sequence go one after the other: who is behind another, and who comes when that one ends.

A row that is behind an earlier one is taken out of the way of a claim, as long as that one has not ended: so a claim
costs the same whatever waits behind a receiver that is dead. Whoever ends a row of a sequence holds the lock of its
first one, so that no two ends miss each other. Not here: what is taken and how it ends (outbox).
"""

from collections.abc import Iterable, Mapping

from store.engine.database import Transaction
from store.tables import FAR


def put_behind(tx: Transaction, keys: Iterable[int]) -> tuple[frozenset[int], bool]:
    """Find which of these rows are behind an earlier one of their sequence, and take them out of the way of a claim.

    Returns their keys, and whether any was taken out of the way: it is not, while another process ends the earlier one.
    """
    firsts = {key: first for key, first in tx.rows_in(_FIRST_OF, keys) if first < key}
    held = {key for (key,) in tx.rows_in(_HOLD, set(firsts.values()))}
    behind = [(FAR, key) for key, first in sorted(firsts.items()) if first in held]
    tx.execute_many("UPDATE outbox SET due_at = ? WHERE key = ?", behind)
    return frozenset(firsts), bool(behind)


def hold_sequences(tx: Transaction, keys: Iterable[int]) -> set[str]:
    """Return the sequences of these rows, after the lock of the first row of each was had."""
    sequences = {sequence for (sequence,) in tx.rows_in(_SEQUENCES, keys)}
    for sequence in sorted(sequences):
        tx.rows(_HOLD_FIRST, (sequence,))
    return sequences


def let_next(tx: Transaction, sequences: Mapping[str, int]) -> None:
    """Make the row due that is the first of each sequence from now on, at its instant in microseconds."""
    tx.execute_many(_LET, [(at, sequence, FAR) for sequence, at in sorted(sequences.items())])


_OPEN = "sequence <> '' AND ended_at IS NULL"
_FIRST_OF = (
    "SELECT o.key, (SELECT min(e.key) FROM outbox e WHERE e.sequence = o.sequence AND e.sequence <> ''"  # noqa: S608 - ours
    f" AND e.ended_at IS NULL) FROM outbox o WHERE o.key IN (??) AND o.{_OPEN}"
)
_HOLD = "SELECT key FROM outbox WHERE key IN (??) AND ended_at IS NULL FOR UPDATE SKIP LOCKED"
_SEQUENCES = "SELECT DISTINCT sequence FROM outbox WHERE key IN (??) AND sequence <> ''"
_HOLD_FIRST = f"SELECT key FROM outbox WHERE sequence = ? AND {_OPEN} ORDER BY key LIMIT 1 FOR UPDATE"  # noqa: S608 - ours
_LET = (
    "UPDATE outbox SET due_at = ? WHERE key ="  # noqa: S608 - words of ours
    f" (SELECT min(key) FROM outbox WHERE sequence = ? AND {_OPEN}) AND state = 'queued' AND due_at >= ?"
)
