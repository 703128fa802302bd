"""The table of a directory's options: how each is typed, what is expected, what it is for, and its default by kind.

Not here: reading a directory's options by it (source_options).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from addressbook.expressions import parse_expression
from addressbook.lists import canonical_author
from addressbook.sources import BindMethod, DeltaMethod, FileForm, GroupRule, LdapTls, SourceKind
from sms.number import is_country
from sms.setting_texts import parse_bool, parse_integer
from sms.settings import FIELDS

NOT_MAPPED: Final = "-"
"""Instead of an expression: the directory says nothing of this, whatever the default is."""
ADDRESS, NAME, PHONE, ACTIVE, PROFILE = "address", "name", "phone", "active", "profile"
MAPPED: Final = (ADDRESS, NAME, PHONE, ACTIVE, PROFILE, *FIELDS)
"""What an entry can say of a user."""

_LONGEST_TEXT: Final = 4_000
_PIN: Final = re.compile(r"[A-Za-z0-9+/]{43}=", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9.:_-]{1,253}", re.ASCII)
_OPENLDAP, _AD, _FOLDER = SourceKind.OPENLDAP, SourceKind.ACTIVE_DIRECTORY, SourceKind.FOLDER


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOption:
    """One option: how a text is read, what is expected, and what it is for, in a sentence.

    `defaults` has its text for each kind of directory that has the option, empty for none; `parse` raises ValueError.
    """

    key: str
    parse: Callable[[str], Any]
    expected: str
    help: str
    defaults: Mapping[SourceKind, str]
    example: str
    is_needed: bool = False
    is_secret: bool = False


def _text(text: str) -> str:
    if len(text) > _LONGEST_TEXT or not text.isprintable():
        raise ValueError
    return text


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError
        return text

    return parse


def _file(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError
    return _text(text)


def _dn(text: str) -> str:
    if "=" not in text:
        raise ValueError
    return _text(text)


def _filter(text: str) -> str:
    """Check the brackets of a filter; those of a value are written otherwise (RFC 4515 §3)."""
    depth = 0
    for place, char in enumerate(text, 1):
        depth += (char == "(") - (char == ")")
        if depth < (place < len(text)):
            raise ValueError
    if depth:
        raise ValueError
    return _text(text)


def _words(item: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    return lambda text: tuple(dict.fromkeys(item(word) for word in text.replace(",", " ").split()))


def _uris(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_uri, text.split())))  # a DN in a URI has commas


def _uri(text: str) -> str:
    if not text.lower().startswith(("ldap://", "ldaps://")):
        raise ValueError
    return _text(text)


def _author(text: str) -> str:
    author = canonical_author(text)
    if author is None:
        raise ValueError
    return author


def _expression(text: str) -> str:
    if text != NOT_MAPPED:
        parse_expression(text)
    return text


def _rule(text: str) -> GroupRule:
    group, arrow, profile = text.rpartition("=>")
    if not arrow or not profile.strip():
        raise ValueError
    return GroupRule(group=_dn(group.strip()), profile=_text(profile.strip()))


def _delimiter(text: str) -> str:
    delimiter = "\t" if text.lower() == "tab" else text
    if delimiter not in (",", ";", "|", "\t"):
        raise ValueError
    return delimiter


def _encoding(text: str) -> str:
    try:
        "a".encode(text)
    except LookupError:
        raise ValueError from None
    return text


def _country(text: str) -> str:
    if not is_country(text.upper()):
        raise ValueError
    return text.upper()


def _all(text: str) -> Mapping[SourceKind, str]:
    return dict.fromkeys(SourceKind, text)


def _ldap(text: str = "", *, ad: str | None = None) -> Mapping[SourceKind, str]:
    return {_OPENLDAP: text, _AD: text if ad is None else ad}


def _option(  # noqa: PLR0913, PLR0917 - one argument per fact about an option
    key: str,
    parse: Callable[[str], Any],
    expected: str,
    doc: str,
    defaults: Mapping[SourceKind, str],
    example: str,
    **also: bool,
) -> SourceOption:
    return SourceOption(key=key, parse=parse, expected=expected, help=doc, defaults=defaults, example=example, **also)


def _named(key: str, kind: type[StrEnum], doc: str, defaults: Mapping[SourceKind, str], example: str) -> SourceOption:
    return _option(key, kind, ", ".join(kind), doc, defaults, example)


_PATH: Final = "an absolute path of a file"
_SECONDS: Final = (parse_integer(1, 86_400), "a number of seconds up to 86400")
OF_LDAP: Final = (
    _option(
        "host",
        _matching(_HOST),
        "a host's name or address",
        "The LDAP server.",
        _ldap(),
        "ldap.example.com",
        is_needed=True,
    ),
    _named(
        "tls",
        LdapTls,
        "How the connection is made safe; none is for a server on this machine only.",
        _ldap("ldaps"),
        "starttls",
    ),
    _option(
        "port",
        parse_integer(1, 65_535),
        "a number from 1 to 65535",
        "The server's port: 636 with ldaps, else 389.",
        _ldap(),
        "636",
    ),
    _option(
        "base",
        _dn,
        "a DN",
        "The DN below which users are read.",
        _ldap(),
        "ou=people,dc=example,dc=com",
        is_needed=True,
    ),
    _option(
        "filter",
        _filter,
        "an LDAP filter in brackets",
        "Which entries are users.",
        _ldap(
            "(&(objectClass=inetOrgPerson)(mail=*))",
            ad="(&(objectCategory=person)(objectClass=user)(|(mail=*)(proxyAddresses=*)))",
        ),
        "(&(objectClass=inetOrgPerson)(mail=*)(mobile=*))",
    ),
    _named(
        "bind",
        BindMethod,
        "How we prove ourselves: a DN with its password, or our certificate.",
        _ldap("simple"),
        "external",
    ),
    _option(
        "bind_dn",
        _text,
        "a DN, or a name such as reader@example.com",
        "Whom we log in as, with bind=simple.",
        _ldap(),
        "cn=mail2sms,dc=example,dc=com",
    ),
    _option(
        "password_file",
        _file,
        _PATH,
        "The file with the password, in one line; never the password itself.",
        _ldap(),
        "/etc/mail2sms/ldap.secret",
        is_secret=True,
    ),
    _option(
        "ca_file",
        _file,
        _PATH,
        "The authorities that may have signed the server's certificate; the system's by default.",
        _ldap(),
        "/etc/mail2sms/ldap-ca.pem",
    ),
    _option(
        "certificate_file", _file, _PATH, "Our certificate, with bind=external.", _ldap(), "/etc/mail2sms/ldap.pem"
    ),
    _option(
        "key_file",
        _file,
        _PATH,
        "The key of our certificate, if it is not in the same file.",
        _ldap(),
        "/etc/mail2sms/ldap.key",
    ),
    _option(
        "pins",
        _words(_matching(_PIN)),
        "SHA-256 of public keys in base64, with commas",
        "The public keys of which the server must have one.",
        _ldap(),
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ),
    _option(
        "page_size",
        parse_integer(1, 100_000),
        "a number from 1 to 100000",
        "Entries of one page.",
        _ldap("500", ad="1000"),
        "500",
    ),
    _option("answer_seconds", *_SECONDS, "How long the server may be silent.", _ldap("30"), "60"),
    _option("deadline_seconds", *_SECONDS, "How long the whole reading may take.", _ldap("1800"), "3600"),
    _option(
        "ignored_referrals",
        _uris,
        "ldap:// URIs with blanks between them",
        "Referrals that the server gives and nobody needs.",
        _ldap(),
        "ldap://other.example.com/dc=example,dc=com",
    ),
    _option(
        "delta",
        DeltaMethod,
        ", ".join(DeltaMethod),
        "How changes are read between complete readings: syncrepl with openldap, usn or dirsync with active-directory.",
        _ldap("none", ad="usn"),
        "syncrepl",
    ),
)
_FILES: Final = {_FOLDER: ""}
OF_FOLDER: Final = (
    _option(
        "folder",
        _file,
        "an absolute path of a folder",
        "Where whole files are put.",
        _FILES,
        "/var/lib/mail2sms/in/example",
        is_needed=True,
    ),
    _option(
        "form",
        FileForm,
        ", ".join(FileForm),
        "What the files are; auto goes by their content and names. A list has the name of its file.",
        {_FOLDER: "auto"},
        "15-columns",
    ),
    _option(
        "delimiter",
        _delimiter,
        "a comma, a semicolon, | or tab",
        "What divides the columns; by default the header decides.",
        _FILES,
        ";",
    ),
    _option("encoding", _encoding, "an encoding", "That of a file that is not UTF-8.", {_FOLDER: "cp1252"}, "cp1252"),
    _option("end_marker", _text, "a text", "The last line, which proves a file whole.", _FILES, "#END#"),
    _option(
        "keep_days",
        parse_integer(0, 3_650),
        "a number of days",
        "How long files are kept once they were read.",
        {_FOLDER: "0"},
        "30",
    ),
    _option(
        "country",
        _country,
        "a country such as DE",
        "That of numbers without a plus; by default the customer's default_country.",
        _FILES,
        "DE",
    ),
    _option(
        "complete",
        parse_bool,
        "on or off",
        "Whether each file has all users, so that who is not in it is gone.",
        {_FOLDER: "on"},
        "off",
    ),
    _option(
        "authors",
        _words(_author),
        "addresses, @domains or *, with commas",
        "Who may write to the lists that the files are.",
        _FILES,
        "anna@example.com",
    ),
)
OF_GUARD: Final = (
    _option(
        "guard_percent",
        parse_integer(0, 100),
        "a number from 0 to 100",
        "A run that removes or changes more of the users waits for approval.",
        _all("10"),
        "5",
    ),
    _option(
        "guard_count",
        parse_integer(0, 1_000_000),
        "a number of users",
        "A run that removes or changes more users waits for approval.",
        _all("500"),
        "100",
    ),
)
_MINUTES: Final = (parse_integer(1, 525_600), "a number of minutes")
OF_ALL: Final = (
    _option("every", *_MINUTES, "Minutes between two readings.", _all("60"), "15"),
    _option("full_every", *_MINUTES, "Minutes between two complete readings.", _all("1440"), "720"),
    _option(
        "purge_days",
        parse_integer(1, 3_650),
        "a number of days from 1",
        "A user whose entry is gone for so long is removed.",
        _all("30"),
        "90",
    ),
    _option("active", parse_bool, "on or off", "Whether it is read on schedule.", _all("on"), "off"),
)

_EXPRESSION: Final = "an attribute, with others after || and transforms after |"
_AS_OPENLDAP: Final = {ADDRESS: "mail", NAME: "displayName || cn", PHONE: "mobile | number"}
_MAPPED_BY_DEFAULT: Final[Mapping[SourceKind, Mapping[str, str]]] = MappingProxyType(
    {
        _OPENLDAP: _AS_OPENLDAP,
        _FOLDER: _AS_OPENLDAP,
        _AD: {
            **_AS_OPENLDAP,
            ADDRESS: "proxyAddresses | primary || mail",
            ACTIVE: "userAccountControl | disabled || accountExpires | expires",
        },
    }
)
_MAPPED_HELP: Final = {
    ADDRESS: "The mail address of a user.",
    NAME: "The name of a user.",
    PHONE: "The number of a user's mobile, for lists and beside names.",
    ACTIVE: "Whether a user may send: on or off; nothing means on.",
    PROFILE: "The profile of a user; nothing means the customer's default one.",
}
_MAPPED_EXAMPLE: Final = {
    ADDRESS: "mail | lower",
    NAME: "displayName || cn",
    PHONE: "mobile | number",
    ACTIVE: "employeeStatus | map(active=on, *=off)",
    PROFILE: "department | map(Sales=Sales, *=Standard)",
}
OF_MAP: Final = tuple(
    _option(
        f"map.{name}",
        _expression,
        _EXPRESSION,
        _MAPPED_HELP.get(name) or FIELDS[name].doc,
        {kind: _MAPPED_BY_DEFAULT[kind].get(name, NOT_MAPPED) for kind in SourceKind},
        _MAPPED_EXAMPLE.get(name, "departmentNumber"),
        is_needed=name == ADDRESS,
    )
    for name in MAPPED
)
OF_GROUPS: Final = (
    _option(
        "profile.N",
        _rule,
        "GROUP-DN => PROFILE",
        "The members of a group get a profile; of several rules the lowest number counts.",
        _ldap(),
        "cn=sales,ou=groups,dc=example,dc=com => Sales",
    ),
    _option(
        "list.NAME",
        _dn,
        "a group's DN",
        "The members of a group are a distribution list.",
        _ldap(),
        "cn=crew,ou=groups,dc=example,dc=com",
    ),
    _option(
        "list.NAME.authors",
        _words(_author),
        "addresses, @domains or *, with commas",
        "Who may write to the list.",
        _ldap(),
        "anna@example.com",
    ),
)

SOURCE_OPTIONS: Final = (*OF_LDAP, *OF_FOLDER, *OF_MAP, *OF_GROUPS, *OF_GUARD, *OF_ALL)
"""Every option of a directory; N and NAME stand for a number and a list's name."""
