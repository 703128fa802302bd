"""Settings, constraints and carriers that say something against each other are told before an SMS suffers."""

from datetime import UTC, datetime, time

import pytest

from addressbook.hierarchy import Constraints, LayerKey, LayerKind, Layers, layer_of
from addressbook.lists import DistributionLists
from addressbook.numbers import NumberKind, NumberShare, NumberState, OwnNumber, OwnNumbers, Sharing
from addressbook.people import Customer, Directory, Profile, User
from addressbook.snapshot import Snapshot
from cli.words import contradiction_sentences
from config.model import Config, load_config
from countries.book import Mode, OperatorRule
from countries.rules import RuleName
from gateway.admin.countries import judge_by
from gateway.config_lint import find_contradictions, find_help_taken, find_help_without_contact, find_idle_numbers
from gateway.routing import CarrierRoute, CarrierRoutes
from inbound.actions import Action, ActionKind, AnswerAction, InboundRules, Keyword, MailAction
from smpp.dialect.parameters import Parameter
from sms.schedule import Hours
from sms.settings import UseCase, parse_setting

NOW = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
CUSTOMER = LayerKey(LayerKind.CUSTOMER, 1)
ANNA = LayerKey(LayerKind.PINNED, 31)
ALARM = LayerKey(LayerKind.PROFILE, 21)
SAP = LayerKey(LayerKind.SERVICE, 1, "sap")


ALONE = (CarrierRoute(carrier="alpha"),)


def contradictions(layers=None, *, hours=None, carriers=ALONE, numbers=(), rulings=None, **rules) -> list[str]:
    """Return what is told of a customer with a profile and two users; layers are texts by key."""
    directory = Directory(
        customers=[Customer(key=1, name="Example")],
        profiles=[Profile(key=21, customer_id=1, name="Alarm")],
        users=[
            User(key=31, customer_id=1, address="anna@example.com", profile_id=21),
            User(key=32, customer_id=1, address="bert@example.com"),
        ],
    )
    stored = {
        key: layer_of(key.kind, {name: parse_setting(name, text) for name, text in texts.items()}, "manual:anna")
        for key, texts in (layers or {}).items()
    }
    constraints = {1: Constraints(kind=LayerKind.CUSTOMER, owner="Example", **rules)} if rules else {}
    every = Layers(layers=stored, constraints=constraints)
    judge = None if rulings is None else judge_by(rulings)
    snapshot = Snapshot(directory, every, DistributionLists(), numbers=OwnNumbers(numbers), judge=judge)
    return contradiction_sentences(find_contradictions(snapshot, CarrierRoutes(carriers), hours or {}, NOW))


def test_of_very_many_contradictions_fifty_are_told_and_all_are_counted():
    names = [f"Unknown {number:03}" for number in range(60)]
    sentences = contradictions(carriers=(CarrierRoute(carrier="alpha", customers=tuple(names)),))
    assert len(sentences) == 51
    assert sentences[-1] == "And 10 more of this kind."


def test_settings_that_agree_are_told_nothing_of():
    assert contradictions() == []
    layers = {CUSTOMER: {"sender_id": "Shop", "max_parts": "2"}, ANNA: {"language": "de"}}
    assert contradictions(layers, sender_ids=frozenset({"Shop"}), max_parts=2) == []


def test_the_built_in_value_above_a_limit_is_no_contradiction():
    assert contradictions({ANNA: {"language": "de"}}, max_parts=1) == []


@pytest.mark.parametrize(
    ("key", "whose"),
    [
        (CUSTOMER, "customer «Example»"),
        (SAP, "customer «Example» for sap"),
        (ALARM, "profile «Alarm» of «Example»"),
        (ANNA, "user anna@example.com"),
    ],
)
def test_each_is_told_of_those_who_said_it_and_not_of_those_who_inherit_it(key, whose):
    layers = {ANNA: {"language": "de"}, ALARM: {"language": "es"}}
    layers[key] = {**layers.get(key, {}), "sender_id": "Pub", "max_parts": "9", "status_channel": "push"}
    assert contradictions(layers, sender_ids=frozenset({"Shop"}), max_parts=2) == [
        f"Every SMS of {whose} is refused: The sender ID Pub is not among those that customer Example permits (Shop).",
        f"max_parts = 9 of {whose} is without effect, 2 is in force: customer Example allows 2 parts at most.",
        f"status_channel = push of {whose} is without effect, all is told by mail: push_url is not set.",
    ]


def test_states_that_are_to_be_pushed_where_all_is_told_by_mail_are_told():
    states, url = {"push_states": "all"}, {"push_url": "https://app.example.com/sms"}
    (sentence,) = contradictions({CUSTOMER: states})
    assert sentence.startswith("push_states of customer «Example» is without effect, all is told by mail: status_chan")
    assert contradictions({CUSTOMER: {**states, **url, "status_channel": "both"}}) == []


