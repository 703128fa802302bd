"""gateway.admin.customers, settings, users and views on a real database: what is allowed, what is said, what is audited."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from addressbook.exchange import FileFormat, read_people_file, write_people_file
from addressbook.hierarchy import LayerKind, Layers
from addressbook.people import Directory
from gateway.admin.customers import (
    Administration,
    Answer,
    Change,
    Changed,
    Fault,
    add_customer,
    add_domain,
    add_profile,
    add_range,
    all_of,
    remove_customer,
    remove_domain,
    remove_profile,
    remove_range,
    set_customer_active,
    set_default_profile,
)
from gateway.admin.settings import (
    SYSTEM_OWNER,
    ConstraintLimits,
    limit,
    of_customer,
    of_profile,
    of_user,
    set_settings,
    unset_settings,
)
from gateway.admin.users import (
    add_login,
    add_user,
    export_people,
    import_people,
    preview_people,
    random_password,
    remove_login,
    remove_user,
    set_user_active,
    set_user_profile,
)
from gateway.admin.views import (
    explain_user,
    list_audit,
    list_customers,
    list_profiles,
    list_users,
    show_customer,
    show_profile,
    show_system,
    show_user,
)
from store.directory import load_directory, read_version
from store.engine.database import Database
from store.engine.keys import Keys

NOW = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
T = TypeVar("T")


class AdminHarness:
    """A database with an administrator called anna."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.database.open()
        self.admin = Administration(self.database, Keys(1, NOW.timestamp), "anna", lambda: NOW)

    def do(self, *changes: Change) -> str:
        """Carry out changes that must succeed; returns the last sentence."""
        sentence = ""
        for change in changes:
            answer = self.admin.change_now(change)
            assert isinstance(answer, Changed), answer
            assert answer.version == self.version
            sentence = answer.sentence
        return sentence

    def refuse(self, change: Change) -> str:
        """Carry out a change that must fail and leave nothing; returns the sentence."""
        before = self.version, len(self.audit())
        answer = self.admin.change_now(change)
        assert isinstance(answer, Fault), answer
        assert (self.version, len(self.audit())) == before
        return answer.sentence

    @property
    def version(self) -> int:
        return self.database.read_now(read_version)

    def audit(self) -> list[dict]:
        return self.database.read_now(lambda tx: list_audit(tx, "", 1000))

    def load(self) -> tuple[Directory, Layers]:
        return self.database.read_now(load_directory)


@pytest.fixture
def office(database_url: str) -> Iterator[AdminHarness]:
    made = AdminHarness(database_url)
    made.do(add_customer("Example"), add_domain("Example", "example.com"), add_customer("Other"))
    yield made
    made.database.close()


def hash_weakly(password: str) -> str:
    return f"hash of {password}"


