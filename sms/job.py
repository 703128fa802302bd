"""An accepted job: everything that is decided before it is stored.

The store gives the public ids and the reference numbers of parts. Not here: the decisions (gateway.plan).
"""

from datetime import datetime

from msgspec import Struct

from sms.esme import EsmeRequest
from sms.lifecycle import MessageState
from sms.message import EncodedText, MailOrigin, Priority
from sms.number import MobileNumber, SenderId
from sms.parameters import Parameters
from sms.report import Addressee, Findings, NoticeKind
from sms.schedule import Blackout, Schedule
from sms.sender_rate import SenderRate
from sms.settings import StatusChannel, StatusReport
from sms.usage import UsageClaim


class NewMessage(Struct, frozen=True, kw_only=True):
    """One recipient to store; `encoded` is None if it was refused; then `reason` and `problem` say why.

    `digest` identifies a repeat, `duplicate` the same text to the same number, if that is to be detected. `sender_id`
    stands in place of the job's. `parameters` are what its carrier gets beside the text. `country` is that of the
    number, ISO 3166-1 alpha-2 or empty. `reference` is what its customer calls it; its `schedule`, if it has
    one, stands in place of the job's. `findings` are what rules of its country did. Its sender ID sends no faster than
    its `rate`.
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
    country: str = ""
    sender_id: SenderId | None = None
    parameters: Parameters = ()
    reference: str = ""
    schedule: Schedule | None = None
    findings: Findings = ()
    rate: SenderRate | None = None


class FirstUse(Struct, frozen=True, kw_only=True):
    """The keys by which the first use of a signed mail binds to whom it may go again (mta.verify.replay).

    `marker` tells that it was used; `recipients` are those of this submission, `named` further ones. A request that its
    client named is sent `once`: of it `marker` is the name, and its one recipient's key stands for the whole content.
    """

    marker: bytes
    recipients: tuple[bytes, ...]
    named: tuple[bytes, ...] = ()
    once: bool = False


class NewJob(Struct, frozen=True, kw_only=True):
    """One accepted submission. `settings` and `origins` are JSON (sms.serialise).

    `directory_version` is that of its settings: the job is not stored if the version has changed. A dry run is stored
    as ended: its messages are cancelled and never due. Its digests are kept until `seen_until`, its duplicates until
    `duplicate_until`. `stop_listed` says that its customer has, or had, a stop list, which does not hold back a job
    that is `past_stop`. `proof` is the kind of what proved its sender, with its `evidence`; `service_by` is what named
    its service. `late_notices` are given where the rate of a sender ID puts off some SMS for long. `ignored_options`
    stood in the subject and did nothing. Not stored is what its `first_use` bound to others. `usage` are the limits
    that bind it. `unanswerable` says why no answer to `sender` comes back (addressbook.numbers), empty where one does.
    `login` gave it in where it came by no mail; `status_address` is where its status is mailed, empty for nowhere.
    `esme` is set where an ESME submitted it. A job of the `sandbox` is given to no carrier. At its `push_states` each
    message is pushed by itself.
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
    late_notices: tuple[tuple[NoticeKind, Addressee], ...] = ()
    channel: StatusChannel = StatusChannel.MAIL
    push_url: str = ""
    push_states: tuple[MessageState, ...] = ()
    blackouts: tuple[Blackout, ...] = ()
    dry_run: bool = False
    sandbox: bool = False
    stop_listed: bool = False
    past_stop: bool = False
    unanswerable: str = ""
    ignored_options: tuple[str, ...] = ()
    usage: tuple[UsageClaim, ...] = ()
    proof: str = ""
    evidence: str = ""
    service_by: str = ""
    first_use: FirstUse | None = None
    login: str = ""
    status_address: str = ""
    esme: EsmeRequest | None = None
    cost_centre: str = ""