@pytest.mark.parametrize(
    ("key", "whose"), [(LayerKey(LayerKind.SYSTEM), "customer «Example»"), (ANNA, "user anna@example.com")]
)
def test_a_dedicated_number_of_another_customer_as_sender_id_is_told(key, whose):
    def told(owner):
        number = OwnNumber(key=1, digits="447700900900", kind=NumberKind.LONG, country="GB", customer_key=owner)
        return contradictions({key: {"sender_id": "+447700900900"}}, numbers=[number])

    assert told(1) == []
    (sentence,) = told(2)
    assert sentence.startswith(f"Every SMS of {whose} is refused: The sender ID 447700900900 is a dedicated number")


@pytest.mark.parametrize(
    ("key", "whose"),
    [(CUSTOMER, "customer «Example»"), (ALARM, "profile «Alarm» of «Example»"), (ANNA, "user anna@example.com")],
)
def test_a_language_without_words_is_told_of_those_who_said_it(key, whose):
    assert contradictions({key: {"language": "pt-br"}}) == [
        f"language = pt-BR of {whose} has no words: status mails are in en. There are de, en, es, fr."
    ]
    assert contradictions({key: {"language": "de-AT"}}) == []


def test_a_number_that_no_carrier_can_send_from_is_told():
    def told(*carriers):
        number = OwnNumber(
            key=1, digits="60300", kind=NumberKind.SHORT, country="GB", customer_key=1, carriers=carriers
        )
        known = {"alpha", "receiver", "listener"}
        return contradiction_sentences(find_idle_numbers(OwnNumbers([number]), known, {"alpha"}))

    assert told() == told("alpha", "receiver") == []
    (sentence,) = told("receiver", "listener")
    assert sentence.startswith("No carrier of the number 60300 (GB) (receiver, listener) sends")


def test_a_carrier_for_a_customer_whom_there_is_not_is_told():
    carriers = (CarrierRoute(carrier="own", customers=("Exmaple", "EXAMPLE")), CarrierRoute(carrier="alpha"))
    (sentence,) = contradictions(carriers=carriers)
    assert "«Exmaple», whom there is not" in sentence


@pytest.mark.parametrize(("key", "whose"), [(CUSTOMER, "customer «Example»"), (ANNA, "anna@example.com")])
def test_a_parameter_that_no_carrier_has_is_told_of_those_who_said_it(key, whose):
    carriers = (CarrierRoute(carrier="alpha", parameters={"pe_id": Parameter(tag=0x1400)}),)
    (sentence,) = contradictions({key: {"parameters": "pe_id=1,template@Shop=2"}}, carriers=carriers)
    assert f"{whose} is refused: parameter template: there is none of that name; carriers have pe_id." in sentence
    assert contradictions({key: {"parameters": "pe_id=1"}}, carriers=carriers) == []


@pytest.mark.parametrize(
    ("validity", "hours", "told"),
    [
        ("14h", {"alpha": ("08:00", "18:00")}, "closed for 14 h 0 min"),
        ("15h", {"alpha": ("08:00", "18:00")}, ""),
        ("5m", {"alpha": ("18:00", "08:00")}, "closed for 10 h 0 min"),
        ("5m", {}, ""),
    ],
)
def test_a_validity_that_the_hours_of_all_carriers_outlast_is_told(validity, hours, told):
    windows = {
        name: Hours(since=time.fromisoformat(since), until=time.fromisoformat(until))
        for name, (since, until) in hours.items()
    }
    sentences = contradictions({CUSTOMER: {"validity": validity}}, hours=windows)
    assert len(sentences) == bool(told)
    assert all(told in sentence for sentence in sentences)
    backed = (CarrierRoute(carrier="alpha"), CarrierRoute(carrier="beta"))
    assert contradictions({CUSTOMER: {"validity": validity}}, hours=windows, carriers=backed) == []


CLOSED = {"alpha": Hours(since=time(8), until=time(18))}  # for 14 hours


def shortened(layers, value="1m-13h", *, mode=Mode.APPLY, country="BE", carriers=ALONE, hours=CLOSED, **ruling):
    rule = OperatorRule(country=country, name=RuleName.VALIDITY, mode=mode, value=value, **ruling)
    return contradictions(layers, hours=hours, carriers=carriers, rulings=[rule])


@pytest.mark.parametrize(("key", "whose"), [(CUSTOMER, "customer «Example»"), (ANNA, "user anna@example.com")])
def test_a_validity_that_a_country_makes_shorter_than_the_hours_is_told(key, whose):
    layers = {CUSTOMER: {"validity": "1d"}} | ({key: {"validity": "2d"}} if key is ANNA else {})
    told = [sentence for sentence in shortened(layers) if whose in sentence]
    (sentence,) = told
    assert sentence == (
        f"validity = {'2d' if key is ANNA else '1d'} of {whose} becomes 13h in «BE» by the country's rule, and can end"
        " before any carrier of alpha is used again: they are closed for 14 h 0 min."
    )


