"""What message centres of others say that the standard does not foresee, octet by octet, and what the client makes of
it.

The cases are the failures that users of other SMPP libraries report most; a thread is named where it explains its case.
Not here: dialects that the operator's file names (test_smpp_dialect), and the simulator's own faults
(test_smpp_client).
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest

from smpp.dialect.binds import BindMode
from smpp.dialect.dialect import Dialect, IdBase, WireAlphabet
from smpp.session.limits import SessionLimits
from smpp.wire.bodies import Command, DeliverSmResp
from smpp.wire.pdu import Pdu, decode
from smpp.wire.statuses import Status
from sms.message import ReceiptState
from sms.outcome import Done, Failed, ProblemCode, Retry
from sms.retry import Ladder
from tests.kit.clock import leap
from tests.kit.smpp import NUMBER, Listener, account_of, client_of, logbook, single_parts
from tests.kit.smpp_raw import RawCentre, bound, delivery, is_alive, linked, pdu, raw_centre, taken, tlv

DELIVERED, UNDELIVERABLE = ReceiptState.DELIVERED, ReceiptState.UNDELIVERABLE


# Receipts

TEXT = b"id:4711 sub:001 dlvrd:001 submit date:2611231600 done date:2611231601 stat:DELIVRD err:000 text:"
STATE = tlv(0x0427, b"\x02")
RECEIPTS: dict[str, tuple[bytes, tuple[str, ReceiptState, str]]] = {
    "nothing but parameters": (
        delivery(esm_class=4, behind=tlv(0x001E, b"4711\0") + STATE),
        ("4711", DELIVERED, ""),
    ),
    "nothing but parameters, and no receipt bit": (
        delivery(behind=tlv(0x001E, b"4711\0") + STATE),
        ("4711", DELIVERED, ""),
    ),
    "a parameter without its NUL": (
        delivery(esm_class=4, behind=tlv(0x001E, b"4711") + STATE),
        ("4711", DELIVERED, ""),
    ),
    # twitter-archive/cloudhopper-smpp#40: `err:` is three characters of any kind
    "letters in the error": (delivery(TEXT.replace(b"err:000", b"err:21b"), esm_class=4), ("4711", DELIVERED, "21b")),
    "an error of four digits": (delivery(TEXT.replace(b"000", b"0000"), esm_class=4), ("4711", DELIVERED, "0000")),
    "an error of two": (delivery(TEXT.replace(b"000", b"00"), esm_class=4), ("4711", DELIVERED, "00")),
    "a blank before the error": (delivery(TEXT.replace(b"err:000", b"err: 0"), esm_class=4), ("4711", DELIVERED, "0")),
    "neither sub nor dlvrd": (
        delivery(TEXT.replace(b"sub:001 dlvrd:001 ", b""), esm_class=4),
        ("4711", DELIVERED, "000"),
    ),
    "no text": (delivery(TEXT.removesuffix(b" text:"), esm_class=4), ("4711", DELIVERED, "000")),
    "a word of no appendix, a date of noughts": (
        delivery(
            b"id:4711 sub:001 dlvrd:001 submit date:1608051046 done date:0000000000 stat:FAILED err:002 Text:",
            esm_class=4,
        ),
        ("4711", UNDELIVERABLE, "002"),
    ),
    "fields in the text of the SMS": (
        delivery(TEXT + b"id:1 stat:UNDELIV err:099", esm_class=4),
        ("4711", DELIVERED, "000"),
    ),
    "a NUL that is counted": (delivery(TEXT + b"\0", esm_class=4), ("4711", DELIVERED, "000")),
    "dashes in the id": (
        delivery(TEXT.replace(b"4711", b"05ac1908-7b62-4cab-8266-87b59aa9111d"), esm_class=4),
        ("05ac1908-7b62-4cab-8266-87b59aa9111d", DELIVERED, "000"),
    ),
    "UCS-2": (
        delivery(TEXT.decode().encode("utf-16-be"), esm_class=4, data_coding=8),
        ("4711", DELIVERED, "000"),
    ),
    # kneodev/ksmppd#63: the receipt repeats the header of the part that it is for
    "a header before the text": (
        delivery(b"\x05\0\x03\x84\x01\x01" + TEXT, esm_class=0x44),
        ("4711", DELIVERED, "000"),
    ),
    "UCS-2 behind a header with a wide reference": (
        delivery(b"\x06\x08\x04\x01\x2a\x01\x01" + TEXT.decode().encode("utf-16-be"), esm_class=0x44, data_coding=8),
        ("4711", DELIVERED, "000"),
    ),
    "UCS-2 behind a header": (
        delivery(b"\x05\0\x03\x84\x01\x01" + TEXT.decode().encode("utf-16-be"), esm_class=0x44, data_coding=8),
        ("4711", DELIVERED, "000"),
    ),
    "a header whose octets are letters": (
        delivery(b"\x06\x08\x04id\x3a\x02" + TEXT, esm_class=0x44),
        ("4711", DELIVERED, "000"),
    ),
    # the esm_class of the part, taken over with its header bit, but no header
    "the bit of a header and none": (delivery(TEXT, esm_class=0x44), ("4711", DELIVERED, "000")),
    "the bit of a header and none, UCS-2": (
        delivery(TEXT.decode().encode("utf-16-be"), esm_class=0x44, data_coding=8),
        ("4711", DELIVERED, "000"),
    ),
    "the bit of a header and none, out of order": (
        delivery(b"stat:DELIVRD err:000 done date:2611231601 id:4711", esm_class=0x44),
        ("4711", DELIVERED, "000"),
    ),
    "store and forward in esm_class": (delivery(TEXT, esm_class=0x07), ("4711", DELIVERED, "000")),
    "parameters of the vendor's own": (
        delivery(TEXT, esm_class=4, behind=bytes.fromhex("0423000303000014540004000000011418000400000000")),
        ("4711", DELIVERED, "000"),
    ),
    # praekelt/python-smpp#7: a NUL that no length counts
    "a NUL behind the text": (delivery(TEXT, esm_class=4, behind=b"\0"), ("4711", DELIVERED, "000")),
    # opentelecoms-org/jsmpp#214: refused, it would come again for days
    "a parameter that is cut off": (
        delivery(TEXT, esm_class=4, behind=STATE + b"\x04\x23\x00\x03\x03"),
        ("4711", DELIVERED, "000"),
    ),
    "a state of no octets": (delivery(TEXT, esm_class=4, behind=tlv(0x0427, b"")), ("4711", DELIVERED, "000")),
    "a network error of four octets": (
        delivery(TEXT.replace(b"err:000 ", b""), esm_class=4, behind=tlv(0x0423, b"\x03\0\x01\x02")),
        ("4711", DELIVERED, "258"),
    ),
    # jookies/jasmin#549
    "a callback number that is none": (
        delivery(TEXT, esm_class=4, behind=tlv(0x0381, b"\x71")),
        ("4711", DELIVERED, "000"),
    ),
    "an id longer than the standard has it": (
        delivery(esm_class=4, behind=tlv(0x001E, b"1" * 80 + b"\0") + STATE),
        ("1" * 80, DELIVERED, ""),
    ),
}


@pytest.mark.parametrize("case", RECEIPTS)
async def test_a_receipt_is_understood_and_acknowledged(case):
    body, expected = RECEIPTS[case]
    async with linked() as (centre, _, listener):
        centre.say(pdu(Command.DELIVER_SM, body))
        await centre.until(lambda: centre.answers_to(Command.DELIVER_SM))
        assert centre.answers_to(Command.DELIVER_SM) == [Status.ROK]
        assert [(one.carrier_id, one.state, one.error) for one in listener.receipts] == [expected]
        assert listener.fragments == []


def data(*, esm_class: int, behind: bytes) -> bytes:
    """Return the body of a data_sm, which has no text but in its parameters."""
    return b"\0\x01\x01" + NUMBER.encode() + b"\0\0\x0112345\0" + bytes((esm_class, 0, 0)) + behind


async def test_a_receipt_in_a_data_sm_is_understood_and_acknowledged():
    """jookies/jasmin#139."""
    async with linked() as (centre, _, listener):
        centre.say(pdu(Command.DATA_SM, data(esm_class=4, behind=tlv(0x001E, b"4711\0") + STATE)))
        await centre.until(lambda: centre.answers_to(Command.DATA_SM))
        assert centre.answers_to(Command.DATA_SM) == [Status.ROK]
        assert [(one.carrier_id, one.state) for one in listener.receipts] == [("4711", DELIVERED)]


