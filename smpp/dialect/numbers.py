"""A number as a carrier writes it, and back: digits, with a plus, with 00, or national.

Not here: what a number is (sms.number). Standards: SMPP 3.4 §5.2.5 (TON), ITU-T E.164.
"""

from smpp.dialect.dialect import Dialect, NumberForm
from sms.number import SenderId, SenderKind

_INTERNATIONAL, _NATIONAL = 1, 2
_INTERNATIONAL_PREFIX = "00"
_LEAST_DIGITS = 7  # what is shorter is a short code


def write_number(digits: str, form: NumberForm, dialect: Dialect) -> str:
    """Return an E.164 number, given without its plus, as the carrier wants it.

    In the national form a number of another country has 00 before it.
    """
    if form is NumberForm.PLAIN:
        return digits
    if form is NumberForm.PLUS:
        return f"+{digits}"
    if form is NumberForm.NATIONAL and digits.startswith(dialect.country_code):
        return dialect.trunk_prefix + digits.removeprefix(dialect.country_code)
    return _INTERNATIONAL_PREFIX + digits


def write_source(sender: SenderId | None, dialect: Dialect) -> tuple[int, int, str]:
    """Return TON, NPI and source_addr; all empty if the carrier chooses the sender (§5.2.7: NULL)."""
    if sender is None:
        return 0, 0, ""
    if sender.kind is SenderKind.ALPHANUMERIC:
        return dialect.alphanumeric_ton, dialect.alphanumeric_npi, sender.value
    if sender.kind is SenderKind.SHORT_CODE:
        return dialect.short_code_ton, dialect.short_code_npi, sender.value
    return dialect.numeric_ton, dialect.numeric_npi, write_number(sender.value, dialect.numeric_form, dialect)


def read_number(ton: int, address: str, dialect: Dialect) -> str:
    """Return an address as E.164 with its plus if it is such a number in the carrier's form, else as it is.

    Only where the dialect says that the carrier writes 00 or national numbers are those read as such.
    """
    if not address.isdecimal():
        return address
    if ton == _INTERNATIONAL and not address.startswith("0"):
        return f"+{address}"
    forms = {dialect.destination_form, dialect.numeric_form}
    is_long = len(address) >= _LEAST_DIGITS
    if is_long and address.startswith(_INTERNATIONAL_PREFIX) and forms & {NumberForm.NATIONAL, NumberForm.DOUBLE_ZERO}:
        return f"+{address.removeprefix(_INTERNATIONAL_PREFIX)}"
    if is_long and NumberForm.NATIONAL in forms:
        trunk = dialect.trunk_prefix
        has_trunk = address.startswith(trunk) and ton != _INTERNATIONAL
        if has_trunk or ton == _NATIONAL or address.startswith("0"):  # no country code begins with 0
            return f"+{dialect.country_code}{address.removeprefix(trunk)}"
    return f"+{address}" if ton == _INTERNATIONAL else address
