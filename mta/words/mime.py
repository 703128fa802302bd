"""One mail → its facts and the parts that can hold text: a bounded reader for hostile input that never raises.

Headers first, then only parts that can hold text; attachments are remembered as a range and never decoded here. Every
bound is in `MailLimits`; time is linear in the size. Not here: single fields and encoded words (mta.words.headers),
whether the mail is automatic (mta.words.automatic), whose words the text is (mta.words.body). RFC 2045, 2046, 2183,
3676, 1847, 5322.
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from mta.words.charsets import clean_line, clean_text, decode
from mta.words.cms import signed_content
from mta.words.headers import (
    Fields,
    Typed,
    decode_base64,
    decode_words,
    decoded_text,
    field_text,
    message_ids,
    read_addresses,
    read_fields,
    read_typed,
    split_header,
)
from sms.message import Priority
from sms.outcome import Refusal, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLimits:
    """The bounds of one mail. Beyond the first five it is refused; beyond the others it is read no further."""

    header_octets: int = 100_000
    header_fields: int = 2_000
    encoded_words: int = 4_000
    parts: int = 1_000
    depth: int = 30
    text_octets: int = 2_000_000
    html_octets: int = 1_000_000
    rich_octets: int = 8_000_000
    boundary_octets: int = 500
    texts: int = 50


class Encryption(StrEnum):
    """Why a mail's text cannot be read by anybody but its addressee."""

    SMIME = "S/MIME"
    PGP = "PGP"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSection:
    """One stretch of the body: a text, its HTML twin, or both. `flowed` and `delete_space` are RFC 3676 §4."""

    plain: str | None = None
    html: str | None = None
    flowed: bool = False
    delete_space: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One part that is no text of the mail: where its encoded octets lie in the raw mail."""

    name: str
    media_type: str
    encoding: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What a mail says of itself. Strings are single clean lines; sections are clean text with LF.

    `author` is the one addr-spec of From, empty where From holds none or several (`author_problem` says which).
    `priority` is EXPRESS where the client's flag says so, else None. `report_type` is set for multipart/report and for
    report parts under any other multipart. `header` is the header block as received, without
    the line end of its last field.
    """

    author: str
    author_name: str
    author_problem: str
    subject: str
    message_id: str
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    date: str
    priority: Priority | None
    received: int
    media_type: str
    report_type: str
    header: bytes
    fields: Fields = field(repr=False)
    sections: tuple[TextSection, ...] = field(repr=False)
    forwarded: tuple[TextSection, ...] = field(default=(), repr=False)
    rich: tuple[bytes, ...] = field(default=(), repr=False)
    encryption: Encryption | None = None
    attachments: tuple[Attachment, ...] = ()

    def text(self, name: str) -> str:
        """Return the first header field of this name as one clean line, encoded words as they are; "" if absent."""
        return field_text(self.fields, name.lower())

    def has(self, name: str) -> bool:
        """Tell whether the mail has a header field of this name."""
        return name.lower() in self.fields


_EXPRESS: Final = re.compile(r"\s*(high|urgent|1\b|2\b)", re.IGNORECASE)
_NOT_EXPRESS: Final = re.compile(r"\s*(normal|low|non-urgent)", re.IGNORECASE)
_REPORT_TYPES: Final[Mapping[str, str]] = {
    "message/delivery-status": "delivery-status",
    "message/global-delivery-status": "delivery-status",
    "message/disposition-notification": "disposition-notification",
    "message/global-disposition-notification": "disposition-notification",
    "message/feedback-report": "feedback-report",
}
_RICH_TYPES: Final = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_CIPHER_TYPES: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_TEXT_TYPES: Final = frozenset({"text/plain", "text/html", "text/enriched", "text/richtext", "text", ""})
_CANDIDATES: Final = 100_000
_ENRICHED: Final = re.compile(r"<param>[^<]*</param>|<(?!<)[^<>]{0,60}>", re.IGNORECASE)


