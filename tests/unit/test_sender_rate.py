"""A sender ID sends no faster than its country wants, whichever node accepts: its messages wait, and none is dropped."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from msgspec.structs import replace

from sms.report import Channel, NoticeKind
from sms.schedule import Blackout, Schedule
from sms.sender_rate import parse_rate, take_turn
from store.answers import Rules
from store.engine.keys import to_instant
from store.rulings import read_findings
from tests.kit.store_harness import SECOND, StoreHarness

RATE = parse_rate("rate US 12125550100", "long 1/1s")


def job(node, *numbers, parts=1, rate=RATE, **changes):
    made = node.new_job(*numbers, parts=parts)
    return replace(made, messages=tuple(replace(message, rate=rate, **changes) for message in made.messages))


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
    return sorted(message.due_at for message in node.messages())


@pytest.mark.parametrize("text", ["1/1s", "3/1s", "10/1m", "9/2m", "200/1d", "5/1h"])
def test_no_more_parts_go_in_any_period_than_the_rate_allows(text):
    rate = parse_rate("x", text)
    assert rate.rule == text
    began = free_at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    asked = Schedule(due_at=began, expires_at=began + timedelta(hours=1))
    starts = []
    for _ in range(3 * rate.parts):
        turn, free_at = take_turn(rate, 1, asked, free_at)
        starts.append(turn.due_at)
    assert starts[0] == began
    assert starts == sorted(starts)
    for first in starts:
        assert sum(first <= start < first + rate.period for start in starts) <= rate.parts
    # After a pause it begins anew.
    later = replace(asked, due_at=free_at + rate.period)
    assert take_turn(rate, 1, later, free_at)[0] == later


def test_messages_wait_for_their_turn_and_their_validity_counts_from_then(nodes):
    node = nodes[0]
    add(node, job(node, "12125550101", "12125550102", "12125550103"))
    rows = node.database.read_now(lambda tx: tx.rows("SELECT due_at, expires_at, ruling FROM message ORDER BY due_at"))
    first = node.now
    assert [due - first for due, _, _ in rows] == [0, SECOND, 2 * SECOND]
    assert [expires - due for due, expires, _ in rows] == [3600 * SECOND] * 3
    found = node.database.read_now(lambda tx: read_findings(tx, [ruling for *_, ruling in rows]))
    assert [found.get(ruling) for *_, ruling in rows] == [None, *[("US", (("rate", "delayed", "long 1/1s"),))] * 2]


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
    add(node, job(node, "12125550101", "12125550102", "12125550103", schedule=schedule))
    end = 9 * 3600 * SECOND
    assert [due - node.now for due in due_at(node)] == [0, end, end + SECOND]


@pytest.mark.parametrize("text", ["1/1s", "3/1s", "9/2m", "5/1h"])
def test_the_rate_holds_behind_quiet_hours_that_begin_while_messages_wait(text):
    rate = parse_rate("x", text)
    began = free_at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    quiet = Blackout(start_at=began + rate.period / 2, end_at=began + timedelta(days=9))
    asked = Schedule(due_at=began, expires_at=began + timedelta(hours=1), blackouts=(quiet,))
    starts = []
    for _ in range(5 * rate.parts):
        turn, free_at = take_turn(rate, 1, asked, free_at)
        starts.append(turn.due_at)
    assert not any(quiet.start_at <= start < quiet.end_at for start in starts)
    for first in starts:
        assert sum(first <= start < first + rate.period for start in starts) <= rate.parts


def test_another_sender_id_has_a_pace_of_its_own(nodes):
    node = nodes[0]
    other = parse_rate("rate US 12125550199", "long 1/1s")
    add(node, job(node, "12125550101"), job(node, "12125550102"), job(node, "12125550103", rate=other))
    assert [due - node.now for due in due_at(node)] == [0, 0, SECOND]


LATE = ((NoticeKind.ACCEPTED, (Channel.MAIL, "anna@example.com")),)


@pytest.mark.parametrize(("rate", "is_told"), [("name 1/1s", False), ("name 1/1h", True)])
def test_who_sends_is_told_at_once_of_sms_that_a_rate_puts_off_for_long(nodes, rate, is_told):
    node = nodes[0]
    made = job(node, "447700900101", "447700900102", rate=parse_rate("rate GB Shop", rate))
    add(node, replace(made, late_notices=LATE))
    assert [taken.recipient for taken in node.notices()] == (["anna@example.com"] if is_told else [])