def test_a_customer_is_added_shown_and_removed(office: AdminHarness) -> None:
    office.do(
        add_range("example", "192.0.2.0/24"),
        add_profile("Example", "Alarm", default=True),
        add_login("Desk", "long enough", hash_weakly, customer="Example"),
        set_settings(of_customer("Example"), {"cost-centre": "4711"}),
        set_settings(of_customer("Example", "sap"), {"report_format": "dsn"}),
        limit(of_customer("Example"), ConstraintLimits(max_parts="3")),
        add_user("anna@example.com", "Example"),
    )
    view = office.database.read_now(lambda tx: show_customer(tx, "EXAMPLE"))
    assert isinstance(view, dict)
    settings, services = view.pop("settings"), view.pop("settings for sap")
    assert view == {
        "name": "Example",
        "active": True,
        "domains": ["example.com"],
        "address_ranges": ["192.0.2.0/24"],
        "logins": ["desk"],
        "profiles": ["Alarm"],
        "default_profile": "Alarm",
        "users": 1,
        "constraints": "3 parts at most",
    }
    assert settings == {
        "cost_centre": {
            "value": "4711",
            "origin": "manual:anna",
            "set_by": "anna",
            "set_at": "2026-11-23T16:00:00+00:00",
        }
    }
    assert isinstance(services, dict)
    assert list(services) == ["report_format"]
    assert office.refuse(remove_customer("Example")) == (
        "The customer «Example» has 1 user; --with-users removes them too."
    )
    assert office.do(remove_customer("Example", with_users=True)) == "The customer «Example» was removed with 1 user."
    assert [row["name"] for row in office.database.read_now(list_customers)] == ["Other"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (add_customer(" example "), "cannot be a customer's name"),
        (add_customer("EXAMPLE"), "There is already a customer"),
        (add_customer(""), "cannot be a customer's name"),
        (add_customer("a\nb"), "cannot be a customer's name"),
        (add_domain("Nobody", "example.org"), "There is no customer «Nobody»"),
        (add_domain("Other", "EXAMPLE.com"), "already belongs to the customer «Example»"),
        (add_domain("Other", "localhost"), "is not a domain"),
        (add_domain("Other", "exa mple.com"), "is not a domain"),
        (remove_domain("Other", "example.com"), "does not have the domain"),
        (add_range("Other", "192.0.2.1/24"), "has host bits set"),
        (add_range("Other", "0.0.0.0/0"), "is everybody"),
        (remove_range("Other", "192.0.2.0/24"), "does not have the address range"),
        (add_profile("Nobody", "P"), "There is no customer"),
        (add_profile("Other", " P"), "cannot be a profile's name"),
        (set_default_profile("Other", "P"), "has no profile «P»"),
        (remove_profile("Other", "P"), "has no profile «P»"),
        (add_user("nobody", "Other"), "is not a mail address"),
        (add_user("x@example.com", "Other"), "belongs to the customer «Example»"),
        (add_user("x@example.org", "Other", profile_name="P"), "has no profile «P»"),
        (remove_user("x@example.org"), "There is no user x@example.org"),
        (set_user_profile("x@example.org", ""), "There is no user"),
        (set_user_active("nonsense", active=False), "There is no user nonsense"),
        (add_login("l", "short", hash_weakly, customer="Other"), "password is too short"),
        (add_login(" ", "long enough", hash_weakly, customer="Other"), "cannot be a login"),
        (add_login("l", "long enough", hash_weakly, user="x@example.org"), "There is no user"),
        (remove_login("l"), "There is no login"),
        (set_settings(of_customer("Other"), {"max_part": "3"}), "did you mean «max_parts»?"),
        (set_settings(of_customer("Other"), {"xyzzy": "3"}), "the settings are sender_id,"),
        (set_settings(of_customer("Other"), {"max_parts": "99"}), "'99' is not a number from 1 to 20"),
        (set_settings(of_customer("Other", "fax"), {"max_parts": "9"}), "There is no service «fax»"),
        (set_settings(of_profile("Nobody", "P"), {"max_parts": "9"}), "There is no customer"),
        (set_settings(of_profile("Other", "P"), {"max_parts": "9"}), "has no profile"),
        (set_settings(of_user("x@example.org"), {"max_parts": "9"}), "There is no user"),
        (limit(of_customer("Other"), ConstraintLimits(lock=("colour",))), "There is no setting «colour»"),
        (
            limit(of_customer("Other"), ConstraintLimits(sender_ids="Shop,much too long for one")),
            "cannot be a sender ID",
        ),
        (limit(of_customer("Other"), ConstraintLimits(max_parts="99")), "is not a number from 1 to 20, or «any»"),
        (limit(of_customer("Other"), ConstraintLimits(countries="DE,Spain")), "«Spain» is not an ISO country code"),
        (limit(of_profile("Other", "P"), ConstraintLimits(max_parts="9")), "has no profile"),
        (limit(of_customer("Other", "sap"), ConstraintLimits(max_parts="9")), "Only the system and customers"),
    ],
)
def test_a_wrong_change_is_refused_in_words_and_leaves_nothing(
    office: AdminHarness, change: Change, sentence: str
) -> None:
    assert sentence in office.refuse(change)


def test_several_changes_are_made_all_or_none(office: AdminHarness) -> None:
    office.refuse(all_of(add_customer("Third"), add_domain("Third", "example.com")))
    assert office.load()[0].customer_named("Third") is None
    sentence = office.do(all_of(add_customer("Third"), add_domain("Third", "example.net")))
    assert sentence == "The customer «Third» was added.\nThe domain example.net now belongs to «Third»."


