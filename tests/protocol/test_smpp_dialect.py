"""Dialects: how parts are written, receipts and inbound SMS read, statuses judged, as case tables."""

import re
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import smpplib.consts
from hypothesis import given
from hypothesis import strategies as st

from smpp.client.outcomes import WITHOUT_ANSWER, outcome_of_unwritable
from smpp.dialect.dialect import (
    Dialect,
    IdBase,
    IdSource,
    LongMessages,
    NumberForm,
    SubmitWith,
    ValidityFormat,
    WireAlphabet,
)
from smpp.dialect.fragments import FragmentPlace, read_fragment, read_message, read_place, read_text, split_header
from smpp.dialect.outcomes import decide_outcome
from smpp.dialect.receipts import (
    STATES,
    WORD_OF,
    WORDS,
    DeliveryKind,
    kind_of,
    parse_absolute_time,
    parse_receipt_date,
    parse_receipt_text,
    read_receipt,
)
from smpp.dialect.submissions import normalise_id, write_cancel, write_id, write_part, write_query
from smpp.session.events import Missing
from smpp.simulator.deliveries import write_inbound, write_message_id, write_receipt
from smpp.simulator.script import ReceiptForm
from smpp.wire.bodies import DataSm, DeliverSm, SubmitSm, SubmitSmResp
from smpp.wire.fields import PduError
from smpp.wire.packing import pack_septets, unpack_septets
from smpp.wire.pdu import Pdu, encode
from smpp.wire.statuses import MEANINGS, Meaning, Status, StatusVerdict, meaning_of, status_name
from smpp.wire.tlv import Tag, Tlv
from sms.alphabet import encode_gsm7
from sms.message import Alphabet, Priority, Receipt, ReceiptState
from sms.number import MobileNumber, SenderId, SenderKind
from sms.outcome import Done, Failed, Problem, ProblemCode, Retry, Unknown
from tests.kit.smpp import NOW, NUMBER, encoded, parts_of

PLAIN = Dialect()
US_NUMBER = SenderId(value="12025550100", kind=SenderKind.NUMERIC)


def written(dialect=PLAIN, text="Hi @ {€}", **changes):
    (part,) = parts_of(text)
    return write_part(replace(part, **changes), dialect, NOW)


@pytest.mark.parametrize("submit_with", SubmitWith)
@pytest.mark.parametrize(
    ("alphabet", "payload", "wire", "octets"),
    [
        (Alphabet.GSM7, encode_gsm7("5 € " * 80), WireAlphabet.GSM7, encode_gsm7("5 € " * 80)),
        (Alphabet.GSM7, encode_gsm7("Grüße " * 50), WireAlphabet.LATIN1, ("Grüße " * 50).encode("latin-1")),
        (Alphabet.GSM7, encode_gsm7("5 € " * 80), WireAlphabet.LATIN1, ("5 € " * 80).encode("utf-16-be")),
        (Alphabet.UCS2, ("Ж" * 300).encode("utf-16-be"), WireAlphabet.GSM7, ("Ж" * 300).encode("utf-16-be")),
    ],
)
def test_a_whole_text_is_in_message_payload_without_header_or_sar(alphabet, payload, wire, octets, submit_with):
    dialect = Dialect(long_messages=LongMessages.WHOLE, default_alphabet=wire, submit_with=submit_with)
    body, tlvs = written(dialect, alphabet=alphabet, payload=payload, udh=b"", total=3)
    assert [tlv.value for tlv in tlvs if tlv.tag == Tag.MESSAGE_PAYLOAD] == [octets]
    assert not {tlv.tag for tlv in tlvs} & {Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM}
    assert body.esm_class & 0x40 == 0
    if isinstance(body, SubmitSm):
        assert body.short_message == b""


def test_a_plain_part_is_written_as_the_standard_has_it():
    body, tlvs = written()
    assert tlvs == ()
    assert body == SubmitSm(
        source_addr_ton=5,
        source_addr="Acme",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=NUMBER,
        registered_delivery=1,
        short_message=b"Hi \x00 \x1b(\x1be\x1b)",
    )


@pytest.mark.parametrize(
    ("dialect", "sender", "source"),
    [
        (PLAIN, None, (0, 0, "")),
        (PLAIN, SenderId(value="Acme", kind=SenderKind.ALPHANUMERIC), (5, 0, "Acme")),
        (PLAIN, US_NUMBER, (1, 1, "12025550100")),
        (PLAIN, SenderId(value="12345", kind=SenderKind.SHORT_CODE), (3, 0, "12345")),
        (
            Dialect(short_code_ton=6, short_code_npi=1),
            SenderId(value="12345", kind=SenderKind.SHORT_CODE),
            (6, 1, "12345"),
        ),
        (Dialect(numeric_form=NumberForm.PLUS), US_NUMBER, (1, 1, "+12025550100")),
        (
            Dialect(alphanumeric_ton=0, alphanumeric_npi=1),
            SenderId(value="A", kind=SenderKind.ALPHANUMERIC),
            (0, 1, "A"),
        ),
        (Dialect(numeric_ton=2, numeric_npi=8), SenderId(value="7", kind=SenderKind.NUMERIC), (2, 8, "7")),
    ],
)
def test_the_sender_is_written_with_the_dialects_ton_and_npi(dialect, sender, source):
    body, _ = written(dialect, sender=sender)
    assert body[1:4] == source