async def test_an_inbound_sms_in_a_data_sm_is_understood_and_acknowledged():
    async with linked() as (centre, _, listener):
        centre.say(pdu(Command.DATA_SM, data(esm_class=0x40, behind=tlv(0x0424, UDH_8 + b"Hi"))))
        await centre.until(lambda: centre.answers_to(Command.DATA_SM))
        assert centre.answers_to(Command.DATA_SM) == [Status.ROK]
        assert [(one.text, one.reference, one.total) for one in listener.fragments] == [("Hi", 42, 2)]


HEX_THEN_DECIMAL = Dialect(id_in_response=IdBase.HEX, id_in_receipt=IdBase.DECIMAL)
ANY_CASE = Dialect(id_in_response=IdBase.TEXT_ANY_CASE, id_in_receipt=IdBase.TEXT_ANY_CASE)
DECIMAL_THEN_HEX = Dialect(id_in_response=IdBase.DECIMAL, id_in_receipt=IdBase.HEX)


@pytest.mark.parametrize(
    ("dialect", "answered", "reported"),
    [
        (Dialect(), "4711", "4711"),
        (Dialect(), "SAR-447700900123-1EEDF843-2-1", "SAR-447700900123-1EEDF843-2-1"),
        (HEX_THEN_DECIMAL, "39f99dd5", "0972660181"),  # jookies/jasmin#1034
        (HEX_THEN_DECIMAL, "33E95179", "870928761"),  # opentelecoms-org/jsmpp#56
        (HEX_THEN_DECIMAL, "812FC7470000001B", "9308878062554710043"),  # beyond 63 bits
        (HEX_THEN_DECIMAL, "0000000A", "10"),
        (DECIMAL_THEN_HEX, "0000029095", "71a7"),
        (Dialect(id_in_response=IdBase.HEX, id_in_receipt=IdBase.HEX), "0e999f21", "E999F21"),  # jookies/jasmin#643
        (Dialect(id_in_response=IdBase.DECIMAL, id_in_receipt=IdBase.DECIMAL), "29095", "0000029095"),
        # jookies/jasmin#521, #916
        (ANY_CASE, "a6f2b1c0-9d3e", "A6F2B1C0-9D3E"),
        (ANY_CASE, "0x5F3aB", "0X5f3Ab"),
    ],
)
async def test_a_receipt_has_the_id_of_its_answer(dialect, answered, reported):
    def answer(sequence):
        return pdu(Command.SUBMIT_SM_RESP, answered.encode() + b"\0", sequence=sequence)

    async with linked(dialect=dialect, submit_answer=answer) as (centre, client, listener):
        client.submit(single_parts(1))
        await listener.until(lambda: listener.answers)
        centre.say(pdu(Command.DELIVER_SM, delivery(TEXT.replace(b"4711", reported.encode()), esm_class=4)))
        await listener.until(lambda: listener.receipts)
        assert listener.answers[1] == Done(reference=listener.receipts[0].carrier_id)


