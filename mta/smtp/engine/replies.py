"""SMTP replies: the value, the table from every refusal to its reply, and the constant replies of the dialogue.

Not here: when a reply is given (mta.smtp.engine.dialogue), the sentence that explains a refusal (its detail). Codes are
RFC 5321 §4.2.3, enhanced codes RFC 3463 in the form of RFC 2034, RFC 4954 §6 for AUTH.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from sms.outcome import Refusal, Refused

TEXT_LIMIT: Final = 400  # RFC 5321 §4.5.3.1.5: 512 octets with code and CRLF; relays prepend text

_WELL_FORMED: Final = re.compile(r"[245][0-9]{2} [245]\.[0-9]{1,3}\.[0-9]{1,3} [\x20-\x7e]{1,400}")
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]+")
_PLAIN: Final = str.maketrans("«»„“”\u2018\u2019\u2013—", '"' * 5 + "''--")
_STATUS_LINE: Final = re.compile(r"([2-5][0-9]{2})(?:[ -](.*))?", re.DOTALL)
_ENHANCED: Final = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?: |\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One SMTP reply of one line. `enhanced` is empty only if RFC 2034 §4 has none: greetings, EHLO and 3yz."""

    code: int
    enhanced: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}" if self.enhanced else f"{self.code} {self.text}"

    def with_detail(self, detail: str) -> "Reply":
        """Return the same reply with a sentence appended, printable and bounded."""
        detail = printable(detail, TEXT_LIMIT)
        text = f"{self.text}: {detail}" if detail else self.text
        return replace(self, text=text[:TEXT_LIMIT])


def printable(text: str, limit: int) -> str:
    """Return the text as one line of printable US-ASCII: a run of other characters becomes one space or `?`.

    Quotation marks and dashes become those of US-ASCII.
    """
    text = text[: 4 * limit].translate(_PLAIN)
    return _UNPRINTABLE.sub(lambda match: " " if match[0].isspace() else "?", text).strip()[:limit]


def reply_to(refused: Refused) -> Reply:
    """Return the reply for one refusal, with its detail."""
    return REPLY_OF_REFUSAL[refused.refusal].with_detail(refused.detail)


def status_text(status: Reply | str | Sequence[str], *, enhanced: bool = True) -> tuple[int, str]:
    """Return a hook's answer as its code and the text to send, without the last line end."""
    if isinstance(status, Reply):
        return status.code, str(status)
    if isinstance(status, str) and _WELL_FORMED.fullmatch(status):
        return int(status[:3]), status
    code, lines = status_lines(status if isinstance(status, str) else "\r\n".join(status), enhanced=enhanced)
    return code, "\r\n".join(lines)


def is_permanent(refused: Refused) -> bool:
    """Return whether a refusal is permanent, so that nobody retries (RFC 5321 §4.2.1)."""
    return REPLY_OF_REFUSAL[refused.refusal].code >= 500


def status_lines(status: str, *, enhanced: bool = True) -> tuple[int, list[str]]:
    """Return a handler's status string as its code and the lines to send, without line ends.

    The string is not trusted: line ends separate lines only if each line repeats the code, anything else unprintable is
    replaced, and with `enhanced` a code is added if the handler gave none (RFC 2034 §4). Anything that is no reply
    becomes `LOCAL_ERROR`.
    """
    if "\r" in status or "\n" in status:
        rows = status.splitlines()
        matches = [match for row in rows if (match := _STATUS_LINE.fullmatch(row))]
        if len(matches) < len(rows) or len({match[1] for match in matches}) != 1:
            matches = [match for match in [_STATUS_LINE.fullmatch(status)] if match]
    else:
        match = _STATUS_LINE.fullmatch(status)
        matches = [match] if match else []
    if not matches:
        return LOCAL_ERROR.code, [str(LOCAL_ERROR)]
    code = matches[0][1]
    texts = [printable(match[2] or "", TEXT_LIMIT + 12) for match in matches]
    if enhanced:
        texts = [_with_enhanced_code(code, text) for text in texts]
    last = len(texts) - 1
    return int(code), [f"{code}{' ' if index == last else '-'}{text}" for index, text in enumerate(texts)]


def _with_enhanced_code(code: str, text: str) -> str:
    if code[0] == "3" or _ENHANCED.match(text):
        return text
    return f"{code[0]}.0.0 {text}".rstrip()


