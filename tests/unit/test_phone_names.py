"""Who a number is to a customer: its users by their phones, the members of its lists, and nobody else's."""

from collections.abc import Callable, Iterator

import pytest

from addressbook.people import Customer, Directory, DirectoryChange, User
from addressbook.phones import index_phones, moved_phones
from gateway.admin import customers, lists, users
from gateway.directory import DirectoryFollower
from gateway.phone_names import PhoneNames, find_names
from sms.personalise import Table, TableRow
from tests.kit.admin_harness import AdminHarness
from tests.kit.effort import cost_of

ANNA, BERT, CARL = "447700900101", "447700900102", "447700900103"


def person(key: int, phone: str, name: str = "", customer: int = 1) -> User:
    return User(key=key, customer_id=customer, address=f"u{key}@example.com", name=name, phone=phone)


PEOPLE = Directory(
    customers=[Customer(key=1, name="Example"), Customer(key=2, name="Other")],
    users=[
        person(1, ANNA, "Anna Keller"),
        person(2, BERT, "Bert"),
        person(3, BERT, "Berta"),
        person(4, CARL),
        person(5, CARL, "Carl of others", customer=2),
        person(6, "", "Nobody's phone"),
    ],
)


def test_a_phone_has_the_name_of_its_one_user_and_that_only_for_its_own_customer() -> None:
    names = [PEOPLE.name_of_phone(1, phone) for phone in (ANNA, BERT, CARL, "", "447700900199")]
    assert names == ["Anna Keller", "", "", "", ""]
    assert PEOPLE.name_of_phone(2, CARL) == "Carl of others"
    assert PEOPLE.name_of_phone(2, ANNA) == ""
    assert PEOPLE.name_of_phone(3, ANNA) == ""


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ["Anna Keller", "", ""]),
        ({1: None}, ["", "", ""]),
        ({3: None}, ["Anna Keller", "Bert", ""]),
        ({3: person(3, BERT, "Bert")}, ["Anna Keller", "Bert", ""]),
        ({1: person(1, BERT, "Anna Keller"), 2: person(2, ANNA, "Bert")}, ["Bert", "", ""]),
        ({1: person(1, ANNA, "Anna Weber")}, ["Anna Weber", "", ""]),
        ({4: person(4, CARL, "Carl", customer=2)}, ["Anna Keller", "", ""]),
        ({7: person(7, CARL, "Carla")}, ["Anna Keller", "", ""]),
        ({4: person(4, ""), 7: person(7, CARL, "Carla")}, ["Anna Keller", "", "Carla"]),
    ],
)
def test_names_of_phones_follow_each_change_as_if_all_were_read_anew(
    changes: dict[int, User | None], names: list[str]
) -> None:
    after = PEOPLE.apply(DirectoryChange(version=1, users=changes))
    assert [after.name_of_phone(1, phone) for phone in (ANNA, BERT, CARL)] == names
    assert [PEOPLE.name_of_phone(1, phone) for phone in (ANNA, BERT, CARL)] == ["Anna Keller", "", ""]
    read_anew = Directory(version=1, users=after.users())
    for customer in (1, 2):
        for phone in (ANNA, BERT, CARL):
            assert after.name_of_phone(customer, phone) == read_anew.name_of_phone(customer, phone)


def test_a_change_that_moves_no_phone_copies_no_index() -> None:
    everybody = {user.key: user for user in PEOPLE.users()}
    index = index_phones(everybody.values())
    assert moved_phones(index, everybody, {1: person(1, ANNA, "Another"), 6: None}) is index


def test_a_phone_of_very_many_users_costs_a_change_no_more_than_as_many_phones() -> None:
    def moved(phone_of: Callable[[int], str]) -> Callable[[], object]:
        before = {key: person(key, phone_of(key), "Name") for key in range(1, 4_001)}
        after: dict[int, User | None] = {key: person(key, phone_of(key + 1), "Name") for key in range(2, 4_001, 2)}
        index = index_phones(before.values())
        return lambda: moved_phones(index, before, after)

    many, one = moved(lambda key: f"447700900{key % 1000:03}"), moved(lambda key: ANNA if key % 2 else BERT)
    assert cost_of(one) < 3 * cost_of(many)


@pytest.fixture
def office(database_url: str) -> Iterator[AdminHarness]:
    made = AdminHarness(database_url)
    for name in ("Example", "Other"):
        made.do(customers.add_customer, name)
        made.do(lists.make_list, name, "crew", ["*"])
    rows = (
        TableRow(line=2, number=f"+{ANNA}", values={"name": "Anna of the list"}),
        TableRow(line=3, number=f"+{BERT}", values={"name": "Bert of the list"}),
        TableRow(line=4, number=f"+{CARL}", values={"name": ""}),
    )
    made.do(
        lists.import_members, "Example", "crew", Table(columns=("number", "name"), rows=rows), country="", strict=False
    )
    made.do(users.add_user, "Example", "anna@example.com", name="Anna Keller", phone=ANNA)
    made.do(users.add_user, "Other", "carl@example.org", name="Carl of others", phone=CARL)
    yield made
    made.close()


async def test_a_user_of_the_customer_comes_before_the_members_of_its_lists(office: AdminHarness) -> None:
    book = DirectoryFollower(office.database, {})
    await book.load()
    example, other = (book.current.directory.customer_named(name) for name in ("Example", "Other"))
    assert example is not None
    assert other is not None
    names = PhoneNames(book, office.database)
    wanted = {ANNA: "Anna Keller", BERT: "Bert of the list"}
    assert await names.find(example.key, [ANNA, BERT, CARL]) == wanted
    assert await names.find(other.key, [ANNA, BERT, CARL]) == {CARL: "Carl of others"}
    assert office.look(find_names, example.key, [ANNA, BERT, CARL]) == wanted
    assert office.look(find_names, other.key, [ANNA, BERT, CARL]) == {CARL: "Carl of others"}


def test_the_name_and_the_phone_of_a_user_are_changed_and_audited(office: AdminHarness) -> None:
    office.do(users.set_user_phone, "anna@example.com", BERT)
    office.do(users.set_user_name, "Anna@example.com", " Anna \n Weber ")
    directory, _ = office.load()
    user = directory.user("anna@example.com")
    assert user is not None
    assert (user.name, user.phone) == ("Anna Weber", BERT)
    assert [(line["action"], line["before"], line["after"]) for line in office.audit(2)] == [
        ("user.name", "Anna Keller", "Anna Weber"),
        ("user.phone", f"+{ANNA}", f"+{BERT}"),
    ]
    office.do(users.set_user_phone, "anna@example.com")
    assert office.load()[0].name_of_phone(user.customer_id, BERT) == ""
