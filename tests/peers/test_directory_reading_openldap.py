"""A real OpenLDAP server read as users: all of them, what changed, members of groups, and a look before."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from addressbook.changes import Reading, UserChange
from addressbook.source_options import read_options
from addressbook.sources import CustomerDirectory, DeltaMethod, GroupList, GroupRule, LdapSource, SourceKind
from dirsync.deltas import DoubtCode
from dirsync.reading import read, read_sample
from dirsync.source import ReadFault, ReadFaultCode
from tests.kit.slapd import GROUPS, PEOPLE, READER, Slapd, user_anchor, user_dn

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
USERS = 40
CREW, SALES = f"cn=crew,{GROUPS}", f"cn=sales,{GROUPS}"


def group(dn: str, *members: str) -> str:
    lines = "".join(f"member: {member}\n" for member in members)
    return f"dn: {dn}\nobjectClass: groupOfNames\n{lines}\n"


@pytest.fixture
def slapd() -> Iterator[Slapd]:
    entries = group(CREW, user_dn(1), user_dn(2)) + group(SALES, CREW, user_dn(3))
    with Slapd(users=USERS, entries=entries) as server:
        yield server


def directory_of(slapd: Slapd, **options: str) -> CustomerDirectory:
    usual = {
        "host": "127.0.0.1",
        "port": str(slapd.port),
        "tls": "none",
        "base": PEOPLE,
        "bind_dn": READER,
        "password_file": str(slapd.password_file),
        "map.cost_centre": "departmentNumber",
        "delta": "syncrepl",
        "page_size": "15",
    }
    made = read_options(SourceKind.OPENLDAP, usual | options, name="head-office")
    assert isinstance(made, CustomerDirectory), made
    return made


def read_now(directory: CustomerDirectory, cookie: str = "", *, full: bool = False) -> Reading:
    return read(directory, cookie, full=full, now=NOW, country="GB", pause=_not_again)


def _not_again(seconds: float) -> None:
    raise AssertionError(seconds)


def by_anchor(reading: Reading) -> dict[str, UserChange]:
    return {change.anchor: change for change in reading.changes}


def test_a_whole_directory_is_read_as_users(slapd):
    reading = read_now(directory_of(slapd))
    assert reading.complete
    assert (len(reading.changes), reading.faults, reading.faulty) == (USERS, (), frozenset())
    change = by_anchor(reading)[user_anchor(7)]
    assert (change.address, change.name, change.phone) == ("user7@example.com", "User Number 7", "447700900007")
    assert change.cells == {"cost_centre": "CC07"}
    assert reading.origin(change, "cost_centre") == "ldap:head-office:departmentNumber"


def test_a_changed_cost_centre_comes_alone_and_a_deleted_user_is_gone(slapd):
    directory = directory_of(slapd)
    cookie = read_now(directory).cookie
    slapd.replace(7, "departmentNumber", "4711")
    slapd.replace(8, "departmentNumber")
    slapd.change(f"dn: {user_dn(9)}\nchangetype: delete\n")
    reading = read_now(directory, cookie)
    assert not reading.complete
    assert {anchor: format_cell(change) for anchor, change in by_anchor(reading).items()} == {
        user_anchor(7): "4711",
        user_anchor(8): "<unset>",
    }
    assert reading.gone == {user_anchor(9)}
    assert read_now(directory, reading.cookie).changes == ()
    assert read_now(directory, reading.cookie, full=True).complete


@pytest.mark.parametrize(
    "csn", ["20200101000000.000000Z#000000#000#000000", "20990101000000.000000Z#000000#000#000000", "garbage"]
)
def test_a_stale_or_refused_cookie_makes_all_be_read_once_and_the_next_reading_is_a_delta(slapd, csn):
    directory = directory_of(slapd)
    kept = json.loads(read_now(directory).cookie)
    bad = json.dumps(kept | {"cookie": base64.b64encode(f"rid=000,csn={csn}".encode()).decode()})
    slapd.change(f"dn: {user_dn(9)}\nchangetype: delete\n")
    whole = read_now(directory, bad)
    assert whole.complete
    assert (len(whole.changes), whole.gone) == (USERS - 1, frozenset())
    slapd.replace(7, "departmentNumber", "4711")
    following = read_now(directory, whole.cookie)
    assert not following.complete
    assert set(by_anchor(following)) == {user_anchor(7)}


def format_cell(change: UserChange) -> str:
    return str(change.cells["cost_centre"])


def test_an_account_that_expires_without_a_change_of_its_entry_makes_all_be_read(slapd):
    directory = directory_of(slapd, **{"map.active": "employeeType | expires"})
    slapd.replace(7, "employeeType", "20261201000000Z")
    cookie = read_now(directory).cookie
    slapd.replace(8, "departmentNumber", "4711")
    beside = read_now(directory, cookie)
    assert not beside.complete
    midnight = datetime(2026, 12, 1, tzinfo=UTC)
    reading = read(directory, beside.cookie, full=False, now=midnight, pause=_not_again)
    assert reading.complete
    assert by_anchor(reading)[user_anchor(7)].active is False
    assert not read(directory, reading.cookie, full=False, now=midnight, pause=_not_again).complete


def test_an_entry_that_cannot_be_read_is_a_fault_and_counts_as_there(slapd):
    slapd.replace(5, "mobile", "+44 20 7946 0018")
    slapd.replace(6, "mail", "no address")
    reading = read_now(directory_of(slapd))
    assert reading.faulty == {user_anchor(5), user_anchor(6)}
    assert {(fault.entry, fault.column) for fault in reading.faults} == {(user_dn(5), "mobile"), (user_dn(6), "mail")}
    assert len(reading.changes) == USERS


def with_groups(slapd: Slapd) -> CustomerDirectory:
    return replace(
        directory_of(slapd),
        profiles=(GroupRule(group=SALES, profile="Sales"),),
        lists=(GroupList(group=CREW, name="crew", authors=("*",)),),
    )


def test_groups_within_groups_give_profiles_and_lists(slapd):
    reading = read_now(with_groups(slapd))
    profiles = {change.anchor: change.profile for change in reading.changes}
    assert [profiles[user_anchor(number)] for number in (1, 2, 3, 4)] == ["Sales", "Sales", "Sales", ""]
    (crew,) = reading.lists
    assert [member.number for member in crew.members] == ["447700900001", "447700900002"]
    assert crew.members[0].values["name"] == "User Number 1"


def test_a_change_beside_a_list_comes_alone_and_one_of_a_member_or_a_group_makes_all_be_read(slapd):
    directory = with_groups(slapd)
    cookie = read_now(directory).cookie
    slapd.replace(7, "departmentNumber", "4711")
    beside = read_now(directory, cookie)
    assert (beside.complete, len(beside.changes), beside.lists) == (False, 1, ())
    slapd.replace(1, "mobile", "+44 7700 900999")
    of_member = read_now(directory, beside.cookie)
    assert of_member.complete
    assert [member.number for member in of_member.lists[0].members] == ["447700900002", "447700900999"]
    slapd.change(f"dn: {CREW}\nchangetype: modify\nadd: member\nmember: {user_dn(4)}\n-\n")
    of_group = read_now(directory, of_member.cookie)
    assert of_group.complete
    assert len(of_group.lists[0].members) == 3


def test_a_directory_that_is_away_for_a_moment_is_read_after_all(slapd):
    directory = directory_of(slapd)
    slapd.stop()
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            slapd.start()

    assert len(read(directory, "", full=True, now=NOW, pause=pause).changes) == USERS
    assert waited == sorted(waited)


def test_a_directory_that_stays_away_is_a_fault_after_three_tries(slapd):
    directory = directory_of(slapd)
    slapd.stop()
    waited: list[float] = []
    with pytest.raises(ReadFault) as raised:
        read(directory, "", full=True, now=NOW, pause=waited.append)
    assert raised.value.code is ReadFaultCode.UNREACHABLE
    assert len(waited) == 2


def test_a_refused_password_is_tried_once(slapd):
    directory = directory_of(slapd)
    slapd.password_file.write_text("another one")
    with pytest.raises(ReadFault) as raised:
        read_now(directory)
    assert raised.value.code is ReadFaultCode.BIND_REFUSED


def test_a_look_shows_each_entry_as_a_user_with_what_is_missing(slapd):
    slapd.replace(1, "mobile")
    slapd.replace(2, "mobile", "12")
    slapd.replace(3, "departmentNumber")
    seen = read_sample(with_groups(slapd), now=NOW, country="GB", most=3)
    assert seen.doubt is None
    first, second, third = sorted(seen.users, key=lambda user: user.entry)
    assert first.entry == user_dn(1)
    assert first.values == {
        "address": "user1@example.com",
        "name": "User Number 1",
        "profile": "Sales",
        "cost_centre": "CC01",
    }
    assert first.origins["cost_centre"] == "departmentNumber"
    assert (first.missing, first.lists, first.faults) == ({"phone": "mobile"}, ("crew",), ())
    assert [fault.column for fault in second.faults] == ["mobile"]
    assert second.missing == {}
    assert third.missing == {"cost_centre": "departmentNumber"}


def test_a_look_says_that_a_server_does_not_tell_changes(slapd):
    directory = directory_of(slapd)
    assert isinstance(directory.source, LdapSource)
    other = replace(directory, source=replace(directory.source, delta=DeltaMethod.USN))
    doubt = read_sample(other, now=NOW).doubt
    assert doubt is not None
    assert doubt.code is DoubtCode.NOT_OFFERED
    assert read_now(other).cookie == ""


LEAST = "entry,objectClass,entryUUID,entryCSN,mail,displayName,cn,mobile,departmentNumber"


@pytest.mark.parametrize(("attributes", "changes"), [(LEAST, 1), (LEAST.replace("entryCSN,", ""), 3)])
def test_the_least_rights_are_enough_and_who_may_not_see_what_changed_reads_everything_each_time(attributes, changes):
    access = f'access to dn.subtree="{PEOPLE}" attrs={attributes} by dn.exact="{READER}" read\n'
    access += "access to attrs=userPassword by anonymous auth\naccess to * by * none\n"
    with Slapd(users=3, access=access, limits="size=unlimited time=unlimited") as server:
        directory = directory_of(server)
        first = read_now(directory, full=True)
        server.replace(2, "departmentNumber", "CC99")
        second = read_now(directory, first.cookie)
    assert [change.address for change in first.changes] == [f"user{number}@example.com" for number in (1, 2, 3)]
    assert (first.faults, len(second.changes)) == ((), changes)
    assert "CC99" in {change.cells["cost_centre"] for change in second.changes}