@pytest.mark.parametrize(
    ("dialect", "changes", "field", "value"),
    [
        (Dialect(service_type="CMT"), {}, "service_type", "CMT"),
        (Dialect(destination_ton=0, destination_npi=0), {}, "dest_addr_ton", 0),
        (Dialect(destination_form=NumberForm.PLUS), {}, "destination_addr", f"+{NUMBER}"),
        (Dialect(esm_class=3), {}, "esm_class", 3),
        (PLAIN, {"priority": Priority.EXPRESS}, "priority_flag", 1),
        (Dialect(express_priority_flag=3), {"priority": Priority.EXPRESS}, "priority_flag", 3),
        (Dialect(normal_priority_flag=1), {}, "priority_flag", 1),
        (PLAIN, {"receipt_wanted": False}, "registered_delivery", 0),
        (Dialect(registered_delivery=17), {}, "registered_delivery", 17),
        (Dialect(no_registered_delivery=16), {"receipt_wanted": False}, "registered_delivery", 16),
        (PLAIN, {"flash": True}, "data_coding", 0x10),
        (Dialect(flash_data_coding=0xF0), {"flash": True}, "data_coding", 0xF0),
        (PLAIN, {"alphabet": Alphabet.UCS2}, "data_coding", 8),
        (PLAIN, {"alphabet": Alphabet.UCS2, "flash": True}, "data_coding", 0x18),
        (Dialect(default_data_coding=3), {}, "data_coding", 3),
        (PLAIN, {"expires_at": NOW + timedelta(hours=48)}, "validity_period", "000002000000000R"),
        (PLAIN, {"expires_at": NOW + timedelta(days=1, hours=2, minutes=3, seconds=4)}, "validity_period", "000001020304000R"),
        (PLAIN, {"expires_at": NOW - timedelta(hours=1)}, "validity_period", "000000000100000R"),
        (PLAIN, {"expires_at": None}, "validity_period", ""),
        (Dialect(validity_format=ValidityFormat.NONE), {"expires_at": NOW + timedelta(hours=48)}, "validity_period", ""),
        (Dialect(validity_format=ValidityFormat.ABSOLUTE), {"expires_at": NOW + timedelta(hours=48)}, "validity_period", "261125161530000+"),
    ],
)  # fmt: skip
def test_every_field_follows_the_dialect(dialect, changes, field, value):
    body, _ = written(dialect, **changes)
    assert getattr(body, field) == value


@pytest.mark.parametrize(
    ("alphabet", "octets"),
    [
        (WireAlphabet.GSM7, b"Gr\x7e\x1e \x1be"),
        (WireAlphabet.LATIN1, "Grüß €".encode("utf-16-be")),
        (WireAlphabet.ASCII, "Grüß €".encode("utf-16-be")),
        (WireAlphabet.GSM7_PACKED, pack_septets(b"Gr\x7e\x1e \x1be")),
    ],
)
def test_the_default_alphabet_is_written_as_the_carrier_means_it(alphabet, octets):
    body, _ = written(Dialect(default_alphabet=alphabet), "Grüß €")
    assert body.short_message == octets


@pytest.mark.parametrize(
    ("alphabet", "text", "octets"),
    [
        (WireAlphabet.LATIN1, "Grüße [sofort]", "Grüße [sofort]".encode("latin-1")),
        (WireAlphabet.ASCII, "Now [all]", b"Now [all]"),
    ],
)
def test_what_the_carrier_has_is_written_in_its_own_octets(alphabet, text, octets):
    body, _ = written(Dialect(default_alphabet=alphabet, default_data_coding=3), text)
    assert (body.data_coding, body.short_message) == (3, octets)


@pytest.mark.parametrize("alphabet", [WireAlphabet.LATIN1, WireAlphabet.ASCII])
def test_a_text_for_another_carrier_goes_in_ucs2_or_is_refused_and_never_changed(alphabet):
    dialect = Dialect(default_alphabet=alphabet)
    body, _ = written(dialect, "€" + "x" * 69)
    assert (body.data_coding, body.short_message.decode("utf-16-be")) == (8, "€" + "x" * 69)
    with pytest.raises(PduError, match="no room"):
        written(dialect, "€" + "x" * 70)


@pytest.mark.parametrize(
    ("alphabet", "coding", "octets"),
    [
        (WireAlphabet.LATIN1, 0x10, b"Gr\x7e\x1ee \x1b<jetzt\x1b>"),
        (WireAlphabet.LATIN1, 0xF0, b"Gr\x7e\x1ee \x1b<jetzt\x1b>"),
        (WireAlphabet.LATIN1, 0x14, "Grüße [jetzt]".encode("latin-1")),
        (WireAlphabet.GSM7, 0x10, b"Gr\x7e\x1ee \x1b<jetzt\x1b>"),
        (WireAlphabet.GSM7_PACKED, 0x10, pack_septets(b"Gr\x7e\x1ee \x1b<jetzt\x1b>")),
    ],
)
def test_a_flash_sms_has_the_octets_that_its_data_coding_names(alphabet, coding, octets):
    dialect = Dialect(default_alphabet=alphabet, default_data_coding=3, flash_data_coding=coding)
    body, tlvs = written(dialect, "Grüße [jetzt]", flash=True)
    assert (body.data_coding, body.short_message) == (coding, octets)
    assert read_message(Pdu(body, 1, 0, tlvs), dialect)[0] == "Grüße [jetzt]"


LONG = "One two three four five. " * 12
LONG_UCS2 = "Ünï ćödé ✓ " * 15


