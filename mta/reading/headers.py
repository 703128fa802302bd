"""The header block of a mail, read with bounds: fields, encoded words, addresses, parameters, message identifiers.

Every result is one line without control characters, whatever was encoded. Not here: bodies (mta.reading.mime). The
standard library's parser is not used on mail from outside: it blocks for seconds and raises on hostile input. RFC 5322
§2.2, §3.4, §3.6.4; RFC 2045 §5.1; RFC 2047; RFC 2231.
"""

import binascii
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from mta.reading.charsets import clean_line, decode
from mta.reading.transfer import decode_base64, is_text
from sms.message import TlsTag

Fields = Mapping[str, list[bytes]]

MOST_FIELDS: Final = 2_000
"""So many fields are read of a header that was accepted before."""

_FIELD: Final = re.compile(rb"^([!-9;-~]+)[ \t]*:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_END: Final = re.compile(rb"\n(?:\r?\n|(?=--[^\s:]{1,200}[ \t]*\r?\n))")
"""An empty line, or a delimiter instead, with the LF before it: what begins with one octet is found fast."""
_FOLD: Final = re.compile(rb"\r?\n(?=[ \t])")
_WORD: Final = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*\??)\?=")
_BETWEEN: Final = re.compile(r"\s*")
_MESSAGE_ID: Final = re.compile(r"<[^<>\s]{1,900}>")
_ADDR_SPEC: Final = re.compile(r"[^\s<>@\x00-\x20,;:()\"\\]{1,64}@[^\s<>@\x00-\x20,;:()\"\\]{1,255}")
_QUOTED_ADDR_SPEC: Final = re.compile(r'"[^"\\\x00-\x1f]{1,62}"@[^\s<>@\x00-\x20,;:()"\\]{1,255}')
_USUAL_ADDRESS: Final = re.compile(r"([A-Za-z0-9 .'_-]*)<([A-Za-z0-9.+_-]+@[A-Za-z0-9.-]+)>")
_TYPED_VALUE: Final = re.compile(
    r"""[\s"']*(?:\([^()]*\)\s*)*([^\s;,"'()=/]+(?:\s?/\s?[^\s;,"'()=]+)?)(?:\s*\([^()]*\))*\s*["']?"""
)
_SLASH: Final = re.compile(r"\s?/\s?")
_PARAMETER: Final = re.compile(r';\s*([^\s=;"]{1,80})\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')


def split_header(raw: bytes, start: int, end: int, limit: int) -> tuple[int, int] | None:
    """Return the end of the header that begins at `start`, and the start of its body; None if it exceeds `limit`."""
    if raw.startswith((b"\r\n", b"\n"), start, end):
        return start, min(end, start + (2 if raw.startswith(b"\r\n", start) else 1))
    found = _END.search(raw, start, min(end, start + limit + 4))
    if found is not None:
        return found.start() - raw.endswith(b"\r", start, found.start()), found.end()
    return (end, end) if end - start <= limit else None


def read_fields(block: bytes, limit: int) -> dict[str, list[bytes]] | None:
    """Return the fields of a header block by lower-case name, values folded and raw; None for more than `limit`."""
    found = _FIELD.findall(block)
    if len(found) > limit:
        return None
    fields: dict[str, list[bytes]] = {}
    for name, value in found:
        fields.setdefault(name.decode("ascii").lower(), []).append(value)
    return fields


def field_text(fields: Fields, name: str) -> str:
    """Return the first field of this lower-case name as one clean line without decoding encoded words; "" if absent."""
    values = fields.get(name)
    if not values:
        return ""
    plain = _plain_line(values[0])
    return clean_line(_unfolded(values[0])).strip() if plain is None else plain


def _plain_line(value: bytes) -> str | None:
    """Return a value without the blanks around it if that is one line of printable ASCII, as most are; else None."""
    line = value.strip().decode("ascii", "surrogateescape")  # a surrogate is not printable
    return line if line.isprintable() else None


def decoded_text(fields: Fields, name: str, *, charset: str = "") -> str:
    """Return the first field of this name with its encoded words decoded, as one clean line; "" if absent.

    `charset` is tried for raw 8-bit octets that are not UTF-8.
    """
    values = fields.get(name)
    return decode_words(_unfolded(values[0], charset)).strip() if values else ""


def _unfolded(value: bytes, charset: str = "") -> str:
    value = value.removesuffix(b"\r")
    if b"\n" in value:
        value = _FOLD.sub(b"", value)
    return decode(value, charset)


