"""What REST version 2 says of a job that is explained: the shape of `mail2sms explain --json`, as types.

Not here: what is said (gateway.explaining).
"""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from gateway.explaining import View
from sms.outcome import Refused
from web.api_v2.answers import problem_of
from web.api_v2.shapes import ProblemAnswer


class ExplainedRefusal(ProblemAnswer, frozen=True, kw_only=True):
    """Why something is refused: the reason, which is the same at every door, and the problem that it would be."""

    reason: str


class ExplainedPart(Struct, frozen=True, kw_only=True):
    """One part as it would be sent; the header and the octets in hex."""

    text: str
    udh: str
    payload: str


class ReplacedCharacter(Struct, frozen=True, kw_only=True):
    """A character that the alphabet lacks, and what is sent for it."""

    index: int
    old: str = field(name="from")
    new: str = field(name="to")
    kind: Annotated[str, Meta(description="relative, stand-in (a question mark), blank or left-out.")]


class ExplainedSetting(Struct, frozen=True, kw_only=True):
    """A setting in force, and where it comes from; durations in minutes."""

    value: str | int | bool | list[str] | None
    layer: str
    origin: str


class ExplainedRule(Struct, frozen=True, kw_only=True):
    """What a rule of the recipient's country would do, and why it counts."""

    country: Annotated[str, Meta(description="ISO 3166-1 alpha-2.")]
    rule: Annotated[str, Meta(description="Its name in the table of countries.")]
    effect: Annotated[str, Meta(description="noted (nothing), replaced, changed, delayed or refused.")]
    value: Annotated[str, Meta(description="What the rule says.")]
    says: Annotated[str, Meta(description="The same as a sentence.")]
    mode: Annotated[str, Meta(description="apply or note; empty where the rule is no longer there.")]
    decided_by: Annotated[str, Meta(description="Where the operator decided the mode; empty: the product did.")]
    in_force_at: Annotated[str | None, Meta(description="The day from which it holds, null where long past.")]
    sources: list[str]
    as_of: Annotated[str, Meta(description="The month in which the sources were read.")]
    confidence: Annotated[str, Meta(description="high, medium or low; empty for a rule of the operator.")]


class ExplainedRecipient(Struct, frozen=True, kw_only=True):
    """What one recipient would get, or why nothing."""

    given: str
    number: Annotated[str | None, Meta(description="E.164; null if it names none.")]
    refusal: ExplainedRefusal | None
    text: str
    coding: Annotated[str, Meta(description="gsm7 or ucs2.")]
    languages: Annotated[str, Meta(description="The languages of its national shift tables; empty for none.")]
    coding_for: Annotated[list[str], Meta(description="The characters for which it goes in UCS-2 against `coding`.")]
    parts: list[ExplainedPart]
    replaced: list[ReplacedCharacter]
    cut: Annotated[str, Meta(description="What is cut off its end.")]
    duplicate_of: Annotated[str | None, Meta(description="The earlier recipient of the same number and text.")]
    settings: Annotated[dict[str, ExplainedSetting], Meta(description="What differs from the settings of all.")]
    rules: Annotated[list[ExplainedRule], Meta(description="What rules of the recipient's country would do.")]


class ExplainedBlackout(Struct, frozen=True, kw_only=True):
    """A period in which nothing goes out."""

    start_at: datetime
    end_at: datetime


class ExplainedFault(Struct, frozen=True, kw_only=True):
    """A recipient whose values refuse the whole job."""

    row: str
    text: str


class ExplainedLimit(Struct, frozen=True, kw_only=True):
    """A limit of use that binds the sender, as it stands now."""

    of: str
    limit: str
    most: int
    used: int
    left: int
    begins_anew: Annotated[str, Meta(description="Empty for a minute, which refills steadily.")]
    wanted: Annotated[int, Meta(description="How much this job asks for.")]


class ExplainedTls(Struct, frozen=True, kw_only=True):
    """What is demanded of TLS."""

    asked: Annotated[str, Meta(description="What a mail asks for what is sent because of it; empty for a request.")]
    demanded_by: Annotated[list[str], Meta(description="Who takes submissions under TLS only; empty: nobody.")]


class Explanation(Struct, frozen=True, kw_only=True):
    """What would become of a job now."""

    version: Annotated[int, Meta(description="Of this shape; members are added without another one.")]
    verdict: Annotated[str, Meta(description="send or refuse.")]
    reason: Annotated[str | None, Meta(description="Why the whole job would be refused.")]
    refusal: ExplainedRefusal | None
    recipients: list[ExplainedRecipient]
    settings: dict[str, ExplainedSetting]
    ignored_options: list[str]
    dry_run: Annotated[bool, Meta(description="Whether it would be judged and not sent.")]
    service: str
    service_by: str
    reference: str
    tls: ExplainedTls
    due_at: datetime | None
    expires_at: datetime | None
    blackouts: list[ExplainedBlackout]
    unanswerable: Annotated[
        str | None,
        Meta(description="Why no answer to the sender ID comes back: name, not-ours, not-active, not-shared."),
    ]
    faults: list[ExplainedFault]
    customer: str
    limits: list[ExplainedLimit]


def read_explanation(told: View) -> Explanation:
    """Return the type of what is told."""
    return msgspec.convert(told, Explanation)


def say_problem(refused: Refused) -> View:
    """Return what REST version 2 says to a refusal."""
    said: View = msgspec.to_builtins(problem_of(refused))
    return said
