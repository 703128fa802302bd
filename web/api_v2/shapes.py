"""The JSON of REST version 2, as types: what they say of themselves is what OpenAPI says of them.

Not here: how a request becomes a job (request), how answers are filled (answers). Instants are ISO 8601 in UTC.
"""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

Reference = Annotated[str, Meta(max_length=192, description="What you call it; it comes back in every answer.")]
Instant = Annotated[str, Meta(max_length=40, examples=["2026-11-30T17:42:00Z"])]


class RecipientToSend(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One recipient of a text."""

    to: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=40,
            examples=["+447700900101"],
            description="The number; one without a plus is of the country that your settings name.",
        ),
    ]
    reference: Reference = ""
    values: Annotated[
        dict[str, str],
        Meta(description="What fills the placeholders of the text, as {{ name }}; then every recipient needs them."),
    ] = {}


class TextToSend(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One text and who gets it."""

    text: Annotated[str, Meta(min_length=1, examples=["Pump 7 has stopped"])]
    recipients: Annotated[list[RecipientToSend], Meta(min_length=1)]


class JobToSend(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job: texts, each with its recipients, 3,000 recipients at most in all."""

    messages: Annotated[list[TextToSend], Meta(min_length=1)]
    settings: Annotated[
        dict[str, str | int | bool],
        Meta(
            examples=[{"sender_id": "ACME", "max_parts": 2}],
            description="Settings of this job alone, as far as a message may set them; POST /api/v2/explain shows all.",
        ),
    ] = {}
    reference: Reference = ""
    send_at: Annotated[
        Instant | None, Meta(description="When it goes out; without an offset in the time zone of your settings.")
    ] = None
    blackouts: Annotated[
        list[str],
        Meta(
            examples=[["2026-11-30T22:00:00Z/2026-12-01T06:00:00Z"]],
            description="Times in which nothing goes out, each start/end.",
        ),
    ] = []


class JobKept(Struct, frozen=True, kw_only=True):
    """A job that is kept: it survives a crash and ends in a state that can be asked for."""

    id: str


class RuleAnswer(Struct, frozen=True, kw_only=True):
    """What a rule of the number's country did."""

    country: Annotated[str, Meta(description="ISO 3166-1 alpha-2.")]
    rule: Annotated[str, Meta(description="Its name in the table of countries.")]
    effect: Annotated[str, Meta(description="noted (nothing), replaced, changed, delayed or refused.")]
    value: Annotated[str, Meta(description="What the rule says.")]


class MessageAnswer(Struct, frozen=True, kw_only=True):
    """What became of one SMS."""

    id: str
    to: Annotated[str, Meta(description="The number in E.164; empty where it is none.")]
    given: Annotated[str, Meta(description="The recipient as you wrote it.")]
    reference: str
    state: Annotated[
        str,
        Meta(
            description="A state of the lifecycle in docs/architecture.md. It is not «delivered», but «submitted» and"
            " ended, where the rule «receipts» of the country says that its receipts can't tell that."
        ),
    ]
    reason: Annotated[str, Meta(description="Why it was refused or failed, as a word; else empty.")]
    detail: Annotated[str, Meta(description="The same as a sentence.")]
    parts: int
    sent_at: datetime | None
    ended_at: Annotated[datetime | None, Meta(description="Set once nothing more is expected.")]
    sender: Annotated[str, Meta(description="The sender ID that it has; empty where the carrier chooses it.")] = ""
    rules: Annotated[list[RuleAnswer], Meta(description="What rules of the number's country did.")] = []


class ListedJobAnswer(Struct, frozen=True, kw_only=True):
    """One job of a list."""

    id: str
    service: Annotated[str, Meta(description="The door by which it came: rest, soap, http, smpp, or one of mail.")]
    reference: str
    accepted_at: datetime
    settled_at: Annotated[datetime | None, Meta(description="Set once all its SMS have ended.")]
    sandbox: Annotated[bool, Meta(description="Whether it was sent with a sandbox key: nobody got it.")]


class JobAnswer(ListedJobAnswer, frozen=True, kw_only=True):
    """A job with its SMS."""

    messages: list[MessageAnswer]


class JobPage(Struct, frozen=True, kw_only=True):
    """Jobs, oldest first."""

    jobs: list[ListedJobAnswer]
    next: Annotated[str | None, Meta(description="The cursor of what follows, null at the end for now.")]


class FieldFault(Struct, frozen=True, kw_only=True):
    """A field that can't be read, and what is expected there."""

    field: str
    expected: str


class ProblemAnswer(Struct, frozen=True, kw_only=True):
    """A problem (RFC 9457); its type is the address of a page with cause and remedy."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldFault] = []