@pytest.mark.parametrize("text", [LONG, LONG_UCS2])
@pytest.mark.parametrize("alphabet", [one for one in WireAlphabet if not one.startswith("ucs2")])
@pytest.mark.parametrize("long_messages", list(LongMessages))
@pytest.mark.parametrize("submit_with", list(SubmitWith))
def test_long_messages_arrive_whole_in_every_way_of_saying_so(submit_with, long_messages, alphabet, text):
    dialect = Dialect(submit_with=submit_with, long_messages=long_messages, default_alphabet=alphabet)
    parts = parts_of(text, reference=200)
    assert len(parts) > 1
    texts = []
    for part in parts:
        body, tlvs = write_part(part, dialect, NOW)
        assert (body.esm_class == 0x40) is (long_messages is not LongMessages.SAR)
        in_payload = isinstance(body, DataSm) or long_messages is LongMessages.MESSAGE_PAYLOAD
        assert (Tag.MESSAGE_PAYLOAD in {tlv.tag for tlv in tlvs}) is in_payload
        assert isinstance(body, DataSm) is (submit_with is SubmitWith.DATA_SM)
        assert isinstance(body, DataSm) or bool(body.short_message) is not in_payload
        encode(body, 1, 0, tlvs)
        read, place = read_message(Pdu(body, 1, 0, tlvs), dialect)
        assert place == FragmentPlace(200, part.index, part.total)
        texts.append(read)
    assert "".join(texts) == text


def test_a_part_that_is_too_long_in_utf8_is_in_message_payload():
    dialect = Dialect(default_alphabet=WireAlphabet.UTF8, ucs2_alphabet=WireAlphabet.UTF8)
    (body, tlvs) = written(dialect, "ü" * 160)
    assert (body.short_message, Pdu(body, 1, 0, tlvs).octets(Tag.MESSAGE_PAYLOAD)) == (b"", ("ü" * 160).encode())
    (body, tlvs) = written(dialect, "€uro 😀")
    assert (body.short_message, tlvs) == ("€uro 😀".encode(), ())


@pytest.mark.parametrize(
    ("dialect", "data_coding", "octets", "text"),
    [
        (Dialect(inbound_alphabet=WireAlphabet.UTF8), 0, "Grüße 😀".encode(), "Grüße 😀"),
        (Dialect(default_alphabet=WireAlphabet.UTF8), 0, "Grüße".encode(), "Grüße"),
        (Dialect(default_alphabet=WireAlphabet.LATIN1, inbound_alphabet=WireAlphabet.GSM7), 0, b"\x00", "@"),
        (Dialect(inbound_alphabets={4: WireAlphabet.WINDOWS_1252}), 4, b"\x805", "€5"),
        (Dialect(inbound_alphabets={8: WireAlphabet.UCS2_LE}), 8, "Ж".encode("utf-16-le"), "Ж"),
        (Dialect(inbound_alphabets={0: WireAlphabet.UCS2}), 0, "Жё".encode("utf-16-be"), "Жё"),
        (Dialect(inbound_alphabets={0xF5: WireAlphabet.GSM7}), 0xF5, b"\x00", "@"),
        (Dialect(inbound_alphabets={3: WireAlphabet.UTF8}), 3, b"\xff!", "\ufffd!"),
        (PLAIN, 0, "Garçon, ça va?".encode("utf-16-be"), "Garçon, ça va?"),
    ],
)
def test_an_inbound_text_is_read_in_the_alphabet_of_its_carrier_and_data_coding(dialect, data_coding, octets, text):
    pdu = Pdu(DeliverSm(source_addr="1", data_coding=data_coding, short_message=octets), 1, 0, ())
    assert read_message(pdu, dialect)[0] == text


@pytest.mark.parametrize(
    ("wide", "udh", "written_udh"),
    [
        (True, "06080412340302", "06080412340302"),
        (False, "06080412340302", "050003340302"),
        (True, "050003340302", "050003340302"),
        (False, "050003340302", "050003340302"),
        (False, "", ""),
    ],
)
def test_a_carrier_gets_the_width_of_reference_that_it_wants_where_there_is_room(wide, udh, written_udh):
    header = bytes.fromhex(udh)
    body, _ = written(Dialect(wide_reference=wide), udh=header, index=2, total=3 if udh else 1, payload=b"abc")
    assert body.short_message == bytes.fromhex(written_udh) + b"abc"
    packed, _ = written(
        Dialect(wide_reference=wide, default_alphabet=WireAlphabet.GSM7_PACKED),
        udh=header,
        total=3 if udh else 1,
        payload=b"abc",
    )
    header_written = bytes.fromhex(written_udh)
    packed_text = packed.short_message[len(header_written) :]
    assert unpack_septets(packed_text, after_octets=len(header_written))[:3] == b"abc"


def test_ids_compare_equal_in_any_base():
    assert normalise_id("1A2B", IdBase.HEX) == normalise_id("6699", IdBase.DECIMAL) == "6699"
    assert normalise_id(" 000006699 ", IdBase.DECIMAL) == normalise_id("0x1a2b", IdBase.HEX) == "6699"
    assert normalise_id(" AbC ", IdBase.TEXT) == "AbC"
    assert normalise_id("not a number", IdBase.HEX) == "not a number"
    # jookies/jasmin#521 and #916
    assert normalise_id(" 0A1b-C ", IdBase.TEXT_ANY_CASE) == normalise_id("0a1B-c", IdBase.TEXT_ANY_CASE) == "0a1b-c"


@given(st.integers(0, 2**80), st.sampled_from([IdBase.DECIMAL, IdBase.HEX]))
def test_an_id_is_written_back_in_its_own_base(number, base):
    assert normalise_id(write_message_id(number, base), base) == str(number)
    assert normalise_id(write_id(str(number), base), base) == str(number)


