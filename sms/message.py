"""The vocabulary of an SMS in transit: submissions, jobs, messages, parts, receipts, notices.

Not here: how a number, an alphabet or a split is made (number, alphabet, parts), nor how states change (lifecycle).
Every instant is an aware UTC datetime and its name ends in `_at`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from msgspec import Struct

from sms.number import MobileNumber, SenderId
from sms.parameters import Parameters


class Origin(StrEnum):
    """The door a submission came through; also the name of the customer's service whose settings apply."""

    MAIL = "mail"
    SAP = "sap"
    REST = "rest"
    SOAP = "soap"
    HTTP = "http"
    SMPP = "smpp"
    INBOUND = "inbound"
    PORTAL = "portal"


MAIL_SERVICES: Final = (Origin.MAIL, Origin.SAP)
"""What a mail may be of."""


class Priority(StrEnum):
    """Express goes first everywhere; there are two classes and no numbers."""

    NORMAL = "normal"
    EXPRESS = "express"


class Alphabet(StrEnum):
    """What a part's payload octets are: one GSM-7 septet per octet, or UTF-16BE (3GPP TS 23.038 §4, §6)."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


class NationalLanguage(StrEnum):
    """The languages that have tables of their own."""

    TURKISH = "turkish"
    SPANISH = "spanish"
    PORTUGUESE = "portuguese"
    BENGALI = "bengali"
    GUJARATI = "gujarati"
    HINDI = "hindi"
    KANNADA = "kannada"
    MALAYALAM = "malayalam"
    ORIYA = "oriya"
    PUNJABI = "punjabi"
    TAMIL = "tamil"
    TELUGU = "telugu"
    URDU = "urdu"

    @property
    def identifier(self) -> int:
        """Its national language identifier (3GPP TS 23.038 §6.2.1.2.4)."""
        return list(NationalLanguage).index(self) + 1


class Shifts(NamedTuple):
    """The national language identifiers of a text's tables (3GPP TS 23.038 §6.2.1.2.4); 0 is the default's table."""

    locking: int = 0
    single: int = 0


NO_SHIFTS: Final = Shifts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One character that the alphabet lacks: `index` counts code points of the text before any replacement."""

    index: int
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """One part as it goes on the air. `payload` has no UDH: septets one per octet, or UTF-16BE."""

    text: str
    udh: bytes
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The user data header of a text that its sender divided, with its length octet; `shifts` are those it names."""

    octets: bytes
    shifts: Shifts = NO_SHIFTS


class EncodedText(Struct, frozen=True, kw_only=True):
    """A text made ready for the air: what is sent, what was replaced, what was cut.

    `lengths` are the characters of each part; `wide` says that each of several has room for a 16-bit reference.
    `shifts` are the tables of a text in GSM-7. `udh` is the header of one that its sender divided: then it is one part.
    """

    text: str
    alphabet: Alphabet
    lengths: tuple[int, ...]
    wide: bool = False
    replaced: tuple[Replacement, ...] = ()
    cut: str = ""
    shifts: Shifts = NO_SHIFTS
    udh: bytes = b""


class TlsTag(StrEnum):
    """What a mail's sender asks of TLS for whatever is sent because of it (RFC 8689 §4.1).

    REQUIRED: only over verified TLS, to servers that promise the same. OPTIONAL: what the recipient's domain publishes
    about TLS may be ignored.
    """

    NONE = ""
    REQUIRED = "required"
    OPTIONAL = "optional"


class MailOrigin(Struct, frozen=True, kw_only=True):
    """What an answer to the mail needs: envelope (RFC 3461), identity, thread, header block.

    `reverse_path` is empty for the null sender. `header_sender` is who wrote on behalf of `header_from` (RFC 5322
    §3.6.2), empty where the author did. `header` is the mail's header block as received; `body` is kept
    only for RET=FULL and only until the job is final.
    """

    reverse_path: str
    header_from: str = ""
    header_sender: str = ""
    message_id: str = ""
    references: str = ""
    subject: str = ""
    envid: str = ""
    ret: str = ""
    helo: str = ""
    tls_tag: TlsTag = TlsTag.NONE
    header: bytes = b""
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartToSubmit:
    """One part handed to a carrier. `message_key` groups the parts of one message, `reference` is the UDH's own.

    For a carrier that splits texts itself it is a whole text of `total` parts, with the key of the first. The header of
    one in national languages names its `shifts` too.
    """

    part_key: int
    message_key: int
    message_id: str
    number: MobileNumber
    sender: SenderId | None
    alphabet: Alphabet
    udh: bytes
    payload: bytes
    index: int
    total: int
    reference: int
    priority: Priority
    flash: bool
    receipt_wanted: bool
    expires_at: datetime | None
    parameters: Parameters = ()
    shifts: Shifts = NO_SHIFTS

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole text of several parts, which the carrier splits."""
        return self.total > 1 and not self.udh


class ReceiptState(StrEnum):
    """What a carrier's receipt says (SMPP 3.4 §5.2.28, appendix B); OTHER is in neither."""

    ENROUTE = "enroute"
    DELIVERED = "delivered"
    EXPIRED = "expired"
    DELETED = "deleted"
    UNDELIVERABLE = "undeliverable"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The carrier reports on one part; ENROUTE, ACCEPTED and OTHER are news on the way and decide nothing.

    OTHER is a state of unknown meaning. `word` is the carrier's own, such as DELIVRD; it does not count in comparisons.

    `carrier_id` is already normalised by the carrier's dialect. `number` is the handset's, digits only, if the carrier
    reports it: it helps to settle a part whose answer was lost. `network` are the digits of MCC and MNC, `price` is an
    amount with its currency, where the carrier says them.
    """

    carrier: str
    carrier_id: str
    state: ReceiptState
    error: str = ""
    number: str = ""
    done_at: datetime | None = None
    word: str = field(default="", compare=False)
    network: str = ""
    price: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundFragment:
    """One deliver_sm from a handset, with its place in a concatenation, if any (3GPP TS 23.040 §9.2.3.24.1)."""

    carrier: str
    source: str
    destination: str
    text: str
    reference: int | None = None
    index: int = 1
    total: int = 1
