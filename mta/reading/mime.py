"""One mail → its facts and its text parts: a bounded reader for hostile input that never raises.

It reads headers first, then only parts with text; attachments are recorded as a range and never decoded here. Every
bound is in `MailLimits`; time is linear in the size. Not here: single fields and encoded words (mta.reading.headers),
whether the mail is automatic (mta.reading.automatic), whose words the text is (mta.reading.body). RFC 2045, 2046, 2183,
3676, 1847, 5322.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from msgspec import Struct

from mta.reading.boundaries import Ranges, guessed_boundary, part_ranges, stray_header, undeclared_boundary
from mta.reading.charsets import clean_line
from mta.reading.cms import signed_content
from mta.reading.headers import (
    MOST_FIELDS,
    Fields,
    Typed,
    decode_words,
    decoded_text,
    field_ids,
    field_text,
    message_ids,
    read_addresses,
    read_fields,
    read_typed,
    split_header,
)
from mta.reading.texts import TextSection, is_text, merged, read_text, text_type
from mta.reading.transfer import encoding_name, transfer_decoded
from sms.message import Priority
from sms.outcome import Refusal, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLimits:
    """The bounds of one mail. Beyond the first five it is refused; beyond the others the rest is not read."""

    header_octets: int = 100_000
    header_fields: int = MOST_FIELDS
    encoded_words: int = 4_000
    parts: int = 1_000
    depth: int = 30
    text_octets: int = 2_000_000
    html_octets: int = 1_000_000
    rich_octets: int = 8_000_000
    boundary_octets: int = 500
    texts: int = 50


class Encryption(StrEnum):
    """Why only the addressee can read a mail's text."""

    SMIME = "S/MIME"
    PGP = "PGP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One part that is no text of the mail, as the range of its encoded octets in the raw mail."""

    name: str
    media_type: str
    encoding: str
    start: int
    end: int


