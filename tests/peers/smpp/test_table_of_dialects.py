"""Every dialect in the table of docs/smpp-dialects.md is tried, with our message centre and with one of others."""

import pytest

from tests.e2e.test_dialects import TABLE
from tests.peers.smpp.dialects import DIALECTS, documented_dialects


@pytest.mark.parametrize("tried", [TABLE, DIALECTS], ids=["sandbox carrier", "of others"])
def test_every_row_of_the_table_is_tried(tried):
    rows = documented_dialects()
    assert len(rows) >= 13
    spoken = [dialect for dialect, _, _ in tried.values()]
    assert [row for row in rows if row not in spoken] == []