REPLY_OF_REFUSAL: Final[Mapping[Refusal, Reply]] = MappingProxyType(
    {
        Refusal.AUTHENTICATION_REQUIRED: Reply(code=530, enhanced="5.7.0", text="Authentication required"),
        Refusal.AUTHENTICATION_FAILED: Reply(code=535, enhanced="5.7.8", text="Authentication credentials invalid"),
        Refusal.TLS_REQUIRED: Reply(code=530, enhanced="5.7.0", text="Must issue a STARTTLS command first"),
        Refusal.SENDER_NOT_AUTHORISED: Reply(code=550, enhanced="5.7.1", text="Sender not authorised"),
        Refusal.PROOF_UNAVAILABLE: Reply(
            code=451, enhanced="4.7.0", text="Sender can't be proven now, try again later"
        ),
        Refusal.RELAY_DENIED: Reply(code=550, enhanced="5.7.1", text="Relaying denied"),
        Refusal.ADDRESS_MALFORMED: Reply(code=553, enhanced="5.1.3", text="Bad recipient address syntax"),
        Refusal.ADDRESS_UNKNOWN: Reply(code=550, enhanced="5.1.1", text="No such recipient"),
        Refusal.NUMBER_MALFORMED: Reply(code=550, enhanced="5.1.3", text="Not a phone number"),
        Refusal.NUMBER_IMPOSSIBLE: Reply(code=550, enhanced="5.1.3", text="Impossible phone number"),
        Refusal.NUMBER_INVALID: Reply(code=550, enhanced="5.1.1", text="Phone number not in use"),
        Refusal.NUMBER_CANNOT_RECEIVE: Reply(code=550, enhanced="5.1.1", text="Phone number cannot receive SMS"),
        Refusal.NOT_CONTRACTED: Reply(code=550, enhanced="5.7.1", text="Option not contracted"),
        Refusal.SUSPENDED: Reply(code=550, enhanced="5.7.1", text="Suspended"),
        Refusal.COUNTRY_NOT_ALLOWED: Reply(code=550, enhanced="5.7.1", text="Destination country not allowed"),
        Refusal.NUMBER_TYPE_NOT_ALLOWED: Reply(code=550, enhanced="5.7.1", text="Type of number not allowed"),
        Refusal.STOP_LIST: Reply(code=550, enhanced="5.7.1", text="Recipient opted out (stop list)"),
        Refusal.NO_ROUTE: Reply(code=550, enhanced="5.4.4", text="No route to this number"),
        Refusal.SENDER_ID_NOT_PERMITTED: Reply(code=550, enhanced="5.7.1", text="Sender ID not permitted"),
        Refusal.SENDER_ID_IMPOSSIBLE: Reply(code=550, enhanced="5.7.1", text="Sender ID not possible in that country"),
        Refusal.SENDER_ID_UNREGISTERED: Reply(
            code=550, enhanced="5.7.1", text="Sender ID not registered in that country"
        ),
        Refusal.CONTENT_NOT_ALLOWED: Reply(code=554, enhanced="5.7.1", text="Text not allowed in that country"),
        Refusal.SETTING_NOT_PERMITTED: Reply(code=550, enhanced="5.7.1", text="Setting not permitted"),
        Refusal.OPTION_MALFORMED: Reply(code=550, enhanced="5.5.4", text="Option not understood"),
        Refusal.TEMPLATE_INCOMPLETE: Reply(code=554, enhanced="5.6.0", text="Text and table do not fit"),
        Refusal.NO_TEXT: Reply(code=554, enhanced="5.6.1", text="No text to send"),
        Refusal.NOT_ENCODABLE: Reply(code=554, enhanced="5.6.5", text="Text cannot be encoded as demanded"),
        Refusal.TOO_MANY_PARTS: Reply(code=552, enhanced="5.2.3", text="Text needs too many SMS parts"),
        Refusal.DUPLICATE: Reply(code=554, enhanced="5.5.0", text="Already accepted before"),
        Refusal.KEY_REUSED: Reply(code=554, enhanced="5.5.0", text="Key used for another request before"),
        Refusal.TOO_LATE: Reply(code=554, enhanced="5.5.0", text="Too late to cancel"),
        Refusal.MAIL_MALFORMED: Reply(code=554, enhanced="5.6.0", text="Mail is malformed"),
        Refusal.MAIL_TOO_LARGE: Reply(code=552, enhanced="5.3.4", text="Mail too large"),
        Refusal.MAIL_LOOP: Reply(code=554, enhanced="5.4.6", text="Mail loop detected"),
        Refusal.AUTOMATIC_MAIL: Reply(code=550, enhanced="5.7.1", text="Automatic mail is not sent here"),
        Refusal.TOO_MANY_RECIPIENTS: Reply(code=452, enhanced="4.5.3", text="Too many recipients"),
        Refusal.JOB_TOO_LARGE: Reply(code=554, enhanced="5.5.3", text="Too many recipients for one job"),
        Refusal.LIMIT_REACHED: Reply(code=452, enhanced="4.7.1", text="Limit reached, try again later"),
        Refusal.LIMIT_TOO_SMALL: Reply(code=550, enhanced="5.7.1", text="More than a limit allows at all"),
        Refusal.RATE_LIMITED: Reply(code=451, enhanced="4.7.1", text="Rate limit reached, try again later"),
        Refusal.NO_STORAGE: Reply(code=452, enhanced="4.3.1", text="Insufficient storage, try again later"),
        Refusal.INTERNAL: Reply(code=451, enhanced="4.3.0", text="Local error, try again later"),
    },
)