def test_cancel_and_query_name_what_the_submit_named():
    sender = SenderId(value="12345", kind=SenderKind.SHORT_CODE)
    dialect = Dialect(id_in_response=IdBase.HEX, service_type="CMT", destination_form=NumberForm.PLUS)
    cancel = write_cancel("6699", MobileNumber(digits=NUMBER), sender, dialect)
    assert cancel == ("CMT", "1a2b", 3, 0, "12345", 1, 1, f"+{NUMBER}")
    assert write_query("6699", sender, dialect) == ("1a2b", 3, 0, "12345")


def delivered(text=b"", tlvs=(), **changes):
    values = {"source_addr": NUMBER, "source_addr_ton": 1, "destination_addr": "Acme", "esm_class": 4, **changes}
    return Pdu(DeliverSm(short_message=text, **values), 1, 0, tuple(tlvs))


USUAL = b"id:4711 sub:001 dlvrd:001 submit date:2611231600 done date:2611231601 stat:DELIVRD err:000 text:Hello id:9"
AT = datetime(2026, 11, 23, 16, 1, tzinfo=UTC)
BOTH_IDS = (Tlv(Tag.RECEIPTED_MESSAGE_ID, "4712"), Tlv(Tag.MESSAGE_STATE, 2))


def receipt(carrier_id="4711", state=ReceiptState.DELIVERED, error="000", done_at=AT, number=NUMBER):
    return Receipt(carrier="alpha", carrier_id=carrier_id, state=state, error=error, number=number, done_at=done_at)


RECEIPT_CASES = {
    "as appendix B has it": (PLAIN, delivered(USUAL), receipt()),
    "upper case and other order": (
        PLAIN,
        delivered(b"STAT:UNDELIV ERR:012 ID:4711 DONE DATE:2611231601 SUBMIT DATE:2611231600"),
        receipt(state=ReceiptState.UNDELIVERABLE, error="012"),
    ),
    "blanks behind the colons": (
        PLAIN,
        delivered(
            b"id: 4711 sub: 001 dlvrd: 001 submit date: 2611231600 done date: 2611231601 stat: EXPIRED err: 0 text: "
        ),
        receipt(state=ReceiptState.EXPIRED, error="0"),
    ),
    "an id with blanks in it": (
        PLAIN,
        delivered(b"id:47 11 sub:001 stat:DELIVRD"),
        receipt("47 11", error="", done_at=None),
    ),
    "seconds in the dates": (
        PLAIN,
        delivered(
            b"id:4711 sub:001 dlvrd:001 submit date:261123160000 done date:261123160100 stat:REJECTD err:99 text:"
        ),
        receipt(state=ReceiptState.REJECTED, error="99"),
    ),
    "a century in the dates": (
        PLAIN,
        delivered(b"id:4711 done date:20261123160100 stat:DELETED err:1"),
        receipt(state=ReceiptState.DELETED, error="1"),
    ),
    "letters for the error": (
        PLAIN,
        delivered(b"id:4711 sub:001 dlvrd:000 submit date:2611231600 done date:2611231601 stat:UNDELIV err:EC1 text:"),
        receipt(state=ReceiptState.UNDELIVERABLE, error="EC1"),
    ),
    "nothing but id and state": (
        PLAIN,
        delivered(b"id:4711 stat:ACCEPTD"),
        receipt(state=ReceiptState.ACCEPTED, error="", done_at=None),
    ),
    "underscores and commas": (
        PLAIN,
        delivered(b"id:4711 submit_date:2611231600 done_date:2611231601 stat:DELIVRD err:000"),
        receipt(),
    ),
    "text first": (
        PLAIN,
        delivered(b"text:hello there id:4711 stat:DELIVRD err:000 done date:2611231601"),
        receipt(),
    ),
    "a word of the carrier's own": (
        Dialect(receipt_states={"ACCEPTD": ReceiptState.ENROUTE}),
        delivered(b"id:4711 stat:ACCEPTD"),
        receipt(state=ReceiptState.ENROUTE, error="", done_at=None),
    ),
    "a word that nobody knows": (
        PLAIN,
        delivered(b"id:4711 stat:WOBBLY"),
        receipt(state=ReceiptState.OTHER, error="", done_at=None),
    ),
    "a long word that many carriers write": (
        PLAIN,
        delivered(b"id:4711 stat:FAILED"),
        receipt(state=ReceiptState.UNDELIVERABLE, error="", done_at=None),
    ),
    "only parameters": (PLAIN, delivered(b"", BOTH_IDS), receipt("4712", error="", done_at=None)),
    "only parameters and no receipt bit": (
        PLAIN,
        delivered(b"", BOTH_IDS, esm_class=0),
        receipt("4712", error="", done_at=None),
    ),
    "parameters before the text": (PLAIN, delivered(USUAL, BOTH_IDS), receipt("4712")),
    "the text before parameters where the operator says so": (
        Dialect(receipt_id_from=IdSource.TEXT),
        delivered(USUAL, BOTH_IDS),
        receipt("4711"),
    ),
    "parameters where the text has no id": (
        Dialect(receipt_id_from=IdSource.TEXT),
        delivered(b"stat:DELIVRD", BOTH_IDS),
        receipt("4712", error="", done_at=None),
    ),
    "the state of the parameter before the text's": (
        PLAIN,
        delivered(USUAL, (Tlv(Tag.MESSAGE_STATE, 5),)),
        receipt(state=ReceiptState.UNDELIVERABLE),
    ),
    "a network error code": (
        PLAIN,
        delivered(b"id:4711 stat:UNDELIV", (Tlv(Tag.NETWORK_ERROR_CODE, b"\x03\x01\x02"),)),
        receipt(state=ReceiptState.UNDELIVERABLE, error="258", done_at=None),
    ),
    "decimal in the receipt, hexadecimal in the answer": (
        Dialect(id_in_response=IdBase.HEX, id_in_receipt=IdBase.DECIMAL),
        delivered(b"id:0000004711 stat:DELIVRD"),
        receipt("4711", error="", done_at=None),
    ),
    "hexadecimal in the receipt, decimal in the answer": (
        Dialect(id_in_response=IdBase.DECIMAL, id_in_receipt=IdBase.HEX),
        delivered(b"id:1267 stat:DELIVRD"),
        receipt("4711", error="", done_at=None),
    ),
    "a parameter as in the answer beside another base in the text": (
        Dialect(id_in_response=IdBase.HEX, id_in_receipt=IdBase.DECIMAL),
        delivered(b"id:4711 stat:DELIVRD", (Tlv(Tag.RECEIPTED_MESSAGE_ID, "1267"), Tlv(Tag.MESSAGE_STATE, 2))),
        receipt("4711", error="", done_at=None),
    ),
    "a parameter in a base of its own": (
        Dialect(id_in_response=IdBase.HEX, id_in_receipt_tlv=IdBase.DECIMAL),
        delivered(b"", (Tlv(Tag.RECEIPTED_MESSAGE_ID, "4711"), Tlv(Tag.MESSAGE_STATE, 2))),
        receipt("4711", error="", done_at=None),
    ),
    "dates in the carrier's zone": (
        Dialect(receipt_zone=ZoneInfo("Europe/Madrid")),
        delivered(USUAL),
        receipt(done_at=AT - timedelta(hours=1)),
    ),
    "addresses swapped": (
        Dialect(receipt_number_is_destination=True),
        delivered(USUAL, source_addr="Acme", destination_addr=f"+{NUMBER}"),
        receipt(),
    ),
    "no number": (PLAIN, delivered(USUAL, source_addr="Acme"), receipt(number="")),
    "in UCS-2": (
        PLAIN,
        delivered("id:4711 stat:DELIVRD err:000 done date:2611231601".encode("utf-16-be"), data_coding=8),
        receipt(),
    ),
    "in message_payload": (PLAIN, delivered(b"", (Tlv(Tag.MESSAGE_PAYLOAD, USUAL),)), receipt()),
    "in a data_sm": (
        PLAIN,
        Pdu(DataSm(source_addr=NUMBER, destination_addr="Acme", esm_class=4), 1, 0, (Tlv(Tag.MESSAGE_PAYLOAD, USUAL),)),
        receipt(),
    ),
    "a date that is none": (
        PLAIN,
        delivered(b"id:4711 done date:9999999999 stat:DELIVRD err:000"),
        receipt(done_at=None),
    ),
    "no id at all": (PLAIN, delivered(b"stat:DELIVRD err:000"), None),
    "nothing at all": (PLAIN, delivered(b""), None),
}


