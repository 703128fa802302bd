"""The short way of writing submit_sm says, octet for octet, what the dialect's writer and the codec say."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp.dialect.dialect import (
    Dialect,
    LongMessages,
    NumberForm,
    ReceiptRequest,
    SubmitWith,
    ValidityFormat,
    WireAlphabet,
)
from smpp.dialect.parameters import Parameter, ParameterForm
from smpp.dialect.submissions import SubmitWriter, write_part
from smpp.wire.fields import PduError
from smpp.wire.pdu import encode, frame_submit
from sms.message import Alphabet, NationalLanguage, PartToSubmit, Priority
from sms.number import MobileNumber, SenderId, SenderKind
from tests.kit.smpp import NOW, parts_of

OCTET = st.integers(0, 255)
OWN = {
    "pe_id": Parameter(tag=0x1400),
    "kind": Parameter(tag=0x1402, form=ParameterForm.INTEGER_1, value="2"),
    "port": Parameter(tag=0x020B, form=ParameterForm.INTEGER_2),
}
DIALECTS = st.builds(
    Dialect,
    service_type=st.sampled_from(["", "CMT", "toolong", "\0", "€"]),
    numeric_ton=OCTET,
    numeric_form=st.sampled_from(NumberForm),
    country_code=st.sampled_from(["44", "1"]),
    trunk_prefix=st.sampled_from(["0", ""]),
    short_code_npi=OCTET,
    destination_ton=OCTET,
    destination_form=st.sampled_from(NumberForm),
    default_alphabet=st.sampled_from(WireAlphabet),
    default_data_coding=OCTET,
    flash_data_coding=OCTET,
    flash_ucs2_data_coding=OCTET,
    esm_class=OCTET,
    long_messages=st.sampled_from(LongMessages),
    submit_with=st.sampled_from([*SubmitWith, SubmitWith.SUBMIT_SM, SubmitWith.SUBMIT_SM]),
    wide_reference=st.booleans(),
    national_shift=st.booleans(),
    parameters=st.sampled_from([{}, OWN]),
    validity_format=st.sampled_from(ValidityFormat),
    express_priority_flag=OCTET,
    registered_delivery=st.integers(-1, 256),
    no_registered_delivery=OCTET,
    receipt_request=st.sampled_from(ReceiptRequest),
)
TEXTS = [
    "A",
    "Işık ĞŞç",
    "Işık ĞŞç " * 20,
    "Hi @ {€}",
    "x" * 160,
    "Pumpe 7 läuft nicht. " * 9,
    "Pumpe 7 \U0001f6d1 " * 9,
]
SENDERS = st.none() | st.builds(
    SenderId,
    value=st.sampled_from(["Acme", "12025550100", "12345", "Grüße", "€uro", "a\0b", "x" * 21]),
    kind=st.sampled_from(SenderKind),
)
CHANGES = st.fixed_dictionaries(
    {
        "number": st.builds(
            MobileNumber,
            digits=st.sampled_from(["447700900123", "1" * 15, "1" * 20, "1" * 21, "", "44\0", "٤٤٧٧٠٠٩٠٠١٢٣", "+44"]),
        ),
        "sender": SENDERS,
        "priority": st.sampled_from(Priority),
        "flash": st.booleans(),
        "receipt_wanted": st.booleans(),
        "parameters": st.sampled_from(
            [(), (("pe_id", "1101"),), (("kind", "300"),), (("pe_id", "é"), ("port", "5000")), (("other", "1"),)]
        ),
        "expires_at": st.none() | st.integers(-100, 10**7).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    }
)
PARTS = st.tuples(
    st.sampled_from(TEXTS).flatmap(
        lambda text: st.sampled_from(
            [
                part
                for coding in Alphabet
                for part in parts_of(text, coding=coding, languages=(NationalLanguage.TURKISH,))
            ]
        )
    ),
    CHANGES,
).map(lambda drawn: replace(drawn[0], **drawn[1]))


def the_long_way(part: PartToSubmit, dialect: Dialect) -> bytes | None:
    """Return the octets of the part's submit_sm, None where no PDU can carry it."""
    try:
        body, tlvs = write_part(part, dialect, NOW)
        return encode(body, 5, 0, tlvs)
    except PduError:
        return None


@given(DIALECTS, st.lists(PARTS, min_size=1, max_size=8))
def test_the_short_way_writes_what_the_long_way_writes_or_nothing(dialect, parts):
    writer = SubmitWriter(dialect)
    for part in parts:
        written = writer.write(part, NOW)
        assert written is None or frame_submit(written, 5) == the_long_way(part, dialect)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("wide", [False, True])
def test_the_short_way_takes_all_usual_parts(text, wide):
    writer = SubmitWriter(Dialect(wide_reference=wide))
    for part in parts_of(text, coding=Alphabet.UCS2) + parts_of(text):
        for _ in range(2):
            assert writer.write(part, NOW) is not None


def test_what_is_kept_of_senders_is_bounded(monkeypatch):
    monkeypatch.setattr("smpp.dialect.submissions._MOST_SHARED", 3)
    writer = SubmitWriter(Dialect())
    (part,) = parts_of("Hi")
    for number in range(10):
        sender = SenderId(value=f"1202555010{number}", kind=SenderKind.NUMERIC)
        written = writer.write(replace(part, sender=sender), NOW)
        assert written is not None
        assert sender.value.encode() in written
        assert len(writer._shared) <= 3
