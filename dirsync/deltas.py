"""What changed in a directory since the last reading, by its own means: RFC 4533, DirSync or uSNChanged.

A delta never knows everything. Whatever is doubtful, such as a cookie that the server refuses or does not know, is a
`Doubt`, and then everything is read once: the cookie of that reading is from before it, so that nothing is missed.
An entry that changed comes whole: DirSync and uSNChanged only tell which ones changed, and these are read again by the
filter; one that is not found so is gone: deleted, moved away, or no longer meant. It may never have been a user.
"""

import base64
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from addressbook.sources import DeltaMethod, LdapSource
from dirsync.ber import NotBer
from dirsync.controls import (
    DIRSYNC,
    OBJECT_SECURITY,
    SHOW_DELETED,
    SYNC_DONE,
    SYNC_INFO,
    SYNC_REQUEST,
    SYNC_STATE,
    SyncState,
    dirsync_request,
    dirsync_response,
    sync_done,
    sync_info,
    sync_request,
    sync_state,
)
from dirsync.ldap_messages import PASSING
from dirsync.source import (
    NO_REFERENCES,
    DirectoryReader,
    LdapEntry,
    ReadFault,
    ReadFaultCode,
    SearchAnswer,
    SearchRequest,
    SearchScope,
)
from dirsync.strings import any_of, is_within, normal_dn
from sms.facts import Code, Fact

_T = TypeVar("_T")
MOST: Final = 10_000
"""How many entries a delta may name; more are read sooner page by page."""

_SUCCESS, _SIZE_LIMIT, _ADMIN_LIMIT, _NO_RIGHTS = 0, 4, 11, 50
_OCTETS_OF_ANSWER: Final = 1 << 20
_NOTHING: Final = "(!(objectClass=*))"
_OF_SERVER: Final = ("dsServiceName", "highestCommittedUSN", "namingContexts")
_IN_FILTER: Final = re.compile(r"\(\s*([A-Za-z][A-Za-z0-9-]*)\s*(?::[0-9A-Za-z.]+:|[~<>])?=")
_PARTS_OF_CSN: Final = 4
_BACK_LINKS: Final = frozenset({"memberof", "ismemberof", "directreports"})
"""Attributes that the server computes from other entries: they change without a change of their own entry."""
_IS_BRANCH: Final = "(objectClass=organizationalUnit)"
_IS_PERSON: Final = "(&(objectClass=person)(!(objectClass=computer)))"


class DoubtCode(Code):
    """Why a delta does not say everything, so that all must be read."""

    NO_COOKIE = ("no-cookie",)
    OTHER_METHOD = "other-method", "was"
    OTHER_SERVER = "other-server", "was", "now"
    NOT_OFFERED = "not-offered", "result"
    REFUSED = "refused", "result"
    ALL_AGAIN = ("all-again",)
    TOO_MANY = "too-many", "most"
    WENT_BACK = "went-back", "was", "now"
    ENDLESS = ("endless",)
    BRANCH_CHANGED = "branch-changed", "dn"
    GROUPS_CHANGED = "groups-changed", "groups"
    BACK_LINK = "back-link", "attribute"


