"""What would become of something that is to be sent, whatever door it came by, in the public shape of «explain».

docs/explain.md describes the shape, which has a version. A door adds what only it knows, and the words of its refusals.
Not here: deciding (gateway.plan), the text for people (cli.explained_text).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from addressbook.hierarchy import Resolved
from addressbook.senders import Principal
from countries.book import RuleBook
from gateway.admin.limits import limit_row
from gateway.applications import ApplicationJob, Applications
from gateway.directory import DirectoryFollower
from gateway.explained_rules import explain_rules
from gateway.planned import JobPlan, PlannedMessage
from gateway.ports import Clock
from gateway.scheduling import keep_rates, rates_of
from gateway.usage_claims import claims_of, refuse
from sms.alphabet import find_strange, what_became
from sms.message import Alphabet
from sms.national import languages_of
from sms.number import SenderId, country_of
from sms.outcome import Refused
from sms.parts import encoded_parts, graphemes
from sms.route import first_carrier
from sms.usage import UsageClaim
from store.engine.database import Database
from store.usage import find_reached, read_free, read_usage

SHAPE_VERSION: Final = 2

View = dict[str, Any]
Words = Callable[[Refused], View]
"""What a door says to a refusal."""


class Explaining:
    """Explains what applications would send; one object serves all interfaces."""

    def __init__(
        self, *, applications: Applications, book: DirectoryFollower, database: Database, clock: Clock
    ) -> None:
        self._applications = applications
        self._book = book
        self._database = database
        self._clock = clock

    async def explain(self, principal: Principal, job: ApplicationJob, words: Words) -> View | Refused:
        """Return what would become of a job now; nothing is stored, and nothing is counted.

        Limits of use of the whole system refuse, and are not shown: they tell of other customers.
        """
        planned = await self._applications.plan(principal, job)
        if isinstance(planned, Refused):
            return planned
        sender, now = planned.submission.sender, self._clock.now()
        claims = claims_of(self._book.current, sender, now)
        used = await self._database.read(partial(read_usage, claims=claims, now=now)) if claims else {}
        refused = planned.refused or refuse_spent(planned, claims, used, now)
        if counters := rates_of(planned):
            free_at = await self._database.read(partial(read_free, counters=counters))
            planned = keep_rates(planned, free_at)
        told = explain_outcome(
            verdict="send" if refused is None else "refuse",
            reason=None,
            refused=refused,
            resolved=planned.submission.resolved,
            plan=planned,
            given=(),
            tls_demands=self._book.current.find_tls_demands(principal, ""),
            rules=self._book.current.judge.book,
            words=words,
        )
        return {
            **told,
            "customer": sender.customer.name,
            "limits": explain_limits([claim for claim in claims if not claim.is_of_all], used, planned),
        }


def explain_outcome(  # noqa: PLR0913 - what is told
    *,
    verdict: str,
    reason: str | None,
    refused: Refused | None,
    resolved: Resolved | None,
    plan: JobPlan | None,
    given: Sequence[str],
    tls_demands: Sequence[str],
    rules: RuleBook,
    words: Words,
) -> View:
    """Return what becomes of a submission: refused at once, by `refused`, or recipient by recipient.

    Without a plan the recipients are only as `given`. `tls_demands` are those who demand TLS of it, `rules` those of
    countries.
    """
    submission = plan.submission if plan is not None else None
    schedule = plan.schedule if plan is not None else None
    return {
        "version": SHAPE_VERSION,
        "verdict": verdict,
        "reason": reason if refused is None else refused.refusal.value,
        "refusal": _explain_refusal(refused, words),
        "recipients": [_explain_bare(item, refused, words) for item in given]
        if plan is None
        else [_explain_recipient(plan, item, refused, rules, words) for item in plan.messages],
        "settings": _explain_settings(resolved),
        "ignored_options": list(submission.ignored_options) if submission is not None else [],
        "dry_run": submission is not None and submission.dry_run,
        "service": submission.service.value if submission is not None else None,
        "service_by": submission.service_by if submission is not None else None,
        "reference": submission.reference if submission is not None else "",
        "tls": {
            "asked": submission.mail.tls_tag.value if submission is not None and submission.mail is not None else "",
            "demanded_by": list(tls_demands),
        },
        "due_at": schedule.due_at.isoformat() if schedule is not None else None,
        "expires_at": schedule.expires_at.isoformat() if schedule is not None else None,
        "blackouts": [
            {"start_at": item.start_at.isoformat(), "end_at": item.end_at.isoformat()}
            for item in (schedule.blackouts if schedule is not None else ())
        ],
        "unanswerable": (plan.job.unanswerable or None) if plan is not None and plan.job is not None else None,
        "faults": [{"row": fault.row, "text": fault.text} for fault in (plan.faults if plan is not None else ())],
    }


def _explain_bare(given: str, refused: Refused | None, words: Words) -> View:
    return {
        "given": given,
        "number": None,
        "refusal": _explain_refusal(refused, words),
        "text": "",
        "coding": Alphabet.GSM7.value,
        "languages": "",
        "coding_for": [],
        "parts": [],
        "replaced": [],
        "cut": "",
        "duplicate_of": None,
        "settings": {},
        "rules": [],
        "due_at": None,
    }


def _explain_recipient(
    plan: JobPlan, message: PlannedMessage, refused: Refused | None, rules: RuleBook, words: Words
) -> View:
    encoded, settings = plan.encoded_of(message), plan.submission.resolved.settings
    shown = _explain_bare(message.wanted.given, message.refused or refused, words)
    own = message.wanted.sender_id
    if own is not None:
        shown["settings"] = {"sender_id": {"value": own.value, "layer": "conversation", "origin": "the SMS answered"}}
    elif (instead := message.judgement.sender_id) is not None:
        shown["settings"] = {"sender_id": {"value": instead.value, "layer": "country", "origin": "fallback_sender_id"}}
    shown["rules"] = explain_rules(message, plan.submission.sender.customer.name, settings, rules)
    shown["due_at"] = message.schedule.due_at.isoformat() if message.schedule is not None else None
    shown["number"] = message.number.e164 if message.number else None
    shown["duplicate_of"] = message.duplicate_of or None
    if encoded is not None and message.refused is None:
        shown["text"] = encoded.text
        shown["coding"] = encoded.alphabet.value
        shown["languages"] = languages_of(encoded.shifts)
        if encoded.alphabet is not settings.coding:
            shown["coding_for"] = list(find_strange(graphemes(encoded.text), settings.unencodable))
        shown["parts"] = [
            {"text": part.text, "udh": part.udh.hex(), "payload": part.payload.hex()} for part in encoded_parts(encoded)
        ]
        shown["replaced"] = [
            {"index": item.index, "from": item.old, "to": item.new, "kind": what_became(item).value}
            for item in encoded.replaced
        ]
        shown["cut"] = encoded.cut
    return shown


def _explain_refusal(refused: Refused | None, words: Words) -> View | None:
    """Return a refusal: its reason, which is the same at every door, and what this door says."""
    return None if refused is None else {"reason": refused.refusal.value, **words(refused)}


def _explain_settings(resolved: Resolved | None) -> View:
    if resolved is None:
        return {}
    return {
        name: {"value": _plain(item.value), "layer": item.layer.value, "origin": item.origin}
        for name, item in resolved.explained.items()
    }


def explain_limits(claims: Iterable[UsageClaim], used: Mapping[str, int], plan: JobPlan | None) -> list[View]:
    """Return limits of use as they stand, and how much a plan asks of each."""
    return [{**limit_row(claim, used[claim.counter]), "wanted": _wanted(claim, plan)} for claim in claims]


def refuse_spent(
    plan: JobPlan | None, claims: Sequence[UsageClaim], used: Mapping[str, int], now: datetime
) -> Refused | None:
    """Return the refusal by a limit that lacks the room, as when the plan is accepted."""
    reached = (find_reached(claim, used[claim.counter], _wanted(claim, plan), now) for claim in claims)
    return next((refuse(item, now) for item in reached if item is not None), None)


def _wanted(claim: UsageClaim, plan: JobPlan | None) -> int:
    """Return how much a plan takes of a limit."""
    if plan is None or plan.submission.dry_run:
        return 0
    return claim.amount(
        (country_of(message.number), first_carrier(message.route), len(encoded.lengths))
        for message in plan.messages
        if message.number is not None and message.refused is None and not message.duplicate_of
        if (encoded := plan.encoded_of(message)) is not None
    )


def _plain(value: object) -> object:
    """Return a setting's value as JSON holds it: texts, numbers and truths as they are, durations in minutes."""
    if isinstance(value, timedelta):
        return int(value.total_seconds() // 60)
    if isinstance(value, SenderId):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    return value
