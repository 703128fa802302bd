"""What a dialect in the operator's file cannot mean, each with what to write instead.

Not here: what its fields mean (smpp.dialect.dialect).
"""

import re
from collections.abc import Iterator
from dataclasses import fields

from config.reader import ConfigIssue
from smpp.dialect.dialect import (
    Dialect,
    LongMessages,
    NumberForm,
    ReceiptFor,
    ReceiptRequest,
    WireAlphabet,
    has_class,
    named_alphabet,
)
from smpp.dialect.parameters import find_fault
from smpp.dialect.receipts import compile_pattern
from sms.bounded_regex import RegexError

_UCS2 = frozenset({WireAlphabet.UCS2, WireAlphabet.UCS2_LE})


def check_dialect(dialect: Dialect) -> Iterator[ConfigIssue]:
    """Yield what would not fit into a PDU (SMPP 3.4 §5.2)."""
    for item in fields(dialect):
        value = getattr(dialect, item.name)
        if type(value) is int and not 0 <= value <= 255:
            yield ConfigIssue(("dialect", item.name), f"expected an octet, 0 to 255, got {value}")
    for name, most in (("system_type", 12), ("address_range", 40), ("service_type", 5)):
        yield from check_name(("dialect", name), getattr(dialect, name), most)
    yield from _check_parameters(dialect)
    yield from _check_receipts(dialect)
    yield from _check_numbers(dialect)
    yield from _check_codings(dialect)


def _check_parameters(dialect: Dialect) -> Iterator[ConfigIssue]:
    """Yield what is wrong with the carrier's own parameters."""
    tags: dict[int, str] = {}
    for name, parameter in dialect.parameters.items():
        first = tags.setdefault(parameter.tag, name)
        fault = find_fault(name, parameter) or (f'the tag is that of "{first}" too' if first != name else "")
        if fault:
            yield ConfigIssue(("dialect", "parameters", name), fault)


def _check_receipts(dialect: Dialect) -> Iterator[ConfigIssue]:
    """Yield a receipt that is asked for one part and awaited for each, and a pattern that cannot work."""
    if dialect.receipt_request is ReceiptRequest.LAST_PART and dialect.receipt_for is not ReceiptFor.MESSAGE:
        text = '"last-part" needs receipt_for = "message": no receipt would come for the other parts'
        yield ConfigIssue(("dialect", "receipt_request"), text)
    for name in ("network_tags", "price_tags"):
        tags = getattr(dialect, name)
        if len(tags) > 2 or not all(0 < tag <= 0xFFFF for tag in tags):
            yield ConfigIssue(("dialect", name), "expected one or two tags, such as [0x1403]")
    if not dialect.receipt_pattern:
        return
    try:
        names = compile_pattern(dialect.receipt_pattern).groupindex
    except RegexError as error:
        yield ConfigIssue(("dialect", "receipt_pattern"), str(error))
        return
    for name, parameter in (("id", "receipted_message_id"), ("stat", "message_state")):
        if name not in names:
            text = f"it has no group (?P<{name}>…): a receipt needs the parameter {parameter} then"
            yield ConfigIssue(("dialect", "receipt_pattern"), text, warning=True)


def _check_numbers(dialect: Dialect) -> Iterator[ConfigIssue]:
    """Yield what the national form of numbers lacks."""
    is_national = NumberForm.NATIONAL in {dialect.destination_form, dialect.numeric_form}
    if not re.fullmatch(r"[1-9][0-9]{0,2}", dialect.country_code) and (is_national or dialect.country_code):
        text = f'expected the digits of a country code such as "44", got "{dialect.country_code}"'
        yield ConfigIssue(("dialect", "country_code"), text)
    if not re.fullmatch(r"[0-9]{0,3}", dialect.trunk_prefix):
        yield ConfigIssue(("dialect", "trunk_prefix"), f'expected at most three digits, got "{dialect.trunk_prefix}"')
    if dialect.country_code and not is_national:
        text = 'it counts only where destination_form or numeric_form is "national"'
        yield ConfigIssue(("dialect", "country_code"), text, warning=True)


def check_name(path: str | tuple[str, str], value: str, most: int, what: str = "it") -> Iterator[ConfigIssue]:
    """Yield what no PDU can carry, and a warning for what is longer than the standard has it."""
    if not re.fullmatch(r"[\x20-\x7e\xa0-\xff]*", value):
        yield ConfigIssue(path, f"{what} has a character that SMPP cannot carry: expected ASCII or Latin-1")
    elif len(value) > most:
        text = f"{what} has {len(value)} characters and is sent so, but SMPP 3.4 ends at {most}: ask the carrier"
        yield ConfigIssue(path, text + " if it has given out so many", warning=True)


def _check_codings(dialect: Dialect) -> Iterator[ConfigIssue]:
    """Yield a warning where a data_coding names another alphabet than its text has (SMPP 3.4 §5.2.19, TS 23.038 §4)."""
    wrong = list(_find_wrong_alphabets(dialect))
    yield from wrong
    if wrong:
        return
    texts = {
        "default_data_coding": (dialect.default_data_coding, dialect.default_alphabet),
        "flash_data_coding": (dialect.flash_data_coding, dialect.wire_alphabet(flash=True)),
        "ucs2_data_coding": (dialect.ucs2_data_coding, dialect.ucs2_alphabet),
        "flash_ucs2_data_coding": (dialect.flash_ucs2_data_coding, dialect.ucs2_alphabet),
    }
    for field, (coding, alphabet) in texts.items():
        named = named_alphabet(coding)
        if named and not alphabet.startswith(named):
            text = f"{coding} tells phones that the text is {named}, but its octets are {alphabet}"
            yield ConfigIssue(("dialect", field), text, warning=True)
        if "flash" in field and not has_class(coding):
            text = f"{coding} has no message class: it is shown as any other SMS (16 and 24 are class 0, flash)"
            yield ConfigIssue(("dialect", field), text, warning=True)


def _find_wrong_alphabets(dialect: Dialect) -> Iterator[ConfigIssue]:
    for field, wrong in (
        ("default_alphabet", _UCS2),
        ("ucs2_alphabet", frozenset(WireAlphabet) - _UCS2 - {WireAlphabet.UTF8}),
    ):
        wire = getattr(dialect, field)
        if wire in wrong:
            expected = ", ".join(item for item in WireAlphabet if item not in wrong)
            yield ConfigIssue(("dialect", field), f'expected one of {expected}, got "{wire}"')
    if dialect.national_shift and dialect.default_alphabet not in {WireAlphabet.GSM7, WireAlphabet.GSM7_PACKED}:
        yield ConfigIssue(("dialect", "national_shift"), 'it needs default_alphabet = "gsm7" or "gsm7-packed"')
    if dialect.national_shift and dialect.long_messages in {LongMessages.SAR, LongMessages.WHOLE}:
        text = 'it needs long_messages = "udh" or "message-payload": the header of each part names its tables'
        yield ConfigIssue(("dialect", "national_shift"), text)
    for coding in dialect.inbound_alphabets:
        if not 0 <= coding <= 255:
            text = f"expected values of data_coding, 0 to 255, got {coding}"
            yield ConfigIssue(("dialect", "inbound_alphabets"), text)