class ParsedMail(Struct, frozen=True, kw_only=True):
    """The facts of a mail. Strings are single clean lines; sections are clean text with LF.

    `author` is the one addr-spec of From, empty if From has none or several (`author_problem` says which). `priority`
    is EXPRESS if the client's flag says so, else None. `report_type` is that of multipart/report, else of the first
    report among the parts. `header` is the header block as received, without
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
    fields: Fields
    sections: tuple[TextSection, ...]
    forwarded: tuple[TextSection, ...] = ()
    rich: tuple[bytes, ...] = ()
    encryption: Encryption | None = None
    attachments: tuple[Attachment, ...] = ()

    def __repr__(self) -> str:
        """Show none of its content."""
        return f"ParsedMail(message_id={self.message_id!r}, received={self.received})"

    def text(self, name: str) -> str:
        """Return the first header field of this name as one clean line, encoded words not decoded; "" if absent."""
        return field_text(self.fields, name.lower())

    def has(self, name: str) -> bool:
        """Return whether the mail has a header field of this name."""
        return name.lower() in self.fields


_PRIORITY_FIELDS: Final = ("importance", "x-priority", "priority", "x-msmail-priority")
_EXPRESS: Final = re.compile(r"\s*(high|urgent|1\b|2\b)", re.IGNORECASE)
_NOT_EXPRESS: Final = re.compile(r"\s*(normal|low|non-urgent)", re.IGNORECASE)
REPORT_TYPES: Final[Mapping[str, str]] = {
    "message/delivery-status": "delivery-status",
    "message/global-delivery-status": "delivery-status",
    "message/disposition-notification": "disposition-notification",
    "message/global-disposition-notification": "disposition-notification",
    "message/feedback-report": "feedback-report",
}
_RICH_TYPES: Final = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_CIPHER_TYPES: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_CANDIDATES: Final = 100_000


def read_mail(raw: bytes, limits: MailLimits) -> ParsedMail | Refused:
    """Read a mail as it came in DATA, with CRLF or LF line ends, up to the bounds; never raises."""
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
    walk = _Walk(raw=raw, limits=limits)
    walk.entity(fields, body_start, len(raw), 0)
    if walk.problem:
        return _refused(walk.problem)
    author, name, problem = read_author(fields)
    message_id = field_text(fields, "message-id")
    found = message_ids(message_id, 1)
    return ParsedMail(
        author=author,
        author_name=name,
        author_problem=problem,
        subject=decoded_text(fields, "subject", charset=walk.charset),
        message_id=found[0] if found else message_id,
        in_reply_to=field_ids(fields, "in-reply-to"),
        references=field_ids(fields, "references"),
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
    content = transfer_decoded(raw[attachment.start : attachment.end], attachment.encoding)
    if len(content) > limit:
        return Refused(refusal=Refusal.MAIL_TOO_LARGE, detail=f"an attachment is larger than {limit} octets")
    return content


def _refused(detail: str) -> Refused:
    return Refused(refusal=Refusal.MAIL_MALFORMED, detail=detail)


def read_author(fields: Fields) -> tuple[str, str, str]:
    """Return the address and name of From and, if it is not exactly one address, what is wrong with it."""
    values = fields.get("from", [])
    if not values:
        return "", "", "the mail has no From"
    if len(values) > 1:
        return "", "", "the mail has more than one From"
    found = read_addresses(values[0])
    if len(found) > 1 and len({item.address for item in found}) > 1:
        return "", "", "From holds more than one address"
    if not found or not found[-1].address:
        return "", "", "From holds no mail address"
    return found[-1].address, found[-1].name, ""


def _read_priority(fields: Fields) -> Priority | None:
    """Return EXPRESS for a raised flag; Importance wins over the older fields (RFC 4356 §2.1.3.3)."""
    for name in filter(fields.__contains__, _PRIORITY_FIELDS):
        value = field_text(fields, name)
        if _EXPRESS.match(value):
            return Priority.EXPRESS
        if _NOT_EXPRESS.match(value):
            return None
    return None


class _Entity(Struct):
    """The known facts of one entity while its text is taken."""

    fields: Fields
    media: Typed
    start: int
    end: int


class _Walk(Struct, kw_only=True):
    """One pass over the entities of a mail that collects their texts (RFC 2046 §5)."""

    raw: bytes
    limits: MailLimits
    sections: list[TextSection] = []
    forwarded: list[TextSection] = []
    rich: list[bytes] = []
    attachments: list[Attachment] = []
    encryption: Encryption | None = None
    media_type: str = ""
    report_type: str = ""
    charset: str = ""
    problem: str = ""
    parts: int = 0
    candidates: int = 0
    decoded_octets: int = 0
    text_octets: int = 0

    def entity(self, fields: Fields, start: int, end: int, depth: int, *, forwarded: bool = False) -> None:
        """Take one entity whose body is between the two offsets."""
        self.parts += 1
        if self.parts > self.limits.parts:
            self.problem = f"the mail has more than {self.limits.parts} parts"
        elif depth > self.limits.depth:
            self.problem = f"the mail is nested deeper than {self.limits.depth} levels"
        if self.problem:
            return
        part = _Entity(fields, read_typed(fields, "content-type"), start, end)
        media = part.media.value
        if not depth:
            self.media_type = media
        if media.startswith("multipart/"):
            self._multipart(part, depth, forwarded=forwarded)
        elif media == "message/rfc822" and depth:
            self._message(part, depth)
        elif media in REPORT_TYPES:
            self.report_type = self.report_type or ("" if forwarded else REPORT_TYPES[media])
        elif not is_text(part.media, read_typed(fields, "content-disposition"), whole=not depth):
            self._attachment(part, depth)
        elif not self._source(part, depth, forwarded=forwarded):
            self._text(part, forwarded=forwarded)

    def _source(self, part: _Entity, depth: int, *, forwarded: bool) -> bool:
        """Take a text that is MIME source, as after an empty line inside the header; returns whether it was."""
        boundary = undeclared_boundary(self.raw, part.start, part.end)
        if boundary:
            part.media = Typed(value="multipart/mixed", parameters={"boundary": boundary})
            self._multipart(part, depth, forwarded=forwarded)
            return True
        stray = stray_header(self.raw, part.start, part.end)
        fields = read_fields(self.raw[stray[0] : stray[1]], self.limits.header_fields) if stray else None
        if stray is None or not fields:
            return False
        self.entity(fields, stray[2], part.end, depth + 1, forwarded=forwarded)
        return True

    def _multipart(self, part: _Entity, depth: int, *, forwarded: bool) -> None:
        media = part.media.value
        if media == "multipart/report" and not forwarded:
            self.report_type = self.report_type or part.media.parameters.get("report-type", "").lower()
        if media == "multipart/encrypted":
            self.encryption = Encryption.PGP
        encoding = _encoding(part.fields)
        if encoding and self._encoded(part, encoding, depth, forwarded=forwarded):
            return
        ranges = self._split(part)
        if not ranges:
            # Without a boundary there are no parts: RFC 2045 §5.2 reads it as plain text.
            part.media = Typed(value="text/plain", parameters={})
            self._text(part, forwarded=forwarded)
            return
        if media == "multipart/signed":
            ranges = ranges[:1]  # RFC 1847 §2.1: the second part is the signature
        children: list[list[TextSection]] = []
        for start, end in ranges:
            inner = split_header(self.raw, start, end, self.limits.header_octets)
            fields = read_fields(self.raw[start : inner[0]], self.limits.header_fields) if inner else None
            if inner is None or fields is None:
                self.problem = "a part's header is too long"
                return
            before = len(self.sections)
            body = inner[1] if fields or inner[0] == start else start  # text instead of a header
            self.entity(fields, body, end, depth + 1, forwarded=forwarded)
            if self.problem:
                return
            children.append(self.sections[before:])
        if media == "multipart/alternative" and not forwarded:
            self.sections[len(self.sections) - sum(map(len, children)) :] = merged(children)

    def _split(self, part: _Entity) -> Ranges:
        """Return the ranges of a multipart's parts, by the declared boundary, else by the used one."""
        declared = part.media.parameters.get("boundary", "")
        for boundary in (declared, guessed_boundary(self.raw, part.start, part.end)):
            if not boundary or len(boundary) > self.limits.boundary_octets:
                continue
            budget = max(_CANDIDATES - self.candidates, 1)
            ranges, looked = part_ranges(self.raw, part.start, part.end, boundary, budget)
            self.candidates += looked
            if self.candidates >= _CANDIDATES or len(ranges) > self.limits.parts:
                self.problem = f"the mail has more than {self.limits.parts} parts"
            if ranges:
                return ranges
        return []

    def _message(self, part: _Entity, depth: int) -> None:
        """Take the texts of an attached mail; they count only if the mail itself has none."""
        encoding = _encoding(part.fields)
        if encoding:
            octets = self._decoded(part, encoding)
            if not octets or not self._within(octets, None, depth, forwarded=True):
                self._attachment(part, depth)
            return
        inner = split_header(self.raw, part.start, part.end, self.limits.header_octets)
        fields = read_fields(self.raw[part.start : inner[0]], self.limits.header_fields) if inner else None
        if inner is None or fields is None:
            self.problem = "an attached mail's header is too long"
            return
        self.entity(fields, inner[1], part.end, depth + 1, forwarded=True)

    def _encoded(self, part: _Entity, encoding: str, depth: int, *, forwarded: bool) -> bool:
        """Take a multipart that was encoded as a whole, which RFC 2045 §6.4 forbids; returns whether it was one."""
        boundary = part.media.parameters.get("boundary", "").encode("utf-8", "replace")
        if boundary and self.raw.find(b"--" + boundary, part.start, part.end) >= 0:
            return False
        fields = {name: values for name, values in part.fields.items() if name != "content-transfer-encoding"}
        octets = self._decoded(part, encoding)
        return b"\n" in octets and self._within(octets, fields, depth, forwarded=forwarded)

    def _decoded(self, part: _Entity, encoding: str) -> bytes:
        """Return the octets of an entity with other entities inside, b"" beyond the common bound."""
        self.decoded_octets += part.end - part.start
        if self.decoded_octets > self.limits.rich_octets:
            return b""
        return transfer_decoded(self.raw[part.start : part.end], encoding)

    def _within(self, octets: bytes, fields: Fields | None, depth: int, *, forwarded: bool = False) -> bool:
        """Take an entity from separate octets, with its header if none is given; returns whether there was one."""
        start = 0
        if fields is None:
            split = split_header(octets, 0, len(octets), self.limits.header_octets)
            fields = read_fields(octets[: split[0]], self.limits.header_fields) if split else None
            if split is None or not fields:
                return False
            start = split[1]
        outer, self.raw, known = self.raw, octets, len(self.attachments)
        self.entity(fields, start, len(octets), depth + 1, forwarded=forwarded)
        self.raw = outer
        del self.attachments[known:]  # their offsets are not those of the mail
        return True

    def _signed(self, part: _Entity, encoding: str, depth: int) -> bool:
        """Take the entity inside an opaque signature; returns whether there was one (RFC 8551 §3.5.2)."""
        if part.media.parameters.get("smime-type", "").lower() == "certs-only":
            return False
        inner = signed_content(self._decoded(part, encoding))
        taken = bool(inner) and self._within(inner, None, depth)
        if not taken:
            self.encryption = self.encryption or Encryption.SMIME
        return taken

    def _attachment(self, part: _Entity, depth: int) -> None:
        media = part.media.value
        encoding = _encoding(part.fields)
        name = part.media.parameters.get("name", "")
        disposition = read_typed(part.fields, "content-disposition")
        name = clean_line(decode_words(disposition.parameters.get("filename", name)))[:255]
        if media in _RICH_TYPES or (name.lower() == "winmail.dat" and media in {"application/octet-stream", ""}):
            if part.end - part.start <= self.limits.rich_octets and not self.rich:
                self.rich.append(transfer_decoded(self.raw[part.start : part.end], encoding))
            return
        if media in _CIPHER_TYPES and self._signed(part, encoding, depth):
            return
        self.attachments.append(
            Attachment(name=name, media_type=media, encoding=encoding, start=part.start, end=part.end)
        )

    def _text(self, part: _Entity, *, forwarded: bool) -> None:
        into = self.forwarded if forwarded else self.sections
        limit = self.limits.html_octets if text_type(part.media) == "text/html" else self.limits.text_octets
        size = min(part.end - part.start, limit, self.limits.text_octets - self.text_octets)
        if len(into) >= self.limits.texts or size < 0:
            return
        self.text_octets += size
        octets = transfer_decoded(self.raw[part.start : part.start + size], _encoding(part.fields))
        self.charset = self.charset or part.media.parameters.get("charset", "")
        into.append(read_text(octets, part.media))


def _encoding(fields: Fields) -> str:
    # Some senders forget the line end between the two fields.
    text = field_text(fields, "content-transfer-encoding")
    if not text and "content-type" in fields:
        text = field_text(fields, "content-type").lower().partition("content-transfer-encoding:")[2]
    return encoding_name(text) if text else ""
