"""Another text for an SMS that waits: judged by the rules of its country as the text of a submit is.

Its recipient, sender ID, route and settings stay what they were when it was accepted. Pure. Not here: which SMS it is
and whether it still waits (gateway.esme, store.esme).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from addressbook.people import Customer
from addressbook.snapshot import Snapshot
from countries.findings import Effect, Finding
from countries.rules import RuleName
from countries.wording import is_about_text
from gateway.country_rules import CountryRules
from gateway.encode import MadeText, TextDemand, encode_shared
from gateway.planned import PlannedMessage
from gateway.routing import CarrierRoutes
from gateway.scheduling import AskedTimes, decide_schedules
from gateway.submission import RecipientRequest
from sms.esme import FINAL_BITS
from sms.number import MobileNumber, country_of, parse_sender_id
from sms.outcome import Refusal, Refused
from sms.report import Findings
from sms.schedule import Schedule
from sms.serialise import thaw_settings
from sms.settings import Overlong, Settings, Unencodable
from store.engine.keys import to_instant
from store.esme import EarlierMessage, Replacing, SubmittedText

_OF_TIMES: Final = frozenset({RuleName.QUIET_HOURS, RuleName.VALIDITY, RuleName.RATE})
# The same objects each time: what was judged for them is known again (gateway.country_rules).
_settings = lru_cache(maxsize=256)(thaw_settings)
_sender_id = lru_cache(maxsize=256)(parse_sender_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewText:
    """Another text for an SMS; what is None stays as it was. `validity` counts from now, or from the start."""

    text: str
    start_at: datetime | None
    validity: timedelta | None
    registered: int

    @property
    def is_timed(self) -> bool:
        """Whether it says when the SMS goes out, or for how long it is worth it."""
        return self.start_at is not None or self.validity is not None


@dataclass(frozen=True, slots=True)
class Replacements:
    """Judges new texts of a customer's SMS by the address book and the routes of now."""

    snapshot: Snapshot
    customer: Customer
    routes: CarrierRoutes
    now: datetime

    def judge(self, sms: EarlierMessage, submitted: SubmittedText, new: NewText) -> Replacing | Refused:
        """Return what takes the place of an SMS of one part, or why its country or one part refuses the text."""
        settings = _settings(submitted.settings)
        if new.validity is not None:
            settings = replace(settings, validity=new.validity)
        number = MobileNumber(digits=sms.number)
        country = country_of(number)
        judgement = CountryRules(self.snapshot, self.customer, settings, self.routes, self.now).judge(
            country, _sender_id(submitted.sender) if submitted.sender else None, submitted.route
        )
        demand = TextDemand(self.routes.repertoire_of(submitted.route), judgement.wording)
        texts = encode_shared(new.text, _for_one_part(settings, sms), demands={0: demand})
        made = texts.apart.get(0, MadeText(texts.refused or texts.shared or Refused(refusal=Refusal.INTERNAL)))
        if isinstance(made.text, Refused):
            return made.text
        message = PlannedMessage(
            wanted=RecipientRequest(given=sms.number, number=sms.number), number=number, judgement=judgement
        )
        timed = self._timed(message, new, to_instant(sms.due_at), settings) if new.is_timed else None
        if isinstance(timed, Refused):
            return timed
        schedule, found = timed or (None, ())
        return Replacing(
            key=sms.key,
            encoded=made.text,
            schedule=schedule,
            # Who asks for another validity alone has had its turn.
            rate=judgement.rate if new.start_at is not None else None,
            country=country,
            findings=(*_staying(submitted.findings, new), *found, *made.findings),
            accepted_at=submitted.accepted_at,
            registered=new.registered,
            receipt_wanted=bool(new.registered & FINAL_BITS),
        )

    def _timed(
        self, message: PlannedMessage, new: NewText, due_at: datetime, settings: Settings
    ) -> tuple[Schedule, tuple[Finding, ...]] | Refused:
        """Return when an SMS goes out that was due at `due_at`, and what the rules of its country did to that."""
        asked = AskedTimes(new.start_at or due_at, settings.validity)
        schedule, (planned,) = decide_schedules(asked, [message], self.now)
        if isinstance(schedule, Refused):
            return schedule
        validity = (finding for finding in message.judgement.findings if finding.rule is RuleName.VALIDITY)
        return planned.schedule or schedule, (*validity, *planned.findings)


def _for_one_part(settings: Settings, sms: EarlierMessage) -> Settings:
    """Return the settings of a text in the alphabet of the old one that is never cut."""
    return replace(settings, coding=sms.alphabet, unencodable=Unencodable.REJECT, max_parts=1, overlong=Overlong.REFUSE)


def _staying(findings: Findings, new: NewText) -> Findings:
    """Return what was found of an SMS that another text, and other times if it has some, leave as it was."""
    known = [Finding(RuleName(rule), Effect(effect), value) for rule, effect, value in findings]
    return tuple(one for one in known if not (is_about_text(one) or (new.is_timed and one.rule in _OF_TIMES)))
