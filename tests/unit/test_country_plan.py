"""A plan heeds the rules of the recipient's country: another sender, a refusal, or a note."""

from datetime import date, timedelta

import pytest

from addressbook.registrations import RegisteredId, Registrations
from countries.book import Mode, OperatorRule, RuleBook, RuleSubject
from countries.findings import Effect
from countries.judge import Case, Judge, Registration
from countries.rules import RuleName
from gateway.admin.countries import judge_by, known_countries
from sms.number import SenderId, SenderKind
from sms.outcome import Refusal
from sms.settings import UseCase

SHOP = SenderId(value="Shop", kind=SenderKind.ALPHANUMERIC)
NUMBER = SenderId(value="447700900123", kind=SenderKind.NUMERIC)
DAY = date(2026, 11, 1)
JUDGE = judge_by()


def case(country="GB", sender_id=SHOP, use_case=UseCase.TRANSACTIONAL, day=DAY, **facts):
    return Case(country=country, sender_id=sender_id, use_case=use_case, day=day, **facts)


def effects(judgement):
    return {(finding.rule, finding.effect) for finding in judgement.findings}


def test_a_name_that_the_country_blocks_unregistered_is_refused_and_passes_when_it_is_registered():
    judged = JUDGE.judge(case("ES"))
    assert judged.refused is not None
    assert judged.refused.refusal is Refusal.SENDER_ID_UNREGISTERED
    assert "«Shop» is not registered there" in judged.refused.detail
    assert (RuleName.ALPHA_REGISTRATION, Effect.REFUSED) in effects(judged)
    assert JUDGE.judge(case("ES", registration=Registration.OWN)).refused is None


def test_a_rule_is_a_note_until_its_day():
    before = JUDGE.judge(case("ES", day=date(2026, 9, 14)))
    assert before.refused is None
    assert (RuleName.ALPHA_REGISTRATION, Effect.NOTED) in effects(before)
    assert JUDGE.judge(case("ES", day=date(2026, 9, 15))).refused is not None


def test_the_fallback_takes_the_place_of_a_name_that_cannot_pass():
    judged = JUDGE.judge(case("ES", fallback=NUMBER, fallback_abroad=True))
    assert judged.refused is None
    assert judged.sender_id == NUMBER
    assert (RuleName.ALPHA_REGISTRATION, Effect.REPLACED) in effects(judged)


def test_a_name_that_is_shown_as_another_is_not_refused():
    judged = JUDGE.judge(case("SG"))
    assert judged.refused is None
    assert (RuleName.ALPHA_REGISTRATION, Effect.NOTED) in effects(judged)


@pytest.mark.parametrize(("mode", "is_refused"), [(Mode.APPLY, True), (Mode.NOTE, False), (Mode.OFF, False)])
def test_the_operator_decides_the_mode_of_a_rule_for_a_country(mode, is_refused):
    judge = judge_by([OperatorRule(country="BE", name=RuleName.ALPHA, mode=mode)])
    judged = judge.judge(case("BE"))
    assert (judged.refused is not None) is is_refused
    assert ((RuleName.ALPHA, Effect.NOTED) in effects(judged)) is (mode is Mode.NOTE)


def test_the_nearest_decision_of_the_operator_wins():
    rulings = [
        OperatorRule(country="*", name=RuleName.ALPHA, mode=Mode.OFF),
        OperatorRule(country="BE", name=RuleName.ALPHA, mode=Mode.APPLY),
        OperatorRule(country="BE", name=RuleName.ALPHA, mode=Mode.NOTE, customer="Acme"),
    ]
    judge = Judge(lambda: RuleBook(known_countries(), rulings))
    assert judge.judge(case("BE")).refused is not None
    assert judge.judge(case("BE", customer="Acme")).refused is None
    assert judge.judge(case("US")).refused is None


