"""dirsync.ldif: dumps of directories, as `ldapsearch`, `slapcat` and `ldifde` write them, and what is refused."""

import base64
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addressbook.changes import DamagedFileError
from addressbook.exchange import FileFormat
from cli.words import FILE_FAULTS, say
from dirsync.ldif import read_entries
from dirsync.source import LdapEntry

GUID = uuid.UUID("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
LDAPSEARCH = """\
# extended LDIF
#
# LDAPv3, a comment that is
  folded
version: 1

# anna, people, example.com
dn: uid=anna,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: top
cn:: SsO2cmcgTcO8bGxlcg==
mail: anna@example.com
mail: a.keller@example.com
description: a long line
  that is folded
mobile;x-work:+44 7700 900123
entryUUID: F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6

dn:: dWlkPWLDtmIsZGM9ZXhhbXBsZQ==
mail:
mail;lang-de: bob@example.com

# search result
search: 2
result: 0 Success

# numResponses: 3
# numEntries: 2
"""
LDIFDE = f"""\
dn: CN=Anna Keller,CN=Users,DC=example,DC=com
changetype: add
mail: anna@example.com
objectGUID:: {base64.b64encode(GUID.bytes_le).decode()}
"""


def read(text: str | bytes, **declared: str) -> list[tuple[int, LdapEntry]]:
    return list(read_entries(text if isinstance(text, bytes) else text.encode(), FileFormat(**declared)))  # type: ignore[arg-type]


def test_a_dump_of_ldapsearch_is_read() -> None:
    (line, anna), (_, bob) = read(LDAPSEARCH)
    assert (line, anna.dn, anna.anchor) == (8, "uid=anna,ou=people,dc=example,dc=com", str(GUID))
    assert anna.attributes["cn"] == ("Jörg Müller".encode(),)
    assert anna.attributes["mail"] == (b"anna@example.com", b"a.keller@example.com")
    assert anna.attributes["description"] == (b"a long line that is folded",)
    assert anna.attributes["mobile;x-work"] == (b"+44 7700 900123",)
    assert (bob.dn, bob.anchor) == ("uid=böb,dc=example", "")
    assert bob.attributes == {"mail": (b"",), "mail;lang-de": (b"bob@example.com",)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_dump_of_active_directory_is_read(encoding: str) -> None:
    ((line, entry),) = read(LDIFDE.encode(encoding))
    assert (line, entry.anchor, entry.attributes["mail"]) == (1, str(GUID), (b"anna@example.com",))
    assert "changetype" not in entry.attributes


def test_the_version_may_stand_at_the_first_entry() -> None:
    ((line, entry),) = read("version: 1\ndn: uid=a\nmail: a@example.com\n")
    assert (line, entry.dn) == (2, "uid=a")


def test_an_end_marker_proves_a_dump_whole() -> None:
    assert len(read(LDIFDE + "\n# END\n", end_marker="# END")) == 1


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("", 0, "it is empty"),
        ("version: 1\n", 0, "it is empty"),
        ("version: 2\n\ndn: uid=a\n", 1, "'2' is no known version"),
        ("name,e-mail\nAnna,anna@example.com\n", 1, "'name,e-mail' is nothing of LDIF"),
        ("mail: anna@example.com\n", 1, "'mail: anna@example.com' is nothing of LDIF"),
        ("dn: uid=a\ndn: uid=b\n", 2, "'dn: uid=b' is nothing of LDIF"),
        ("dn: uid=a\nmail:: not base64!\n", 2, "is nothing of LDIF"),
        ("dn: uid=a\nmail:: YW5uY\n", 2, "is nothing of LDIF"),
        ("dn: uid=a\njpegPhoto:< file:///etc/passwd\n", 2, "jpegPhoto is the address of a file, which is not read"),
        ("dn: uid=a\ncontrol: 1.2.840.113556.1.4.805 true\nchangetype: delete\n", 2, "is nothing of LDIF"),
        ("dn: uid=a\nchangetype: delete\n", 2, "it is a change (delete)"),
        ("dn: uid=a\nchangetype: modify\nreplace: mail\nmail: x\n-\n", 5, "is nothing of LDIF"),
        ("dn: uid=a\nchangetype: modrdn\nnewrdn: uid=b\n", 2, "it is a change (modrdn)"),
        (LDAPSEARCH.replace("result: 0 Success", "result: 4 Size limit exceeded"), 24, "4 Size limit exceeded"),
        (LDAPSEARCH.replace("result: 0 Success", ""), 24, "ended early"),
        ("dn: uid=a\nmail: a\0\n", 0, "NUL characters"),
    ],
)
def test_a_dump_that_cannot_be_trusted_gives_nothing(text: str, line: int, told: str) -> None:
    with pytest.raises(DamagedFileError) as damaged:
        read(text)
    fault = damaged.value.fault
    assert fault.place == line
    assert told in say(FILE_FAULTS, fault.code, fault.facts)


def test_a_dump_without_its_end_marker_is_cut() -> None:
    with pytest.raises(DamagedFileError):
        read(LDIFDE, end_marker="# END")


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from(LDAPSEARCH.splitlines()), max_size=20).map(lambda lines: "\n".join(lines).encode())
)
def test_any_bytes_give_entries_or_a_fault(content: bytes) -> None:
    try:
        entries = read(content)
    except DamagedFileError:
        return
    assert entries
    assert all(entry.dn is not None for _, entry in entries)
