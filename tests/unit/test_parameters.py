"""What carriers get beside a text: parameters by name, for every sender ID or one of them, layer over layer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp.dialect.parameters import Parameter, ParameterError, ParameterForm, write_parameters, write_value
from smpp.wire.tlv import Tlv
from sms.number import parse_sender_id
from sms.parameters import choose_parameters, freeze_parameters, merge_parameters, thaw_parameters
from sms.settings import FIELDS, SettingProblem, format_setting, parse_setting


def read(text) -> tuple[str, ...]:
    value = parse_setting("parameters", text)
    assert isinstance(value, tuple)
    return value


DLT = read("pe_id=1101, template_id=1107, template_id@ACMEBK=1108, template_id@+447700900700=1109")


@pytest.mark.parametrize(
    ("sender", "template"),
    [(None, "1107"), ("Other", "1107"), ("ACMEBK", "1108"), ("acmebk", "1108"), ("+447700900700", "1109")],
)
def test_each_sender_id_has_what_is_for_it_alone_before_what_is_for_all(sender, template):
    chosen = choose_parameters(DLT, parse_sender_id(sender) if sender else None)
    assert dict(chosen) == {"pe_id": "1101", "template_id": template}


def test_what_is_for_another_sender_id_alone_is_not_sent():
    assert choose_parameters(("template_id@ACMEBK=1108",), None) == ()


@pytest.mark.parametrize(
    ("weaker", "stronger", "both"),
    [
        ("a=1,b=2", "b=3", {"a=1", "b=3"}),
        ("a=1,a@X=2", "a=3", {"a=3"}),
        ("a=1,a@X=2", "a@X=3", {"a=1", "a@X=3"}),
        ("a=1,a@X=2", "a@Y=3", {"a=1", "a@X=2", "a@Y=3"}),
        ("", "a=1", {"a=1"}),
    ],
)
def test_a_stronger_layer_takes_the_place_of_what_it_names_and_leaves_the_rest(weaker, stronger, both):
    assert set(merge_parameters(tuple(filter(None, weaker.split(","))), tuple(stronger.split(",")))) == both


@pytest.mark.parametrize("text", ["1107", "=1", "a=", "a b=1", "a=é", "1a=1", "a@=1", "a=" + "x" * 256, "a=b\nc"])
def test_what_is_no_parameter_is_said_with_the_form_that_is_expected(text):
    problem = parse_setting("parameters", text)
    assert isinstance(problem, SettingProblem)
    assert problem.expected == FIELDS["parameters"].expected


@given(
    st.lists(st.from_regex(r"[a-z]{1,4}(@[A-Z]{1,4})?=[!-+\--~]([ -+\--~]{0,5}[!-+\--~])?", fullmatch=True), min_size=1)
)
def test_parameters_are_read_back_as_they_were_written(given_):
    value = read(",".join(given_))
    assert parse_setting("parameters", format_setting(value)) == value
    chosen = choose_parameters(value, None)
    assert thaw_parameters(freeze_parameters(chosen)) == chosen


@pytest.mark.parametrize(
    ("form", "text", "octets"),
    [
        (ParameterForm.C_OCTET_STRING, "1101", b"1101\0"),
        (ParameterForm.C_OCTET_STRING, "0x41", b"0x41\0"),
        (ParameterForm.OCTET_STRING, "1101", b"1101"),
        (ParameterForm.OCTET_STRING, "0x00fF", b"\0\xff"),
        (ParameterForm.INTEGER_1, "255", b"\xff"),
        (ParameterForm.INTEGER_2, "5000", b"\x13\x88"),
        (ParameterForm.INTEGER_4, "4294967295", b"\xff\xff\xff\xff"),
    ],
)
def test_a_value_is_written_in_its_form(form, text, octets):
    assert write_value(Parameter(tag=0x1400, form=form), text) == octets


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (ParameterForm.INTEGER_1, "256"),
        (ParameterForm.INTEGER_2, "-1"),
        (ParameterForm.INTEGER_4, "1e3"),
        (ParameterForm.OCTET_STRING, "0x123"),
        (ParameterForm.C_OCTET_STRING, "é"),
    ],
)
def test_a_value_that_its_form_cannot_hold_is_refused(form, text):
    with pytest.raises(ParameterError, match="expected"):
        write_value(Parameter(tag=0x1400, form=form), text)


def test_a_carrier_gets_what_its_table_names_with_the_values_of_the_sms_or_its_own():
    known = {
        "template_id": Parameter(tag=0x1401),
        "pe_id": Parameter(tag=0x1400, value="7"),
        "kind": Parameter(tag=0x1402, form=ParameterForm.INTEGER_1, value="2"),
        "unused": Parameter(tag=0x1403),
        "port": Parameter(tag=0x020B, form=ParameterForm.INTEGER_2),
    }
    given_ = (("kind", "3"), ("other", "x"), ("port", "80"), ("template_id", "1107"))
    assert list(write_parameters(known, given_)) == [
        Tlv(0x020B, 80),
        Tlv(0x1400, b"7\0"),
        Tlv(0x1401, b"1107\0"),
        Tlv(0x1402, b"\x03"),
    ]
