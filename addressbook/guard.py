"""How far one run of a directory may go by itself: the reasons for which it waits until somebody approves it.

An outage, a filter, or a right that was taken away looks like people who left. What would be noticed too late is
counted: of all users of the directory and as a number, in this run and in those of the last 24 hours that nobody
approved. Not here: what is counted (sync_plan), the words for a reason (templates), who is told.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from addressbook.runs import Reason
from addressbook.sources import Guard
from addressbook.sync_plan import BLANKED, CHANGED, DISABLED, LEFT, SyncPlan
from addressbook.user_plan import UserAction
from sms.facts import Code, Fact

_FACTS: Final = ("count", "earlier", "of", "most")
_SMALL: Final = 20
_MOST_OF_FEW: Final = 5


class HoldCode(Code):
    """Why a run waits. `count` in this run and `earlier` in the last 24 hours are more than `most` of `of`."""

    SOURCE_EMPTY = "source-empty", "of"
    OPTIONS_CHANGED = "options-changed", "of"
    REMOVALS = ("removals", *_FACTS)
    DEACTIVATIONS = ("deactivations", *_FACTS)
    REPLACEMENTS = ("replacements", *_FACTS)
    BLANKED = ("blanked", "field", *_FACTS)
    CHANGED = ("changed", "field", *_FACTS)
    MEMBERS_LEFT = ("members-left", "list", *_FACTS)


def find_hold_reasons(
    plan: SyncPlan, guard: Guard, earlier: Mapping[str, int], *, options_changed: bool = False
) -> tuple[Reason, ...]:
    """Return why a plan may not be applied without approval; none, if it may.

    `earlier` are the sums of `counts` of this directory's runs in the last 24 hours: of those since the last one that
    was approved, and which were applied. `options_changed`: its filter, base, mapping or groups are not those by which
    the users in force were read.
    """
    return tuple(_reasons(plan, guard, earlier, options_changed=options_changed))


def _reasons(plan: SyncPlan, guard: Guard, earlier: Mapping[str, int], *, options_changed: bool) -> Iterator[Reason]:
    if plan.source_is_empty:
        yield _reason(HoldCode.SOURCE_EMPTY, {"of": plan.population})
    if options_changed and plan.population:
        yield _reason(HoldCode.OPTIONS_CHANGED, {"of": plan.population})
    counts, before = _measured(plan.counts), _measured(earlier)
    members = {LEFT + item.read.name: len(item.before.members) for item in plan.lists if item.before is not None}
    for name, count in sorted(counts.items()):
        of = members[name] + before[name] if name in members else plan.population + before[_REMOVED]
        most = min(guard.count, _MOST_OF_FEW if of < _SMALL else of * guard.percent // 100)
        if count + before[name] > most:
            code, facts = _named(name)
            yield _reason(code, {**facts, "count": count, "earlier": before[name], "of": of, "most": most})


def _reason(code: HoldCode, facts: Mapping[str, Fact]) -> Reason:
    code.check(facts)
    return Reason(section="guard", code=code, facts=facts)


_REMOVED: Final = "removed"
_CODES: Final = {
    _REMOVED: HoldCode.REMOVALS,
    DISABLED: HoldCode.DEACTIVATIONS,
    UserAction.REPLACE.value: HoldCode.REPLACEMENTS,
}
_CODES_OF: Final = {
    BLANKED: (HoldCode.BLANKED, "field"),
    CHANGED: (HoldCode.CHANGED, "field"),
    LEFT: (HoldCode.MEMBERS_LEFT, "list"),
}


def _measured(counts: Mapping[str, int]) -> Counter[str]:
    """Return what of the counts of a plan is guarded."""
    found = Counter({name: count for name, count in counts.items() if name in _CODES or _prefix(name) in _CODES_OF})
    found[_REMOVED] += counts.get(UserAction.MISSING.value, 0) + counts.get(UserAction.REMOVE.value, 0)
    return +found


def _prefix(name: str) -> str:
    head, dot, _ = name.partition(".")
    return head + dot


def _named(name: str) -> tuple[HoldCode, dict[str, Fact]]:
    code = _CODES.get(name)
    if code is not None:
        return code, {}
    code, fact = _CODES_OF[_prefix(name)]
    return code, {fact: name.partition(".")[2]}
