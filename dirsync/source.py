"""What reading a directory gives: entries, or the one fault that ended it.

Not here: how it is configured (addressbook.sources), speaking LDAP (ldap), what an entry says of a user (mapping).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from sms.facts import Code, Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapEntry:
    """One entry as read. `anchor` is its UUID in lower-case text; `attributes` have lower-case names and raw values."""

    dn: str
    anchor: str
    attributes: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)


class SearchScope(StrEnum):
    """Which entries a search is about (RFC 4511 §4.5.1.2)."""

    BASE = "BASE"
    SUBTREE = "SUBTREE"


Controls = tuple[tuple[str, bool, bytes | None], ...]
"""Of a request: the OID of each, whether it is critical, and its value, if there is any."""


NO_REFERENCES: Final = ("1.2.840.113556.1.4.1339", False, None)
"""LDAP_SERVER_DOMAIN_SCOPE_OID: an answer without references to other naming contexts, where the server knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """One search; no alias is followed.

    A server ends its answer after `most` entries with sizeLimitExceeded; 0 for no limit.
    """

    base: str
    filter: str = "(objectClass=*)"
    scope: SearchScope = SearchScope.SUBTREE
    attributes: tuple[str, ...] = ()
    controls: Controls = ()
    most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEntry:
    """One entry of an answer as it came; `controls` has the value of each control by OID."""

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    controls: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswer:
    """A whole answer to one search, whatever its result `code` is; `said` is the server's own word for it.

    `messages` are the intermediate ones in their order, each an OID and a value (RFC 4511 §4.13).
    """

    code: int
    said: str = ""
    referrals: tuple[str, ...] = ()
    found: tuple[FoundEntry, ...] = ()
    messages: tuple[tuple[str, bytes], ...] = ()
    controls: Mapping[str, bytes] = field(default_factory=dict)


class DirectoryReader(Protocol):
    """A connection to a directory on which one search follows another."""

    def search(self, request: SearchRequest) -> Iterable[list[LdapEntry]]:
        """Yield the entries of each page of an answer, with their anchors; raises ReadFault where it is not whole."""

    def ask(self, request: SearchRequest) -> SearchAnswer:
        """Return the answer to one search that is not paged, whatever its result is."""


class ReadFaultCode(Code):
    """Why a directory could not be read whole. Nothing of such a reading is used."""

    UNREACHABLE = "unreachable", "host", "cause"
    TLS_FAILED = "tls-failed", "host", "cause"
    PIN_MISMATCH = "pin-mismatch", "host", "found"
    STARTTLS_REFUSED = "starttls-refused", "host", "result"
    CLEAR_TEXT = "clear-text", "host"
    FILE_UNREADABLE = "file-unreadable", "file", "cause"
    FOLDER_UNUSABLE = "folder-unusable", "folder", "cause"
    FILE_EXPOSED = "file-exposed", "file"
    BIND_REFUSED = "bind-refused", "name", "result"
    BOUND_AS_NOBODY = "bound-as-nobody", "name"
    BAD_FILTER = "bad-filter", "filter", "cause"
    NO_BASE = "no-base", "base"
    NO_GROUP = "no-group", "group"
    GROUP_NOT_WHOLE = "group-not-whole", "group", "attribute"
    SIZE_LIMIT = "size-limit", "entries"
    TIME_LIMIT = "time-limit", "entries"
    ADMIN_LIMIT = "admin-limit", "entries", "page_size"
    BUSY = "busy", "result", "entries"
    REFERRAL = "referral", "uri"
    NO_PAGING = "no-paging", "entries"
    COOKIE_REPEATS = "cookie-repeats", "entries"
    NO_ANCHOR = "no-anchor", "dn", "attribute"
    CUT = "cut", "entries", "cause"
    SILENT = "silent", "entries", "seconds"
    TOO_LONG = "too-long", "entries", "seconds"
    OTHER = "other", "result", "entries"


class ReadFault(Exception):  # noqa: N818 - a state of the world, not a defect
    """Raised where a directory cannot be read whole; `is_passing` if another try may succeed without any change."""

    def __init__(self, code: ReadFaultCode, *, is_passing: bool = False, **facts: Fact) -> None:
        code.check(facts)
        super().__init__(code, facts)
        self.code = code
        self.facts = facts
        self.is_passing = is_passing

    def __str__(self) -> str:
        return f"{self.code}: {self.facts}"
