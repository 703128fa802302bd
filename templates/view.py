"""What a template sees of a status mail: its names, for our own templates and customers'.

New names may be added, none renamed; docs/status-mails.md explains each. Every value is in words, in the reader's
language and zone. Not here: how they are made (status_view, verdict, recipient_view, fact_view), markup (the files in
`mail/`), escaping (templates.render).
"""

from dataclasses import dataclass
from enum import StrEnum

from sms.report import NoticeKind
from templates.brand import BrandView


class Tone(StrEnum):
    """The colour of a state; words always say the state too."""

    GOOD = "good"
    CALM = "calm"
    OPEN = "open"
    UNSURE = "unsure"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of the table of facts."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedView:
    """One replaced character, as shown, and how often if more than once."""

    old: str
    new: str
    times: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """One part of one SMS. `code` is the carrier's own error code, empty if there is none."""

    name: str
    state: str
    tone: Tone
    billed: bool
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientView:
    """One recipient: `name` is what the customer knows its number by, or empty; `who` is the name with the number.

    `sentence` says the state in full; `note` is the same if that adds to the short `state`, else empty. `text`, `cut`
    and `replaced` are empty without a preview; `cut_note` then still says that text was cut. `rules` says what rules of
    its country did.
    """

    number: str
    name: str
    who: str
    state: str
    tone: Tone
    sentence: str
    note: str
    detail: str
    step: str
    rules: tuple[str, ...]
    text: str
    cut: str
    cut_start: str
    cut_more: str
    cut_note: str
    replaced: tuple[ReplacedView, ...]
    parts: tuple[PartView, ...]
    parts_differ: bool
    parts_line: str
    sender: str
    changed: str
    delivered: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """One status mail.

    `single`: `recipients[0]` is the only one. With several, `shared` is one whose text is the same for all; None if the
    texts differ. `cancel_address`: a mail there takes the job back, empty where that cannot be done; `cancel_link`
    opens one.
    """

    kind: NoticeKind
    language: str
    subject: str
    preheader: str
    kind_name: str
    headline: str
    intro: str
    lead: str
    tone: Tone
    single: bool
    preview: bool
    facts: tuple[Fact, ...]
    recipients: tuple[RecipientView, ...]
    shared: RecipientView | None
    more: str
    notes: tuple[str, ...]
    cancel_address: str
    cancel_link: str
    label_cancel: str
    network_note: str
    footer: str
    job: str
    customer: str
    brand: BrandView
    profile: str
    label_recipients: str
    label_text: str
    label_cut: str
    label_replaced: str
    label_parts: str
    note_replaced: str