async def test_an_unmarked_receipt_is_one_where_the_operator_says_that_this_carrier_marks_none():
    """jookies/jasmin#447, farhadi/node-smpp#140; without the line it is an inbound SMS, see below."""
    async with linked(dialect=Dialect(receipts_unmarked=True)) as (centre, _, listener):
        centre.say(pdu(Command.DELIVER_SM, delivery(TEXT)) + pdu(Command.DELIVER_SM, delivery(b"Hi"), sequence=2))
        await centre.until(lambda: centre.answers_to(Command.DELIVER_SM, 2) and centre.answers_to(Command.DELIVER_SM))
        assert [(one.carrier_id, one.state) for one in listener.receipts] == [("4711", DELIVERED)]
        assert [one.text for one in listener.fragments] == ["Hi"]


async def test_a_receipt_on_the_transmitters_link_is_understood_and_acknowledged():
    """opentelecoms-org/jsmpp#157: centres with the habits of SMPP 3.3 know no other link for it."""
    async with linked(bind=BindMode.TRANSMITTER) as (centre, client, listener):
        client.submit(single_parts(1))
        await listener.until(lambda: listener.answers)
        centre.say(pdu(Command.DELIVER_SM, delivery(TEXT, esm_class=4)))
        await centre.until(lambda: centre.answers_to(Command.DELIVER_SM))
        assert centre.answers_to(Command.DELIVER_SM) == [Status.ROK]
        assert [one.carrier_id for one in listener.receipts] == ["4711"]


