"""The grammar of MAIL and RCPT: paths, parameters, xtext.

RFC 5321 §4.1.2, RFC 3461 §4, RFC 1870, RFC 6152, RFC 6531, RFC 4954 §5, RFC 8689 §2.

Not here: when the commands are allowed (mta.smtp.engine.dialogue), what a local part means (mta.reading.dedup_keys). A
parser returns the parsed command or the `Reply` that refuses it.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from msgspec import Struct

from mta.smtp.engine import replies
from mta.smtp.engine.replies import Reply

# Characters above ASCII are RFC 6531 §3.3. Classes are negated: a class up to U+10FFFF takes fifty times as long to
# compile, and these are used a dozen times.
_ATOM: Final = r"[^\x00-\x20\"(),.:;<>@\[\\\]\x7f-\x9f]+"
_DOT_STRING: Final = rf"{_ATOM}(?:\.{_ATOM})*"
_QUOTED: Final = r'"(?:[^\x00-\x1f"\\\x7f-\x9f]|\\[\x20-\x7e])*"'
_LETTER_OR_DIGIT: Final = r"[^\x00-/:-@\[-`{-\x9f]"
_LABEL: Final = rf"{_LETTER_OR_DIGIT}(?:[^\x00-,./:-@\[-^`{{-\x9f]*{_LETTER_OR_DIGIT})?"
_DOMAIN: Final = rf"{_LABEL}(?:\.{_LABEL})*"
_LITERAL: Final = r"\[[\x21-\x5a\x5e-\x7e]+\]"
_MAILBOX: Final = rf"(?P<local>{_DOT_STRING}|{_QUOTED})@(?P<domain>{_DOMAIN}|{_LITERAL})"
# The source route is accepted and dropped, RFC 5321 §4.1.2 (A-d-l) and appendix C.
_ROUTE: Final = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"

# Blanks after the colon are against RFC 5321 but common; nothing else is tolerated, bare addresses if configured.
_MAIL: Final = re.compile(rf"(?i:FROM): *<(?P<path>{_ROUTE}{_MAILBOX})?>(?: +(?P<parameters>\S.*))?")
_RCPT: Final = re.compile(
    rf"(?i:TO): *<(?:(?P<path>{_ROUTE}{_MAILBOX})|(?P<postmaster>(?i:postmaster)))>(?: +(?P<parameters>\S.*))?"
)
_BARE: Final = re.compile(r"(?P<keyword>(?i:FROM|TO): *)(?P<path>[^\s<>]+)(?P<rest>(?: .*)?)")
_PARAMETER: Final = re.compile(r"(?P<keyword>[A-Za-z0-9][A-Za-z0-9\-]*)(?:=(?P<value>[^\x00-\x20=\x7f-\x9f]+))?")
_MAIL_KEYWORDS: Final = frozenset({"SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH", "REQUIRETLS"})
_WITHOUT_VALUE: Final = frozenset({"SMTPUTF8", "REQUIRETLS"})
_SIZE: Final = re.compile(r"[0-9]{1,20}")  # RFC 1870 §4
_ORCPT_TYPE: Final = re.compile(r"[A-Za-z0-9!#$%&'*/?^_`{|}~.\-]+")
_XTEXT: Final = re.compile(r"(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})*")
_XTEXT_HEX: Final = re.compile(r"\+([0-9A-F]{2})")
_UTF8_ADDR_XTEXT: Final = re.compile(r"(?:[^\x00-\x20+=\\\x7f-\x9f]|\\x\{[0-9A-F]{2,6}\})*")
_UTF8_ADDR_HEX: Final = re.compile(r"\\x\{([0-9A-F]{2,6})\}")

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

LOCAL_PART_OCTETS: Final = 64  # RFC 5321 §4.5.3.1.1
DOMAIN_OCTETS: Final = 255  # RFC 5321 §4.5.3.1.2
ENVID_CHARACTERS: Final = 100  # RFC 3461 §4.4, before decoding
ORCPT_CHARACTERS: Final = 500  # RFC 3461 §4.2, before decoding


class MailFrom(Struct, frozen=True, kw_only=True):
    """A parsed MAIL. `address` is empty for the null reverse-path; `options` are the parameters as sent.

    `size` is RFC 1870 §6 (None if not declared); `envid` is decoded (RFC 3461 §4.4); `ret` is FULL, HDRS or empty.
    `auth` is the decoded AUTH parameter (RFC 4954 §5), empty if none came; `require_tls` is REQUIRETLS (RFC 8689 §2).
    """

    address: str
    options: tuple[str, ...] = ()
    size: int | None = None
    body: str = "7BIT"
    smtp_utf8: bool = False
    ret: str = ""
    envid: str = ""
    auth: str = ""
    require_tls: bool = False


class RcptTo(Struct, frozen=True, kw_only=True):
    """A parsed RCPT. `notify` has NEVER alone or any of SUCCESS, FAILURE, DELAY; empty if none came.

    `orcpt_type` and `orcpt` are the address type as sent and the decoded address (RFC 3461 §4.2).
    """

    address: str
    options: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    orcpt_type: str = ""
    orcpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What the last EHLO offered, for the check of parameters. `size` is octets, 0 for no limit.

    `bare_addresses` tolerates missing angle brackets.
    """

    size: int = 0
    smtp_utf8: bool = True
    bare_addresses: bool = False


