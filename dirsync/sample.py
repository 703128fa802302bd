"""A look at a directory before it is synchronised: some entries, each as the user that it would be.

Not here: reading them (reading), how they are shown (cli.dirsync).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from addressbook.changes import ChangeFault
from addressbook.source_table import ACTIVE, ADDRESS, NAME, PHONE, PROFILE
from dirsync.deltas import Doubt
from dirsync.mapping import MappedEntry
from sms.settings import UNSET, format_setting


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledUser:
    """An entry as the user that it would be; with faults it would be left as it is.

    `values` are texts by field; `origins` and `missing` have the attribute by field: whence a value is, and which one
    has none.
    """

    entry: str
    values: Mapping[str, str]
    origins: Mapping[str, str]
    missing: Mapping[str, str]
    lists: tuple[str, ...] = ()
    faults: tuple[ChangeFault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Some users of a directory; `doubt` says why changes cannot be read and all must be, each time.

    The members of groups `too_deep` below the configured ones are left out.
    """

    users: tuple[SampledUser, ...]
    too_deep: frozenset[str] = frozenset()
    doubt: Doubt | None = None


def show_entry(mapped: MappedEntry) -> SampledUser:
    """Return a mapped entry as it is shown."""
    change = mapped.change
    texts = dict(_texts(mapped))
    faulty = {fault.column for fault in mapped.faults}
    unsaid = [name for name, text in texts.items() if not text and change.columns.get(name, "") not in faulty]
    return SampledUser(
        entry=change.entry,
        values={name: text for name, text in texts.items() if text},
        origins={name: change.columns.get(name, "") for name, text in texts.items() if text},
        missing={name: change.columns[name] for name in unsaid if name in change.columns and name != PROFILE},
        lists=mapped.lists,
        faults=mapped.faults,
    )


def _texts(mapped: MappedEntry) -> Iterator[tuple[str, str]]:
    change = mapped.change
    yield ADDRESS, change.address
    if change.name is not None:
        yield NAME, change.name
    if change.phone is not None:
        yield PHONE, f"+{change.phone}" if change.phone else ""
    if change.active is not None:
        yield ACTIVE, format_setting(change.active)
    if change.profile is not None:
        yield PROFILE, change.profile
    for name, value in change.cells.items():
        yield name, "" if value is UNSET else format_setting(value)
