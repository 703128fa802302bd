"""An inbound SMS, joined, and who wrote to its handset lately.

Not here: its fragments (joining), whose it is (routing).
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LatePart:
    """The SMS that went out without a fragment: its key, whose it was, and the folded keyword that it matched."""

    sms_key: int
    customer_key: int
    keyword: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundSms:
    """A text that a handset sent to one of our numbers.

    `public_id` is `I.…`. `source` and `destination` are as the carrier wrote them, an international number with plus.
    `missing` are the places, from 1, of the fragments that did not come in time, of `total`. A fragment that came after
    its SMS went out is an SMS of its own, `late`, whose text is the fragment's.
    """

    public_id: str
    carrier: str
    source: str
    destination: str
    text: str
    received_at: datetime
    total: int = 1
    missing: tuple[int, ...] = ()
    late: LatePart | None = None

    @property
    def phone(self) -> str:
        """Digits of the handset's number, or its name where it has none."""
        return self.source.removeprefix("+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """An SMS to the handset that a carrier took: by whom, when, and from which sender ID (empty if it had none).

    `user_address` is empty where no user of the customer sent it; `reverse_path` is where its status went.
    """

    customer_key: int
    user_address: str
    service: str
    sender_id: str
    at: datetime
    reverse_path: str = ""