async def test_a_fault_leaves_changes_of_the_same_commit_alone(office: AdminHarness) -> None:
    import asyncio

    changes = [add_customer("Third"), add_customer("example"), add_customer("Fourth")]
    answers: list[Answer] = await asyncio.gather(*(office.admin.change(change) for change in changes))
    assert [type(answer) for answer in answers] == [Changed, Fault, Changed]
    names = [customer.name for customer in office.load()[0].customers()]
    assert names == ["Example", "Fourth", "Other", "Third"]


def test_a_domain_with_users_of_somebody_else_is_not_given_away(office: AdminHarness) -> None:
    office.do(add_user("x@example.org", "Example"), add_user("y@mail.example.org", "Example"))
    assert "of 1 user of other customers" in office.refuse(add_domain("Other", "example.org"))
    office.do(add_domain("Example", "example.org"), remove_domain("Example", "example.org"))


def test_a_range_has_one_owner_but_may_lie_in_another(office: AdminHarness) -> None:
    office.do(add_range("Example", "192.0.2.0/24"), add_range("Other", "192.0.2.128/25"))
    assert "already proves the customer «Example»" in office.refuse(add_range("Other", "192.0.2.0/24"))
    office.do(remove_range("Example", "192.0.2.0/24"), add_range("Other", "192.0.2.0/24"))


def test_customers_and_users_can_be_stopped_and_let_go_on(office: AdminHarness) -> None:
    office.do(add_user("anna@example.com", "Example"))
    for active in (False, True):
        office.do(set_customer_active("Example", active=active), set_user_active("anna@example.com", active=active))
        directory, _ = office.load()
        customer, user = directory.customer_named("Example"), directory.user("anna@example.com")
        assert customer is not None
        assert user is not None
        assert (customer.active, user.active) == (active, active)


def test_a_profile_in_use_stays(office: AdminHarness) -> None:
    office.do(add_profile("Example", "Alarm"), add_user("anna@example.com", "Example", profile_name="alarm"))
    assert "is that of 1 user;" in office.refuse(remove_profile("Example", "Alarm"))
    office.do(set_user_profile("anna@example.com", ""), set_default_profile("Example", "Alarm"))
    assert "is the default profile of" in office.refuse(remove_profile("Example", "Alarm"))
    views = office.database.read_now(lambda tx: list_profiles(tx, "Example"))
    assert views == [{"name": "Alarm", "default": True, "users": 0}]
    office.do(set_default_profile("Example", ""), set_settings(of_profile("Example", "Alarm"), {"flash": "on"}))
    view = office.database.read_now(lambda tx: show_profile(tx, "Example", "alarm"))
    assert isinstance(view, dict)
    assert list(view["settings"]) == ["flash"]  # type: ignore[call-overload]
    office.do(remove_profile("Example", "Alarm"))
    assert office.load()[0].profiles() == ()


def test_a_login_belongs_to_one_and_takes_a_new_password(office: AdminHarness) -> None:
    office.do(add_user("anna@example.com", "Example"), add_user("bert@example.com", "Example"))
    office.do(add_login("Anna", "first password", hash_weakly, user="anna@example.com"))
    for change in (
        add_login("anna", "other password", hash_weakly, user="bert@example.com"),
        add_login("anna", "other password", hash_weakly, customer="Example"),
    ):
        assert "already belongs to somebody else" in office.refuse(change)
    sentence = office.do(add_login("anna", "second password", hash_weakly, user="anna@example.com"))
    assert sentence == "The login «anna» of anna@example.com has a new password."
    credential = office.load()[0].credential("anna")
    assert credential is not None
    assert credential.verifier == "hash of second password"
    view = office.database.read_now(lambda tx: show_user(tx, "Anna@example.com"))
    assert isinstance(view, dict)
    assert view["logins"] == ["anna"]
    office.do(remove_login("ANNA"))
    assert office.load()[0].credential("anna") is None


def test_no_password_is_in_the_audit(office: AdminHarness) -> None:
    office.do(add_login("desk", "very secret word", hash_weakly, customer="Example"))
    assert "secret" not in repr(office.audit())


