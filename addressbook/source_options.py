"""The options of a customer's directory as they are typed and kept: KEY=VALUE, and the directory that they make.

What is kept is what was typed, so that a default stays a default. A password is no option: `password_file` names the
file that has it. Not here: which options there are (source_table), storing them (store.directories), the words for
faults (cli.directory_words).
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final

from addressbook.expressions import ExpressionError
from addressbook.lists import is_list_name
from addressbook.source_table import (
    MAPPED,
    NOT_MAPPED,
    OF_ALL,
    OF_FOLDER,
    OF_GROUPS,
    OF_LDAP,
    SOURCE_OPTIONS,
    SourceOption,
)
from addressbook.sources import (
    BindMethod,
    CustomerDirectory,
    DeltaMethod,
    FolderSource,
    GroupList,
    Guard,
    LdapSource,
    LdapTls,
    SourceKind,
)
from sms.facts import Code, Fact
from sms.setting_texts import is_loopback

_BY_KEY: Final[Mapping[str, SourceOption]] = MappingProxyType({option.key: option for option in SOURCE_OPTIONS})
_DELTAS: Final[Mapping[SourceKind, tuple[DeltaMethod, ...]]] = MappingProxyType(
    {
        SourceKind.OPENLDAP: (DeltaMethod.NONE, DeltaMethod.SYNCREPL),
        SourceKind.ACTIVE_DIRECTORY: (DeltaMethod.NONE, DeltaMethod.USN, DeltaMethod.DIRSYNC),
    }
)
_NEEDED_TO_BIND: Final[Mapping[BindMethod, tuple[str, ...]]] = MappingProxyType(
    {BindMethod.SIMPLE: ("bind_dn", "password_file"), BindMethod.EXTERNAL: ("certificate_file",)}
)


class OptionFaultCode(Code):
    """What is wrong with an option of a directory."""

    UNKNOWN = "unknown-directory-option", "key", "near", "known"
    OF_ANOTHER_KIND = "option-of-another-kind", "key", "kind"
    BAD_VALUE = "bad-directory-option", "key", "given", "expected"
    BAD_EXPRESSION = "bad-expression", "key", "given", "cause"
    MISSING = "missing-directory-option", "key", "help", "example"
    CLEAR_TEXT = "directory-in-clear-text", "host"


@dataclass(frozen=True, slots=True)
class OptionFault:
    """One fault of an option, with the facts of its code."""

    code: OptionFaultCode
    facts: Mapping[str, Fact]

    def __post_init__(self) -> None:
        self.code.check(self.facts)


def options_of(kind: SourceKind) -> tuple[SourceOption, ...]:
    """Return the options that a kind of directory has."""
    return tuple(option for option in SOURCE_OPTIONS if kind in option.defaults)


def _canonical_key(typed: str) -> str:
    """Return a key as it is kept: hyphens are as good as `_`, but in a list's name, where case counts too."""
    key = typed.strip()
    family, dot, rest = key.partition(".")
    if family.lower() == "list" and dot:
        name, _, last = rest.rpartition(".")
        return f"list.{name}.authors" if name and last.lower() == "authors" else f"list.{rest}"
    if family.lower() == "profile" and rest.isdecimal():
        return f"profile.{int(rest)}"
    return key.lower().replace("-", "_")


def _pattern_of(key: str) -> str:
    """Return the key in the table of a canonical key."""
    if key.startswith("list."):
        return "list.NAME.authors" if key.endswith(".authors") else "list.NAME"
    return "profile.N" if re.fullmatch(r"profile\.[0-9]{1,4}", key, re.ASCII) else key


def _nearest(key: str, kind: SourceKind) -> str:
    """Return the option that may be meant, or nothing; of a password the one that names its file."""
    if any(word in key for word in ("pass", "pw", "secret")):
        return "password_file"
    near = get_close_matches(key, [option.key for option in options_of(kind)], n=1, cutoff=0.55)
    return near[0] if near else ""


def _names_of(kind: SourceKind) -> tuple[str, ...]:
    """Return the options of a kind, those of the mapping as one."""
    keys = (re.sub(r"^map\..*", "map.FIELD", option.key) for option in options_of(kind))
    return tuple(dict.fromkeys(keys))


