"""Bytes of a mail → text: charset labels as mails really use them, and how to handle wrong labels.

Only codecs of a closed table are used, since Python's codec registry also has transforms and quadratic codecs. Not
here: transfer encodings and encoded words (mta.reading.headers, mta.reading.mime), nor alphabets of an SMS
(sms.alphabet).
"""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_NAMES: Final = {
    "utf-8": "utf8 unicode11utf8 cesu8 utf8mb4 utf8mac utf8sig",
    "utf-7": "utf7 unicode11utf7",
    "utf-16": "utf16 unicode ucs2 iso10646ucs2",
    "utf-16-le": "utf16le unicodelittle ucs2le",
    "utf-16-be": "utf16be unicodefffe ucs2be",
    "utf-32": "utf32 ucs4 iso10646ucs4",
    "utf-32-le": "utf32le",
    "utf-32-be": "utf32be",
    "western": "iso88591 latin1 l1 isoir100 1252 ansi",
    "iso8859-15": "iso885915 latin9 latin0",
    "iso8859-2": "iso88592 latin2 l2 isoir101",
    "iso8859-3": "iso88593 latin3 l3",
    "iso8859-4": "iso88594 latin4 l4",
    "iso8859-5": "iso88595 cyrillic",
    "iso8859-6": "iso88596 iso88596i arabic asmo708",
    "iso8859-7": "iso88597 greek greek8 elot928",
    "iso8859-8": "iso88598 iso88598i iso88598e hebrew visual logical",
    "cp1254": "iso88599 latin5 l5 1254 turkish",
    "iso8859-10": "iso885910 latin6 l6",
    "cp874": "iso885911 tis620 tis62025331 874 thai",
    "iso8859-13": "iso885913 latin7",
    "iso8859-14": "iso885914 latin8",
    "iso8859-16": "iso885916 latin10",
    **{f"cp{page}": f"{page}" for page in (1250, 1251, 1253, 1255, 1256, 1257, 1258)},
    **{f"cp{page}": f"{page}" for page in (437, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 865, 866, 869)},
    "koi8-r": "koi8r koi8 koi",
    "koi8-u": "koi8u koi8ru",
    "kz1048": "kz1048 rk1048 strk10482002",
    "viscii": "viscii viscii111",
    "mac-roman": "macintosh mac macroman",
    "mac-latin2": "macce maccentraleurope maccentraleuroperoman",
    "mac-cyrillic": "maccyrillic macukrainian",
    "mac-greek": "macgreek",
    "mac-turkish": "macturkish",
    "cp932": "shiftjis sjis mskanji 932 windows31j 31j",
    "euc_jp": "eucjp 51932",
    "iso-2022-jp": "iso2022jp iso2022jp1 iso2022jp2 iso2022jp3 iso2022jp2004 iso2022jpms 50220 50221 50222 jis",
    "gb18030": "gb2312 gb231280 gb gbk 936 gb18030 euccn chinese isoir58 54936",
    "hz": "hzgb2312 hz",
    "big5": "big5 950 cnbig5 big5tw",
    "big5hkscs": "big5hkscs big5hk",
    "cp949": "euckr ksc56011987 ksc5601 ksc56011989 949 uhc korean isoir149",
    "johab": "johab 1361",
    "iso2022_kr": "iso2022kr",
}
_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {label: codec for codec, labels in _NAMES.items() for label in labels.split()}
)
"""Codecs by their labels without marks, prefixes and case; other labels are unknown, as ASCII is."""

_LABEL_PREFIX: Final = re.compile(
    r"(?:charset=?|xx(?=big5)|x(?=[a-z])|cs(?=[a-z]))?(?:(?:windows|win|cp|ibm|ms|dos|codepage)0*(?=\d))?"
)
_VISCII: Final = dict(enumerate(map(chr, range(128)))) | dict(
    zip(
        (0x02, 0x05, 0x06, 0x14, 0x19, 0x1E, *range(0x80, 0x100)),
        "ẲẴẪỶỸỴẠẮẰẶẤẦẨẬẼẸẾỀỂỄỆỐỒỔỖỘỢỚỜỞỊỎỌỈỦŨỤỲÕắằặấầẩậẽẹếềểễệốồổỗỠƠộờởịỰỨỪỬơớƯÀÁÂÃẢĂẳẵÈÉÊẺÌÍĨỳĐứÒÓÔạỷừửÙÚỹỵÝỡư"
        "àáâãảăữẫèéêẻìíĩỉđựòóôõỏọụùúũủýợỮ",
        strict=True,
    )
)
"""The letters of Vietnamese in one octet each (RFC 1456)."""

