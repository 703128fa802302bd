"""A file of users in any form → its rows and faults: a table, LDIF or vCards, as declared or as it shows.

Not here: each form (addressbook.exchange, ldif, vcard), whether a file is whole (folder).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from addressbook.changes import ChangeFaultCode, DamagedFileError
from addressbook.exchange import FileFormat, Rows, UserFile, read_user_file, whole_file
from addressbook.sources import FileForm
from dirsync.ldif import read_entries
from dirsync.source import LdapEntry
from dirsync.vcard import read_vcard_file

OfEntries = Callable[[Iterable[tuple[int, LdapEntry]]], Rows]
"""What entries say of users, each with the line at which it begins."""

_ENDINGS: Final[Mapping[str, FileForm]] = MappingProxyType(
    {"ldif": FileForm.LDIF, "ldf": FileForm.LDIF, "vcf": FileForm.VCARD, "vcard": FileForm.VCARD}
)
_HEAD: Final = 4_000
_VCARD: Final = re.compile(r"\s*BEGIN:VCARD\s*$", re.IGNORECASE | re.MULTILINE)
_LDIF: Final = re.compile(r"(?:#[^\n]*\n|[ \t\r\n])*(?:version: *1\s|dn::? )", re.IGNORECASE)
_PEOPLE: Final = frozenset({"person", "organizationalperson", "inetorgperson", "user", "contact", "account"})


def form_of(name: str, content: bytes) -> FileForm:
    """Return the form of a file: by its content, else by the ending of its name; AUTO for a table of either kind."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    head = content[:_HEAD].decode(encoding, "replace")
    if _VCARD.match(head):
        return FileForm.VCARD
    if _LDIF.match(head):
        return FileForm.LDIF
    return _ENDINGS.get(name.rpartition(".")[2].lower(), FileForm.AUTO)


def read_file(content: bytes, declared: FileFormat, name: str, source: str, of_entries: OfEntries) -> UserFile:
    """Return what a file says of users; never raises but LookupError for an unknown encoding."""
    form = form_of(name, content) if declared.form is FileForm.AUTO else declared.form
    declared = replace(declared, form=form)
    if form is FileForm.VCARD:
        return read_vcard_file(content, declared, source)
    if form is FileForm.LDIF:
        return whole_file(content, source, lambda: of_entries(_people(content, declared)))
    return read_user_file(content, declared, source)


def _people(content: bytes, declared: FileFormat) -> Iterable[tuple[int, LdapEntry]]:
    """Return the entries that are people, as far as they say what they are: a dump has the tree above them, too."""
    found = list(read_entries(content, declared))
    people = [(line, entry) for line, entry in found if _is_person(entry)]
    if not people:
        raise DamagedFileError(ChangeFaultCode.EMPTY)
    return people


def _is_person(entry: LdapEntry) -> bool:
    classes = {value.decode("ascii", "replace").lower() for value in entry.attributes.get("objectclass", ())}
    return not classes or (not classes.isdisjoint(_PEOPLE) and "computer" not in classes)