def parse_mail(argument: str, offered: Offered) -> MailFrom | Reply:
    """Parse the argument of MAIL."""
    argument = _with_brackets(argument) if offered.bare_addresses else argument
    match = _MAIL.fullmatch(argument.rstrip(" "))
    if match is None:
        return _refuse_path(argument, "FROM:", replies.MAIL_SYNTAX, replies.BAD_SENDER_ADDRESS)
    address = ""
    if match["path"] is not None:
        mailbox = _mailbox(match)
        if mailbox is None:
            return replies.BAD_SENDER_ADDRESS
        address = mailbox
    if match["parameters"] is None:
        return MailFrom(address=address) if address.isascii() else replies.NEEDS_SMTPUTF8
    parameters = _parameters(match["parameters"])
    if isinstance(parameters, Reply):
        return parameters
    command = _mail_with(address, _words(match["parameters"]), parameters, offered)
    if isinstance(command, MailFrom) and not (command.smtp_utf8 or argument.isascii()):
        return replies.NEEDS_SMTPUTF8  # RFC 6531 §3.5
    return command


def parse_rcpt(argument: str, *, smtp_utf8: bool, bare_addresses: bool = False) -> RcptTo | Reply:
    """Parse the argument of RCPT; `smtp_utf8`: the transaction's MAIL asked for it."""
    argument = _with_brackets(argument) if bare_addresses else argument
    match = _RCPT.fullmatch(argument.rstrip(" "))
    if match is None:
        return _refuse_path(argument, "TO:", replies.RCPT_SYNTAX, replies.BAD_RECIPIENT_ADDRESS)
    if not (smtp_utf8 or argument.isascii()):
        return replies.NEEDS_SMTPUTF8
    address = match["postmaster"] or _mailbox(match)  # RFC 5321 §4.5.1: postmaster needs no domain
    if address is None:
        return replies.BAD_RECIPIENT_ADDRESS
    if match["parameters"] is None:
        return RcptTo(address=address)
    parameters = _parameters(match["parameters"])
    if isinstance(parameters, Reply):
        return parameters
    return _rcpt_with(address, _words(match["parameters"]), parameters, smtp_utf8=smtp_utf8)


def decode_xtext(text: str) -> str | None:
    """Decode xtext (RFC 3461 §4); octets are UTF-8 if valid, else Latin-1.

    None if it is malformed or hides control characters: the value goes into a header of a DSN.
    """
    if _XTEXT.fullmatch(text) is None:
        return None
    if "+" not in text:
        return text
    octets = _XTEXT_HEX.sub(lambda match: chr(int(match[1], 16)), text).encode("latin-1")
    try:
        decoded = octets.decode("utf-8")
    except UnicodeDecodeError:
        decoded = octets.decode("latin-1")
    return None if _CONTROL.search(decoded) else decoded


def _with_brackets(argument: str) -> str:
    """Return the argument of MAIL or RCPT with the angle brackets that old clients leave out."""
    match = _BARE.fullmatch(argument)
    return argument if match is None else f"{match['keyword']}<{match['path']}>{match['rest']}"


def _mailbox(match: re.Match[str]) -> str | None:
    """Return local@domain after checking the limits of RFC 5321 §4.5.3.1 and the literals of §4.1.3."""
    local, domain = match["local"], match["domain"]
    if len(local.encode()) > LOCAL_PART_OCTETS or len(domain.encode()) > DOMAIN_OCTETS:
        return None
    if domain[0] == "[":
        if not _address_literal(domain[1:-1]):
            return None
    elif len(domain) > 63 and any(len(label) > 63 for label in domain.split(".")):
        return None
    return f"{local}@{domain}"


def _address_literal(text: str) -> bool:
    """Return whether the text is an IPv4 or IPv6 address literal (RFC 5321 §4.1.3); no general one is registered."""
    try:
        if text[:5].upper() == "IPV6:":
            IPv6Address(text[5:])
            return "%" not in text  # the grammar has no zones
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def _refuse_path(argument: str, keyword: str, syntax: Reply, address: Reply) -> Reply:
    """Return the reply that fits: for a wrong command, or for a wrong address."""
    rest = argument[len(keyword) :].lstrip(" ")
    if argument[: len(keyword)].upper() != keyword or not (rest.startswith("<") and ">" in rest):
        return syntax
    if keyword == "TO:" and rest.startswith("<>"):
        return address
    close = rest.rindex(">")
    following = rest[close + 1 :]
    return syntax if following and not following.startswith(" ") else address


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(" ") if word)


