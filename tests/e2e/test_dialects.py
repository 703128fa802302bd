"""Every dialect of the operator's file on the real process: a long text in UCS-2 ends as its receipts say, all told.

One gateway with a carrier per dialect; the carrier speaks the same dialect, written by the table in this file.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from process.clock import SystemClock
from smpp.dialect.dialect import (
    Dialect,
    IdBase,
    InterfaceVersion,
    LongMessages,
    NumberForm,
    ReceiptFor,
    ReceiptRequest,
    SubmitWith,
    ValidityFormat,
    WireAlphabet,
)
from smpp.simulator.script import ReceiptForm, ReceiptTime, Script
from smpp.simulator.simulator import Simulator
from smpp.wire.bodies import DataSm
from smpp.wire.tlv import Tag
from sms.message import ReceiptState
from tests.kit.installation import Installation
from tests.kit.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = "Die Pumpe 7 steht still \U0001f6d1 und läuft nicht wieder an. " * 4
WITH_ROOM = {"plain", "udh-16-bit", "sar-16-bit", "payload-16-bit"}
EIGHT_BIT, SIXTEEN_BIT = b"\x05\x00\x03", b"\x06\x08\x04"

NATIONAL = {
    "destination_form": "national",
    "numeric_form": "national",
    "country_code": "44",
    "destination_ton": 2,
    "numeric_ton": 2,
}

# name: options of [carrier.dialect], options of [carrier], behaviour of the carrier
TABLE: dict[str, tuple[dict, dict, dict]] = {
    "plain": ({}, {}, {}),
    "udh-16-bit": ({"wide_reference": True}, {}, {}),
    "sar": ({"long_messages": "sar"}, {}, {}),
    "sar-16-bit": ({"long_messages": "sar", "wide_reference": True}, {}, {}),
    "payload": ({"long_messages": "message-payload"}, {}, {}),
    "whole": ({"long_messages": "whole"}, {}, {}),
    "payload-16-bit": ({"long_messages": "message-payload", "wide_reference": True}, {}, {}),
    "hex-then-decimal": ({"id_in_response": "hex", "id_in_receipt": "decimal"}, {}, {"receipt_form": ReceiptForm.TEXT}),
    "decimal-then-hex": ({"id_in_response": "decimal", "id_in_receipt": "hex"}, {}, {"receipt_form": ReceiptForm.TEXT}),
    "ids-in-any-case": (
        {"id_in_response": "text-any-case", "id_in_receipt": "text-any-case"},
        {},
        {"receipt_form": ReceiptForm.TEXT, "id_in_response": IdBase.TEXT},
    ),
    "receipts-unmarked": ({"receipts_unmarked": True}, {}, {"receipt_form": ReceiptForm.TEXT, "marked": False}),
    "receipts-as-parameters": ({"id_in_response": "hex"}, {}, {"receipt_form": ReceiptForm.TLV}),
    "receipts-twice": ({}, {}, {"receipt_copies": 2}),
    "receipts-first": ({}, {}, {"receipt": ReceiptTime.BEFORE}),
    "receipts-late": ({}, {}, {"receipt_delay": 1.0}),
    "latin-1": ({"default_alphabet": "latin-1", "default_data_coding": 3}, {}, {}),
    "utf-8": (
        {"default_alphabet": "utf-8", "ucs2_alphabet": "utf-8", "ucs2_data_coding": 0},
        {},
        {},
    ),
    "ucs2-le": ({"ucs2_alphabet": "ucs2-le"}, {}, {"inbound_alphabets": {8: WireAlphabet.UCS2_LE}}),
    "packed": ({"default_alphabet": "gsm7-packed"}, {}, {}),
    "ascii": ({"default_alphabet": "ascii", "default_data_coding": 1}, {}, {}),
    "two-links": ({}, {"bind": "pair"}, {}),
    "absolute": ({"validity_format": "absolute", "service_type": "WAP", "esm_class": 3}, {}, {}),
    "no-validity": ({"validity_format": "none", "destination_form": "plus", "destination_npi": 0}, {}, {}),
    "double-zero": ({"destination_form": "00", "destination_ton": 0}, {}, {}),
    "national": (NATIONAL, {}, {}),
    "own-flags": ({"normal_priority_flag": 1, "express_priority_flag": 3, "registered_delivery": 17}, {}, {}),
    "smpp-3.3": ({"interface_version": "3.3"}, {"bind": "pair"}, {"interface_versions": {0x33}}),
    "smpp-5.0": ({"interface_version": "5.0"}, {}, {"interface_versions": {0x50}}),
    "one-receipt": ({"receipt_for": "message"}, {}, {"receipt_parts": {1}}),
    "receipt-for-the-last-part": (
        {"receipt_for": "message", "receipt_request": "last-part"},
        {},
        {},
    ),
    "data-sm": ({"submit_with": "data-sm"}, {}, {}),
    "data-sm-sar": ({"submit_with": "data-sm", "long_messages": "sar", "id_in_response": "hex"}, {}, {}),
}
UNREACHED = {name: f"4477009004{n:02}" for n, name in enumerate(TABLE)}
VENDOR = "447700900599"
OWN_STATUS = {"verdict": "fail", "code": "number-refused", "text": "The carrier has blocked this number."}
NUMBERS = {name: f"4477009005{n:02}" for n, name in enumerate(TABLE)}
_KINDS: dict[str, Any] = {
    "long_messages": LongMessages,
    "id_in_response": IdBase,
    "id_in_receipt": IdBase,
    "default_alphabet": WireAlphabet,
    "ucs2_alphabet": WireAlphabet,
    "validity_format": ValidityFormat,
    "submit_with": SubmitWith,
    "interface_version": InterfaceVersion,
    "receipt_for": ReceiptFor,
    "receipt_request": ReceiptRequest,
    "destination_form": NumberForm,
    "numeric_form": NumberForm,
}


def forms_of(number: str) -> set[str]:
    """Return a British number as carriers write it."""
    return {number, f"+{number}", f"00{number}", f"0{number[2:]}"}


def script_of(dialect: dict, number: str, behaviour: dict) -> Script:
    """Return what a carrier does that speaks the dialect, but for what it does its own way; `number` is out of reach."""
    spoken: dict[str, Any] = {name: _KINDS.get(name, type(value))(value) for name, value in dialect.items()}
    own = dict(behaviour)
    for name in ("id_in_response", "inbound_alphabets"):
        if name in own:
            spoken[name] = own.pop(name)
    unreached = dict.fromkeys(forms_of(number), ReceiptState.UNDELIVERABLE)
    return Script(dialect=Dialect(**spoken), states=unreached, **own)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory, module_database):
    """Return the site and its carriers by dialect."""
    site = Installation(tmp_path_factory.mktemp("dialects") / "site", module_database)
    carriers = {}
    for name, (dialect, options, behaviour) in TABLE.items():
        carriers[name] = Simulator(
            accounts={"gateway": "secret"}, clock=SystemClock(), script=script_of(dialect, UNREACHED[name], behaviour)
        )
        await carriers[name].start()
        site.more_carriers.append(
            {
                "name": name,
                "port": carriers[name].port,
                "prefixes": [NUMBERS[name], UNREACHED[name]],
                "dialect": dialect,
                **options,
            }
        )
    refusing = Simulator(accounts={"gateway": "secret"}, clock=SystemClock(), script=Script(refuse=lambda _: 0x0401))
    await refusing.start()
    carriers["vendor"] = refusing
    own = {"statuses": {"0x0401": OWN_STATUS}}
    site.more_carriers.append({"name": "vendor", "port": refusing.port, "prefixes": [VENDOR], "dialect": own})
    backup = {"name": "backup", "port": free_port(), "prefixes": [NUMBERS["plain"]], "priority": 20}
    site.more_carriers.append({**backup, "dialect": TABLE["udh-16-bit"][0]})
    await site.open()
    await site.command("customer", "set", "demo", "delivery_receipt=on", "unencodable=switch", "max_parts=10")
    await site.start()
    yield site, carriers
    await site.close()
    for carrier in carriers.values():
        await carrier.stop()


def coding_of(name: str) -> int:
    """Return the data_coding of a text in UCS-2 in a dialect."""
    coding: int = TABLE[name][0].get("ucs2_data_coding", 8)
    return coding


def part_states(site: Installation, number: str) -> list[str]:
    """Return the state of each part for a number."""
    return [part.state for part in site.parts(number)]


async def ends_delivered(site: Installation, text: str, number: str, **fields) -> None:
    job = await site.send(text, to=(f"+{number}",), **fields)
    await site.until(lambda: site.state(job) == {number: "delivered"})


@pytest.mark.parametrize("name", list(TABLE))
async def test_a_long_text_in_ucs2_ends_delivered_in_each_dialect(name, world):
    site, carriers = world
    carrier, number = carriers[name], NUMBERS[name]
    before = len(carrier.record.taken)
    await ends_delivered(site, LONG, number)
    parts = [taken.submitted for taken in carrier.record.taken[before:]]
    assert [part.place.index for part in parts] == ([1] if name == "whole" else [1, 2, 3, 4])
    assert "".join(part.text for part in parts) == LONG.strip()
    assert {part.number for part in parts} <= forms_of(number)
    assert {part.body.data_coding for part in parts} == {coding_of(name)}
    assert set(part_states(site, number)) == {"delivered"}
    assert site.inbound_texts(name) == []


@pytest.mark.parametrize("name", list(TABLE))
async def test_a_long_text_in_ucs2_that_reaches_nobody_ends_undelivered_in_each_dialect(name, world):
    site, carriers = world
    carrier, number = carriers[name], UNREACHED[name]
    before = len(carrier.record.taken)
    job = await site.send(LONG, to=(f"+{number}",))
    await site.until(lambda: site.state(job) == {number: "undelivered"})
    parts = [taken.submitted for taken in carrier.record.taken[before:]]
    indexes = [1] if name == "whole" else [1, 2, 3, 4]
    assert [(part.place.index, part.body.data_coding) for part in parts] == [(at, coding_of(name)) for at in indexes]
    assert isinstance(parts[0].body, DataSm) == name.startswith("data-sm")
    await site.until(lambda: part_states(site, number) == ["undelivered"] * 4)


@pytest.mark.parametrize("name", list(TABLE))
async def test_a_short_text_in_the_default_alphabet_ends_delivered_in_each_dialect(name, world):
    site, carriers = world
    before = len(carriers[name].record.taken)
    text = "Pump 7 stopped" if name == "ascii" else "Pumpe 7 läuft für 5 £"
    await ends_delivered(site, text, NUMBERS[name])
    (taken,) = carriers[name].record.taken[before:]
    assert taken.submitted.text == text
    assert taken.submitted.body.data_coding == TABLE[name][0].get("default_data_coding", 0)


@pytest.mark.parametrize(
    ("name", "header", "place"),
    [
        ("plain", EIGHT_BIT, "short_message"),
        ("udh-16-bit", SIXTEEN_BIT, "short_message"),
        ("payload", EIGHT_BIT, "message_payload"),
        ("payload-16-bit", SIXTEEN_BIT, "message_payload"),
        ("sar", b"", "short_message"),
        ("data-sm", EIGHT_BIT, "message_payload"),
        ("data-sm-sar", b"", "message_payload"),
        ("sar-16-bit", b"", "short_message"),
    ],
)
async def test_a_part_says_which_it_is_as_its_carrier_wants_it(name, header, place, world):
    site, carriers = world
    carrier = carriers[name]
    before = len(carrier.record.taken)
    await ends_delivered(site, "x" * 320, NUMBERS[name])
    parts = [taken.submitted for taken in carrier.record.taken[before:]]
    # The plain one shares its route with one that wants 16 bits: there is room for them, and it still gets 8.
    assert [len(part.text) for part in parts] == ([152, 152, 16] if name in WITH_ROOM else [153, 153, 14])
    for part in parts:
        tags = {tlv.tag for tlv in part.pdu.tlvs}
        assert part.udh[:3] == header
        assert bool(part.body.esm_class & 0x40) == bool(header)
        assert (Tag.MESSAGE_PAYLOAD in tags) == (place == "message_payload")
        assert (Tag.SAR_MSG_REF_NUM in tags) == (not header)
    assert len({part.place.reference for part in parts}) == 1


async def test_the_fields_of_a_submit_are_those_of_the_operators_file(world):
    site, carriers = world
    await ends_delivered(site, "Fields", NUMBERS["absolute"])
    body = carriers["absolute"].record.taken[-1].submitted.body
    assert (body.service_type, body.esm_class, body.registered_delivery) == ("WAP", 3, 1)
    until = datetime.strptime(body.validity_period[:12] + "+0000", "%y%m%d%H%M%S%z")
    assert body.validity_period[12:] == "000+"
    assert abs(until - datetime.now(UTC) - timedelta(hours=48)) < timedelta(minutes=2)

    await ends_delivered(site, "Fields", NUMBERS["no-validity"])
    body = carriers["no-validity"].record.taken[-1].submitted.body
    assert (body.validity_period, body.dest_addr_npi) == ("", 0)
    assert body.destination_addr == "+" + NUMBERS["no-validity"]

    await ends_delivered(site, "Fields", NUMBERS["plain"])
    body = carriers["plain"].record.taken[-1].submitted.body
    assert re.fullmatch(r"00000[12]\d{6}000R", body.validity_period)
    assert (body.service_type, body.priority_flag, body.registered_delivery) == ("", 0, 1)

    await ends_delivered(site, "Fields", NUMBERS["data-sm"])
    pdu = carriers["data-sm"].record.taken[-1].submitted.pdu
    assert isinstance(pdu.body, DataSm)
    assert (pdu.body.registered_delivery, pdu.octets(Tag.MESSAGE_PAYLOAD)) == (1, b"Fields")
    assert 47 * 3600 < pdu.integer(Tag.QOS_TIME_TO_LIVE) <= 48 * 3600

    await ends_delivered(site, "Fields", NUMBERS["own-flags"])
    body = carriers["own-flags"].record.taken[-1].submitted.body
    assert (body.priority_flag, body.registered_delivery) == (1, 17)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("plain", (1, "{number}")),
        ("no-validity", (1, "+{number}")),
        ("double-zero", (0, "00{number}")),
        ("national", (2, "0{national}")),
    ],
)
async def test_numbers_are_written_as_the_carrier_wants_them_and_read_so(name, written, world):
    site, carriers = world
    number = NUMBERS[name]
    await ends_delivered(site, "Numbers", number)
    body = carriers[name].record.taken[-1].submitted.body
    ton, form = written
    assert (body.dest_addr_ton, body.destination_addr) == (ton, form.format(number=number, national=number[2:]))
    (kept,) = site.rows("SELECT DISTINCT number FROM receipt WHERE carrier = ? AND number LIKE ?", name, f"%{number}")
    assert kept == (number,)


async def test_a_status_of_the_vendors_own_means_what_the_operators_file_says(world):
    site, carriers = world
    job = await site.send("Blocked", to=(f"+{VENDOR}",))
    await site.until(lambda: site.state(job) == {VENDOR: "failed"})
    (message,) = site.messages(number=VENDOR)
    assert (message.reason, message.problem) == ("number-refused", "The carrier has blocked this number.")
    assert carriers["vendor"].statuses[0x0401] == 1


async def test_a_pair_has_one_link_for_each_way(world):
    site, carriers = world
    await site.until(lambda: carriers["two-links"].bound == 2)
    assert carriers["plain"].bound == 1
