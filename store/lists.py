"""Reads and writes distribution lists. What a change of a list touches counts as a change of the directory.

Not here: whether a change is allowed and its audit (gateway.admin.lists). The functions run inside the caller's
transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from addressbook.lists import DistributionList, DistributionLists, ListMember
from addressbook.people import canonical_name
from store.engine.database import Row, Transaction
from store.engine.statements import Insert
from store.lists_tables import ListMemberRow

_LISTS = "SELECT key, customer_key, name, columns FROM distribution_list"
_MEMBERS = Insert(ListMemberRow, "list_key", "number", "seq", "content")


def load_lists(tx: Transaction) -> DistributionLists:
    """Return all lists, without their members."""
    return DistributionLists(_with_authors(tx.rows(_LISTS), tx.rows("SELECT list_key, author FROM list_author")))


def find_list(tx: Transaction, customer_key: int, name: str) -> DistributionList | None:
    """Return the customer's list of this name."""
    rows = tx.rows(_LISTS + " WHERE customer_key = ? AND canonical = ?", (customer_key, canonical_name(name)))
    return next(iter(_with_authors(rows, _authors_of(tx, rows))), None)


def lists_of(tx: Transaction, customer_key: int) -> list[DistributionList]:
    """Return a customer's lists by name."""
    rows = tx.rows(_LISTS + " WHERE customer_key = ? ORDER BY canonical", (customer_key,))
    return list(_with_authors(rows, _authors_of(tx, rows)))


def _authors_of(tx: Transaction, rows: Sequence[Row]) -> list[Row]:
    return tx.rows_in("SELECT list_key, author FROM list_author WHERE list_key IN (??)", (row[0] for row in rows))


def _with_authors(rows: Iterable[Row], author_rows: Iterable[Row]) -> Iterable[DistributionList]:
    authors: dict[int, set[str]] = defaultdict(set)
    for key, author in author_rows:
        authors[key].add(author)
    for key, customer_key, name, columns in rows:
        yield DistributionList(
            id=key,
            customer_id=customer_key,
            name=name,
            columns=tuple(msgspec.json.decode(columns, type=list[str])),
            authors=frozenset(authors.get(key, ())),
        )


def read_members(tx: Transaction, list_key: int) -> list[ListMember]:
    """Return a list's members in the order of their file."""
    decode = msgspec.json.Decoder(dict[str, str]).decode
    rows = tx.rows("SELECT number, content FROM list_member WHERE list_key = ? ORDER BY seq", (list_key,))
    return [ListMember(number=number, values=decode(content)) for number, content in rows]


def count_members(tx: Transaction, list_key: int) -> int:
    """Return how many members a list has."""
    return int(tx.rows("SELECT COUNT(*) FROM list_member WHERE list_key = ?", (list_key,))[0][0])


def add_list(tx: Transaction, key: int, customer_key: int, name: str) -> None:
    """Store a new list without members and authors."""
    tx.execute(
        "INSERT INTO distribution_list (key, customer_key, name, canonical, columns) VALUES (?,?,?,?,?)",
        (key, customer_key, name, canonical_name(name), "[]"),
    )


def remove_list(tx: Transaction, key: int) -> None:
    """Delete a list with members, authors and settings; its past jobs stay."""
    for table in ("list_member", "list_author"):
        tx.execute(f"DELETE FROM {table} WHERE list_key = ?", (key,))  # noqa: S608 - names of ours
    tx.execute("DELETE FROM setting WHERE owner_key = ?", (key,))
    tx.execute("DELETE FROM distribution_list WHERE key = ?", (key,))


def put_members(tx: Transaction, list_key: int, columns: Sequence[str], members: Sequence[ListMember]) -> None:
    """Store members and columns in place of those before; no number stands twice."""
    tx.execute("DELETE FROM list_member WHERE list_key = ?", (list_key,))
    encode = msgspec.json.encode
    tx.insert(
        _MEMBERS,
        [
            (list_key, member.number, seq, encode(dict(member.values)).decode())
            for seq, member in enumerate(members, start=1)
        ],
    )
    tx.execute("UPDATE distribution_list SET columns = ? WHERE key = ?", (encode(list(columns)).decode(), list_key))


def put_authors(tx: Transaction, list_key: int, authors: Iterable[str]) -> None:
    """Store canonical authors in place of those before."""
    tx.execute("DELETE FROM list_author WHERE list_key = ?", (list_key,))
    tx.execute_many(
        "INSERT INTO list_author (list_key, author) VALUES (?,?)",
        [(list_key, author) for author in sorted(set(authors))],
    )
