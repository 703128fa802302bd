"""The statements that write many rows at once, made from the models: one text per dialect, the same rows for both.

SQLite inserts up to 16 rows by one statement and updates row by row (`executemany`), PostgreSQL runs one statement over
arrays (`unnest`), in which each column is one binary parameter. Not here: queries, which are SQL at their place and the
same in both dialects.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

import peewee

from store.engine.arrays import EncodedArray, Encoder, encoder_of

Row = tuple[Any, ...]

MOST_ROWS: Final = 16
"""How many rows a statement of SQLite inserts at most: each run lets go of the interpreter, and must get it back."""

_ARRAYS = {
    "BIGINT": "bigint",
    "BLOB": "bytea",
    "BOOL": "boolean",
    "INT": "integer",
    "SMALLINT": "smallint",
    "TEXT": "text",
}


class Insert:
    """Rows into a model's table; `row` makes one of values by column, and the model's defaults for the others.

    Where columns are named, a row has those, in their order; `make` makes it of all its values, in far less time. With
    `replace` it takes the place of the one of its key, with `if_new` it is left out where one like it is there, with
    `add` columns of that one grow by its own.
    """

    def __init__(
        self,
        model: type[peewee.Model],
        *columns: str,
        replace: bool = False,
        if_new: bool = False,
        add: Sequence[str] = (),
    ) -> None:
        self.table = table_of(model)
        fields = {} if columns else columns_of(model)
        defaults = {name: field.default for name, field in fields.items() if field.null or field.default is not None}
        columns = self.columns = columns or (*(name for name in fields if name not in defaults), *defaults)
        row = _row(model, columns, tuple(defaults.values()))
        self.row: Callable[..., Row] = row
        self.make: Callable[[Iterable[Any]], Row] = row._make
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        in_place = _in_place(model, columns) if replace else " ON CONFLICT DO NOTHING" if if_new else ""
        if add:
            grown = ", ".join(f"{name} = {self.table}.{name} + excluded.{name}" for name in add)
            in_place = f" ON CONFLICT ({_keys_of(model)}) DO UPDATE SET {grown}"
        self.sqlite = f"INSERT INTO {self.table} ({names}) VALUES ({marks}){in_place}"  # noqa: S608 - names of the models
        self._marks = f"({marks})"
        self._sqlite_of: dict[int, str] = {}
        self._encoders = _encoders(model, columns)
        arrays = _arrays(model, columns)
        self.postgresql = f"INSERT INTO {self.table} ({names}) SELECT * FROM unnest({arrays}){in_place}"  # noqa: S608 - the same

    def sqlite_of(self, count: int) -> str:
        """Return the SQLite statement for so many rows, at most `MOST_ROWS`."""
        if count not in self._sqlite_of:
            # FAIL, since whoever meets an error rolls back: SQLite then keeps no copy of what the statement changed.
            once = self.sqlite.replace("INSERT", "INSERT OR FAIL", 1)
            self._sqlite_of[count] = once.replace(self._marks, ", ".join([self._marks] * count), 1)
        return self._sqlite_of[count]

    def arrays(self, rows: Sequence[tuple[Any, ...]]) -> list[EncodedArray]:
        """Return the parameters of the PostgreSQL statement for one row or more."""
        return [encode(column) for encode, column in zip(self._encoders, zip(*rows, strict=True), strict=True)]


class Update:
    """Rows of a model's table by primary key; `row` makes one of values by column, `of` from an object's attributes.

    The columns of the key are the last. `also` is SQL that stands in SET besides, the same for every row.
    """

    def __init__(self, model: type[peewee.Model], *columns: str, key: Sequence[str] = ("key",), also: str = "") -> None:
        self.table = table_of(model)
        self.columns = (*columns, *key)
        self.row: Callable[..., Row] = _row(model, self.columns)
        self.of: Callable[[object], Row] = attrgetter(*self.columns)
        fixed = [also] if also else []
        self._encoders = _encoders(model, self.columns)
        marks = ", ".join([*(f"{name} = ?" for name in columns), *fixed])
        keyed = " AND ".join(f"{name} = ?" for name in key)
        self.sqlite = f"UPDATE {self.table} SET {marks} WHERE {keyed}"  # noqa: S608 - names of the models
        values = ", ".join([*(f"{name} = v.{name}" for name in columns), *fixed])
        keyed = " AND ".join(f"{self.table}.{name} = v.{name}" for name in key)
        self.postgresql = (
            f"UPDATE {self.table} SET {values} FROM unnest({_arrays(model, self.columns)})"  # noqa: S608 - the same
            f" AS v ({', '.join(self.columns)}) WHERE {keyed}"
        )

    def arrays(self, rows: Sequence[tuple[Any, ...]]) -> list[EncodedArray]:
        """Return the parameters of the PostgreSQL statement for one row or more."""
        return [encode(column) for encode, column in zip(self._encoders, zip(*rows, strict=True), strict=True)]


def _row(model: type[peewee.Model], names: Sequence[str], defaults: Sequence[Any] = ()) -> Any:
    return namedtuple(model.__name__, names, defaults=defaults)  # noqa: PYI024 - the names come from the model


def _keys_of(model: type[peewee.Model]) -> str:
    return ", ".join(str(field.column_name) for field in model._meta.get_primary_keys())  # type: ignore[no-untyped-call]  # noqa: SLF001 - as below


def _in_place(model: type[peewee.Model], columns: Sequence[str]) -> str:
    keys = _keys_of(model)
    values = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys.split(", "))
    return f" ON CONFLICT ({keys}) DO UPDATE SET {values}"


def table_of(model: type[peewee.Model]) -> str:
    """Return the name of a model's table."""
    return str(model._meta.table_name)  # noqa: SLF001 - peewee's documented door


def columns_of(model: type[peewee.Model]) -> dict[str, peewee.Field]:
    """Return a model's fields by column, in the order of the table."""
    fields: Sequence[peewee.Field] = model._meta.sorted_fields  # noqa: SLF001 - as above
    return {str(field.column_name): field for field in fields}


def _kinds(model: type[peewee.Model], columns: Sequence[str]) -> list[str]:
    known = columns_of(model)
    return [_ARRAYS[known[name].field_type] for name in columns]


def _arrays(model: type[peewee.Model], columns: Sequence[str]) -> str:
    return ", ".join(f"%b::{kind}[]" for kind in _kinds(model, columns))


def _encoders(model: type[peewee.Model], columns: Sequence[str]) -> list[Encoder]:
    return [encoder_of(kind) for kind in _kinds(model, columns)]