def test_random_passwords_differ_and_are_long_enough() -> None:
    made = {random_password() for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) >= 20


def test_the_audit_says_who_did_what_to_whom_newest_first(office: AdminHarness) -> None:
    office.do(set_settings(of_customer("Example"), {"max_parts": "3", "language": ""}))
    newest = office.audit()[0]
    assert newest == {
        "at": "2026-11-23T16:00:00+00:00",
        "who": "anna",
        "action": "settings.set",
        "target": "the customer «Example»",
        "detail": "max_parts = 3, language unset",
    }
    assert [entry["action"] for entry in office.audit()[1:]] == ["customer.add", "customer.add-domain", "customer.add"]


def test_settings_of_every_layer_reach_the_user_with_their_origin(office: AdminHarness) -> None:
    office.do(
        add_profile("Example", "Alarm"),
        add_user("anna@example.com", "Example", profile_name="Alarm"),
        set_settings(SYSTEM_OWNER, {"language": "de", "max_parts": "2", "cost_centre": "1"}),
        set_settings(of_customer("Example"), {"max_parts": "3", "cost_centre": "2"}),
        set_settings(of_customer("Example", "sap"), {"report_format": "dsn", "cost_centre": "3"}),
        set_settings(of_profile("Example", "Alarm"), {"priority": "express", "cost_centre": "4"}),
        set_settings(of_user("anna@example.com"), {"cost_centre": "<none>"}),
    )
    answer = explain_user(*office.load(), "Anna@Example.com", "sap", ["cost-centre", "max_parts", "language"])
    assert not isinstance(answer, Fault)
    view = answer.view()
    assert (view["customer"], view["profile"], view["service"]) == ("Example", "Alarm", "sap")
    settings = view["settings"]
    assert isinstance(settings, dict)
    assert settings["cost_centre"] == {
        "value": "",
        "layer": "pinned",
        "owner": "anna@example.com",
        "origin": "manual:anna",
        "explicit_none": True,
        "shadowed": [
            {
                "value": value,
                "layer": layer,
                "owner": owner,
                "origin": "built-in" if layer == "built-in" else "manual:anna",
                "why": f"weaker than {by}",
            }
            for value, layer, owner, by in [
                ("4", "profile", "Alarm", "pinned"),
                ("3", "service", "Example, sap", "profile"),
                ("2", "customer", "Example", "service"),
                ("1", "system", "", "customer"),
                ("", "built-in", "", "system"),
            ]
        ],
    }
    assert (settings["max_parts"]["value"], settings["max_parts"]["layer"]) == ("3", "customer")
    office.do(unset_settings(of_user("anna@example.com"), ["cost_centre"]))
    answer = explain_user(*office.load(), "anna@example.com", "mail", [])
    assert not isinstance(answer, Fault)
    assert answer.resolved.settings.cost_centre == "4"
    assert len(answer.fields) == len(answer.resolved.explained)


def test_explaining_a_stranger_a_wrong_field_or_service_is_a_fault(office: AdminHarness) -> None:
    office.do(add_user("anna@example.com", "Example"))
    directory, layers = office.load()
    for address, service, names, part in [
        ("x@example.com", "mail", [], "There is no user"),
        ("anna@example.com", "fax", [], "There is no service"),
        ("anna@example.com", "mail", ["max_part"], "did you mean"),
    ]:
        answer = explain_user(directory, layers, address, service, names)
        assert isinstance(answer, Fault)
        assert part in answer.sentence


