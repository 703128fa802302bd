"""A sender ID sends no faster than its country wants, whichever node accepts: its messages wait, and none is dropped."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from sms.schedule import Blackout, Schedule
from sms.usage import parse_pace
from store.answers import Rules
from store.engine.keys import to_instant
from store.rulings import read_findings
from tests.kit.store_harness import SECOND, StoreHarness

PACE = parse_pace("pace US 12125550100", "1/1s")


def job(node, *numbers, parts=1, pace=PACE, **changes):
    made = node.new_job(*numbers, parts=parts)
    return replace(made, messages=tuple(replace(message, pace=pace, **changes) for message in made.messages))


def add(node, *jobs):
    for one in jobs:
        node.database.write_now(node.outbound.add_jobs, one)


@pytest.fixture
def nodes(database_url):
    """Return two nodes of one database, or two connections to the one file of an embedded one."""
    made = [StoreHarness(database_url, Rules(), owner=f"node-{number}", node=number) for number in (1, 2)]
    yield made
    for node in made:
        node.database.close()


def due_at(node):
    return [due for (due,) in node.database.read_now(lambda tx: tx.rows("SELECT due_at FROM message ORDER BY due_at"))]


def test_messages_wait_for_their_turn_and_their_validity_counts_from_then(nodes):
    node = nodes[0]
    add(node, job(node, "12125550101", "12125550102", "12125550103"))
    rows = node.database.read_now(lambda tx: tx.rows("SELECT due_at, expires_at, ruling FROM message ORDER BY due_at"))
    first = node.now
    assert [due - first for due, _, _ in rows] == [0, SECOND, 2 * SECOND]
    assert [expires - due for due, expires, _ in rows] == [3600 * SECOND] * 3
    found = node.database.read_now(lambda tx: read_findings(tx, [ruling for *_, ruling in rows]))
    assert [found.get(ruling) for *_, ruling in rows] == [None, *[(("rate", "delayed", "1/1s"),)] * 2]


def test_a_text_of_several_parts_takes_the_turn_of_each(nodes):
    node = nodes[0]
    add(node, job(node, "12125550101", parts=3), job(node, "12125550102"))
    assert [due - node.now for due in due_at(node)] == [0, 3 * SECOND]


def test_two_nodes_that_accept_at_once_keep_the_pace_together(nodes):
    jobs = [[job(node, f"1212555{index:04}", f"1212556{index:04}") for index in range(10)] for node in nodes]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda pair: add(pair[0], *pair[1]), zip(nodes, jobs, strict=True)))
    due = due_at(nodes[0])
    assert len(due) == 40
    assert [later - earlier for earlier, later in pairwise(due)] == [SECOND] * 39


def test_a_turn_within_quiet_hours_waits_for_their_end(nodes):
    node = nodes[0]
    now = to_instant(node.now)
    quiet = Blackout(start_at=now + timedelta(milliseconds=500), end_at=now + timedelta(hours=9))
    schedule = Schedule(due_at=now, expires_at=now + timedelta(hours=2), blackouts=(quiet,))
    add(node, job(node, "12125550101", "12125550102", schedule=schedule))
    assert [due - node.now for due in due_at(node)] == [0, 9 * 3600 * SECOND]


def test_another_sender_id_has_a_pace_of_its_own(nodes):
    node = nodes[0]
    other = parse_pace("pace US 12125550199", "1/1s")
    add(node, job(node, "12125550101"), job(node, "12125550102"), job(node, "12125550103", pace=other))
    assert [due - node.now for due in due_at(node)] == [0, 0, SECOND]