def decode_words(text: str) -> str:
    """Decode encoded words and remove hidden CR, LF and control characters (RFC 2047 §6.2).

    Neighbours of one charset are decoded together, since senders split characters.
    """
    if "=?" not in text:
        return clean_line(text)
    texts: list[str] = []
    pending: list[re.Match[str]] = []
    end = 0
    for word in _WORD.finditer(text):
        gap = text[end : word.start()]
        blank = end and _BETWEEN.fullmatch(gap) is not None
        if not (blank and _label(word) == _label(pending[-1])):
            texts.append(_decoded(pending))
            if not blank:
                texts.append(gap)
            pending = []
        pending.append(word)
        end = word.end()
    texts.append(_decoded(pending))
    texts.append(text[end:])
    return clean_line("".join(texts))


def _label(word: re.Match[str]) -> str:
    return word[1].partition("*")[0].lower()  # RFC 2231 §5: charset*language


def _decoded(words: list[re.Match[str]]) -> str:
    """Return the text of neighbours of one charset: all octets together, since senders split characters."""
    if not words:
        return ""
    octets = b"".join(map(_word_octets, words))
    contents = [word[3].rstrip() for word in words]
    if len(words) > 1 and all(word[2] in "bB" for word in words) and any(len(text) % 4 for text in contents[:-1]):
        # Split within a group of base64, unless only the padding is missing.
        whole = "".join(contents).encode("utf-8", "replace")
        if len(whole.rstrip(b"=")) % 4 != 1 and not is_text(octets):
            octets = decode_base64(whole)
    return decode(octets, _label(words[0]))


def _word_octets(word: re.Match[str]) -> bytes:
    content = word[3].encode("utf-8", "replace")
    if word[2] in "bB":
        return decode_base64(content)
    return binascii.a2b_qp(content.replace(b"_", b"=20"), header=False)


class MailAddress(Struct, frozen=True, kw_only=True):
    """One address of a header: its addr-spec with a lower-case domain, and the display name decoded."""

    address: str
    name: str = ""


def read_addresses(value: bytes) -> list[MailAddress]:
    """Return every address of an address list field, also malformed ones (RFC 5322 §3.4).

    An address is "" if it is no addr-spec. Bare words without @ belong to the next name, as in the unquoted `Keller,
    Anna <anna@example.com>`.
    """
    usual = _USUAL_ADDRESS.fullmatch(_plain_line(value) or "")
    if usual is not None:  # plain words and one address, as nearly every From: nothing to parse
        return [MailAddress(address=_addr_spec(usual[2]), name=" ".join(usual[1].split()))]
    found: list[MailAddress] = []
    words: list[str] = []
    for kind, token in _address_tokens(clean_line(_unfolded(value))):
        if kind == "angle":
            found.append(MailAddress(address=_addr_spec(token), name=_display(words)))
            words = []
        elif kind == "comment":
            if found and not found[-1].name and not words:
                found[-1] = MailAddress(address=found[-1].address, name=decode_words(token).strip())
        elif kind == "word" and "@" in token and not _WORD.match(token):
            found.append(MailAddress(address=_addr_spec(token)))
        elif kind != "group":
            words.append(token)
    return found


def is_group(value: bytes) -> bool:
    """Return whether an address list field has a group, as `friends: anna@example.com;` (RFC 5322 §3.4)."""
    return any(kind == "group" for kind, _ in _address_tokens(clean_line(_unfolded(value))))


def _display(words: list[str]) -> str:
    text = " ".join(re.sub(r"\\(.)", r"\1", word[1:-1]) if word[:1] == '"' else word for word in words)
    return decode_words(text).strip()


def _addr_spec(token: str) -> str:
    """Return an addr-spec with its domain in lower case, "" if it is none."""
    token = token.strip()
    if not (_ADDR_SPEC.fullmatch(token) or _QUOTED_ADDR_SPEC.fullmatch(token)):
        return ""
    local, _, domain = token.rpartition("@")
    return f"{local}@{domain.lower()}"


_ADDRESS_TOKEN: Final = re.compile(
    r"""(?P<angle><[^<>]*>?)|(?P<encoded>=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]*\?=)|(?P<quoted>"(?:[^"\\]|\\.)*"?(?:@[^\s<>,;]*)?)|(?P<paren>\()|(?P<group>[^\s<>,;"()@:]*:)|(?P<word>[^\s<>,;"()]+)|.""",
    re.DOTALL,
)


