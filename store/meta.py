"""Named values of the whole database, such as secrets and versions, in the table meta.

Not here: what each of them says, and turns that processes take (sums).
"""

from store.engine.database import Transaction
from store.engine.statements import Insert
from store.tables import MetaRow

_PUT = Insert(MetaRow, replace=True)
_BEGIN = Insert(MetaRow, if_new=True)
_READ = "SELECT value FROM meta WHERE name = ?"


def read_meta(tx: Transaction, name: str) -> str | None:
    """Return the value of a name, None where there is none."""
    return tx.value(_READ, (name,))  # type: ignore[no-any-return] # a text, as the table has it


def lock_meta(tx: Transaction, name: str) -> str | None:
    """Return the same once no other transaction has it locked; whoever locks it later waits for the end of this one."""
    return tx.value(f"{_READ} FOR UPDATE", (name,))  # type: ignore[no-any-return] # the same


def put_meta(tx: Transaction, name: str, value: str) -> None:
    """Store a value in place of the one before."""
    tx.insert(_PUT, [_PUT.row(name=name, value=value)])


def begin_meta(tx: Transaction, name: str, value: str) -> None:
    """Store a value where there is none."""
    tx.insert(_BEGIN, [_BEGIN.row(name=name, value=value)])
