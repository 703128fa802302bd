"""What carriers with alphabets and forms of their own put on the phone is what the record says: no text is changed unsaid."""

import json
from typing import Any

import pytest

from mta.clock import SystemClock
from smpp.bodies import SubmitSm
from smpp.dialect import Dialect, WireAlphabet
from smpp.script import Script
from smpp.simulator import Simulator
from sms.alphabet import decode_gsm7
from tests.e2e.site import Site

LATIN, PLAIN = "447700900140", "447700900141"
LATIN_DIALECT = {"default_alphabet": "latin-1", "default_data_coding": 3}


@pytest.fixture
async def site(tmp_path, database_url):
    site = Site(tmp_path / "site", database_url)
    yield site
    await site.close()


async def carrier_of(site: Site, name: str, number: str, dialect: dict[str, Any], **spoken: Any) -> Simulator:
    """Start a carrier that speaks a dialect and give it a number."""
    carrier = Simulator(accounts={"gateway": "secret"}, clock=SystemClock(), script=Script(dialect=Dialect(**spoken)))
    await carrier.start()
    site.more_carriers.append({"name": name, "port": carrier.port, "prefixes": [number], "dialect": dialect})
    return carrier


def recorded(site: Site, number: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return text and replacements (old, new) of every message to a number."""
    found = site.rows("SELECT body, replaced FROM message WHERE number = ? ORDER BY key", number)
    return [(body, [(old, new) for _, old, new in json.loads(replaced or "[]")]) for body, replaced in found]


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
