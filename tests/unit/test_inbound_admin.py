"""Numbers, keywords and actions: what an administrator may set up, what is refused, what is audited."""

from datetime import time, timedelta
from functools import partial

import pytest

from addressbook.numbers import NumberKind, NumberState, Sharing
from addressbook.options import Option
from countries.book import Mode, OperatorRule
from countries.rules import RuleName
from gateway.admin import action_fields, actions, customers, keywords, logins, numbers, options, profiles
from gateway.admin.edit import AuditAction
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from inbound.actions import (
    ActionKind,
    AnswerAction,
    ListAction,
    ListMode,
    MailAction,
    MailTo,
    PushForm,
    SmppAction,
    StopScope,
)
from sms.settings import UseCase
from store.inbound_rules import actions_of, load_numbers, load_rules
from tests.kit.admin_harness import NOW, AdminHarness

LONG, OTHER = "+447700900201", "+447700900202"
CARRIERS = {"alpha", "beta"}


@pytest.fixture
def office(database_url):
    made = AdminHarness(database_url)
    for name in ("acme", "rival"):
        made.do(customers.add_customer, name)
    yield made
    made.close()


def add_number(office, number=LONG, **more):
    return office.do(numbers.make_number, number, known_carriers=CARRIERS, **more)


def refuse_number(office, number=LONG, **more):
    return office.refuse(numbers.make_number, number, known_carriers=CARRIERS, **more)[0]


def key_of(office, name):
    return office.database.read_now(lambda tx: get_customer(tx, name).key)


def stored(office):
    return {item.digits: item for item in office.look(load_numbers).everyone()}


def add_action(office, name, kind, customer="acme", check=lambda settings, owner: None, **fields):
    more = {key: fields.pop(key) for key in ("number", "keyword") if key in fields}
    return office.do(actions.make_action, name, customer, kind, fields, check_push=check, **more)


def set_action(office, name, fields, customer="acme", **more):
    return office.do(actions.change_action, name, customer, fields, check_push=lambda *_: None, **more)


def refuse_action(office, name, kind, fields, **more):
    return office.refuse(actions.make_action, name, "acme", kind, fields, check_push=lambda *_: None, **more)


def settings_of(office, name, customer="acme"):
    found = office.look(actions_of, key_of(office, customer))
    return next(item.settings for item in found if item.name == name)


def test_a_long_code_is_stored_with_its_country_and_all_that_is_known_of_it(office):
    done = add_number(office, customer="acme", carriers=["beta", "alpha", "beta"], join_within=timedelta(minutes=2))
    assert (done.action, done.facts["number"], done.facts["customer"]) == (AuditAction.ADD_NUMBER, LONG, "acme")
    number = stored(office)["447700900201"]
    assert (number.kind, number.country, number.state) == (NumberKind.LONG, "GB", NumberState.ACTIVE)
    assert (number.customer_key, number.carriers) == (key_of(office, "acme"), ("beta", "alpha"))
    assert number.join_within == timedelta(minutes=2)
    (row,) = office.look(numbers.list_numbers)
    assert (row["number"], row["customer"], row["sharing"]) == (LONG, "acme", "dedicated")


def test_a_short_code_is_one_number_in_each_of_its_countries(office):
    add_number(office, "12345", country="gb")
    add_number(office, "12345", country="DE", state="requested")
    assert refuse_number(office, "12345", country="GB") is FaultCode.NUMBER_EXISTS
    set_number = partial(office.refuse, numbers.change_number, "12345", known_carriers=CARRIERS)
    assert set_number(state="active") == (FaultCode.NUMBER_AMBIGUOUS, {"number": "12345", "countries": ("DE", "GB")})
    office.do(numbers.change_number, "12345", known_carriers=CARRIERS, country="DE", state="blocked")
    assert {(item.country, item.state) for item in office.look(load_numbers).everyone()} == {
        ("GB", NumberState.ACTIVE),
        ("DE", NumberState.BLOCKED),
    }


