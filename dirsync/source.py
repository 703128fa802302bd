"""What reading a directory gives: entries, or the one fault that ended it.

Not here: how it is configured (addressbook.sources), speaking LDAP (ldap), what an entry says of a user (mapping).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sms.facts import Code, Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapEntry:
    """One entry as read. `anchor` is its UUID in lower-case text; `attributes` have lower-case names and raw values."""

    dn: str
    anchor: str
    attributes: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)


class ReadFaultCode(Code):
    """Why a directory could not be read whole. Nothing of such a reading is used."""

    UNREACHABLE = "unreachable", "host", "cause"
    TLS_FAILED = "tls-failed", "host", "cause"
    PIN_MISMATCH = "pin-mismatch", "host", "found"
    STARTTLS_REFUSED = "starttls-refused", "host", "result"
    CLEAR_TEXT = "clear-text", "host"
    FILE_UNREADABLE = "file-unreadable", "file", "cause"
    BIND_REFUSED = "bind-refused", "name", "result"
    BOUND_AS_NOBODY = "bound-as-nobody", "name"
    BAD_FILTER = "bad-filter", "filter", "cause"
    NO_BASE = "no-base", "base"
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
