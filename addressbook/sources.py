"""A customer's directory as it is configured: which server or folder, what is read, and how far a run may go by itself.

Not here: reading it (dirsync), what an entry says of a user (dirsync.mapping), storing it (store.directories).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class SourceKind(StrEnum):
    """What a directory is, which decides its anchor and how it tells changes."""

    OPENLDAP = "openldap"
    ACTIVE_DIRECTORY = "active-directory"
    FOLDER = "folder"


class FileForm(StrEnum):
    """The form of a file of users, or of a list's members; `auto` is recognised by the file's name and content."""

    AUTO = "auto"
    HEADED = "headed"
    FIFTEEN = "15-columns"
    XLSX = "xlsx"
    LDIF = "ldif"
    VCARD = "vcard"
    LIST = "list"


class BindMethod(StrEnum):
    """How we prove ourselves: a DN with its password (RFC 4513 §5.1.3), or our certificate (SASL EXTERNAL)."""

    SIMPLE = "simple"
    EXTERNAL = "external"


class LdapTls(StrEnum):
    """How the connection is made safe; there is no clear text but to loopback."""

    LDAPS = "ldaps"
    STARTTLS = "starttls"
    LOOPBACK_ONLY = "none"


class DeltaMethod(StrEnum):
    """How changes are read between two complete readings."""

    NONE = "none"
    SYNCREPL = "syncrepl"  # RFC 4533, refreshOnly
    DIRSYNC = "dirsync"  # LDAP_SERVER_DIRSYNC_OID
    USN = "usn"  # uSNChanged above the highest one seen


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapSource:
    """An LDAP server. `pins` are SHA-256 of SPKI in base64, of the server or of an authority above it.

    `base` and `filter` say who is read. Seconds: `answer_seconds` that the server may be silent, `deadline_seconds`
    for the whole reading. A referral to a URI in `ignored_referrals` is no fault.
    """

    host: str
    port: int
    tls: LdapTls
    base: str
    filter: str
    bind: BindMethod = BindMethod.SIMPLE
    bind_dn: str = ""
    password_file: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    pins: tuple[str, ...] = ()
    page_size: int = 500
    answer_seconds: float = 30.0
    deadline_seconds: float = 1800.0
    ignored_referrals: tuple[str, ...] = ()
    delta: DeltaMethod = DeltaMethod.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSource:
    """A folder into which whole files are put; what was taken goes to `done/`, what was refused to `refused/`.

    `encoding` is that of a file that is not UTF-8; `country` (ISO 3166) is that of numbers without a plus, by default
    the customer's. A `complete` file has all users, another only some. `keep_days` is how long a taken file is kept. A
    file of the form `list` is the list of its name, whose `authors` may write to it.
    """

    folder: str
    form: FileForm = FileForm.AUTO
    delimiter: str = ""
    encoding: str = "cp1252"
    end_marker: str = ""
    country: str = ""
    complete: bool = True
    keep_days: int = 0
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRule:
    """The members of a group, those of groups within it too, get a profile; the first rule that fits counts."""

    group: str
    profile: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupList:
    """The members of a group with a phone are a distribution list; `authors` may write to it."""

    group: str
    name: str
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """How much one run, or all of 24 hours, may change by itself: neither over the percent nor over the count.

    Of fewer than 20 users, five take the percent's place.
    """

    percent: int = 10
    count: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerDirectory:
    """One directory of a customer, of any number.

    `mapping` has, by what it gives (address, name, phone, active, profile or a setting), an expression
    (addressbook.expressions); of a folder's files LDIF alone is read by it, the others name their columns. Minutes:
    `every` between readings, `full_every` between complete ones. Days: `purge_days` after which a user whose entry is
    gone is removed.
    """

    key: int
    customer_id: int
    name: str
    kind: SourceKind
    source: LdapSource | FolderSource
    mapping: Mapping[str, str] = field(default_factory=dict)
    profiles: tuple[GroupRule, ...] = ()
    lists: tuple[GroupList, ...] = ()
    guard: Guard = Guard()
    every: int = 60
    full_every: int = 1440
    purge_days: int = 30
    active: bool = True