def test_a_rule_about_marketing_is_told_of_whose_sms_are_marketing():
    layers = {CUSTOMER: {"validity": "1d"}, ANNA: {"use_case": "marketing"}}
    (sentence,) = shortened(layers, use_case=UseCase.MARKETING)
    assert "of user anna@example.com becomes 13h" in sentence


def test_of_a_rule_for_all_countries_some_are_named():
    (sentence,) = shortened({CUSTOMER: {"validity": "1d"}}, country="*")
    assert "more by the country's rule" in sentence


@pytest.mark.parametrize(
    "facts",
    [
        {"mode": Mode.NOTE},
        {"mode": Mode.OFF},
        {"value": "1m-15h"},
        {"hours": {}},
        {"customer": "Rival"},
        {"carriers": (*ALONE, CarrierRoute(carrier="beta", prefixes=("32",)))},
    ],
)
def test_a_validity_that_stays_long_enough_where_carriers_are_closed_is_not_told(facts):
    assert shortened({CUSTOMER: {"validity": "1d"}}, **facts) == []


@pytest.mark.parametrize(
    ("prefixes", "is_told"), [(("324",), True), (("3",), True), (("33",), False), (("32", "3"), True)]
)
def test_a_country_has_the_routes_of_its_own_numbers(prefixes, is_told):
    open_all_day = CarrierRoute(carrier="beta")
    carriers = (open_all_day, CarrierRoute(carrier="alpha", prefixes=prefixes))
    assert bool(shortened({CUSTOMER: {"validity": "1d"}}, carriers=carriers)) is is_told


FILE = """\
[server]
hostname = "gateway.example.net"
domains = ["sms.example.net"]

[[listener]]
name = "in"
address = "127.0.0.1:2525"
"""
ALPHA = """
[[carrier]]
name = "alpha"
kind = "smpp"
host = "smsc.example.net"
system_id = "acme"
password_file = "secret"
"""
BETA = ALPHA.replace("alpha", "beta").replace("acme", "acme2")


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (ALPHA + BETA.replace("acme2", "acme"), 20, 'the account of carrier "alpha" too'),
        (ALPHA + '[[carrier]]\nname = "s"\nkind = "sandbox"\n', 17, 'stands beside carrier "alpha"'),
        (ALPHA + 'bind = "receiver"\n', 9, "no SMS can ever be sent"),
        (ALPHA + BETA + 'bind = "receiver"\nprefixes = ["44"]\n', 22, "prefixes, customers and hours do nothing"),
        (
            ALPHA + 'prefixes = ["447"]\n' + BETA + f"prefixes = {[f'447{digit}' for digit in range(10)]}\n",
            15,
            'no number is left to "447"',
        ),
        (ALPHA + 'customers = ["demo"]\n' + BETA + 'prefixes = ["4479"]\n', 15, 'go by "beta" for these customers'),
        (ALPHA + "[server]", 0, ""),
        (ALPHA + '[mail]\nexpire_after = "1m"\n', 16, "nothing is tried twice"),
        (ALPHA + '[mail]\nsandbox = "."\n[[mail.route]]\ndomain = "*"\nhost = "h.example"\n', 16, "does nothing"),
    ],
)
def test_what_stands_in_its_own_way_is_a_warning_with_its_line(tmp_path, text, line, told):
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "secret").chmod(0o600)
    file = tmp_path / "mail2sms.toml"
    file.write_text(FILE + text.replace("[server]", ""))
    config = load_config(file)
    assert isinstance(config, Config), config
    assert [(problem.line, told in problem.message) for problem in config.warnings] == ([(line, True)] if line else [])


def test_several_nodes_on_sqlite_are_a_warning(tmp_path):
    file = tmp_path / "mail2sms.toml"
    sandbox = '\n[[carrier]]\nname = "s"\nkind = "sandbox"\n'
    file.write_text(FILE.replace("[server]", "[server]\nnode = 3") + sandbox)
    config = load_config(file)
    assert isinstance(config, Config)
    assert [(problem.line, "several nodes need" in problem.message) for problem in config.warnings] == [(2, True)]
    file.write_text(file.read_text() + 'hours = "08:00-08:00"\n')
    problems = load_config(file)
    assert not isinstance(problems, Config)
    (problem,) = [problem for problem in problems if not problem.warning]
    assert "two different times" in problem.message