def _address_tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        match = _ADDRESS_TOKEN.match(text, position)
        if match is None:
            return
        position = match.end()
        if match["angle"] is not None:
            yield "angle", match["angle"].strip("<>")
        elif match["quoted"] is not None:
            yield ("word" if match["quoted"].count('"@') else "quoted"), match["quoted"]
        elif match["paren"] is not None:
            close = _comment_end(text, position)
            yield "comment", text[position : close - 1]
            position = close
        elif match["encoded"] is not None or match["word"] is not None:
            yield "word", match["encoded"] or match["word"]
        elif match["group"] is not None:
            yield "group", match["group"]


def _comment_end(text: str, position: int) -> int:
    """Return the index after the closing parenthesis of the comment that began before `position`."""
    depth = 1
    while position < len(text) and depth:
        char = text[position]
        position += 2 if char == "\\" else 1
        depth += {"(": 1, ")": -1}.get(char, 0)
    return min(position, len(text) + 1)


def message_ids(text: str, limit: int = 200) -> tuple[str, ...]:
    """Return the message identifiers of a field in angle brackets, the last `limit` of them (RFC 5322 §3.6.4)."""
    return tuple(_MESSAGE_ID.findall(text)[-limit:]) if text else ()


def field_ids(fields: Fields, name: str) -> tuple[str, ...]:
    """Return the message identifiers of the first field of this lower-case name, () if absent."""
    return message_ids(field_text(fields, name)) if name in fields else ()


class Typed(Struct, frozen=True, kw_only=True):
    """A value with parameters, such as Content-Type: lower-case value and parameter names (RFC 2045 §5.1)."""

    value: str
    parameters: Mapping[str, str]


_UNTYPED: Final = Typed(value="", parameters=MappingProxyType({}))


def read_typed(fields: Fields, name: str) -> Typed:
    """Return a field as value and parameters; RFC 2231 pieces are joined, the first of a repeated name counts.

    Comments, quotation marks around the whole, blanks around the slash and a blank instead of the semicolon are
    tolerated.
    """
    text = field_text(fields, name) if name in fields else ""
    if not text:
        return _UNTYPED
    if text.startswith("=?"):
        text = decode_words(text)
    found = _TYPED_VALUE.match(text)
    value, rest = (found[1], text[found.end() :]) if found is not None else ("", text)
    value = _SLASH.sub("/", value).lower()
    if "=" not in rest:
        return Typed(value=value, parameters={})
    if ";" not in rest.partition("=")[0]:
        rest = f";{rest.lstrip(' ,')}"
    parameters: dict[str, str] = {}
    for key, given in _PARAMETER.findall(rest):
        if given.startswith('"') and len(given) > 1:
            plain = re.sub(r"\\(.)", r"\1", given[1:-1])
        else:
            plain = given.strip() if "name" in key.lower() else given.partition("(")[0].strip(" \t'")
        if key.lower() != "charset" or "/" not in plain:  # a media type instead of a charset
            parameters.setdefault(key.lower(), plain)
    if "*" in rest:
        _join_extended(parameters)
    return Typed(value=value, parameters=parameters)


def _join_extended(parameters: dict[str, str]) -> None:
    """Replace `name*0*=…` pieces by `name` (RFC 2231 §3, §4), at most a hundred per name."""
    for name in {key.partition("*")[0] for key in parameters if "*" in key}:
        charset, octets = "", b""
        pieces = [f"{name}*"] if f"{name}*" in parameters or f"{name}*0*" not in parameters else []
        keys = pieces + [key for index in range(100) for key in (f"{name}*{index}", f"{name}*{index}*")]
        for key in keys:
            piece = parameters.pop(key, None)
            if piece is None:
                continue
            if key.endswith("*"):
                if not octets and piece.count("'") >= 2:
                    charset, _, piece = piece.split("'", 2)
                octets += unquote_to_bytes(piece)
            else:
                octets += piece.encode("utf-8", "replace")
        parameters.setdefault(name, clean_line(decode(octets, charset)))


def find_tls_tag(fields: Fields, *, required: bool) -> TlsTag:
    """Return what a sender asks of TLS: REQUIRETLS (`required`), else by the one field (RFC 8689 §3, §4.1)."""
    if required:
        return TlsTag.REQUIRED
    if "tls-required" not in fields:
        return TlsTag.NONE
    asked = [value.strip().lower() for value in fields["tls-required"]]
    return TlsTag.OPTIONAL if asked == [b"no"] else TlsTag.NONE