class Doubt(Exception):  # noqa: N818 - a state of the world, not a defect
    """Why everything must be read; inside this module it is raised, outside it is a value."""

    def __init__(self, code: DoubtCode, **facts: Fact) -> None:
        code.check(facts)
        super().__init__(code, facts)
        self.code = code
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.code}: {self.facts}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What changed: entries, whole as they are now, the anchors of those that are gone, where the next delta begins."""

    entries: tuple[LdapEntry, ...]
    gone: frozenset[str]
    cookie: str


def first_cookie(reader: DirectoryReader, source: LdapSource, groups: Mapping[str, str]) -> str | Doubt:
    """Return where a delta begins after the complete reading that follows this call; why there can be none.

    `groups` has the digest of each group as it was read. Without a method the cookie is empty.
    """
    if source.delta is DeltaMethod.NONE:
        return ""
    try:
        method = _METHODS[source.delta](reader, source, ())
        return _text_of(source.delta, method.server(), method.begin(), groups)
    except Doubt as doubt:
        return doubt


def read_delta(
    reader: DirectoryReader, source: LdapSource, attributes: Sequence[str], groups: Mapping[str, str], cookie: str
) -> Delta | Doubt:
    """Return what changed since a cookie, or a Doubt if all must be read; raises ReadFault as any reading."""
    try:
        kept = _kept(cookie, source.delta, groups)
        _expect_no_back_link(attributes)
        method = _METHODS[source.delta](reader, source, attributes)
        _expect(kept.server, method.server())
        entries, gone, octets = method.changes(kept.octets)
        following = _text_of(source.delta, kept.server, octets, groups)
        return Delta(entries=tuple(entries), gone=frozenset(gone), cookie=following)
    except Doubt as doubt:
        return doubt


_Changes = tuple[Iterable[LdapEntry], Iterable[str], bytes]


class _Method(Protocol):
    """One way to tell changes. `server` names the server as long as its cookies are good there."""

    def __init__(self, reader: DirectoryReader, source: LdapSource, attributes: Sequence[str]) -> None: ...

    def server(self) -> str: ...

    def begin(self) -> bytes: ...

    def changes(self, cookie: bytes) -> _Changes: ...


class _Syncrepl:
    """OpenLDAP's content synchronisation, asked once (RFC 4533 §3.3)."""

    def __init__(self, reader: DirectoryReader, source: LdapSource, attributes: Sequence[str]) -> None:
        self._reader = reader
        self._source = source
        self._attributes = tuple(attributes)

    def server(self) -> str:
        return f"{self._source.host}:{self._source.port}"

    def begin(self) -> bytes:
        """Ask with a filter that nothing matches: the cookie stands for the whole database all the same."""
        answer = self._answer(b"", f"(&{self._source.filter}{_NOTHING})")
        if answer.code != _SUCCESS or SYNC_DONE not in answer.controls:
            raise Doubt(DoubtCode.NOT_OFFERED, result=answer.said)
        cookie, _ = _read(sync_done, answer.controls[SYNC_DONE])
        if not _servers_of(cookie):
            raise Doubt(DoubtCode.NOT_OFFERED, result=answer.said)
        self._check_rights()
        return cookie

    def _check_rights(self) -> None:
        """Who may not read entryCSN is told of no change, and that is no fault to the server."""
        probe = SearchRequest(
            base=self._source.base, filter=f"(&{self._source.filter}(entryCSN=*))", attributes=("1.1",), most=1
        )
        if not self._reader.ask(probe).found:
            raise Doubt(DoubtCode.NOT_OFFERED, result="no entry shows entryCSN: the reading account may not read it")

    def changes(self, cookie: bytes) -> _Changes:
        known = _servers_of(cookie)
        if not known:  # a server that does not understand a cookie sends all, and calls it a delta
            raise Doubt(DoubtCode.NO_COOKIE)
        answer = self._answer(cookie, self._source.filter)
        if answer.code == _SIZE_LIMIT:
            raise Doubt(DoubtCode.TOO_MANY, most=MOST)
        if answer.code != _SUCCESS or SYNC_DONE not in answer.controls:
            raise Doubt(DoubtCode.REFUSED, result=answer.said)
        following, is_delta = _read(sync_done, answer.controls[SYNC_DONE])
        if not is_delta:  # what is gone is not named: all that was not sent may be
            raise Doubt(DoubtCode.ALL_AGAIN)
        if following and not known <= _servers_of(following):
            raise Doubt(DoubtCode.OTHER_SERVER, was=_shown(cookie), now=_shown(following))
        infos = [_read(sync_info, value) for oid, value in answer.messages if oid == SYNC_INFO]
        gone = {anchor for info in infos if info.deletes for anchor in info.anchors}
        entries = {}
        for found in answer.found:
            state, anchor = _read(sync_state, found.controls.get(SYNC_STATE, b""))
            if state is SyncState.DELETE:
                gone.add(anchor)
            elif state is not SyncState.PRESENT:
                entries[anchor] = LdapEntry(dn=found.dn, anchor=anchor, attributes=found.attributes)
        return list(entries.values()), gone - entries.keys(), following or cookie

    def _answer(self, cookie: bytes, search_filter: str) -> SearchAnswer:
        request = SearchRequest(
            base=self._source.base,
            filter=search_filter,
            attributes=self._attributes,
            controls=((SYNC_REQUEST, True, sync_request(cookie)),),
            most=MOST,
        )
        answer = self._reader.ask(request)
        if answer.code == _ADMIN_LIMIT:  # OpenLDAP refuses whoever asks for more than it would give
            answer = self._reader.ask(replace(request, most=0))
        return _unless_passing(answer)