@pytest.mark.parametrize(
    ("number", "more", "code"),
    [
        ("ACME", {}, FaultCode.BAD_NUMBER),
        ("12", {}, FaultCode.BAD_NUMBER),
        ("12345", {}, FaultCode.NUMBER_WITHOUT_COUNTRY),
        ("12345", {"country": "UK"}, FaultCode.NUMBER_WITHOUT_COUNTRY),
        (LONG, {"carriers": ["gamma"]}, FaultCode.NO_CARRIER),
        (LONG, {"customer": "nobody"}, FaultCode.NO_CUSTOMER),
        (LONG, {"customer": "acme", "sharing": "dynamic"}, FaultCode.SHARED_HAS_NO_OWNER),
        (LONG, {"join_within": timedelta(0)}, FaultCode.BAD_JOIN),
        (LONG, {"join_within": timedelta(days=2)}, FaultCode.BAD_JOIN),
    ],
)
def test_a_number_that_cannot_be_so_is_refused(office, number, more, code):
    assert refuse_number(office, number, **more) is code


def test_what_no_option_names_stays_and_a_number_can_be_given_back(office):
    add_number(office, customer="acme", carriers=["alpha"])
    change = partial(office.do, numbers.change_number, LONG, known_carriers=CARRIERS)
    change(state="blocked")
    assert stored(office)["447700900201"].customer_key == key_of(office, "acme")
    change(customer="", any_carrier=True)
    number = stored(office)["447700900201"]
    assert (number.customer_key, number.carriers, number.state) == (None, (), NumberState.BLOCKED)


@pytest.fixture
def shared(office):
    add_number(office, sharing="prefix")
    office.do(numbers.share_number, LONG, "acme", "Acme Taxi!")
    return office


def test_a_word_of_a_shared_number_is_stored_as_it_is_compared(shared):
    (share,) = stored(shared)["447700900201"].shares
    assert (share.word, share.customer_key) == ("acme taxi", key_of(shared, "acme"))
    (row,) = shared.look(numbers.list_numbers, "acme")
    assert row["words"] == ["acme taxi = acme"]
    assert shared.look(numbers.list_numbers, "rival") == []


@pytest.mark.parametrize(
    ("customer", "word", "code"),
    [
        ("rival", "ACME TAXI", FaultCode.WORD_TAKEN),
        ("acme", "acme taxi", FaultCode.WORD_TAKEN),
        ("rival", "Acme", FaultCode.WORD_OPENS),
        ("rival", "acme taxi berlin", FaultCode.WORD_OPENS),
        ("rival", "Stop", FaultCode.OPT_WORD),
        ("rival", "info", FaultCode.OPT_WORD),
        ("rival", "?!", FaultCode.BAD_WORD),
        ("rival", "x" * 51, FaultCode.BAD_WORD),
    ],
)
def test_two_customers_words_can_never_open_the_same_text(shared, customer, word, code):
    assert shared.refuse(numbers.share_number, LONG, customer, word)[0] is code


def test_one_customer_may_have_words_that_open_each_other_and_others_may_have_unlike_ones(shared):
    shared.do(numbers.share_number, LONG, "acme", "acme")
    shared.do(numbers.share_number, LONG, "rival", "acmetaxi")
    assert len(stored(shared)["447700900201"].shares) == 3
    shared.do(numbers.unshare_number, LONG, "Acme")
    assert shared.refuse(numbers.unshare_number, LONG, "acme")[0] is FaultCode.NO_SHARE


def test_a_number_with_words_stays_shared_by_words(shared):
    change = partial(numbers.change_number, number=LONG, known_carriers=CARRIERS)
    assert shared.refuse(change, sharing="dedicated")[0] is FaultCode.NUMBER_HAS_SHARES
    shared.do(change, sharing="keyword")
    assert stored(shared)["447700900201"].sharing is Sharing.KEYWORD
    add_number(shared, OTHER)
    assert shared.refuse(numbers.share_number, OTHER, "acme", "taxi")[0] is FaultCode.NOT_SHARED