def suffixes(rulings, day=DAY, networks=frozenset(), customer=""):
    """Return the words that texts to France must end with: of each rule its value, and whether it is applied."""
    book = judge_by([OperatorRule(country="FR", name=RuleName.TEXT_SUFFIX, **fields) for fields in rulings]).book
    place = RuleSubject(country="FR", customer=customer, use_case=UseCase.MARKETING, networks=networks)
    rules = (rule for rule in book.rules_at(place) if rule.name is RuleName.TEXT_SUFFIX and not rule.has_ended(day))
    return [(rule.value, rule.mode) for rule in rules]


SHIPPED_SUFFIX = ("{opt_out}", Mode.NOTE)


def test_the_nearest_value_of_the_operator_stands_in_place_of_the_others_whatever_their_order():
    rulings = [
        {"mode": Mode.APPLY, "value": "STOP A", "customer": "Acme"},
        {"mode": Mode.APPLY, "value": "STOP all"},
        {"mode": Mode.OFF, "customer": "Beta"},
    ]
    for given in (rulings, rulings[::-1]):
        assert suffixes(given) == [("STOP all", Mode.APPLY)]
        assert suffixes(given, customer="Acme") == [("STOP A", Mode.APPLY)]
        assert suffixes(given, customer="Beta") == [("STOP all", Mode.OFF)]


def test_what_a_value_of_the_operator_stands_in_place_of_counts_until_its_day():
    later, last = date(2026, 12, 1), date(2027, 1, 1)
    rulings = [
        {"mode": Mode.APPLY, "value": "STOP 2", "in_force_at": last},
        {"mode": Mode.APPLY, "value": "STOP 1", "in_force_at": later},
    ]
    assert SHIPPED_SUFFIX in suffixes(rulings)
    assert suffixes(rulings, later) == [("STOP 2", Mode.APPLY), ("STOP 1", Mode.APPLY)]
    assert suffixes(rulings, last) == [("STOP 2", Mode.APPLY)]
    ruling = OperatorRule(
        country="ES", name=RuleName.ALPHA_REGISTRATION, mode=Mode.APPLY, value="none", in_force_at=last
    )
    judge = judge_by([ruling])
    assert judge.judge(case("ES", day=later)).refused is not None
    assert judge.judge(case("ES", day=last)).refused is None


def test_a_value_for_networks_leaves_what_is_said_of_the_country():
    rulings = [{"mode": Mode.APPLY, "value": "STOP net", "networks": ("20801",)}]
    assert suffixes(rulings) == [SHIPPED_SUFFIX, ("STOP net", Mode.APPLY)]
    nearer = [*rulings, {"mode": Mode.APPLY, "value": "STOP A", "customer": "Acme"}]
    assert suffixes(nearer, customer="Acme") == [("STOP A", Mode.APPLY)]


def test_a_rule_is_found_by_what_a_finding_says_of_it():
    book, place = JUDGE.book, RuleSubject(country="MY")
    rule = book.find(place, RuleName.URLS, "forbidden: a link (example.com)")
    assert rule is not None
    assert rule.value == "forbidden"
    assert book.find(place, RuleName.URLS, "forbiddenly") is None


def test_a_registration_counts_for_its_customer_country_use_case_and_until_its_last_day():
    one = RegisteredId(customer_key=7, country="ES", value="Shop", use_case=UseCase.MARKETING, until=DAY)
    shared = RegisteredId(customer_key=0, country="TH", value="Shop")
    known = Registrations([one, shared])
    assert known.find(7, SHOP, "ES", UseCase.MARKETING, DAY) is Registration.OWN
    assert known.find(7, SHOP, "ES", UseCase.MARKETING, date(2026, 11, 2)) is Registration.NONE
    assert known.find(7, SHOP, "ES", UseCase.TRANSACTIONAL, DAY) is Registration.NONE
    assert known.find(8, SHOP, "ES", UseCase.MARKETING, DAY) is Registration.NONE
    assert known.find(8, SHOP, "TH", UseCase.TRANSACTIONAL, DAY) is Registration.SHARED


