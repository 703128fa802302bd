"""The forms of a recipient address: numbers such as `+49…@`, lists, reply addresses, dry runs, and jobs to cancel.

Not here: whether the digits are a number (sms.number) and whether the domain is ours (the caller). RFC 5321 §4.1.2,
RFC 3191 §2, MS-OXCMAIL 2.1.3.1.8 (IMCEA).
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from inbound.reply_token import is_reply_token
from sms.outcome import Refusal, Refused
from sms.report import CANCEL_PREFIX


class RecipientKind(StrEnum):
    """What a recipient address asks for."""

    NUMBER = "number"
    LIST = "list"
    REPLY = "reply"
    EXPLAIN = "explain"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientAddress:
    """One parsed address. `number` is text for `parse_number`, empty for others; `domain` is lower-case ASCII.

    A dry run (`explain+…`) has its number or list. `job` is the public id of a job that is taken back (`cancel+…`).
    """

    kind: RecipientKind
    domain: str
    number: str = ""
    list_name: str = ""
    reply_token: str = ""
    job: str = ""


_ADDRESS_LIMIT: Final = 320  # RFC 5321 §4.5.3.1: 64 + 1 + 255
_LOCAL_LIMIT: Final = 64  # RFC 5321 §4.5.3.1.1
_SOURCE_ROUTE: Final = re.compile(r"@[^:\"]*:")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')  # RFC 5321 §4.1.2
_DOMAIN: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.?)+", re.ASCII)
_LITERAL: Final = re.compile(r"\[[0-9A-Za-z:.]{2,60}\]", re.ASCII)
_PREFIX: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,15})=", re.ASCII)
_QUALIFIER: Final = re.compile(r"/[A-Za-z][A-Za-z0-9-]*=", re.ASCII)
_IMCEA: Final = re.compile(r"IMCEA(.+)", re.ASCII | re.IGNORECASE)
_SCHEMES: Final = frozenset({"SMS", "SMSTO", "TEL", "CALLTO"})
_PASTED: Final = {
    **dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD, 0x200E, 0x200F, 0x061C)),
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A))),
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0xFE58, 0x30FC), "-"),
    **{wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((0x00A0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x202F, 0x205F, 0x3000), " "),
}
_ESCAPE: Final = re.compile(r"\+([0-9A-Fa-f]{2})", re.ASCII)
_IMCEA_TYPE: Final = re.compile(r"([A-Za-z0-9]{1,8})[-:]", re.ASCII)
_LIST: Final = re.compile(r"lista?\+(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
_LIST_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,50}", re.ASCII)
_EXPLAIN: Final = re.compile(r"explain\+(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
# Some mail programs on the web make a blank of the plus sign in a link.
_CANCEL: Final = re.compile(CANCEL_PREFIX.replace("+", "[+ -]") + "(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
_JOB: Final = re.compile(r"J(\.[0-9]{8}-[0-9]{6}\.[0-9]{3}-[a-z0-9]{4,20})", re.ASCII | re.IGNORECASE)
_ADDRESS_TYPE: Final = re.compile(r"(?:smtp|mailto):", re.ASCII | re.IGNORECASE)
_NUMBER: Final = re.compile(r"[+0-9()./ -]*[0-9][+0-9()./ -]*", re.ASCII)


def read_recipient(address: str, *, prefixes: tuple[str, ...]) -> RecipientAddress | Refused:
    """Parse a recipient address from the envelope, without angle brackets, its local part quoted or not.

    `prefixes` are the customer's names before `=` or `:` (`SMS=+49…`), compared without case.
    """
    split = _split(address)
    if isinstance(split, Refused):
        return split
    local, domain = split
    return _read_local(local, domain, tuple(prefix.upper() for prefix in prefixes))


def _malformed(detail: str) -> Refused:
    return Refused(refusal=Refusal.ADDRESS_MALFORMED, detail=detail)


def _split(address: str) -> tuple[str, str] | Refused:
    """Return the unquoted local part and the domain of an address."""
    if len(address) > _ADDRESS_LIMIT:
        return _malformed("the address is longer than 320 characters")
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in address):
        return _malformed("the address holds control characters")
    route = _SOURCE_ROUTE.match(address)
    if route is not None:
        address = address[route.end() :]  # RFC 5321 §4.1.1.3: accepted and ignored
    local, at, domain = address.rpartition("@")
    if not local.isascii():
        local = _plain(local)
    host = _read_domain(domain)
    if not at or not local or host is None:
        return _malformed("an address is <number>@<domain>")
    if len(local.encode("utf-8", "replace")) > _LOCAL_LIMIT:
        return _malformed("the part before @ is longer than 64 octets")
    if local.startswith('"'):
        quoted = _QUOTED.fullmatch(local)
        if quoted is None:
            return _malformed("a quotation mark is missing in the address")
        local = re.sub(r"\\(.)", r"\1", quoted[1])
    return local.strip(), host


def _plain(text: str) -> str:
    """Return text in ASCII digits, blanks and marks: pasted numbers have those of many scripts."""
    return "".join(str(unicodedata.decimal(char, char)) for char in text.translate(_PASTED))


def _read_domain(domain: str) -> str | None:
    if _LITERAL.fullmatch(domain):
        return domain.lower()
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    domain = domain.lower().removesuffix(".")
    return domain if len(domain) <= 255 and ".." not in domain and _DOMAIN.fullmatch(domain) else None


def _read_local(local: str, domain: str, prefixes: tuple[str, ...]) -> RecipientAddress | Refused:
    explain = _EXPLAIN.fullmatch(local)
    if explain is not None:
        if _EXPLAIN.fullmatch(explain[1]) or _CANCEL.fullmatch(explain[1]):
            return _malformed("after explain+ comes a number")
        inner = _read_local(explain[1], domain, prefixes)
        return inner if isinstance(inner, Refused) else replace(inner, kind=RecipientKind.EXPLAIN)
    listed = _LIST.fullmatch(local)
    if listed is not None:
        return _read_list(listed[1], domain)
    cancel = _CANCEL.fullmatch(local)
    if cancel is not None:
        return _read_job(cancel[1], domain)
    token = _ADDRESS_TYPE.sub("", local, count=1)
    if is_reply_token(token):
        return RecipientAddress(kind=RecipientKind.REPLY, domain=domain, reply_token=token)
    imcea = _IMCEA.fullmatch(local)
    number = _unwrap_imcea(imcea[1]) if imcea is not None else local
    return number if isinstance(number, Refused) else _read_number(number, domain, prefixes)


def _read_list(name: str, domain: str) -> RecipientAddress | Refused:
    if not _LIST_NAME.fullmatch(name):
        return Refused(refusal=Refusal.ADDRESS_UNKNOWN, detail="there is no such list")
    return RecipientAddress(kind=RecipientKind.LIST, domain=domain, list_name=name.lower())


def _read_job(name: str, domain: str) -> RecipientAddress | Refused:
    job = _JOB.fullmatch(name.strip())
    if job is None:
        detail = f"a job is cancelled by {CANCEL_PREFIX}J...@{domain}, with the id from its status mail"
        return Refused(refusal=Refusal.ADDRESS_UNKNOWN, detail=detail)
    return RecipientAddress(kind=RecipientKind.CANCEL, domain=domain, job=f"J{job[1].lower()}")


def _unwrap_imcea(text: str) -> str | Refused:
    """Undo the encapsulation, in which only the address or also the type is escaped (MS-OXCMAIL 2.1.3.1.8)."""
    kind, hyphen, encoded = text.partition("-")
    unescaped = _unescape(text)
    if not (hyphen and kind.isalnum()):
        found = _IMCEA_TYPE.match(unescaped)
        if found is None:
            return _malformed("an encapsulated address is IMCEASMS-<number>@<domain>")
        kind, number = found[1], unescaped[found.end() :]
    else:
        number = _unescape(encoded)
    if kind.upper() != "SMS":
        # Only this type: any other would make us relay for IMCEASMTP-user+40victim.
        return Refused(refusal=Refusal.RELAY_DENIED, detail="only encapsulated addresses of type SMS are taken")
    if any(not " " <= char <= "~" for char in number):
        return _malformed("the encapsulated address holds characters that no number has")
    return number.strip()


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text.replace("_", "/"))


def _read_number(text: str, domain: str, prefixes: tuple[str, ...]) -> RecipientAddress | Refused:
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1].strip()
    name, colon, rest = text.partition(":")
    if colon and (name.strip().upper() in _SCHEMES or name.strip().upper() in prefixes):
        text = rest.partition(";phone-context=")[0].strip()  # RFC 3966 §3
    prefix = _PREFIX.match(text)
    if prefix is not None:
        if prefix[1].upper() not in prefixes:
            expected = " or ".join(f"{known}=" for known in prefixes) or "no prefix"
            detail = f"{prefix[1]}= is not a prefix of this service; expected {expected}"
            return Refused(refusal=Refusal.ADDRESS_UNKNOWN, detail=detail)
        text = text[prefix.end() :]
    # RFC 3191 §2: qualifiers follow as /NAME=value; they do not change the number.
    qualifier = _QUALIFIER.search(text)
    if qualifier is not None:
        text = text[: qualifier.start()]
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return RecipientAddress(kind=RecipientKind.NUMBER, domain=domain, number=text)
    if any(char.isdigit() for char in text):
        detail = "a number has digits 0-9 only, with + in front and blanks or - . / ( ) between"
        return Refused(refusal=Refusal.NUMBER_MALFORMED, detail=detail)
    detail = f"the part before @ is no number and no list; questions go to postmaster@{domain}"
    return Refused(refusal=Refusal.ADDRESS_UNKNOWN, detail=detail)
