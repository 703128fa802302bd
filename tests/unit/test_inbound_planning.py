"""Whose an inbound SMS is, and what follows: by number, prefix, keyword, last contact and the past, as values."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from addressbook.hierarchy import Layers
from addressbook.lists import DistributionLists
from addressbook.numbers import NumberKind, NumberShare, NumberState, OwnNumber, OwnNumbers, Sharing
from addressbook.options import ALL_OPTIONS, Option
from addressbook.people import Customer, Directory, User
from addressbook.snapshot import Snapshot
from inbound.actions import (
    Action,
    ActionKind,
    ActionSettings,
    AnswerAction,
    InboundRules,
    Keyword,
    ListAction,
    MailAction,
    MailTo,
    PushAction,
    StopScope,
)
from inbound.effects import (
    AnswerEffect,
    Left,
    LeftOut,
    ListEffect,
    MailEffect,
    PushEffect,
    StartEffect,
    StopEffect,
    TellOperator,
    Untold,
)
from inbound.planning import InboundPlan, Past, plan_inbound
from inbound.routing import Via
from inbound.sms import Contact, InboundSms, LatePart
from inbound.words import fold

NOW = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PHONE = "+447700900123"
ACME, BETA = 1, 2
ANNA, BORIS = "anna@acme.example.com", "boris@acme.example.com"
DESK = "desk@acme.example.com"
OWN = "+447700900555"
NUMBERS = (
    OwnNumber(key=10, digits="447700900555", kind=NumberKind.LONG, country="GB", customer_key=ACME),
    OwnNumber(
        key=11, digits="60999", kind=NumberKind.SHORT, country="GB", sharing=Sharing.PREFIX,
        shares=(NumberShare(customer_key=ACME, word="acme"), NumberShare(customer_key=BETA, word="acme uk")),
    ),
    OwnNumber(
        key=12, digits="60888", kind=NumberKind.SHORT, country="GB", sharing=Sharing.KEYWORD,
        shares=(NumberShare(customer_key=BETA, word="vote"),),
    ),
    OwnNumber(key=13, digits="447700900556", kind=NumberKind.LONG, country="GB", sharing=Sharing.DYNAMIC),
    OwnNumber(
        key=14, digits="447700900557", kind=NumberKind.LONG, country="GB", state=NumberState.BLOCKED, customer_key=ACME
    ),
)  # fmt: skip
USERS = (
    User(key=21, customer_id=ACME, address=ANNA),
    User(key=22, customer_id=ACME, address=BORIS),
    User(key=23, customer_id=ACME, address="gone@acme.example.com", active=False),
    User(key=24, customer_id=BETA, address="bea@beta.example.com"),
)


def snapshot(*, options: frozenset[Option] = ALL_OPTIONS, active: bool = True) -> Snapshot:
    customers = [
        Customer(key=ACME, name="Acme", domains=("acme.example.com",), active=active),
        Customer(key=BETA, name="Beta", domains=("beta.example.com",)),
    ]
    return Snapshot(
        Directory(version=3, customers=customers, users=USERS),
        Layers(version=3),
        DistributionLists(),
        numbers=OwnNumbers(NUMBERS),
        default_options=options,
    )


def action(settings: ActionSettings, kind: ActionKind, key: int = 31, **fields: Any) -> Action:
    return Action(key=key, customer_key=ACME, name=f"{kind}-{key}", kind=kind, settings=settings, **fields)


def mail(to: MailTo = MailTo.NEWEST, *addresses: str, **fields: Any) -> Action:
    return action(MailAction(to=to, addresses=addresses), ActionKind.MAIL, **fields)


def contact(ago: timedelta, user: str = ANNA, customer: int = ACME, **fields: Any) -> Contact:
    return Contact(
        customer_key=customer,
        user_address=user,
        service="mail",
        sender_id="",
        at=NOW - ago,
        reverse_path=user,
        **fields,
    )


def decide(
    text: str,
    *actions: Action,
    to: str = OWN,
    keywords: tuple[Keyword, ...] = (),
    book: Snapshot | None = None,
    late: LatePart | None = None,
    at: datetime = NOW,
    **past: Any,
) -> InboundPlan:
    sms = InboundSms(
        public_id="I.1", carrier="alpha", source=PHONE, destination=to, text=text, received_at=at, late=late
    )
    rules = InboundRules(actions, keywords)
    return plan_inbound(sms, book or snapshot(), rules, Past(**past))


def addresses(plan: InboundPlan) -> list[str]:
    return [effect.address for effect in plan.effects if isinstance(effect, MailEffect)]


def kinds(plan: InboundPlan) -> list[str]:
    return [type(effect).__name__ for effect in plan.effects]


# Whose it is


@pytest.mark.parametrize(
    ("to", "text", "owner", "via", "shown"),
    [
        (OWN, "Hello", ACME, Via.DEDICATED, "Hello"),
        ("447700900555", "Hello", ACME, Via.DEDICATED, "Hello"),
        ("60999", "Acme: Hello there", ACME, Via.PREFIX, "Hello there"),
        ("60999", "ACMÉ hello", ACME, Via.PREFIX, "hello"),
        ("60999", "acme UK - yes", BETA, Via.PREFIX, "yes"),
        ("60999", "Acmes hello", None, None, "Acmes hello"),
        ("60888", "Vote 7", BETA, Via.KEYWORD, "Vote 7"),
        ("60888", "7 votes", None, None, "7 votes"),
        ("+447700900556", "Hello", None, None, "Hello"),
        ("+447700900999", "Hello", None, None, "Hello"),
        ("+447700900557", "Hello", None, None, "Hello"),
    ],
)
def test_a_number_is_one_customers_or_shared_by_the_word_that_opens_the_text(to, text, owner, via, shown):
    route = decide(text, to=to).route
    assert (route.customer_key, route.via, route.text) == (owner, via, shown)


def test_a_dynamic_number_belongs_to_who_last_contacted_the_handset_and_to_nobody_else():
    plan = decide(
        "Hello", to="+447700900556", contacts=[contact(3 * DAY), contact(2 * DAY, "bea@beta.example.com", BETA)]
    )
    assert (plan.route.customer_key, plan.route.via) == (BETA, Via.LAST_CONTACT)


def test_an_automatic_answer_is_no_contact():
    automatic = Contact(customer_key=BETA, user_address="", service="inbound", sender_id="", at=NOW)
    plan = decide("Hello", to="+447700900556", contacts=[contact(3 * DAY), automatic])
    assert plan.route.customer_key == ACME


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("60999", Untold.NO_SHARE), ("60888", Untold.NO_SHARE), ("+447700900556", Untold.NO_CONTACT),
        ("+447700900999", Untold.NO_NUMBER), ("+447700900557", Untold.NUMBER_BLOCKED),
    ],
)  # fmt: skip
def test_what_is_nobodys_is_told_to_the_operator(to, reason):
    assert decide("Hello", to=to).effects == (TellOperator(reason=reason),)


@pytest.mark.parametrize("to", ["60999", "60888", "+447700900556", "+447700900999"])
def test_a_bare_stop_on_a_number_of_several_goes_to_who_last_contacted_the_handset(to):
    plan = decide("STOP", to=to, contacts=[contact(90 * DAY), contact(80 * DAY, "bea@beta.example.com", BETA)])
    assert (plan.route.customer_key, plan.effects[0]) == (BETA, StopEffect(service="", word="stop"))


@pytest.mark.parametrize("text", ["Acme STOP", "STOP Acme", "stop acme, thanks", "please stop ACME"])
def test_a_stop_with_the_prefix_is_that_customers(text):
    plan = decide(text, to="60999", contacts=[contact(DAY, "bea@beta.example.com", BETA)])
    assert (plan.route.customer_key, plan.effects[0]) == (ACME, StopEffect(service="", word="stop"))


def test_a_stop_behind_a_shared_keyword_is_that_customers():
    plan = decide("Vote STOP", to="60888")
    assert (plan.route.customer_key, plan.effects[0]) == (BETA, StopEffect(service="", word="stop"))


def test_a_stop_to_a_blocked_number_is_still_its_owners():
    assert decide("STOP", to="+447700900557").effects[0] == StopEffect(service="", word="stop")


# Keywords and default actions


def keyword(word: str, key: int = 41, **fields: Any) -> Keyword:
    return Keyword(key=key, customer_key=ACME, word=word, folded=fold(word), **fields)


PUSH = action(PushAction(url="https://app.example.com/sms"), ActionKind.PUSH, key=32)
LIST = action(ListAction(addresses=(DESK,)), ActionKind.LIST, key=33)


def test_default_actions_are_all_done_and_a_keywords_replace_them():
    by_word = action(AnswerAction(texts={"/": "We open at 9."}), ActionKind.REPLY, key=34, keyword_key=41)
    actions = (mail(MailTo.STATIC, DESK), PUSH, LIST, by_word)
    assert kinds(decide("Hello", *actions, keywords=(keyword("Hours"),))) == ["MailEffect", "PushEffect", "ListEffect"]
    plan = decide("hours?", *actions, keywords=(keyword("Hours"),))
    assert plan.keyword == keyword("Hours")
    assert kinds(plan) == ["AnswerEffect"]


def test_the_longest_keyword_counts_and_words_may_follow_only_where_the_rule_says_so():
    words = (keyword("Win"), keyword("Win car", key=42), keyword("Yes", key=43, trailing=False))
    assert decide("WIN CAR now", keywords=words).keyword == words[1]
    assert decide("win boat", keywords=words).keyword == words[0]
    assert decide("Yes, thanks!", keywords=words).keyword == words[2]
    assert decide("Yes but later", keywords=words).keyword is None


def test_a_keyword_or_action_of_another_number_is_none():
    of_other = keyword("Win", number_key=12)
    assert decide("Win", mail(MailTo.STATIC, DESK, number_key=12), keywords=(of_other,)).effects == (
        TellOperator(reason=Untold.NO_ACTION),
    )


def test_what_is_not_contracted_is_not_done_and_says_so():
    plan = decide("Hello", mail(MailTo.STATIC, DESK), PUSH, LIST, book=snapshot(options=frozenset({Option.LIST})))
    assert [effect.reason for effect in plan.effects if isinstance(effect, LeftOut)] == [Left.NOT_CONTRACTED] * 2
    assert plan.effects[-1] == ListEffect(action=LIST)


def test_a_customer_that_is_not_active_gets_nothing_but_its_stops_count():
    off = snapshot(active=False)
    assert decide("Hello", PUSH, book=off).effects == (TellOperator(reason=Untold.CUSTOMER_INACTIVE),)
    assert decide("STOP", PUSH, book=off).effects == (StopEffect(service="", word="stop"),)


# Mail to who wrote to the handset


@pytest.mark.parametrize(
    ("ago", "reached"),
    [(6.99, ANNA), (7.0, ANNA), (7.01, DESK), (0, ANNA), (-1 / 24, ANNA)],
)
def test_whoever_texted_the_handset_within_seven_days_gets_the_answer_and_then_the_fallback_does(ago, reached):
    # A contact of the future is one before the clock went back.
    plan = decide("Hello", mail(MailTo.NEWEST, DESK), contacts=[contact(ago * DAY)])
    assert addresses(plan) == [reached]


def test_seven_days_are_168_hours_whatever_the_clocks_on_the_wall_did():
    london = ZoneInfo("Europe/London")
    at = datetime(2026, 10, 28, 12, 0, tzinfo=london).astimezone(UTC)  # summer time ended on 25 October
    before = datetime(2026, 10, 21, 12, 0, tzinfo=london).astimezone(UTC)  # 7 days and an hour
    live = Contact(customer_key=ACME, user_address=ANNA, service="mail", sender_id="", at=before + timedelta(hours=1))
    dead = Contact(customer_key=ACME, user_address=ANNA, service="mail", sender_id="", at=before)
    assert addresses(decide("Hello", mail(MailTo.NEWEST, DESK), at=at, contacts=[live])) == [ANNA]
    assert addresses(decide("Hello", mail(MailTo.NEWEST, DESK), at=at, contacts=[dead])) == [DESK]


def test_of_two_users_the_newest_gets_it_or_all_newest_first():
    contacts = [contact(3 * DAY, ANNA), contact(2 * DAY, BORIS), contact(1 * DAY, ANNA)]
    assert addresses(decide("Hello", mail(MailTo.NEWEST, DESK), contacts=contacts)) == [ANNA]
    assert addresses(decide("Hello", mail(MailTo.ALL, DESK), contacts=contacts)) == [ANNA, BORIS]


def test_users_of_another_company_never_get_it():
    contacts = [contact(3 * DAY, ANNA), contact(DAY, "bea@beta.example.com", BETA)]
    assert addresses(decide("Hello", mail(MailTo.ALL, DESK), contacts=contacts)) == [ANNA]
    assert addresses(decide("Hello", mail(MailTo.ALL, DESK), contacts=contacts[1:])) == [DESK]


@pytest.mark.parametrize("gone", ["gone@acme.example.com", "was@elsewhere.example.com", "bea@beta.example.com"])
def test_a_user_who_may_not_send_any_more_gets_nothing_the_fallback_does(gone):
    plan = decide("Hello", mail(MailTo.NEWEST, DESK), contacts=[contact(DAY, gone), contact(2 * DAY, ANNA)])
    assert plan.effects == (MailEffect(action=mail(MailTo.NEWEST, DESK), address=DESK, is_fallback=True),)


def test_a_sender_of_the_customers_domain_without_a_user_counts():
    plan = decide("Hello", mail(MailTo.NEWEST, DESK), contacts=[contact(DAY, "printer@acme.example.com")])
    assert addresses(plan) == ["printer@acme.example.com"]


def test_without_anybody_to_get_it_the_sms_is_left_and_says_so():
    chosen = mail(MailTo.NEWEST)
    assert decide("Hello", chosen).effects == (LeftOut(kind=ActionKind.MAIL, reason=Left.NO_RECIPIENT, action=chosen),)


# Stop, start, help and replies


def test_a_stop_is_confirmed_once_and_replaces_the_default_actions():
    plan = decide("Stop, thanks", PUSH, contacts=[contact(DAY)])
    stop, answer = plan.effects
    assert stop == StopEffect(service="", word="stop")
    assert isinstance(answer, AnswerEffect)
    assert (answer.past_stop, answer.kind) == (True, ActionKind.STOP)
    assert "Acme" in answer.text
    again = decide("STOP", PUSH, stops=[(ACME, "")])
    assert again.effects == (LeftOut(kind=ActionKind.STOP, reason=Left.ALREADY_STOPPED),)


def test_a_stop_may_end_the_service_alone_that_wrote_last_and_may_fan_out():
    own = action(AnswerAction(texts={"mail/": "Bye"}, scope=StopScope.SERVICE), ActionKind.STOP, key=35)
    fan_out = mail(MailTo.STATIC, DESK, key=36, keyword_key=41)
    plan = decide("STOP", own, fan_out, keywords=(keyword("Stop"),), contacts=[contact(DAY)])
    stop, answer, mailed = plan.effects
    assert stop == StopEffect(service="mail", word="stop")
    assert isinstance(answer, AnswerEffect)
    assert answer.text == "Bye"
    assert isinstance(mailed, MailEffect)


def test_start_counts_only_for_who_was_stopped():
    assert decide("START", PUSH).effects == (PushEffect(action=PUSH),)
    start, answer = decide("Yes", PUSH, stops=[(ACME, "")]).effects
    assert start == StartEffect(service="", word="yes")
    assert isinstance(answer, AnswerEffect)
    assert decide("Yes", PUSH, stops=[(BETA, "")]).effects == (PushEffect(action=PUSH),)


def test_help_is_answered_in_the_words_language_even_to_who_was_stopped():
    (answer,) = decide("Hilfe", PUSH, stops=[(ACME, "")]).effects
    assert isinstance(answer, AnswerEffect)
    assert (answer.language, answer.past_stop) == ("de", True)
    assert answer.text.startswith("Diese SMS kommen von Acme")


def test_an_own_keyword_goes_before_help_start_and_ordinary_words_but_never_before_stop():
    words = tuple(keyword(word, key=50 + index) for index, word in enumerate(("Help", "Info", "No", "Stop")))
    actions = [mail(MailTo.STATIC, DESK, key=60 + index, keyword_key=50 + index) for index in range(4)]
    for text in ("Help", "info", "No"):
        assert kinds(decide(text, *actions, keywords=words)) == ["MailEffect"], text
    assert kinds(decide("stop", *actions, keywords=words)) == ["StopEffect", "AnswerEffect", "MailEffect"]


def test_a_reply_has_the_text_of_the_service_that_wrote_last_and_a_stopped_handset_gets_none():
    reply = action(AnswerAction(texts={"mail/": "Mail us", "/": "Thanks"}), ActionKind.REPLY)
    (answer,) = decide("Hello", reply, contacts=[contact(DAY)]).effects
    assert isinstance(answer, AnswerEffect)
    assert answer.text == "Mail us"
    assert decide("Hello", reply, stops=[(ACME, "mail")]).effects == (
        LeftOut(kind=ActionKind.REPLY, reason=Left.STOPPED, action=reply),
    )


def test_automatic_answers_to_a_handset_are_limited_but_not_the_confirmation_of_a_stop():
    reply = action(AnswerAction(texts={"/": "Thanks"}), ActionKind.REPLY)
    minutes = [(ACME, timedelta(minutes=minute)) for minute in range(5)]
    assert decide("Hello", reply, answers=minutes).effects == (
        LeftOut(kind=ActionKind.REPLY, reason=Left.TOO_MANY_ANSWERS, action=reply),
    )
    assert kinds(decide("Hello", reply, answers=minutes[:4])) == ["AnswerEffect"]
    assert kinds(decide("Hello", reply, answers=[(BETA, age) for _, age in minutes])) == ["AnswerEffect"]
    assert kinds(decide("Hello", reply, answers=[(ACME, timedelta(hours=hour)) for hour in range(1, 21)])) == [
        "LeftOut"
    ]
    assert kinds(decide("STOP", reply, answers=minutes)) == ["StopEffect", "AnswerEffect"]


def test_a_late_part_follows_its_sms_whatever_it_says():
    late = LatePart(sms_key=9, customer_key=ACME, keyword="win")
    by_word = mail(MailTo.STATIC, DESK, keyword_key=41)
    reply = action(AnswerAction(texts={"/": "Thanks"}), ActionKind.REPLY, key=37, keyword_key=41)
    plan = decide("STOP", by_word, reply, PUSH, keywords=(keyword("Win"),), late=late, to="60999")
    assert (plan.route.via, addresses(plan), kinds(plan)) == (Via.LATE_PART, [DESK], ["MailEffect"])


def test_the_same_values_give_the_same_plan():
    first = decide("Hello", mail(MailTo.ALL, DESK), PUSH, contacts=[contact(DAY)])
    assert first == decide("Hello", mail(MailTo.ALL, DESK), PUSH, contacts=[contact(DAY)])
