"""Telephone numbers of handsets, and sender IDs that a handset may show. The only user of `phonenumbers`.

Not here: which numbers a customer may write to (gateway.accept), nor numbers that belong to us (inbound.routing).
Standards: ITU-T E.164; RFC 3966 for the `tel:` prefix; SMPP 3.4 §5.2.5 for the kinds of sender.

A possible number is taken: numbering plans grow faster than the metadata, and numbers reserved for fiction are possible
but not valid. It is refused if its known type cannot receive SMS. How a text is read:

1. `+…` and `00…` are international, whatever the default country. Where `00…` makes no possible number, the
   international prefix of the default country is tried (0011… in AU).
2. A text that begins with another `0` is national or begins with the default country's international prefix (011… in
   US): no country code begins with 0.
3. Any other text can be national or international without its plus. A valid mobile number wins over a possible one,
   and that over one that cannot receive; between two valid ones the national wins. Between two that are only possible
   the international wins in a country whose national numbers begin with 0, since this one does not; elsewhere the
   national wins.
4. Up to six digits without 0 or plus are a short code, which is no recipient, unless valid in the default country.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from sms.outcome import Refusal, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileNumber:
    """A number that may receive SMS, made by `parse_number`; `digits` is E.164 without the plus."""

    digits: str

    @property
    def e164(self) -> str:
        """The number with its plus."""
        return f"+{self.digits}"


class SenderKind(StrEnum):
    """What a sender ID is; decides the type of number on the air (SMPP 3.4 §5.2.5)."""

    NUMERIC = "numeric"
    ALPHANUMERIC = "alphanumeric"
    SHORT_CODE = "short-code"


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderId:
    """What the phone shows as the sender, made by `parse_sender_id`; a number's `value` is its digits without plus."""

    value: str
    kind: SenderKind


class _Fit(IntEnum):
    """How well a text reads as a number; the higher reading wins."""

    IMPOSSIBLE = 0
    CANNOT_RECEIVE = 1
    POSSIBLE = 2
    VALID = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One way to read a text: the number's digits, if any, and the refusal, if any."""

    fit: _Fit
    digits: str = ""
    detail: str = ""


# E.164 §6: at most 15 digits. At most two zeros precede them, and one more as (0).
_MOST_DIGITS = 15
_MOST_WRITTEN_DIGITS = _MOST_DIGITS + 3
_LONGEST_TEXT = 64
_SHORT_CODE_AS_RECIPIENT = 6

