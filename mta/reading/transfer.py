"""Transfer encodings of a mail's parts as really used: with odd names, in pieces, with junk, or not applied.

Not here: which octets are a part (mta.reading.mime), charsets (mta.reading.charsets). RFC 2045 §6.
"""

import binascii
import re
from typing import Final

_MARKS: Final = re.compile(r"[^a-z0-9]")
_COMMENT: Final = re.compile(r"\([^()]*\)")
_NAMES: Final = {
    "base64": "base64",
    "b64": "base64",
    "b": "base64",
    "xbase64": "base64",
    "quotedprintable": "quoted-printable",
    "qp": "quoted-printable",
    "q": "quoted-printable",
}
_BASE64_JUNK: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=\s-]")
_PADDING: Final = re.compile(rb"=+")
_SOFT_BREAK: Final = re.compile(rb"=[ \t]+(?=\r?\n|\Z)")
_CLEAR_LINES: Final = re.compile(rb"(?<=\n)[ \t]*\r?\n(?=[^\n]*[^A-Za-z0-9+/=\s])")
_ONE_LINE_OCTETS: Final = 76


def encoding_name(text: str) -> str:
    """Return `base64`, `quoted-printable` or, for anything else, "": comments, quotes and variants do not count."""
    if not text:
        return ""
    word = _COMMENT.sub(" ", text).partition(";")[0].strip(" \t\"'").partition(" ")[0]
    return _NAMES.get(_MARKS.sub("", word.lower()), "")


def transfer_decoded(content: bytes, encoding: str) -> bytes:
    """Undo the transfer encoding; content that is not really in it is returned unchanged."""
    if encoding == "base64":
        return _from_base64(content)
    if encoding == "quoted-printable":
        # RFC 2045 §6.7 rule 3: blanks at the end of a line were added in transit.
        return binascii.a2b_qp(_SOFT_BREAK.sub(b"=", content) if b"= " in content or b"=\t" in content else content)
    return content


def decode_base64(content: bytes) -> bytes:
    """Return the octets of base64, even if damaged: junk skipped, padding added, a lone last character dropped.

    Another piece may follow after padding, as in joined encoded files.
    """
    end = content.find(b"=")
    if end >= 0 and content[end:].strip(b"=\r\n\t "):
        return b"".join(map(_piece, _PADDING.split(content)))
    return _piece(content)


def is_text(octets: bytes) -> bool:
    """Return whether octets are readable UTF-8; decoding a text that was never encoded gives none."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return bool(text) and text.translate({9: None, 10: None, 13: None}).isprintable()


def _piece(content: bytes) -> bytes:
    try:
        return binascii.a2b_base64(content)
    except binascii.Error:
        kept = content.translate(None, _BASE64_JUNK)
        whole = len(kept) - 1 if len(kept) % 4 == 1 else len(kept)
        return binascii.a2b_base64(kept[:whole] + b"=" * (-whole % 4))


def _from_base64(content: bytes) -> bytes:
    clear = _CLEAR_LINES.search(content)
    if clear is not None and not _NOT_BASE64.search(content[: clear.start()]) and content[: clear.start()].strip():
        # Clear text that a scanner or a list added below is kept.
        return _from_base64(content[: clear.start()]) + b"\n" + content[clear.end() :]
    first = content[:400].strip().partition(b"\n")[0].strip()
    odd = b" " in first or (len(content) <= _ONE_LINE_OCTETS and _NOT_BASE64.search(content.strip()) is not None)
    decoded = decode_base64(content)
    return content if odd and not is_text(decoded) else decoded