def judge_validity(validity, *rules):
    """Return what is judged of a validity under rules of Germany, each a mode and a range."""
    rulings = [OperatorRule(country="DE", name=RuleName.VALIDITY, mode=mode, value=value) for mode, value in rules]
    judged = judge_by(rulings).judge(case("DE", validity=validity))
    return judged.validity, [finding[1:] for finding in judged.findings if finding.rule is RuleName.VALIDITY]


HOUR, DAYS = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (2 * HOUR, None),
        (HOUR, None),
        (2 * DAYS, None),
        (3 * DAYS, 2 * DAYS),
        (2 * DAYS + timedelta(seconds=1), 2 * DAYS),
        (HOUR / 2, HOUR),
    ],
)
def test_a_validity_outside_of_a_countrys_becomes_its_nearest_end_where_the_rule_is_applied(asked, kept):
    found = [(Effect.CHANGED, "1h-48h")] if kept is not None else []
    assert judge_validity(asked, (Mode.APPLY, "1h-48h")) == (kept, found)
    noted = [(Effect.NOTED, "1h-48h")] if kept is not None else []
    assert judge_validity(asked, (Mode.NOTE, "1h-48h")) == (None, noted)
    assert judge_validity(asked, (Mode.OFF, "1h-48h")) == (None, [])


def test_of_several_validities_all_that_are_applied_are_kept_and_a_note_is_about_what_goes_out():
    changed, noted = (Effect.CHANGED, "1m-48h"), (Effect.NOTED, "1m-24h")
    both = judge_validity(3 * DAYS, (Mode.NOTE, "1m-24h"), (Mode.APPLY, "1m-48h"))
    assert both == (2 * DAYS, [changed, noted])
    kept, _ = judge_validity(3 * DAYS, (Mode.APPLY, "1m-24h"), (Mode.APPLY, "1h-48h"))
    assert kept == DAYS
    assert judge_validity(3 * DAYS, (Mode.APPLY, "1m-48h"), (Mode.NOTE, "1m-48h"))[1] == [changed]


def test_answers_that_a_country_does_not_carry_are_told_where_the_sender_id_is_ours():
    assert (RuleName.TWO_WAY, Effect.NOTED) in effects(JUDGE.judge(case("AD", NUMBER, is_answerable=True)))
    assert RuleName.TWO_WAY not in {finding.rule for finding in JUDGE.judge(case("AD", NUMBER)).findings}
    # One source says that answers come.
    told = JUDGE.judge(case("DE", NUMBER, is_answerable=True)).findings
    assert RuleName.TWO_WAY not in {finding.rule for finding in told}


def test_what_is_known_of_the_network_stands_in_place_of_what_is_said_of_the_country():
    assert (RuleName.RECEIPTS, Effect.NOTED) in effects(JUDGE.judge(case("VN", NUMBER)))
    known = JUDGE.judge(case("VN", NUMBER, networks=frozenset({"45205"})))
    assert RuleName.RECEIPTS not in {finding.rule for finding in known.findings}


def test_the_strictest_of_several_rules_counts_and_one_to_apply_before_a_note():
    rulings = [
        OperatorRule(country="DE", name=RuleName.MAX_PARTS, mode=Mode.APPLY, value="4"),
        OperatorRule(country="DE", name=RuleName.MAX_PARTS, mode=Mode.APPLY, value="2"),
        OperatorRule(country="DE", name=RuleName.MAX_PARTS, mode=Mode.NOTE, value="1"),
        OperatorRule(country="DE", name=RuleName.URLS, mode=Mode.NOTE, value="allow-list"),
        OperatorRule(country="DE", name=RuleName.URLS, mode=Mode.NOTE, value="forbidden"),
    ]
    wording = judge_by(rulings).judge(case("DE")).wording
    assert wording is not None
    assert wording.most_parts == 2
    assert wording.links is not None
    assert wording.links.value == "forbidden"
