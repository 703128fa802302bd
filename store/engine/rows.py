"""Rows as values with named fields: a record names what a query reads, and the list of columns is made from it.

A record is a `msgspec.Struct` with `array_like=True`. Its fields without a default are the columns, in their order; its
types say what they become: booleans, which SQLite has as numbers, and the members of an enum. Not here: the statements
that write (statements).
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

R = TypeVar("R", bound=msgspec.Struct)


def query(record: type[msgspec.Struct], rest: str, table: str = "", **expressions: str) -> str:
    """Return the query that reads a record: `rest` begins with FROM, `table` is the one that the columns are of.

    `expressions` say in SQL what fields are that are no column of it.
    """
    prefix = f"{table}." if table else ""
    fields = [item.name for item in msgspec.structs.fields(record) if item.required]
    return f"SELECT {', '.join(expressions.get(name, prefix + name) for name in fields)} {rest}"


def decode(record: type[R], rows: Sequence[tuple[Any, ...]]) -> list[R]:
    """Return the rows of such a query as records. Raises msgspec.ValidationError for a value of another type."""
    return msgspec.convert(rows, list[record], strict=False)  # type: ignore[valid-type]
