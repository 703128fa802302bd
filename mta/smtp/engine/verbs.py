"""Parses a command line, checks when each verb is allowed, lists what EHLO offers. RFC 5321 §4.1.1, §4.1.4, §4.5.3.1.4.

Not here: the arguments of MAIL and RCPT (mta.smtp.engine.grammar), what a verb does (mta.smtp.engine.dialogue).
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mta.smtp.engine import replies, sasl
from mta.smtp.engine.events import TRANSITIONS, Capabilities, DialogueState
from mta.smtp.engine.replies import Reply

VERBS: Final = frozenset(
    {"EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "VRFY", "EXPN", "HELP", "QUIT", "STARTTLS", "AUTH"}
)
IDLE_VERBS: Final = frozenset({"EHLO", "HELO", "RSET", "NOOP", "VRFY", "EXPN", "HELP"})
HTTP_VERBS: Final = frozenset({"GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "PATCH", "TRACE", "PRI"})

# Octets with CRLF, extended by RFC 1870, 6152, 6531, 3461 §5 and 4954 §5.
_OCTETS: Final[Mapping[str, int]] = MappingProxyType(
    dict.fromkeys(VERBS, 512) | {"MAIL": 512 + 26 + 17 + 10 + 107 + 500, "RCPT": 512 + 500, "AUTH": sasl.LINE_OCTETS}
)
_WITHOUT_ARGUMENT: Final = frozenset({"DATA", "RSET", "QUIT", "STARTTLS"})
_BEFORE_TLS: Final = frozenset({"EHLO", "STARTTLS", "NOOP", "QUIT"})  # RFC 3207 §4
_BEFORE_AUTH: Final = frozenset({"EHLO", "HELO", "AUTH", "STARTTLS", "NOOP", "RSET", "QUIT"})  # RFC 4954 §6
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def parse_command(line: bytes) -> tuple[str, str] | Reply:
    """Return the verb in upper case and its argument; a verb not in `VERBS` has no argument."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return replies.BAD_SYNTAX
    if not text.isprintable():
        text = text.rstrip(" \t")  # RFC 5321 §4.1.1: trailing white space is tolerated
        if _CONTROL.search(text):
            return replies.BAD_CHARACTERS
    verb, _, argument = text.partition(" ")
    verb = verb.upper() if verb.isascii() else ""
    most = _OCTETS.get(verb)
    if most is None:
        return verb, ""
    if len(line) + 2 > most:
        return replies.LINE_TOO_LONG
    return verb, argument.strip(" ")


def refusal_now(verb: str, argument: str, state: DialogueState, *, tls_first: bool, auth_first: bool) -> Reply | None:
    """Return why a known command is refused in this state, None if it is allowed."""
    if tls_first and verb not in _BEFORE_TLS:
        return replies.TLS_FIRST
    if auth_first and verb not in _BEFORE_AUTH:
        return replies.AUTH_FIRST
    if verb not in TRANSITIONS[state]:
        return _out_of_order(verb, state)
    return replies.NO_ARGUMENT_ALLOWED if argument and verb in _WITHOUT_ARGUMENT else None


def _out_of_order(verb: str, state: DialogueState) -> Reply:
    if state is DialogueState.START:
        return replies.SAY_HELLO_FIRST
    if state is DialogueState.READY:
        return replies.MAIL_FIRST
    if verb == "MAIL":
        return replies.NESTED_MAIL
    return replies.RCPT_FIRST if verb == "DATA" else replies.BAD_SEQUENCE


def auth_refusal(  # noqa: PLR0913  (all that AUTH depends on)
    terms: Capabilities, mechanism: str, initial: str, *, extended: bool, tls: bool, authenticated: bool
) -> Reply | None:
    """Return why an AUTH in order is still refused, None if the exchange may begin (RFC 4954 §4, §6)."""
    if not terms.mechanisms:
        return replies.NOT_IMPLEMENTED
    if not extended:
        return replies.SAY_HELLO_FIRST
    if terms.auth_needs_tls and not tls:
        return replies.AUTH_NEEDS_TLS
    if authenticated:
        return replies.AUTH_TWICE
    if not mechanism or " " in initial:
        return replies.AUTH_SYNTAX
    return None if mechanism in terms.mechanisms else replies.AUTH_UNKNOWN


def help_text(terms: Capabilities, *, tls: bool) -> str:
    """Return the verbs allowed now, sorted."""
    not_offered = {"EXPN", *(["STARTTLS"] if tls or not terms.starttls else [])}
    if not terms.offers_auth(tls=tls):
        not_offered.add("AUTH")
    return " ".join(sorted(VERBS - not_offered))


def ehlo_lines(terms: Capabilities, *, size: int, tls: bool) -> list[str]:
    """Return the lines of the reply to EHLO, with the code; `size` is octets, 0 for none."""
    words = [terms.hostname, "PIPELINING"]  # RFC 2920 §3.2
    if size:
        words.append(f"SIZE {size}")
    words.append("8BITMIME")
    if terms.smtp_utf8:
        words.append("SMTPUTF8")
    words += ["ENHANCEDSTATUSCODES", "DSN"]
    if terms.starttls and not tls:
        words.append("STARTTLS")
    if tls:
        words.append("REQUIRETLS")  # RFC 8689 §2
    if terms.offers_auth(tls=tls):
        words.append("AUTH " + " ".join(terms.mechanisms))
    return [*(f"250-{word}" for word in words), "250 HELP"]