@pytest.mark.parametrize("case", RECEIPT_CASES)
def test_a_receipt_is_read_whatever_its_dialect(case):
    dialect, pdu, expected = RECEIPT_CASES[case]
    assert kind_of(pdu, dialect) is DeliveryKind.RECEIPT
    assert read_receipt(pdu, "alpha", dialect) == expected


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("261123161530000+", NOW),
        ("261123171530004+", NOW),
        ("261123104530022-", NOW),
        ("000002000000000R", None),
        ("261399161530000+", None),
        ("", None),
    ],
)
def test_an_absolute_time_is_read_with_its_offset(text, instant):
    assert parse_absolute_time(text) == instant


@pytest.mark.parametrize("state", list(WORD_OF))
@pytest.mark.parametrize("form", list(ReceiptForm))
@pytest.mark.parametrize("response", list(IdBase))
@pytest.mark.parametrize("text_base", list(IdBase))
def test_what_the_sandbox_writes_of_a_receipt_the_client_reads(form, state, response, text_base):
    texts = (IdBase.TEXT, IdBase.TEXT_ANY_CASE)
    if text_base is not response and (text_base in texts or response in texts):
        text_base = response
    dialect = Dialect(id_in_response=response, id_in_receipt=text_base)
    body, tlvs = write_receipt(
        receipt_id=0xABC123,
        source=NUMBER,
        destination="Acme",
        state=state,
        error="007",
        submitted_at=NOW,
        done_at=NOW,
        form=form,
        dialect=dialect,
    )
    read = read_receipt(Pdu(body, 1, 0, tlvs), "alpha", dialect)
    assert read is not None
    assert read.carrier_id == normalise_id(write_message_id(0xABC123, response), response)
    assert read.state is state


@given(st.text(max_size=200) | st.from_regex(r"(id|stat|text|done date|err): ?[a-z0-9 :]{0,12}", fullmatch=True))
def test_no_text_makes_the_reading_of_a_receipt_raise(text):
    parse_receipt_text(text)
    parse_receipt_date(text, ZoneInfo("UTC"))
    read_receipt(delivered(text.encode("utf-8")[:254]), "alpha", PLAIN)


def test_every_state_of_the_standard_has_its_number_and_its_word():
    assert sorted(STATES) == list(range(10))
    assert set(STATES.values()) == set(ReceiptState) - {ReceiptState.OTHER} == set(WORD_OF)
    assert all(WORDS[word] is state for state, word in WORD_OF.items())


