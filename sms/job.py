"""A job as it is accepted: everything that is decided before it is stored, so that nothing of it is asked again.

Its public ids and the numbers of its parts are the store's. Not here: how it is decided (gateway.plan).
"""

from dataclasses import dataclass
from datetime import datetime

from sms.message import EncodedText, MailOrigin, Priority
from sms.number import MobileNumber, SenderId
from sms.report import Addressee, NoticeKind
from sms.schedule import Blackout
from sms.settings import StatusChannel, StatusReport


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """One recipient to store; `encoded` is None where it was refused, and then `reason` and `problem` say why.

    `digest` makes a repeat known, `duplicate` the same text to the same number, where that is to be detected.
    """

    given: str
    number: MobileNumber | None
    encoded: EncodedText | None
    notify: str = ""
    orcpt: str = ""
    reason: str = ""
    problem: str = ""
    digest: bytes = b""
    duplicate: bytes = b""
    route: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """One accepted submission. `settings` and `origins` are JSON (sms.serialise).

    `directory_version` is the one its settings were resolved with: the job is not stored if it moved meanwhile.
    A dry run is stored ended: its messages are cancelled and never due. Its digests are known until `seen_until`, its
    duplicates until `duplicate_until`.
    """

    directory_version: int
    customer_key: int
    customer: str
    profile: str
    user_address: str
    service: str
    reference: str
    accepted_at: datetime
    due_at: datetime
    expires_at: datetime
    report: StatusReport
    settings: str
    origins: str
    mail: MailOrigin | None
    messages: tuple[NewMessage, ...]
    sender: SenderId | None
    priority: Priority
    flash: bool
    receipt_wanted: bool
    seen_until: datetime
    duplicate_until: datetime
    notices: tuple[tuple[NoticeKind, Addressee], ...] = ()
    channel: StatusChannel = StatusChannel.MAIL
    push_url: str = ""
    blackouts: tuple[Blackout, ...] = ()
    dry_run: bool = False