_SEPARATORS = MappingProxyType(dict.fromkeys(map(ord, " -./()")))
_WRITTEN_NUMBER = re.compile(r"\(?\+?[0-9][0-9 ./()-]*", re.ASCII)
_TRUNK_IN_BRACKETS = re.compile(r"(?<=[0-9]) *\( *0 *\)", re.ASCII)
_SPREADSHEET_FLOAT = re.compile(r"[0-9]+\.0+", re.ASCII)
_SPREADSHEET_EXPONENT = re.compile(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+", re.ASCII)
_EXTENSION = re.compile(r"[0-9] *(x|ext|#|;)", re.ASCII | re.IGNORECASE)


@cache
def _library() -> Any:
    """Return `phonenumbers`, loaded by the first number that is read: commands that only ask read none."""
    import phonenumbers  # noqa: PLC0415

    return phonenumbers


# A personal number forwards calls; a pager has its own network. VoIP numbers are taken: many plans serve them by SMS.
@cache
def _deaf_kinds() -> Mapping[Any, str]:
    kind = _library().PhoneNumberType
    return MappingProxyType(
        {
            kind.FIXED_LINE: "a fixed line",
            kind.TOLL_FREE: "a toll-free service",
            kind.PREMIUM_RATE: "a premium-rate service",
            kind.SHARED_COST: "a shared-cost service",
            kind.PERSONAL_NUMBER: "a personal call-forwarding number",
            kind.PAGER: "a pager",
            kind.UAN: "a company-wide access number",
            kind.VOICEMAIL: "a voice mailbox",
        }
    )


_NO_COUNTRY_CODE = "begins with no known country code: check the digits after + or 00"
_INTERNATIONAL_FORM = "write it with + and country code first, such as +447700900123"
_NO_DEFAULT_COUNTRY = f"{_INTERNATIONAL_FORM}, or have a default country set"


@cache
def _misfits() -> Mapping[Any, str]:
    result = _library().ValidationResult
    return MappingProxyType(
        {
            result.TOO_SHORT: "is too short for country code +{code}: digits are missing",
            result.TOO_LONG: "is too long for country code +{code}: it has too many digits, or is two numbers",
            result.INVALID_LENGTH: "has a number of digits that country code +{code} does not use: check it",
            result.INVALID_COUNTRY_CODE: _NO_COUNTRY_CODE,
            result.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code: write it in full, with + and country code first",
        }
    )


@cache
def _faults_of_reading() -> Mapping[Any, str]:
    fault = _library().NumberParseException
    return MappingProxyType(
        {
            fault.INVALID_COUNTRY_CODE: _NO_COUNTRY_CODE,
            fault.NOT_A_NUMBER: f"is too short: {_INTERNATIONAL_FORM}",
            fault.TOO_SHORT_AFTER_IDD: f"is too short: {_INTERNATIONAL_FORM}",
            fault.TOO_SHORT_NSN: f"is too short: {_INTERNATIONAL_FORM}",
            fault.TOO_LONG: f"has more than {_MOST_DIGITS} digits: check it",
        }
    )


def parse_number(text: str, default_country: str, *, strict: bool = False) -> MobileNumber | Refused:
    """Return the handset's number that the text names, or why it names none.

    `default_country` is ISO 3166-1 alpha-2, empty if national numbers cannot be read; `strict` demands a number that is
    valid in the metadata, not only possible. Separators are blank - . / ( ), and a `tel:` prefix is ignored. Refusals:
    NUMBER_MALFORMED, NUMBER_IMPOSSIBLE, NUMBER_CANNOT_RECEIVE, NUMBER_INVALID; details are ASCII.
    """
    if len(text) > _LONGEST_TEXT:
        detail = f"A number has at most {_MOST_DIGITS} digits: this text is too long to be one."
        return Refused(refusal=Refusal.NUMBER_MALFORMED, detail=detail)
    return _parse_number(text, default_country.strip().upper(), strict)


def parse_stored_number(text: str, default_country: str) -> MobileNumber | Refused:
    """Return the number that a directory or an address book holds, or why it names none; never a guess.

    As `parse_number`, but digits with neither plus nor zero, which may have lost one, are taken for a number of the
    default country only.
    """
    number = parse_number(text, default_country)
    digits = text.strip(" ").removeprefix("tel:").translate(_SEPARATORS)
    if isinstance(number, Refused) or digits[:1] in ("+", "0"):
        return number
    code = _library().country_code_for_region(default_country.strip().upper())
    if code and number.digits.startswith(str(code)):
        return number
    detail = f"The number has neither plus nor zero, and is none of the default country: {_INTERNATIONAL_FORM}."
    return Refused(refusal=Refusal.NUMBER_MALFORMED, detail=detail)


@lru_cache(maxsize=32768)
def _parse_number(text: str, country: str, strict: bool) -> MobileNumber | Refused:  # noqa: FBT001 - a cache key
    written = text.strip(" ")
    if written[:4].lower() == "tel:":  # RFC 3966 §3
        written = written[4:].strip(" ")
    problem = _find_malformation(written)
    if problem:
        return Refused(refusal=Refusal.NUMBER_MALFORMED, detail=problem)
    reading = _choose_reading(written, country if country in _library().SUPPORTED_REGIONS else "")
    if reading.fit is _Fit.IMPOSSIBLE:
        return Refused(refusal=Refusal.NUMBER_IMPOSSIBLE, detail=reading.detail)
    if reading.fit is _Fit.CANNOT_RECEIVE:
        return Refused(refusal=Refusal.NUMBER_CANNOT_RECEIVE, detail=reading.detail)
    if strict and reading.fit is not _Fit.VALID:
        return Refused(
            refusal=Refusal.NUMBER_INVALID,
            detail="The number is not in use according to the numbering plan, and strict checking of numbers is on.",
        )
    return MobileNumber(digits=reading.digits)


def _find_malformation(written: str) -> str:
    """Return why the text is not a number of digits and separators, empty if it is."""
    if _SPREADSHEET_EXPONENT.fullmatch(written) or _SPREADSHEET_FLOAT.fullmatch(written):
        return "The number was rounded by a spreadsheet: format the cell as text and enter it again."
    if _WRITTEN_NUMBER.fullmatch(written):
        return ""
    if written.count("+") > 1:
        return "The text holds more than one number: give each recipient its own address."
    if _EXTENSION.search(written):
        return "A number with an extension or parameters cannot receive SMS: give the handset's own number."
    odd = next((char for char in written if char not in "+0123456789 -./()"), None)
    if odd is None:
        return f"The number is missing or its signs are out of place: {_INTERNATIONAL_FORM}."
    name = unicodedata.name(odd, "a control character")
    return f"The number contains U+{ord(odd):04X} ({name}): use only the digits 0 to 9, + and blanks."


def _choose_reading(written: str, region: str) -> _Reading:
    """Return the best reading by the rules of the module; `region` is empty if there is no default country."""
    digits = written.translate(_SEPARATORS)
    if len(digits.removeprefix("+")) > _MOST_WRITTEN_DIGITS:
        return _impossible(f"has more than {_MOST_DIGITS} digits: check it, and give each number its own address")
    if digits.startswith("+"):
        return _read_international(written, digits[1:])
    if digits.startswith("00"):
        reading = _read_international(written, digits[2:])
        if reading.fit is _Fit.IMPOSSIBLE and _dials_abroad(digits, region):
            return _read(digits, region)
        return reading
    if digits.startswith("0"):
        return (
            _read(digits, region)
            if region
            else _impossible(f"is national, without country code: {_NO_DEFAULT_COUNTRY}")
        )
    return _choose_bare_reading(written, digits, region)


def _choose_bare_reading(written: str, digits: str, region: str) -> _Reading:
    """Read digits without 00 or plus as national or international (rules 3 and 4 of the module)."""
    national = _read(digits, region) if region else _Reading(fit=_Fit.IMPOSSIBLE)
    if national.fit is _Fit.VALID:
        return national
    if len(digits) <= _SHORT_CODE_AS_RECIPIENT:
        return _impossible(f"is too short, and short codes cannot receive SMS: {_INTERNATIONAL_FORM}")
    international = _read_international(written, digits)
    if national.fit is not international.fit:
        return max(national, international, key=lambda one: one.fit)
    if not region:
        return _impossible(f"seems to lack its country code: {_NO_DEFAULT_COUNTRY}")
    if national.fit is _Fit.POSSIBLE and _has_trunk_zero(region):
        return international
    return national


def _has_trunk_zero(region: str) -> bool:
    """Return whether national numbers of the country are written with a 0 that is no part of the number."""
    return (_library().ndd_prefix_for_region(region, True) or "").startswith("0")


def _main_region(country_code: int | None) -> str:
    return str(_library().region_code_for_country_code(country_code or 0))


def _dials_abroad(digits: str, region: str) -> bool:
    """Return whether the digits begin with the country's international prefix and a country code."""
    try:
        number = _library().parse(digits, region or None, keep_raw_input=True)
    except _library().NumberParseException:
        return False
    return bool(number.country_code_source == _library().CountryCodeSource.FROM_NUMBER_WITH_IDD)


def _read_international(written: str, digits: str) -> _Reading:
    """Read digits that begin with a country code; the 0 of `+49 (0) 176` is dropped if the country has no such 0."""
    reading = _read(f"+{digits}", None)
    if reading.fit is _Fit.IMPOSSIBLE and _TRUNK_IN_BRACKETS.search(written):
        without = _TRUNK_IN_BRACKETS.sub("", written, count=1).translate(_SEPARATORS)
        return _read("+" + without.removeprefix("+").removeprefix("00"), None)
    return reading


def _read(digits: str, region: str | None) -> _Reading:
    """Read the digits as one number of the region, or as an international number if they begin with +."""
    try:
        number = _library().parse(digits, region)
    except _library().NumberParseException as error:
        return _impossible(_faults_of_reading()[error.error_type])
    e164 = f"{number.country_code}{_library().national_significant_number(number)}"
    if len(e164) > _MOST_DIGITS:
        return _impossible(_faults_of_reading()[_library().NumberParseException.TOO_LONG])
    reason = _library().is_possible_number_with_reason(number)
    if number.italian_leading_zero and _has_trunk_zero(_main_region(number.country_code)):
        reason = (
            _library().ValidationResult.TOO_SHORT
        )  # the library keeps the trunk 0 of a number this short as a digit
    if reason != _library().ValidationResult.IS_POSSIBLE:
        return _impossible(_misfits()[reason].format(code=number.country_code))
    kind = _library().number_type(number)
    if kind in _deaf_kinds():
        detail = f"The number belongs to {_deaf_kinds()[kind]}, which cannot receive SMS: give a mobile number."
        return _Reading(fit=_Fit.CANNOT_RECEIVE, digits=e164, detail=detail)
    return _Reading(fit=_Fit.POSSIBLE if kind == _library().PhoneNumberType.UNKNOWN else _Fit.VALID, digits=e164)


def _impossible(what: str) -> _Reading:
    return _Reading(fit=_Fit.IMPOSSIBLE, detail=f"The number {what}.")


# The characters whose octet is the same in ASCII and GSM-7: a carrier may read an address either way.
_ALPHANUMERIC_SENDER = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 !\"#%&'()*+,./:;<=>?-]{1,11}", re.ASCII)
_SHORT_CODE_SENDER = re.compile(r"[0-9]{3,8}", re.ASCII)
_NUMERIC_SENDER = re.compile(r"(?:\+|00)([1-9][0-9]{6,14})|([1-9][0-9]{8,14})", re.ASCII)