def read_mail(raw: bytes, limits: MailLimits) -> Mail | Refused:
    """Read a mail as it came in DATA: CRLF or LF line ends, at most the bounds; never raises."""
    split = split_header(raw, 0, len(raw), limits.header_octets)
    if split is None:
        return _refused(f"the header is longer than {limits.header_octets} octets")
    header_end, body_start = split
    header = raw[:header_end]
    fields = read_fields(header, limits.header_fields)
    if fields is None:
        return _refused(f"the header has more than {limits.header_fields} fields")
    if header.count(b"=?") > limits.encoded_words:
        return _refused(f"the header has more than {limits.encoded_words} encoded words")
    walk = _Walk(raw, limits)
    walk.entity(fields, body_start, len(raw), 0)
    if walk.problem:
        return _refused(walk.problem)
    author, name, problem = _read_author(fields)
    message_id = field_text(fields, "message-id")
    found = message_ids(message_id, 1)
    return Mail(
        author=author,
        author_name=name,
        author_problem=problem,
        subject=decoded_text(fields, "subject", charset=walk.charset),
        message_id=found[0] if found else message_id,
        in_reply_to=message_ids(field_text(fields, "in-reply-to")),
        references=message_ids(field_text(fields, "references")),
        date=field_text(fields, "date"),
        priority=_read_priority(fields),
        received=len(fields.get("received", ())),
        media_type=walk.media_type,
        report_type=walk.report_type,
        header=header,
        fields=fields,
        sections=tuple(walk.sections),
        forwarded=tuple(walk.forwarded),
        rich=tuple(walk.rich),
        encryption=walk.encryption,
        attachments=tuple(walk.attachments),
    )


def read_attachment(raw: bytes, attachment: Attachment, limit: int) -> bytes | Refused:
    """Return an attachment's octets, decoded from the same raw mail; refused if it may exceed `limit` octets."""
    size = attachment.end - attachment.start
    if size > limit * (3 if attachment.encoding == "quoted-printable" else 1.4) + 100:
        return Refused(refusal=Refusal.MAIL_TOO_LARGE, detail=f"an attachment is larger than {limit} octets")
    content = _transfer_decoded(raw[attachment.start : attachment.end], attachment.encoding)
    if len(content) > limit:
        return Refused(refusal=Refusal.MAIL_TOO_LARGE, detail=f"an attachment is larger than {limit} octets")
    return content


def _refused(detail: str) -> Refused:
    return Refused(refusal=Refusal.MAIL_MALFORMED, detail=detail)


def _read_author(fields: Fields) -> tuple[str, str, str]:
    """Return address, name and, where From is not exactly one address, what is wrong with it."""
    values = fields.get("from", [])
    if not values:
        return "", "", "the mail has no From"
    if len(values) > 1:
        return "", "", "the mail has more than one From"
    found = read_addresses(values[0])
    addresses = {item.address for item in found}
    if len(addresses) > 1:
        return "", "", "From holds more than one address"
    if not addresses or addresses == {""}:
        return "", "", "From holds no mail address"
    return found[-1].address, found[-1].name, ""


def _read_priority(fields: Fields) -> Priority | None:
    """Return EXPRESS for a raised flag; Importance wins over the older fields (RFC 4356 §2.1.3.3)."""
    for name in ("importance", "x-priority", "priority", "x-msmail-priority"):
        if name not in fields:
            continue
        value = field_text(fields, name)
        if _EXPRESS.match(value):
            return Priority.EXPRESS
        if _NOT_EXPRESS.match(value):
            return None
    return None


_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=\s-]")
_ONE_LINE_OCTETS: Final = 76


def _is_bare_word(content: bytes) -> bool:
    """Tell whether a short text under «base64» is no such thing: signs that base64 lacks, and no text when decoded."""
    if len(content) > _ONE_LINE_OCTETS or _NOT_BASE64.search(content.strip()) is None:
        return False
    try:
        return not decode_base64(content).decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return True


def _transfer_decoded(content: bytes, encoding: str) -> bytes:
    """Undo the transfer encoding (RFC 2045 §6); what is not in the encoding that it claims is taken as it is."""
    if encoding == "base64":
        first = content[:400].strip().partition(b"\n")[0].strip()
        return content if b" " in first else decode_base64(content)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(content)
    return content


@dataclass(slots=True)
class _Part:
    """What is known of one entity while its text is taken."""

    fields: Fields
    media: Typed
    start: int
    end: int