@pytest.mark.parametrize(
    ("esm_class", "tlvs", "kind"),
    [
        (0x00, (), DeliveryKind.MESSAGE),
        (0x40, (), DeliveryKind.MESSAGE),
        (0x04, (), DeliveryKind.RECEIPT),
        (0x44, (), DeliveryKind.RECEIPT),
        (0x20, BOTH_IDS, DeliveryKind.INTERMEDIATE),
        (0x00, BOTH_IDS, DeliveryKind.RECEIPT),
        (0x00, BOTH_IDS[:1], DeliveryKind.MESSAGE),
        (0x08, (), DeliveryKind.MESSAGE),
    ],
)
def test_what_a_delivery_brings_is_told_by_its_class_and_parameters(esm_class, tlvs, kind):
    for dialect in (PLAIN, UNMARKED):
        assert kind_of(delivered(b"", tlvs, esm_class=esm_class), dialect) is kind


UNMARKED = Dialect(receipts_unmarked=True)


@pytest.mark.parametrize(
    ("text", "fields", "kind"),
    [
        (USUAL, {}, DeliveryKind.RECEIPT),
        # jookies/jasmin#447, farhadi/node-smpp#140: shapes that differ from appendix B
        (b"id:a-7 submit date:2611231600 done date:2611231601 stat:FAILED err:1", {}, DeliveryKind.RECEIPT),
        (b"ID:7 SUB:001 STAT:delivrd DONE_DATE:261123160100", {}, DeliveryKind.RECEIPT),
        (USUAL.decode().encode("utf-16-be"), {"data_coding": 8}, DeliveryKind.RECEIPT),
        (b"\x06\x08\x04\x01\x2a\x02\x01" + USUAL, {"esm_class": 0x40}, DeliveryKind.RECEIPT),
        (USUAL.replace(b"DELIVRD", b"FINE"), {}, DeliveryKind.MESSAGE),
        (b"See " + USUAL, {}, DeliveryKind.MESSAGE),
        (b"id:", {}, DeliveryKind.MESSAGE),
        (b"id: stat:DELIVRD done date:2611231601", {}, DeliveryKind.MESSAGE),
        (b"id:7 stat:DELIVRD", {}, DeliveryKind.MESSAGE),
        (b"Hi", {}, DeliveryKind.MESSAGE),
    ],
)
def test_a_text_in_the_form_of_a_receipt_is_one_only_where_the_dialect_says_so(text, fields, kind):
    pdu = delivered(text, **{"esm_class": 0, **fields})
    assert kind_of(pdu, UNMARKED) is kind
    assert kind_of(pdu, PLAIN) is DeliveryKind.MESSAGE


@pytest.mark.parametrize(
    ("esm_class", "text", "kind"),
    [
        # pruiz/kannel-opensmppbox: all bits that could be meant; as Kannel reads them
        (0x0F, USUAL, DeliveryKind.RECEIPT),
        (0x0C, b"anything", DeliveryKind.RECEIPT),
        (0x24, USUAL, DeliveryKind.RECEIPT),
        (0x08, USUAL, DeliveryKind.RECEIPT),
        (0x28, USUAL, DeliveryKind.RECEIPT),
        (0x48, b"\x05\0\x03\x84\x01\x01" + USUAL, DeliveryKind.RECEIPT),
        (0x20, USUAL, DeliveryKind.INTERMEDIATE),
        (0x23, USUAL, DeliveryKind.INTERMEDIATE),
        # §5.2.12: what a handset or its user acknowledges is no receipt because it is an acknowledgement
        (0x08, b"I have read it", DeliveryKind.MESSAGE),
        (0x10, b"Yes", DeliveryKind.MESSAGE),
        (0x03, USUAL, DeliveryKind.MESSAGE),
    ],
)
def test_any_bit_of_a_receipt_makes_one_of_what_reads_as_one(esm_class, text, kind):
    assert kind_of(delivered(text, esm_class=esm_class), PLAIN) is kind


@pytest.mark.parametrize(
    ("word", "number", "state"),
    [
        ("DELIVRD", 6, ReceiptState.DELIVERED),
        ("", None, ReceiptState.OTHER),
        ("UNDELIV", 1, ReceiptState.UNDELIVERABLE),
        ("DELIVRD", 0, ReceiptState.DELIVERED),
        ("ACCEPTD", 2, ReceiptState.DELIVERED),
        ("ENROUTE", 6, ReceiptState.ACCEPTED),
        ("SKIPPED", 9, ReceiptState.UNDELIVERABLE),
        ("BUFFERD", None, ReceiptState.ENROUTE),
        ("acked", None, ReceiptState.ACCEPTED),
        ("2", None, ReceiptState.DELIVERED),
        ("'DELIVRD',", None, ReceiptState.DELIVERED),
        ("DELIVRD\0\0", None, ReceiptState.DELIVERED),
        ("", 0, ReceiptState.ENROUTE),
    ],
)
def test_a_final_state_counts_whether_word_or_number_says_it(word, number, state):
    tlvs = () if number is None else (Tlv(Tag.RECEIPTED_MESSAGE_ID, "4711"), Tlv(Tag.MESSAGE_STATE, number))
    text = USUAL.replace(b"DELIVRD", word.encode())
    receipt = read_receipt(delivered(text, tlvs, esm_class=4), "alpha", PLAIN)
    assert receipt is not None
    assert (receipt.carrier_id, receipt.state) == ("4711", state)


def test_a_word_of_the_carriers_own_makes_an_unmarked_text_a_receipt():
    dialect = Dialect(receipts_unmarked=True, receipt_states={"FINE": ReceiptState.DELIVERED})
    assert kind_of(delivered(USUAL.replace(b"DELIVRD", b"FINE"), esm_class=0), dialect) is DeliveryKind.RECEIPT