# Inbound SMS

UDH_8, UDH_16 = b"\x05\0\x03\x2a\x02\x01", b"\x06\x08\x04\x01\x2a\x02\x01"
SAR = tlv(0x020C, b"\0\0") + tlv(0x020E, b"\x02") + tlv(0x020F, b"\x01")
LATIN_1 = Dialect(default_alphabet=WireAlphabet.LATIN1)
INBOUND: dict[str, tuple[Dialect, bytes, tuple[str, int | None, int, int]]] = {
    "Latin-1 said": (Dialect(), delivery("Grüße".encode("latin-1"), data_coding=3), ("Grüße", None, 1, 1)),
    "Latin-1 unsaid": (LATIN_1, delivery("Grüße".encode("latin-1")), ("Grüße", None, 1, 1)),
    # onlinecity/php-smpp#59: pairs of units beyond the basic plane
    "emoji": (Dialect(), delivery("Got \U0001f618".encode("utf-16-be"), data_coding=8), ("Got \U0001f618", None, 1, 1)),
    "nothing": (Dialect(), delivery(), ("", None, 1, 1)),
    "a header": (Dialect(), delivery(UDH_8 + b"Hi", esm_class=0x40), ("Hi", 42, 1, 2)),
    "a header with a wide reference": (Dialect(), delivery(UDH_16 + b"Hi", esm_class=0x40), ("Hi", 0x012A, 1, 2)),
    # farhadi/node-smpp#139: further bits stand beside the one of the header
    "a header, and more in esm_class": (Dialect(), delivery(UDH_8 + b"Hi", esm_class=0x48), ("Hi", 42, 1, 2)),
    "a header after another": (
        Dialect(),
        delivery(b"\x0b\x05\x04\x0b\x84\0\0\0\x03\x2a\x02\x01Hi", esm_class=0x40),
        ("Hi", 42, 1, 2),
    ),
    # linxGnu/gosmpp#55
    "a header in message_payload": (
        Dialect(),
        delivery(esm_class=0x40, behind=tlv(0x0424, UDH_8 + b"Hi")),
        ("Hi", 42, 1, 2),
    ),
    "sar parameters with reference 0": (Dialect(), delivery(b"Hi", behind=SAR), ("Hi", 0, 1, 2)),
    "a header and sar parameters": (
        Dialect(),
        delivery(UDH_8 + b"Hi", esm_class=0x40, behind=SAR),
        ("Hi", 42, 1, 2),
    ),
    "a sar reference of one octet": (
        Dialect(),
        delivery(b"Hi", behind=tlv(0x020C, b"\x2a") + tlv(0x020E, b"\x02") + tlv(0x020F, b"\x01")),
        ("Hi", 42, 1, 2),
    ),
    "sar parameters that cannot be": (
        Dialect(),
        delivery(b"Hi", behind=tlv(0x020C, b"\0\x01") + tlv(0x020E, b"\0") + tlv(0x020F, b"\0")),
        ("Hi", None, 1, 1),
    ),
    "a header that is longer than the text": (Dialect(), delivery(b"\x20Hi", esm_class=0x40), (" Hi", None, 1, 1)),
    # A handset can write this, so it is an SMS like any other: only the carrier's own bit or parameters make a receipt.
    "the text of a receipt": (Dialect(), delivery(TEXT), (TEXT.decode(), None, 1, 1)),
    # what Kannel's drive_smpp sends
    "a receipted_message_id and no state": (
        Dialect(),
        delivery(b"Hi", behind=tlv(0x001E, b"receipted_message_id\0")),
        ("Hi", None, 1, 1),
    ),
    # jookies/jasmin#1094
    "a parameter of another request": (
        Dialect(),
        delivery(b"Hi", behind=tlv(0x0017, b"\0\0\0\x3c")),
        ("Hi", None, 1, 1),
    ),
    "a tag of SMPP 5.0": (Dialect(), delivery(b"Hi", behind=tlv(0x0428, b"\x01")), ("Hi", None, 1, 1)),
    "a NUL behind the text": (Dialect(), delivery(b"Hi", behind=b"\0"), ("Hi", None, 1, 1)),
    "a payload that is cut off": (Dialect(), delivery(behind=b"\x04\x24\0\x09Hi"), ("Hi", None, 1, 1)),
}


