"""What becomes of the people of a customer when its directory says something odd, on a real database."""

from collections.abc import Iterator

import pytest

from addressbook.changes import UserChange
from addressbook.exchange import FileFormat, read_user_file
from addressbook.runs import RunResult, RunState
from addressbook.senders import Principal, Sender, choose_sender
from gateway.admin.customers import add_customer
from gateway.admin.domains import add_domain
from gateway.admin.drift import list_drift
from gateway.admin.faults import FaultCode
from gateway.admin.logins import add_login
from gateway.admin.profiles import add_profile
from gateway.admin.settings import UserScope, set_settings
from gateway.admin.user_import import import_users
from gateway.admin.users import add_user, set_user_active
from store.directory_runs import read_lines
from tests.kit.sync_harness import SyncHarness, entry

CREW = [entry(f"u{number:03}", cost_centre="4711", phone="447700900123") for number in range(40)]


@pytest.fixture
def world(database_url: str) -> Iterator[SyncHarness]:
    made = SyncHarness(database_url)
    yield made
    made.close()


def reasons(result: RunResult) -> list[str]:
    return [reason.code for reason in result.held_for]


def refused(result: RunResult) -> list[tuple[str, str]]:
    return [(left.who, left.reason.code) for left in result.faults]


def sends(world: SyncHarness, name: str, user_id: int | None = None) -> bool:
    """Return whether a mail of the customer from this address is taken."""
    directory, _ = world.load()
    principal = Principal(customer_id=world.customer, user_id=user_id)
    return isinstance(choose_sender(directory, principal, f"{name}@example.com"), Sender)


def test_an_empty_answer_is_named_and_takes_nobody_away_however_often_it_comes(world: SyncHarness) -> None:
    world.full(*CREW[:3])
    before = world.in_force()
    held = world.full()
    assert (held.state, reasons(held)) == (RunState.HELD, ["source-empty"])
    assert reasons(world.full()) == ["source-empty"]
    assert world.in_force() == before
    assert world.full(*CREW[:3]).state is RunState.UNCHANGED
    assert all(user.may_send for user in world.users().values())


def test_who_is_renamed_moved_or_gets_another_address_keeps_key_login_and_pins(world: SyncHarness) -> None:
    world.full(*CREW[:3])
    key = world.users()["u000"].key
    world.do(add_login, "u000", "verifier", user="u000@example.com")
    world.do(set_settings, UserScope("u000@example.com"), {"language": "de"})
    run = world.full(entry("new.name", anchor="anchor-of-u000"), *CREW[1:3])
    directory, layers = world.load()
    user, login = directory.user("new.name@example.com"), directory.credential("u000")
    assert user is not None
    assert login is not None
    assert (user.key, user.name, login.user_id) == (key, "New.Name", key)
    assert layers.resolve(world.customer, "mail", None, key).settings.language == "de"
    assert (sends(world, "new.name", key), directory.user("u000@example.com")) == (True, None)
    (told,) = (line for line in world.look(read_lines, run.key, 10) if line.field == "address")
    assert (told.target, told.before, told.after) == (
        "new.name@example.com",
        "u000@example.com",
        "new.name@example.com",
    )


def test_the_login_of_who_was_deleted_does_not_open_the_mailbox_of_who_came_after(world: SyncHarness) -> None:
    world.full(*CREW[:3])
    old = world.users()["u000"].key
    world.do(add_login, "u000", "verifier", user="u000@example.com")
    world.full(entry("u000", anchor="another"), *CREW[1:3])
    new = world.users()["u000"].key
    assert (new != old, sends(world, "u000", old), sends(world, "u000", new)) == (True, False, True)
    world.full(entry("u000", anchor="another"), *CREW[1:3])
    login = world.load()[0].credential("u000")
    assert login is None, "swept with the user"


def test_two_entries_that_claim_one_address_change_neither_its_owner_nor_each_other(world: SyncHarness) -> None:
    world.full(*CREW[:2])
    owner = world.users()["u000"].key
    result = world.full(
        *CREW[:2],
        entry("u000", anchor="thief"),
        entry("new", anchor="one"),
        entry("new", anchor="two"),
        entry("fine"),
    )
    assert refused(result) == [
        ("u000@example.com", "address-taken"),
        ("new@example.com", "address-twice"),
        ("new@example.com", "address-twice"),
    ]
    assert set(world.users()) == {"u000", "u001", "fine"}
    assert world.users()["u000"].key == owner