def parse_sender_id(text: str) -> SenderId | None:
    """Return the sender ID that the text names, None if a network could not show it.

    - `+` or `00` and 7 to 15 digits, or 9 to 15 digits that do not begin with 0: an international number;
    - 3 to 8 digits: a short code (a national number as sender is not taken: a phone abroad could not answer it);
    - up to 11 (3GPP TS 23.040 §9.1.2.5) letters, digits, blanks and common punctuation with at least one letter.
    """
    given = text.strip(" ")
    digits = given.translate(_SEPARATORS)
    if _SHORT_CODE_SENDER.fullmatch(given):
        return SenderId(value=given, kind=SenderKind.SHORT_CODE)
    if numeric := _NUMERIC_SENDER.fullmatch(digits):
        return SenderId(value=numeric[1] or numeric[2], kind=SenderKind.NUMERIC)
    if _ALPHANUMERIC_SENDER.fullmatch(given):
        return SenderId(value=given, kind=SenderKind.ALPHANUMERIC)
    return None


def is_country(text: str) -> bool:
    """Return whether a text is the ISO 3166 code, in capitals, of a country with a numbering plan: GB, not UK."""
    return text in _library().SUPPORTED_REGIONS


def country_of_dialling_code(code: int) -> str:
    """Return the main country of a dialling code such as 49, empty if it has none."""
    region = _main_region(code)
    return region if is_country(region) else ""