def test_constraints_bind_what_can_be_set_and_any_lifts_them(office: AdminHarness) -> None:
    office.do(
        add_user("anna@example.com", "Example"),
        limit(
            of_customer("Example"),
            ConstraintLimits(
                lock=("max-parts",), sender_ids="Shop, +447700900123", express=False, flash=False, countries="de,ES"
            ),
        ),
    )
    assert "The setting max_parts is locked by customer Example." in office.refuse(
        set_settings(of_user("anna@example.com"), {"max_parts": "3"})
    )
    office.do(set_settings(of_customer("Example"), {"max_parts": "3"}))
    assert "is not among those that customer Example permits (447700900123, Shop)" in office.refuse(
        set_settings(of_user("anna@example.com"), {"sender_id": "Other"})
    )
    office.do(set_settings(of_user("anna@example.com"), {"sender_id": "Shop"}))
    sentence = office.do(limit(of_customer("Example"), ConstraintLimits(max_parts="6")))
    assert sentence == (
        "Constraints of the customer «Example»: locked max_parts; sender IDs 447700900123, Shop; 6 parts at most; "
        "no express; no flash; countries DE, ES."
    )
    lifted = ConstraintLimits(
        unlock=("max_parts",), sender_ids="any", max_parts="any", express=True, flash=True, countries="any"
    )
    assert office.do(limit(of_customer("Example"), lifted)) == "Constraints of the customer «Example»: none."
    office.do(limit(SYSTEM_OWNER, ConstraintLimits(lock=("language",))))
    assert "locked by the system" in office.refuse(set_settings(of_customer("Example"), {"language": "de"}))
    view = office.database.read_now(show_system)
    assert view == {"constraints": "locked language", "settings": {}}


BOOK = (
    "e-mail,name,profile,sender-id,max-parts\n"
    "anna@example.com,Anna Keller,Alarm,Shop,3\n"
    "bert@example.com,Bert,,+447700900123,\n"
    "carl@example.com,Carl,Nope,,\n"
)


def test_an_address_book_is_previewed_imported_and_imported_again(office: AdminHarness) -> None:
    office.do(add_profile("Example", "Alarm"))
    people_file = read_people_file(BOOK.encode(), FileFormat())
    preview = office.database.read_now(lambda tx: preview_people(tx, "Example", people_file))
    assert not isinstance(preview, Fault)
    assert [planned.row.address for planned in preview.added] == ["anna@example.com", "bert@example.com"]
    assert office.load()[0].users() == ()
    refused = office.refuse(import_people("Example", people_file))
    assert refused == "Nothing was imported: 1 fault, the first in line 4, profile: there is no profile 'Nope'."
    assert office.load()[0].users() == ()
    sentence = office.do(import_people("Example", people_file, skip_faulty=True))
    told = "2 users added, 0 changed, 0 unchanged, 0 not in the file and left alone; rows left out for 1 fault."
    assert sentence == told
    directory, layers = office.load()
    anna = directory.user("anna@example.com")
    assert anna is not None
    resolved = layers.resolve(anna.customer_id, "mail", anna.profile_id, anna.id)
    assert resolved.explained["max_parts"].layer is LayerKind.USER
    assert resolved.explained["max_parts"].origin == f"file:{people_file.digest[:32]}, line 2, max-parts"
    version = office.version
    again = office.admin.change_now(import_people("Example", people_file, skip_faulty=True))
    assert isinstance(again, Changed)
    assert again.sentence.startswith("0 users added, 0 changed, 2 unchanged")
    assert office.version == version


def test_an_import_changes_takes_back_and_leaves_pins(office: AdminHarness) -> None:
    office.do(
        add_profile("Example", "Alarm"),
        import_people("Example", read_people_file(BOOK.encode(), FileFormat()), skip_faulty=True),
        set_settings(of_user("anna@example.com"), {"max_parts": "9"}),
    )
    text = "e-mail,name,profile,sender-id,max-parts\nanna@example.com,Anna K.,,,5\n"
    sentence = office.do(import_people("Example", read_people_file(text.encode(), FileFormat())))
    assert sentence == "0 users added, 1 changed, 0 unchanged, 1 not in the file and left alone."
    directory, layers = office.load()
    anna = directory.user("anna@example.com")
    assert anna is not None
    assert (anna.name, anna.profile_id) == ("Anna K.", None)
    resolved = layers.resolve(anna.customer_id, "mail", None, anna.id)
    assert (resolved.settings.max_parts, resolved.settings.sender_id) == (9, None)
    assert resolved.explained["max_parts"].shadowed[0].value == 5


def test_a_damaged_address_book_changes_nothing(office: AdminHarness) -> None:
    people_file = read_people_file(b"e-mail,langage\nanna@example.com,de\n", FileFormat())
    assert "unknown columns" in office.refuse(import_people("Example", people_file))


