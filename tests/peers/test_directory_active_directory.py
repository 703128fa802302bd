"""A real domain controller, Samba's: what is read of it, what changed, and who is in which group."""

import json
from collections.abc import Mapping
from itertools import count
from uuid import UUID

import pytest

from addressbook.sources import DeltaMethod, LdapTls, SourceKind
from dirsync.deltas import Delta, Doubt, DoubtCode, first_cookie, read_delta
from dirsync.groups import Groups, read_groups
from dirsync.ldap import LdapReader
from dirsync.source import LdapEntry, ReadFault, ReadFaultCode
from tests.kit.samba import DOMAIN, READER, REPLICATOR, USERS, SambaDomain, account, group

ATTRIBUTES = ("mail", "mobile", "userAccountControl")
STAFF, LEFT = f"OU=Staff,{DOMAIN}", f"OU=Left,{DOMAIN}"
NO_GROUPS: Mapping[str, str] = {}
_NUMBERS = count(1)


@pytest.fixture(scope="session")
def domain(samba_domain: SambaDomain) -> SambaDomain:
    for name in ("Staff", "Left"):
        samba_domain.add_unit(name)
    return samba_domain


@pytest.fixture(params=[DeltaMethod.DIRSYNC, DeltaMethod.USN], ids=["dirsync", "usn"])
def directory(domain: SambaDomain, request: pytest.FixtureRequest) -> "Directory":
    return Directory(domain, request.param)


class Directory:
    """The domain as it is read with one way to tell changes."""

    def __init__(self, domain: SambaDomain, delta: DeltaMethod) -> None:
        self.domain = domain
        self.delta = delta

    def add(self, **attributes: str) -> str:
        """Add a user whose name no other test has; return the DN."""
        name = f"user{next(_NUMBERS)}"
        self.domain.change(account(name, STAFF, **{"mail": f"{name}@example.com", **attributes}))
        return f"CN={name},{STAFF}"

    def anchor(self, dn: str) -> str:
        return entries_of(self.domain, base=dn)[0].anchor

    def begin(self, who: str = REPLICATOR) -> str:
        source = self.domain.source(STAFF, account=who, delta=self.delta)
        with LdapReader(source, SourceKind.ACTIVE_DIRECTORY, ATTRIBUTES) as reader:
            cookie = first_cookie(reader, source, NO_GROUPS)
        assert isinstance(cookie, str), cookie
        return cookie

    def read(self, cookie: str, who: str = REPLICATOR, search_filter: str = USERS) -> Delta | Doubt:
        source = self.domain.source(STAFF, account=who, delta=self.delta, search_filter=search_filter)
        with LdapReader(source, SourceKind.ACTIVE_DIRECTORY, ATTRIBUTES) as reader:
            return read_delta(reader, source, ATTRIBUTES, NO_GROUPS, cookie)

    def changed(self, cookie: str, who: str = REPLICATOR, search_filter: str = USERS) -> Delta:
        found = self.read(cookie, who, search_filter)
        assert isinstance(found, Delta), found
        return found

    def doubt(self, cookie: str) -> DoubtCode:
        found = self.read(cookie)
        assert isinstance(found, Doubt), found
        return found.code


def entries_of(
    domain: SambaDomain, *, base: str = STAFF, search_filter: str = USERS, tls: LdapTls = LdapTls.LDAPS
) -> list[LdapEntry]:
    source = domain.source(base, search_filter=search_filter, tls=tls)
    with LdapReader(source, SourceKind.ACTIVE_DIRECTORY, ATTRIBUTES) as reader:
        return [entry for page in reader.read_all() for entry in page]


def groups_of(domain: SambaDomain, *configured: str) -> Groups:
    source = domain.source(STAFF)
    with LdapReader(source, SourceKind.ACTIVE_DIRECTORY, ()) as reader:
        return read_groups(reader, source.base, source.filter, configured)


@pytest.mark.parametrize("tls", [LdapTls.LDAPS, LdapTls.STARTTLS])
def test_users_are_read_over_verified_tls_with_their_object_guid(domain, tls):
    domain.change(account(f"tls-{tls}", STAFF, mail="tls@example.com"))
    (entry,) = entries_of(domain, tls=tls, search_filter=f"(&{USERS}(cn=tls-{tls}))")
    assert str(UUID(entry.anchor)) == entry.anchor
    assert (entry.attributes["mail"], entry.attributes["useraccountcontrol"]) == ((b"tls@example.com",), (b"544",))


def test_a_domain_that_requires_signing_refuses_the_password_in_clear(domain):
    with pytest.raises(ReadFault) as fault:
        entries_of(domain, tls=LdapTls.LOOPBACK_ONLY)
    assert fault.value.code is ReadFaultCode.BIND_REFUSED
    assert str(fault.value.facts["result"]).startswith("8 ")


def test_the_whole_domain_is_read_though_it_refers_to_its_configuration(domain):
    names = {entry.dn for entry in entries_of(domain, base=DOMAIN)}
    assert {f"CN={READER},CN=Users,{DOMAIN}", f"CN=Administrator,CN=Users,{DOMAIN}"} <= names


def test_changed_attributes_come_with_all_others_and_a_cleared_one_is_absent(directory):
    one, other, untouched = (directory.add(mobile="+44 7700 900001") for _ in range(3))
    cookie = directory.begin()
    directory.domain.set(one, "mobile", "+44 7700 900002")
    directory.domain.set(other, "mobile")
    found = directory.changed(cookie)
    values = {entry.dn: (entry.attributes.get("mobile"), "mail" in entry.attributes) for entry in found.entries}
    assert values == {one: ((b"+44 7700 900002",), True), other: (None, True)}
    assert directory.anchor(untouched) not in found.gone
    again = directory.changed(found.cookie)
    assert (again.entries, again.gone) == ((), frozenset())


