"""A phone writes to us: the whole gateway, with what its administrator sees, and with a node that dies."""

import asyncio
import json
from collections import Counter
from email.parser import BytesHeaderParser

import pytest

from inbound.actions import AnswerAction, MailAction
from smpp.wire.bodies import DeliverSm
from tests.e2e.test_two_nodes import second_node
from tests.kit.inbound_harness import OWN, PHONE, furnish_site
from tests.kit.installation import Installation

ANSWER = AnswerAction(texts={"/": "We call you back."})


@pytest.fixture
async def answering(site):
    await site.open()
    furnish_site(site, reply=ANSWER)
    await site.start()
    return site


def whole(text: bytes, source: str) -> DeliverSm:
    """Return a text of one part as it comes."""
    return DeliverSm(
        source_addr_ton=1, source_addr=source[1:], dest_addr_ton=1, destination_addr=OWN[1:], short_message=text
    )


def fragment(text: bytes, index: int, total: int, source: str = PHONE, reference: int = 7) -> DeliverSm:
    """Return a fragment as it comes, with its header (3GPP TS 23.040 §9.2.3.24.1)."""
    return DeliverSm(
        source_addr_ton=1,
        source_addr=source[1:],
        dest_addr_ton=1,
        destination_addr=OWN[1:],
        esm_class=0x40,
        short_message=bytes([5, 0, 3, reference, total, index]) + text,
    )


async def test_a_text_in_three_parts_out_of_order_is_one_sms_and_is_answered_once(answering):
    site = answering
    for text, index in ((b"three", 3), (b"one ", 1), (b"two ", 2)):
        assert await site.carrier.deliver_raw(fragment(text, index, 3)) == 0
    await site.until(lambda: site.states() == {"delivered": 1})
    (sms,) = site.inbound_sms()
    (answer,) = site.messages()
    assert (sms.body, sms.source, sms.customer) == ("one two three", PHONE, "demo")
    assert (answer.number, answer.sender, answer.body) == (PHONE[1:], OWN, "We call you back.")
    assert site.inbound_fragments() == []
    trace = await site.command("status", sms.public_id)
    assert trace.startswith(f"SMS {sms.public_id}: received ")
    job = site.jobs()[0].public_id
    assert f"\nEffect reply (reply): [en] {job}\n" in trace
    assert f"\nJob {job}: settled " in trace
    assert await site.command("inbound", "show", sms.public_id) == trace
    assert json.loads(await site.command("status", sms.public_id, "--json"))["jobs"][0]["report"]["public_id"] == job
    (listed,) = json.loads(await site.command("inbound", "list", "--customer", "demo", "--since", "1h", "--json"))
    assert (listed["sms"], listed["parts"], listed["handed_over"]) == (sms.public_id, 3, "")
    assert await site.command("inbound", "list", "--not-handed-over") == ""


async def test_what_would_follow_is_shown_and_nothing_is_done(answering):
    site = answering
    words = ("inbound", "simulate", "--to", OWN, "--from", PHONE)
    shown = json.loads(await site.command(*words, "Call me", "--json"))
    assert (shown["customer"], shown["found_by"], shown["text"]) == ("demo", "dedicated", "Call me")
    assert shown["effects"] == [
        {
            "effect": "reply",
            "action": "reply",
            "to": PHONE,
            "note": "en",
            "text": "We call you back.",
            "sends": f"by alpha, sender {OWN}",
        }
    ]
    stop = await site.command(*words, "Stop, thanks")
    assert "asks for: stop" in stop
    assert "stop-entry" in stop
    nobodys = await site.command("inbound", "simulate", "--to", "+447700900555", "--from", PHONE, "Hello")
    assert "reason: no-number" in nobodys
    assert (site.jobs(), site.inbound_sms(), site.inbound_fragments()) == ([], [], [])


async def test_an_sms_that_nobody_gets_is_listed_with_the_reason(answering):
    site = answering
    await site.carrier.deliver_raw(DeliverSm(source_addr=PHONE[1:], destination_addr="12345", short_message=b"Hi"))
    await site.until(lambda: bool(site.inbound_sms()))
    (listed,) = json.loads(await site.command("inbound", "list", "--not-handed-over", "--json"))
    assert (listed["to"], listed["handed_over"], listed["reason"]) == ("12345", "nobody", "no-number")
    assert "12345" in await site.command("inbound", "list")