@pytest.mark.parametrize("case", INBOUND)
async def test_an_inbound_sms_is_understood_and_acknowledged(case):
    dialect, body, expected = INBOUND[case]
    async with linked(dialect=dialect) as (centre, _, listener):
        centre.say(pdu(Command.DELIVER_SM, body))
        await centre.until(lambda: centre.answers_to(Command.DELIVER_SM))
        assert centre.answers_to(Command.DELIVER_SM) == [Status.ROK]
        assert [(one.text, one.reference, one.index, one.total) for one in listener.fragments] == [expected]
        assert listener.receipts == []


@pytest.mark.parametrize("sequence", [0, 0x7FFFFFFF, 0x80000001, 0xFFFFFFFF])
async def test_a_sequence_number_that_no_standard_allows_is_given_back(sequence):
    """farhadi/node-smpp#68 shows a 0."""
    async with linked() as (centre, _, listener):
        centre.say(pdu(Command.DELIVER_SM, delivery(b"Hi"), sequence=sequence))
        await centre.until(lambda: centre.answers_to(Command.DELIVER_SM, sequence))
        assert [one.text for one in listener.fragments] == ["Hi"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (delivery()[:-5], Status.RINVCMDLEN),
        (b"CMT", Status.RINVCMDLEN),
    ],
)
async def test_what_cannot_be_understood_is_refused_with_its_reason_and_the_link_goes_on(body, status):
    async with linked() as (centre, _, listener):
        centre.say(pdu(Command.DELIVER_SM, body))
        await centre.until(lambda: centre.answers_to(Command.DELIVER_SM))
        assert centre.answers_to(Command.DELIVER_SM) == [status]
        assert (listener.fragments, listener.receipts) == ([], [])
        assert await is_alive(centre)


# Answers to submits


def nack(sequence, status):
    return pdu(Command.GENERIC_NACK, sequence=sequence, status=status)


def answered(body=b"", status=0) -> Callable[[int], bytes]:
    return lambda sequence: pdu(Command.SUBMIT_SM_RESP, body, sequence=sequence, status=status)


