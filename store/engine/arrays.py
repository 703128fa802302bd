"""Columns as PostgreSQL's binary arrays: what `unnest` is given, made for the type of the column.

The driver's own way asks each value what it is, which took longer than all else of a write. Not here: the statements.
"""

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

_HEADER = struct.Struct(">5i")  # dimensions, whether there are nulls, the elements' type, their number, the first index
_NULL = b"\xff\xff\xff\xff"  # the length of a null
_OIDS = {"bigint": 20, "bytea": 17, "boolean": 16, "integer": 23, "smallint": 21, "text": 25}
_FIXED = {"bigint": "q", "boolean": "?", "integer": "i", "smallint": "h"}

Encoder = Callable[[Sequence[Any]], "EncodedArray"]


class EncodedArray(bytes):
    """An array as it goes over the wire; its parameter is cast in SQL, which tells the server the type."""

    __slots__ = ()


def encoder_of(kind: str) -> Encoder:
    """Return what encodes a column of a type such as `bigint`, of at least one value; None is null.

    Raises struct.error for a number that the type cannot hold, UnicodeEncodeError for a lone surrogate.
    """
    oid = _OIDS[kind]
    code = _FIXED.get(kind)
    if code is None:
        element = _text if kind == "text" else _octets
        return lambda column: _joined(column, oid, element)
    fixed = struct.Struct(">i" + code)
    size = fixed.size - 4

    def element_of(value: Any) -> bytes:
        return fixed.pack(size, value)

    def encode(column: Sequence[Any]) -> EncodedArray:
        count = len(column)
        if None in column or column.count(column[0]) == count:
            return _joined(column, oid, element_of)
        sized = [size] * (2 * count)
        sized[1::2] = column
        return EncodedArray(_layout(code, count)(1, 0, oid, count, 1, *sized))

    return encode


def _joined(column: Sequence[Any], oid: int, element: Callable[[Any], bytes]) -> EncodedArray:
    count, first = len(column), column[0]
    nulls = None in column
    header = _HEADER.pack(1, nulls, oid, count, 1)
    if column.count(first) == count:  # most columns of a batch hold one value
        return EncodedArray(header + (_NULL if first is None else element(first)) * count)
    if nulls:
        return EncodedArray(header + b"".join(_NULL if value is None else element(value) for value in column))
    return EncodedArray(header + b"".join(map(element, column)))


@lru_cache(maxsize=256)
def _layout(code: str, count: int) -> Callable[..., bytes]:
    return struct.Struct(">5i" + ("i" + code) * count).pack


def _text(value: str) -> bytes:
    octets = value.encode()
    return len(octets).to_bytes(4, "big") + octets


def _octets(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def teach(connection: Any) -> None:
    """Let a psycopg connection send encoded arrays as they are."""
    from psycopg.adapt import Dumper  # noqa: PLC0415 - only where PostgreSQL is used is its driver there
    from psycopg.pq import Format  # noqa: PLC0415 - as above

    class _AsItIs(Dumper):
        format = Format.BINARY
        oid = 0

        def dump(self, obj: Any) -> Any:
            return obj

    connection.adapters.register_dumper(EncodedArray, _AsItIs)
