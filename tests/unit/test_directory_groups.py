"""Members of groups within groups: cycles, depth, ranges, and servers that cannot or will not follow groups themselves."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirsync.groups import DEEPEST, Groups, groups_of_filter, read_groups
from dirsync.source import ReadFault, ReadFaultCode, SearchRequest
from dirsync.strings import any_of, in_filter, is_within, normal_dn, out_of_filter
from tests.kit.fake_directory import IN_CHAIN, FakeDirectory

TOP = "DC=example,DC=org"
PEOPLE = f"OU=People,{TOP}"
EVERYBODY = "(objectClass=person)"


def user(name: str) -> str:
    return f"CN={name},{PEOPLE}"


def group(name: str) -> str:
    return f"CN={name},OU=Groups,{TOP}"


@pytest.fixture(params=[True, False], ids=["in-chain", "breadth-first"])
def directory(request):
    return filled(FakeDirectory(context=TOP, knows_chain=request.param))


def filled(directory: FakeDirectory) -> FakeDirectory:
    directory.add(PEOPLE, objectClass="organizationalUnit")
    for name in ("ann", "bob", "cid", "dan"):
        directory.add(user(name), objectClass="person", uid=name)
    return directory


def add_group(directory: FakeDirectory, name: str, *members: str, **more: str | list[str]) -> str:
    directory.add(group(name), objectClass="group", member=list(members), **more)
    return group(name)


def read(directory: FakeDirectory, *configured: str, search_filter: str = EVERYBODY) -> Groups:
    return read_groups(directory, PEOPLE, search_filter, configured)


def names_of(directory: FakeDirectory, groups: Groups) -> dict[str, set[str]]:
    return {name: set(groups.of(user(name))) for name in ("ann", "bob", "cid", "dan")}


def test_members_of_groups_within_a_group_are_its_members(directory):
    add_group(directory, "inner", user("bob"))
    add_group(directory, "middle", group("inner"), user("cid"))
    outer = add_group(directory, "outer", user("ann"), group("middle"))
    other = add_group(directory, "other", user("ann"))
    groups = read(directory, outer, other)
    assert names_of(directory, groups) == {"ann": {outer, other}, "bob": {outer}, "cid": {outer}, "dan": set()}


def test_groups_within_each_other_end(directory):
    one = add_group(directory, "one", group("two"), user("ann"))
    two = add_group(directory, "two", group("three"), user("bob"))
    add_group(directory, "three", group("one"), group("three"), user("cid"))
    groups = read(directory, one, two)
    assert names_of(directory, groups) == {"ann": {one, two}, "bob": {one, two}, "cid": {one, two}, "dan": set()}


def test_each_group_is_read_once_however_many_ways_lead_to_it(directory):
    add_group(directory, "shared", user("ann"))
    sides = [add_group(directory, f"side{number}", group("shared")) for number in range(5)]
    top = add_group(directory, "top", *sides)
    assert read(directory, top, *sides).of(user("ann")) == {top, *sides}
    bases = [normal_dn(request.base) for request in directory.requests]
    assert bases.count(normal_dn(group("shared"))) == 1


def test_groups_below_the_deepest_step_are_left_out_and_named(directory):
    for step in range(DEEPEST + 3):
        add_group(directory, f"step{step}", group(f"step{step + 1}"), user("ann") if step == DEEPEST else user("bob"))
    add_group(directory, f"step{DEEPEST + 3}", user("cid"))
    groups = read(directory, group("step0"))
    assert groups.too_deep == {normal_dn(group(f"step{DEEPEST + 1}"))}
    assert groups.of(user("ann"))
    assert not groups.of(user("cid"))


def test_a_server_that_does_not_know_the_rule_in_chain_answers_with_nothing_and_is_asked_breadth_first():
    for knows_chain in (True, False):
        directory = filled(FakeDirectory(context=TOP, knows_chain=knows_chain))
        add_group(directory, "inner", user("bob"))
        outer = add_group(directory, "outer", user("ann"), group("inner"))
        assert read(directory, outer).of(user("bob")) == {outer}
        asked = [request.filter for request in directory.requests if "objectClass=posixGroup" in request.filter]
        assert [IN_CHAIN in one for one in asked] == [knows_chain]


def test_a_server_for_which_the_rule_in_chain_takes_too_long_is_asked_breadth_first():
    directory = filled(FakeDirectory(context=TOP, knows_chain=True))
    add_group(directory, "inner", user("bob"))
    outer = add_group(directory, "outer", group("inner"))

    def give_up(request: SearchRequest) -> None:
        if IN_CHAIN in request.filter:
            raise ReadFault(ReadFaultCode.TIME_LIMIT, is_passing=True, entries=0)

    directory.before_search = give_up
    assert read(directory, outer).of(user("bob")) == {outer}


@pytest.mark.parametrize("values_at_once", [1, 2, 3, 1500])
def test_a_group_with_more_members_than_one_answer_has_is_read_to_its_end(values_at_once):
    directory = filled(FakeDirectory(context=TOP, values_at_once=values_at_once))
    members = [user(name) for name in ("ann", "bob", "cid", "dan")]
    large = add_group(directory, "large", *members)
    assert read(directory, large).members[large] == {normal_dn(member) for member in members}


def test_a_group_of_four_thousand_is_read_in_ranges_of_fifteen_hundred():
    directory = filled(FakeDirectory(context=TOP, values_at_once=1500))
    large = add_group(directory, "large", *(user(f"user{number}") for number in range(4000)))
    assert len(read(directory, large).members[large]) == 4000
    asked = [request.attributes for request in directory.requests if "range" in "".join(request.attributes)]
    assert asked == [("member;range=1500-*",), ("member;range=3000-*",)]


def test_a_group_that_shrinks_between_two_of_its_ranges_is_not_whole():
    directory = filled(FakeDirectory(context=TOP, values_at_once=2))
    large = add_group(directory, "large", *(user(name) for name in ("ann", "bob", "cid")))

    def shrink(request: SearchRequest) -> None:
        if "range" in "".join(request.attributes):
            directory.entries[large]["member"] = ()

    directory.before_search = shrink
    with pytest.raises(ReadFault) as fault:
        read(directory, large)
    assert fault.value.code is ReadFaultCode.GROUP_NOT_WHOLE
    assert fault.value.is_passing


def test_a_configured_group_that_is_not_there_is_a_fault_and_not_an_empty_one(directory):
    with pytest.raises(ReadFault) as fault:
        read(directory, group("renamed"))
    assert (fault.value.code, fault.value.facts) == (ReadFaultCode.NO_GROUP, {"group": group("renamed")})


def test_a_member_that_is_no_more_is_no_fault(directory):
    staff = add_group(directory, "staff", user("gone"), user("ann"), group("gone"))
    assert read(directory, staff).of(user("ann")) == {staff}


def test_a_posix_group_names_its_members_by_uid(directory):
    directory.add(group("posix"), objectClass="posixGroup", memberUid=["Ann", "bob", "unknown"])
    outer = add_group(directory, "outer", group("posix"))
    groups = read(directory, outer, group("posix"))
    assert names_of(directory, groups) == {
        "ann": {outer, group("posix")},
        "bob": {outer, group("posix")},
        "cid": set(),
        "dan": set(),
    }


def test_a_user_whose_primary_group_it_is_is_a_member_though_the_group_does_not_name_it(directory):
    directory.add(user("eve"), objectClass="person", primaryGroupID="513")
    everyone = add_group(directory, "everyone", primaryGroupToken="513")
    outer = add_group(directory, "outer", everyone, primaryGroupToken="1600")
    assert read(directory, outer).of(user("eve")) == {outer}


def test_the_digest_of_a_group_changes_with_its_members_and_with_nothing_else(directory):
    add_group(directory, "inner", user("bob"))
    outer = add_group(directory, "outer", user("ann"), group("inner"))
    other = add_group(directory, "other", user("dan"))
    before = read(directory, outer, other).digests
    directory.entries[outer]["member"] = directory.entries[outer]["member"][::-1]
    assert read(directory, outer, other).digests == before
    add_group(directory, "inner", user("bob"), user("cid"))
    after = read(directory, outer, other).digests
    assert after[outer] != before[outer]
    assert after[other] == before[other]


def test_groups_that_the_filter_names_have_a_digest_since_a_user_does_not_change_by_joining_one(directory):
    allowed = add_group(directory, "SMS (all)", user("ann"))
    written = f"(&{EVERYBODY}(memberOf:{IN_CHAIN}:={in_filter(allowed)}))"
    assert groups_of_filter(written) == (allowed,)
    assert groups_of_filter("(|(memberOf=*)(mail=*))") == ()
    groups = read(directory, search_filter=written)
    assert (set(groups.members), set(groups.digests)) == (set(), {allowed})


def test_without_any_group_nothing_is_asked(directory):
    assert read(directory) == Groups()
    assert not directory.requests


def test_a_group_without_members_has_none(directory):
    empty = add_group(directory, "empty")
    assert read(directory, empty).members == {empty: frozenset()}


@given(edges=st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30), knows_chain=st.booleans())
def test_any_groups_within_any_groups_give_the_users_that_a_walk_finds(edges, knows_chain):
    directory = filled(FakeDirectory(context=TOP, knows_chain=knows_chain, values_at_once=2))
    for number in range(7):
        directory.add(user(f"u{number}"), objectClass="person")
        below = [group(f"g{inner}") for outer, inner in sorted(edges) if outer == number]
        add_group(directory, f"g{number}", *below, user(f"u{number}"))
    groups = read(directory, group("g0"))
    reached, left = {0}, [0]
    while left:
        at = left.pop()
        new = {inner for outer, inner in edges if outer == at} - reached
        reached |= new
        left += new
    assert {number for number in range(7) if groups.of(user(f"u{number}"))} == reached


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=Ann Doe,DC=Example,DC=org", "cn=ann doe, dc=example , dc=org"),
        (r"CN=Doe\, Ann,DC=org", r"cn=Doe\2C Ann,dc=org"),
        (r"CN=M\C3\BCller,DC=org", "cn=Müller,dc=org"),
        ("CN=a+OU=b,DC=org", "ou=B + cn=A,DC=org"),
        (r"CN=a\+b,DC=org", r"cn=a\2bb,dc=org"),
        (r"CN=\#1 \"x\",DC=org", r"cn=\231 \22x\22,dc=org"),
        ("CN=two  spaces,DC=org", "CN=two spaces,DC=org"),
        (r"CN=back\\slash,DC=org", r"CN=back\5Cslash,DC=org"),
    ],
)
def test_all_spellings_of_a_name_are_one(one, other):
    assert normal_dn(one) == normal_dn(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"CN=a\,b,DC=org", "CN=a,b=,DC=org"),
        (r"CN=a\+OU\=b,DC=org", "CN=a+OU=b,DC=org"),
        ("CN=a,DC=org", "CN=a,DC=com"),
        (r"CN=a\\,DC=org", r"CN=a\,DC=org"),
    ],
)
def test_different_names_stay_different(one, other):
    assert normal_dn(one) != normal_dn(other)


def test_a_name_is_within_its_base_and_everything_is_within_no_base():
    base = normal_dn("DC=example,DC=org")
    assert is_within(base, base)
    assert is_within(normal_dn("CN=a,DC=example,DC=org"), base)
    assert is_within(base, "")
    assert not is_within(normal_dn("DC=notexample,DC=org"), base)


@given(name=st.text(max_size=40))
def test_any_text_as_a_name_has_one_spelling_that_stays(name):
    once = normal_dn(name)
    with suppress(UnicodeError):
        assert normal_dn(once) == once


@given(value=st.text(max_size=40))
def test_a_value_in_a_filter_is_only_that_value(value):
    written = in_filter(value)
    assert out_of_filter(written) == value
    assert not set("()*\\\0 \t\n") & set(written.replace("\\", "")) - set("0123456789abcdef")


def test_many_values_are_asked_for_a_hundred_at_once():
    filters = list(any_of("uid", [str(number) for number in range(250)]))
    assert [one.count("(uid=") for one in filters] == [100, 100, 50]
    assert list(any_of("uid", [])) == []
