"""Bytes of a mail → text: charset labels as mails really use them, and what to do when the label lies.

Only codecs of a closed table are reachable, because Python's codec registry also holds transforms and quadratic codecs.
Not here: transfer encodings and encoded words (mta.words.headers, mta.words.mime), nor alphabets of an SMS
(sms.alphabet).
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "": "unknown",
        "ascii": "unknown",
        "us-ascii": "unknown",
        "ansi_x3.4-1968": "unknown",
        "iso646-us": "unknown",
        "unknown-8bit": "unknown",
        "x-unknown": "unknown",
        "unknown": "unknown",
        "default": "unknown",
        "8bit": "unknown",
        "7bit": "unknown",
        "binary": "unknown",
        "utf-8": "utf-8",
        "utf8": "utf-8",
        "unicode-1-1-utf-8": "utf-8",
        "cesu-8": "utf-8",
        "utf-7": "utf-7",
        "unicode-1-1-utf-7": "utf-7",
        "utf-16": "utf-16",
        "utf16": "utf-16",
        "unicode": "utf-16",
        "ucs-2": "utf-16",
        "iso-10646-ucs-2": "utf-16",
        "utf-16le": "utf-16-le",
        "utf-16be": "utf-16-be",
        "utf-32": "utf-32",
        "utf-32le": "utf-32-le",
        "utf-32be": "utf-32-be",
        "iso-8859-1": "western",
        "iso8859-1": "western",
        "iso_8859-1": "western",
        "iso88591": "western",
        "latin1": "western",
        "latin-1": "western",
        "l1": "western",
        "windows-1252": "western",
        "cp1252": "western",
        "cp-1252": "western",
        "x-ansi": "western",
        "ansi": "western",
        "iso-8859-15": "iso8859-15",
        "iso8859-15": "iso8859-15",
        "latin-9": "iso8859-15",
        "latin9": "iso8859-15",
        "iso-8859-2": "iso8859-2",
        "latin2": "iso8859-2",
        "iso-8859-3": "iso8859-3",
        "iso-8859-4": "iso8859-4",
        "iso-8859-5": "iso8859-5",
        "iso-8859-6": "iso8859-6",
        "iso-8859-7": "iso8859-7",
        "iso-8859-8": "iso8859-8",
        "iso-8859-8-i": "iso8859-8",
        "iso-8859-9": "cp1254",
        "latin5": "cp1254",
        "iso-8859-10": "iso8859-10",
        "iso-8859-11": "cp874",
        "iso-8859-13": "iso8859-13",
        "iso-8859-14": "iso8859-14",
        "iso-8859-16": "iso8859-16",
        "windows-1250": "cp1250",
        "windows-1251": "cp1251",
        "windows-1253": "cp1253",
        "windows-1254": "cp1254",
        "windows-1255": "cp1255",
        "windows-1256": "cp1256",
        "windows-1257": "cp1257",
        "windows-1258": "cp1258",
        "cp1250": "cp1250",
        "cp1251": "cp1251",
        "cp1253": "cp1253",
        "cp1254": "cp1254",
        "cp1255": "cp1255",
        "cp1256": "cp1256",
        "cp1257": "cp1257",
        "cp1258": "cp1258",
        "windows-874": "cp874",
        "tis-620": "cp874",
        "koi8-r": "koi8-r",
        "koi8-u": "koi8-u",
        "koi8-ru": "koi8-u",
        "ibm437": "cp437",
        "cp437": "cp437",
        "ibm850": "cp850",
        "cp850": "cp850",
        "ibm852": "cp852",
        "cp852": "cp852",
        "ibm866": "cp866",
        "cp866": "cp866",
        "macintosh": "mac-roman",
        "x-mac-roman": "mac-roman",
        "x-mac-ce": "mac-latin2",
        "x-mac-cyrillic": "mac-cyrillic",
        "shift_jis": "cp932",
        "shift-jis": "cp932",
        "sjis": "cp932",
        "x-sjis": "cp932",
        "ms_kanji": "cp932",
        "cp932": "cp932",
        "windows-31j": "cp932",
        "cs-windows-31j": "cp932",
        "euc-jp": "euc_jp",
        "x-euc-jp": "euc_jp",
        "eucjp": "euc_jp",
        "iso-2022-jp": "iso-2022-jp",
        "iso-2022-jp-1": "iso-2022-jp",
        "iso-2022-jp-2": "iso-2022-jp",
        "iso-2022-jp-3": "iso-2022-jp",
        "iso-2022-jp-2004": "iso-2022-jp",
        "iso-2022-jp-ms": "iso-2022-jp",
        "cp50220": "iso-2022-jp",
        "cp50221": "iso-2022-jp",
        "gb2312": "gb18030",
        "gb_2312-80": "gb18030",
        "gbk": "gb18030",
        "cp936": "gb18030",
        "gb18030": "gb18030",
        "hz-gb-2312": "hz",
        "big5": "big5",
        "x-x-big5": "big5",
        "cp950": "big5",
        "big5-hkscs": "big5hkscs",
        "euc-kr": "cp949",
        "ks_c_5601-1987": "cp949",
        "ksc5601": "cp949",
        "cp949": "cp949",
        "iso-2022-kr": "iso2022_kr",
    }
)

_BOMS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

_JAPANESE_SHIFT: Final = re.compile(rb"\x1b(\$[@B]|\$\([BDOPQ]|\([BJI])")

_CONTROLS: Final = (*range(0x20), *range(0x7F, 0xA0))
_BREAKS: Final = (0x0B, 0x0C, 0x85, 0x2028, 0x2029)
_FILLER: Final = (0xFEFF, 0x200B, 0x2060, 0x00AD, 0x034F, 0x180E)
_BLANKS: Final = (0x00A0, 0x202F, 0x2007)
_ONE_LINE: Final[Mapping[int, str | None]] = MappingProxyType(
    {
        **dict.fromkeys((*_CONTROLS, *_FILLER), None),
        **dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}"),
        **dict.fromkeys((0x09, 0x0A, 0x0D, *_BREAKS, *_BLANKS), " "),
    }
)
_UNSAFE: Final[Mapping[int, str | None]] = MappingProxyType(
    {**_ONE_LINE, **dict.fromkeys(_BREAKS, "\n"), 0x09: "\t", 0x0A: "\n"}
)
_PLAIN: Final = re.compile(r"[\n\t -~]*")


def normal_label(label: str) -> str:
    """Return the charset label as the table knows it, "unknown" for none, for ASCII and for what it does not know."""
    return _LABELS.get(label.strip(" \t\"'").lower(), "unknown")


def decode(raw: bytes, label: str) -> str:
    """Return the text of bytes whatever their label says; never raises, in time linear in the length.

    A byte order mark, then well-formed UTF-8 under a western label or none, win over the label. The result is not
    scrubbed: see `clean_text` and `clean_line`.
    """
    if raw.isascii() and b"\x1b" not in raw:
        codec = normal_label(label)
        if codec in {"utf-7", "hz"} or (b"\x00" in raw and codec.startswith(("utf-16", "utf-32"))):
            return raw.decode(codec, "replace")
        return raw.decode("ascii")
    for mark, codec in _BOMS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode("utf-8", "replace") if codec == "utf-8" else raw.decode(codec, "replace")
    return _decode_labelled(raw, normal_label(label))


def _decode_labelled(raw: bytes, codec: str) -> str:
    if codec == "iso-2022-jp" or (codec == "unknown" and _JAPANESE_SHIFT.search(raw)):
        return _decode_japanese_mail(raw)
    if codec in {"unknown", "western", "utf-8", "iso8859-15"}:
        return _decode_western(raw, codec)
    if codec == "utf-16":
        # RFC 2781 §4.3 says big endian without a mark; senders without one are little endian machines.
        codec = "utf-16-le" if raw[1::2].count(0) >= raw[0::2].count(0) else "utf-16-be"
    if codec == "big5" and not _decodes(raw, "cp950"):
        codec = "big5hkscs"
    elif codec == "big5":
        codec = "cp950"
    return raw.decode(codec, "replace")


def _decode_western(raw: bytes, codec: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if codec == "utf-8":
        text = raw.decode("utf-8", "replace")
        damaged = text.count("\N{REPLACEMENT CHARACTER}")
        if damaged * 2 <= len(raw) - len(text):
            return text
    if codec == "iso8859-15" and not any(0x80 <= byte < 0xA0 for byte in raw[:4096]):
        return raw.decode("iso8859-15")
    # WHATWG Encoding §4.2: Latin-1 labels mean windows-1252.
    return raw.decode("cp1252", "replace")


def _decodes(raw: bytes, codec: str) -> bool:
    try:
        raw.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _decode_japanese_mail(raw: bytes) -> str:
    """Decode ISO-2022-JP as senders write it: with cp932 rows (circled digits, NEC kanji) and half-width kana.

    Each run between escapes is moved to Shift_JIS and read as cp932 (the arithmetic of JIS X 0208 annex 1).
    """
    pieces = _JAPANESE_SHIFT.split(raw)
    texts = [_decode_western(pieces[0], "unknown")]
    for shift, run in zip(pieces[1::2], pieces[2::2], strict=True):
        if shift in {b"$@", b"$B", b"$(B", b"$(O", b"$(Q"}:
            texts.append(_decode_kanji(run))
        elif shift == b"(I":
            kana = bytes(byte | 0x80 if 0x21 <= byte <= 0x5F else byte for byte in run)
            texts.append(kana.decode("cp932", "replace"))
        elif shift in {b"$(D", b"$(P"}:
            pairs = (run[index : index + 2] for index in range(0, len(run) - 1, 2))
            octets = b"".join(b"\x8f" + bytes((pair[0] | 0x80, pair[1] | 0x80)) for pair in pairs)
            texts.append(octets.decode("euc_jp", "replace"))
        else:
            texts.append(_decode_western(run, "unknown"))
    return "".join(texts)


def _decode_kanji(run: bytes) -> str:
    moved = bytearray()
    index = 0
    while index < len(run):
        high = run[index]
        if high < 0x21 or index + 1 >= len(run):
            moved.append(high & 0x7F)
            index += 1
            continue
        low = run[index + 1]
        index += 2
        row = (high & 0x7F) - 0x21
        lead = (row >> 1) + (0x81 if row < 0x3E else 0xC1)
        trail = (low & 0x7F) + (0x7E if row & 1 else 0x1F + (1 if (low & 0x7F) >= 0x60 else 0))
        moved += bytes((lead & 0xFF, trail & 0xFF))
    return moved.decode("cp932", "replace")


def clean_text(text: str) -> str:
    """Return text for an SMS: line ends are LF, no other control characters, no invisible filler, plain blanks.

    Bidirectional controls and joiners stay, since scripts and emoji need them.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if _PLAIN.fullmatch(text) else text.translate(_UNSAFE)


def clean_line(text: str) -> str:
    """Return text as one line: breaks and tabs are blanks, no control characters; for header values and logs."""
    if text.isascii() and text.isprintable():
        return text
    return text.replace("\r\n", " ").translate(_ONE_LINE)
