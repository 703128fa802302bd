"""The customer's directory is an OpenLDAP server: it is read whole, or nothing of it is used."""

from datetime import timedelta

import pytest

from addressbook.sources import BindMethod, LdapTls, SourceKind
from dirsync.ldap import LdapReader
from dirsync.source import ReadFault, ReadFaultCode, SearchRequest, SearchScope
from tests.kit.mail_servers import issue
from tests.kit.slapd import GROUPS, PEOPLE, READER, SUFFIX, UNLIMITED, Slapd, user_anchor, user_dn

ATTRIBUTES = ("mail", "mobile", "departmentNumber")


GROUP = f"""\
dn: cn=Löwen (1*),{GROUPS}
objectClass: groupOfNames
cn: Löwen (1*)
member: {user_dn(1)}
member: {user_dn(2)}
"""


@pytest.fixture(scope="module")
def slapd():
    with Slapd(users=1234, entries=GROUP) as server:
        yield server


@pytest.fixture
def limited(slapd):
    """Restart the server with other options for one test."""
    yield slapd.restart
    slapd.restart(limits=UNLIMITED, service="", identity=issue(slapd.authority, addresses=("127.0.0.1",)))


def read_all(source, meanwhile=lambda: None):
    """Return all entries by anchor; `meanwhile` is done after each page."""
    entries = []
    with LdapReader(source, SourceKind.OPENLDAP, ATTRIBUTES) as reader:
        for page in reader.read_all():
            entries += page
            meanwhile()
    found = {entry.anchor: entry for entry in entries}
    assert len(found) == len(entries)
    return found


def fault_of(source, meanwhile=lambda: None):
    with pytest.raises(ReadFault) as raised:
        read_all(source, meanwhile)
    return raised.value


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


@pytest.mark.parametrize(
    ("limits", "fault"),
    [
        ("size.soft=1000 size.hard=1000", ReadFaultCode.SIZE_LIMIT),
        ("size.soft=unlimited size.hard=unlimited size.prtotal=1000", ReadFaultCode.SIZE_LIMIT),
        ("size.soft=unlimited size.hard=unlimited size.pr=100", ReadFaultCode.ADMIN_LIMIT),
        ("size.soft=unlimited size.hard=unlimited size.prtotal=disabled", ReadFaultCode.ADMIN_LIMIT),
    ],
    ids=["of all searches", "of all pages", "of each page", "no paging"],
)
def test_a_size_limit_of_the_server_makes_the_reading_incomplete(slapd, limited, limits, fault):
    limited(limits=limits)
    found = fault_of(slapd.source())
    assert found.code == fault
    assert fault is not ReadFaultCode.ADMIN_LIMIT or found.facts["page_size"] == 500


def test_pages_within_the_limit_of_the_server_are_read(slapd, limited):
    limited(limits="size.soft=unlimited size.hard=unlimited size.pr=100 size.prtotal=unlimited")
    assert len(read_all(slapd.source(page_size=100))) == 1234


def test_a_base_that_is_missing_is_a_fault_of_the_configuration(slapd):
    found = fault_of(slapd.source(base=f"ou=moved,{SUFFIX}"))
    assert (found.code, found.facts) == (ReadFaultCode.NO_BASE, {"base": f"ou=moved,{SUFFIX}"})


def test_a_wrong_password_is_refused_and_nothing_is_read(slapd, tmp_path):
    (tmp_path / "wrong").touch(0o600)
    (tmp_path / "wrong").write_text("what nobody knows")
    found = fault_of(slapd.source(password_file=str(tmp_path / "wrong")))
    assert (found.code, found.facts) == (
        ReadFaultCode.BIND_REFUSED,
        {"name": READER, "result": "49 invalidCredentials"},
    )


def test_a_server_that_ends_while_it_is_read_makes_the_reading_incomplete(slapd):
    found = fault_of(slapd.source(), meanwhile=slapd.stop)
    slapd.start()
    assert (found.code, found.is_passing) == (ReadFaultCode.CUT, True)


def test_an_entry_that_is_renamed_while_it_is_read_comes_once(slapd):
    def rename(dn, name):
        slapd.change(f"dn: {dn}\nchangetype: modrdn\nnewrdn: uid={name}\ndeleteoldrdn: 1")

    def rename_some():
        for number in (2, 1200):
            rename(user_dn(number), "renamed")
            rename(f"uid=renamed,{PEOPLE}", f"user{number}")

    assert len(read_all(slapd.source(page_size=400), meanwhile=rename_some)) == 1234


@pytest.mark.parametrize("tls", [LdapTls.LDAPS, LdapTls.STARTTLS])
def test_a_certificate_of_the_server_that_has_expired_ends_the_reading(slapd, limited, tls):
    start, end = timedelta(days=-9), timedelta(days=-2)
    limited(identity=issue(slapd.authority, addresses=("127.0.0.1",), start=start, end=end))
    found = fault_of(slapd.source(tls))
    assert (found.code, found.facts["cause"]) == (ReadFaultCode.TLS_FAILED, "certificate has expired")


def test_a_server_that_demands_tls_refuses_a_bind_in_clear(slapd, limited):
    limited(service="security tls=128")
    assert fault_of(slapd.source()).code == ReadFaultCode.BIND_REFUSED
    assert len(read_all(slapd.source(LdapTls.STARTTLS))) == 1234


def test_an_entry_is_read_by_its_name_and_others_by_a_filter(slapd):
    with LdapReader(slapd.source(), SourceKind.OPENLDAP, ()) as reader:
        name = f"cn=Löwen (1*),{GROUPS}"
        ((group,),) = reader.search(SearchRequest(base=name, scope=SearchScope.BASE, attributes=("member",)))
        assert (group.dn, len(group.anchor)) == (name, 36)
        assert group.attributes == {"member": (user_dn(1).encode(), user_dn(2).encode())}
        (found,) = reader.search(SearchRequest(base=SUFFIX, filter=r"(cn=Löwen \281\2a\29)"))
        assert [entry.anchor for entry in found] == [group.anchor]
        (few,) = reader.search(SearchRequest(base=PEOPLE, filter="(|(uid=user1)(uid=user5)(uid=user1235))"))
        assert [entry.dn for entry in few] == [user_dn(1), user_dn(5)]
        answer = reader.ask(SearchRequest(base=PEOPLE, attributes=("mail",), most=3))
        assert (answer.code, len(answer.found)) == (4, 3)


def test_a_sample_is_read_without_the_rest(slapd):
    with LdapReader(slapd.source(), SourceKind.OPENLDAP, ATTRIBUTES) as reader:
        assert [len(page) for page in reader.read_all(most=10)] == [10]
        assert reader.entries == 10