def test_a_response_brings_no_message():
    for reading in (read_receipt, read_fragment):
        with pytest.raises(TypeError):
            reading(Pdu(SubmitSmResp(), 1), "alpha", PLAIN)


@pytest.mark.parametrize(
    ("data_coding", "octets", "text"),
    [
        (0x00, b"Gr\x7e\x1e \x1be", "Grüß €"),
        (0x01, b"plain", "plain"),
        (0x03, b"Gr\xfc\xdf", "Grüß"),
        (0x04, b"\x00\xff", "\x00\xff"),
        (0x06, "Привет".encode("iso8859_5"), "Привет"),
        (0x07, "שלום".encode("iso8859_8"), "שלום"),
        (0x08, "Grüß ✓ 🎉".encode("utf-16-be"), "Grüß ✓ 🎉"),
        (0x08, b"\x00A\x00", "A\ufffd"),
        (0x10, b"Gr\x7e", "Grü"),
        (0x18, "✓".encode("utf-16-be"), "✓"),
        (0x14, b"\xfc", "ü"),
        (0xF0, b"Gr\x7e", "Grü"),
        (0xF4, b"\xfc", "ü"),
        (0x0E, "안녕".encode("euc_kr"), "안녕"),
        (0xEE, b"Gr\x7e", "Grü"),
    ],
)
def test_inbound_text_is_read_in_its_coding(data_coding, octets, text):
    assert read_text(octets, data_coding, PLAIN) == text


@pytest.mark.parametrize(
    ("udh", "place"),
    [
        (b"", FragmentPlace()),
        (b"\x05\x00\x03\x2a\x03\x02", FragmentPlace(42, 2, 3)),
        (b"\x06\x08\x04\x01\x02\x03\x03", FragmentPlace(0x0102, 3, 3)),
        (b"\x0b\x05\x04\x00\x50\x00\x00\x00\x03\x07\x02\x01", FragmentPlace(7, 1, 2)),
        (b"\x05\x00\x03\x2a\x03\x00", FragmentPlace()),
        (b"\x05\x00\x03\x2a\x00\x01", FragmentPlace()),
        (b"\x05\x00\x03\x2a\x02\x03", FragmentPlace()),
        (b"\x05\x00\x04\x2a\x02\x01", FragmentPlace()),
        (b"\x01\x00", FragmentPlace()),
    ],
)
def test_the_place_of_a_fragment_is_read_from_its_header(udh, place):
    assert read_place(udh) == place


def test_a_header_that_is_longer_than_its_text_is_text():
    assert split_header(b"\x05\x00\x03") == (b"", b"\x05\x00\x03")
    assert split_header(b"") == (b"", b"")


def test_an_inbound_sms_is_read_with_its_addresses():
    pdu = Pdu(DeliverSm("", 1, 1, NUMBER, 3, 0, "12345", short_message=b"STOP"), 1)
    fragment = read_fragment(pdu, "alpha", PLAIN)
    assert (fragment.source, fragment.destination, fragment.text) == (f"+{NUMBER}", "12345", "STOP")
    assert (fragment.reference, fragment.index, fragment.total) == (None, 1, 1)


@pytest.mark.parametrize("text", ["Hi", LONG, LONG_UCS2])
@pytest.mark.parametrize("alphabet", list(WireAlphabet))
@pytest.mark.parametrize("long_messages", list(LongMessages))
def test_what_the_sandbox_writes_of_an_inbound_sms_the_client_reads(long_messages, alphabet, text):
    dialect = Dialect(long_messages=long_messages, default_alphabet=alphabet)
    fragments = [
        read_fragment(Pdu(body, 1, 0, tlvs), "alpha", dialect)
        for body, tlvs in write_inbound(f"+{NUMBER}", "12345", encoded(text), dialect, 77)
    ]
    assert "".join(fragment.text for fragment in fragments) == text
    assert [fragment.index for fragment in fragments] == list(range(1, len(fragments) + 1))
    assert {fragment.reference for fragment in fragments} == ({77} if len(fragments) > 1 else {None})


@pytest.mark.parametrize("text", ["Garçon, ça va?", "Hi “you”, 5 €\nBye"])
def test_ucs2_that_nobody_announced_is_read(text):
    assert read_text(text.encode("utf-16-be"), 0, PLAIN) == text


@pytest.mark.parametrize("text", ["@a@b", "mail@example.com", "a@@b@c@d", "@@@@@@@@", "Hello you", "@ home @ work @"])
def test_a_text_in_gsm7_is_not_taken_for_ucs2(text):
    assert read_text(encode_gsm7(text) or b"", 0, PLAIN) == text


