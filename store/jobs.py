"""Jobs in and parts out: add accepted jobs, take what a carrier has room for.

Not here: what answers, receipts and crashes change (progress), notices (outbox), views for people (views).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sms.job import NewJob, NewMessage
from sms.lifecycle import MessageState
from sms.message import Alphabet, MailOrigin, PartToSubmit, Priority
from sms.number import MobileNumber, SenderId, parse_sender_id
from sms.outcome import Refusal
from sms.parts import count_up
from sms.settings import format_setting
from store.directory import read_version
from store.engine.database import Row, Transaction
from store.engine.keys import Keys, PublicIds, to_indexed, to_instant, to_stored
from store.engine.statements import Insert, Update
from store.leases import check_alive
from store.outbox import OUTBOX, notice_row
from store.references import count_references, forget_references
from store.serialise import end_of_blackout, freeze_blackouts, freeze_replaced
from store.tables import JobRow, MessageRow, PartRow, SeenRow

# Held rows are due so much later.
FAR = 1 << 62
_LOOK_FURTHER = 500
_URGENCY = {Priority.EXPRESS: 0, Priority.NORMAL: 1}
_ALPHABETS = {alphabet.value: alphabet for alphabet in Alphabet}


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of a new job: stored under `public_id`, or nothing stored since all of it was known already.

    `stale` says that the directory moved: nothing was stored and the job must be resolved again. `duplicate` says that
    the job named by `public_id` sent the same texts to the same numbers a short time ago, and nothing was stored.
    """

    public_id: str
    repeated: bool = False
    duplicate: bool = False
    stale: bool = False
    skipped: tuple[str, ...] = ()