@lru_cache(maxsize=32768)
def country_of(number: MobileNumber) -> str:
    """Return the ISO 3166-1 alpha-2 code of the number's country, empty for networks without a country (satellites).

    An unallocated number counts for the main country of its country code.
    """
    alone = _only_region(number.digits)
    if alone:
        return alone
    try:
        parsed = _library().parse(number.e164, None)
    except _library().NumberParseException:
        return ""  # stored when the metadata still knew its country code
    region = _library().region_code_for_number(parsed) or _main_region(parsed.country_code)
    return region if region.isalpha() and region != "ZZ" else ""


@lru_cache(maxsize=32768)
def zones_of(number: MobileNumber) -> tuple[str, ...]:
    """Return the IANA time zones that a number may be in, none for networks without a country.

    Where its own is unknown, they are those of its country's mobile numbers.
    """
    from phonenumbers import timezone  # noqa: PLC0415 - as the library itself

    try:
        parsed = _library().parse(number.e164, None)
    except _library().NumberParseException:
        return ()
    zones = timezone.time_zones_for_geographical_number(parsed)
    if timezone.UNKNOWN_TIMEZONE in zones:
        kind = _library().PhoneNumberType.MOBILE
        example = _library().example_number_for_type(country_of(number), kind)
        zones = timezone.time_zones_for_number(example) if example is not None else ()
    return tuple(zone for zone in zones if zone != timezone.UNKNOWN_TIMEZONE)