def test_the_addresses_of_other_customers_cannot_be_imported(office: AdminHarness) -> None:
    office.do(add_user("x@example.org", "Other"))
    text = "e-mail\nx@example.org\nnew@example.com\n"
    people_file = read_people_file(text.encode(), FileFormat())
    sentence = office.do(import_people("Example", people_file, skip_faulty=True))
    assert sentence.startswith("1 user added")
    assert sentence.endswith("1 fault.")
    found = office.load()[0].user("x@example.org")
    assert found is not None
    customer = office.load()[0].customer(found.customer_id)
    assert customer is not None
    assert customer.name == "Other"


def test_an_export_imported_elsewhere_gives_the_same_settings(office: AdminHarness) -> None:
    office.do(
        add_profile("Example", "Alarm"),
        add_profile("Example", "-alarm"),
        import_people("Example", read_people_file(BOOK.encode(), FileFormat()), skip_faulty=True),
        set_settings(of_user("anna@example.com"), {"max_parts": "9", "end_marker": "=end"}),
        set_user_active("bert@example.com", active=False),
        add_user("+night@example.com", "Example", profile_name="-alarm"),
    )
    exported = office.database.read_now(lambda tx: export_people(tx, "Example"))
    assert not isinstance(exported, Fault)
    read = read_people_file(write_people_file(exported).encode(), FileFormat())
    before = office.version
    sentence = office.do(import_people("Example", read))
    assert (sentence, office.version) == (
        "0 users added, 0 changed, 3 unchanged, 0 not in the file and left alone.",
        before,
    )
    office.do(*(remove_user(person.address) for person in exported))
    office.do(import_people("Example", read))
    again = office.database.read_now(lambda tx: export_people(tx, "Example"))
    assert again == exported
    directory, layers = office.load()
    anna = directory.user("anna@example.com")
    assert anna is not None
    assert layers.resolve(anna.customer_id, "mail", None, anna.id).explained["max_parts"].layer is LayerKind.PINNED


def test_an_import_cannot_set_what_a_constraint_forbids_but_may_repeat_what_was_set_before(
    office: AdminHarness,
) -> None:
    book = read_people_file(b"e-mail,sender-id,language\nanna@example.com,Shop,de\n", FileFormat())
    office.do(
        import_people("Example", book),
        limit(of_customer("Example"), ConstraintLimits(sender_ids="Other", lock=("language",))),
    )
    assert office.do(import_people("Example", book)).startswith("0 users added, 0 changed, 1 unchanged")
    changed = read_people_file(b"e-mail,sender-id,language\nanna@example.com,Pub,es\n", FileFormat())
    plan = office.database.read_now(lambda tx: preview_people(tx, "Example", changed))
    assert not isinstance(plan, Fault)
    assert [(fault.line, fault.column) for fault in plan.faults] == [(2, "sender-id"), (2, "language")]
    assert "Pub is not among those that customer Example permits (Other)" in str(plan.faults[0])
    assert "locked by customer Example" in str(plan.faults[1])


def test_users_are_listed_of_one_customer_or_of_all(office: AdminHarness) -> None:
    office.do(add_user("anna@example.com", "Example", name=" Anna  Keller "), add_user("x@example.org", "Other"))
    everybody = office.database.read_now(lambda tx: list_users(tx, ""))
    assert isinstance(everybody, list)
    assert [view["address"] for view in everybody] == ["anna@example.com", "x@example.org"]
    assert everybody[0] == {
        "address": "anna@example.com",
        "customer": "Example",
        "profile": "",
        "name": "Anna Keller",
        "active": True,
    }
    assert isinstance(office.database.read_now(lambda tx: list_users(tx, "Nobody")), Fault)


def test_removing_a_user_removes_its_login_and_settings(office: AdminHarness) -> None:
    office.do(
        add_user("anna@example.com", "Example"),
        add_login("anna", "long enough", hash_weakly, user="anna@example.com"),
        set_settings(of_user("anna@example.com"), {"language": "de"}),
        remove_user("anna@example.com"),
    )
    directory, _ = office.load()
    assert directory.user("anna@example.com") is None
    assert directory.credential("anna") is None
    assert office.database.read_now(lambda tx: tx.rows("SELECT COUNT(*) FROM setting")) == [(0,)]
