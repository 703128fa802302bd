"""Writes docs/directory-options.md from the tables of options and transforms: `python -m … FILE` (make example)."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from addressbook.expressions import TRANSFORMS, Circumstances, parse_expression
from addressbook.source_table import (
    MAPPED,
    NOT_MAPPED,
    OF_ALL,
    OF_FOLDER,
    OF_GROUPS,
    OF_GUARD,
    OF_LDAP,
    OF_MAP,
    SourceOption,
)
from addressbook.sources import SourceKind

HEAD = """\
# Options of a directory

All that `mail2sms dirsync add` and `mail2sms dirsync set` take as KEY=VALUE. Written by `make example`; a test keeps it true.
An empty value is the default again. A password is never a value: `password_file` names the file that has it.
"""
MAPPING = """\
## What an entry says of a user

`map.FIELD=EXPRESSION` says where a field of a user comes from. FIELD is `address`, `name`, `phone`, `active`, `profile`
or any setting of [explain.md](explain.md), such as `map.cost_centre=departmentNumber`. `map.FIELD=-` takes a default away.

A field that is not mapped stays as it is. A mapped one whose attribute is absent is unset: what the directory said
before goes, and the user inherits. The value `<none>` ends the inheritance. What cannot be read is a fault of the
entry: its user keeps all that it has, and the customer's administrator is told.

The profile of the first group (`profile.N`) counts; `map.profile` counts where there is none. A user has one address:
further values of `mail`, and the addresses with `smtp:` in small letters, are not used.
"""
LANGUAGE = """\
## Expressions

- `mobile` is an attribute, in any case; `dn` is the name of the entry. `"text"` is this text.
- `displayName || cn` is the first of them that has a value.
- `mail | lower` changes the value; several changes go from left to right, and each belongs to its part between `||`.
- Of several values the first that is left counts, in the order of the server.

In a REGEX no group in brackets is repeated, and two of `*` and `+` is the most: so it ends soon, whatever the value is.
"""
NAMES = {SourceKind.OPENLDAP: "openldap", SourceKind.ACTIVE_DIRECTORY: "active-directory", SourceKind.FOLDER: "folder"}
EXAMPLES = [
    ("displayName || cn", {"cn": ["Anna Doe"]}),
    ('departmentNumber || "none"', {}),
    ("mobile | number", {"mobile": ["07700 900123"]}),
    ("mail | last | lower", {"mail": ["anna@example.com", "Anna.Doe@Example.com"]}),
    ("proxyAddresses | primary", {"proxyAddresses": ["smtp:a@example.com", "SMTP:anna@example.com"]}),
    ("ou | map(Sales=4711, *=9000)", {"ou": ["sales"]}),
    ("memberOf | match(^CN=SMS-([^,]+))", {"memberOf": ["CN=All,DC=x", "CN=SMS-Sales,DC=x"]}),
    ("dn | match(OU=([^,]+))", {"dn": ["CN=Anna,OU=Sales,DC=example,DC=com"]}),
    ("employeeType | map(left=off, *=on)", {"employeeType": ["left"]}),
    ("userAccountControl | disabled || accountExpires | expires", {"userAccountControl": ["514"]}),
]


def options_reference() -> str:
    """Return the document."""
    parts = [
        HEAD,
        "## Every directory\n",
        _table((*OF_ALL, *OF_GUARD)),
        "## LDAP servers: openldap and active-directory\n",
        _table(OF_LDAP),
        "## Folders\n",
        _table(OF_FOLDER),
        "## Groups\n",
        _table(OF_GROUPS),
        MAPPING,
        _table(option for option in OF_MAP if option.key.removeprefix("map.") in MAPPED[:5]),
        LANGUAGE,
        "\n".join(_transforms()),
        "Examples, with the numbers of a customer whose default country is GB:\n",
        "\n".join(_examples()),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _table(options: Iterable[SourceOption]) -> str:
    rows = ["| Option | Default | What it is for | Example |", "| --- | --- | --- | --- |"]
    for option in options:
        needed = " **Needed.**" if option.is_needed else ""
        rows.append(f"| `{option.key}` | {_default(option)} | {_cell(option.help)}{needed} | {_code(option.example)} |")
    return "\n".join(rows) + "\n"


def _default(option: SourceOption) -> str:
    texts = {text for text in option.defaults.values() if text not in ("", NOT_MAPPED)}
    if len(texts) == 1 and len(set(option.defaults.values())) == 1:
        return _code(texts.pop())
    shown = {kind: text for kind, text in option.defaults.items() if text not in ("", NOT_MAPPED)}
    return "<br>".join(f"{_code(text)} ({NAMES[kind]})" for kind, text in shown.items())


def _transforms() -> Iterator[str]:
    yield "| Transform | What becomes of a value |"
    yield "| --- | --- |"
    for name, transform in TRANSFORMS.items():
        written = f"{name}({transform.argument})" if transform.argument else name
        yield f"| `{written}` | {_cell(transform.doc)} |"


def _examples() -> Iterator[str]:
    around = Circumstances(now=datetime(2026, 11, 30, tzinfo=UTC), country="GB")
    yield "| Expression | Entry | Value |"
    yield "| --- | --- | --- |"
    for text, entry in EXAMPLES:
        raw = {name.lower(): tuple(value.encode() for value in values) for name, values in entry.items()}
        found = parse_expression(text).read(raw, around)
        said = "<br>".join(_code(f"{name}: {value}") for name, values in entry.items() for value in values)
        yield f"| {_code(text)} | {said} | {_code(found.text) if found else ''} |"


def _code(text: str) -> str:
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(options_reference(), encoding="utf-8")
