"""Runs of a directory on a real database: in force at once or not at all, held, approved, stale, and swept."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from addressbook.changes import ChangeFaultCode, ReadList
from addressbook.exchange import UserFile
from addressbook.hierarchy import LayerKey, LayerKind
from addressbook.lists import ListMember
from addressbook.runs import Reason, RunMode, RunState, RunUnderWay
from addressbook.sources import Guard
from gateway.admin.customers import add_customer
from gateway.admin.domains import add_domain
from gateway.admin.faults import FaultCode
from gateway.admin.profiles import add_profile, remove_profile
from gateway.admin.settings import UserScope, set_settings
from gateway.admin.user_import import export_users, import_users, preview_import
from gateway.admin.users import add_user, remove_user, set_user_active, set_user_profile
from gateway.directory_sync import SyncRun
from store.awaited_runs import find_ready, read_awaited, users_of_run
from store.directories import add_directory
from store.directory import NOTHING_AWAITED, refresh
from store.directory_changes import DirectoryChanges
from store.directory_lookup import count_users
from store.directory_runs import find_run, read_lines, runs_of, switch
from tests.kit.store_harness import steps
from tests.kit.sync_harness import OPTIONS, SyncHarness, entry, reading_of

PEOPLE = [entry("anna", cost_centre="4711", profile="Sales"), entry("bert", cost_centre="4712"), entry("cleo")]
MANY = [entry(f"u{number:03}") for number in range(30)]


@pytest.fixture
def world(database_url: str) -> Iterator[SyncHarness]:
    made = SyncHarness(database_url)
    yield made
    made.close()


def states(world):
    return [run.state for run in world.look(runs_of, world.directory.key)]


def rows(world, what):
    return world.database.read_now(lambda tx: tx.value(f"SELECT COUNT(*) FROM {what}"))


def test_a_run_puts_everybody_in_force_with_settings_origins_cookie_and_audit(world):
    result = world.full(*PEOPLE)
    assert (result.state, result.counts["add"]) == (RunState.APPLIED, 3)
    anna = world.users()["anna"]
    assert (anna.name, anna.profile_id is not None, anna.may_send) == ("Anna", True, True)
    directory, layers = world.load()
    sender = directory.user("anna@example.com")
    (origin,) = [item[2] for item in world.in_force()[0][0][5]]
    assert origin == "ldap:head-office:departmentNumber"
    assert layers.has_cells(sender.key)
    stored = world.stored()
    assert (stored.cookie, stored.digest != "", stored.full_at is not None) == ("c3", True, True)
    audit = world.audit()
    assert sum(item["action"] == "sync.add" for item in audit) == 3
    assert [item["target"] for item in audit if item["action"] == "sync.apply"] == ["head-office"]


def test_reading_the_same_again_changes_nothing_but_where_the_next_delta_begins(world):
    world.full(*PEOPLE)
    before = world.version, world.in_force()
    assert world.run(reading_of(*PEOPLE, cookie="next")).state is RunState.UNCHANGED
    assert (world.version, world.in_force(), world.stored().cookie) == (*before, "next")


def test_a_reader_that_follows_sees_what_one_sees_that_reads_everything(world):
    world.full(*MANY)
    seen = world.load()
    world.delta(entry("u001", cost_centre="5"), entry("new", anchor="anchor-of-u002"), gone=["anchor-of-u003"])
    followed, whole = world.look(refresh, *seen), world.load()
    for directory, layers in (followed, whole):
        assert directory.user("u002@example.com") is None
        assert not directory.user("u003@example.com").may_send
        assert layers.has_cells(directory.user("u001@example.com").key)
    assert followed[0].users() == whole[0].users()
    seen = followed
    world.full(*MANY[4:])  # sweeps what was in force when the reader looked
    world.full(*MANY[4:])
    assert world.look(refresh, *seen)[0].users() == world.load()[0].users()


def test_what_a_run_stages_is_seen_by_nobody_until_it_is_in_force(world):
    world.full(*MANY)
    before = world.in_force()
    result = world.full(*MANY[:10])
    assert result.state is RunState.APPLIED, "once unseen is nothing"
    result = world.full(*MANY[:10])
    assert result.state is RunState.HELD
    assert [reason.code for reason in result.held_for] == ["removals"]
    assert world.in_force() == before
    assert sum(item["action"] == "sync.missing" for item in world.audit()) == 0


def test_approving_puts_exactly_the_held_difference_in_force_once(world):
    world.full(*MANY)
    world.full(*MANY[:10])
    held = world.full(*MANY[:10])
    shown = world.look(read_lines, held.key, 100)
    done = world.approve(held.digest[:8])
    assert (done.state, done.key) == (RunState.APPLIED, held.key)
    assert {name for name, user in world.users().items() if not user.may_send} == {f"u{n:03}" for n in range(10, 30)}
    lines = [item for item in world.audit() if item["action"] == "sync.missing"]
    assert (len(lines), len({line.target for line in shown})) == (len(shown), 20)
    version = world.version
    assert world.approve(held.digest[:8]).state is RunState.APPLIED
    assert world.version == version, "approved twice is in force once"
    assert world.sync.approve(held.digest[:7], "anna") is None, "seven digits are too few"
    assert world.sync.approve("f" * 64, "anna") is None
    assert world.look(find_run, held.key).approved_by == "anna"


def test_an_approval_that_breaks_leaves_the_run_waiting(world):
    many = [entry(f"user{number}") for number in range(600)]
    world.full(*many)
    held = world.delta(gone=[item.anchor for item in many])
    world.sync.pause = lambda _: 1 / 0
    with pytest.raises(ZeroDivisionError):
        world.approve(held.digest)
    world.sync.pause = lambda _: None
    assert world.approve(held.digest).state is RunState.APPLIED


def test_the_same_difference_read_again_goes_on_waiting_under_its_digest(world):
    world.full(*MANY)
    world.full(*MANY[:10])
    held = world.full(*MANY[:10])
    again = world.full(*MANY[:10])
    assert (again.state, again.key, again.digest) == (RunState.HELD, held.key, held.digest)
    assert world.approve(held.digest).state is RunState.APPLIED


def test_a_newer_difference_takes_the_place_of_one_that_waits(world):
    world.full(*MANY)
    world.full(*MANY[:10])
    first = world.full(*MANY[:10])
    second = world.full(*MANY[:9])
    assert (second.state, second.digest != first.digest) == (RunState.HELD, True)
    assert world.approve(first.digest).state is RunState.DISCARDED
    assert all(user.may_send for user in world.users().values())
    assert world.approve(second.digest).state is RunState.APPLIED
    assert not world.users()["u010"].may_send


def test_what_waits_is_given_up_once_the_directory_is_as_the_address_book_again(world):
    world.full(*MANY)
    held = world.delta(gone=[item.anchor for item in MANY[:20]])
    assert held.state is RunState.HELD
    assert world.full(*MANY).state is RunState.UNCHANGED
    assert world.approve(held.digest).state is RunState.DISCARDED
    assert all(user.may_send for user in world.users().values())


@pytest.mark.parametrize(
    "edit",
    [
        lambda world: world.do(set_user_active, "u020@example.com", active=False),
        lambda world: world.do(set_user_profile, "u020@example.com", "Sales"),
        lambda world: world.do(remove_user, "u020@example.com"),
        lambda world: world.configure(filter="(mail=*@example.com)"),
    ],
    ids=["stopped", "profile", "removed", "options of the directory"],
)
def test_a_held_run_is_stale_once_what_it_changes_was_changed_by_somebody_else(world, edit):
    world.full(*MANY)
    world.full(*MANY[:10])
    held = world.full(*MANY[:10])
    edit(world)
    before = world.in_force()
    assert world.approve(held.digest).state is RunState.STALE
    assert world.in_force() == before
    assert world.full(*MANY[:10]).state is RunState.HELD, "it is planned again"


def test_an_edit_of_somebody_whom_a_held_run_leaves_alone_does_not_make_it_stale(world):
    world.full(*MANY)
    world.full(*MANY[:10])
    held = world.full(*MANY[:10])
    world.do(set_user_active, "u001@example.com", active=False)
    world.do(set_settings, UserScope("u020@example.com"), {"language": "de"})
    assert world.approve(held.digest).state is RunState.APPLIED
    users = world.users()
    assert (users["u001"].active, users["u020"].may_send) == (False, False)


def test_a_profile_that_a_held_run_gives_is_removed_only_at_the_price_of_the_run(world):
    world.do(add_profile, "Example", "Spare")
    world.full(*MANY)
    moved = [replace(item, profile="Spare") for item in MANY]
    held = world.full(*moved)
    assert held.state is RunState.HELD
    world.do(remove_profile, "Example", "Spare")
    assert world.approve(held.digest).state is RunState.STALE


def test_an_address_that_a_held_run_awaits_is_nobody_elses(world):
    world.do(add_customer, "Other")
    world.full(*MANY)
    world.full(*MANY[:10], entry("zoe"))
    held = world.full(*MANY[:10], entry("zoe"), entry("yara"))
    assert held.state is RunState.HELD
    code, facts = world.refuse(add_user, "Other", "yara@example.com")
    assert (code, facts["address"]) == (FaultCode.ADDRESS_AWAITED, "yara@example.com")
    assert world.refuse(add_domain, "Other", "example.com")[0] is FaultCode.DOMAIN_HAS_STRANGERS
    assert world.approve(held.digest).state is RunState.APPLIED
    assert "yara" in world.users()


def test_a_dry_run_shows_the_difference_and_changes_nothing(world):
    world.full(*PEOPLE)
    before = world.version, world.in_force(), rows(world, "mail_user")
    shown = world.full(entry("dora"), dry_run=True)
    assert (shown.state, [line.target for line in shown.lines if line.action == "sync.add"]) == (
        RunState.DISCARDED,
        ["dora@example.com"],
    )
    assert (world.version, world.in_force(), rows(world, "mail_user")) == before
    assert world.full(entry("dora")).digest == shown.digest


def test_changed_options_hold_the_next_run_whatever_it_changes(world):
    world.full(*PEOPLE)
    world.configure(filter="(mail=*@example.com)")
    held = world.full(*PEOPLE, entry("dora"))
    assert [reason.code for reason in held.held_for] == ["options-changed"]
    assert world.approve(held.digest).state is RunState.APPLIED
    assert world.full(*PEOPLE, entry("dora"), entry("emil")).state is RunState.APPLIED


def test_many_small_runs_within_a_day_are_held_as_one_large_one_would_be(world):
    everybody = [entry(f"p{number:03}") for number in range(100)]
    world.full(*everybody)
    gone = [item.anchor for item in everybody]
    assert world.delta(gone=gone[:9]).state is RunState.APPLIED
    held = world.delta(gone=gone[9:18])
    assert (held.state, held.held_for[0].facts["earlier"]) == (RunState.HELD, 9)
    assert world.approve(held.digest).state is RunState.APPLIED
    assert world.delta(gone=gone[18:26]).state is RunState.APPLIED, "somebody looked: counted from there"
    world.at += timedelta(days=1)
    assert world.delta(gone=gone[26:33]).state is RunState.APPLIED


def test_an_entry_that_is_back_gets_its_user_back_with_key_pins_and_logins(world):
    world.full(*PEOPLE)
    key = world.users()["anna"].key
    world.do(set_settings, UserScope("anna@example.com"), {"language": "de"})
    world.delta(gone=["anchor-of-anna"])
    assert not world.users()["anna"].may_send
    world.delta(entry("anna"))
    anna = world.users()["anna"]
    assert (anna.key, anna.may_send) == (key, True)


def test_a_user_who_is_missing_for_long_enough_is_removed_with_its_settings(world):
    world.full(*PEOPLE)
    world.delta(gone=["anchor-of-anna"])
    world.at += timedelta(days=world.directory.purge_days, hours=1)
    world.full(*PEOPLE[1:])
    assert "anna" not in world.users()
    assert [item["target"] for item in world.audit() if item["action"] == "sync.purge"] == ["anna@example.com"]


def test_a_deleted_and_recreated_entry_is_a_new_user_and_the_old_one_ends_with_it(world):
    world.full(*PEOPLE)
    before = world.users()["anna"].key
    world.do(set_settings, UserScope("anna@example.com"), {"language": "de"})
    world.full(entry("anna", anchor="another"), *PEOPLE[1:])
    assert world.users()["anna"].key != before
    world.full(entry("anna", anchor="another"), *PEOPLE[1:])
    assert rows(world, f"mail_user WHERE user_key = {before}") == 0, "swept with the next run"
    assert rows(world, f"setting WHERE owner_key = {before}") == 0


def test_two_entries_swap_their_addresses_in_one_run(world):
    world.full(*PEOPLE)
    keys = {name: user.key for name, user in world.users().items()}
    swapped = (entry("anna", anchor="anchor-of-bert"), entry("bert", anchor="anchor-of-anna"))
    assert world.full(*swapped, PEOPLE[2]).state is RunState.APPLIED
    users = world.users()
    assert (users["anna"].key, users["bert"].key) == (keys["bert"], keys["anna"])


def test_a_second_sync_learns_who_runs_since_when(world):
    with world.begin() as first:
        found = world.sync.begin(world.directory, RunMode.FULL, "anna")
        assert isinstance(found, RunUnderWay)
        assert found.asked_by == "timer"
        assert found.began_at <= world.at
        first.apply(reading_of(*PEOPLE))
    assert isinstance(world.sync.begin(world.directory, RunMode.FULL, "anna"), SyncRun)


def test_a_run_that_fails_leaves_everything_and_counts(world):
    world.full(*PEOPLE)
    before = world.version, world.in_force(), world.stored().cookie
    with world.begin() as run:
        result = run.fail(Reason(section="read", code="unreachable", facts={"host": "h", "cause": "c"}))
    assert (result.state, result.problem.code) == (RunState.FAILED, "unreachable")
    assert (world.version, world.in_force(), world.stored().cookie) == before
    assert world.stored().failures == 1
    world.full(*PEOPLE)
    assert world.stored().failures == 0


def test_an_unexpected_error_ends_the_run_as_failed_and_gives_the_lease_back(world):
    with pytest.raises(ZeroDivisionError), world.begin():
        1 / 0  # noqa: B018 - the error is meant
    assert states(world) == [RunState.FAILED]
    assert world.full(*PEOPLE).state is RunState.APPLIED


def test_a_change_between_plan_and_stage_is_planned_anew(world):
    world.full(*MANY)

    def edit(_: float) -> None:
        if not edited:
            edited.append(1)
            world.do(set_user_active, "u029@example.com", active=False)

    edited: list[int] = []
    world.sync.pause = edit
    world.sync.portion = 5
    renamed = [replace(item, name="Somebody") for item in MANY]
    with world.begin() as run:
        edited.clear()
        result = run.apply(reading_of(*renamed))
    assert (result.state, edited) == (RunState.APPLIED, [1])
    assert world.users()["u029"].active is False, "neither change is lost"
    assert {user.name for user in world.users().values()} == {"Somebody"}
    assert RunState.STALE in states(world)


def test_sweeping_leaves_one_version_of_each_user_and_the_audit(world):
    world.full(*PEOPLE)
    for number in range(4):
        world.full(*(replace(item, name=f"Name {number}") for item in PEOPLE))
    lines = len(world.audit())
    world.full(*(replace(item, name="Name 3") for item in PEOPLE))
    assert rows(world, "mail_user") == 3
    assert rows(world, "setting") == 2
    assert rows(world, "mail_user WHERE since_run IS NOT NULL OR until_run IS NOT NULL") == 0
    assert len(world.audit()) == lines


def test_what_is_not_applied_is_swept_with_its_lines(world):
    world.full(*MANY)
    world.full(*MANY[:10])
    held = world.full(*MANY[:10])
    world.full(*MANY)
    world.full(*MANY)
    assert rows(world, f"mail_user WHERE since_run = {held.key} OR until_run = {held.key}") == 0
    assert world.look(read_lines, held.key, 10) == []
    assert rows(world, "mail_user") == 30


def test_old_runs_are_forgotten_and_their_lines_stay_in_the_audit(world, monkeypatch):
    monkeypatch.setattr("store.swept_runs._KEPT", 2)
    world.full(*PEOPLE)
    world.at += timedelta(days=3)
    for _ in range(4):
        world.full(*PEOPLE)
    assert len(states(world)) <= 4
    assert sum(item["action"] == "sync.add" for item in world.audit()) == 3


ALARM = [ListMember(number="447700900001", values={"name": "Anna"}), ListMember(number="447700900002")]


def test_a_group_is_a_list_whose_members_change_at_once(world):
    world.full(*PEOPLE, lists=[ReadList(name="alarm", members=tuple(ALARM), authors=("@example.com",))])
    assert world.members("alarm") == ALARM
    more = (*ALARM, ListMember(number="447700900003"))
    world.full(*PEOPLE, lists=[ReadList(name="alarm", members=more, authors=("*",))])
    assert world.members("alarm") == list(more)
    world.full(*PEOPLE, lists=[ReadList(name="alarm", members=more, authors=("*",))])
    assert rows(world, "list_member") == 3, "the members before are swept"
    lines = [item for item in world.audit() if item["action"] == "sync.list"]
    assert len(lines) > 3


def test_members_who_leave_a_list_are_guarded(world):
    everybody = tuple(ListMember(number=f"4477009{number:05}") for number in range(40))
    world.full(*PEOPLE, lists=[ReadList(name="alarm", members=everybody)])
    held = world.full(*PEOPLE, lists=[ReadList(name="alarm", members=everybody[:10])])
    assert held.state is RunState.HELD
    assert len(world.members("alarm")) == 40
    world.approve(held.digest)
    assert len(world.members("alarm")) == 10


def test_two_directories_of_one_customer_leave_each_others_users_alone(world):
    second = world.directory_of(8, "plant")
    world.write(add_directory, second, OPTIONS, 0)
    world.full(*PEOPLE)
    result = world.run(reading_of(entry("anna", anchor="elsewhere"), entry("zoe")), directory=second)
    assert (result.state, [fault.reason.code for fault in result.faults]) == (RunState.APPLIED, ["of-directory"])
    world.full(*PEOPLE)
    assert set(world.users()) == {"anna", "bert", "cleo", "zoe"}
    assert all(user.may_send for user in world.users().values())


def test_removing_a_directory_leaves_its_users_to_administrators_or_removes_them(world):
    world.full(*PEOPLE)
    world.delta(gone=["anchor-of-anna"])
    assert world.sync.clear(world.directory, "anna", with_users=False) == 3
    users = world.users()
    assert (users["anna"].active, users["bert"].may_send, world.cells("bert")) == (False, True, {"cost_centre": "4712"})
    world.do(set_user_active, "anna@example.com", active=True)
    assert world.users()["anna"].may_send
    assert rows(world, "directory_run") == 0
    world.full(*PEOPLE)
    assert world.sync.clear(world.directory, "anna", with_users=True) == 3
    assert world.users() == {}


def test_a_user_of_an_administrator_is_adopted_with_its_key(world):
    world.do(add_user, "Example", "anna@example.com")
    key = world.users()["anna"].key
    world.full(*PEOPLE)
    assert world.users()["anna"].key == key
    assert world.cells("anna") == {"cost_centre": "4711"}


def test_a_file_of_an_administrator_gives_nobody_an_address_that_a_held_run_awaits(world):
    world.full(*MANY)
    world.full(*MANY[:10])
    assert world.full(*MANY[:10], entry("zoe")).state is RunState.HELD
    row = replace(entry("zoe", place=2), anchor="")
    user_file = UserFile(digest="d", source="people.csv", rows=(row, replace(entry("yara", place=3), anchor="")))
    plan = world.look(preview_import, "Example", user_file)
    assert [(fault.place, fault.code) for fault in plan.faults] == [(2, ChangeFaultCode.OF_DIRECTORY)]
    world.do(import_users, "Example", user_file, skip_faulty=True)
    assert "yara" in world.users()
    assert {user.address for user in world.look(export_users, "Example")} == {
        *(item.address for item in MANY),
        "yara@example.com",
    }, "an export has who is in force"


@pytest.mark.slow
def test_thousands_of_users_come_into_force_at_once_and_a_delta_reads_only_what_it_changed(world):
    everybody = [entry(f"user{number}", cost_centre=f"{number % 50}") for number in range(5_000)]
    world.directory = replace(world.directory, guard=Guard(percent=100, count=10_000))
    seen: set[int] = set()
    world.sync.pause = lambda _: seen.add(world.look(partial(count_users, customer_key=world.customer)))
    assert world.full(*everybody).counts["add"] == 5_000
    assert seen == {0, 5_000}, "nobody, then everybody"
    known = world.load()
    changed = [replace(item, name="Renamed") for item in everybody[:100]]
    assert world.delta(*changed).counts["change"] == 100
    directory, _ = world.look(refresh, *known)
    assert sum(user.name == "Renamed" for user in directory.users()) == 100
    assert directory.user("user4999@example.com") is known[0].user("user4999@example.com")


def test_what_a_large_run_changes_is_read_before_it_is_in_force(world):
    many = [entry(f"user{number}", cost_centre="1") for number in range(600)]
    world.directory = replace(world.directory, guard=Guard(percent=100, count=10_000))
    world.full(*many)
    world.do(set_settings, UserScope("user7@example.com"), {"language": "de"})
    known, read = world.load(), [NOTHING_AWAITED]

    def prepare(_: float) -> None:
        run = world.look(find_ready)
        if run:
            read.append(world.look(read_awaited, run, world.look(users_of_run, run)))

    world.sync.pause = prepare
    moved = [replace(item, address=f"new-{item.address}", name="Renamed") for item in many[:-1]]
    assert world.full(*moved, replace(many[-1], anchor="another")).state is RunState.APPLIED
    awaited = read[-1]
    assert len(awaited.users) == 601
    whole = world.load()
    world.execute("UPDATE mail_user SET name = 'read again'")
    directory, layers = world.look(refresh, *known, awaited)
    assert directory.users() == whole[0].users()
    for user in directory.users():
        for kind in (LayerKind.USER, LayerKind.PINNED):
            key = LayerKey(kind, user.key)
            assert layers.layer(key) == whole[1].layer(key)


def test_the_switch_costs_the_same_with_ten_users_and_with_two_thousand(sqlite_url):
    world = SyncHarness(sqlite_url)
    costs = []
    for number in (10, 2_000):
        people = [entry(f"{number}-{n}") for n in range(number)]
        world.delta(*people)  # additions are never held
        held = world.delta(gone=[item.anchor for item in people])
        assert held.state is RunState.HELD
        run = world.look(find_run, held.key)
        counted, count = steps(partial(_switch, keys=world.keys))
        world.database.write_now(counted, run)
        costs.append(count())
    world.close()
    assert costs[1] <= costs[0] * 1.2


def _switch(tx, runs, keys):
    for run in runs:
        switch(tx, DirectoryChanges(tx, keys, "anna", 1), run, 1)
    return [None] * len(runs)
