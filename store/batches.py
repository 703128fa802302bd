"""Batch functions of items as batch functions of lists: a caller with a list makes one call, which fails as a whole.

Not here: how calls share a commit (database).
"""

from typing import TypeVar

from store.engine.database import BatchFunction, Transaction

A = TypeVar("A")
R = TypeVar("R")


def in_lists(batch: BatchFunction[A, R]) -> BatchFunction[list[A], list[R]]:
    """Return the function for lists of items, none of them empty; keep it, since calls gather by their function."""

    def batch_of_lists(tx: Transaction, lists: list[list[A]]) -> list[list[R]]:
        results = iter(batch(tx, [item for items in lists for item in items]))
        return [[next(results) for _ in items] for items in lists]

    return batch_of_lists
