"""What is told of an inbound SMS: one frozen view for mails, pushes, lists and the command line.

Not here: how it looks (templates, mta.sending), how it is read (store.inbound_views).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TurnDirection(StrEnum):
    """Whose words they are: the handset's or ours."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """One earlier SMS of a conversation; `by` is the address of who sent it from here, `state` a message's.

    `name` is the public id of the SMS that came, or of the job of one that went; `key` is that of its row.
    """

    direction: TurnDirection
    at: datetime
    text: str
    by: str = ""
    state: str = ""
    key: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundReport:
    """Everything about one inbound SMS that was routed to a customer.

    `phone` and `own_number` are digits (E.164 without plus), or a name. `text` is without a shared number's prefix.
    `missing` are the places of fragments, of `total`, that did not come in time. `is_late`: the text is such a
    fragment, which belongs to `late_of`. `earlier` is what was exchanged before, newest first.
    """

    key: int
    public_id: str
    customer_key: int
    customer: str
    carrier: str
    phone: str
    own_number: str
    text: str
    keyword: str
    received_at: datetime
    total: int
    missing: tuple[int, ...]
    is_late: bool
    conversation_key: int | None
    late_of: Exchanged | None = None
    earlier: tuple[Exchanged, ...] = ()
