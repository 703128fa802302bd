"""A carrier's own optional parameters of a submit: their tags, and how the values that an SMS brings are written.

Not here: which values an SMS has (sms.parameters). Standard: SMPP 3.4 §3.2.4.1, §5.3 (tags, forms of values).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from smpp.wire.fields import PduError
from smpp.wire.statuses import Status
from smpp.wire.tlv import TLVS, Tag, Tlv, ValueKind, read_value
from sms.parameters import Parameters


class ParameterForm(StrEnum):
    """How a value is written: a text with its NUL, a text or 0x and hexadecimal octets, a whole number."""

    C_OCTET_STRING = "c-octet-string"
    OCTET_STRING = "octet-string"
    INTEGER_1 = "integer-1"
    INTEGER_2 = "integer-2"
    INTEGER_4 = "integer-4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of the carrier's own. An SMS has its value by the setting `parameters`, under the table's name."""

    tag: int = field(metadata={"example": 0x1400})
    """Its tag, such as 0x1400."""
    form: ParameterForm = ParameterForm.C_OCTET_STRING
    """How its value is written. One of: c-octet-string (a text with a NUL behind it), octet-string (a text without, or
    0x and hexadecimal octets), integer-1, integer-2, integer-4 (a whole number of so many octets)."""
    value: str = ""
    """Its value where an SMS brings none; empty: it is left out then."""


SET_BY_US: Final = frozenset(
    {
        Tag.MESSAGE_PAYLOAD,
        Tag.SAR_MSG_REF_NUM,
        Tag.SAR_TOTAL_SEGMENTS,
        Tag.SAR_SEGMENT_SEQNUM,
        Tag.QOS_TIME_TO_LIVE,
    }
)
_SIZES: Final = {ParameterForm.INTEGER_1: 1, ParameterForm.INTEGER_2: 2, ParameterForm.INTEGER_4: 4}
_MOST_OCTETS: Final = 255


class ParameterError(ValueError):
    """A value cannot be written in its form; the text says what is expected."""


def write_value(parameter: Parameter, text: str) -> bytes:
    """Return the octets of a value; raises ParameterError."""
    size = _SIZES.get(parameter.form)
    if size is not None:
        if not re.fullmatch(r"[0-9]{1,10}", text, re.ASCII) or int(text) >= 1 << 8 * size:
            raise ParameterError(f"expected a whole number from 0 to {(1 << 8 * size) - 1}")
        return int(text).to_bytes(size, "big")
    if parameter.form is ParameterForm.OCTET_STRING and text.startswith("0x"):
        if not re.fullmatch(r"0x(?:[0-9A-Fa-f]{2}){1,255}", text, re.ASCII):
            raise ParameterError("expected 0x and pairs of hexadecimal digits")
        return bytes.fromhex(text[2:])
    if not text.isascii() or not text.isprintable() or len(text) > _MOST_OCTETS:
        raise ParameterError(f"expected at most {_MOST_OCTETS} characters of ASCII")
    return text.encode() + (b"\0" if parameter.form is ParameterForm.C_OCTET_STRING else b"")


def write_parameters(known: Mapping[str, Parameter], given: Parameters) -> Iterator[Tlv]:
    """Yield the carrier's parameters with the values of an SMS, in the order of their tags; raises PduError."""
    values = dict(given)
    for name, parameter in sorted(known.items(), key=lambda item: item[1].tag):
        text = values.get(name) or parameter.value
        if text:
            try:
                yield Tlv(parameter.tag, read_value(parameter.tag, write_value(parameter, text)))
            except ParameterError as error:
                raise PduError(Status.RINVOPTPARAMVAL, f"parameter {name}: {error}") from None


def find_fault(name: str, parameter: Parameter) -> str:
    """Return what is wrong with a parameter of the operator's file, in a sentence; empty where nothing is."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,30}", name):
        return "expected a name of small letters, digits, - and _, such as template_id"
    fault = _find_fault_of_tag(parameter)
    if fault:
        return fault
    try:
        if parameter.value:
            read_value(parameter.tag, write_value(parameter, parameter.value))
    except ParameterError as error:
        return f"value: {error}"
    except PduError as error:
        return f"value: {error.detail}"
    return ""


def _find_fault_of_tag(parameter: Parameter) -> str:
    if not 0 < parameter.tag <= 0xFFFF:
        return "expected the tag of the carrier's documentation, such as tag = 0x1400"
    if parameter.tag in SET_BY_US:
        return f"the tag is that of {Tag(parameter.tag).name.lower()}, which the gateway writes itself"
    spec = TLVS.get(parameter.tag)
    if spec is None:
        return ""
    if spec.kind is ValueKind.INTEGER:
        right = next(form for form, size in _SIZES.items() if size == spec.most)
    else:
        is_text = spec.kind is ValueKind.TEXT
        right = ParameterForm.C_OCTET_STRING if is_text else ParameterForm.OCTET_STRING
    if parameter.form is right:
        return ""
    return f'the tag is that of {Tag(parameter.tag).name.lower()}: expected form = "{right}"'
