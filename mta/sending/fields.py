"""Writes header fields and bodies: encoded, folded, and safe against injected fields.

Not here: which fields a mail has (mta.sending.compose, mta.sending.dsn), reading fields (mta.reading.headers). RFC 5322
§2.2, RFC 2047, RFC 2045 §6.7. Every value passes `scrub`, so that no text can end a line.
"""

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from struct import Struct

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LINE = 78  # RFC 5322 §2.1.1
_HARD_LINE = 998
_CHUNK = 45  # octets of UTF-8 in one encoded word: 60 characters of base64 and 12 around them (RFC 2047 §2: 75)
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ATOM_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_MESSAGE_ID = re.compile(r"<[\x21-\x3b=\x3f-\x7e]{1,900}>")
_MOST_REFERENCES = 20
_BASE64_LINE = 76
_BASE64_LINES = Struct(f"{_BASE64_LINE}s" * 32)
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_UNFIT_FOR_FILE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_FILE_NAME = 60


def scrub(text: str) -> str:
    """Return the text in one line: every run of controls and line ends becomes one blank."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub(" ", text)


def unstructured(name: str, text: str) -> str:
    """Return a whole field of free text, with encoded words if it is not ASCII (RFC 2047 §5)."""
    text = " ".join(scrub(text).split())
    if not text.isascii() or "=?" in text:
        return f"{name}: {_encoded_words(text, _LINE - len(name) - 2)}\r\n"
    if len(name) + 2 + len(text) <= _LINE:
        return f"{name}: {text}\r\n"
    folded = _fold(text, _LINE - len(name) - 2)
    if folded is None:
        return f"{name}: {_encoded_words(text, _LINE - len(name) - 2)}\r\n"
    return f"{name}: {folded}\r\n"


def _fold(text: str, first: int) -> str | None:
    """Return text folded at its blanks, None if a word is too long for a line."""
    lines: list[str] = []
    room = first
    line = ""
    for word in text.split(" "):
        if len(word) > _HARD_LINE - 20:
            return None
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line, room = word, _LINE - 1
        else:
            line = f"{line} {word}" if line else word
    lines.append(line)
    return "\r\n ".join(lines)


def _encoded_words(text: str, first: int) -> str:
    words: list[str] = []
    chunk = b""
    room = min(_CHUNK, (first - 12) // 4 * 3)
    for char in text:
        octets = char.encode()
        if len(chunk) + len(octets) > room:
            words.append(f"=?utf-8?b?{b64encode(chunk).decode()}?=")
            chunk, room = b"", _CHUNK
        chunk += octets
    words.append(f"=?utf-8?b?{b64encode(chunk).decode()}?=")
    return "\r\n ".join(words)


def mailbox(name: str, display_name: str, address: str) -> str:
    """Return a field with one address and its display name, if any (RFC 5322 §3.4, RFC 2047 §5 rule 3)."""
    address = scrub(address).strip().strip("<>")
    display_name = scrub(display_name).strip()
    if not display_name:
        return f"{name}: <{address}>\r\n"
    if not display_name.isascii() or "=?" in display_name:
        phrase = _encoded_words(display_name, _LINE - len(name) - 2)
    elif _ATOM_PHRASE.fullmatch(display_name):
        phrase = display_name
    else:
        escaped = display_name.replace("\\", "\\\\").replace('"', '\\"')
        phrase = f'"{escaped}"'
    joint = " " if len(name) + 5 + len(phrase) + len(address) <= _LINE and "\r\n" not in phrase else "\r\n "
    return f"{name}: {phrase}{joint}<{address}>\r\n"


def message_ids(text: str) -> list[str]:
    """Return the message ids in a field, each in its angle brackets; a bare id gets them (RFC 5322 §3.6.4)."""
    found = _MESSAGE_ID.findall(text)
    if not found and text.strip() and "<" not in text:
        found = _MESSAGE_ID.findall(f"<{text.strip()}>")
    return found


def thread(message_id: str, references: str) -> str:
    """Return the fields that put a mail in the thread of its original, empty if that had no id (RFC 5322 §3.6.4)."""
    answered = message_ids(message_id)[:1]
    if not answered:
        return ""
    line = list(dict.fromkeys(message_ids(references) + answered))
    if len(line) > _MOST_REFERENCES:
        line = line[:1] + line[1 - _MOST_REFERENCES :]
    folded = "\r\n ".join(line)
    return f"In-Reply-To: {answered[0]}\r\nReferences: {folded}\r\n"


def date(instant: datetime) -> str:
    """Return an instant in the form of header fields, in UTC (RFC 5322 §3.3)."""
    utc = instant.astimezone(UTC)
    return f"{_DAYS[utc.weekday()]}, {utc.day:02} {_MONTHS[utc.month - 1]} {utc.year:04} {utc:%H:%M:%S} +0000"


def quoted_printable(text: str) -> bytes:
    """Return text as quoted-printable UTF-8; all lines end in CRLF, also the last (RFC 2045 §6.7)."""
    if "\r" in text:  # the encoder would not change it
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.rstrip("\n") + "\n"
    # The encoder ends soft lines like the first line of its input.
    return b2a_qp(lines.replace("\n", "\r\n").encode("utf-8", "replace"), istext=True)


def base64_lines(content: str | bytes) -> bytes:
    """Return text in UTF-8 or octets as base64, in lines of 76 characters that end in CRLF (RFC 2045 §6.8)."""
    octets = content if isinstance(content, bytes) else content.encode("utf-8", "replace").replace(b"\n", b"\r\n")
    encoded = b64encode(octets)
    # Most lines are cut many at a time: this is a large part of a mail's cost.
    cut = len(encoded) - len(encoded) % _BASE64_LINES.size
    lines = list(chain.from_iterable(_BASE64_LINES.iter_unpack(encoded[:cut])))
    lines += [encoded[start : start + _BASE64_LINE] for start in range(cut, len(encoded), _BASE64_LINE)]
    lines.append(b"")
    return b"\r\n".join(lines)


def with_crlf(message: bytes) -> bytes:
    """Return the message with only CRLF line ends, as it must be signed and sent (RFC 5321 §2.3.8)."""
    # Without a lone CR, equal numbers of LF and CR mean that no LF is alone either.
    if message.count(b"\r") == message.count(b"\n") and _LONE_RETURN.search(message) is None:
        return message
    return _LINE_END.sub(b"\r\n", message)


def part(content_type: str, encoding: str, body: bytes, *fields: str) -> bytes:
    """Return one part of a multipart with its header, plus `fields`; the body ends in CRLF."""
    header = (f"Content-Type: {content_type}", f"Content-Transfer-Encoding: {encoding}", *fields, "", "")
    return "\r\n".join(header).encode() + body


def attached_csv(name: str, at: datetime, content: bytes) -> bytes:
    """Return a table of a name and a day as an attached part (RFC 4180 §3)."""
    return _attached(name, at, content, "csv", "text/csv; charset=utf-8; header=present")


def attached_workbook(name: str, at: datetime, content: bytes) -> bytes:
    """Return the same as a workbook of Excel."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return _attached(name, at, content, "xlsx", kind)


def _attached(name: str, at: datetime, content: bytes, ending: str, kind: str) -> bytes:
    # RFC 2183 §2.1
    file = f"{_UNFIT_FOR_FILE.sub('-', name)[:_LONGEST_FILE_NAME]}-{at:%Y-%m-%d}.{ending}"
    return part(
        f'{kind};\r\n name="{file}"',
        "base64",
        base64_lines(content),
        f'Content-Disposition: attachment;\r\n filename="{file}"',
    )


def multipart(boundary: str, parts: Sequence[bytes]) -> bytes:
    """Return the body of a multipart (RFC 2046 §5.1.1)."""
    delimiter = f"\r\n--{boundary}\r\n".encode()
    return b"".join((delimiter[2:], delimiter.join(parts), f"\r\n--{boundary}--\r\n".encode()))
