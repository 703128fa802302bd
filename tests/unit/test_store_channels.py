"""Notices by their channel, on both databases: which are written, who takes them, and what is kept until all are told."""

from datetime import timedelta

import pytest

from gateway.admin.customers import add_customer, remove_customer
from gateway.admin.edit import Administration, Change
from gateway.admin.faults import AdminFault
from gateway.admin.push_keys import PushKeys, set_push_key
from gateway.admin.settings import CustomerScope, set_settings
from sms.message import MailOrigin, ReceiptState
from sms.outcome import Done, Failed
from sms.report import Channel
from sms.settings import StatusChannel, StatusReport
from store.answers import Rules
from store.delays import DelayCursor, DelayStore, TellLate
from store.engine.keys import Keys, to_instant
from store.outbox_views import list_notices
from store.push_keys import PushKeyRow
from store.views import find_job, load_trace
from tests.kit.clock import START
from tests.kit.store_harness import WRONG, StoreHarness

NUMBER = "447700900123"
URL = "https://app.example.com/sms"
KEYS = Keys(9, START.timestamp)
MAIL = MailOrigin(reverse_path="anna@example.com", ret="FULL", body=b"The whole mail")


@pytest.fixture
def world(database_url):
    world = StoreHarness(database_url, Rules())
    yield world
    world.database.close()


def job(world, channel: str, **changes):
    return world.add(NUMBER, **{"mail": MAIL, "channel": StatusChannel(channel), "push_url": URL, **changes})


def end(world) -> None:
    for part in world.take():
        world.settle((part.part_key, Failed(problem=WRONG)))


def notices(world):
    return sorted((row.kind, row.channel, row.recipient, row.state) for row in world.outbox_rows())


def take(world, channel: Channel):
    return world.notices(channel=channel)


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("mail", [("result", "mail", "anna@example.com", "queued")]),
        ("push", [("result", "push", URL, "queued")]),
        ("both", [("result", "mail", "anna@example.com", "queued"), ("result", "push", URL, "queued")]),
    ],
)
def test_a_settled_job_leaves_a_notice_for_each_channel(world, channel, expected):
    job(world, channel)
    end(world)
    assert notices(world) == expected


def test_a_job_without_a_mail_is_told_by_push_alone(world):
    job(world, "both", mail=None)
    end(world)
    assert notices(world) == [("result", "push", URL, "queued")]


@pytest.mark.parametrize(("rule", "count"), [("never", 0), ("on-failure", 2), ("always", 2)])
def test_the_rule_holds_for_both_channels(world, rule, count):
    job(world, "both", report=StatusReport(rule))
    end(world)
    assert len(notices(world)) == count


def test_a_correction_goes_by_the_channels_of_the_result(world):
    job(world, "both", receipt_wanted=True)
    (part,) = world.take()
    world.settle((part.part_key, Done(reference="one")))
    world.receipt("one", ReceiptState.UNDELIVERABLE)
    world.receipt("one", ReceiptState.DELIVERED)
    assert [(kind, channel) for kind, channel, _, _ in notices(world)] == [
        ("correction", "mail"),
        ("correction", "push"),
        ("result", "mail"),
        ("result", "push"),
    ]


def test_a_delay_goes_by_every_channel_of_the_job(world):
    job(world, "both")
    later = world.now + int(timedelta(hours=5).total_seconds()) * 1_000_000
    request = TellLate(since=DelayCursor(), until=later, now=later)
    assert world.database.write_now(DelayStore(KEYS).tell, request).notices == 2
    assert [(kind, channel) for kind, channel, _, _ in notices(world)] == [("delayed", "mail"), ("delayed", "push")]


def test_each_sender_takes_the_notices_of_its_own_channel(world):
    job(world, "both")
    end(world)
    (pushed,) = take(world, Channel.PUSH)
    assert (pushed.channel, pushed.recipient) == (Channel.PUSH, URL)
    assert take(world, Channel.PUSH) == []
    (mailed,) = take(world, Channel.MAIL)
    assert (mailed.channel, mailed.recipient) == (Channel.MAIL, "anna@example.com")


def test_a_mail_is_kept_until_the_last_of_its_notices_has_ended(world):
    job(world, "both")
    end(world)
    taken = [*take(world, Channel.PUSH), *take(world, Channel.MAIL)]
    bodies = []
    for notice in taken:
        world.end_notice(notice)
        (stored,) = world.jobs()
        bodies.append(None if stored.body is None else bytes(stored.body))
    assert bodies == [b"The whole mail", None]


def test_lists_and_traces_name_the_channel(world):
    public_id = job(world, "both").public_id
    end(world)
    waiting = world.database.read_now(lambda tx: list_notices(tx, 10))
    assert {(notice.channel, notice.recipient) for notice in waiting} == {("mail", "anna@example.com"), ("push", URL)}
    key = world.database.read_now(lambda tx: find_job(tx, public_id))
    assert key is not None
    trace = world.database.read_now(lambda tx: load_trace(tx, key))
    assert [notice.channel for notice in trace.notices] == ["mail", "push"]


def set_push(name: str, url: str, secret: bytes) -> list[Change]:
    return [
        lambda edit: set_settings(edit, CustomerScope(name), {"push_url": url}),
        lambda edit: set_push_key(edit, name, secret),
    ]


async def test_a_new_key_signs_at_once_and_the_one_before_for_a_day_more(world):
    administration = Administration(world.database, KEYS, "anna", lambda: to_instant(world.now))
    keys = PushKeys(world.database)
    administration.change_now(lambda edit: add_customer(edit, "Acme"))
    assert (await keys.terms_of("Acme", "")).keys == ()
    signing = []
    for secret in (b"first", b"second", b"third"):
        administration.change_now(*set_push("acme", URL, secret))
        signing.append((await keys.terms_of("Acme", "")).keys)
    assert signing == [(b"first",), (b"second", b"first"), (b"third", b"second")]
    administration.change_now(lambda edit: set_push_key(edit, "Acme", b"fourth", timedelta(0)))
    assert (await keys.terms_of("Acme", "")).keys == (b"fourth",)
    assert (await keys.terms_of("Other", "")).keys == ()
    administration.change_now(lambda edit: remove_customer(edit, "Acme", with_users=True))
    assert (await keys.terms_of("Acme", "")).keys == ()
    assert world.stored(PushKeyRow) == []


def test_a_url_that_is_refused_makes_no_key(world):
    administration = Administration(world.database, KEYS, "anna", lambda: to_instant(world.now))
    administration.change_now(lambda edit: add_customer(edit, "Acme"))
    with pytest.raises(AdminFault):
        administration.change_now(*reversed(set_push("Acme", "ftp://app.example.com/", b"x")))
    assert world.stored(PushKeyRow) == []