def _parameters(text: str) -> dict[str, str | None] | Reply:
    """Return keyword (upper case) to value, None if it has none; a duplicate is an error (RFC 3461 §4)."""
    found: dict[str, str | None] = {}
    for word in _words(text):
        match = _PARAMETER.fullmatch(word)
        if match is None or match["keyword"].upper() in found:
            return replies.BAD_PARAMETER
        found[match["keyword"].upper()] = match["value"]
    return found


def _mail_with(
    address: str, options: tuple[str, ...], parameters: dict[str, str | None], offered: Offered
) -> MailFrom | Reply:
    smtp_utf8 = "SMTPUTF8" in parameters
    if parameters.keys() - _MAIL_KEYWORDS or (smtp_utf8 and not offered.smtp_utf8):
        return replies.UNKNOWN_PARAMETER
    if any((value is None) != (keyword in _WITHOUT_VALUE) for keyword, value in parameters.items()):
        return replies.BAD_PARAMETER
    size = parameters.get("SIZE")
    body = (parameters.get("BODY") or "7BIT").upper()
    ret = (parameters.get("RET") or "").upper()
    envid = decode_xtext(parameters.get("ENVID") or "")
    auth = decode_xtext(parameters.get("AUTH") or "")
    if (
        (size is not None and _SIZE.fullmatch(size) is None)
        or ret not in {"", "FULL", "HDRS"}
        or envid is None
        or len(parameters.get("ENVID") or "") > ENVID_CHARACTERS
        or auth is None
    ):
        return replies.BAD_PARAMETER
    if body not in {"7BIT", "8BITMIME"}:
        return replies.PARAMETER_NOT_IMPLEMENTED  # BINARYMIME needs CHUNKING, RFC 3030 §3
    if size is not None and 0 < offered.size < int(size):
        return replies.TOO_LARGE
    return MailFrom(
        address=address,
        options=options,
        size=None if size is None else int(size),
        body=body,
        smtp_utf8=smtp_utf8,
        ret=ret,
        envid=envid,
        auth=auth,
        require_tls="REQUIRETLS" in parameters,
    )


def _rcpt_with(
    address: str, options: tuple[str, ...], parameters: dict[str, str | None], *, smtp_utf8: bool
) -> RcptTo | Reply:
    if parameters.keys() - {"NOTIFY", "ORCPT"}:
        return replies.UNKNOWN_PARAMETER
    if None in parameters.values():
        return replies.BAD_PARAMETER
    notify = tuple((parameters.get("NOTIFY") or "").upper().split(",")) if "NOTIFY" in parameters else ()
    # RFC 3461 §4.1: NEVER comes alone, the others once each in any order.
    if set(notify) - {"NEVER", "SUCCESS", "FAILURE", "DELAY"} or len(set(notify)) < len(notify):
        return replies.BAD_PARAMETER
    if "NEVER" in notify and len(notify) > 1:
        return replies.BAD_PARAMETER
    orcpt_type, orcpt = "", ""
    if (given := parameters.get("ORCPT")) is not None:
        orcpt_type, semicolon, encoded = given.partition(";")
        decoded = _decode_orcpt(orcpt_type, encoded, smtp_utf8=smtp_utf8)
        if not semicolon or not decoded or len(given) > ORCPT_CHARACTERS or _ORCPT_TYPE.fullmatch(orcpt_type) is None:
            return replies.BAD_PARAMETER
        orcpt = decoded
    return RcptTo(address=address, options=options, notify=notify, orcpt_type=orcpt_type, orcpt=orcpt)


def _decode_orcpt(address_type: str, encoded: str, *, smtp_utf8: bool) -> str | None:
    """Decode an original recipient: xtext, or for the type utf-8 also the forms of RFC 6533 §3."""
    if address_type.upper() != "UTF-8":
        return decode_xtext(encoded)
    if _UTF8_ADDR_XTEXT.fullmatch(encoded) is None or not (smtp_utf8 or encoded.isascii()):
        return None
    points = [int(digits, 16) for digits in _UTF8_ADDR_HEX.findall(encoded)]
    if any(point > 0x10FFFF or 0xD800 <= point <= 0xDFFF for point in points):
        return None
    decoded = _UTF8_ADDR_HEX.sub(lambda match: chr(int(match[1], 16)), encoded)
    return None if _CONTROL.search(decoded) else decoded
