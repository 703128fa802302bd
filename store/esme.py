"""SMS that ESMEs submitted: their receipts as rows of the outbox, what is asked about them later, and what got too old.

An ESME knows a job by its key. Rows wait for a login that is not bound for two days, up to a number of them. Not here:
the loop that sends them (gateway.outbox), how a receipt is written (smpp.server).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from sms.esme import INTERMEDIATE, EsmeOrigin, EsmeReceipt, EsmeRequest, receipt_state
from sms.lifecycle import MessageState
from sms.message import Alphabet, EncodedText, ReceiptState
from sms.outbox import OutboxEvent
from sms.report import Channel, Findings, worth_of_receipts
from sms.schedule import Schedule
from sms.sender_rate import SenderRate
from store.engine.database import Row, Transaction
from store.engine.keys import Keys, to_instant
from store.engine.rows import query
from store.outbox import NewRow, TakenRow, change, new_row
from store.rulings import RULINGS, read_findings, ruling_row
from store.serialise import freeze_replaced, schedule_columns
from store.usage import UsageLedger

ESME_RECEIPT: Final = "esme-receipt"
KEPT: Final = timedelta(hours=48)
MOST_KEPT: Final = 25_000
"""Receipts and inbound SMS that wait for one login; beyond them the oldest are dropped."""
_DROPPED_AT_ONCE = 1_000


class ToldSms(NamedTuple):
    """An SMS of which an ESME is told; `at` is when it came to its state, in microseconds."""

    key: int
    registered: int
    state: MessageState
    ended: bool
    reason: str
    error: str
    parts: int
    delivered: int
    at: int


class _Facts(Struct, frozen=True, array_like=True):
    """What a receipt says of a message beside its state."""

    key: int
    job_key: int
    customer_key: int
    login: str
    esme: str
    given: str
    beginning: str
    accepted_at: int
    ruling: str


_FACTS = query(
    _Facts,
    "FROM message m JOIN job j ON j.key = m.job_key WHERE m.key IN (??)",
    "m",
    customer_key="j.customer_key",
    login="j.login",
    esme="j.esme",
    beginning="substr(m.body, 1, 20)",
    accepted_at="j.accepted_at",
)


def freeze_origin(request: EsmeRequest | None) -> str:
    """Return what receipts need of a submit as JSON; empty for a job of another interface."""
    return msgspec.json.encode(request.origin).decode() if request is not None else ""


def receipt_rows(tx: Transaction, keys: Keys, told: Sequence[ToldSms], now: int) -> list[Row]:
    """Return the rows of receipts for these SMS; `now` is in microseconds."""
    facts = {item.key: item for item in tx.select_in(_Facts, _FACTS, [sms.key for sms in told])}
    found = read_findings(tx, [item.ruling for item in facts.values()])
    worth = {ruling: worth_of_receipts(findings) for ruling, (_, findings) in found.items()}
    return [
        _receipt_row(keys.take(), facts[sms.key], sms, worth.get(facts[sms.key].ruling, ""), now)
        for sms in told
        if sms.key in facts
    ]


def _receipt_row(key: int, facts: _Facts, sms: ToldSms, worth: str, now: int) -> Row:
    return new_row(
        key,
        NewRow(
            kind=ESME_RECEIPT,
            prefix="R",
            channel=Channel.SMPP,
            recipient=facts.login,
            now=now,
            customer_key=facts.customer_key,
            # What is on the way must not overtake the end.
            sequence=f"esme {sms.key}" if sms.registered & INTERMEDIATE else "",
            about={
                "id": str(facts.job_key),
                "to": facts.given,
                "origin": facts.esme,
                "state": receipt_state(sms.state, ended=sms.ended).value,
                "intermediate": int(not sms.ended),
                "error": sms.error,
                "reason": sms.reason,
                "parts": sms.parts,
                "delivered": sms.delivered,
                "text": facts.beginning,
                "submitted_at": facts.accepted_at,
                "done_at": sms.at,
                **({"worth": worth} if worth else {}),
            },
        ),
    )


def open_receipt(taken: TakenRow) -> EsmeReceipt:
    """Return the receipt of a row."""
    about = json.loads(taken.about)
    return EsmeReceipt(
        identity=taken.public_id,
        login=taken.recipient,
        message_id=about["id"],
        recipient=about["to"],
        origin=msgspec.json.decode(about["origin"], type=EsmeOrigin),
        state=ReceiptState(about["state"]),
        intermediate=bool(about["intermediate"]),
        error=about["error"],
        reason=about["reason"],
        parts=about["parts"],
        delivered=about["delivered"],
        text=about["text"],
        submitted_at=to_instant(about["submitted_at"]),
        done_at=to_instant(about["done_at"]),
        worth=about.get("worth", ""),
    )


def count_waiting(tx: Transaction, logins: Collection[str]) -> Mapping[str, int]:
    """Return how many receipts and inbound SMS wait for each of these logins; one without any is absent."""
    return dict(tx.rows_in(_WAITING, logins))


_WAITING = (
    "SELECT destination, count(*) FROM outbox WHERE state = 'queued' AND channel = 'smpp' AND destination IN (??)"
    " GROUP BY destination"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropWaiting:
    """A request to drop what waits for ESMEs longer than `before` (microseconds), or beyond `most` for one login."""

    before: int
    now: int
    most: int = MOST_KEPT


def drop_waiting(tx: Transaction, requests: list[DropWaiting]) -> list[Mapping[str, int]]:
    """Drop up to a thousand rows; returns how many by login."""
    return [_drop_waiting(tx, request) for request in requests]


def _drop_waiting(tx: Transaction, request: DropWaiting) -> Mapping[str, int]:
    rows = tx.rows(_OLD, (request.before, _DROPPED_AT_ONCE))
    for login, count in tx.rows(_CROWDED, (request.most,)):
        rows += tx.rows(_OLDEST, (login, min(count - request.most, _DROPPED_AT_ONCE)))
    logins: dict[int, str] = dict(rows)
    change(tx, OutboxEvent.DROP, list(logins), ended_at=request.now)
    counts: dict[str, int] = {}
    for login in logins.values():
        counts[login] = counts.get(login, 0) + 1
    return counts


_OLD = (
    "SELECT key, recipient FROM outbox WHERE state = 'queued' AND channel = 'smpp' AND created_at < ?"
    " ORDER BY due_at, key LIMIT ?"
)
_CROWDED = (
    "SELECT destination, count(*) FROM outbox WHERE state = 'queued' AND channel = 'smpp'"
    " GROUP BY destination HAVING count(*) > ?"
)
_OLDEST = (
    "SELECT key, recipient FROM outbox WHERE state = 'queued' AND channel = 'smpp' AND destination = ?"
    " ORDER BY key LIMIT ?"
)


class EarlierMessage(Struct, frozen=True, array_like=True):
    """One SMS of a submit, as query_sm, cancel_sm and replace_sm find it; `begun`: a carrier was offered it."""

    key: int
    job_key: int
    job_id: str
    number: str
    state: MessageState
    ended: bool
    alphabet: Alphabet
    part_count: int
    reason: str
    error: str | None
    updated_at: int
    due_at: int
    expires_at: int
    esme: str
    begun: bool

    @property
    def origin(self) -> EsmeOrigin:
        """What its submit was like."""
        return msgspec.json.decode(self.esme, type=EsmeOrigin)


_COLUMNS = {
    "job_id": "j.public_id",
    "error": "(SELECT max(p.error) FROM part p WHERE p.message_key = m.key)",
    "esme": "j.esme",
    "begun": "(SELECT 1 FROM part p WHERE p.message_key = m.key LIMIT 1) IS NOT NULL",
}
_OF_LOGIN = " AND j.customer_key = ? AND j.login = ? AND j.esme <> '' ORDER BY m.key"
_OF_JOB = query(
    EarlierMessage,
    "FROM message m JOIN job j ON j.key = m.job_key WHERE m.job_key = ?" + _OF_LOGIN,
    "m",
    **_COLUMNS,
)
_TO_NUMBER = query(
    EarlierMessage,
    "FROM message m JOIN job j ON j.key = m.job_key WHERE m.number = ? AND NOT m.ended" + _OF_LOGIN,
    "m",
    **_COLUMNS,
)


def find_submitted(tx: Transaction, job_key: int, customer_key: int, login: str) -> list[EarlierMessage]:
    """Return the SMS of a submit of this login, none where there is no such submit."""
    return tx.select(EarlierMessage, _OF_JOB, (job_key, customer_key, login))


def find_open_to(tx: Transaction, number: str, customer_key: int, login: str) -> list[EarlierMessage]:
    """Return the SMS to a number that this login submitted and that have not ended."""
    return tx.select(EarlierMessage, _TO_NUMBER, (number, customer_key, login))


class _Submitted(Struct, frozen=True, array_like=True):
    """What was decided about a message when it was accepted; `settings` are JSON, `accepted_at` is microseconds."""

    sender: str
    route: str
    ruling: str
    settings: str
    accepted_at: int


_SUBMITTED = query(
    _Submitted,
    "FROM message m JOIN job j ON j.key = m.job_key WHERE m.key = ?",
    "m",
    settings="j.settings",
    accepted_at="j.accepted_at",
)


class SubmittedText(NamedTuple):
    """What the text of an SMS was judged by when it was accepted, and what rules of its country did to it.

    `settings` are JSON, `sender` is the sender ID as settings have it, `accepted_at` is microseconds.
    """

    sender: str
    route: str
    settings: str
    accepted_at: int
    findings: Findings


def find_submitted_text(tx: Transaction, key: int) -> SubmittedText | None:
    """Return what the text of a message was judged by, None where there is no such message any more."""
    found = tx.select(_Submitted, _SUBMITTED, (key,))
    if not found:
        return None
    (one,) = found
    _, findings = read_findings(tx, [one.ruling]).get(one.ruling, ("", ()))
    return SubmittedText(one.sender, one.route, one.settings, one.accepted_at, findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacing:
    """Another text of one part for an SMS that no carrier was offered yet.

    `schedule` is None where it goes out when it would have; else it keeps to the `rate` of its sender ID from then.
    `findings` are what rules of its `country` do to it; `accepted_at` is when its job was accepted, in microseconds.
    """

    key: int
    encoded: EncodedText
    schedule: Schedule | None
    rate: SenderRate | None
    country: str
    findings: Findings
    accepted_at: int
    registered: int
    receipt_wanted: bool


def replace_texts(tx: Transaction, requests: list[Replacing]) -> list[bool]:
    """Replace texts; returns for each whether it still waited untouched."""
    return [_replace_text(tx, request) for request in requests]


def _replace_text(tx: Transaction, new: Replacing) -> bool:
    encoded, findings = new.encoded, new.findings
    values: dict[str, object] = {
        "body": encoded.text,
        "alphabet": encoded.alphabet.value,
        "cut": encoded.cut,
        "replaced": freeze_replaced(encoded.replaced),
        "locking_shift": encoded.shifts.locking,
        "single_shift": encoded.shifts.single,
        "udh": "",
        "registered": new.registered,
        "receipt_wanted": new.receipt_wanted,
    }
    if not tx.rows(_WAITS, (new.key,)):
        return False
    if new.schedule is not None:
        schedule = new.schedule
        if new.rate is not None:
            usage = UsageLedger(tx, (), [new.rate])
            schedule = usage.take_turn(new.rate, len(encoded.lengths), schedule)
            usage.write()
        if schedule != new.schedule and new.rate is not None:
            findings = (*findings, ("rate", "delayed", new.rate.rule))
        values |= schedule_columns(schedule)
    values["ruling"] = _keep_ruling(tx, new, findings)
    marks = ", ".join(f"{name} = ?" for name in values)
    tx.execute(f"UPDATE message SET {marks} WHERE key = ?", (*values.values(), new.key))  # noqa: S608 - names above
    return True


def _keep_ruling(tx: Transaction, new: Replacing, findings: Findings) -> str:
    """Keep what the rules of a message's country did, and return its digest; empty where they did nothing."""
    if not findings:
        return ""
    digest, row = ruling_row(new.country, findings, to_instant(new.accepted_at))
    tx.insert(RULINGS, [row])
    return digest


_WAITS = (
    "SELECT key FROM message WHERE key = ? AND state = 'queued' AND NOT ended AND attempts = 0 AND part_count = 1"
    " FOR UPDATE"
)