class _Walk:
    """One pass over the entities of a mail, collecting what can hold text (RFC 2046 §5)."""

    __slots__ = (
        "attachments",
        "candidates",
        "charset",
        "encryption",
        "forwarded",
        "limits",
        "media_type",
        "parts",
        "problem",
        "raw",
        "report_type",
        "rich",
        "sections",
        "text_octets",
    )

    def __init__(self, raw: bytes, limits: MailLimits) -> None:
        self.raw = raw
        self.limits = limits
        self.sections: list[TextSection] = []
        self.forwarded: list[TextSection] = []
        self.rich: list[bytes] = []
        self.attachments: list[Attachment] = []
        self.encryption: Encryption | None = None
        self.media_type = ""
        self.report_type = ""
        self.charset = ""
        self.problem = ""
        self.parts = 0
        self.candidates = 0
        self.text_octets = 0

    def entity(self, fields: Fields, start: int, end: int, depth: int, *, forwarded: bool = False) -> None:
        """Take one entity whose body lies between the two offsets."""
        self.parts += 1
        if self.parts > self.limits.parts:
            self.problem = f"the mail has more than {self.limits.parts} parts"
        elif depth > self.limits.depth:
            self.problem = f"the mail is nested deeper than {self.limits.depth} levels"
        if self.problem:
            return
        part = _Part(fields, read_typed(fields, "content-type"), start, end)
        media = part.media.value
        if not depth:
            self.media_type = media
        if media.startswith("multipart/"):
            self._multipart(part, depth, forwarded=forwarded)
        elif media == "message/rfc822" and depth:
            self._message(part, depth)
        elif media in _REPORT_TYPES:
            if not forwarded:
                self.report_type = self.report_type or _REPORT_TYPES[media]
        elif self._is_text(part, depth):
            self._text(part, forwarded=forwarded)
        else:
            self._attachment(part, depth)

    def _is_text(self, part: _Part, depth: int) -> bool:
        if part.media.value not in _TEXT_TYPES and not ("/" not in part.media.value and not depth):
            return False
        disposition = read_typed(part.fields, "content-disposition").value if depth else ""
        return disposition != "attachment"

    def _multipart(self, part: _Part, depth: int, *, forwarded: bool) -> None:
        media = part.media.value
        if media == "multipart/report" and not forwarded:
            self.report_type = part.media.parameters.get("report-type", "").lower() or "report"
        if media == "multipart/encrypted":
            self.encryption = Encryption.PGP
        ranges = self._split(part)
        if ranges is None:
            # Without a boundary nothing can be told apart: RFC 2045 §5.2 has it read as plain text.
            part.media = Typed(value="text/plain", parameters={})
            self._text(part, forwarded=forwarded)
            return
        if media == "multipart/signed":
            ranges = ranges[:1]  # RFC 1847 §2.1: the second part is the signature
        before = len(self.sections)
        for start, end in ranges:
            inner = split_header(self.raw, start, end, self.limits.header_octets)
            fields = read_fields(self.raw[start : inner[0]], self.limits.header_fields) if inner else None
            if inner is None or fields is None:
                self.problem = "a part's header is too long"
                return
            self.entity(fields, inner[1], end, depth + 1, forwarded=forwarded)
            if self.problem:
                return
        if media == "multipart/alternative" and not forwarded:
            self.sections[before:] = _merged(self.sections[before:])

    def _split(self, part: _Part) -> list[tuple[int, int]] | None:
        """Return the ranges of a multipart's parts; a missing close delimiter ends the last one with its parent."""
        boundary = part.media.parameters.get("boundary", "")
        if not boundary or len(boundary) > self.limits.boundary_octets:
            return None
        delimiter = b"--" + boundary.encode("utf-8", "replace").rstrip()
        raw, end = self.raw, part.end
        ranges: list[tuple[int, int]] = []
        position = part.start
        begin = -1
        while True:
            self.candidates += 1
            if self.candidates > _CANDIDATES or len(ranges) > self.limits.parts:
                self.problem = f"the mail has more than {self.limits.parts} parts"
                break
            found = raw.find(delimiter, position, end)
            if found < 0:
                break
            position = found + len(delimiter)
            if found > part.start and raw[found - 1] != 0x0A:
                continue
            closes = raw.startswith(b"--", position, end)
            line_end = raw.find(b"\n", position, end)
            rest = raw[position + 2 * closes : line_end if line_end >= 0 else end]
            if rest.strip():
                continue  # a longer boundary that only begins like this one
            if begin >= 0:
                stop = found - (2 if raw[max(found - 2, begin) : found] == b"\r\n" else 1)
                ranges.append((begin, max(begin, stop)))
            begin = -1
            if closes or line_end < 0:
                break
            begin = position = line_end + 1
        if begin >= 0:
            ranges.append((begin, end))
        return ranges or None

    def _message(self, part: _Part, depth: int) -> None:
        """Take the texts of an attached mail; they count only where the mail itself has none."""
        if _encoding(part.fields) in {"base64", "quoted-printable"}:
            self._attachment(part, depth)
            return
        inner = split_header(self.raw, part.start, part.end, self.limits.header_octets)
        fields = read_fields(self.raw[part.start : inner[0]], self.limits.header_fields) if inner else None
        if inner is None or fields is None:
            self.problem = "an attached mail's header is too long"
            return
        self.entity(fields, inner[1], part.end, depth + 1, forwarded=True)

    def _signed(self, part: _Part, encoding: str, depth: int) -> bool:
        """Take the entity inside an opaque signature; tell whether there was one (RFC 8551 §3.5.2)."""
        kind = part.media.parameters.get("smime-type", "").lower()
        if kind == "certs-only" or part.end - part.start > self.limits.rich_octets:
            return False
        inner = signed_content(_transfer_decoded(self.raw[part.start : part.end], encoding))
        split = split_header(inner, 0, len(inner), self.limits.header_octets) if inner else None
        fields = read_fields(inner[: split[0]], self.limits.header_fields) if split else None
        if split is None or fields is None:
            self.encryption = self.encryption or Encryption.SMIME
            return False
        outer, self.raw, known = self.raw, inner, len(self.attachments)
        self.entity(fields, split[1], len(inner), depth + 1)
        self.raw = outer
        del self.attachments[known:]  # their offsets are not those of the mail
        return True

    def _attachment(self, part: _Part, depth: int) -> None:
        media = part.media.value
        encoding = _encoding(part.fields)
        name = part.media.parameters.get("name", "")
        disposition = read_typed(part.fields, "content-disposition")
        name = clean_line(decode_words(disposition.parameters.get("filename", name)))[:255]
        if media in _RICH_TYPES or (name.lower() == "winmail.dat" and media in {"application/octet-stream", ""}):
            if part.end - part.start <= self.limits.rich_octets and not self.rich:
                self.rich.append(_transfer_decoded(self.raw[part.start : part.end], encoding))
            return
        if media in _CIPHER_TYPES and self._signed(part, encoding, depth):
            return
        self.attachments.append(
            Attachment(name=name, media_type=media, encoding=encoding, start=part.start, end=part.end)
        )

    def _text(self, part: _Part, *, forwarded: bool) -> None:
        into = self.forwarded if forwarded else self.sections
        media = part.media.value
        limit = self.limits.html_octets if media == "text/html" else self.limits.text_octets
        size = min(part.end - part.start, limit, self.limits.text_octets - self.text_octets)
        if len(into) >= self.limits.texts or size < 0:
            return
        self.text_octets += size
        octets = self.raw[part.start : part.start + size]
        encoding = _encoding(part.fields)
        if encoding != "base64" or not _is_bare_word(octets):
            octets = _transfer_decoded(octets, encoding)
        charset = part.media.parameters.get("charset", "")
        self.charset = self.charset or charset
        if media == "text/html":
            into.append(TextSection(html=decode(octets, charset or _meta_charset(octets))))
            return
        text = clean_text(decode(octets, charset))
        if media in {"text/enriched", "text/richtext"}:
            text = _ENRICHED.sub("", text).replace("<<", "<")  # RFC 1896
        flowed = part.media.parameters.get("format", "").lower() == "flowed"
        delete_space = part.media.parameters.get("delsp", "").lower() == "yes"
        into.append(TextSection(plain=text, flowed=flowed, delete_space=delete_space))


def _encoding(fields: Fields) -> str:
    return field_text(fields, "content-transfer-encoding").partition(";")[0].strip(" \t\"'").lower()


_META: Final = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


def _meta_charset(octets: bytes) -> str:
    found = _META.search(octets, 0, 2048)
    return found[1].decode("ascii") if found else ""


def _merged(sections: list[TextSection]) -> list[TextSection]:
    """Make one section of the twins of a multipart/alternative (RFC 2046 §5.1.4); blank twins do not count."""
    plain = [section for section in sections if section.plain is not None]
    html = [section for section in sections if section.html is not None]
    if len(plain) > 1 or len(html) > 1 or not plain or not html:
        return html if html and not any((section.plain or "").strip() for section in plain) else (plain or html)
    twin = plain[0]
    return [TextSection(plain=twin.plain, html=html[0].html, flowed=twin.flowed, delete_space=twin.delete_space)]
