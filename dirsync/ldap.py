"""Reads an LDAP directory, page by page, and never half.

A page is good only with the result success and the control of the next page; else nothing of the reading may be used.
Not here: the connection (ldap_connection), what an entry says of a user (mapping), changes since a reading (deltas).
Standards: RFC 4511 §4.5 (search), RFC 2696 (paging), RFC 4530 (entryUUID).
"""

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Self

from addressbook.sources import LdapSource, SourceKind
from dirsync.ber import NotBer
from dirsync.controls import PAGED_RESULTS, paged_cookie, paged_request
from dirsync.ldap_connection import LdapConnection, say
from dirsync.ldap_messages import (
    PASSING,
    LdapMessageKind,
    read_entry,
    read_intermediate,
    read_reference,
    read_result,
)
from dirsync.source import FoundEntry, LdapEntry, ReadFault, ReadFaultCode, SearchAnswer, SearchRequest

ANCHORS: Final[Mapping[SourceKind, str]] = {SourceKind.OPENLDAP: "entryUUID", SourceKind.ACTIVE_DIRECTORY: "objectGUID"}
"""The attribute that stays with an entry whatever it is called and wherever it moves."""

# RFC 4511 §4.1.9
_SUCCESS: Final = 0
_TIME_LIMIT, _SIZE_LIMIT, _REFERRAL, _ADMIN_LIMIT, _NO_SUCH_CONTROL, _NO_SUCH_OBJECT = 3, 4, 10, 11, 12, 32

