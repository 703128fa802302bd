"""A run of a directory: one reading of it, and what came of that.

Not here: what a reading says (changes), what it changes (sync_plan), how far it may go by itself (guard), its rows
(store.directory_runs).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sms.facts import Fact


class RunMode(StrEnum):
    """What is read: every entry, or what changed."""

    FULL = "full"
    DELTA = "delta"


class RunState(StrEnum):
    """Where a run is. Of its rows, only those of an applied one are in force; none of the others ever come into it."""

    READING = "reading"
    STAGING = "staging"
    HELD = "held"  # waits for approval
    APPLIED = "applied"
    UNCHANGED = "unchanged"  # everything is so already
    FAILED = "failed"  # the directory could not be read whole, or the process ended
    STALE = "stale"  # what it would change was changed by somebody else
    DISCARDED = "discarded"  # a newer run took the place of a held one, or it was a dry one


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a run failed or waits, or an entry was left as it was: a code with its facts.

    `section` of the catalogues has its words: `read` a ReadFaultCode's, `guard` the guard's, `row` a ChangeFaultCode's.
    """

    section: str
    code: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    """An entry or a row that was left as it was: its line in a file or its name in a directory, and why."""

    reason: Reason
    line: int = 0
    who: str = ""
    column: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One line of the difference that a run makes, as the audit has it: what of whom, from what to what.

    `action` is `sync.add`, `sync.change`, `sync.stop`, `sync.remove`, `sync.revive` or `sync.list`; `target` is the
    user's address or the list's name. An added user is one line, without a field.
    """

    action: str
    target: str
    field: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of a run. `held_for` are the reasons for which it waits; `digest` names its difference.

    `counts` are by what is done, as the plan counts it; `faults` are entries that were left as they were. Only a dry
    run has its `lines` here, since nothing is kept of it.
    """

    key: int
    state: RunState
    digest: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    held_for: tuple[Reason, ...] = ()
    faults: tuple[NotTaken, ...] = ()
    problem: Reason | None = None
    lines: tuple[RunLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUnderWay:
    """The run for which another one has to wait: who began it, and when."""

    asked_by: str
    began_at: datetime
