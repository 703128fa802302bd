"""Changes of a real OpenLDAP server, by its content synchronisation (RFC 4533)."""

import base64
import json
from collections.abc import Iterator, Mapping

import pytest

from addressbook.sources import DeltaMethod, LdapSource, SourceKind
from dirsync.deltas import Delta, Doubt, DoubtCode, first_cookie, read_delta
from dirsync.groups import read_groups
from dirsync.ldap import LdapReader
from tests.kit.slapd import GROUPS, PEOPLE, Slapd, user_anchor, user_dn

USERS = 300
EVERYBODY = "(objectClass=inetOrgPerson)"
NO_GROUPS: Mapping[str, str] = {}
ATTRIBUTES = ("mail", "mobile", "departmentNumber")


@pytest.fixture
def slapd() -> Iterator[Slapd]:
    with Slapd(users=USERS) as server:
        yield server


def source_of(slapd: Slapd, search_filter: str) -> LdapSource:
    return slapd.source(delta=DeltaMethod.SYNCREPL, filter=search_filter)


def begin(slapd: Slapd, groups: Mapping[str, str] = NO_GROUPS, search_filter: str = EVERYBODY) -> str:
    source = source_of(slapd, search_filter)
    with LdapReader(source, SourceKind.OPENLDAP, ATTRIBUTES) as reader:
        cookie = first_cookie(reader, source, groups)
    assert isinstance(cookie, str), cookie
    return cookie


def delta(
    slapd: Slapd, cookie: str, groups: Mapping[str, str] = NO_GROUPS, search_filter: str = EVERYBODY
) -> Delta | Doubt:
    source = source_of(slapd, search_filter)
    with LdapReader(source, SourceKind.OPENLDAP, ATTRIBUTES) as reader:
        return read_delta(reader, source, ATTRIBUTES, groups, cookie)


def changed(slapd: Slapd, cookie: str, search_filter: str = EVERYBODY) -> Delta:
    found = delta(slapd, cookie, search_filter=search_filter)
    assert isinstance(found, Delta), found
    return found


def doubt_of(
    slapd: Slapd, cookie: str, groups: Mapping[str, str] = NO_GROUPS, search_filter: str = EVERYBODY
) -> DoubtCode:
    found = delta(slapd, cookie, groups, search_filter)
    assert isinstance(found, Doubt), found
    return found.code


def with_csn(cookie: str, csn: bytes) -> str:
    """Return a cookie that stands for another moment or server."""
    return json.dumps(json.loads(cookie) | {"cookie": base64.b64encode(b"rid=000,csn=" + csn).decode()})


def delete(*numbers: int) -> list[str]:
    return [f"dn: {user_dn(number)}\nchangetype: delete\n" for number in numbers]


def set_value(number: int, attribute: str, value: str) -> str:
    return f"dn: {user_dn(number)}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n-\n"


def test_a_hundred_changes_and_ten_deletions_come_alone_and_the_changed_whole(slapd):
    cookie = begin(slapd)
    slapd.change(*(set_value(number, "departmentNumber", "CC99") for number in range(1, 101)))
    slapd.change(*delete(*range(201, 211)))
    found = changed(slapd, cookie)
    assert {entry.anchor for entry in found.entries} == {user_anchor(number) for number in range(1, 101)}
    assert found.gone == {user_anchor(number) for number in range(201, 211)}
    for entry in found.entries:
        assert entry.attributes["departmentnumber"] == (b"CC99",)
        assert len(entry.attributes["mail"]) == 3
    again = changed(slapd, found.cookie)
    assert (again.entries, again.gone, again.cookie) == ((), frozenset(), found.cookie)


def test_a_value_that_is_gone_is_absent_from_the_changed_entry_and_the_others_are_there(slapd):
    cookie = begin(slapd)
    slapd.replace(7, "mobile")
    (entry,) = changed(slapd, cookie).entries
    assert sorted(entry.attributes) == ["departmentnumber", "mail"]


def test_a_user_who_is_added_or_renamed_is_a_change_with_the_same_anchor(slapd):
    cookie = begin(slapd)
    slapd.change(f"dn: {user_dn(8)}\nchangetype: modrdn\nnewrdn: uid=married\ndeleteoldrdn: 1\n")
    slapd.change(f"dn: uid=new,{PEOPLE}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: New\nsn: New\nuid: new\n")
    found = changed(slapd, cookie)
    assert {entry.dn for entry in found.entries} == {f"uid=married,{PEOPLE}", f"uid=new,{PEOPLE}"}
    assert user_anchor(8) in {entry.anchor for entry in found.entries}
    assert not found.gone


def test_a_user_who_no_longer_matches_the_filter_or_leaves_the_base_is_gone(slapd):
    meant = f"(&{EVERYBODY}(!(departmentNumber=none)))"
    cookie = begin(slapd, search_filter=meant)
    slapd.change(set_value(9, "departmentNumber", "none"))
    slapd.change(f"dn: {user_dn(10)}\nchangetype: modrdn\nnewrdn: uid=user10\ndeleteoldrdn: 0\nnewsuperior: {GROUPS}\n")
    found = changed(slapd, cookie, meant)
    assert found.gone == {user_anchor(9), user_anchor(10)}
    assert not found.entries


def test_a_cookie_that_is_stale_makes_the_server_send_everything_and_asks_for_a_complete_reading(slapd):
    cookie = begin(slapd)
    stale = with_csn(cookie, b"20200101000000.000000Z#000000#000#000000")
    slapd.change(*delete(1))
    assert doubt_of(slapd, stale) is DoubtCode.ALL_AGAIN
    assert changed(slapd, begin(slapd)).entries == ()