ANSWERS: dict[str, tuple[Callable[[int], bytes], type, object]] = {
    "no body": (answered(), Done, ""),
    "an id without its NUL": (answered(b"4711"), Done, "4711"),
    # python-smpplib/python-smpplib#2
    "a parameter of SMPP 5.0": (answered(b"13f0ac1b-a11d\0" + tlv(0x0428, b"\0")), Done, "13f0ac1b-a11d"),
    "a NUL behind the id": (answered(b"4711\0\0"), Done, "4711"),
    "a refusal without a body": (answered(status=Status.RINVDSTADR), Failed, ProblemCode.NUMBER_REFUSED),
    # funbox/smppex#6: §4.4.2 says that there is no body
    "a refusal with an id": (answered(b"0A000000A3D323A1\0", Status.RINVDSTADR), Failed, ProblemCode.NUMBER_REFUSED),
    "a refusal with an empty id and parameters": (
        answered(b"\0" + tlv(0x0425, b"\x02"), Status.RTHROTTLED),
        Retry,
        ProblemCode.THROTTLED,
    ),
    "a refusal with parameters alone": (
        answered(tlv(0x001D, b"no credit\0"), Status.RSUBMITFAIL),
        Retry,
        ProblemCode.CARRIER_BUSY,
    ),
    # opentelecoms-org/jsmpp#172
    "a reserved status": (answered(b"\0", 0x94), Retry, ProblemCode.CARRIER_REFUSED),
    "a nack": (lambda sequence: nack(sequence, Status.RINVMSGLEN), Failed, ProblemCode.CONTENT_REFUSED),
    "a nack without a reason": (lambda sequence: nack(sequence, 0), Retry, ProblemCode.CARRIER_BUSY),
    "a nack for nobody, then the answer": (lambda sequence: nack(0, Status.RINVCMDLEN) + taken(sequence), Done, "4711"),
    "the answer twice": (lambda sequence: taken(sequence) * 2, Done, "4711"),
    "another request's answer before its own": (
        lambda sequence: pdu(Command.QUERY_SM_RESP, b"4711\0\0\0\0", sequence=sequence) + taken(sequence),
        Done,
        "4711",
    ),
    # adapted from kneodev/ksmppd#153, #56
    "an id of 72 characters": (answered(b"4" * 72 + b"\0"), Done, "4" * 72),
    "an id that does not end": (answered(b"4" * 200), Done, "4" * 200),
    "blanks and NULs around the id": (answered(b" 4711 \0\0"), Done, "4711"),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_an_answer_is_understood_and_the_link_goes_on(case):
    answer, kind, told = ANSWERS[case]
    async with linked(submit_answer=answer) as (centre, client, listener):
        client.submit(single_parts(1))
        await listener.until(lambda: listener.answers)
        outcome = listener.answers[1]
        said = outcome.reference if isinstance(outcome, Done) else outcome.problem.code
        assert (type(outcome), said) == (kind, told)
        assert await is_alive(centre)


async def test_answers_in_any_order_find_their_parts():
    waiting: list[int] = []

    def answer(sequence):
        waiting.append(sequence)
        if len(waiting) < 3:
            return b""
        return b"".join(pdu(Command.SUBMIT_SM_RESP, b"id-%d\0" % one, sequence=one) for one in reversed(waiting))

    async with linked(submit_answer=answer) as (_, client, listener):
        client.submit(single_parts(3))
        await listener.until(lambda: len(listener.answers) == 3)
        first = waiting[0]
        assert listener.answers == {key: Done(reference=f"id-{first + key - 1}") for key in (1, 2, 3)}


# The link

BINDS = {
    "no body": lambda sequence: pdu(Command.BIND_TRANSCEIVER_RESP, sequence=sequence),
    "a name without its NUL": lambda sequence: pdu(Command.BIND_TRANSCEIVER_RESP, b"centre", sequence=sequence),
    # farhadi/node-smpp#36
    "version 5.0": lambda sequence: pdu(Command.BIND_TRANSCEIVER_RESP, b"\0" + tlv(0x0210, b"\x50"), sequence=sequence),
    "a version cut off": lambda sequence: pdu(Command.BIND_TRANSCEIVER_RESP, b"\0\x02\x10", sequence=sequence),
    # twitter-archive/cloudhopper-smpp#101
    "a question before it": lambda sequence: pdu(Command.ENQUIRE_LINK, sequence=7) + bound(sequence),
    "an inbound SMS right behind it": lambda sequence: bound(sequence) + pdu(Command.DELIVER_SM, delivery(b"Hi")),
}


@pytest.mark.parametrize("case", BINDS)
async def test_a_bind_answer_is_understood(case):
    async with linked(bind_answer=BINDS[case]) as (centre, client, listener):
        client.submit(single_parts(1))
        await listener.until(lambda: listener.answers)
        assert listener.answers[1] == Done(reference="4711")
        if case == "a question before it":
            assert centre.answers_to(Command.ENQUIRE_LINK, 7) == [Status.ROK]
        if case == "an inbound SMS right behind it":
            await centre.until(lambda: centre.answers_to(Command.DELIVER_SM))
            assert [one.text for one in listener.fragments] == ["Hi"]


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        # jookies/jasmin#124: a body although it refuses
        (b"\0\0\0\x11\x80\0\0\x09\0\0\0\x53\0\0\0\x01\0", "ESME_RINVSYSTYP"),
        (b"\0\0\0\x10\x80\0\0\x09\0\0\0\x0e\0\0\0\x01", "ESME_RINVPASWD"),
        (b"\0\0\0\x10\x80\0\0\0\0\0\0\x03\0\0\0\x01", "ESME_RINVCMDID"),
    ],
)
async def test_a_refused_bind_is_logged_with_its_status_whatever_its_body(answer, name):
    with logbook() as book:
        async with (
            raw_centre(bind_answer=lambda _: answer) as centre,
            client_of(account_of(centre), Listener()) as client,
        ):
            line = await book.until("smpp_bind_refused")
            assert name in line["status"]
            assert client.free_window() == 0