def test_a_disabled_account_is_a_change_of_its_bit_and_gone_where_the_filter_leaves_it_out(directory):
    one = directory.add()
    enabled = f"(&{USERS}(!(userAccountControl:1.2.840.113556.1.4.803:=2)))"
    cookie = directory.begin()
    directory.domain.set(one, "userAccountControl", "546")
    (entry,) = directory.changed(cookie).entries
    assert (entry.dn, entry.attributes["useraccountcontrol"]) == (one, (b"546",))
    assert directory.changed(cookie, search_filter=enabled).gone == {entry.anchor}
    assert one not in {other.dn for other in entries_of(directory.domain, search_filter=enabled)}


def test_a_user_who_is_renamed_or_moved_within_the_base_keeps_the_anchor(directory):
    one = directory.add()
    anchor, cookie = directory.anchor(one), directory.begin()
    name = f"CN=Married {next(_NUMBERS)}"
    directory.domain.move(one, name, STAFF)
    assert [(entry.anchor, entry.dn) for entry in directory.changed(cookie).entries] == [(anchor, f"{name},{STAFF}")]


def test_a_user_who_is_deleted_or_moved_out_of_the_base_is_gone(directory):
    deleted, moved = directory.add(), directory.add()
    anchors, cookie = {directory.anchor(deleted), directory.anchor(moved)}, directory.begin()
    directory.domain.delete(deleted)
    directory.domain.move(moved, moved.partition(",")[0], LEFT)
    found = directory.changed(cookie)
    assert anchors <= found.gone
    assert not found.entries


@pytest.mark.slow
def test_an_account_without_the_right_to_replicate_sees_changes_but_no_deletion(directory):
    deleted, changed = directory.add(), directory.add()
    anchor, cookie = directory.anchor(deleted), directory.begin(READER)
    directory.domain.delete(deleted)
    directory.domain.set(changed, "mobile", "+44 7700 900003")
    found = directory.changed(cookie, READER)
    assert [entry.dn for entry in found.entries] == [changed]
    assert anchor not in found.gone


def test_a_renamed_branch_whose_entries_did_not_change_asks_for_a_complete_reading(directory):
    unit = directory.domain.add_unit(f"Unit {next(_NUMBERS)}", STAFF)
    cookie = directory.begin()
    directory.domain.move(unit, unit.partition(",")[0], LEFT)
    assert directory.doubt(cookie) is DoubtCode.BRANCH_CHANGED


def test_a_cookie_of_another_domain_controller_or_of_one_restored_asks_for_a_complete_reading(directory):
    kept = json.loads(directory.begin())
    for server in (kept["server"].replace("CN=DC1,", "CN=DC2,"), kept["server"][:-4] + "0000"):
        assert server != kept["server"]
        assert directory.doubt(json.dumps(kept | {"server": server})) is DoubtCode.OTHER_SERVER


def test_a_cookie_that_the_domain_controller_refuses_asks_for_a_complete_reading(domain):
    dirsync = Directory(domain, DeltaMethod.DIRSYNC)
    garbage = json.dumps(json.loads(dirsync.begin()) | {"cookie": "Z2FyYmFnZQ=="})
    assert dirsync.doubt(garbage) is DoubtCode.REFUSED


def test_a_number_above_the_highest_of_the_domain_controller_asks_for_a_complete_reading(domain):
    usn = Directory(domain, DeltaMethod.USN)
    above = json.dumps(json.loads(usn.begin()) | {"cookie": "OTk5OTk5OTk5"})
    assert usn.doubt(above) is DoubtCode.WENT_BACK


def test_a_hundred_changes_and_ten_deletions_come_alone(directory):
    names = [f"many{next(_NUMBERS)}" for _ in range(120)]
    directory.domain.change(*(account(name, STAFF, mail=f"{name}@example.com") for name in names))
    by_dn = {entry.dn: entry.anchor for entry in entries_of(directory.domain)}
    users, cookie = [f"CN={name},{STAFF}" for name in names], directory.begin()
    directory.domain.change(
        *(f"dn: {dn}\nchangetype: modify\nreplace: mobile\nmobile: +44 7700 900004\n-\n" for dn in users[:100])
    )
    directory.domain.delete(*users[100:110])
    found = directory.changed(cookie)
    assert {entry.dn for entry in found.entries} == set(users[:100])
    assert {by_dn[dn] for dn in users[100:110]} == found.gone & set(by_dn.values())


def test_nested_groups_are_followed_by_the_server_with_a_cycle_and_a_primary_group(domain):
    domain.change(*(account(name, STAFF) for name in ("in-inner", "in-outer", "in-none")))
    inner, outer = f"CN=inner,{STAFF}", f"CN=outer,{STAFF}"
    domain.change(group("inner", STAFF, f"CN=in-inner,{STAFF}"), group("outer", STAFF, f"CN=in-outer,{STAFF}", inner))
    everyone = f"CN=Domain Users,CN=Users,{DOMAIN}"
    groups = groups_of(domain, outer, inner, everyone)
    found = {name: groups.of(f"CN={name},{STAFF}") for name in ("in-inner", "in-outer", "in-none")}
    assert found == {"in-inner": {outer, inner, everyone}, "in-outer": {outer, everyone}, "in-none": {everyone}}
    domain.join(inner, f"CN=in-none,{STAFF}", outer)
    after = groups_of(domain, outer, inner, everyone)
    assert {name for name in after.digests if after.digests[name] != groups.digests[name]} == {outer, inner}