def test_a_number_that_something_is_set_up_for_is_not_removed(office):
    add_number(office, customer="acme")
    office.do(keywords.make_keyword, "taxi", "acme", LONG)
    assert office.refuse(numbers.drop_number, LONG) == (FaultCode.NUMBER_IN_USE, {"number": LONG, "uses": 1})
    office.do(keywords.drop_keyword, "Taxi", "acme", LONG)
    office.do(numbers.drop_number, LONG)
    assert stored(office) == {}


@pytest.mark.parametrize(
    ("word", "more", "code"),
    [
        ("TAXI.", {}, FaultCode.KEYWORD_EXISTS),
        ("help", {}, FaultCode.KEYWORD_ANSWERED),
        ("unstop", {}, FaultCode.KEYWORD_ANSWERED),
        ("…", {}, FaultCode.BAD_WORD),
        ("bus", {"number": OTHER}, FaultCode.NUMBER_OF_OTHERS),
        ("bus", {"number": "+447700900299"}, FaultCode.NO_NUMBER),
    ],
)
def test_a_keyword_that_cannot_be_so_is_refused(office, word, more, code):
    add_number(office, OTHER, customer="rival")
    office.do(keywords.make_keyword, "Taxi", "acme")
    assert office.refuse(keywords.make_keyword, word, "acme", **more)[0] is code


def test_a_stop_may_be_a_keyword_since_it_stops_all_the_same_and_so_may_ordinary_words(office):
    for word in ("stop", "info", "yes"):
        office.do(keywords.make_keyword, word, "acme")
    assert [row["keyword"] for row in office.look(keywords.list_keywords, "acme")] == ["info", "stop", "yes"]


AMERICAN = "+12025550123"


def test_no_keyword_takes_a_word_that_a_country_wants_answered_on_its_numbers(office):
    add_number(office, customer="acme")
    add_number(office, AMERICAN, customer="acme")
    for where in ((), (AMERICAN,)):
        code, facts = office.refuse(keywords.make_keyword, "info", "acme", *where)
        assert (code, facts["country"], facts["rule"]) == (FaultCode.ANSWER_DEMANDED, "US", "stop_help")
        assert facts["sources"]
    office.do(keywords.make_keyword, "info", "acme", LONG)
    office.do(keywords.make_keyword, "stop", "acme", AMERICAN)


def test_a_number_whose_country_wants_help_answered_does_not_come_to_a_keyword_that_takes_it(office):
    office.do(keywords.make_keyword, "info", "acme")
    assert refuse_number(office, AMERICAN, customer="acme") is FaultCode.ANSWER_DEMANDED


@pytest.mark.parametrize(
    ("decided", "is_refused"),
    [
        ({"mode": Mode.APPLY}, True),
        ({"mode": Mode.NOTE}, False),
        ({"mode": Mode.OFF}, False),
        ({"mode": Mode.OFF, "customer": "rival"}, True),
        ({"mode": Mode.OFF, "customer": "acme"}, False),
        ({"mode": Mode.OFF, "carrier": "alpha"}, True),
        ({"mode": Mode.OFF, "use_case": UseCase.TRANSACTIONAL}, True),
    ],
)
def test_the_operator_decides_where_help_must_be_answered(office, decided, is_refused):
    office.rule_countries(OperatorRule(country="US", name=RuleName.STOP_HELP, **decided))
    add_number(office, AMERICAN, customer="acme", carriers=["alpha", "beta"])
    if is_refused:
        assert office.refuse(keywords.make_keyword, "info", "acme")[0] is FaultCode.ANSWER_DEMANDED
    else:
        office.do(keywords.make_keyword, "info", "acme")


