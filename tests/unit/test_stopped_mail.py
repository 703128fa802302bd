"""A mail to somebody who wants no SMS of its customer: refused at RCPT, at the end of its content, or in part."""

from functools import partial

import pytest

from inbound.stop_list import StopEntry, StopOrigin
from mta.smtp.engine.replies import REPLY_OF_REFUSAL
from sms.lifecycle import MessageState
from sms.outcome import Refusal
from store.engine.keys import to_stored
from store.stop_list import add_stops, end_stops
from tests.kit.clock import START
from tests.kit.testbed import open_core, proven
from tests.unit.test_handler import converse, handler, session

NUMBER, OTHER = "447700900101", "447700900102"
NOW = to_stored(START)


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


def stop(core, number=NUMBER, service=""):
    customer = proven(core, "acme").customer_id
    entry = StopEntry(customer_key=customer, number=number, service=service, origin=StopOrigin.SMS, added_at=START)
    core.database.write_now(lambda tx, items: [add_stops(tx, core.keys, [item], NOW) for item in items], entry)


def start(core, number=NUMBER):
    end = partial(end_stops, customer_key=proven(core, "acme").customer_id, numbers=[number], now=NOW, by="test")
    core.database.write_now(lambda tx, items: [end(tx) for _ in items], None)


async def send(core, *to):
    return await converse(handler(core), await session(core), to=[f"+{number}" for number in to])


async def test_a_stopped_recipient_is_refused_at_rcpt_until_it_starts_again(core):
    stop(core)
    await core.book.refresh()
    reply = await send(core, NUMBER)
    assert reply.startswith("550 5.7.1")
    assert "BLOCKED" in reply
    assert (await send(core, OTHER)).startswith("250")
    start(core)
    assert (await send(core, NUMBER)).startswith("250")


async def test_a_stop_that_the_address_book_does_not_know_yet_refuses_the_mail_with_its_content(core):
    stop(core)
    reply = await send(core, NUMBER)
    assert reply.startswith(str(REPLY_OF_REFUSAL[Refusal.STOP_LIST])[:9])
    assert core.jobs() == []


async def test_a_stop_of_one_service_of_mail_is_judged_with_the_content(core):
    stop(core, service="mail")
    await core.book.refresh()
    assert (await send(core, NUMBER)).startswith("550 5.7.1")
    stop(core, OTHER, service="sap")
    assert (await send(core, OTHER)).startswith("250")


async def test_of_two_recipients_the_one_that_is_stopped_in_between_is_named_in_the_report(core):
    stop(core, "447700900103")
    await core.book.refresh()
    stop(core, service="mail")
    assert (await send(core, NUMBER, OTHER)).startswith("250")
    states = {message.number: (message.state, message.reason) for message in core.messages()}
    assert states == {
        NUMBER: (MessageState.REJECTED, "stop-list"),
        OTHER: (MessageState.QUEUED, ""),
    }


async def test_a_stop_of_one_customer_is_none_of_another(core):
    stop(core)
    await core.book.refresh()
    who = await session(core, customer="rival")
    reply = await converse(handler(core), who, sender="x@rival.example.com", to=[f"+{NUMBER}"])
    assert reply.startswith("250")
