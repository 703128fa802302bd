"""Reads a customer's LDAP directory: all of it, or what changed, as changes of users and members of lists.

What cannot be read whole raises ReadFault, after some more tries where another one may succeed. Entries become changes
page by page. Not here: what becomes of the users (gateway.directory_sync).
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from math import inf
from typing import Final

import structlog

from addressbook.changes import ChangeFault, Reading, UserChange
from addressbook.sources import CustomerDirectory, DeltaMethod, LdapSource
from dirsync.deltas import Delta, Doubt, first_cookie, read_delta
from dirsync.groups import Groups, read_groups
from dirsync.ldap import LdapReader
from dirsync.mapping import Mapper, attributes_of, read_lists
from dirsync.sample import Sample, show_entry
from dirsync.source import LdapEntry, ReadFault, ReadFaultCode

log = structlog.get_logger()
_PAUSES: Final = (2.0, 10.0)
"""Seconds before a second and a third try."""


def read(  # noqa: PLR0913 - all that a reading depends on
    directory: CustomerDirectory,
    cookie: str,
    *,
    full: bool,
    now: datetime,
    country: str = "",
    pause: Callable[[float], None] = time.sleep,
) -> Reading:
    """Return what a directory says now; raises ReadFault where it cannot be read whole.

    With a cookie and not `full` it is what changed since then, if the directory can tell. `country` is that of national
    numbers.
    """
    for seconds in _PAUSES:
        try:
            return _read_once(directory, cookie, full=full, now=now, country=country)
        except ReadFault as fault:
            if not fault.is_passing or fault.code is ReadFaultCode.TOO_LONG:
                raise
            log.warning("directory_read_again", directory=directory.name, why=fault.code.value, seconds=seconds)
            pause(seconds)
    return _read_once(directory, cookie, full=full, now=now, country=country)


def _read_once(directory: CustomerDirectory, cookie: str, *, full: bool, now: datetime, country: str) -> Reading:
    source = directory.source
    assert isinstance(source, LdapSource), "a folder has no server"
    attributes = attributes_of(directory)
    with LdapReader(source, directory.kind, attributes) as reader:
        groups = _groups_of(directory, source, reader)
        gathered = _Gathered(directory, Mapper(directory, now=now, country=country, groups=groups))
        if cookie and not full and source.delta is not DeltaMethod.NONE and now.timestamp() < _until_of(cookie):
            delta = read_delta(reader, source, attributes, groups.digests, cookie)
            if isinstance(delta, Doubt):
                log.info("directory_read_whole", directory=directory.name, why=delta.code.value)
            elif _is_enough(directory, delta, groups):
                gathered.take(delta.entries)
                until = min(gathered.mapper.until, _until_of(cookie))
                return gathered.reading(complete=False, gone=delta.gone, cookie=_with_until(delta.cookie, until))
        following = first_cookie(reader, source, groups.digests)
        if isinstance(following, Doubt):
            log.warning("directory_without_delta", directory=directory.name, why=following.code.value)
        for page in reader.read_all():
            gathered.take(page)
        if isinstance(following, Doubt) or not following:
            return gathered.reading(complete=True, cookie="")
        return gathered.reading(complete=True, cookie=_with_until(following, gathered.mapper.until))


def read_sample(directory: CustomerDirectory, *, now: datetime, country: str = "", most: int = 10) -> Sample:
    """Read a few entries of an LDAP directory; raises ReadFault."""
    source = directory.source
    assert isinstance(source, LdapSource), "a folder has no server"
    with LdapReader(source, directory.kind, attributes_of(directory)) as reader:
        groups = _groups_of(directory, source, reader)
        mapper = Mapper(directory, now=now, country=country, groups=groups)
        first = first_cookie(reader, source, groups.digests)
        entries = [entry for page in reader.read_all(most=most) for entry in page][:most]
    return Sample(
        users=tuple(show_entry(mapper.read(entry, place)) for place, entry in enumerate(entries, 1)),
        too_deep=groups.too_deep,
        doubt=first if isinstance(first, Doubt) else None,
    )


def _groups_of(directory: CustomerDirectory, source: LdapSource, reader: LdapReader) -> Groups:
    """Read the groups of a directory's rules and lists."""
    configured = [*(rule.group for rule in directory.profiles), *(item.group for item in directory.lists)]
    return read_groups(reader, source.base, source.filter, tuple(dict.fromkeys(configured)))


def _is_enough(directory: CustomerDirectory, delta: Delta, groups: Groups) -> bool:
    """Return whether a delta says all: the members of a list are known whole or not at all."""
    if not directory.lists:
        return True
    of_lists = {item.group for item in directory.lists}
    return not delta.gone and all(of_lists.isdisjoint(groups.of(entry.dn)) for entry in delta.entries)


def _with_until(cookie: str, until: float) -> str:
    """Return a cookie that also knows until when its entries say the same: no delta tells that an account expired."""
    return json.dumps(json.loads(cookie) | ({"until": until} if until < inf else {}))


def _until_of(cookie: str) -> float:
    try:
        return float(json.loads(cookie).get("until", inf))
    except (ValueError, AttributeError, TypeError):
        return inf


class _Gathered:
    """What was read so far."""

    def __init__(self, directory: CustomerDirectory, mapper: Mapper) -> None:
        self._directory = directory
        self.mapper = mapper
        self._changes: list[UserChange] = []
        self._faults: list[ChangeFault] = []
        self._faulty: set[str] = set()
        self._members: dict[str, list[UserChange]] = defaultdict(list)

    def take(self, entries: Iterable[LdapEntry]) -> None:
        for entry in entries:
            mapped = self.mapper.read(entry, len(self._changes) + 1)
            self._changes.append(mapped.change)
            if mapped.faults:
                self._faults += mapped.faults
                self._faulty.add(entry.anchor)
            for name in mapped.lists:
                self._members[name].append(mapped.change)

    def reading(self, *, complete: bool, cookie: str, gone: frozenset[str] = frozenset()) -> Reading:
        return Reading(
            source=f"ldap:{self._directory.name}",
            complete=complete,
            changes=tuple(self._changes),
            gone=gone,
            faults=tuple(self._faults),
            faulty=frozenset(self._faulty),
            lists=read_lists(self._directory.lists, self._members) if complete else (),
            cookie=cookie,
        )
