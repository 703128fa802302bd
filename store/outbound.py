"""Jobs in and parts out: add accepted jobs, take what a carrier has room for.

Not here: what answers, receipts and crashes change (progress), notices (outbox), views for people (views).
"""

from dataclasses import dataclass

from sms.lifecycle import State
from sms.message import Alphabet, EncodedText, MailOrigin, PartToSubmit, Priority
from sms.number import MobileNumber, SenderId, parse_sender_id
from sms.report import NoticeKind
from sms.settings import StatusReport, format_setting
from store.database import Row, Transaction
from store.directory import read_version
from store.frozen import freeze_replaced
from store.keys import Keys, to_instant
from store.leases import check_alive
from store.outbox import NOTICES, notice_row
from store.statements import Insert, Update
from store.tables import Job, Message, Part, Seen

FAR = 1 << 62
_URGENCY = {Priority.EXPRESS: 0, Priority.NORMAL: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """One recipient to store; `encoded` is None where it was refused, and then `reason` and `problem` say why."""

    public_id: str
    given: str
    number: MobileNumber | None
    encoded: EncodedText | None
    notify: str = ""
    orcpt: str = ""
    reason: str = ""
    problem: str = ""
    digest: bytes = b""
    route: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """One accepted submission. Instants are microseconds; `settings` and `origins` are frozen JSON (store.frozen).

    `directory_version` is the one its settings were resolved with: the job is not stored if it moved meanwhile.
    """

    public_id: str
    directory_version: int
    customer_key: int
    customer: str
    profile: str
    person: str
    service: str
    reference: str
    accepted_at: int
    due_at: int
    expires_at: int
    report: StatusReport
    settings: str
    origins: str
    mail: MailOrigin | None
    messages: tuple[NewMessage, ...]
    sender: SenderId | None
    priority: Priority
    flash: bool
    receipt_wanted: bool
    notices: tuple[tuple[NoticeKind, str], ...] = ()
    seen_until: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of a new job: stored under `public_id`, or nothing stored since all of it was known already.

    `stale` says that the directory moved: nothing was stored and the job must be resolved again.
    """

    public_id: str
    repeated: bool = False
    stale: bool = False
    skipped: tuple[str, ...] = ()


_JOBS = Insert(
    Job,
    *("key", "public_id", "customer_key", "customer", "profile", "person", "service", "reference", "accepted_at"),
    *("open_messages", "report", "settings", "origins", "from_mail", "reverse_path", "header_from", "mail_id"),
    *("mail_references", "subject", "envid", "ret", "helo", "header", "body", "corrected"),
)
_MESSAGES = Insert(
    Message,
    *("key", "job_key", "seq", "public_id", "given", "number", "notify", "orcpt", "body", "cut", "replaced"),
    *("alphabet", "sender", "state", "reason", "problem", "from_network", "priority", "route", "held", "flash"),
    *("receipt_wanted", "parts", "attempts", "due_at", "expires_at", "watch_at", "counted", "owner", "updated_at"),
)
_PARTS = Insert(
    Part,
    *("key", "message_key", "idx", "total", "body", "udh", "payload", "state", "attempt", "carrier", "carrier_id"),
    "error",
)
_SEEN = Insert(Seen, "digest", "job_key", "until")
_TAKEN_MESSAGES = Update(Message, "owner", "updated_at", also="state = 'submitting', attempts = attempts + 1")
_TAKEN_PARTS = Update(Part, "carrier", also="state = 'submitting', attempt = attempt + 1")
_DUE = (
    "SELECT key, public_id, number, sender, alphabet, priority, flash, receipt_wanted, parts, expires_at FROM message"
    " WHERE state = 'queued' AND route = ? AND priority = ? AND due_at <= ? AND expires_at > ?"
    " ORDER BY due_at, key LIMIT ?"
)
_DUE_LOCKED = _DUE + " FOR UPDATE SKIP LOCKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """A carrier's wish for parts: no more than `most_parts`, from these routes; `now` is in microseconds."""

    carrier: str
    routes: tuple[str, ...]
    most_parts: int
    now: int
    owner: str


class Outbound:
    """The statements of acceptance and dispatch; its methods are batch functions for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def add_jobs(self, tx: Transaction, new_jobs: list[NewJob]) -> list[Added]:
        """Store jobs with their messages, parts, notices and digests; recipients already seen are left out."""
        current = read_version(tx)
        digests = {message.digest for job in new_jobs for message in job.messages if message.digest}
        seen = self._seen(tx, digests)
        rows = _Rows()
        added = []
        for job in new_jobs:
            if job.directory_version != current:
                added.append(Added(public_id="", stale=True))
            else:
                added.append(self._add(job, seen, rows))
        tx.insert(_JOBS, rows.jobs)
        tx.insert(_MESSAGES, rows.messages)
        tx.insert(_PARTS, rows.parts)
        tx.insert(NOTICES, rows.notices)
        tx.insert(_SEEN, rows.seen)
        return added

    def _seen(self, tx: Transaction, digests: set[bytes]) -> dict[bytes, str]:
        if not digests:
            return {}
        query = "SELECT s.digest, j.public_id FROM seen s JOIN job j ON j.key = s.job_key WHERE s.digest IN (??)"
        return {bytes(digest): first for digest, first in tx.rows_in(query, digests)}

    def _add(self, job: NewJob, seen: dict[bytes, str], rows: "_Rows") -> Added:
        fresh = [message for message in job.messages if message.digest not in seen]
        skipped = tuple(message.given for message in job.messages if message.digest in seen)
        if not any(message.encoded for message in fresh) and skipped:
            first = next(seen[message.digest] for message in job.messages if message.digest in seen)
            return Added(public_id=first, repeated=True, skipped=skipped)
        key = self._keys.take()
        mail = job.mail or MailOrigin(reverse_path="")
        open_messages = sum(message.encoded is not None for message in fresh)
        rows.jobs.append(
            (key, job.public_id, job.customer_key, job.customer, job.profile, job.person, job.service, job.reference)
            + (job.accepted_at, open_messages, job.report.value, job.settings, job.origins, job.mail is not None)
            + (
                mail.reverse_path,
                mail.header_from,
                mail.message_id,
                mail.references,
                mail.subject,
                mail.envid,
                mail.ret,
            )
            + (mail.helo, mail.header, mail.body, False)
        )
        for seq, message in enumerate(fresh):
            self._add_message(key, seq, job, message, rows)
            if message.digest:
                seen[message.digest] = job.public_id
                rows.seen.append((message.digest, key, job.seen_until))
        for kind, recipient in job.notices:
            rows.notices.append(notice_row(self._keys.take(), key, kind, recipient, job.accepted_at))
        return Added(public_id=job.public_id, skipped=skipped)

    def _add_message(self, job_key: int, seq: int, job: NewJob, message: NewMessage, rows: "_Rows") -> None:
        key = self._keys.take()
        encoded = message.encoded
        state = State.REJECTED if encoded is None else State.QUEUED
        parts = () if encoded is None else encoded.parts
        rows.messages.append(
            (key, job_key, seq, message.public_id, message.given, message.number.digits if message.number else "")
            + (message.notify, message.orcpt, encoded.text if encoded else "", encoded.cut if encoded else "")
            + (
                freeze_replaced(encoded.replaced) if encoded else "",
                (encoded.alphabet if encoded else Alphabet.GSM7).value,
            )
            + (format_setting(job.sender) if job.sender else "", state.value, message.reason, message.problem, False)
            + (_URGENCY[job.priority], message.route, False, job.flash, job.receipt_wanted, len(parts), 0)
            + (job.due_at, job.expires_at, job.expires_at, encoded is None, "", job.accepted_at)
        )
        for index, part in enumerate(parts, start=1):
            rows.parts.append(
                (self._keys.take(), key, index, len(parts), part.text, part.udh, part.payload, State.QUEUED.value)
                + (0, "", "", "")
            )

    def take(self, tx: Transaction, takes: list[Take]) -> list[list[PartToSubmit]]:
        """Return parts for each carrier and mark them `submitting`: committed before a byte goes out.

        Express first, then by due time; whole messages, except where the first alone has more parts than there is room.
        Raises LeaseLostError for an owner that was declared dead.
        """
        check_alive(tx, (take.owner for take in takes))
        return [self._take(tx, take) for take in takes]

    def _take(self, tx: Transaction, take: Take) -> list[PartToSubmit]:
        taken: list[PartToSubmit] = []
        for urgency in (0, 1):
            for route in take.routes:
                room = take.most_parts - len(taken)
                if room <= 0:
                    return taken
                taken += self._take_from(tx, take, route, urgency, room, allow_partial=not taken)
        return taken

    def _take_from(  # noqa: PLR0913 - one private step of `_take`, split for reading
        self, tx: Transaction, take: Take, route: str, urgency: int, room: int, *, allow_partial: bool
    ) -> list[PartToSubmit]:
        messages = tx.rows(_DUE_LOCKED if tx.postgresql else _DUE, (route, urgency, take.now, take.now, room))
        parts_of: dict[int, list[tuple[int, int, int, bytes, bytes]]] = {}
        for key, message_key, index, total, udh, payload in tx.rows_in(
            "SELECT key, message_key, idx, total, udh, payload FROM part"
            " WHERE message_key IN (??) AND state = 'queued' ORDER BY message_key, idx",
            (row[0] for row in messages),
        ):
            parts_of.setdefault(message_key, []).append((key, index, total, bytes(udh), bytes(payload)))
        taken: list[PartToSubmit] = []
        message_keys = []
        for row in messages:
            parts = parts_of.get(row[0], [])
            if len(taken) + len(parts) > room:
                if taken or not allow_partial:
                    break
                parts = parts[:room]
            message_keys.append((take.owner, take.now, row[0]))
            taken += [_part_to_submit(row, part) for part in parts]
        tx.update(_TAKEN_MESSAGES, message_keys)
        tx.update(_TAKEN_PARTS, [(take.carrier, part.part_key) for part in taken])
        return taken

    def forget_seen(self, tx: Transaction, nows: list[int]) -> list[int]:
        """Delete up to 5,000 digests whose time has ended; returns how many."""
        return [
            tx.execute("DELETE FROM seen WHERE digest IN (SELECT digest FROM seen WHERE until <= ? LIMIT 5000)", (now,))
            for now in nows
        ]


class _Rows:
    """Rows of one batch, by table."""

    def __init__(self) -> None:
        self.jobs: list[Row] = []
        self.messages: list[Row] = []
        self.parts: list[Row] = []
        self.notices: list[Row] = []
        self.seen: list[Row] = []


def _part_to_submit(row: Row, part: tuple[int, int, int, bytes, bytes]) -> PartToSubmit:
    key, public_id, number, sender, alphabet, urgency, flash, receipt_wanted, _, expires_at = row
    part_key, index, total, udh, payload = part
    return PartToSubmit(
        part_key=part_key,
        message_key=key,
        message_id=public_id,
        number=MobileNumber(digits=number),
        sender=parse_sender_id(sender) if sender else None,
        alphabet=Alphabet(alphabet),
        udh=udh,
        payload=payload,
        index=index,
        total=total,
        reference=_reference(udh),
        priority=Priority.NORMAL if urgency else Priority.EXPRESS,
        flash=bool(flash),
        receipt_wanted=bool(receipt_wanted),
        expires_at=to_instant(expires_at),
    )


def _reference(udh: bytes) -> int:
    """Return the concatenation reference that a UDH holds, 0 for none (3GPP TS 23.040 §9.2.3.24.1, §9.2.3.24.8)."""
    if udh[:3] == b"\x05\x00\x03":
        return udh[3]
    if udh[:3] == b"\x06\x08\x04":
        return udh[3] << 8 | udh[4]
    return 0
