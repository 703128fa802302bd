"""Settings that an administrator pinned to something else than what a directory or a file says of a user.

Not here: pinning (settings), why a value is in force (views).
"""

from collections.abc import Mapping

from addressbook.hierarchy import LayerKey, LayerKind
from gateway.admin.lookup import get_customer
from store.directory_changes import StoredCell, read_cells, read_cells_of
from store.directory_lookup import users_of
from store.engine.database import Transaction
from store.engine.keys import to_instant


def list_drift(tx: Transaction, customer: str) -> list[dict[str, object]]:
    """Return a customer's pins that differ from what the source says, by user and field, with who set them and when."""
    owner = get_customer(tx, customer)
    said, pinned = (read_cells_of(tx, owner.key, kind) for kind in (LayerKind.USER, LayerKind.PINNED))
    rows: list[dict[str, object]] = []
    for user in users_of(tx, owner.key):
        says, pins = said.get(user.key, {}), pinned.get(user.key, {})
        differing = sorted(name for name in pins if says.get(name, pins[name]) != pins[name])
        if differing:
            sources, pinnings = (_cells(tx, kind, user.key) for kind in (LayerKind.USER, LayerKind.PINNED))
            rows += [
                {
                    "user": user.address,
                    "field": name,
                    "pinned": pins[name],
                    "source_says": says[name],
                    "origin": sources[name].origin,
                    "pinned_by": pinnings[name].set_by,
                    "pinned_at": to_instant(pinnings[name].set_at).isoformat(timespec="seconds"),
                }
                for name in differing
            ]
    return rows


def _cells(tx: Transaction, kind: LayerKind, user_key: int) -> Mapping[str, StoredCell]:
    return {cell.field: cell for cell in read_cells(tx, LayerKey(kind, user_key))}