class _ActiveDirectory:
    """What DirSync and uSNChanged share: the server's name, and reading again whatever changed."""

    def __init__(self, reader: DirectoryReader, source: LdapSource, attributes: Sequence[str]) -> None:
        self._reader = reader
        self._source = source
        self._attributes = tuple(attributes)
        root = self._values_of("", _OF_SERVER)
        self._service = root.get("dsservicename", (b"",))[0].decode("utf-8", "replace")
        self._highest = int(root.get("highestcommittedusn", (b"0",))[0])
        contexts = (value.decode("utf-8", "replace") for value in root.get("namingcontexts", ()))
        base = normal_dn(source.base)
        self._context = max((one for one in contexts if one and is_within(base, normal_dn(one))), key=len, default="")
        if not self._service or not self._highest or not self._context:
            raise Doubt(DoubtCode.NOT_OFFERED, result="rootDSE")
        # Whoever no longer matches the filter must be seen as well; a computer is a person there.
        self._may_matter = f"(|{_IS_PERSON}{_IS_BRANCH}{source.filter})"

    def server(self) -> str:
        """Return the domain controller and its invocationId, which a restore from a backup changes."""
        values = self._values_of(self._service, ("invocationId",))
        return f"{self._service} {b''.join(values.get('invocationid', ())).hex()}".strip()

    def _values_of(self, dn: str, attributes: tuple[str, ...]) -> Mapping[str, tuple[bytes, ...]]:
        request = SearchRequest(base=dn, scope=SearchScope.BASE, attributes=attributes)
        answer = _unless_passing(self._reader.ask(request))
        return answer.found[0].attributes if answer.found else {}

    def _again(self, anchors: set[str]) -> tuple[list[LdapEntry], set[str]]:
        """Read entries by their anchors; return those that are meant, whole, and the anchors of all others."""
        source = self._source
        entries = list(self._by_anchor(source.base, source.filter, anchors, self._attributes))
        others = anchors - {entry.anchor for entry in entries}
        # The entries below a branch that was renamed or moved have a new name, and did not change themselves.
        for branch in self._by_anchor(self._context, _IS_BRANCH, others, ()):
            raise Doubt(DoubtCode.BRANCH_CHANGED, dn=branch.dn)
        return entries, others

    def _by_anchor(
        self, base: str, search_filter: str, anchors: set[str], attributes: tuple[str, ...]
    ) -> Iterable[LdapEntry]:
        for some in any_of("objectGUID", (uuid.UUID(anchor).bytes_le for anchor in sorted(anchors))):
            request = SearchRequest(
                base=base, filter=f"(&{search_filter}{some})", attributes=attributes, controls=(NO_REFERENCES,)
            )
            for page in self._reader.search(request):
                yield from page


class _DirSync(_ActiveDirectory):
    """Microsoft's DirSync control: of the whole naming context, what changed in the attributes that matter."""

    def begin(self) -> bytes:
        """Return the cookie of now, without any entry: it stands for the whole naming context all the same."""
        return self._all(b"", _NOTHING)[1]

    def changes(self, cookie: bytes) -> _Changes:
        anchors, following = self._all(cookie, self._may_matter)
        return *self._again(anchors), following

    def _all(self, cookie: bytes, search_filter: str) -> tuple[set[str], bytes]:
        """Ask on until there is no more; return the anchors of what changed, and the last cookie."""
        anchors, seen, flags = set[str](), {cookie}, 0
        while True:
            answer = self._answer(cookie, search_filter, flags)
            if answer.code == _NO_RIGHTS and not flags:
                flags = OBJECT_SECURITY
                continue
            if answer.code != _SUCCESS or DIRSYNC not in answer.controls:
                raise Doubt(DoubtCode.REFUSED if seen - {b""} else DoubtCode.NOT_OFFERED, result=answer.said)
            anchors |= {_guid_of(found.attributes) for found in answer.found}
            is_more, cookie = _read(dirsync_response, answer.controls[DIRSYNC])
            if not is_more:
                return anchors, cookie
            if len(anchors) > MOST:
                raise Doubt(DoubtCode.TOO_MANY, most=MOST)
            if cookie in seen:
                raise Doubt(DoubtCode.ENDLESS)
            seen.add(cookie)

    def _answer(self, cookie: bytes, search_filter: str, flags: int) -> SearchAnswer:
        control = (DIRSYNC, True, dirsync_request(flags, _OCTETS_OF_ANSWER, cookie))
        attributes = {*self._attributes, *_IN_FILTER.findall(self._source.filter), "name", "isDeleted", "objectGUID"}
        request = SearchRequest(
            base=self._context, filter=search_filter, attributes=tuple(sorted(attributes)), controls=(control,)
        )
        return _unless_passing(self._reader.ask(request))


