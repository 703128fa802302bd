"""What carriers with alphabets and forms of their own put on the phone is what the record says: no text is changed unsaid."""

import json
from typing import Any

import pytest

from process.clock import SystemClock
from smpp.dialect.dialect import Dialect, WireAlphabet
from smpp.simulator.script import Script
from smpp.simulator.simulator import Simulator
from smpp.wire.bodies import SubmitSm
from smpp.wire.tlv import Tag
from sms.alphabet import decode_gsm7
from tests.kit.installation import Installation
from tests.kit.ports import free_port

LATIN, PLAIN = "447700900140", "447700900141"
LATIN_DIALECT = {"default_alphabet": "latin-1", "default_data_coding": 3}


@pytest.fixture
async def site(tmp_path, database_url):
    site = Installation(tmp_path / "site", database_url)
    yield site
    await site.close()


async def carrier_of(site: Installation, name: str, number: str, dialect: dict[str, Any], **spoken: Any) -> Simulator:
    """Start a carrier that speaks a dialect and give it a number."""
    carrier = Simulator(accounts={"gateway": "secret"}, clock=SystemClock(), script=Script(dialect=Dialect(**spoken)))
    await carrier.start()
    site.more_carriers.append({"name": name, "port": carrier.port, "prefixes": [number], "dialect": dialect})
    return carrier


def recorded(site: Installation, number: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return text and replacements (old, new) of every message to a number."""
    return [
        (message.body, [(old, new) for _, old, new in json.loads(message.replaced or "[]")])
        for message in site.messages(number=number)
    ]


async def test_each_recipient_gets_what_its_carrier_can_say_and_is_told(site):
    latin = await carrier_of(
        site, "latin", LATIN, LATIN_DIALECT, default_alphabet=WireAlphabet.LATIN1, default_data_coding=3
    )
    plain = await carrier_of(site, "plain", PLAIN, {})
    await site.open()
    await site.start()
    try:
        await site.send("Grüße, 5 € – jetzt", to=(f"+{LATIN}", f"+{PLAIN}"))
        await site.until_all_told()
        for carrier, number, text, replaced in (
            (latin, LATIN, "Grüße, 5 EUR - jetzt", [("€", "EUR"), ("–", "-")]),
            (plain, PLAIN, "Grüße, 5 € - jetzt", [("–", "-")]),
        ):
            assert [taken.submitted.text for taken in carrier.record.taken] == [text]
            assert recorded(site, number) == [(text, replaced)]
        await site.command("customer", "set", "demo", "unencodable=switch", "flash=on")
        await site.send("Nur 5 €", to=(f"+{LATIN}",))
        await site.send("Grüße [sofort]", to=(f"+{LATIN}",))
        await site.until(lambda: len(latin.record.taken) == 3)
        whole, flash = (taken.submitted for taken in latin.record.taken[1:])
        assert (whole.text, whole.body.data_coding) == ("Nur 5 €", 0x18)
        assert isinstance(flash.body, SubmitSm)
        assert (decode_gsm7(flash.body.short_message), flash.body.data_coding) == ("Grüße [sofort]", 0x10)
    finally:
        await latin.stop()
        await plain.stop()


async def test_a_carrier_that_splits_texts_itself_gets_each_in_one_submit(site):
    carrier = await carrier_of(site, "whole", PLAIN, {"long_messages": "whole"})
    await site.open()
    await site.command("customer", "set", "demo", "delivery_receipt=on", "max_parts=10")
    await site.start()
    try:
        texts = {"x" * 300: (2, 0), "Die Pumpe 7 läuft 🛑 nicht. " * 20: (9, 8), "Short": (1, 0)}
        for text, (parts, data_coding) in texts.items():
            job = await site.send(text, to=(f"+{PLAIN}",))
            await site.until(lambda job=job: site.state(job) == {PLAIN: "delivered"})
            taken = carrier.record.taken[-1].submitted
            payload = taken.pdu.octets(Tag.MESSAGE_PAYLOAD)
            assert (taken.text, taken.udh, taken.body.data_coding) == (text.strip(), b"", data_coding)
            assert (taken.body.esm_class & 0x40, payload is None) == (0, parts == 1)
            (message,) = site.messages(job)
            assert [part.state for part in site.parts(message_key=message.key)] == ["delivered"] * parts
        assert len(carrier.record.taken) == len(texts)
    finally:
        await carrier.stop()


async def test_a_queued_text_is_never_changed_where_its_carrier_turns_out_to_lack_a_character(site):
    port = free_port()
    once, now = '\nvalidity_format = "none"', '\nvalidity_format = "none"\ndefault_alphabet = "latin-1"'
    site.more_carriers.append(
        {"name": "later", "port": port, "prefixes": [LATIN], "dialect": {"validity_format": "none"}}
    )
    await site.open()
    await site.command("customer", "set", "demo", "delivery_receipt=on")
    await site.start()
    short = await site.send("Nur 5 €", to=(f"+{LATIN}",))
    long = await site.send("Nur 5 € " + "x" * 100, to=(f"+{LATIN}",))
    assert await site.stop() == 0
    file = site.file.read_text()
    assert file.count(once) == 1
    site.file.write_text(file.replace(once, now))
    latin = Simulator(
        accounts={"gateway": "secret"},
        clock=SystemClock(),
        script=Script(dialect=Dialect(default_alphabet=WireAlphabet.LATIN1)),
    )
    await latin.start(port=port)
    try:
        await site.start()
        await site.until(lambda: site.state(short) == {LATIN: "delivered"} and site.state(long) == {LATIN: "failed"})
        assert [(taken.submitted.text, taken.submitted.body.data_coding) for taken in latin.record.taken] == [
            ("Nur 5 €", 8)
        ]
        await site.until_all_told()
        (failed,) = site.messages(state="failed")
        assert (failed.reason, failed.cut, failed.replaced) == ("content-refused", "", "")
    finally:
        await latin.stop()