def merge_options(before: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the options after these texts were given; an empty text is the default again."""
    typed = {_canonical_key(key): text.strip() for key, text in given.items()}
    return {key: text for key, text in sorted({**before, **typed}.items()) if text}


def write_options(options: Mapping[str, str]) -> str:
    """Return options as they are stored."""
    return json.dumps(merge_options({}, options), ensure_ascii=False)


def load_options(stored: str) -> dict[str, str]:
    """Return the options that `write_options` wrote."""
    return {str(key): str(text) for key, text in json.loads(stored).items()}


def show_options(kind: SourceKind, options: Mapping[str, str]) -> dict[str, str]:
    """Return all options in force, as they would be typed: those that were given, and defaults that are not empty."""
    defaults = {option.key: option.defaults[kind] for option in options_of(kind)}
    said = {key: text for key, text in defaults.items() if text not in ("", NOT_MAPPED)}
    return said | merge_options({}, options)


def read_options(
    kind: SourceKind, options: Mapping[str, str], *, key: int = 0, customer_id: int = 0, name: str = ""
) -> CustomerDirectory | tuple[OptionFault, ...]:
    """Return the directory that these options make, or all that is wrong with them."""
    reader = _Reader(kind, merge_options({}, options))
    return tuple(reader.faults) or reader.directory(key, customer_id, name)


class _Reader:
    """Reads the options of one directory and gathers what is wrong."""

    def __init__(self, kind: SourceKind, given: Mapping[str, str]) -> None:
        self._kind = kind
        self._given = given
        self.faults: list[OptionFault] = []
        self._values = {key: value for key, text in self._texts() if (value := self._value(key, text)) is not None}
        self._check_needed()
        self._check_together()

    def directory(self, key: int, customer_id: int, name: str) -> CustomerDirectory:
        """Return the directory of options without faults."""
        values = self._values
        rules = {int(key[8:]): rule for key, rule in values.items() if key.startswith("profile.")}
        mapping = {each: values[f"map.{each}"] for each in MAPPED if f"map.{each}" in values}
        return CustomerDirectory(
            key=key,
            customer_id=customer_id,
            name=name,
            kind=self._kind,
            source=self._source(),
            mapping={each: text for each, text in mapping.items() if text != NOT_MAPPED},
            profiles=tuple(rules[number] for number in sorted(rules)),
            lists=tuple(self._lists()),
            guard=Guard(percent=values["guard_percent"], count=values["guard_count"]),
            **{option.key: values[option.key] for option in OF_ALL},
        )

    def _source(self) -> LdapSource | FolderSource:
        of_kind = OF_FOLDER if self._kind is SourceKind.FOLDER else OF_LDAP
        values = {option.key: self._values[option.key] for option in of_kind if option.key in self._values}
        if self._kind is SourceKind.FOLDER:
            return FolderSource(**values)
        return LdapSource(**{"port": 636 if values["tls"] is LdapTls.LDAPS else 389, **values})

    def _lists(self) -> Iterator[GroupList]:
        for key, group in self._values.items():
            if _pattern_of(key) == "list.NAME":
                yield GroupList(group=group, name=key[5:], authors=self._values.get(f"{key}.authors", ()))

    def _texts(self) -> Iterator[tuple[str, str]]:
        """Yield the options in force with their texts, and gather those that there are not."""
        for option in options_of(self._kind):
            if option not in OF_GROUPS:
                yield option.key, self._given.get(option.key) or option.defaults[self._kind]
        for key, text in self._given.items():
            known = _BY_KEY.get(_pattern_of(key))
            if known is None:
                near, known_ones = _nearest(key, self._kind), _names_of(self._kind)
                self._fault(OptionFaultCode.UNKNOWN, key=key[:80], near=near, known=known_ones)
            elif self._kind not in known.defaults:
                self._fault(OptionFaultCode.OF_ANOTHER_KIND, key=key, kind=self._kind.value)
            elif known in OF_GROUPS:
                yield key, text

    def _value(self, key: str, text: str) -> Any:
        option = _BY_KEY[_pattern_of(key)]
        if not text:
            return None
        try:
            if key.startswith("list.") and not is_list_name(key[5:].removesuffix(".authors")):
                return self._bad(key, key[5:], "a list's name: letters, digits, dots, _ and -")
            return option.parse(text)
        except ExpressionError as error:
            return self._fault(OptionFaultCode.BAD_EXPRESSION, key=key, given=text[:80], cause=str(error))
        except ValueError:
            return self._bad(key, "…" if option.is_secret else text, option.expected)

    def _check_needed(self) -> None:
        for option in options_of(self._kind):
            if option.is_needed and self._given.get(option.key, option.defaults[self._kind]) in ("", NOT_MAPPED):
                self._missing(option.key, option)
        bind = self._values.get("bind")
        for key in _NEEDED_TO_BIND.get(bind, ()) if bind is not None else ():
            if not self._given.get(key):
                self._missing(key, _BY_KEY[key])
        for key in self._given:
            if _pattern_of(key) == "list.NAME.authors" and key.removesuffix(".authors") not in self._given:
                self._missing(key.removesuffix(".authors"), _BY_KEY["list.NAME"])

    def _check_together(self) -> None:
        values = self._values
        if values.get("tls") is LdapTls.LOOPBACK_ONLY and not is_loopback(values.get("host", "localhost")):
            self._fault(OptionFaultCode.CLEAR_TEXT, host=values["host"])
        allowed = _DELTAS.get(self._kind, ())
        if "delta" in values and values["delta"] not in allowed:
            self._bad("delta", values["delta"].value, ", ".join(allowed))

    def _bad(self, key: str, given: str, expected: str) -> None:
        self._fault(OptionFaultCode.BAD_VALUE, key=key, given=given[:80], expected=expected)

    def _missing(self, key: str, option: SourceOption) -> None:
        self._fault(OptionFaultCode.MISSING, key=key, help=option.help, example=f"{key}={option.example}")

    def _fault(self, code: OptionFaultCode, **facts: Fact) -> None:
        self.faults.append(OptionFault(code, facts))


def options_digest(directory: CustomerDirectory) -> str:
    """Return the SHA-256 of what decides who is read, and as what: another one makes a run wait for approval."""
    source = directory.source
    if isinstance(source, LdapSource):
        read: tuple[str, ...] = (source.base, source.filter)
    else:
        read = (source.form, source.delimiter, source.encoding, source.country, str(source.complete))
    groups = (
        [(rule.group, rule.profile) for rule in directory.profiles],
        [(each.name, each.group) for each in directory.lists],
    )
    told = [directory.kind.value, read, sorted(directory.mapping.items()), groups]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()