_BOMS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

_LABEL_LIMIT: Final = 100
_MARKS: Final = re.compile(r"[^a-z0-9]")
_LABEL_END: Final = re.compile(r"[;(,:]|\s(?=\S)")
_NO_ACCIDENT: Final = 4
_TWO_OCTETS: Final = {"gb18030": "gb2312", "big5": "cp950"} | {
    codec: codec for codec in ("big5hkscs", "cp932", "cp949", "euc_jp", "johab")
}
_VIETNAMESE: Final = re.compile("[A-Za-zÀ-ỹ][\u0300\u0301\u0303\u0309\u0323]{1,2}")
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


def normal_label(label: str) -> str:
    """Return the charset label as in the table; "unknown" for none, for ASCII and for labels that it lacks.

    Labels are compared without case, marks, a comment or parameter behind, and the prefixes that clients add.
    """
    if not label:
        return "unknown"
    squeezed = _MARKS.sub("", _LABEL_END.split(label.strip(" \t\"'")[:_LABEL_LIMIT].lower(), maxsplit=1)[0])
    bare = _LABEL_PREFIX.sub("", squeezed, count=1)
    return _LABELS.get(squeezed) or _LABELS.get(bare) or _LABELS.get(f"iso{bare}", "unknown")


def decode(raw: bytes, label: str) -> str:
    """Return the text of bytes, even if the label is wrong; never raises, in time linear in the length.

    A byte order mark, then well-formed UTF-8, win over the label. The result is not scrubbed: see `clean_text` and
    `clean_line`.
    """
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode(_ascii_codec(raw, label) if label else "ascii", "replace")
    for mark, codec in _BOMS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode("utf-8", "replace") if codec == "utf-8" else raw.decode(codec, "replace")
    return _decode_labelled(raw, normal_label(label))


def _ascii_codec(raw: bytes, label: str) -> str:
    """Return the codec of ASCII octets: the label's where they may shift to other characters, as these do by a mark."""
    if b"+" not in raw and b"~" not in raw and b"\x00" not in raw:
        return "ascii"
    codec = normal_label(label)
    shifts = codec in {"utf-7", "hz"} or (b"\x00" in raw and codec.startswith(("utf-16", "utf-32")))
    return codec if shifts else "ascii"


def _decode_labelled(raw: bytes, codec: str) -> str:
    if codec == "iso-2022-jp" or (codec == "unknown" and _JAPANESE_SHIFT.search(raw)):
        return _decode_japanese_mail(raw)
    if codec in {"unknown", "western", "utf-8", "iso8859-15"}:
        return _decode_western(raw, codec)
    text = _mislabelled(raw, codec)
    if text:
        return text
    if codec == "utf-16":
        # RFC 2781 §4.3 says big endian without a mark; senders without one use little endian.
        codec = "utf-16-le" if raw[1::2].count(0) >= raw[0::2].count(0) else "utf-16-be"
    if codec == "viscii":
        return raw.decode("latin-1").translate(_VISCII)
    if codec == "big5" and not _decodes(raw, "cp950"):
        codec = "big5hkscs"
    elif codec == "big5":
        codec = "cp950"
    text = raw.decode(codec, "replace")
    return _VIETNAMESE.sub(_composed, text) if codec == "cp1258" else text


def _mislabelled(raw: bytes, codec: str) -> str:
    """Return the text of UTF-8 under another label, "" if the label may be right.

    Four continuation octets prove UTF-8. A text with fewer must be one that the label's charset can hold; for a charset
    of two octets it must also have a character of three octets in UTF-8, since characters of two octets look alike in
    both.
    """
    if b"\x00" in raw and codec.startswith(("utf-16", "utf-32")):
        return ""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    if len(raw) - len(text) >= _NO_ACCIDENT:
        return text
    if codec in _TWO_OCTETS and not any(char >= "\u0800" for char in text):
        return ""
    return text if codec != "viscii" and _encodes(text, _TWO_OCTETS.get(codec, codec)) else ""


def _composed(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", match[0])


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


def _encodes(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
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
    """Return text for an SMS: LF line ends, no other control characters, no invisible filler, plain blanks.

    Bidirectional controls and joiners stay, since scripts and emoji need them.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    plain = text.isascii() and text.replace("\n", "").replace("\t", "").isprintable()
    return text if plain else text.translate(_UNSAFE)


def clean_line(text: str) -> str:
    """Return text as one line: breaks and tabs are blanks, no control characters; for header values and logs."""
    if text.isascii() and text.isprintable():
        return text
    return text.replace("\r\n", " ").translate(_ONE_LINE)