def test_numbers_of_nobody_and_of_carriers_that_there_are_not_are_told():
    number = OwnNumber(key=1, digits="447700900201", kind=NumberKind.LONG, country="GB", customer_key=1)
    short = OwnNumber(
        key=2, digits="12345", kind=NumberKind.SHORT, country="DE", state=NumberState.BLOCKED, carriers=("alpha", "old")
    )
    assert contradiction_sentences(find_idle_numbers(OwnNumbers([number, short]), {"alpha"}, {"alpha"})) == [
        "The number 12345 (DE) (blocked) is nobody's: «number set --customer» gives it an owner, «number remove» ends it.",
        "The number 12345 (DE) is served by old, which the operator's file does not have.",
    ]


def american(rulings=(), customers=("Example",), **number):
    """Return an address book with one American number."""
    fields = {"digits": "12025550123", "kind": NumberKind.LONG, "country": "US", "customer_key": 1, **number}
    owners = [Customer(key=key, name=name) for key, name in enumerate(customers, 1)]
    numbers, judge = OwnNumbers([OwnNumber(key=7, **fields)]), judge_by(rulings)
    return Snapshot(Directory(customers=owners), Layers(), DistributionLists(), numbers=numbers, judge=judge)


def help_without_contact(*acts, **facts):
    """Return what is told of an American number; acts are kinds of actions of the first customer, and their settings."""
    snapshot = american(**facts)
    rules = InboundRules(
        Action(key=key, customer_key=1, name=str(key), kind=kind, settings=settings)
        for key, (kind, settings) in enumerate(acts)
    )
    return contradiction_sentences(find_help_without_contact(snapshot, rules, NOW))


def test_a_number_whose_country_wants_help_answered_and_whose_answer_names_nobody_is_told():
    (sentence,) = help_without_contact()
    assert sentence == (
        "US demands that HELP is answered on the number +12025550123, and the answer of «Example» names nobody to ask:"
        " «action set help text=…» says whom, or «action add» has SMS mailed to an address, which the answer then names."
    )
    assert help_without_contact((ActionKind.HELP, AnswerAction(texts={"/de": "Fragen an {contact}"})))


@pytest.mark.parametrize(
    ("act", "facts"),
    [
        ((ActionKind.MAIL, MailAction(addresses=("desk@example.com",))), {}),
        ((ActionKind.HELP, AnswerAction(texts={"/": "Call +1 202 555 0124."})), {}),
        (None, {"state": NumberState.BLOCKED}),
        (None, {"country": "GB"}),
        (None, {"customer_key": None}),
        (None, {"rulings": [OperatorRule(country="US", name=RuleName.STOP_HELP, mode=Mode.NOTE)]}),
    ],
)
def test_an_answer_to_help_that_names_somebody_or_that_nobody_demands_is_not_told(act, facts):
    assert help_without_contact(*([act] if act is not None else []), **facts) == []


def test_of_a_shared_number_those_are_told_whose_word_it_has_and_of_very_many_only_some():
    shares = (NumberShare(customer_key=2, word="taxi"),)
    (sentence,) = help_without_contact(
        customers=("Example", "Rival"), customer_key=None, sharing=Sharing.KEYWORD, shares=shares
    )
    assert "the answer of «Rival» names" in sentence
    (sentence,) = help_without_contact(
        customers=[f"Customer {number:02}" for number in range(30)], customer_key=None, sharing=Sharing.DYNAMIC
    )
    assert "«Customer 19» and 10 more names nobody" in sentence


def help_taken(*words, number_key=None, **facts):
    """Return what is told of an American number with keywords of the first customer."""
    keywords = [
        Keyword(key=key, customer_key=1, word=word, folded=word.lower(), number_key=number_key)
        for key, word in enumerate(words)
    ]
    return contradiction_sentences(find_help_taken(american(**facts), InboundRules(keywords=keywords), NOW))


@pytest.mark.parametrize("number_key", [None, 7])
def test_a_keyword_that_takes_a_word_which_is_now_wanted_answered_is_told(number_key):
    (sentence,) = help_taken("taxi", "Info", "stop", number_key=number_key)
    assert sentence.startswith(
        "US demands that HELP is answered on the number +12025550123, and the keyword «Info» of «Example» takes it:"
        " «keyword remove» gives it back, or the rules file decides otherwise for US (rule stop_help; "
    )


@pytest.mark.parametrize(
    "facts",
    [
        {"number_key": 8},
        {"state": NumberState.BLOCKED},
        {"country": "GB"},
        {"customer_key": 2},
        {"rulings": [OperatorRule(country="US", name=RuleName.STOP_HELP, mode=Mode.NOTE)]},
        {"rulings": [OperatorRule(country="US", name=RuleName.STOP_HELP, mode=Mode.OFF, customer="Example")]},
    ],
)
def test_a_keyword_whose_word_nobody_demands_is_not_told(facts):
    assert help_taken("info", **facts) == []