@pytest.mark.parametrize(("day", "is_refused"), [(NOW.date(), True), (NOW.date() + timedelta(days=1), False)])
def test_a_demand_of_the_operators_own_begins_on_its_day_and_names_where_it_stands(office, day, is_refused):
    own = OperatorRule(
        country="GB",
        name=RuleName.STOP_HELP,
        mode=Mode.APPLY,
        value="mandatory",
        in_force_at=day,
        by="rules.toml, line 3",
    )
    office.rule_countries(own)
    add_number(office, customer="acme")
    if is_refused:
        code, facts = office.refuse(keywords.make_keyword, "info", "acme")
        assert (code, facts["sources"]) == (FaultCode.ANSWER_DEMANDED, ("rules.toml, line 3",))
    else:
        office.do(keywords.make_keyword, "info", "acme")


def test_a_keyword_counts_with_more_words_or_alone_as_is_said(office):
    office.do(keywords.make_keyword, "Taxi", "acme", alone=True)
    rows = office.look(keywords.list_keywords)
    assert (rows[0]["keyword"], rows[0]["compared_as"], rows[0]["more_words"]) == ("Taxi", "taxi", False)
    office.do(keywords.change_keyword, "taxi", "acme", alone=False)
    assert office.look(keywords.list_keywords)[0]["more_words"] is True


def test_every_customer_has_reply_stop_start_and_help_from_its_creation(office):
    rows = office.look(actions.list_actions, "acme")
    assert [(row["action"], row["kind"], row["settings"]) for row in rows] == [
        (name.capitalize(), name, ["standard"]) for name in ("reply", "stop", "start", "help")
    ]
    assert office.look(actions_of, key_of(office, "acme")) == []


def test_setting_one_of_them_makes_it_the_customers_own_until_it_is_removed(office):
    fields = {"text": "Bye.", "text.mail.de": "Tschüss.", "text.fr": "Au revoir.", "scope": "service"}
    set_action(office, "stop", fields)
    assert settings_of(office, "Stop") == AnswerAction(
        texts={"/": "Bye.", "mail/de": "Tschüss.", "/fr": "Au revoir."}, scope=StopScope.SERVICE
    )
    set_action(office, "Stop", {"text.fr": "", "scope": ""})
    assert settings_of(office, "Stop") == AnswerAction(texts={"/": "Bye.", "mail/de": "Tschüss."})
    row = next(row for row in office.look(actions.list_actions, "acme") if row["action"] == "Stop")
    assert row["settings"] == ["text=Bye.", "text.mail.de=Tschüss."]
    office.do(actions.drop_action, "STOP", "acme")
    assert office.refuse(actions.drop_action, "stop", "acme")[0] is FaultCode.ACTION_IS_STANDARD


def test_what_an_answer_says_is_not_in_the_audit(office):
    set_action(office, "help", {"text": "Call Zoe at home."})
    assert "Zoe" not in str(office.audit())


def test_mail_goes_to_canonical_addresses_of_a_profile(office):
    office.do(profiles.add_profile, "acme", "Desk")
    add_action(office, "Desk", "mail", addresses="Desk@ACME.example.com, x@example.org", profile="desk")
    settings = settings_of(office, "Desk")
    assert settings.addresses == ("desk@acme.example.com", "x@example.org")
    assert settings.profile_key is not None
    set_action(office, "Desk", {"to": "newest", "addresses": "", "profile": ""})
    assert settings_of(office, "Desk") == MailAction(to=MailTo.NEWEST)


def test_a_list_has_addresses_a_time_and_a_mode(office):
    add_action(office, "Daily", "list", addresses="a@example.com", at="7:30", mode="full")
    assert settings_of(office, "Daily") == ListAction(addresses=("a@example.com",), at=time(7, 30), mode=ListMode.FULL)