@pytest.mark.parametrize("body", [b"\0", b"junk", b"\0" * 40])
async def test_a_question_with_a_body_is_answered_with_yes(body):
    async with linked() as (centre, _, _listener):
        centre.say(pdu(Command.ENQUIRE_LINK, body))
        await centre.until(lambda: centre.answers_to(Command.ENQUIRE_LINK))
        assert centre.answers_to(Command.ENQUIRE_LINK) == [Status.ROK]
        assert await is_alive(centre)


@pytest.mark.parametrize("answer", [{"body": b"\0"}, {"body": b"junk"}, {"status": Status.RSYSERR}])
async def test_any_answer_to_our_question_is_a_sign_of_life(answer):
    limits = SessionLimits(window=10, response_seconds=20, enquire_link_seconds=10)
    async with linked(limits=limits) as (centre, _, _listener):
        for nth in range(1, 4):
            leap(11)
            await centre.until(lambda nth=nth: len(questions(centre)) >= nth)
            centre.say(pdu(Command.ENQUIRE_LINK_RESP, sequence=questions(centre)[nth - 1], **answer))
            assert await is_alive(centre)


def submits(centre: RawCentre) -> int:
    return sum(command == Command.SUBMIT_SM for command, *_ in centre.heard)


def questions(centre: RawCentre) -> list[int]:
    return [sequence for command, _, sequence, _ in centre.heard if command == Command.ENQUIRE_LINK]


@pytest.mark.parametrize("body", [b"", b"\0", b"junk"])
async def test_an_unbind_is_answered_and_a_link_that_is_closed_at_once_comes_back(body):
    async with linked() as (centre, client, listener):
        centre.say(pdu(Command.UNBIND, body))
        await centre.until(lambda: centre.answers_to(Command.UNBIND))
        assert centre.answers_to(Command.UNBIND) == [Status.ROK]
        centre.hang_up()
        await centre.until(lambda: sum(command == Command.BIND_TRANSCEIVER for command, *_ in centre.heard) == 2)
        await listener.until(lambda: client.free_window() > 0)


