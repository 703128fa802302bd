"""gateway.admin on a real database: what is allowed, what is refused with which facts, what is audited."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from addressbook.exchange import FileFormat, read_user_file, write_user_file
from addressbook.hierarchy import LayerKind
from addressbook.options import Option
from gateway.admin import (
    constraints,
    customers,
    domains,
    explained,
    logins,
    options,
    profiles,
    ranges,
    settings,
    user_import,
    users,
    views,
)
from gateway.admin.constraints import ConstraintLimits
from gateway.admin.edit import AuditAction, changed
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.settings import CustomerScope, ListScope, ProfileScope, SystemScope, UserScope
from store.directory_tables import SettingRow
from store.engine.database import Transaction
from tests.kit.admin_harness import NOW, AdminHarness, UseCase
from tests.kit.patience import PATIENCE
from tests.kit.readers import read


@pytest.fixture
def office(database_url: str) -> Iterator[AdminHarness]:
    made = AdminHarness(database_url)
    made.do(customers.add_customer, "Example")
    made.do(domains.add_domain, "Example", "example.com")
    made.do(customers.add_customer, "Other")
    yield made
    made.close()


def explain(office: AdminHarness, address: str, service: str, names: list[str]) -> explained.ExplainedUser:
    directory, layers = office.load()
    answer = office.look(lambda tx: explained.explain_user(tx, directory, layers, address, service, names))
    assert isinstance(answer, explained.ExplainedUser)
    return answer


SET = {"set_at": "2026-11-23T16:00:00+00:00", "set_by": "anna"}


def hash_weakly(password: str) -> str:
    return f"hash of {password}"


def test_a_customer_is_added_shown_and_removed(office: AdminHarness) -> None:
    office.do(ranges.add_range, "example", "192.0.2.0/24")
    office.do(profiles.add_profile, "Example", "Alarm", default=True)
    office.do(logins.add_login, "Desk", hash_weakly("long enough"), customer="Example")
    office.do(settings.set_settings, CustomerScope("Example"), {"cost-centre": "4711"})
    office.do(settings.set_settings, CustomerScope("Example", "sap"), {"report_format": "dsn"})
    office.do(constraints.limit, CustomerScope("Example"), ConstraintLimits(max_parts="3"))
    office.do(users.add_user, "Example", "anna@example.com")
    view = office.look(views.show_customer, "EXAMPLE")
    own, services = view.pop("settings"), view.pop("settings for sap")
    assert view == {
        "name": "Example",
        "active": True,
        "suspensions": [],
        "domains": ["example.com"],
        "claimed_domains": [],
        "admin_address": "",
        "options": None,
        "address_ranges": ["192.0.2.0/24"],
        "tls_required": False,
        "proofs": ["api-key", "arc", "certificate", "dkim", "login", "range", "spf"],
        "identity_provider": "",
        "portal_client": "",
        "arc_sealers": [],
        "logins": ["desk"],
        "profiles": ["Alarm"],
        "default_profile": "Alarm",
        "users": 1,
        "constraints": {"max_parts": 3},
    }
    assert own == {
        "cost_centre": {
            "value": "4711",
            "origin": "manual:anna",
            "set_by": "anna",
            "set_at": "2026-11-23T16:00:00+00:00",
        }
    }
    assert list(services) == ["report_format"]
    facts = {"customer": "Example", "users": 1}
    assert office.refuse(customers.remove_customer, "Example") == (FaultCode.CUSTOMER_HAS_USERS, facts)
    assert office.do(customers.remove_customer, "Example", with_users=True).facts == facts
    assert [row["name"] for row in office.look(views.list_customers)] == ["Other"]


NOBODY: dict[str, Any] = {"name": "Nobody"}
NO_P: dict[str, Any] = {"customer": "Other", "name": "P"}
NO_X: dict[str, Any] = {"address": "x@example.org"}
OTHER = CustomerScope("Other")


@pytest.mark.parametrize(
    ("change", "code", "facts"),
    [
        (partial(customers.add_customer, name=" example "), FaultCode.BAD_CUSTOMER_NAME, {"name": " example "}),
        (partial(customers.add_customer, name="EXAMPLE"), FaultCode.CUSTOMER_EXISTS, {"name": "EXAMPLE"}),
        (partial(customers.add_customer, name=""), FaultCode.BAD_CUSTOMER_NAME, {"name": ""}),
        (partial(customers.add_customer, name="a\nb"), FaultCode.BAD_CUSTOMER_NAME, {"name": "a\nb"}),
        (partial(domains.add_domain, name="Nobody", domain="example.org"), FaultCode.NO_CUSTOMER, NOBODY),
        (
            partial(domains.add_domain, name="Other", domain="EXAMPLE.com"),
            FaultCode.DOMAIN_TAKEN,
            {"domain": "example.com", "owner": "Example"},
        ),
        (
            partial(domains.add_domain, name="Other", domain="localhost"),
            FaultCode.BAD_DOMAIN,
            {"domain": "localhost"},
        ),
        (
            partial(domains.add_domain, name="Other", domain="exa mple.com"),
            FaultCode.BAD_DOMAIN,
            {"domain": "exa mple.com"},
        ),
        (
            partial(domains.remove_domain, name="Other", domain="example.com"),
            FaultCode.DOMAIN_NOT_OWNED,
            {"customer": "Other", "domain": "example.com"},
        ),
        (
            partial(ranges.add_range, name="Other", network="192.0.2.1/24"),
            FaultCode.BAD_RANGE,
            {
                "range": "192.0.2.1/24",
                "cause": "write 192.0.2.0/24 for the whole network, or 192.0.2.1 for this address alone",
            },
        ),
        (
            partial(ranges.add_range, name="Other", network="0.0.0.0/0"),
            FaultCode.RANGE_TOO_WIDE,
            {"range": "0.0.0.0/0"},
        ),
        (
            partial(ranges.remove_range, name="Other", network="192.0.2.0/24"),
            FaultCode.RANGE_NOT_OWNED,
            {"customer": "Other", "range": "192.0.2.0/24"},
        ),
        (partial(profiles.add_profile, customer="Nobody", name="P"), FaultCode.NO_CUSTOMER, NOBODY),
        (partial(profiles.add_profile, customer="Other", name=" P"), FaultCode.BAD_PROFILE_NAME, {"name": " P"}),
        (partial(profiles.set_default_profile, customer="Other", name="P"), FaultCode.NO_PROFILE, NO_P),
        (partial(profiles.remove_profile, customer="Other", name="P"), FaultCode.NO_PROFILE, NO_P),
        (partial(users.add_user, customer="Other", address="nobody"), FaultCode.BAD_ADDRESS, {"address": "nobody"}),
        (
            partial(users.add_user, customer="Other", address="x@example.com"),
            FaultCode.DOMAIN_OF_ANOTHER,
            {"domain": "example.com", "owner": "Example", "customer": "Other"},
        ),
        (partial(users.add_user, customer="Other", address="x@example.org", profile="P"), FaultCode.NO_PROFILE, NO_P),
        (partial(users.remove_user, address="x@example.org"), FaultCode.NO_USER, NO_X),
        (partial(users.set_user_profile, address="x@example.org"), FaultCode.NO_USER, NO_X),
        (
            partial(users.set_user_active, address="nonsense", active=False),
            FaultCode.NO_USER,
            {"address": "nonsense"},
        ),
        (partial(logins.add_login, login=" ", verifier="v", customer="Other"), FaultCode.BAD_LOGIN, {"login": " "}),
        (partial(logins.add_login, login="l", verifier="v", user="x@example.org"), FaultCode.NO_USER, NO_X),
        (partial(logins.remove_login, login="l"), FaultCode.NO_LOGIN, {"login": "l"}),
        (
            partial(settings.set_settings, scope=OTHER, assignments={"max_part": "3"}),
            FaultCode.NO_SETTING,
            {"name": "max_part", "near": "max_parts"},
        ),
        (
            partial(settings.set_settings, scope=OTHER, assignments={"xyzzy": "3"}),
            FaultCode.NO_SETTING,
            {"name": "xyzzy", "near": ""},
        ),
        (
            partial(settings.set_settings, scope=OTHER, assignments={"max_parts": "99"}),
            FaultCode.BAD_VALUE,
            {"field": "max_parts", "given": "99"},
        ),
        (
            partial(settings.set_settings, scope=CustomerScope("Other", "fax"), assignments={"max_parts": "9"}),
            FaultCode.NO_SERVICE,
            {"service": "fax"},
        ),
        (
            partial(settings.set_settings, scope=ProfileScope("Nobody", "P"), assignments={"max_parts": "9"}),
            FaultCode.NO_CUSTOMER,
            NOBODY,
        ),
        (
            partial(settings.set_settings, scope=ProfileScope("Other", "P"), assignments={"max_parts": "9"}),
            FaultCode.NO_PROFILE,
            NO_P,
        ),
        (
            partial(settings.set_settings, scope=ListScope("Other", "P"), assignments={"max_parts": "9"}),
            FaultCode.NO_LIST,
            NO_P,
        ),
        (
            partial(settings.set_settings, scope=UserScope("x@example.org"), assignments={"max_parts": "9"}),
            FaultCode.NO_USER,
            NO_X,
        ),
        (
            partial(constraints.limit, scope=OTHER, limits=ConstraintLimits(lock=("colour",))),
            FaultCode.NO_SETTING,
            {"name": "colour", "near": ""},
        ),
        (
            partial(constraints.limit, scope=OTHER, limits=ConstraintLimits(sender_ids="Shop,much too long for one")),
            FaultCode.BAD_SENDER_ID,
            {"given": "much too long for one"},
        ),
        (
            partial(constraints.limit, scope=OTHER, limits=ConstraintLimits(max_parts="99")),
            FaultCode.BAD_MAX_PARTS,
            {"given": "99"},
        ),
        (
            partial(constraints.limit, scope=OTHER, limits=ConstraintLimits(countries="DE,Spain")),
            FaultCode.BAD_COUNTRY,
            {"given": "Spain"},
        ),
        (
            partial(constraints.limit, scope=CustomerScope("Other", "sap"), limits=ConstraintLimits(max_parts="9")),
            FaultCode.NO_CONSTRAINTS,
            {"kind": "service", "name": "Other", "customer": "", "service": "sap"},
        ),
    ],
)
def test_a_wrong_change_is_refused_with_its_facts_and_leaves_nothing(
    office: AdminHarness, change: UseCase, code: FaultCode, facts: dict[str, Any]
) -> None:
    assert office.refuse(change) == (code, facts)


def test_a_short_password_is_refused_before_it_is_hashed() -> None:
    with pytest.raises(AdminFault) as caught:
        logins.make_verifier("short", lambda _password: pytest.fail("it was hashed"))
    assert (caught.value.code, caught.value.facts) == (FaultCode.PASSWORD_TOO_SHORT, {"least": 8})
    assert logins.make_verifier("long enough", hash_weakly) == "hash of long enough"


def test_a_fault_has_exactly_the_facts_of_its_code() -> None:
    with pytest.raises(TypeError, match="no-customer comes with"):
        AdminFault(FaultCode.NO_CUSTOMER, customer="Example")
    with pytest.raises(TypeError, match=r"customer\.add comes with"):
        changed(AuditAction.ADD_CUSTOMER)


def test_several_changes_are_made_all_or_none(office: AdminHarness) -> None:
    add = partial(customers.add_customer, name="Third")
    before = office.version, office.audit()
    with pytest.raises(AdminFault):
        office.admin.change_now(add, partial(domains.add_domain, name="Third", domain="example.com"))
    assert office.load()[0].customer_named("Third") is None
    assert (office.version, office.audit()) == before
    done = office.admin.change_now(add, partial(domains.add_domain, name="Third", domain="example.net"))
    assert [(each.action, each.facts) for each in done] == [
        (AuditAction.ADD_CUSTOMER, {"customer": "Third"}),
        (AuditAction.ADD_DOMAIN, {"customer": "Third", "domain": "example.net", "outside": 0}),
    ]


async def test_a_fault_leaves_changes_of_the_same_commit_alone(office: AdminHarness) -> None:
    calls = [partial(customers.add_customer, name=name) for name in ("Third", "example", "Fourth")]
    commits = office.database.commits
    busy, told = threading.Event(), threading.Event()

    def hold(_tx: Transaction, calls: list[None]) -> list[None]:
        """Keep the writer busy until the changes wait for it, so that they share the next commit."""
        busy.set()
        assert told.wait(PATIENCE)
        return calls

    held = asyncio.ensure_future(office.database.write(hold, None))
    assert await asyncio.to_thread(busy.wait, 60)
    waiting = [asyncio.ensure_future(office.admin.change(call)) for call in calls]
    await asyncio.sleep(0)
    told.set()
    await held
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in answers] == [list, AdminFault, list]
    assert office.database.commits == commits + 2
    names = [customer.name for customer in office.load()[0].customers()]
    assert names == ["Example", "Fourth", "Other", "Third"]


def test_a_range_has_one_owner_but_may_lie_in_another(office: AdminHarness) -> None:
    office.do(ranges.add_range, "Example", "192.0.2.0/24")
    office.do(ranges.add_range, "Other", "192.0.2.128/25")
    facts = {"range": "192.0.2.0/24", "owner": "Example"}
    assert office.refuse(ranges.add_range, "Other", "192.0.2.0/24") == (FaultCode.RANGE_TAKEN, facts)
    office.do(ranges.remove_range, "Example", "192.0.2.0/24")
    office.do(ranges.add_range, "Other", "192.0.2.0/24")


def test_customers_and_users_can_be_stopped_and_let_go_on(office: AdminHarness) -> None:
    office.do(users.add_user, "Example", "anna@example.com")
    for active in (False, True):
        office.do(customers.set_customer_active, "Example", active=active)
        office.do(users.set_user_active, "anna@example.com", active=active)
        directory, _ = office.load()
        customer, user = directory.customer_named("Example"), directory.user("anna@example.com")
        assert customer is not None
        assert user is not None
        assert (customer.active, user.active) == (active, active)


def test_a_profile_in_use_stays(office: AdminHarness) -> None:
    office.do(profiles.add_profile, "Example", "Alarm")
    office.do(users.add_user, "Example", "anna@example.com", profile="alarm")
    facts = {"name": "Alarm", "users": 1}
    assert office.refuse(profiles.remove_profile, "Example", "Alarm") == (FaultCode.PROFILE_HAS_USERS, facts)
    office.do(users.set_user_profile, "anna@example.com", "")
    office.do(profiles.set_default_profile, "Example", "Alarm")
    default = {"customer": "Example", "name": "Alarm"}
    assert office.refuse(profiles.remove_profile, "Example", "Alarm") == (FaultCode.PROFILE_IS_DEFAULT, default)
    listed = office.look(views.list_profiles, "Example")
    assert listed == [{"name": "Alarm", "default": True, "users": 0}]
    office.do(profiles.set_default_profile, "Example", "")
    office.do(settings.set_settings, ProfileScope("Example", "Alarm"), {"flash": "on"})
    view = office.look(views.show_profile, "Example", "alarm")
    assert list(view["settings"]) == ["flash"]
    office.do(profiles.remove_profile, "Example", "Alarm")
    assert office.load()[0].profiles() == ()


def test_a_login_belongs_to_one_and_takes_a_new_password(office: AdminHarness) -> None:
    office.do(users.add_user, "Example", "anna@example.com")
    office.do(users.add_user, "Example", "bert@example.com")
    office.do(logins.add_login, "Anna", hash_weakly("first password"), user="anna@example.com")
    for whose in ({"user": "bert@example.com"}, {"customer": "Example"}):
        assert office.refuse(logins.add_login, "anna", hash_weakly("other password"), **whose) == (
            FaultCode.LOGIN_TAKEN,
            {"login": "anna"},
        )
    done = office.do(logins.add_login, "anna", hash_weakly("second password"), user="anna@example.com")
    assert done.facts == {"login": "anna", "customer": "", "address": "anna@example.com", "new": False}
    credential = office.load()[0].credential("anna")
    assert credential is not None
    assert credential.verifier == "hash of second password"
    view = office.look(views.show_user, "Anna@example.com")
    assert view["logins"] == ["anna"]
    office.do(logins.remove_login, "ANNA")
    assert office.load()[0].credential("anna") is None


def test_no_password_is_in_the_audit(office: AdminHarness) -> None:
    office.do(logins.add_login, "desk", hash_weakly("very secret word"), customer="Example")
    assert "secret" not in repr(office.audit())


def test_random_passwords_differ_are_long_and_no_shell_or_dialog_takes_them_for_more() -> None:
    made = {logins.random_password() for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) >= 20
    assert all(password.isascii() and password.isalnum() for password in made)


def test_the_audit_says_who_did_what_to_whom_newest_first(office: AdminHarness) -> None:
    office.do(settings.set_settings, CustomerScope("Example"), {"max_parts": "3", "language": ""})
    office.do(settings.set_settings, CustomerScope("Example", "sap"), {"max_parts": "2"})
    office.do(settings.set_settings, CustomerScope("Example"), {"max_parts": ""})
    newest, *others = office.audit()
    assert newest == {
        "at": "2026-11-23T16:00:00+00:00",
        "who": "anna",
        "action": "settings.set",
        "customer": "Example",
        "target": "Example",
        "field": "max_parts",
        "before": "3",
        "after": "",
        "detail": "",
    }
    assert [(entry["field"], entry["before"], entry["after"], entry["detail"]) for entry in others[:3]] == [
        ("max_parts", "", "2", "sap"),
        ("language", "", "", ""),
        ("max_parts", "", "3", ""),
    ]
    assert [entry["action"] for entry in others[3:]] == ["customer.add", "customer.add-domain", "customer.add"]


def test_every_line_of_the_audit_says_whose_it_is_and_one_value_from_what_to_what(office: AdminHarness) -> None:
    office.do(profiles.add_profile, "Example", "Alarm", default=True)
    office.do(users.add_user, "Example", "anna@example.com", profile="Alarm")
    office.do(users.set_user_profile, "anna@example.com")
    office.do(users.set_user_active, "anna@example.com", active=False)
    office.do(profiles.set_default_profile, "Example")
    office.do(settings.set_settings, ProfileScope("Example", "Alarm"), {"max_parts": "2"})
    office.do(ranges.add_range, "Example", "192.0.2.0/24")
    office.do(ranges.remove_range, "Example", "192.0.2.0/24")
    office.do(customers.set_customer_active, "Example", active=False)
    office.do(options.set_options, "Example", remove=[item.value for item in Option if item is not Option.MAIL2SMS])
    office.do(settings.set_settings, SystemScope(), {"max_parts": "3"})
    told = [(line["action"], line["target"], line["field"], line["before"], line["after"]) for line in office.audit(11)]
    assert told[1][:3] == ("customer.options", "Example", "options")
    assert told[1][4] == "mail2sms"
    assert told[2:] == [
        ("customer.disable", "Example", "active", "on", "off"),
        ("customer.remove-range", "Example", "range", "192.0.2.0/24", ""),
        ("customer.add-range", "Example", "range", "", "192.0.2.0/24"),
        ("settings.set", "Example/Alarm", "max_parts", "", "2"),
        ("profile.default", "Example", "default_profile", "Alarm", ""),
        ("user.disable", "anna@example.com", "active", "on", "off"),
        ("user.profile", "anna@example.com", "profile", "Alarm", ""),
        ("user.add", "anna@example.com", "", "", ""),
        ("profile.add", "Example/Alarm", "", "", ""),
    ]
    assert office.audit(customer="example") == [line for line in office.audit() if line["customer"] == "Example"]
    assert {line["target"] for line in office.audit() if not line["customer"]} == {"the system"}
    assert [line["field"] for line in office.audit(customer="Example", about="Alarm")] == ["max_parts", ""]
    assert office.audit(since=NOW + timedelta(seconds=1)) == []
    assert office.audit(since=NOW) == office.audit()


def test_settings_of_every_layer_reach_the_user_with_their_origin(office: AdminHarness) -> None:
    office.do(profiles.add_profile, "Example", "Alarm")
    office.do(users.add_user, "Example", "anna@example.com", profile="Alarm")
    office.do(settings.set_settings, SystemScope(), {"language": "de", "max_parts": "2", "cost_centre": "1"})
    office.do(settings.set_settings, CustomerScope("Example"), {"max_parts": "3", "cost_centre": "2"})
    office.do(settings.set_settings, CustomerScope("Example", "sap"), {"report_format": "dsn", "cost_centre": "3"})
    office.do(settings.set_settings, ProfileScope("Example", "Alarm"), {"priority": "express", "cost_centre": "4"})
    office.do(settings.set_settings, UserScope("anna@example.com"), {"cost_centre": "<none>"})
    answer = explain(office, "Anna@Example.com", "sap", ["cost-centre", "max_parts", "language"])
    view = answer.view()
    assert (view["customer"], view["profile"], view["service"]) == ("Example", "Alarm", "sap")
    explained = view["settings"]
    assert isinstance(explained, dict)
    assert explained["cost_centre"] == {
        "value": "",
        "layer": "pinned",
        "owner": "anna@example.com",
        "origin": "manual:anna",
        **SET,
        "explicit_none": True,
        "locked_by": "",
        "shadowed": [
            {
                "value": value,
                "layer": layer,
                "owner": owner,
                "origin": "built-in" if layer == "built-in" else "manual:anna",
                **({} if layer == "built-in" else SET),
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
    assert (explained["max_parts"]["value"], explained["max_parts"]["layer"]) == ("3", "customer")
    office.do(settings.unset_settings, UserScope("anna@example.com"), ["cost_centre"])
    answer = explain(office, "anna@example.com", "mail", [])
    assert answer.resolved.settings.cost_centre == "4"
    assert len(answer.fields) == len(answer.resolved.explained)


def test_explaining_a_stranger_a_wrong_field_or_service_is_a_fault(office: AdminHarness) -> None:
    office.do(users.add_user, "Example", "anna@example.com")
    for address, service, names, code in [
        ("x@example.com", "mail", [], FaultCode.NO_USER),
        ("anna@example.com", "fax", [], FaultCode.NO_SERVICE),
        ("anna@example.com", "mail", ["max_part"], FaultCode.NO_SETTING),
    ]:
        with pytest.raises(AdminFault) as caught:
            explain(office, address, service, names)
        assert caught.value.code is code


def test_constraints_bind_what_can_be_set_and_any_lifts_them(office: AdminHarness) -> None:
    office.do(users.add_user, "Example", "anna@example.com")
    office.do(
        constraints.limit,
        CustomerScope("Example"),
        ConstraintLimits(
            lock=("max-parts",), sender_ids="Shop, +447700900123", express=False, flash=False, countries="de,ES"
        ),
    )
    anna = UserScope("anna@example.com")
    locked = {"field": "max_parts", "by": "customer Example"}
    assert office.refuse(settings.set_settings, anna, {"max_parts": "3"}) == (FaultCode.LOCKED, locked)
    office.do(settings.set_settings, CustomerScope("Example"), {"max_parts": "3"})
    barred = {"sender_id": "Other", "by": "customer Example", "allowed": ("447700900123", "Shop")}
    assert office.refuse(settings.set_settings, anna, {"sender_id": "Other"}) == (FaultCode.SENDER_ID_BARRED, barred)
    office.do(settings.set_settings, UserScope("anna@example.com"), {"sender_id": "Shop"})
    done = office.do(constraints.limit, CustomerScope("Example"), ConstraintLimits(max_parts="6"))
    assert done.facts == {
        "kind": "customer",
        "name": "Example",
        "customer": "",
        "service": "",
        "constraints": (
            ("locked", ("max_parts",)),
            ("sender_ids", ("447700900123", "Shop")),
            ("max_parts", 6),
            ("express", False),
            ("flash", False),
            ("countries", ("DE", "ES")),
        ),
    }
    assert [(entry["field"], entry["before"], entry["after"]) for entry in office.audit(1)] == [("max_parts", "", "6")]
    assert [(entry["field"], entry["after"]) for entry in office.audit() if entry["action"] == "constraints.set"] == [
        ("max_parts", "6"),
        ("countries", "DE,ES"),
        ("flash", "off"),
        ("express", "off"),
        ("sender_ids", "447700900123,Shop"),
        ("locked", "max_parts"),
    ]
    lifted = ConstraintLimits(
        unlock=("max_parts",), sender_ids="any", max_parts="any", express=True, flash=True, countries="any"
    )
    assert office.do(constraints.limit, CustomerScope("Example"), lifted).facts["constraints"] == ()
    office.do(constraints.limit, SystemScope(), ConstraintLimits(lock=("language",)))
    _, facts = office.refuse(settings.set_settings, CustomerScope("Example"), {"language": "de"})
    assert facts == {"field": "language", "by": "the system"}
    view = office.look(views.show_system)
    assert view == {"constraints": {"locked": ("language",)}, "settings": {}}


BOOK = (
    "e-mail,name,profile,sender-id,max-parts\n"
    "anna@example.com,Anna Keller,Alarm,Shop,3\n"
    "bert@example.com,Bert,,+447700900123,\n"
    "carl@example.com,Carl,Nope,,\n"
)


def test_an_address_book_is_previewed_imported_and_imported_again(office: AdminHarness) -> None:
    office.do(profiles.add_profile, "Example", "Alarm")
    user_file = read_user_file(BOOK.encode(), FileFormat())
    preview = office.look(user_import.preview_import, "Example", user_file)
    assert [planned.after.address for planned in preview.users] == ["anna@example.com", "bert@example.com"]
    assert office.load()[0].users() == ()
    refused = office.refuse(user_import.import_users, "Example", user_file)
    assert refused == (FaultCode.FILE_FAULTY, {"faults": 1, "place": 4})
    assert office.load()[0].users() == ()
    done = office.do(user_import.import_users, "Example", user_file, skip_faulty=True)
    counts = {"added": 2, "changed": 0, "unchanged": 0, "not_in_file": 0, "faults": 1}
    assert done.facts == counts
    directory, layers = office.load()
    anna = directory.user("anna@example.com")
    assert anna is not None
    resolved = layers.resolve(anna.customer_id, "mail", anna.profile_id, anna.key)
    assert resolved.explained["max_parts"].layer is LayerKind.USER
    assert resolved.explained["max_parts"].origin == f"file:{user_file.digest[:32]}, line 2, max-parts"
    version = office.version
    again = office.do(user_import.import_users, "Example", user_file, skip_faulty=True)
    assert again.facts == counts | {"added": 0, "unchanged": 2}
    assert office.version == version


def test_an_import_changes_takes_back_and_leaves_pins(office: AdminHarness) -> None:
    office.do(profiles.add_profile, "Example", "Alarm")
    office.do(user_import.import_users, "Example", read_user_file(BOOK.encode(), FileFormat()), skip_faulty=True)
    office.do(settings.set_settings, UserScope("anna@example.com"), {"max_parts": "9"})
    text = "e-mail,name,profile,sender-id,max-parts\nanna@example.com,Anna K.,,,5\n"
    done = office.do(user_import.import_users, "Example", read_user_file(text.encode(), FileFormat()))
    assert done.facts == {"added": 0, "changed": 1, "unchanged": 0, "not_in_file": 1, "faults": 0}
    lines = office.audit(about="anna@example.com")
    assert sorted((line["field"], line["before"], line["after"]) for line in lines[:-2]) == [
        ("max_parts", "3", "5"),
        ("name", "Anna Keller", "Anna K."),
        ("profile", "Alarm", ""),
        ("sender_id", "Shop", ""),
    ]
    assert [(line["action"], line["field"]) for line in lines[-2:]] == [
        ("settings.set", "max_parts"),
        ("people.import", ""),
    ]
    directory, layers = office.load()
    anna = directory.user("anna@example.com")
    assert anna is not None
    assert (anna.name, anna.profile_id) == ("Anna K.", None)
    resolved = layers.resolve(anna.customer_id, "mail", None, anna.key)
    assert (resolved.settings.max_parts, resolved.settings.sender_id) == (9, None)
    assert resolved.explained["max_parts"].shadowed[0].value == 5


def test_a_damaged_address_book_changes_nothing(office: AdminHarness) -> None:
    user_file = read_user_file(b"e-mail,langage\nanna@example.com,de\n", FileFormat())
    for skip in (False, True):
        refused = office.refuse(user_import.import_users, "Example", user_file, skip_faulty=skip)
        assert refused == (FaultCode.FILE_FAULTY, {"faults": 1, "place": 1})


def test_the_addresses_of_other_customers_cannot_be_imported(office: AdminHarness) -> None:
    office.do(users.add_user, "Other", "x@example.org")
    text = "e-mail\nx@example.org\nnew@example.com\n"
    user_file = read_user_file(text.encode(), FileFormat())
    done = office.do(user_import.import_users, "Example", user_file, skip_faulty=True)
    assert (done.facts["added"], done.facts["faults"]) == (1, 1)
    found = office.load()[0].user("x@example.org")
    assert found is not None
    customer = office.load()[0].customer(found.customer_id)
    assert customer is not None
    assert customer.name == "Other"


def test_an_export_imported_elsewhere_gives_the_same_settings(office: AdminHarness) -> None:
    office.do(profiles.add_profile, "Example", "Alarm")
    office.do(profiles.add_profile, "Example", "-alarm")
    office.do(user_import.import_users, "Example", read_user_file(BOOK.encode(), FileFormat()), skip_faulty=True)
    office.do(settings.set_settings, UserScope("anna@example.com"), {"max_parts": "9", "end_marker": "=end"})
    office.do(users.set_user_active, "bert@example.com", active=False)
    office.do(users.add_user, "Example", "+night@example.com", profile="-alarm")
    exported = office.look(user_import.export_users, "Example")
    read = read_user_file(write_user_file(exported).encode(), FileFormat())
    before = office.version
    done = office.do(user_import.import_users, "Example", read)
    assert done.facts == {"added": 0, "changed": 0, "unchanged": 3, "not_in_file": 0, "faults": 0}
    assert office.version == before
    for user in exported:
        office.do(users.remove_user, user.address)
    office.do(user_import.import_users, "Example", read)
    again = office.look(user_import.export_users, "Example")
    assert again == exported
    directory, layers = office.load()
    anna = directory.user("anna@example.com")
    assert anna is not None
    assert layers.resolve(anna.customer_id, "mail", None, anna.key).explained["max_parts"].layer is LayerKind.PINNED


def test_an_import_cannot_set_what_a_constraint_forbids_but_may_repeat_what_was_set_before(
    office: AdminHarness,
) -> None:
    book = read_user_file(b"e-mail,sender-id,language\nanna@example.com,Shop,de\n", FileFormat())
    office.do(user_import.import_users, "Example", book)
    office.do(
        constraints.limit,
        CustomerScope("Example"),
        ConstraintLimits(sender_ids="Other", lock=("language",)),
    )
    again = office.do(user_import.import_users, "Example", book).facts
    assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, 1)
    forbidden = read_user_file(b"e-mail,sender-id,language\nanna@example.com,Pub,es\n", FileFormat())
    plan = office.look(user_import.preview_import, "Example", forbidden)
    assert [(fault.place, fault.column, fault.code, fault.facts) for fault in plan.faults] == [
        (
            2,
            "sender-id",
            FaultCode.SENDER_ID_BARRED,
            {"sender_id": "Pub", "by": "customer Example", "allowed": ("Other",)},
        ),
        (2, "language", FaultCode.LOCKED, {"field": "language", "by": "customer Example"}),
    ]


def test_users_are_listed_of_one_customer_or_of_all(office: AdminHarness) -> None:
    office.do(users.add_user, "Example", "anna@example.com", name=" Anna  Keller ")
    office.do(users.add_user, "Other", "x@example.org")
    everybody = office.look(views.list_users, "")
    assert [view["address"] for view in everybody] == ["anna@example.com", "x@example.org"]
    assert everybody[0] == {
        "address": "anna@example.com",
        "customer": "Example",
        "profile": "",
        "name": "Anna Keller",
        "phone": "",
        "active": True,
        "in_directory": "",
    }
    with pytest.raises(AdminFault):
        office.look(views.list_users, "Nobody")


def test_removing_a_user_removes_its_login_and_settings(office: AdminHarness) -> None:
    office.do(users.add_user, "Example", "anna@example.com")
    office.do(logins.add_login, "anna", hash_weakly("long enough"), user="anna@example.com")
    office.do(settings.set_settings, UserScope("anna@example.com"), {"language": "de"})
    office.do(users.remove_user, "anna@example.com")
    directory, _ = office.load()
    assert directory.user("anna@example.com") is None
    assert directory.credential("anna") is None
    assert office.look(lambda tx: read(tx.rows, SettingRow)) == []