@given(st.binary(max_size=160).map(lambda octets: bytes(octet & 0x7F for octet in octets)), st.integers(0, 12))
def test_septets_are_packed_and_unpacked(septets, after):
    packed = pack_septets(septets, after_octets=after)
    assert len(packed) == -(-(7 * len(septets) + -8 * after % 7) // 8)
    unpacked = unpack_septets(packed, after_octets=after)
    # A last «@» or CR in an otherwise full last octet cannot be told from padding (3GPP TS 23.038 §6.1.2.3.1).
    assert unpacked == septets or (unpacked == septets[:-1] and septets[-1] in (0, 13))


def test_packed_septets_are_those_of_the_standard():
    assert pack_septets(b"hellohello").hex() == "e8329bfd4697d9ec37"


@pytest.mark.parametrize("status", list(Status))
def test_every_status_of_the_standard_has_a_meaning_with_a_sentence(status):
    meaning = MEANINGS[status]
    assert meaning.verdict is StatusVerdict.DONE if status is Status.ROK else meaning.text.endswith(".")
    assert meaning_of(status) is meaning
    assert status_name(status) == f"ESME_{status.name} (0x{status:02X})"


def test_the_names_and_numbers_are_those_that_smpplib_has_too():
    theirs = {
        name.removeprefix("SMPP_ESME_"): value
        for name, value in vars(smpplib.consts).items()
        if name.startswith("SMPP_ESME_") and isinstance(value, int)
    }
    ours = {status.name: status.value for status in Status}
    assert set(ours) - set(theirs) == set()
    assert {name: value for name, value in ours.items() if theirs[name] != value} == {}


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        (Status.RTHROTTLED, Retry, ProblemCode.THROTTLED),
        (Status.RMSGQFUL, Retry, ProblemCode.THROTTLED),
        (Status.RSYSERR, Retry, ProblemCode.CARRIER_BUSY),
        (Status.RINVDSTADR, Failed, ProblemCode.NUMBER_REFUSED),
        (Status.RINVSRCADR, Failed, ProblemCode.SENDER_REFUSED),
        (Status.RINVMSGLEN, Failed, ProblemCode.CONTENT_REFUSED),
        (Status.RSUBMITFAIL, Retry, ProblemCode.CARRIER_BUSY),
        (Status.RINVBNDSTS, Retry, ProblemCode.LINK_DOWN),
        (0x0400, Retry, ProblemCode.CARRIER_REFUSED),
        (0x7FFFFFFF, Retry, ProblemCode.CARRIER_REFUSED),
    ],
)
def test_an_answer_becomes_an_outcome_by_the_table(status, outcome, code):
    decided = decide_outcome(status, throttle_pause=timedelta(seconds=3))
    assert isinstance(decided, outcome)
    assert decided.problem.code is code
    assert decided.problem.cause == status_name(status)
    if isinstance(decided, Retry):
        assert decided.after == (timedelta(seconds=3) if code is ProblemCode.THROTTLED else None)


def test_a_dialect_reads_a_status_its_own_way():
    overrides = {
        0x0400: Meaning(verdict=StatusVerdict.FAIL, code=ProblemCode.NUMBER_REFUSED, text="Blocked."),
        Status.RSUBMITFAIL: Meaning(verdict=StatusVerdict.UNKNOWN, code=ProblemCode.NO_ANSWER, text="Who knows."),
        Status.RINVMSGID: Meaning(verdict=StatusVerdict.DONE, code=ProblemCode.INTERNAL, text=""),
    }
    blocked = decide_outcome(0x0400, overrides=overrides)
    assert blocked == Failed(
        problem=Problem(code=ProblemCode.NUMBER_REFUSED, text="Blocked.", cause="vendor status (0x00000400)")
    )
    assert isinstance(decide_outcome(Status.RSUBMITFAIL, overrides=overrides), Unknown)
    assert decide_outcome(Status.RINVMSGID, reference="7", overrides=overrides) == Done(reference="7")


def test_no_answer_is_unknown_unless_nothing_was_sent():
    assert set(WITHOUT_ANSWER) == set(Missing)
    assert {missing for missing, outcome in WITHOUT_ANSWER.items() if isinstance(outcome, Retry)} == {Missing.UNSENT}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PduError(Status.RINVSRCADR, "source_addr"), ProblemCode.SENDER_REFUSED),
        (PduError(Status.RINVDSTADR, "destination_addr"), ProblemCode.NUMBER_REFUSED),
        (PduError(Status.RSYSERR, "data_coding"), ProblemCode.INTERNAL),
    ],
)
def test_what_no_pdu_can_carry_has_failed_for_good(error, code):
    outcome = outcome_of_unwritable(error)
    assert isinstance(outcome, Failed)
    assert outcome.problem.code is code


def test_the_documentation_names_every_field_state_word_and_status():
    text = (Path(__file__).parents[2] / "docs" / "smpp-dialects.md").read_text("utf-8")
    assert [item.name for item in fields(Dialect) if f"`{item.name}`" not in text] == []
    assert [word for word in WORDS if not re.search(rf"\b{word}\b", text)] == []
    named = [meaning for status, meaning in MEANINGS.items() if re.search(rf"\b{status.name}\b", text)]
    others = [meaning for status, meaning in MEANINGS.items() if status and meaning not in named]
    # «all others of the standard: failed»
    assert {meaning.verdict for meaning in others} == {StatusVerdict.FAIL}


@pytest.mark.parametrize(
    ("validity", "left", "seconds"),
    [
        (ValidityFormat.RELATIVE, timedelta(hours=2), 7200),
        (ValidityFormat.ABSOLUTE, timedelta(hours=2), 7200),
        (ValidityFormat.RELATIVE, timedelta(seconds=1), 60),
        (ValidityFormat.NONE, timedelta(hours=2), None),
        (ValidityFormat.RELATIVE, None, None),
    ],
)
def test_a_data_sm_has_its_validity_in_seconds(validity, left, seconds):
    dialect = Dialect(submit_with=SubmitWith.DATA_SM, validity_format=validity)
    (part,) = parts_of("Hi", expires_at=None if left is None else NOW + left)
    body, tlvs = write_part(part, dialect, NOW)
    assert isinstance(body, DataSm)
    assert Pdu(body, 1, 0, tlvs).integer(Tag.QOS_TIME_TO_LIVE) == seconds
    assert (body.registered_delivery, body.destination_addr) == (1, NUMBER)