# Done
OK: Final = Reply(code=250, enhanced="2.0.0", text="OK")
SENDER_OK: Final = Reply(code=250, enhanced="2.1.0", text="Sender OK")
RECIPIENT_OK: Final = Reply(code=250, enhanced="2.1.5", text="Recipient OK")
CANNOT_VERIFY: Final = Reply(code=252, enhanced="2.5.2", text="Cannot verify, but will take mail and attempt delivery")
HELP: Final = Reply(code=214, enhanced="2.0.0", text="Commands")
GOODBYE: Final = Reply(code=221, enhanced="2.0.0", text="Goodbye")
READY_FOR_TLS: Final = Reply(code=220, enhanced="2.0.0", text="Ready to start TLS")
AUTHENTICATED: Final = Reply(code=235, enhanced="2.7.0", text="Authentication successful")
SEND_CONTENT: Final = Reply(code=354, enhanced="", text="End data with <CR><LF>.<CR><LF>")

# Commands refused
BAD_SYNTAX: Final = Reply(code=500, enhanced="5.5.2", text="Syntax error")
BAD_CHARACTERS: Final = Reply(code=500, enhanced="5.5.2", text="Control characters in command")
BARE_NEWLINE: Final = Reply(code=500, enhanced="5.5.2", text="Bare newline in command, lines end with CRLF")
LINE_TOO_LONG: Final = Reply(code=500, enhanced="5.5.2", text="Command line too long")
UNKNOWN_COMMAND: Final = Reply(code=500, enhanced="5.5.1", text="Command not recognized")
NOT_IMPLEMENTED: Final = Reply(code=502, enhanced="5.5.1", text="Command not implemented")
NO_ARGUMENT_ALLOWED: Final = Reply(code=501, enhanced="5.5.4", text="Command takes no argument")
HELLO_NEEDS_NAME: Final = Reply(code=501, enhanced="5.5.4", text="Syntax: EHLO hostname")
SAY_HELLO_FIRST: Final = Reply(code=503, enhanced="5.5.1", text="Send EHLO first")
MAIL_FIRST: Final = Reply(code=503, enhanced="5.5.1", text="Need MAIL command")
RCPT_FIRST: Final = Reply(code=503, enhanced="5.5.1", text="Need RCPT command")
NESTED_MAIL: Final = Reply(code=503, enhanced="5.5.1", text="Nested MAIL command")
BAD_SEQUENCE: Final = Reply(code=503, enhanced="5.5.1", text="Bad sequence of commands")
MAIL_SYNTAX: Final = Reply(code=501, enhanced="5.5.4", text="Syntax: MAIL FROM:<address> [SP parameters]")
RCPT_SYNTAX: Final = Reply(code=501, enhanced="5.5.4", text="Syntax: RCPT TO:<address> [SP parameters]")
BAD_SENDER_ADDRESS: Final = Reply(code=553, enhanced="5.1.7", text="Bad sender address syntax")
BAD_RECIPIENT_ADDRESS: Final = Reply(code=553, enhanced="5.1.3", text="Bad recipient address syntax")
UNKNOWN_PARAMETER: Final = Reply(code=555, enhanced="5.5.4", text="Parameter not recognized or not implemented")
BAD_PARAMETER: Final = Reply(code=501, enhanced="5.5.4", text="Bad parameter")
PARAMETER_NOT_IMPLEMENTED: Final = Reply(code=504, enhanced="5.5.4", text="Parameter value not implemented")
NEEDS_SMTPUTF8: Final = Reply(code=553, enhanced="5.6.7", text="Non-ASCII address needs SMTPUTF8")
TOO_LARGE: Final = Reply(code=552, enhanced="5.3.4", text="Message size exceeds fixed limit")
TOO_MANY_RECIPIENTS: Final = REPLY_OF_REFUSAL[Refusal.TOO_MANY_RECIPIENTS]

