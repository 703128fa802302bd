"""Reads and writes distribution lists. What a change of a list touches counts as a change of the directory.

Not here: whether a change is allowed and its audit (gateway.admin.lists). The functions run inside the caller's
transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from addressbook.canonical import canonical_name
from addressbook.lists import DistributionList, DistributionLists, ListMember
from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert
from store.lists_tables import ListAuthorRow, ListMemberRow, ListRow

_NEW_LISTS = Insert(ListRow)
_MEMBERS = Insert(ListMemberRow)
_AUTHORS = Insert(ListAuthorRow)


class _List(Struct, frozen=True, array_like=True):
    key: int
    customer_key: int
    name: str
    columns: str


class _Author(Struct, frozen=True, array_like=True):
    list_key: int
    author: str


class _Member(Struct, frozen=True, array_like=True):
    number: str
    content: str


_LISTS = query(_List, "FROM distribution_list")
_SET_OF = "(SELECT members_key FROM distribution_list WHERE key = ?)"
_ALL_AUTHORS = query(_Author, "FROM list_author")
_MEMBERS_OF = query(_Member, f"FROM list_member WHERE list_key = {_SET_OF} ORDER BY seq")

_VALUES = (
    "SELECT m.number, m.content FROM distribution_list l JOIN list_member m ON m.list_key = l.members_key"
    " WHERE m.number IN (??) AND l.customer_key = ? ORDER BY l.canonical"
)


def load_lists(tx: Transaction) -> DistributionLists:
    """Return all lists, without their members."""
    return DistributionLists(_with_authors(tx.select(_List, _LISTS), tx.select(_Author, _ALL_AUTHORS)))


def find_list(tx: Transaction, customer_key: int, name: str) -> DistributionList | None:
    """Return the customer's list of this name."""
    rows = tx.select(_List, _LISTS + " WHERE customer_key = ? AND canonical = ?", (customer_key, canonical_name(name)))
    return next(iter(_with_authors(rows, _authors_of(tx, rows))), None)


def lists_of(tx: Transaction, customer_key: int) -> list[DistributionList]:
    """Return a customer's lists by name."""
    rows = tx.select(_List, _LISTS + " WHERE customer_key = ? ORDER BY canonical", (customer_key,))
    return list(_with_authors(rows, _authors_of(tx, rows)))


def _authors_of(tx: Transaction, rows: Sequence[_List]) -> list[_Author]:
    return tx.select_in(_Author, _ALL_AUTHORS + " WHERE list_key IN (??)", (row.key for row in rows))


def _with_authors(rows: Iterable[_List], author_rows: Iterable[_Author]) -> Iterable[DistributionList]:
    authors: dict[int, set[str]] = defaultdict(set)
    for author in author_rows:
        authors[author.list_key].add(author.author)
    for row in rows:
        yield DistributionList(
            key=row.key,
            customer_id=row.customer_key,
            name=row.name,
            columns=tuple(msgspec.json.decode(row.columns, type=list[str])),
            authors=frozenset(authors.get(row.key, ())),
        )


def read_members(tx: Transaction, list_key: int) -> list[ListMember]:
    """Return a list's members in the order of their file."""
    decode = msgspec.json.Decoder(dict[str, str]).decode
    rows = tx.select(_Member, _MEMBERS_OF, (list_key,))
    return [ListMember(number=row.number, values=decode(row.content)) for row in rows]


def read_values(tx: Transaction, customer_key: int, numbers: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """Return the values that numbers have in the lists of a customer, those of each by the lists' names."""
    decode = msgspec.json.Decoder(dict[str, str]).decode
    values: dict[str, list[dict[str, str]]] = {}
    for number, content in tx.rows_in(_VALUES, numbers, (customer_key,)):
        values.setdefault(number, []).append(decode(content))
    return values


def count_members(tx: Transaction, list_key: int) -> int:
    """Return how many members a list has."""
    return int(tx.value(f"SELECT COUNT(*) FROM list_member WHERE list_key = {_SET_OF}", (list_key,)))  # noqa: S608 - ours


def add_list(tx: Transaction, key: int, customer_key: int, name: str) -> None:
    """Store a new list without members and authors."""
    row = _NEW_LISTS.row(key=key, customer_key=customer_key, name=name, canonical=canonical_name(name), members_key=key)
    tx.insert(_NEW_LISTS, [row])


def remove_list(tx: Transaction, key: int) -> None:
    """Delete a list with members, authors and settings; its past jobs stay."""
    tx.execute(f"DELETE FROM list_member WHERE list_key = {_SET_OF}", (key,))  # noqa: S608 - ours
    tx.execute("DELETE FROM list_author WHERE list_key = ?", (key,))
    tx.execute("DELETE FROM setting WHERE owner_key = ?", (key,))
    tx.execute("DELETE FROM distribution_list WHERE key = ?", (key,))


def put_members(tx: Transaction, list_key: int, columns: Sequence[str], members: Sequence[ListMember]) -> None:
    """Store members and columns in place of those before; no number stands twice."""
    members_key = tx.value("SELECT members_key FROM distribution_list WHERE key = ?", (list_key,))
    tx.execute("DELETE FROM list_member WHERE list_key = ?", (members_key,))
    encode = msgspec.json.encode
    tx.insert(
        _MEMBERS,
        [
            _MEMBERS.row(
                list_key=members_key, number=member.number, seq=seq, content=encode(dict(member.values)).decode()
            )
            for seq, member in enumerate(members, start=1)
        ],
    )
    tx.execute("UPDATE distribution_list SET columns = ? WHERE key = ?", (encode(list(columns)).decode(), list_key))


def put_authors(tx: Transaction, list_key: int, authors: Iterable[str]) -> None:
    """Store canonical authors in place of those before."""
    tx.execute("DELETE FROM list_author WHERE list_key = ?", (list_key,))
    tx.insert(_AUTHORS, [_AUTHORS.row(list_key=list_key, author=author) for author in sorted(set(authors))])
