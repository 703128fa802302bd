"""The difference that a run makes: its lines, which a person reads and the audit keeps, and their digest.

Not here: what is planned (user_plan, list_plan), how far a run may go by itself (guard).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping

from addressbook.list_plan import PlannedList
from addressbook.lists import ListMember
from addressbook.runs import RunLine
from addressbook.user_plan import PlannedUser, StoredUser, UserAction


def digest_of(lines: Iterable[RunLine]) -> str:
    """Return the SHA-256 of lines in any order, in hex."""
    texts = (json.dumps([item.action, item.target, item.field, item.before, item.after]) for item in lines)
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()


def lines_of_user(planned: PlannedUser, profiles: Mapping[int, str]) -> list[RunLine]:
    """Return the lines of one user: one for a new one, else one for each value that changes; at least one.

    All are named by the address that the user has after the run. `profiles` are names by key.
    """
    action, before, after = f"sync.{planned.action}", planned.before, planned.after
    if before is None or planned.is_new:
        was = "" if before is None else _summary(before, profiles)
        return [RunLine(action=action, target=after.address, before=was, after=_summary(after, profiles))]
    old, new = _values(before, profiles), _values(after, profiles)
    if planned.action is UserAction.ADOPT:
        old, new = {**old, "source": before.source, "anchor": ""}, {**new, "source": after.source, "anchor": ""}
    lines = [
        RunLine(action=action, target=after.address, field=name, before=old.get(name, ""), after=new.get(name, ""))
        for name in {**old, **new}
        if old.get(name, "") != new.get(name, "")
    ]
    return lines or [RunLine(action=action, target=after.address)]


def line_of_removed(user: StoredUser, profiles: Mapping[int, str]) -> RunLine:
    """Return the line of a user who ends because another one gets the address."""
    return RunLine(action=f"sync.{UserAction.REMOVE}", target=user.address, before=_summary(user, profiles))


def lines_of_list(planned: PlannedList) -> Iterator[RunLine]:
    """Yield the lines of a list: one for itself if it is new, then one for each member and author that differs."""
    before = planned.before
    old: Mapping[str, ListMember] = before.members if before is not None else {}
    if before is None:
        yield _of_list(planned, "", "", "")
    for member in (*planned.added, *planned.changed):
        was = old.get(member.number)
        yield _of_list(planned, "member", "" if was is None else _member(was), _member(member))
    for member in planned.removed:
        yield _of_list(planned, "member", _member(member), "")
    authors = before.authors if before is not None else frozenset[str]()
    for author in authors ^ planned.new_authors:
        was_one = author in authors
        yield _of_list(planned, "author", author if was_one else "", "" if was_one else author)


def _of_list(planned: PlannedList, field: str, before: str, after: str) -> RunLine:
    return RunLine(action="sync.list", target=planned.read.name, field=field, before=before, after=after)


def _member(member: ListMember) -> str:
    return " ".join((f"+{member.number}", *member.values.values()))


def _values(user: StoredUser, profiles: Mapping[int, str]) -> dict[str, str]:
    """Return what a person would know of a user, by field; a profile by its name."""
    return {
        "address": user.address,
        "name": user.name,
        "phone": f"+{user.phone}" if user.phone else "",
        "profile": "" if user.profile_id is None else profiles.get(user.profile_id, ""),
        "active": "on" if user.active else "off",
        "disabled": "on" if user.disabled else "off",
        "unseen": "on" if user.unseen else "off",
        "missing": "on" if user.missing else "off",
        "anchor": user.anchor,
        **user.cells,
        **{f"{name} (pinned)": text for name, text in user.pinned.items()},
    }


_USUAL = {"active": "on", "disabled": "off", "unseen": "off", "missing": "off"}


def _summary(user: StoredUser, profiles: Mapping[int, str]) -> str:
    """Return a user in one line: what is set of it."""
    told = {name: text for name, text in _values(user, profiles).items() if text and text != _USUAL.get(name)}
    return ", ".join(f"{name} {text}" for name, text in told.items() if name not in {"address", "anchor"})
