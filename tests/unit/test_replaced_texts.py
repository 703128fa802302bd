"""replace_sm: the new text of an SMS is judged by the rules of its country as that of a submit is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from countries.book import Mode, OperatorRule
from countries.rules import RuleName
from smpp.wire.bodies import ReplaceSm
from smpp.wire.statuses import Status
from sms.message import ReceiptState
from store.rulings import read_findings
from tests.kit.clock import START
from tests.kit.esme_site import EsmeSite

LATER = "000001000000000R"  # in a day
TWO_DAYS = "000002000000000R"


@pytest.fixture
async def serve(house):
    """Return a server whose operator decided these rules, each by its name and value, for Great Britain."""
    sites = []

    async def start(mode=Mode.APPLY, **rules):
        rulings = tuple(
            OperatorRule(country="GB", name=RuleName(name), mode=mode, value=value) for name, value in rules.items()
        )
        sites.append(await EsmeSite(replace(house, rulings=rulings)).start())
        return sites[-1]

    yield start
    for site in sites:
        await site.stop()


def found(site):
    """Return what rules did to the only message, each as rule and effect."""
    (message,) = site.core.messages()
    findings = site.core.database.read_now(lambda tx: read_findings(tx, [message.ruling]))
    return {(rule, effect) for _, some in findings.values() for rule, effect, _ in some}


def taken(site):
    (part,) = site.take()
    return part.payload


async def replaced(client, text, *, submitted="old", waits="", **times):
    """Submit an SMS and replace its text; returns the status."""
    answer = await client.submit(text=submitted, schedule_delivery_time=waits, source_addr_ton=5, source_addr="Acme")
    asked = ReplaceSm(answer.body.message_id, short_message=text.encode("ascii"), **times)
    return (await client.ask(asked)).status


async def test_the_words_of_the_country_are_around_a_new_text_and_count_for_its_part(serve):
    site = await serve(text_prefix="ACME:", text_suffix="STOP 12345")
    async with site.esme() as client:
        assert await replaced(client, "new") == Status.ROK
        assert taken(site) == b"ACME: new STOP 12345"
        assert found(site) == {("text_prefix", "changed"), ("text_suffix", "changed")}
    async with site.esme() as client:
        assert await replaced(client, "n" * 143) == Status.ROK
        assert await replaced(client, "n" * 144) == Status.RINVMSGLEN


async def test_a_text_that_the_country_blocks_is_refused_with_its_status_and_the_old_one_stays(serve):
    site = await serve(urls="forbidden", phone_numbers="forbidden")
    async with site.esme() as client:
        for text in ("see https://example.com/a", "call +44 7700 900123"):
            assert await replaced(client, text) == Status.RSUBMITFAIL
    assert [part.payload for part in site.take()] == [b"old", b"old"]


async def test_limits_of_the_country_hold_for_a_new_text(serve):
    site = await serve(max_length="20/10")
    async with site.esme() as client:
        assert await replaced(client, "n" * 20) == Status.ROK
        assert taken(site) == b"n" * 20
        assert await replaced(client, "n" * 21) == Status.RINVMSGLEN


async def test_what_was_found_in_the_old_text_is_forgotten_and_what_is_about_the_sender_stays(serve):
    site = await serve(Mode.NOTE, urls="forbidden", alpha_max="3")
    async with site.esme() as client:
        assert await replaced(client, "new", submitted="see https://example.com/a") == Status.ROK
    assert found(site) == {("alpha_max", "noted")}


async def test_what_is_found_in_a_new_text_is_kept_with_it(serve):
    site = await serve(Mode.NOTE, urls="forbidden")
    async with site.esme() as client:
        assert await replaced(client, "see https://example.com/a") == Status.ROK
    assert found(site) == {("urls", "noted")}


async def test_a_new_time_heeds_quiet_hours_and_a_new_validity_is_taken_into_the_countrys(serve):
    site = await serve(quiet_hours="Mo-Su 20:00-09:00", validity="1h-24h")
    async with site.esme() as client:
        status = await replaced(client, "new", schedule_delivery_time="000000060000000R", validity_period=TWO_DAYS)
        assert status == Status.ROK
    (message,) = site.core.messages()
    # Asked for at ten in the evening: from nine, for 11, 11 and 2 hours of three days.
    begins = START + timedelta(hours=17)
    assert (message.due_at, message.expires_at) == tuple(
        int(at.timestamp() * 1e6) for at in (begins, begins + timedelta(hours=50))
    )
    assert message.watch_at == message.expires_at
    assert found(site) == {("quiet_hours", "delayed"), ("validity", "changed")}
    assert site.take() == []


async def test_without_new_times_an_sms_goes_out_when_it_would_have(serve):
    site = await serve(quiet_hours="Mo-Su 15:00-17:00")
    async with site.esme() as client:
        assert await replaced(client, "new") == Status.ROK
        (message,) = site.core.messages()
        assert message.due_at == int((START + timedelta(hours=1)).timestamp() * 1e6)
        assert message.blackouts
        assert found(site) == {("quiet_hours", "delayed")}


async def test_an_sms_that_is_moved_forward_keeps_to_the_rate_of_its_sender_id(serve):
    site = await serve(rate="name 1/1h")
    async with site.esme() as client:
        await client.submit(source_addr_ton=5, source_addr="Acme")
        assert await replaced(client, "new", waits=TWO_DAYS, schedule_delivery_time="000000000001000R") == Status.ROK
    first, second = site.core.messages()
    assert second.due_at - first.due_at >= timedelta(hours=1) / timedelta(microseconds=1)


async def test_a_replaced_sms_is_delivered_and_its_receipt_has_the_new_text(serve):
    site = await serve(text_prefix="ACME:")
    async with site.esme() as client:
        answer = await client.submit(text="old")
        asked = ReplaceSm(answer.body.message_id, short_message=b"new", registered_delivery=1)
        assert (await client.ask(asked)).status == Status.ROK
        site.carry(ReceiptState.DELIVERED)
        (receipt,) = await client.receipts()
        assert b"text:ACME: new" in receipt.body.short_message
