"""What a claim, a sweep and a settlement read does not grow with what is queued: each uses its index, on both databases."""

import re

import pytest

from sms.message import Receipt, ReceiptState
from sms.outcome import Done
from store import due, outbox, outbox_order, receipts, stop_list
from store import jobs as outbound
from store import message_update as moving
from store import query_carrier as asking
from store import results as progress
from store.answers import Rules
from store.due import Take
from store.receipts import Arrived
from tests.kit.store_harness import SECOND, StoreHarness, steps

IDS = ["r1", "r2"]
NUMBERS = ["447700900101", "447700900102"]
# The statement, values that fit it, and the index that it must go through.
STATEMENTS = {
    "claim": (due._DUE, ("alpha", 1, 1 << 60, 0, 100), "message_queued"),
    "sweep": (progress._OVERDUE, (0, 1000), "message_watched"),
    "asked about": (asking._UNREPORTED, (1, 2, 1, 0, 2, "alpha", 100), "message_watched"),
    "left behind": (progress._LEFT_BEHIND, ("me", "me", 500), "message_submitting"),
    "notices due": (outbox._DUE, ("mail", 1 << 60, 50), "outbox_queued"),
    "first of its sequence": (outbox_order._FIRST_OF, ([1, 2],), "outbox_sequence"),
    "next of its sequence": (outbox_order._LET, (1, "1/447700900123", 1 << 62), "outbox_sequence"),
    "orphans by number": (receipts._ORPHAN_BY_NUMBER, (NUMBERS,), "receipt_orphan_number"),
    "orphans by id": (receipts._ORPHAN_BY_ID, (IDS,), "receipt_orphan"),
    "part of a receipt": (receipts._PART_BY_ID, (IDS,), "part_carrier_id"),
    "parts without id": (receipts._ID_MISSING, (NUMBERS, 0), "message_id_missing"),
    "messages": (moving._MESSAGE, ([1, 2],), "PRIMARY KEY|message_pkey"),
    "parts begun": (due._BEGUN, ([1, 2],), "part_message_key"),
    "parts": (moving._PART, ([1, 2],), "part_message_key"),
    "receipts of a part": ("SELECT key FROM receipt WHERE part_key = ?", (1,), "receipt_part"),
    "receipts kept": (receipts._KEPT, ([1, 2],), "receipt_part"),
    "jobs": (moving._JOB, ([1, 2],), "PRIMARY KEY|job_pkey"),
    "stops in force": (stop_list._IN_FORCE, (NUMBERS,), "stop_entry_in_force"),
    "stop of one that is due": (due._DUE, ("alpha", 1, 1 << 60, 0, 100), "stop_entry_in_force"),
    "queued for a stopped number": (stop_list._QUEUED, (NUMBERS,), "message_number"),
    "repeats": (outbound._VERSION_AND_SEEN, ([b"a", b"b"],), "PRIMARY KEY|seen_pkey"),
}
FILLED = 2_000


@pytest.fixture(name="filled", scope="module")
def _filled(module_database_url):
    """Return a database whose tables are long enough for a planner to prefer an index."""
    world = StoreHarness(module_database_url, Rules())
    world.add(*(f"4477009{n:05}" for n in range(FILLED)))
    world.settle(*((part.part_key, Done(reference=f"r{n}")) for n, part in enumerate(world.take(FILLED // 2))))
    strays = [
        Arrived(
            receipt=Receipt(
                carrier="alpha", carrier_id=f"stray-{n}", state=ReceiptState.DELIVERED, number=f"4477008{n:05}"
            ),
            at=world.now,
        )
        for n in range(FILLED)
    ]
    world.database.write_now(lambda tx, items: [world.progress.report(tx, strays) for _ in items], None)
    yield world.database
    world.database.close()


def plan_of(tx, sql, values):
    lists = [value for value in values if isinstance(value, list)]
    rest = [value for value in values if not isinstance(value, list)]
    explain = ("EXPLAIN " if tx.postgresql else "EXPLAIN QUERY PLAN ") + sql
    rows = tx.rows_in(explain, lists[0], rest) if lists else tx.rows(explain, rest)
    return " ".join(str(row[-1]) for row in rows)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_hot_statement_goes_through_its_index(filled, name):
    sql, values, index = STATEMENTS[name]
    plan = filled.write_now(lambda tx, items: [plan_of(tx, sql, values) for _ in items], None)
    assert re.search(rf"\b({index})\b", plan), plan
    of_queues = re.sub(r"SCAN living|Seq Scan on node_lease living", "", plan)  # as many rows as there are nodes
    assert not re.search(r"\bSCAN (?!.*USING)|Seq Scan", of_queues), plan


def test_a_claim_costs_the_same_with_ten_and_with_ten_thousand_queued(sqlite_url):
    world = StoreHarness(sqlite_url, Rules())
    costs = []
    for more in (10, 10_000):
        world.add(*(f"4477009{n:05}" for n in range(more)), due_at=world.now + SECOND)
        world.add(*(f"4477008{n:05}" for n in range(5)))
        counted, count = steps(world.outbound.take)
        request = Take(carrier="alpha", routes=("alpha",), most_parts=5, now=world.now, owner="me")
        assert len(world.database.write_now(counted, request)) == 5
        costs.append(count())
    world.database.close()
    assert costs[1] <= costs[0] * 1.2
