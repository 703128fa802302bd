"""The customer's directory is an OpenLDAP server: it is read whole, or nothing of it is used."""

import pytest

from addressbook.sources import BindMethod, LdapTls, SourceKind
from dirsync.ldap import LdapReader
from tests.kit.slapd import Slapd, user_anchor, user_dn

ATTRIBUTES = ("mail", "mobile", "departmentNumber")


@pytest.fixture(scope="module")
def slapd():
    with Slapd(users=1234) as server:
        yield server


def read_all(source, attributes=ATTRIBUTES):
    with LdapReader(source, SourceKind.OPENLDAP, attributes) as reader:
        return {entry.anchor: entry for page in reader.read_all() for entry in page}


@pytest.mark.parametrize("tls", LdapTls)
def test_all_users_are_read_page_by_page_whatever_makes_the_connection_safe(slapd, tls):
    entries = read_all(slapd.source(tls, page_size=100))
    assert entries.keys() == {user_anchor(number) for number in range(1, 1235)}
    entry = entries[user_anchor(1234)]
    assert entry.dn == user_dn(1234)
    assert entry.attributes == {
        "mail": (b"user1234@example.com", b"u1234@example.com", b"user.1234@example.com"),
        "mobile": (b"+44 7700 900234",),
        "departmentnumber": (b"CC34",),
    }


def test_our_certificate_takes_the_place_of_a_password(slapd):
    source = slapd.source(
        LdapTls.STARTTLS,
        bind=BindMethod.EXTERNAL,
        bind_dn="",
        password_file="",
        certificate_file=str(slapd.certificate_file),
        key_file=str(slapd.key_file),
    )
    assert len(read_all(source)) == 1234