@lru_cache(maxsize=4096)
def is_toll_free(number: MobileNumber) -> bool:
    """Return whether a number is of a toll-free service, according to its country's numbering plan."""
    try:
        parsed = _library().parse(number.e164, None)
    except _library().NumberParseException:
        return False
    return bool(_library().number_type(parsed) == _library().PhoneNumberType.TOLL_FREE)


def _only_region(digits: str) -> str:
    """Return the country whose code the digits begin with, where no other has the same code; that needs no parsing."""
    for length in (1, 2, 3):
        regions = _library().region_codes_for_country_code(int(digits[:length]))
        if regions:
            return str(regions[0]) if len(regions) == 1 and is_country(regions[0]) else ""
    return ""


class NumberType(StrEnum):
    """What a number that may receive SMS is, according to its country's numbering plan."""

    MOBILE = "mobile"
    FIXED_OR_MOBILE = "fixed-or-mobile"
    VOIP = "voip"
    UNKNOWN = "unknown"


@cache
def _types() -> Mapping[Any, NumberType]:
    kind = _library().PhoneNumberType
    return {
        kind.MOBILE: NumberType.MOBILE,
        kind.FIXED_LINE_OR_MOBILE: NumberType.FIXED_OR_MOBILE,
        kind.VOIP: NumberType.VOIP,
    }


@lru_cache(maxsize=32768)
def type_of(number: MobileNumber) -> NumberType:
    """Return what a number is."""
    try:
        parsed = _library().parse(number.e164, None)
    except _library().NumberParseException:
        return NumberType.UNKNOWN
    return _types().get(_library().number_type(parsed), NumberType.UNKNOWN)


@lru_cache(maxsize=4096)
def show_number(address: str) -> str:
    """Return the digits of an international number as people write it, `+44 7700 900123`; another address unchanged."""
    digits = address.removeprefix("+")
    if _NUMERIC_SENDER.fullmatch(digits) is None:
        return address
    try:
        parsed = _library().parse(f"+{digits}", None)
    except _library().NumberParseException:
        return address
    return str(_library().format_number(parsed, _library().PhoneNumberFormat.INTERNATIONAL))


def mask_number(text: str) -> str:
    """Return a number, with or without plus, masked for logs: `+447700…23`."""
    digits = text.removeprefix("+")
    return f"+{digits[:-6]}…{digits[-2:]}" if len(digits) > 8 else "+…"
