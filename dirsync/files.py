"""A file of users in any form → its rows and faults: a table, LDIF or vCards, as declared or as it shows.

An entry of LDIF is mapped as one that is read by LDAP. Not here: each form (addressbook.exchange, ldif, vcard), whether
a file is whole and which one is next (folder).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from addressbook.changes import ChangeFault, ChangeFaultCode, DamagedFileError, Reading, ReadList, UserChange
from addressbook.exchange import FileFormat, Rows, UserFile, read_user_file, take_last_line, whole_file
from addressbook.lists import is_list_name, members_of_table
from addressbook.sheets import decode_text, is_workbook
from addressbook.sources import CustomerDirectory, FileForm, FolderSource
from addressbook.table_file import read_table
from dirsync.folder import FolderFile, RefusedFileError
from dirsync.ldif import read_entries
from dirsync.mapping import Mapper
from dirsync.source import LdapEntry
from dirsync.vcard import read_vcard_file
from sms.facts import Fact
from sms.outcome import Refused

_ENDINGS: Final[Mapping[str, FileForm]] = MappingProxyType(
    {"ldif": FileForm.LDIF, "ldf": FileForm.LDIF, "vcf": FileForm.VCARD, "vcard": FileForm.VCARD}
)
_HEAD: Final = 4_000
_VCARD: Final = re.compile(r"\s*BEGIN:VCARD\s*$", re.IGNORECASE | re.MULTILINE)
_LDIF: Final = re.compile(r"(?:#[^\n]*\n(?: [^\n]*\n)*+|[ \t\r\n])*+(?:version: *1\s|dn::? )", re.IGNORECASE)
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


def read_users(  # noqa: PLR0913 - a file, how it is declared, and what its values depend on
    content: bytes, directory: CustomerDirectory, name: str, source: str, *, now: datetime, country: str
) -> UserFile:
    """Return what a file says of users, as the directory of a folder declares it; never raises.

    `source` is the file's name and time for people; `country` that of numbers without a plus, if the folder has none.
    """
    folder = directory.source
    assert isinstance(folder, FolderSource)
    country = folder.country or country
    declared = FileFormat(
        form=form_of(name, content) if folder.form is FileForm.AUTO else folder.form,
        delimiter=folder.delimiter,
        fallback=folder.encoding,
        end_marker=folder.end_marker,
        country=country,
    )
    match declared.form:
        case FileForm.VCARD:
            return read_vcard_file(content, declared, source)
        case FileForm.LDIF:
            mapper = Mapper(directory, now=now, country=country)
            return whole_file(content, source, lambda: _map(read_entries(content, declared), mapper))
        case _:
            return read_user_file(content, declared, source)


def _map(entries: Iterable[tuple[int, LdapEntry]], mapper: Mapper) -> Rows:
    rows: list[UserChange] = []
    faults: list[ChangeFault] = []
    faulty: set[str] = set()
    is_anybody = False
    for line, entry in entries:
        if not _is_person(entry):
            continue
        is_anybody = True
        mapped = mapper.read(entry, line)
        faults += mapped.faults
        if mapped.change.address:
            rows.append(mapped.change)
        if mapped.faults:
            faulty.add(entry.anchor or mapped.change.address)
    if not is_anybody:
        raise DamagedFileError(ChangeFaultCode.EMPTY)
    return Rows(rows, faults, faulty=faulty)


def _is_person(entry: LdapEntry) -> bool:
    """Return whether an entry is a person, as far as it says what it is: a dump has the tree above them, too."""
    classes = {value.decode("ascii", "replace").lower() for value in entry.attributes.get("objectclass", ())}
    return not classes or (not classes.isdisjoint(_PEOPLE) and "computer" not in classes)


def read_folder_file(file: FolderFile, directory: CustomerDirectory, *, now: datetime, country: str) -> Reading:
    """Return what a file of a watched folder says; raises RefusedFileError if nothing of it can be used."""
    source = directory.source
    assert isinstance(source, FolderSource)
    if source.form is FileForm.LIST:
        found = _read_list(file, source, source.country or country)
        return Reading(source=file.source, complete=False, lists=(found,), cookie=file.cookie)
    book = read_users(file.content, directory, file.name, file.source, now=now, country=country)
    if book.damaged:
        raise RefusedFileError(file.name, book.faults)
    return Reading(
        source=book.source,
        complete=source.complete,
        # A row without an anchor is known again by its address alone.
        changes=tuple(row if row.anchor else replace(row, anchor=row.address) for row in book.rows),
        faults=book.faults,
        faulty=book.faulty,
        lists=tuple(replace(item, authors=source.authors) for item in book.lists),
        cookie=file.cookie,
    )


def _read_list(file: FolderFile, source: FolderSource, country: str) -> ReadList:
    if not is_list_name(file.series):
        raise _refused(file, (0, ChangeFaultCode.BAD_LIST_NAME, {"given": file.series[:80]}))
    content = file.content
    try:
        if source.end_marker and not is_workbook(content):
            content = take_last_line(decode_text(content, source.encoding), source.end_marker).encode()
    except DamagedFileError as damaged:
        raise RefusedFileError(file.name, [damaged.fault]) from None
    table = read_table(content)
    if isinstance(table, Refused):
        raise _refused(file, (0, ChangeFaultCode.BAD_TABLE, {"cause": table.detail}))
    members, bad = members_of_table(table, country)
    if bad:
        code = ChangeFaultCode.BAD_NUMBER
        raise _refused(file, *((line, code, {"given": text[:80], "cause": why}) for line, text, why in bad))
    return ReadList(name=file.series, members=members, authors=source.authors)


def _refused(file: FolderFile, *faults: tuple[int, ChangeFaultCode, Mapping[str, Fact]]) -> RefusedFileError:
    return RefusedFileError(
        file.name, [ChangeFault(place=line, code=code, facts=facts) for line, code, facts in faults]
    )