async def test_a_request_that_no_standard_has_is_nacked_and_the_link_goes_on():
    async with linked() as (centre, _, _listener):
        centre.say(pdu(0x00000112, b"whatever", sequence=5))
        await centre.until(lambda: any(command == Command.GENERIC_NACK for command, *_ in centre.heard))
        (nacked,) = [one for one in centre.heard if one[0] == Command.GENERIC_NACK]
        assert nacked[1:3] == (Status.RINVCMDID, 5)
        assert await is_alive(centre)


def test_an_answer_to_a_delivery_may_have_the_id_that_it_must_not_have():
    """jookies/jasmin#1124; §4.6.2 says that message_id is unused."""
    octets = bytes.fromhex("00000022800000050000000000000000") + b"g1691575035277258\0"
    assert decode(octets) == Pdu(DeliverSmResp("g1691575035277258"), 0)


# Links


async def test_a_centre_that_hangs_up_after_each_bind_is_bound_ever_more_rarely():
    """kneodev/ksmppd#38: such a centre shuts an address out after a few tries."""
    times = []

    def bind_and_go(sequence):
        times.append(asyncio.get_running_loop().time())
        asyncio.get_running_loop().call_soon(centre.hang_up)
        return bound(sequence)

    async with raw_centre(bind_and_go) as centre:
        account = account_of(
            centre, reconnect=Ladder.doubling(timedelta(seconds=0.05), timedelta(minutes=1), least=0.5)
        )
        async with client_of(account, Listener()):
            await centre.until(lambda: len(times) == 6)
    waits = [after - before for before, after in pairwise(times)]
    # The pauses are half of 0.05, 0.1, 0.2, 0.4, 0.8 s where the jitter is least.
    assert all(wait >= 0.025 * 2**place for place, wait in enumerate(waits))


async def test_a_centre_that_unbinds_and_leaves_the_socket_open_is_bound_again():
    """komuw/naz#29, python-smpplib#55."""
    async with linked(limits=SessionLimits(response_seconds=60)) as (centre, client, listener):
        centre.say(pdu(Command.UNBIND, sequence=7))
        await centre.until(lambda: centre.answers_to(Command.UNBIND, 7))
        await centre.until(lambda: sum(command == Command.BIND_TRANSCEIVER for command, *_ in centre.heard) == 2)
        await listener.until(lambda: client.free_window() > 0)
        client.submit(single_parts(1))
        await listener.until(lambda: listener.answers)
        assert listener.answers[1] == Done(reference="4711")


async def test_a_carrier_that_never_answers_costs_one_window_and_then_single_probes():
    async with linked(submit_answer=lambda _: b"", limits=SessionLimits(window=5, response_seconds=10)) as (
        centre,
        client,
        listener,
    ):
        client.submit(single_parts(5))
        await centre.until(lambda: submits(centre) == 5)
        leap(11)
        await listener.until(lambda: len(listener.answers) == 5)
        assert client.free_window() == 1
        client.submit(single_parts(1, first_key=6))
        await centre.until(lambda: submits(centre) == 6)
        leap(11)
        await listener.until(lambda: len(listener.answers) == 6)
        assert client.free_window() == 1
        centre.submit_answer = taken
        client.submit(single_parts(1, first_key=7))
        await listener.until(lambda: len(listener.answers) == 7)
        assert client.free_window() == 5


async def test_a_window_that_is_smaller_than_ours_is_found_and_nothing_is_refused_for_good():
    """linxGnu/gosmpp#73: a window of 1, beyond it ESME_RSUBMITFAIL."""
    answers = iter([taken, *[answered(status=Status.RSUBMITFAIL)] * 7])
    dialect = Dialect(throttle_pause=timedelta(seconds=0.05))

    def answer(sequence):
        return next(answers)(sequence)

    async with linked(submit_answer=answer, dialect=dialect) as (_, client, listener):
        client.submit(single_parts(8))
        await listener.until(lambda: len(listener.answers) == 8)
        assert {type(outcome) for outcome in listener.answers.values()} == {Done, Retry}
        await listener.until(lambda: client.free_window() > 0)
        assert client.free_window() <= 5  # half of 10, halved again by answers that come a pause later