def test_a_push_is_checked_by_the_rules_of_the_operator(office):
    asked = []

    def check(settings, owner):
        asked.append((settings.url, owner))
        if settings.url.startswith("http:"):
            raise AdminFault(FaultCode.BAD_PUSH, cause="plain")

    fields = {"form": "json", "method": "put", "header.X-Key-Id": "7"}
    add_action(office, "App", "push", check=check, url="https://app.example.com/sms", **fields)
    settings = settings_of(office, "App")
    assert (settings.form, settings.method, settings.headers) == (PushForm.JSON, "PUT", {"X-Key-Id": "7"})
    change = partial(office.refuse, actions.change_action, "App", "acme", check_push=check)
    assert change({"url": "http://app.example.com"})[0] is FaultCode.BAD_PUSH
    assert asked[0] == ("https://app.example.com/sms", "acme")


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        ("mail", {}, FaultCode.ACTION_INCOMPLETE),
        ("mail", {"addresses": "nobody"}, FaultCode.BAD_ACTION_VALUE),
        ("mail", {"to": "everybody"}, FaultCode.BAD_ACTION_VALUE),
        ("mail", {"addresses": "a@example.com", "profile": "none"}, FaultCode.NO_PROFILE),
        ("mail", {"url": "https://example.com"}, FaultCode.NO_ACTION_FIELD),
        ("reply", {"scope": "service"}, FaultCode.NO_ACTION_FIELD),
        ("reply", {"text.de.mail": "x"}, FaultCode.BAD_ACTION_VALUE),
        ("reply", {"text": "x" * 1001}, FaultCode.BAD_ACTION_VALUE),
        ("list", {"at": "10:00"}, FaultCode.ACTION_INCOMPLETE),
        ("list", {"addresses": "a@example.com", "at": "25:00"}, FaultCode.BAD_ACTION_VALUE),
        ("list", {"addresses": "a@example.com", "at": "noon"}, FaultCode.BAD_ACTION_VALUE),
        ("push", {}, FaultCode.ACTION_INCOMPLETE),
        ("push", {"url": "https://example.com", "header": "x"}, FaultCode.NO_ACTION_FIELD),
        ("stop", {"text": "x"}, FaultCode.BUILT_IN_ACTION),
    ],
)
def test_an_action_that_cannot_be_so_is_refused(office, kind, fields, code):
    assert refuse_action(office, "New", kind, fields)[0] is code


def test_a_name_is_one_actions_and_those_of_every_customer_are_taken(office):
    add_action(office, "Desk", "mail", addresses="a@example.com")
    fields = {"addresses": "a@example.com"}
    assert refuse_action(office, "DESK", "mail", fields)[0] is FaultCode.ACTION_EXISTS
    assert refuse_action(office, "Help", "mail", fields)[0] is FaultCode.BAD_ACTION_NAME
    assert office.refuse(actions.drop_action, "other", "acme")[0] is FaultCode.NO_ACTION


def test_an_action_is_for_a_number_and_a_keyword_of_its_customer(office):
    add_number(office, customer="acme")
    add_number(office, OTHER, customer="rival")
    office.do(keywords.make_keyword, "taxi", "acme")
    office.do(keywords.make_keyword, "bus", "acme", LONG)
    fields = {"addresses": "a@example.com"}
    assert refuse_action(office, "X", "mail", fields, number=OTHER)[0] is FaultCode.NUMBER_OF_OTHERS
    assert refuse_action(office, "X", "mail", fields, keyword="bus")[0] is FaultCode.NO_KEYWORD
    for name, word in (("Taxi", "TAXI"), ("Bus", "bus")):
        add_action(office, name, "mail", number=LONG, keyword=word, **fields)
    rows = [row for row in office.look(actions.list_actions, "acme") if row["kind"] == "mail"]
    assert [(row["number"], row["keyword"]) for row in rows] == [(LONG, "taxi"), (LONG, "bus")]
    assert office.refuse(keywords.drop_keyword, "taxi", "acme")[0] is FaultCode.KEYWORD_IN_USE
    set_action(office, "Taxi", {}, keyword="", number="all", active=False)
    office.do(keywords.drop_keyword, "taxi", "acme")
    row = next(row for row in office.look(actions.list_actions, "acme") if row["action"] == "Taxi")
    assert (row["number"], row["keyword"], row["active"]) == ("all", "", False)


