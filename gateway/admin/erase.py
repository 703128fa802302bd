"""Erasing what is known of a number or of a user, when somebody has a right to it; with a receipt of what was erased.

That there was an SMS stays, with its state, parts and times; so do sums, entries of stop lists, and the address book.
Not here: what goes by time (reports.retention), how a step erases (store.erase).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from addressbook.canonical import canonical_address
from gateway.admin.edit import Administration, AuditAction, Changed, Edit, Subject
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.stop_list import parse_handsets
from gateway.cancel import cancel_waiting
from gateway.postmaster import unpack
from sms.number_spellings import spellings_of
from store import erase
from store.answers import Rules
from store.directory_lookup import find_user
from store.downloads import erase_downloads
from store.engine.database import BatchFunction, Database, Transaction
from store.engine.keys import public_id, to_stored
from store.erase import KeptOfNumber, Open
from store.results import ResultStore
from store.retention import AT_ONCE

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReceipt:
    """What was erased, under an id that the audit has too; it names neither number nor address.

    `sums` counts for no user any more, `downloads` are files of tables that were taken back, `contents` files of mails
    that nobody got. In `words` of support requests, and of mails about them, the number is blotted out. `kept` stays.
    """

    id: str
    at: datetime
    what: str
    messages: int = 0
    jobs: int = 0
    inbound: int = 0
    conversations: int = 0
    mails: int = 0
    sums: int = 0
    downloads: int = 0
    words: int = 0
    contents: int = 0
    kept: KeptOfNumber


class Erasing:
    """The use case; each erasure is audited before its first step, so that one cut off is known, and is asked again."""

    def __init__(self, database: Database, administration: Administration, now: Callable[[], datetime]) -> None:
        self._database = database
        self._administration = administration
        self._now = now

    def erase_number(self, number: str, country: str = "", *, cancel: bool = False) -> ErasureReceipt:
        """Erase what is known of a number: texts to and from it, itself, conversations, and what was told by SMPP.

        Refused while something of it is not over. With `cancel` messages that wait are cancelled first, carriers are
        asked for the others, and mails that wait go out without number and text. Raises AdminFault.
        """
        (digits,) = parse_handsets([number], country)
        read, pattern = partial(_open_of_number, digits=digits), spellings_of(digits)
        return self._receipt(
            "number",
            self._begin("number", read, cancel=cancel),
            messages=self._repeat(erase.erase_messages_to, digits),
            inbound=self._repeat(erase.erase_sms_from, digits),
            conversations=self._database.write_now(erase.erase_traces_of, digits),
            words=self._each(erase.blot_words, partial(erase.words_naming, pattern=pattern)),
            contents=self._each(erase.erase_contents, partial(_contents_naming, pattern=pattern)),
            downloads=self._database.write_now(erase_downloads, None),
            kept=self._database.read_long_now(partial(erase.kept_of_number, digits=digits)),
        )

    def erase_user(self, address: str, *, cancel: bool = False) -> ErasureReceipt:
        """Erase what a user sent: the texts, the mails, and whose they were; and the user's address in what was told.

        Raises AdminFault as `erase_number` does.
        """
        name = canonical_address(address) or address.lower()
        jobs = self._database.read_long_now(partial(erase.jobs_of_user, address=name))
        begun = self._begin("user", partial(erase.open_of_jobs, jobs=jobs), cancel=cancel)
        texts = sum(self._repeat(erase.erase_texts_of, portion) for portion in _portions(jobs))
        mails = self._each(erase.erase_mails_to, partial(erase.mails_to, address=name))
        self._each(erase.erase_effects_to, partial(erase.effects_to, address=name))
        self._database.write_now(erase.erase_drops_of, name)
        return self._receipt(
            "user",
            begun,
            messages=texts,
            jobs=sum(self._database.write_now(erase.erase_senders_of, portion) for portion in _portions(jobs)),
            mails=mails,
            sums=self._each(erase.erase_sums_of, partial(erase.sums_of_user, address=name)),
            contents=self._each(
                erase.erase_contents, partial(_contents_naming, pattern=re.compile(re.escape(name), re.IGNORECASE))
            ),
            downloads=self._database.write_now(erase_downloads, None),
            kept=KeptOfNumber(users=int(self._database.read_long_now(partial(find_user, address=name)) is not None)),
        )

    def _begin(self, what: str, read: Callable[[Transaction], Open], *, cancel: bool) -> tuple[str, datetime]:
        """Check that all is over, cancel what waits if that is wanted, and audit it; return id and time."""
        now = self._now()
        name = public_id("E", now)
        if cancel:
            self._administration.change_now(partial(_cancel, name=name, what=what, read=read))
        self._administration.change_now(partial(_begin, name=name, what=what, read=read, cancelled=cancel))
        return name, now

    def _repeat(self, step: BatchFunction[Any, int], item: object) -> int:
        total = 0
        while count := self._database.write_now(step, item):
            total += count
        return total

    def _each(self, step: BatchFunction[Sequence[Any], int], find: Callable[[Transaction], Sequence[Any]]) -> int:
        found = self._database.read_long_now(find)
        return sum(self._database.write_now(step, portion) for portion in _portions(found))

    @staticmethod
    def _receipt(what: str, begun: tuple[str, datetime], *, kept: KeptOfNumber, **counts: int) -> ErasureReceipt:
        name, at = begun
        return ErasureReceipt(id=name, at=at, what=what, kept=kept, **counts)


def _open_of_number(tx: Transaction, digits: str) -> Open:
    found = erase.open_of_number(tx, digits)
    return replace(found, untold=found.untold + len(_contents_naming(tx, spellings_of(digits), ended=False)))


def _contents_naming(tx: Transaction, pattern: re.Pattern[str], *, ended: bool = True) -> list[int]:
    """Return the keys of rows of the outbox whose content a pattern finds something in."""
    contents = erase.kept_contents(tx, ended=ended)
    return [key for key, content in contents if pattern.search(unpack(content).decode("utf-8", "replace"))]


def _portions(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE)]


def _cancel(edit: Edit, *, name: str, what: str, read: Callable[[Transaction], Open]) -> Changed:
    found = read(edit.tx)
    done = cancel_waiting(edit.tx, ResultStore(edit.keys, Rules()), found.messages, to_stored(edit.now))
    counts = {"cancelled": done.ended, "asked": done.asked}
    detail = f"cancelled {done.ended}, asked {done.asked}"
    return edit.done(AuditAction.CANCEL_FOR_ERASURE, Subject(name, None, detail), name=name, what=what, **counts)


def _begin(edit: Edit, *, name: str, what: str, read: Callable[[Transaction], Open], cancelled: bool) -> Changed:
    found = read(edit.tx)
    untold = 0 if cancelled else found.untold
    if found.messages or untold or found.fragments:
        counts = {"messages": len(found.messages), "untold": untold, "fragments": found.fragments}
        raise AdminFault(FaultCode.NOT_OVER, what=what, cancelled=cancelled, **counts)
    return edit.done(AuditAction.ERASE, Subject(name, None, what), name=name, what=what)
