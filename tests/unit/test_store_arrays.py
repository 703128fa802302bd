"""A column that is encoded as an array is read back by PostgreSQL's driver as the same values."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.adapt import Transformer
from psycopg.pq import Format

from store.engine.arrays import encoder_of
from store.engine.statements import Insert, Update
from store.tables import JobRow

ARRAY_OIDS = {"bigint": 1016, "bytea": 1001, "boolean": 1000, "integer": 1007, "smallint": 1005, "text": 1009}
VALUES = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "bytea": st.binary(),
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "text": st.text(st.characters(codec="utf-8")),
}
COLUMNS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.one_of(
            st.lists(VALUES[kind], min_size=1),
            st.lists(st.none() | VALUES[kind], min_size=1),
            st.tuples(VALUES[kind], st.integers(1, 5)).map(lambda same: [same[0]] * same[1]),
        ),
    )
)


@given(COLUMNS)
def test_a_column_comes_back_as_it_was(column):
    kind, values = column
    octets = encoder_of(kind)(values)
    assert Transformer().get_loader(ARRAY_OIDS[kind], Format.BINARY).load(octets) == values


@pytest.mark.parametrize(
    ("kind", "values", "error"),
    [
        ("smallint", [1, 40_000], struct.error),
        ("bigint", [1 << 63], struct.error),
        ("text", ["good", "bad \ud800"], UnicodeEncodeError),
    ],
)
def test_what_no_column_can_hold_is_an_error_and_nothing_else(kind, values, error):
    with pytest.raises(error):
        encoder_of(kind)(values)


@pytest.mark.parametrize("statement", [Insert(JobRow, "key", "header", "report"), Update(JobRow, "header", "report")])
def test_a_statement_encodes_its_columns_in_its_order(statement):
    row = {"key": 7, "header": b"\x05\x00", "report": "never"}
    arrays = statement.arrays([tuple(row[name] for name in statement.columns)])
    oids = {"key": 1016, "header": 1001, "report": 1009}
    loaded = [
        Transformer().get_loader(oids[name], Format.BINARY).load(octets)
        for name, octets in zip(statement.columns, arrays, strict=True)
    ]
    assert loaded == [[row[name]] for name in statement.columns]