def test_a_restart_after_which_the_server_cannot_name_what_is_gone_asks_for_a_complete_reading(slapd):
    cookie = begin(slapd)
    slapd.change(*delete(1), set_value(2, "mobile", "+44 7700 900002"))
    slapd.restart()
    slapd.change(set_value(3, "mobile", "+44 7700 900003"))
    assert doubt_of(slapd, cookie) is DoubtCode.ALL_AGAIN


def test_a_restart_without_any_change_keeps_the_cookie_good(slapd):
    cookie = begin(slapd)
    slapd.restart()
    slapd.change(set_value(3, "mobile", "+44 7700 900003"))
    assert [entry.anchor for entry in changed(slapd, cookie).entries] == [user_anchor(3)]


def test_a_cookie_from_after_a_restored_backup_is_refused_and_asks_for_a_complete_reading(slapd):
    future = with_csn(begin(slapd), b"20990101000000.000000Z#000000#000#000000")
    assert doubt_of(slapd, future) is DoubtCode.REFUSED


def test_a_server_that_requires_a_refresh_asks_for_a_complete_reading(slapd):
    slapd.restart(overlay="syncprov-reloadhint TRUE")
    cookie = begin(slapd)
    stale = with_csn(cookie, b"20200101000000.000000Z#000000#000#000000")
    slapd.change(*delete(1))
    refused = delta(slapd, stale)
    assert isinstance(refused, Doubt)
    assert (refused.code, str(refused.facts["result"]).split()[0]) == (DoubtCode.REFUSED, "4096")
    assert changed(slapd, begin(slapd)).entries == ()


def test_a_cookie_of_another_server_never_passes_the_whole_content_off_as_a_delta(slapd):
    cookie = begin(slapd)
    moment = json.loads(cookie)
    other = with_csn(cookie, b"20260101000000.000000Z#000000#0aa#000000")
    assert doubt_of(slapd, other) in {DoubtCode.OTHER_SERVER, DoubtCode.ALL_AGAIN}
    for garbage in ("AAE=", "Z2FyYmFnZQ==", ""):
        assert doubt_of(slapd, json.dumps(moment | {"cookie": garbage})) is DoubtCode.NO_COOKIE
    assert doubt_of(slapd, json.dumps(moment | {"server": "ldap.example.net:389"})) is DoubtCode.OTHER_SERVER
    assert doubt_of(slapd, json.dumps(moment | {"method": "usn"})) is DoubtCode.OTHER_METHOD
    for text in ("", "{}", "[]", "1", "not a cookie", json.dumps(moment | {"cookie": 1})):
        assert doubt_of(slapd, text) is DoubtCode.NO_COOKIE


def test_a_server_that_ends_a_delta_at_its_size_limit_asks_for_a_complete_reading(slapd):
    slapd.restart(limits="size.soft=20 size.hard=20 size.pr=unlimited size.prtotal=unlimited")
    cookie = begin(slapd)
    slapd.change(*(set_value(number, "departmentNumber", "CC99") for number in range(1, 11)))
    found = changed(slapd, cookie)
    assert len(found.entries) == 10
    slapd.change(*(set_value(number, "departmentNumber", "CC98") for number in range(1, 31)))
    assert doubt_of(slapd, found.cookie) is DoubtCode.TOO_MANY


def test_a_server_without_content_synchronisation_says_that_it_offers_none(slapd):
    with LdapReader(slapd.source(), SourceKind.OPENLDAP, ATTRIBUTES) as reader:
        refused = first_cookie(reader, slapd.source(base="cn=Subschema", delta=DeltaMethod.SYNCREPL), {})
    assert isinstance(refused, Doubt)
    assert refused.code is DoubtCode.NOT_OFFERED


def test_members_of_a_group_who_changed_ask_for_a_complete_reading(slapd):
    staff = f"cn=staff,{GROUPS}"
    slapd.change(f"dn: {staff}\nchangetype: add\nobjectClass: groupOfNames\ncn: staff\nmember: {user_dn(1)}\n")

    def digests() -> Mapping[str, str]:
        with LdapReader(slapd.source(), SourceKind.OPENLDAP, ()) as reader:
            return read_groups(reader, PEOPLE, "(objectClass=inetOrgPerson)", [staff]).digests

    before = digests()
    cookie = begin(slapd, before)
    assert isinstance(delta(slapd, cookie, digests()), Delta)
    slapd.change(f"dn: {staff}\nchangetype: modify\nadd: member\nmember: {user_dn(2)}\n")
    assert doubt_of(slapd, cookie, digests()) is DoubtCode.GROUPS_CHANGED
    assert doubt_of(slapd, cookie) is DoubtCode.GROUPS_CHANGED


def test_nested_groups_with_a_cycle_and_a_posix_group_are_read_from_a_server_that_does_not_follow_them():
    def dn(name: str) -> str:
        return f"cn={name},{GROUPS}"

    def nested(name: str, *members: str) -> str:
        lines = "".join(f"member: {member}\n" for member in members)
        return f"dn: {dn(name)}\nobjectClass: groupOfNames\ncn: {name}\n{lines}\n"

    posix = (
        f"dn: {dn('posix')}\nobjectClass: posixGroup\ncn: posix\ngidNumber: 1\nmemberUid: user3\nmemberUid: nobody\n"
    )
    entries = nested("outer", user_dn(1), dn("inner"), dn("posix")) + nested("inner", dn("outer"), user_dn(2)) + posix
    with Slapd(users=5, entries=entries, schemas=("nis",)) as slapd:
        source = slapd.source(page_size=2)
        with LdapReader(source, SourceKind.OPENLDAP, ()) as reader:
            groups = read_groups(reader, source.base, source.filter, [dn("outer"), dn("inner")])
    both = {dn("outer"), dn("inner")}
    assert [set(groups.of(user_dn(number))) for number in range(1, 6)] == [both, both, both, set(), set()]