_UUID: Final = re.compile(rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_WITHOUT_USERS: Final = re.compile(r"ldaps?://[^/]*/(CN=Configuration|DC=(Domain|Forest)DnsZones),", re.IGNORECASE)
"""The parts of every Active Directory that a search of a whole domain refers to and that have no users."""


class LdapReader:
    """One connection to a directory, for one reading. Use as a context manager; entering binds."""

    def __init__(
        self,
        source: LdapSource,
        kind: SourceKind,
        attributes: Sequence[str],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._kind = kind
        self._anchor = ANCHORS[kind]
        self._attributes = tuple(attributes)
        self._connection = LdapConnection(source, monotonic)

    def __enter__(self) -> Self:
        try:
            self._connection.open()
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def entries(self) -> int:
        """Return how many entries were read so far."""
        return self._connection.entries

    def read_all(self, *, most: int = 0) -> Iterator[list[LdapEntry]]:
        """Yield the entries of each page; only once it ends without a ReadFault they are all of them.

        With `most` it ends after so many entries, and they are a sample. An entry that was moved or changed meanwhile,
        and so is on two pages, comes once; one that fell between them does not come.
        """
        source = self._source
        everyone = SearchRequest(base=source.base, filter=source.filter, attributes=self._attributes, most=most)
        for page in self.search(everyone):
            for entry in page:
                if not entry.anchor:
                    raise ReadFault(ReadFaultCode.NO_ANCHOR, dn=entry.dn, attribute=self._anchor)
            yield page

    def search(self, request: SearchRequest) -> Iterator[list[LdapEntry]]:
        """Yield the entries of each page that came on none before; raises ReadFault where the answer is not whole.

        An entry without an anchor has an empty one.
        """
        size = min(self._source.page_size, request.most or self._source.page_size)
        cookie, cookies, seen = b"", set[bytes](), set[str]()
        while True:
            paging = (PAGED_RESULTS, True, paged_request(size, cookie))
            attributes = (*request.attributes, self._anchor)
            answer = self.ask(replace(request, attributes=attributes, controls=(*request.controls, paging), most=0))
            self._check(answer, request.base)
            cookie = self._next_cookie(answer)
            page = []
            for found in answer.found:
                entry = self._entry_of(found)
                name = entry.anchor or entry.dn
                if name not in seen:
                    seen.add(name)
                    page.append(entry)
            yield page
            if not cookie or (request.most and len(seen) >= request.most):
                return
            if cookie in cookies and not page:  # some servers never clear it
                raise ReadFault(ReadFaultCode.COOKIE_REPEATS, entries=self.entries)
            cookies.add(cookie)

    def ask(self, request: SearchRequest) -> SearchAnswer:
        """Return the answer to a search without pages, whatever its result is."""
        found: list[FoundEntry] = []
        told: list[tuple[str, bytes]] = []
        try:
            for message in self._connection.search(request):
                if message.kind == LdapMessageKind.ENTRY:
                    dn, values = read_entry(message)
                    found.append(FoundEntry(dn=dn, attributes=values, controls=message.controls))
                    self._connection.entries += 1
                elif message.kind == LdapMessageKind.REFERENCE:
                    self._refuse_foreign(read_reference(message))
                elif message.kind == LdapMessageKind.INTERMEDIATE:
                    told.append(read_intermediate(message))
            result = read_result(message)
        except NotBer as error:
            cause = str(error)
            raise ReadFault(ReadFaultCode.CUT, is_passing=True, entries=self.entries, cause=cause) from error
        return SearchAnswer(
            code=result.code,
            said=say(result),
            referrals=result.referrals,
            found=tuple(found),
            messages=tuple(told),
            controls=result.controls,
        )

    def _refuse_foreign(self, uris: Sequence[str]) -> None:
        """Raise ReadFault for a part on another server, which never sees our password, unless it is not wanted."""
        ignored = {uri.casefold() for uri in self._source.ignored_referrals}
        if self._kind is SourceKind.ACTIVE_DIRECTORY and all(_WITHOUT_USERS.match(uri) for uri in uris):
            return
        if ignored.isdisjoint(uri.casefold() for uri in uris):
            raise ReadFault(ReadFaultCode.REFERRAL, uri=" ".join(uris))

    def _check(self, answer: SearchAnswer, base: str) -> None:
        """Raise ReadFault unless the result is success."""
        code, entries = answer.code, self.entries
        if code == _SUCCESS:
            return
        if code == _NO_SUCH_OBJECT:
            raise ReadFault(ReadFaultCode.NO_BASE, base=base)
        if code == _SIZE_LIMIT:
            raise ReadFault(ReadFaultCode.SIZE_LIMIT, entries=entries)
        if code == _TIME_LIMIT:
            raise ReadFault(ReadFaultCode.TIME_LIMIT, is_passing=True, entries=entries)
        if code == _ADMIN_LIMIT:
            raise ReadFault(ReadFaultCode.ADMIN_LIMIT, entries=entries, page_size=self._source.page_size)
        if code == _NO_SUCH_CONTROL:
            raise ReadFault(ReadFaultCode.NO_PAGING, entries=entries)
        if code == _REFERRAL:
            raise ReadFault(ReadFaultCode.REFERRAL, uri=" ".join(answer.referrals))
        if code in PASSING:
            raise ReadFault(ReadFaultCode.BUSY, is_passing=True, result=answer.said, entries=entries)
        raise ReadFault(ReadFaultCode.OTHER, result=answer.said, entries=entries)

    def _entry_of(self, found: FoundEntry) -> LdapEntry:
        attributes = dict(found.attributes)
        values = attributes.pop(self._anchor.lower(), ())
        anchor = _anchor_of(values[0], self._kind) if len(values) == 1 else ""
        return LdapEntry(dn=found.dn, anchor=anchor, attributes=attributes)

    def _next_cookie(self, answer: SearchAnswer) -> bytes:
        value = answer.controls.get(PAGED_RESULTS)
        if value is None:  # the criticality was not honoured: nobody knows whether that was all
            raise ReadFault(ReadFaultCode.NO_PAGING, entries=self.entries)
        try:
            return paged_cookie(value)
        except NotBer as error:
            cause = str(error)
            raise ReadFault(ReadFaultCode.CUT, is_passing=True, entries=self.entries, cause=cause) from error


def _anchor_of(value: bytes, kind: SourceKind) -> str:
    """Return a UUID in lower-case text: RFC 4530 has it as text, Microsoft as 16 octets, half of them little-endian."""
    try:
        if kind is SourceKind.ACTIVE_DIRECTORY:
            return str(uuid.UUID(bytes_le=value))
        return value.decode("ascii").lower() if _UUID.fullmatch(value) else ""
    except ValueError:
        return ""