_JOBS = Insert(
    JobRow,
    *("key", "public_id", "customer_key", "customer", "profile", "user_address", "service", "reference", "accepted_at"),
    *("open_messages", "report", "settings", "origins", "from_mail", "reverse_path", "header_from", "mail_id"),
    *("mail_references", "subject", "envid", "ret", "helo", "header", "body", "corrected", "settled_at"),
    *("channel", "push_url"),
)
_MESSAGES = Insert(
    MessageRow,
    *("key", "job_key", "seq", "public_id", "given", "number", "notify", "orcpt", "body", "cut", "replaced"),
    *("alphabet", "sender", "state", "reason", "problem", "from_network", "priority", "route", "held", "flash"),
    *("receipt_wanted", "parts", "attempts", "due_at", "expires_at", "watch_at", "ended", "owner", "updated_at"),
    *("blackouts", "throttled", "id_missing"),
)
_PARTS = Insert(
    PartRow,
    *("key", "message_key", "idx", "total", "body", "udh", "payload", "state", "attempt", "carrier", "carrier_id"),
    *("error", "cost_label", "resends"),
)
_SEEN = Insert(SeenRow, "digest", "job_key", "until")
_TAKEN_MESSAGES = Update(MessageRow, "owner", "updated_at", also="state = 'submitting', attempts = attempts + 1")
_TAKEN_PARTS = Update(PartRow, "carrier", "cost_label", also="state = 'submitting', attempt = attempt + 1")
_POSTPONED = Update(MessageRow, "due_at")
_DUE = (
    "SELECT key, public_id, number, sender, alphabet, priority, flash, receipt_wanted, expires_at, blackouts"
    " FROM message"
    " WHERE state = 'queued' AND route = ? AND priority = ? AND due_at <= ? AND expires_at > ?"
    " ORDER BY due_at, key LIMIT ? FOR UPDATE SKIP LOCKED"
)
# One query, since each waits for its answer; always a row, whose digest is null where none was seen.
_VERSION_AND_SEEN = (
    "SELECT (SELECT value FROM meta WHERE name = 'directory_version'), s.digest, s.until, j.public_id"
    " FROM (SELECT 1) AS one LEFT JOIN seen s ON s.digest IN (??) LEFT JOIN job j ON j.key = s.job_key"
)
# Not ordered: see store.message_update.
_QUEUED_PARTS = (
    "SELECT message_key, idx, key, total, udh, payload FROM part WHERE message_key IN (??) AND state = 'queued'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """A carrier's request for parts: no more than `most_parts`, from these routes; `now` is in microseconds.

    `cost_label` is what the operator's file says of the carrier's cost, and is kept with each part that it takes.
    `whole_texts` says that it splits texts itself: a text of which nobody has a part yet is given as one part.
    """

    carrier: str
    routes: tuple[str, ...]
    most_parts: int
    now: int
    owner: str
    cost_label: str = ""
    whole_texts: bool = False


class Outbound:
    """The statements of acceptance and dispatch; its methods are batch functions for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._ids = PublicIds()

    def add_jobs(self, tx: Transaction, new_jobs: list[NewJob]) -> list[Added]:
        """Store jobs with their messages, parts, notices and digests; recipients already seen are left out."""
        digests = {
            digest
            for job in new_jobs
            for message in job.messages
            for digest in (message.digest, message.duplicate)
            if digest
        }
        now = to_stored(max(job.accepted_at for job in new_jobs))
        current, seen = self._version_and_seen(tx, digests, now)
        long = [
            message.number.digits
            for job in new_jobs
            for message in job.messages
            if message.number and message.encoded and len(message.encoded.parts) > 1
        ]
        rows = _Rows(references=count_references(tx, long, now))
        added = []
        for job in new_jobs:
            if job.directory_version != current:
                added.append(Added(public_id="", stale=True))
            else:
                added.append(self._add(job, seen, rows))
        tx.insert(_JOBS, rows.jobs)
        tx.insert(_MESSAGES, rows.messages)
        tx.insert(_PARTS, rows.parts)
        tx.insert(OUTBOX, rows.notices)
        tx.insert(_SEEN, rows.seen)
        return added

    def _version_and_seen(self, tx: Transaction, digests: set[bytes], now: int) -> tuple[int, dict[bytes, str]]:
        """Return the directory's version, and the public id of the first job of each digest.

        A digest whose time has ended is forgotten here.
        """
        if not digests:
            return read_version(tx), {}
        rows = tx.rows_in(_VERSION_AND_SEEN, digests)
        found = [(bytes(digest), until, first) for _, digest, until, first in rows if digest is not None]
        over = sorted({digest for digest, until, _ in found if until <= now})
        tx.execute_many("DELETE FROM seen WHERE digest = ?", [(digest,) for digest in over])
        return int(rows[0][0] or 0), {digest: first for digest, until, first in found if until > now}

    def _add(self, job: NewJob, seen: dict[bytes, str], rows: "_Rows") -> Added:
        fresh = [message for message in job.messages if message.digest not in seen]
        skipped = tuple(message.given for message in job.messages if message.digest in seen)
        if not any(message.encoded for message in fresh) and skipped:
            first = next(seen[message.digest] for message in job.messages if message.digest in seen)
            return Added(public_id=first, repeated=True, skipped=skipped)
        first = next((seen[message.duplicate] for message in fresh if message.duplicate in seen), "")
        if first:
            fresh = [_refuse_duplicate(message, seen) for message in fresh]
            if not any(message.encoded for message in fresh):
                return Added(public_id=first, duplicate=True)
        key, public_id, accepted_at = (
            self._keys.take(),
            self._ids.take("J", job.accepted_at),
            to_stored(job.accepted_at),
        )
        mail = job.mail or MailOrigin(reverse_path="")
        open_messages = 0 if job.dry_run else sum(message.encoded is not None for message in fresh)
        rows.jobs.append(
            (key, public_id, job.customer_key, job.customer, job.profile, job.user_address, job.service, job.reference)
            + (accepted_at, open_messages, job.report.value, job.settings, job.origins, job.mail is not None)
            + (
                mail.reverse_path,
                mail.header_from,
                to_indexed(mail.message_id),
                mail.references,
                mail.subject,
                mail.envid,
                mail.ret,
            )
            + (mail.helo, mail.header, mail.body, False, accepted_at if job.dry_run else None)
            + (job.channel.value, job.push_url)
        )
        for seq, message in enumerate(fresh):
            self._add_message(key, seq, job, message, rows)
            if message.digest:
                seen[message.digest] = public_id
                rows.seen.append((message.digest, key, to_stored(job.seen_until)))
            if message.duplicate and message.encoded is not None:
                seen[message.duplicate] = public_id
                rows.seen.append((message.duplicate, key, to_stored(job.duplicate_until)))
        for kind, way in job.notices:
            rows.notices.append(notice_row(self._keys.take(), key, kind, way, accepted_at))
        return Added(public_id=public_id, skipped=skipped)

    def _add_message(self, job_key: int, seq: int, job: NewJob, message: NewMessage, rows: "_Rows") -> None:
        key = self._keys.take()
        encoded = message.encoded
        if encoded and message.number and len(encoded.parts) > 1:
            encoded = count_up(encoded, next(rows.references[message.number.digits]))
        waiting = MessageState.CANCELLED if job.dry_run else MessageState.QUEUED
        state = MessageState.REJECTED if encoded is None else waiting
        parts = () if encoded is None else encoded.parts
        identity, expires_at = self._ids.take("S", job.accepted_at), to_stored(job.expires_at)
        rows.messages.append(
            (
                key,
                job_key,
                seq,
                identity,
                message.given,
                message.number.digits if message.number else "",
            )
            + (message.notify, message.orcpt, encoded.text if encoded else "", encoded.cut if encoded else "")
            + (
                freeze_replaced(encoded.replaced) if encoded else "",
                (encoded.alphabet if encoded else Alphabet.GSM7).value,
            )
            + (format_setting(job.sender) if job.sender else "", state.value, message.reason, message.problem, False)
            + (_URGENCY[job.priority], message.route, False, job.flash, job.receipt_wanted, len(parts), 0)
            + (to_stored(job.due_at), expires_at, expires_at, state is not MessageState.QUEUED, "")
            + (to_stored(job.accepted_at), freeze_blackouts(job.blackouts), 0, False)
        )
        for index, part in enumerate(parts, start=1):
            rows.parts.append(
                (self._keys.take(), key, index, len(parts), part.text, part.udh, part.payload, waiting.value)
                + (0, "", "", "", "", 0)
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
        messages = self._due(tx, take, route, urgency, room)
        parts_of: dict[int, list[_Part]] = {}
        for message_key, index, key, total, udh, payload in sorted(
            tx.rows_in(_QUEUED_PARTS, [row[0] for row in messages])
        ):
            parts_of.setdefault(message_key, []).append((key, index, total, bytes(udh), bytes(payload)))
        taken: list[PartToSubmit] = []
        message_keys: list[Row] = []
        part_keys: list[Row] = []
        senders: dict[str, SenderId | None] = {"": None}
        for row in messages:
            parts = parts_of.get(row[0], [])
            offered = [_join(parts)] if take.whole_texts and _is_whole(parts) else parts
            if len(taken) + len(offered) > room:
                if taken or not allow_partial:
                    break
                parts = offered = parts[:room]
            part_keys += [(take.carrier, take.cost_label, key) for key, *_ in parts]
            message_keys.append((take.owner, take.now, row[0]))
            if row[3] not in senders:
                senders[row[3]] = parse_sender_id(row[3])
            taken += _parts_to_submit(row, senders[row[3]], offered)
        tx.update(_TAKEN_MESSAGES, message_keys)
        tx.update(_TAKEN_PARTS, part_keys)
        return taken

    def _due(self, tx: Transaction, take: Take, route: str, urgency: int, room: int) -> list[Row]:
        """Return messages that may go out now; those in a blackout are put off to its end, and others looked for."""
        while True:
            messages = tx.rows(_DUE, (route, urgency, take.now, take.now, room))
            ends = [(row[-1] and end_of_blackout(row[-1], take.now), row[0]) for row in messages]
            postponed = [(end, key) for end, key in ends if end]
            if not postponed:
                return messages
            tx.update(_POSTPONED, postponed)
            room = max(room, _LOOK_FURTHER)

    def forget_digests(self, tx: Transaction, digests: list[tuple[bytes, ...]]) -> list[None]:
        """Delete digests before their time has ended."""
        tx.execute_many("DELETE FROM seen WHERE digest = ?", sorted({(digest,) for some in digests for digest in some}))
        return [None] * len(digests)

    def forget_seen(self, tx: Transaction, nows: list[int]) -> list[int]:
        """Delete up to 5,000 digests and as many references whose time has ended; returns how many."""
        return [
            tx.execute("DELETE FROM seen WHERE digest IN (SELECT digest FROM seen WHERE until <= ? LIMIT 5000)", (now,))
            + forget_references(tx, now)
            for now in nows
        ]


def _refuse_duplicate(message: NewMessage, seen: Mapping[bytes, str]) -> NewMessage:
    first = seen.get(message.duplicate, "") if message.duplicate and message.encoded is not None else ""
    if not first:
        return message
    problem = f"The same text went to this number a short time ago in job {first}."
    return replace(message, encoded=None, reason=Refusal.DUPLICATE.value, problem=problem)


class _Rows:
    """Rows of one batch, by table; `references` are those that its long texts get, by number."""

    def __init__(self, *, references: Mapping[str, Iterator[int]]) -> None:
        self.references = references
        self.jobs: list[Row] = []
        self.messages: list[Row] = []
        self.parts: list[Row] = []
        self.notices: list[Row] = []
        self.seen: list[Row] = []


# The key, index, total, header and payload of a part.
_Part = tuple[int, int, int, bytes, bytes]


def _is_whole(parts: Sequence[_Part]) -> bool:
    return len(parts) > 1 and len(parts) == parts[0][2]


def _join(parts: Sequence[_Part]) -> _Part:
    """Return all parts of a text as one without header."""
    key, index, total, *_ = parts[0]
    return key, index, total, b"", b"".join([payload for *_, payload in parts])


def _parts_to_submit(row: Row, sender: SenderId | None, parts: Sequence[_Part]) -> list[PartToSubmit]:
    key, public_id, digits, _, alphabet, urgency, flash, receipt_wanted, expires_at, _ = row
    number = MobileNumber(digits=digits)
    instant = to_instant(expires_at)
    return [
        PartToSubmit(
            part_key=part_key,
            message_key=key,
            message_id=public_id,
            number=number,
            sender=sender,
            alphabet=_ALPHABETS[alphabet],
            udh=udh,
            payload=payload,
            index=index,
            total=total,
            reference=_reference(udh),
            priority=Priority.NORMAL if urgency else Priority.EXPRESS,
            flash=bool(flash),
            receipt_wanted=bool(receipt_wanted),
            expires_at=instant,
        )
        for part_key, index, total, udh, payload in parts
    ]


def _reference(udh: bytes) -> int:
    """Return the concatenation reference that a UDH holds, 0 for none (3GPP TS 23.040 §9.2.3.24.1, §9.2.3.24.8)."""
    if udh[:3] == b"\x05\x00\x03":
        return udh[3]
    if udh[:3] == b"\x06\x08\x04":
        return udh[3] << 8 | udh[4]
    return 0


def when_due(stored: int) -> int:
    """Return when a message is due, or would be if it were not held, in microseconds."""
    return stored - FAR if stored >= FAR else stored