# Security
TLS_FIRST: Final = REPLY_OF_REFUSAL[Refusal.TLS_REQUIRED]
TLS_UNAVAILABLE: Final = Reply(code=454, enhanced="4.7.0", text="TLS not available, try again later")
TLS_ACTIVE: Final = Reply(code=503, enhanced="5.5.1", text="TLS already active")
LACK_OF_SECURITY: Final = Reply(code=554, enhanced="5.7.0", text="Command refused due to lack of security")
AUTH_FIRST: Final = REPLY_OF_REFUSAL[Refusal.AUTHENTICATION_REQUIRED]
AUTH_NEEDS_TLS: Final = Reply(code=538, enhanced="5.7.11", text="Encryption required for authentication")
AUTH_TWICE: Final = Reply(code=503, enhanced="5.5.1", text="Already authenticated")
AUTH_UNKNOWN: Final = Reply(code=504, enhanced="5.5.4", text="Unrecognized authentication type")
AUTH_SYNTAX: Final = Reply(code=501, enhanced="5.5.4", text="Syntax: AUTH mechanism [SP initial-response]")
AUTH_CANCELLED: Final = Reply(code=501, enhanced="5.7.0", text="Authentication cancelled")
AUTH_NOT_BASE64: Final = Reply(code=501, enhanced="5.5.2", text="Cannot decode response")
AUTH_LINE_TOO_LONG: Final = Reply(code=500, enhanced="5.5.6", text="Authentication exchange line too long")
AUTH_LATER: Final = Reply(code=454, enhanced="4.7.0", text="Temporary authentication failure, try again later")
AUTH_INVALID: Final = REPLY_OF_REFUSAL[Refusal.AUTHENTICATION_FAILED]

# Content refused, after its end
BARE_NEWLINE_IN_CONTENT: Final = Reply(code=550, enhanced="5.6.11", text="Bare CR or LF or NUL in content")
CONTENT_LINE_TOO_LONG: Final = Reply(code=554, enhanced="5.6.0", text="Line in content too long")

# Faults on our side
LOCAL_ERROR: Final = REPLY_OF_REFUSAL[Refusal.INTERNAL]
NO_ROOM: Final = REPLY_OF_REFUSAL[Refusal.NO_STORAGE]

# The last reply on a connection, RFC 5321 §3.8
SHUTTING_DOWN: Final = Reply(code=421, enhanced="4.3.2", text="Service shutting down, try again later")
TIMED_OUT: Final = Reply(code=421, enhanced="4.4.2", text="Timeout, closing connection")
TOO_SLOW: Final = Reply(code=421, enhanced="4.4.2", text="Too slow, closing connection")
TOO_MANY_ERRORS: Final = Reply(code=421, enhanced="4.7.0", text="Too many errors, closing connection")
TOO_MANY_COMMANDS: Final = Reply(code=421, enhanced="4.7.0", text="Too many commands, closing connection")
TOO_MANY_CONNECTIONS: Final = Reply(code=421, enhanced="4.7.0", text="Too many connections, try again later")
GIVING_WAY: Final = TOO_MANY_CONNECTIONS.with_detail("the one that was silent longest makes room")
NOT_SMTP: Final = Reply(code=421, enhanced="4.7.0", text="This is not SMTP, closing connection")
EARLY_TALKER: Final = Reply(code=554, enhanced="5.5.1", text="Protocol error: client talked before the greeting")