@pytest.mark.slow
@pytest.mark.postgresql
async def test_a_node_takes_over_what_the_other_took_and_every_phone_is_answered_once(tmp_path, new_postgresql_url):
    first = Installation(tmp_path / "one", new_postgresql_url, server={"node": 0})
    await first.open()
    furnish_site(first, reply=ANSWER)
    second = second_node(first, tmp_path / "two")
    phones = [f"+4477009{n:05}" for n in range(40)]
    try:
        await first.start()
        await second.start()
        taken = [first.carrier.deliver_raw(fragment(b"one ", 1, 2, phone)) for phone in phones]
        assert await asyncio.gather(*taken) == [0] * len(phones)
        rest = [first.carrier.deliver_raw(fragment(b"two", 2, 2, phone)) for phone in phones]
        await first.until(lambda: len(first.inbound_sms()) > 3)
        await first.kill()
        assert await asyncio.gather(*rest) == [0] * len(phones)
        await second.until(lambda: second.inbound_fragments() == [] and len(second.jobs()) >= len(phones))
        await second.until(lambda: sum(second.states()[state] for state in ("queued", "submitting")) == 0)
        assert Counter(sms.source for sms in second.inbound_sms()) == dict.fromkeys(phones, 1)
        assert Counter(message.number for message in second.messages()) == {phone[1:]: 1 for phone in phones}
        assert {sms.body for sms in second.inbound_sms()} == {"one two"}
    finally:
        await second.close()
        await first.close()


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.timeout(0)  # it grows with --kills; each wait inside has its own bound
async def test_after_kills_every_acknowledged_sms_is_there_and_nothing_that_followed_was_done_twice(
    site, kills, chance
):
    await site.open(window=20)
    furnish_site(site, reply=ANSWER, mail=MailAction(addresses=("support@example.com",)))
    taken: dict[str, list[asyncio.Future[int]]] = {}
    in_doubt: set[str] = set()
    for kill in range(kills):
        await site.start()
        phones = [f"+4477{kill:04}{n:04}" for n in range(30)]
        for n, phone in enumerate(phones):
            bodies = (
                [fragment(b"one ", 1, 2, phone), fragment(b"two", 2, 2, phone)] if n % 2 else [whole(b"one", phone)]
            )
            taken[phone] = [site.carrier.deliver_raw(body) for body in bodies]
        await site.until(lambda phones=phones: any(taken[phone][0].done() for phone in phones))
        await asyncio.sleep(chance.uniform(0, 0.5))
        await site.kill()
        # What was not answered is brought again by the carrier, which can't know whether we have it.
        in_doubt |= {phone for phone, futures in taken.items() if not all(future.done() for future in futures)}
    await site.start()
    assert set(await asyncio.gather(*(one for futures in taken.values() for one in futures))) == {0}
    doubled = {phone[1:] for phone in in_doubt}
    await site.until(lambda: {one.source.lstrip("+") for one in site.inbound_fragments()} <= doubled)
    await site.until(lambda: site.unfinished() == 0)
    came = Counter(sms.source for sms in site.inbound_sms())
    assert set(came) == set(taken)
    assert {phone for phone, count in came.items() if count > 1} <= in_doubt
    assert {sms.body for sms in site.inbound_sms()} == {"one", "one two"}
    rows = Counter(row.sms_key for row in site.outbox_rows(kind="inbound-mail"))
    assert rows == {sms.key: 1 for sms in site.inbound_sms()}
    answers = Counter(message.number for message in site.messages())
    assert answers == {phone[1:]: count for phone, count in came.items()}
    sent = Counter(one.submitted.number.lstrip("+") for one in site.carrier.record.taken)
    assert all(sent[number] <= count for number, count in answers.items())
    ids = {BytesHeaderParser().parsebytes(one.content)["Message-ID"] for one in site.box.mails}
    assert len(ids) == len(rows)
