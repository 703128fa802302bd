"""What rules of countries would do to a message, in the public shape of «explain»: each with who says it, and the mode.

Not here: the rules and what they do (countries), the rest of the shape (explaining).
"""

from functools import cache
from typing import Any

from countries.book import RuleBook, RuleSubject
from gateway.planned import PlannedMessage
from sms.number import country_of, show_number
from sms.route import first_carrier
from sms.settings import Settings, format_setting
from templates.country_words import say_finding
from templates.words import FALLBACK, Dictionary, Words


def explain_rules(message: PlannedMessage, customer: str, settings: Settings, book: RuleBook) -> list[dict[str, Any]]:
    """Return what each rule would do, what it says, and why it counts; `decided_by` is empty for the product itself."""
    judgement, number = message.judgement, message.number
    if number is None or not message.findings:
        return []
    country = country_of(number)
    place = RuleSubject(
        country=country,
        customer=customer,
        use_case=settings.use_case,
        carrier=first_carrier(message.route) if message.route else "",
    )
    shown = show_number(format_setting(judgement.sender_id)) if judgement.sender_id is not None else ""
    told = []
    for finding in message.findings:
        rule = book.find(place, finding.rule, finding.value)
        known = rule.rule if rule is not None else None
        in_force_at = rule.in_force_at if rule is not None else None
        told.append(
            {
                "country": country,
                "rule": finding.rule.value,
                "effect": finding.effect.value,
                "value": finding.value,
                "says": say_finding(finding, country, _english(), shown),
                "mode": rule.mode.value if rule is not None else "",
                "decided_by": rule.by if rule is not None else "",
                "in_force_at": in_force_at.isoformat() if in_force_at is not None else None,
                "sources": [source.name for source in known.sources] if known is not None else [],
                "as_of": known.as_of if known is not None else "",
                "confidence": known.confidence.value if known is not None else "",
            }
        )
    return told


@cache
def _english() -> Words:
    return Dictionary().words(FALLBACK)