@pytest.mark.parametrize(
    ("kind", "option", "fields"),
    [
        ("mail", Option.SMS2MAIL, {"addresses": "a@example.com"}),
        ("list", Option.LIST, {"addresses": "a@example.com"}),
        ("push", Option.APPLICATION, {"url": "https://app.example.com"}),
    ],
)
def test_an_action_of_an_option_that_is_not_contracted_is_neither_added_nor_changed(office, kind, option, fields):
    add_action(office, "Before", kind, **fields)
    office.do(options.set_options, "acme", remove=[option])
    fault = FaultCode.NOT_CONTRACTED, {"customer": "acme", "option": option.value}
    assert refuse_action(office, "After", kind, fields) == fault
    assert office.refuse(actions.change_action, "Before", "acme", {}, check_push=lambda *_: None) == fault
    add_action(office, "Answer", "reply", text="Thanks.")


def test_of_a_removed_customer_nothing_is_left_but_its_numbers_which_are_blocked(office):
    add_number(office, customer="acme")
    add_number(office, OTHER, sharing="prefix")
    office.do(numbers.share_number, OTHER, "acme", "taxi")
    office.do(keywords.make_keyword, "taxi", "acme")
    add_action(office, "Desk", "mail", addresses="a@example.com")
    key = key_of(office, "acme")
    office.do(customers.remove_customer, "acme")
    found = stored(office)
    assert (found["447700900201"].customer_key, found["447700900201"].state) == (None, NumberState.BLOCKED)
    assert found["447700900202"].shares == ()
    rules = office.look(load_rules)
    assert (rules.actions(key, 0), rules.keywords(key, 0)) == ([], [])


def test_every_change_makes_a_new_version_that_the_gateway_follows(office):
    before = office.version
    add_number(office, customer="acme")
    office.do(keywords.make_keyword, "taxi", "acme")
    add_action(office, "Desk", "mail", addresses="a@example.com")
    assert office.version == before + 3
    told = [entry["action"] for entry in office.audit(customer="acme")]
    assert list(dict.fromkeys(told))[:3] == ["action.add", "keyword.add", "number.add"]


def test_the_audit_of_an_action_has_its_addresses_but_no_words_and_no_secrets(office):
    add_action(office, "Desk", "mail", addresses="a@example.com")
    set_action(office, "Desk", {"addresses": "b@example.com,c@example.com"})
    set_action(office, "stop", {"text": "Bye"})
    set_action(office, "stop", {"text": "Ciao"})
    told = [(entry["target"], entry["field"], entry["before"], entry["after"]) for entry in office.audit(4)]
    assert told == [
        ("acme/Stop", "text", "(set)", "(set)"),
        ("acme/Stop", "text", "", "(set)"),
        ("acme/Stop", "active", "", "on"),
        ("acme/Desk", "addresses", "a@example.com", "b@example.com,c@example.com"),
    ]


def test_every_kind_of_action_has_its_settings():
    assert set(action_fields.FIELDS) == set(ActionKind)


def test_an_inbound_sms_goes_by_smpp_only_to_a_login_of_the_customer(office):
    for customer in ("acme", "rival"):
        office.do(logins.add_login, f"{customer}-shop", "verifier", customer=customer)
    assert refuse_action(office, "Shop", "smpp", {"login": "rival-shop"})[0] is FaultCode.NO_LOGIN
    assert refuse_action(office, "Shop", "smpp", {})[0] is FaultCode.ACTION_INCOMPLETE
    add_action(office, "Shop", "smpp", login="ACME-shop")
    assert settings_of(office, "Shop") == SmppAction(login="acme-shop")