def test_an_address_or_domain_of_another_customer_is_refused_and_the_others_go_on(world: SyncHarness) -> None:
    world.do(add_customer, "Other")
    world.do(add_user, "Other", "taken@example.com")
    world.do(add_domain, "Other", "example.net")
    foreign = UserChange(place=1_000_000, address="anna@example.net", anchor="n", cells={}, columns={})
    result = world.full(entry("taken"), foreign, entry("fine"))
    assert refused(result) == [("taken@example.com", "foreign-address"), ("anna@example.net", "foreign-address")]
    assert set(world.users()) == {"fine"}


def test_who_is_disabled_cannot_send_from_the_next_mail_on_and_can_again_when_enabled(world: SyncHarness) -> None:
    world.full(*CREW[:3])
    assert sends(world, "u000")
    result = world.delta(entry("u000", active=False))
    assert (result.state, result.counts["stop"]) == (RunState.APPLIED, 1)
    assert not sends(world, "u000")
    world.delta(entry("u000", active=True))
    assert sends(world, "u000")


def test_who_an_administrator_stopped_is_not_let_in_by_the_directory(world: SyncHarness) -> None:
    world.full(*CREW[:3])
    world.do(set_user_active, "u000@example.com", active=False)
    world.full(entry("u000", active=True), *CREW[1:3])
    world.delta(entry("u000", active=False))
    world.delta(entry("u000", active=True))
    assert not sends(world, "u000")


def test_a_right_that_was_taken_away_blanks_nobody(world: SyncHarness) -> None:
    world.full(*CREW)
    before = world.in_force()
    blind = [entry(change.address.partition("@")[0], cost_centre="", phone="") for change in CREW]
    held = world.full(*blind)
    assert held.state is RunState.HELD
    assert [(reason.code, reason.facts["field"]) for reason in held.held_for] == [
        ("blanked", "cost_centre"),
        ("blanked", "phone"),
    ]
    assert world.in_force() == before
    assert world.full(*CREW).state is RunState.UNCHANGED
    assert world.full(*blind).state is RunState.HELD
    assert world.approve(held.digest).state is RunState.APPLIED
    assert {user.phone for user in world.users().values()} == {""}
    assert world.cells("u000") == {}


def test_a_profile_that_does_not_exist_leaves_the_one_that_the_user_has(world: SyncHarness) -> None:
    world.do(add_profile, "Example", "Alarm")
    world.full(entry("anna", profile="Sales"), entry("bert", profile="Alarm"))
    sales = world.users()["anna"].profile_id
    result = world.full(entry("anna", profile="Slaes", cost_centre="1"), entry("bert", profile="Sales"), entry("cleo"))
    assert refused(result) == [("anna@example.com", "no-profile")]
    users = world.users()
    assert (users["anna"].profile_id, users["bert"].profile_id, world.cells("anna")) == (sales, sales, {})


def test_an_address_book_file_leaves_what_the_directory_says_and_may_pin(world: SyncHarness) -> None:
    world.full(*CREW[:1])
    rows = "e-mail,cost-centre,pinned\nu000@example.com,{0},{1}\n"

    def imported(value: str, pinned: str) -> object:
        return read_user_file(rows.format(value, pinned).encode(), FileFormat())

    assert world.refuse(import_users, "Example", imported("1", ""))[0] is FaultCode.FILE_FAULTY
    assert world.cells("u000") == {"cost_centre": "4711"}
    assert world.do(import_users, "Example", imported("4711", "")).facts["unchanged"] == 1
    assert world.do(import_users, "Example", imported("1", "cost-centre")).facts["changed"] == 1
    _, layers = world.load()
    key = world.users()["u000"].key
    assert layers.resolve(world.customer, "mail", None, key).settings.cost_centre == "1"
    assert world.full(*CREW[:1]).state is RunState.UNCHANGED, "the pin stays"


def test_pins_are_listed_where_the_directory_says_something_else(world: SyncHarness) -> None:
    world.full(*CREW[:2])
    world.do(set_settings, UserScope("u000@example.com"), {"cost_centre": "9", "language": "de"})
    world.do(set_settings, UserScope("u001@example.com"), {"cost_centre": "4711"})
    (drift,) = world.look(list_drift, "Example")
    assert drift == {
        "user": "u000@example.com",
        "field": "cost_centre",
        "pinned": "9",
        "source_says": "4711",
        "origin": "ldap:head-office:departmentNumber",
        "pinned_by": "anna",
        "pinned_at": "2026-11-23T16:00:00+00:00",
    }
    world.full(entry("u000", cost_centre="9"), entry("u001", cost_centre="4712"))
    assert [(row["user"], row["pinned"], row["source_says"]) for row in world.look(list_drift, "Example")] == [
        ("u001@example.com", "4711", "4712")
    ]
