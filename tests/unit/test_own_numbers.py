"""Whose sender ID one of our numbers is, which carriers it leaves by, and whether an answer to it comes back."""

import pytest

from addressbook.numbers import NumberKind, NumberShare, NumberState, OwnNumber, OwnNumbers, Sharing, Unanswerable
from sms.number import MobileNumber, parse_sender_id
from sms.outcome import Refusal, Refused

MINE, OTHERS, NOBODYS = 1, 2, 3
BRITON, SPANIARD, GERMAN = (MobileNumber(digits=digits) for digits in ("447700900101", "34600000001", "4915112345678"))


def own(key, digits, **more):
    kind = NumberKind.SHORT if len(digits) < 9 else NumberKind.LONG
    return OwnNumber(key=key, digits=digits, kind=kind, **{"country": "GB", **more})


NUMBERS = OwnNumbers(
    [
        own(1, "447700900900", customer_key=MINE, carriers=("alpha", "beta")),
        own(2, "447700900901", customer_key=MINE, state=NumberState.BLOCKED),
        own(3, "447700900902", sharing=Sharing.PREFIX, shares=(NumberShare(customer_key=MINE, word="acme"),)),
        own(4, "60300", customer_key=MINE, carriers=("alpha",)),
        own(5, "60300", country="ES", customer_key=MINE, carriers=("gamma",)),
        own(6, "60400", customer_key=MINE, carriers=("alpha",)),
        own(7, "60400", country="ES", customer_key=OTHERS, carriers=("gamma",)),
    ]
)
ANYBODYS = OwnNumbers([own(1, "447700900903", sharing=Sharing.DYNAMIC)])


def carriers(sender, customer, phone=BRITON):
    found = NUMBERS.carriers_for(parse_sender_id(sender), customer, phone)
    return found.refusal if isinstance(found, Refused) else found


@pytest.mark.parametrize("sender", ["+447700900900", "60300"])
def test_a_dedicated_number_is_a_sender_id_for_its_owner_only(sender):
    assert carriers(sender, MINE)
    for other in (OTHERS, NOBODYS, 0):
        assert carriers(sender, other) == Refusal.SENDER_ID_NOT_PERMITTED


def test_the_refusal_names_the_sender_id_and_not_its_owner():
    refused = NUMBERS.carriers_for(parse_sender_id("+447700900900"), OTHERS, BRITON)
    assert isinstance(refused, Refused)
    assert "447700900900" in refused.detail
    assert str(MINE) not in refused.detail


def test_a_shared_number_and_what_is_none_of_ours_are_everybodys():
    for customer in (MINE, OTHERS, NOBODYS):
        for sender in ("+447700900902", "+447700900999", "ACME"):
            assert carriers(sender, customer) == ()
    assert NUMBERS.carriers_for(None, MINE, BRITON) == ()


def test_a_short_code_of_several_countries_leaves_by_the_carriers_of_the_handsets():
    assert carriers("60300", MINE, BRITON) == ("alpha",)
    assert carriers("60300", MINE, SPANIARD) == ("gamma",)
    assert carriers("60300", MINE, GERMAN) == ("alpha",)


def test_a_short_code_that_others_have_in_another_country_stays_ones_own():
    assert carriers("60400", MINE, SPANIARD) == ("alpha",)
    assert carriers("60400", OTHERS, BRITON) == ("gamma",)


@pytest.mark.parametrize(
    ("sender", "customer", "why"),
    [
        ("+447700900900", MINE, None),
        ("60300", MINE, None),
        ("+447700900902", MINE, None),
        ("+447700900902", OTHERS, Unanswerable.NOT_SHARED),
        ("+447700900901", MINE, Unanswerable.NOT_ACTIVE),
        ("+447700900999", MINE, Unanswerable.NOT_OURS),
        ("ACME", MINE, Unanswerable.NAME),
    ],
)
def test_a_sender_id_says_why_no_answer_comes_back(sender, customer, why):
    assert NUMBERS.judge_answers(parse_sender_id(sender), customer) is why


def test_what_the_carrier_chooses_may_be_answered_and_a_dynamic_number_is_answered_to_everybody():
    assert NUMBERS.judge_answers(None, MINE) is None
    assert ANYBODYS.judge_answers(parse_sender_id("+447700900903"), NOBODYS) is None


def test_only_who_has_a_number_or_a_part_of_one_may_have_been_answered():
    assert [NUMBERS.may_answer(customer) for customer in (MINE, OTHERS, NOBODYS)] == [True, True, False]
    assert ANYBODYS.may_answer(NOBODYS)
    assert not OwnNumbers().may_answer(MINE)
