"""Text of a TNEF attachment (winmail.dat), from attBody and three MAPI properties.

A bounded reader that never raises; names, paths and attachments inside are ignored, since they reveal the sender's
machine. MS-OXTNEF 2.1, MS-OXCDATA 2.11. Not here: RTF itself (mta.reading.rtf).
"""

import struct
from collections.abc import Iterator
from typing import Final

from mta.reading.charsets import clean_text, decode
from mta.reading.rtf import decompress_rtf, rtf_text
from mta.reading.texts import TextSection

_SIGNATURE: Final = 0x223E9F78
_LEVEL_MESSAGE: Final = 1
_ATT_MESSAGE_CLASS: Final = 0x00078008
_ATT_BODY: Final = 0x0002800C
_ATT_OEM_CODEPAGE: Final = 0x00069007
_ATT_MAPI_PROPS: Final = 0x00069003
_PR_BODY: Final = 0x1000
_PR_RTF_COMPRESSED: Final = 0x1009
_PR_HTML: Final = 0x1013
_PR_INTERNET_CPID: Final = 0x3FDE
_PROPERTIES: Final = 500
_VALUES: Final = 100
_FIXED: Final = {
    **dict.fromkeys((0x0001, 0x0002, 0x0003, 0x0004, 0x000A, 0x000B), 4),
    **dict.fromkeys((0x0005, 0x0006, 0x0007, 0x0014, 0x0040), 8),
    0x0048: 16,
}
_COUNTED: Final = frozenset({0x000D, 0x001E, 0x001F, 0x0102})
_CODEPAGES: Final = {
    932: "shift_jis",
    936: "gb18030",
    949: "cp949",
    950: "big5",
    20127: "us-ascii",
    20866: "koi8-r",
    50220: "iso-2022-jp",
    65001: "utf-8",
    **{28590 + part: f"iso-8859-{part}" for part in range(1, 16)},
}


def read_tnef(octets: bytes) -> TextSection | None:
    """Return the message text of a TNEF stream: its HTML, else its plain text, else its RTF as text.

    The text is "" if the message is empty; None means that the stream has no message.
    """
    if len(octets) < 6 or struct.unpack_from("<I", octets)[0] != _SIGNATURE:
        return None
    charset = ""
    plain = b""
    values: dict[int, bytes] = {}
    for attribute, data in _attributes(octets):
        if attribute == _ATT_OEM_CODEPAGE and len(data) >= 4:
            charset = _codepage(struct.unpack_from("<I", data)[0])
        elif attribute == _ATT_BODY:
            plain = data
        elif attribute == _ATT_MAPI_PROPS:
            values = dict(_properties(data))
    return _section(values, plain, charset)


def message_class(octets: bytes) -> str:
    """Return the class of a TNEF stream's message, such as `IPM.Microsoft Mail.Note`; empty if it has none."""
    if len(octets) < 6 or struct.unpack_from("<I", octets)[0] != _SIGNATURE:
        return ""
    found = next((data for attribute, data in _attributes(octets) if attribute == _ATT_MESSAGE_CLASS), b"")
    return found[:256].rstrip(b"\x00").decode("ascii", "replace")


def _section(values: dict[int, bytes], plain: bytes, charset: str) -> TextSection | None:
    if _PR_INTERNET_CPID in values:
        html_charset = _codepage(struct.unpack_from("<I", values[_PR_INTERNET_CPID])[0])
    else:
        html_charset = charset
    html = values.get(_PR_HTML, b"").rstrip(b"\x00")
    if html.strip():
        return TextSection(html=decode(html, html_charset))
    text = values.get(_PR_BODY, b"").decode("utf-16-le", "replace").rstrip("\x00") or decode(
        plain.rstrip(b"\x00"), charset
    )
    if text.strip():
        return TextSection(plain=clean_text(text))
    rich = decompress_rtf(values.get(_PR_RTF_COMPRESSED, b""))
    found = rtf_text(rich) if rich else None
    if found is None and (plain or rich.startswith(b"{\\rtf") or values.keys() & {_PR_HTML, _PR_BODY}):
        return TextSection(plain="")
    return found


def _codepage(number: int) -> str:
    return _CODEPAGES.get(number, f"windows-{number}" if 1250 <= number <= 1258 else "")


def _attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the attributes of the message itself; a wrong length ends the stream (MS-OXTNEF 2.1.3.2)."""
    position = 6
    while position + 11 <= len(octets):
        level = octets[position]
        attribute, length = struct.unpack_from("<II", octets, position + 1)
        begin = position + 9
        position = begin + length + 2
        if position > len(octets) + 2:
            return
        if level == _LEVEL_MESSAGE:
            yield attribute, octets[begin : begin + length]


def _properties(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield single-valued properties by identifier: fixed ones unchanged, counted ones by content."""
    if len(data) < 4:
        return
    count = min(struct.unpack_from("<I", data)[0], _PROPERTIES)
    position = 4
    for _ in range(count):
        if position + 4 > len(data):
            return
        kind, identifier = struct.unpack_from("<HH", data, position)
        position += 4
        if identifier >= 0x8000:
            named = _after_name(data, position)
            if named is None:
                return
            position = named
        values, position = _values(data, position, kind)
        if values is None:
            return
        if len(values) == 1:
            yield identifier, values[0]


def _after_name(data: bytes, position: int) -> int | None:
    """Return the offset after a named property's name (MS-OXTNEF 2.1.3.4.1)."""
    if position + 24 > len(data):
        return None
    kind, length = struct.unpack_from("<II", data, position + 16)
    return position + 24 + ((length + 3) & ~3 if kind == 1 else 0)


def _values(data: bytes, position: int, kind: int) -> tuple[list[bytes] | None, int]:
    """Return the values of a property and the offset after them; None if the type or a length is unknown."""
    multiple, base = bool(kind & 0x1000), kind & 0x0FFF
    count = 1
    if multiple or base in _COUNTED:
        if position + 4 > len(data):
            return None, position
        count = struct.unpack_from("<I", data, position)[0]
        position += 4
    if count > _VALUES:
        return None, position
    values = []
    for _ in range(count):
        if base in _COUNTED:
            if position + 4 > len(data):
                return None, position
            length = struct.unpack_from("<I", data, position)[0]
            position += 4
        elif base in _FIXED:
            length = _FIXED[base]
        else:
            return None, position
        if position + length > len(data):
            return None, position
        values.append(data[position : position + length])
        position += (length + 3) & ~3
    return values, position