class _UsnChanged(_ActiveDirectory):
    """uSNChanged above the highest one that the server had: a number of its own, not of the domain's."""

    def begin(self) -> bytes:
        return b"%d" % self._highest

    def changes(self, cookie: bytes) -> _Changes:
        seen = int(cookie) if cookie.isdigit() else 0
        if self._highest < seen or not seen:
            raise Doubt(DoubtCode.WENT_BACK, was=seen, now=self._highest)
        request = SearchRequest(
            base=self._context,
            filter=f"(&(uSNChanged>={seen + 1}){self._may_matter})",
            controls=((SHOW_DELETED, False, None), NO_REFERENCES),
        )
        anchors = set[str]()
        for page in self._reader.search(request):
            anchors |= {entry.anchor for entry in page if entry.anchor}
            if len(anchors) > MOST:
                raise Doubt(DoubtCode.TOO_MANY, most=MOST)
        return *self._again(anchors), self.begin()


_METHODS: Final[Mapping[DeltaMethod, type[_Method]]] = {
    DeltaMethod.SYNCREPL: _Syncrepl,
    DeltaMethod.DIRSYNC: _DirSync,
    DeltaMethod.USN: _UsnChanged,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    server: str
    octets: bytes


def _text_of(method: DeltaMethod, server: str, octets: bytes, groups: Mapping[str, str]) -> str:
    cookie = base64.b64encode(octets).decode("ascii")
    return json.dumps({"method": method.value, "server": server, "cookie": cookie, "groups": dict(groups)})


def _kept(text: str, method: DeltaMethod, groups: Mapping[str, str]) -> _Kept:
    """Read what `_text_of` wrote; raises Doubt where it is none, another method's, or of other members of groups."""
    try:
        values = json.loads(text)
        was, known = str(values["method"]), dict(values["groups"])
        kept = _Kept(server=values["server"], octets=base64.b64decode(values["cookie"], validate=True))
    except (ValueError, KeyError, TypeError):
        raise Doubt(DoubtCode.NO_COOKIE) from None
    if was != method.value:
        raise Doubt(DoubtCode.OTHER_METHOD, was=was)
    changed = sorted(name for name in {*groups, *known} if groups.get(name) != known.get(name))
    if changed:
        raise Doubt(DoubtCode.GROUPS_CHANGED, groups=tuple(changed))
    return kept


def _expect(was: str, now: str) -> None:
    if was != now:
        raise Doubt(DoubtCode.OTHER_SERVER, was=was, now=now)


def _expect_no_back_link(attributes: Sequence[str]) -> None:
    for attribute in attributes:
        if attribute.lower() in _BACK_LINKS:
            raise Doubt(DoubtCode.BACK_LINK, attribute=attribute)


def _unless_passing(answer: SearchAnswer) -> SearchAnswer:
    """Raise ReadFault where the server cannot answer at the moment: reading everything would be no better."""
    if answer.code in PASSING:
        raise ReadFault(ReadFaultCode.BUSY, is_passing=True, result=answer.said, entries=len(answer.found))
    return answer


def _read(reader: Callable[[bytes], _T], value: bytes) -> _T:
    """Read the value of a control; raises Doubt where it is none."""
    try:
        return reader(value)
    except NotBer as error:
        raise Doubt(DoubtCode.REFUSED, result=str(error)) from error


def _guid_of(attributes: Mapping[str, tuple[bytes, ...]]) -> str:
    try:
        return str(uuid.UUID(bytes_le=attributes["objectguid"][0]))
    except (KeyError, IndexError, ValueError):
        raise Doubt(DoubtCode.REFUSED, result="an entry without objectGUID") from None


def _servers_of(cookie: bytes) -> frozenset[bytes]:
    """Return the servers whose changes an OpenLDAP cookie counts: `rid=000,csn=TIME#COUNT#SERVER#MODIFIER;…`."""
    fields = dict(part.partition(b"=")[::2] for part in cookie.split(b","))
    parts = [csn.split(b"#") for csn in fields.get(b"csn", b"").split(b";")]
    return frozenset(csn[2] for csn in parts) if all(len(csn) == _PARTS_OF_CSN for csn in parts) else frozenset()


def _shown(cookie: bytes) -> str:
    return cookie.decode("ascii", "replace")
