"""The signatures of a mail, judged strictly: DKIM's and the message signatures of ARC, made alike (RFC 6376).

A signature counts only where it covers From, every Subject and the whole body, says when it was made, and is recent:
what it proves costs money. dkimpy reads and checks tags; the canonical forms are made here, in a time linear to the
mail's size, and the body is hashed once for each form. Not here: keys (mta.verify.keys), chains (mta.verify.arc), to
whom a signed mail may go (mta.verify.replay).
"""

import hashlib
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from dkim import ValidationError, validate_signature_fields
from dkim.util import InvalidTagValueList, parse_tag_value

from mta.sending.sign import canonical_body
from mta.verify.keys import ALGORITHMS, DomainKey, NoProof

OLDEST: Final = timedelta(days=5)
"""As long as a mail may wait at its sender's (RFC 5321 §4.5.4.1), and less than what was seen is remembered."""

_CLOCKS_DIFFER: Final = timedelta(minutes=5)
_ZONES_DIFFER: Final = timedelta(days=1)
_LONGEST_HEADER: Final = 100_000
_LONGEST_FIELD: Final = 8_192
_MOST_NAMES: Final = 200
_NAME: Final = re.compile(rb"(?=.{1,200}\Z)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_FIELD: Final = re.compile(rb"([!-9;-~]+[ \t]*):(.*)", re.DOTALL)
_BLANKS: Final = re.compile(rb"[ \t]+")
_END_OF_FIELD: Final = re.compile(rb"\r\n(?![ \t])")

Field = tuple[bytes, bytes]
"""A header field: its name as written, and its value with the final CRLF."""


class SignedMail:
    """A mail as signatures cover it: the header fields from top to bottom, and the body, which begins at `start`."""

    def __init__(self, fields: Sequence[Field], raw: bytes, start: int) -> None:
        self.fields = tuple(fields)
        self._places: dict[bytes, list[int]] = {}
        for place, (name, _) in enumerate(fields):
            self._places.setdefault(_plain(name), []).append(place)
        self._raw = raw
        self._start = start
        self._body_hashes: dict[bytes, bytes] = {}

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of all fields of this lower-case name."""
        return [self.fields[place][1] for place in self._places.get(name, ())]

    def named(self, name: bytes) -> list[Field]:
        """Return all fields of this lower-case name."""
        return [self.fields[place] for place in self._places.get(name, ())]

    def select(self, names: Sequence[bytes]) -> list[Field]:
        """Return the fields that a list of lower-case names stands for, the last of a name first (RFC 6376 §5.4.2)."""
        left = {name: list(self._places.get(name, ())) for name in set(names)}
        return [self.fields[left[name].pop()] for name in names if left[name]]

    def body_hash(self, form: bytes) -> bytes:
        """Return the SHA-256 of the body in a canonical form, relaxed or simple (RFC 6376 §3.4.3, §3.4.4)."""
        if form not in self._body_hashes:
            body = self._raw[self._start :]  # a copy for no longer than this takes
            canonical = canonical_body(body) if form == b"relaxed" else _simple_body(body)
            self._body_hashes[form] = hashlib.sha256(canonical).digest()
        return self._body_hashes[form]


def read_signed(raw: bytes) -> SignedMail | NoProof:
    """Return a mail, whose line ends are CRLF, as signatures cover it."""
    end = raw.find(b"\r\n\r\n", 0, _LONGEST_HEADER + 4)
    if end < 0 and len(raw) > _LONGEST_HEADER:
        return NoProof(why="the header is too long")
    header = raw[:end] if end >= 0 else raw
    pieces = _END_OF_FIELD.split(header.removesuffix(b"\r\n"))
    found = [_FIELD.fullmatch(piece) for piece in pieces]
    if any(match is None or _has_bare_newline(match[2]) for match in found):
        return NoProof(why="the header holds a line that is no field")
    fields = [(match[1], match[2] + b"\r\n") for match in found if match is not None]
    return SignedMail(fields, raw, end + 4 if end >= 0 else len(raw))


def _has_bare_newline(value: bytes) -> bool:
    rest = value.replace(b"\r\n", b"")
    return b"\r" in rest or b"\n" in rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature that may count: `names` are the lower-case names of the fields that it covers (`h=`)."""

    field: Field
    tags: Mapping[bytes, bytes]
    names: tuple[bytes, ...]

    @property
    def domain(self) -> str:
        """`d=` in lower case."""
        return self.tags[b"d"].decode("ascii").lower()

    @property
    def key_name(self) -> str:
        """The name at which its key is published (RFC 6376 §3.6.2.1)."""
        return f"{self.tags[b's'].decode('ascii').lower()}._domainkey.{self.domain}"

    @property
    def evidence(self) -> str:
        """What it is known by."""
        selector, algorithm = self.tags[b"s"].decode("ascii"), self.tags[b"a"].decode("ascii")
        return f"d={self.domain} s={selector} a={algorithm}"

    def covers_all(self, mail: SignedMail, name: bytes) -> bool:
        """Return whether it covers every field of this name, if there is any."""
        return self.names.count(name) >= len(mail.named(name))

    def covered(self, mail: SignedMail, name: bytes) -> list[bytes]:
        """Return the values of those fields of this name that it covers, the last first."""
        return [value for _, value in mail.select([name] * self.names.count(name))]

    def identity(self, mail: SignedMail) -> bytes:
        """Return what tells this mail from all others of its author, whatever else a relay or a thief changes in it.

        That is Message-ID, Date and From where they are signed, so that another signature of the mail comes to the
        same, else the signature.
        """
        digest = hashlib.blake2b(digest_size=16)
        if self.covered(mail, b"message-id"):
            for name in (b"message-id", b"date", b"from"):
                for value in self.covered(mail, name):
                    digest.update(_relaxed((name, value)))
        else:
            digest.update(b64decode(self.tags[b"b"]))
        return digest.digest()


def tags_of(value: bytes) -> dict[bytes, bytes] | NoProof:
    """Return the tags of a signature's value, those in base64 without blanks."""
    if len(value) > _LONGEST_FIELD:
        return NoProof(why="the signature is too long")
    try:
        tags: dict[bytes, bytes] = parse_tag_value(value)
    except InvalidTagValueList:
        return NoProof(why="its tags can't be read")
    return tags | {name: b"".join(tags[name].split()) for name in (b"b", b"bh") if name in tags}


def read_signature(mail: SignedMail, field: Field, now: datetime, *, arc: bool = False) -> Signature | NoProof:
    """Return a signature if nothing is wrong with what it says of itself; whether it is true is another question."""
    tags = tags_of(field[1])
    if isinstance(tags, NoProof):
        return tags
    if b"l" in tags:
        return NoProof(why="it leaves the end of the body unsigned (l=)")  # RFC 6376 §8.2
    if tags.get(b"a") not in ALGORITHMS:
        return NoProof(why="its algorithm is none of rsa-sha256 and ed25519-sha256")
    try:
        validate_signature_fields(tags, *([[b"i", b"a", b"b", b"bh", b"d", b"h", b"s"], True] if arc else []))
    except (ValidationError, ValueError, LookupError) as error:
        return NoProof(why=str(error).partition(" (")[0])
    if _NAME.fullmatch(tags[b"d"]) is None or _NAME.fullmatch(tags[b"s"]) is None:
        return NoProof(why="its domain or selector is no name")
    names = tuple(name.strip().lower() for name in tags[b"h"].split(b":"))
    signature = Signature(field=field, tags=tags, names=names)
    return _judge_cover(mail, signature) or _judge_age(mail, signature, now) or signature


def _judge_cover(mail: SignedMail, signature: Signature) -> NoProof | None:
    if len(signature.names) > _MOST_NAMES:
        return NoProof(why="it names too many fields (h=)")
    for name in (b"from", b"subject"):  # RFC 6376 §5.4; a subject may be the text, or change how it is sent
        if not signature.covers_all(mail, name) or (name == b"from" and name not in signature.names):
            return NoProof(why=f"{name.decode().capitalize()} is not signed (h=)")
    return None


def _judge_age(mail: SignedMail, signature: Signature, now: datetime) -> NoProof | None:
    """Return why a signature is not of these days: by x= and t=, or where it has no t= by the Date that it covers."""
    expires = _instant(signature.tags.get(b"x", b""))
    if expires is not None and expires <= now:
        return NoProof(why="it has expired (x=)")
    signed, ahead = _instant(signature.tags.get(b"t", b"")), _CLOCKS_DIFFER
    if signed is None:
        signed, ahead = _date(signature.covered(mail, b"date")), _ZONES_DIFFER
    if signed is None:
        return NoProof(why="it does not say when it was made: neither t= nor a signed Date")
    if signed > now + ahead:
        return NoProof(why="it was made in the future")
    if signed < now - OLDEST:
        return NoProof(why=f"it is older than {OLDEST.days} days")
    return None


def _instant(seconds: bytes) -> datetime | None:
    # RFC 6376 §3.5: up to twelve digits; more than datetime holds is after every clock
    if not seconds.isdigit():
        return None
    return datetime.fromtimestamp(min(int(seconds[:13]), 253_370_764_800), UTC)


def _date(values: list[bytes]) -> datetime | None:
    try:
        found = parsedate_to_datetime(values[0].decode("ascii")) if len(values) == 1 else None
    except (ValueError, TypeError, OverflowError):
        return None
    if found is None:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def check_signature(mail: SignedMail, signature: Signature, key: DomainKey) -> NoProof | None:
    """Return why a signature is not one of this key over this mail, None if it is."""
    tags = signature.tags
    if ALGORITHMS[tags[b"a"]] is not key.kind:
        return NoProof(why="the key is for another algorithm")
    if key.strict and tags.get(b"i", b"@" + tags[b"d"]).rpartition(b"@")[2].lower() != tags[b"d"].lower():
        return NoProof(why="the key is for the domain itself, and i= names one below it")  # RFC 6376 §3.6.1, t=s
    return check_octets(mail, signature.field, tags, signature.names, key)


def check_octets(
    mail: SignedMail, field: Field, tags: Mapping[bytes, bytes], names: Sequence[bytes], key: DomainKey
) -> NoProof | None:
    """Return why a key did not sign these fields and, where there is `bh=`, the body (RFC 6376 §3.7)."""
    header_form, _, body_form = tags.get(b"c", b"simple").partition(b"/")
    body_form = body_form or b"simple"
    try:
        signature, body_hash = (b64decode(tags.get(name, b""), validate=True) for name in (b"b", b"bh"))
    except Base64Error:
        return NoProof(why="its tags can't be read")
    if not {header_form, body_form} <= {b"simple", b"relaxed"}:
        return NoProof(why="its canonical form is unknown (c=)")
    if b"bh" in tags and body_hash != mail.body_hash(body_form):
        return NoProof(why="the body was changed")
    canonical = _relaxed if header_form == b"relaxed" else b":".join
    own = canonical((field[0], _without_signature(field[1]))).removesuffix(b"\r\n")
    octets = b"".join(map(canonical, mail.select(names))) + own
    return None if key.verifies(signature, octets) else NoProof(why="the header was changed, or the key is another")


def _relaxed(field: Field) -> bytes:
    # RFC 6376 §3.4.2: blanks are space and tab, and no other that bytes.strip would take
    value = _BLANKS.sub(b" ", field[1].replace(b"\r\n", b"")).strip(b" ")
    return _plain(field[0]) + b":" + value + b"\r\n"


def _without_signature(value: bytes) -> bytes:
    """Return the value of a signature field with an empty `b=` (RFC 6376 §3.5)."""
    kept = [piece.partition(b"=") for piece in value.split(b";")]
    return b";".join(name + sign + (b"" if name.strip() == b"b" else rest) for name, sign, rest in kept)


def _simple_body(body: bytes) -> bytes:
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n"


def _plain(name: bytes) -> bytes:
    return name.lower().rstrip(b" \t")
