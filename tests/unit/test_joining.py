"""Fragments become texts: in any order, repeated, late, with references that come again, and never without bound."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbound.joining import GAP, Bounds, JoinedText, KeptFragment, TextWithGap, join
from inbound.sms import LatePart
from sms.message import InboundFragment
from tests.kit.clock import START

PHONE, OWN = "+447700900123", "+447700900999"
EARLIER = LatePart(sms_key=5, customer_key=1)
TEN_MINUTES = timedelta(minutes=10)
WORDS = st.lists(st.text("abc ", min_size=1, max_size=4), min_size=1, max_size=6)


def piece(text: str, index: int = 1, total: int = 1, reference: int | None = 7, **changes) -> InboundFragment:
    facts = {"carrier": "alpha", "source": PHONE, "destination": OWN, "reference": reference if total > 1 else None}
    return InboundFragment(text=text, index=index, total=total, **facts | changes)


def pieces(*texts: str, **changes) -> list[InboundFragment]:
    return [piece(text, index, len(texts), **changes) for index, text in enumerate(texts, 1)]


def kept(fragments: Iterable[InboundFragment], start: int = 0) -> list[KeptFragment]:
    """Store fragments, each a second after the one before."""
    return [
        KeptFragment(key=key, fragment=fragment, received_at=START + timedelta(seconds=key))
        for key, fragment in enumerate(fragments, start)
    ]


def joined(fragments: Sequence[KeptFragment], after=timedelta(0), gaps=(), **rules) -> list[JoinedText]:
    now = max(one.received_at for one in fragments) + after
    named = {gap.text_name: gap for gap in gaps}
    return join(fragments, now=now, wait_for=lambda _: TEN_MINUTES, gaps=named, **rules)


def texts(found: Iterable[JoinedText]) -> list[str]:
    return [one.text for one in found]


@given(WORDS, st.data())
def test_in_any_order_and_repeated_and_by_several_links_fragments_give_the_one_text(words, data):
    whole = pieces(*words)
    repeated = data.draw(st.lists(st.sampled_from(whole), max_size=4)) if len(whole) > 1 else []
    came = [
        piece(one.text, one.index, one.total, carrier=carrier)
        for one in data.draw(st.permutations(whole + repeated))
        for carrier in [data.draw(st.sampled_from(["alpha", "beta"]))]
    ]
    stored = kept(came)
    (found,) = joined(stored)
    assert (found.text, found.missing, found.late) == ("".join(words), (), None)
    assert sorted(found.keys) == [one.key for one in stored]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.sampled_from("xyz")), max_size=20))
def test_every_fragment_is_in_one_text_or_waits_and_after_the_window_none_waits(came):
    stored = kept(piece(text, place, 3, source=phone) for phone, place, text in came)
    if not stored:
        return
    now_keys = [key for found in joined(stored) for key in found.keys]
    in_the_end = [key for found in joined(stored, TEN_MINUTES) for key in found.keys]
    assert len(now_keys) == len(set(now_keys))
    assert sorted(in_the_end) == [one.key for one in stored]


def test_the_same_reference_of_another_phone_number_or_length_is_another_text():
    others = [
        piece("a", 1, 2),
        piece("b", 2, 2, source="+447700900124"),
        piece("c", 2, 2, destination="+447700900998"),
        piece("d", 2, 2, reference=8),
        piece("e", 2, 3),
    ]
    assert joined(kept(others)) == []


def test_a_number_with_and_without_plus_is_the_same():
    assert texts(joined(kept([piece("a", 1, 2), piece("b", 2, 2, source=PHONE[1:], destination=OWN[1:])]))) == ["ab"]


def test_another_text_at_the_same_place_is_another_sms():
    first, second = pieces("One ", "text"), pieces("Two ", "more")
    assert texts(joined(kept([first[0], second[0], first[1], second[1]]))) == ["One text", "Two more"]


def test_two_texts_with_a_reference_that_came_again_are_two_sms():
    assert texts(joined(kept([*pieces("a", "b"), *pieces("c", "d")]))) == ["ab", "cd"]


def test_the_same_short_text_twice_is_two_sms():
    assert texts(joined(kept([piece("Yes"), piece("Yes")]))) == ["Yes", "Yes"]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ((1, 3), f"one {GAP} three"),
        ((2, 3), f"{GAP} two three"),
        ((1,), f"one {GAP}"),
        ((2,), f"{GAP} two {GAP}"),
    ],
    ids=str,
)
@pytest.mark.parametrize("words", [("one", "two ", "three"), ("one ", " two", " three ")])
def test_after_the_window_what_is_there_goes_out_with_its_gaps_marked(words, there, expected):
    whole = pieces(*words)
    stored = kept(whole[place - 1] for place in there)
    assert joined(stored, TEN_MINUTES - timedelta(seconds=3)) == []
    (found,) = joined(stored, TEN_MINUTES)
    assert (found.text, found.missing) == (expected, tuple({1, 2, 3} - set(there)))


def test_a_number_has_a_window_of_its_own():
    stored = kept([piece("a", 1, 2), piece("b", 1, 2, destination="+447700900998")])
    (found,) = join(
        stored,
        now=START + timedelta(minutes=1),
        wait_for=lambda one: timedelta(seconds=30) if one.destination == OWN else TEN_MINUTES,
        gaps={},
    )
    assert found.text == f"a {GAP}"


def test_a_late_fragment_goes_out_at_once_by_itself():
    (late,) = kept([piece("two", 2, 3)])
    gap = TextWithGap(sms=EARLIER, text_name=late.text_name, awaited=frozenset({2}))
    (found,) = joined([late], gaps=[gap])
    assert (found.text, found.missing, found.late) == ("two", (), gap)


def test_a_whole_text_with_the_reference_of_one_that_has_a_gap_is_another_sms():
    stored = kept(pieces("x", "y", "z"))
    gap = TextWithGap(sms=EARLIER, text_name=stored[0].text_name, awaited=frozenset({2}))
    (found,) = joined(stored, gaps=[gap])
    assert (found.text, found.late) == ("xyz", None)


def test_a_fragment_that_went_out_already_is_no_late_one():
    (again,) = kept([piece("one", 1, 3)])
    gap = TextWithGap(sms=EARLIER, text_name=again.text_name, awaited=frozenset({2}))
    assert joined([again], gaps=[gap]) == []
    (found,) = joined([again], TEN_MINUTES, gaps=[gap])
    assert found.repeats("one […] three")
    assert not found.repeats("two")


def test_beyond_the_bounds_the_oldest_texts_go_out_as_they_are():
    stored = kept(piece(str(n), 1, 2, reference=n) for n in range(5))
    assert texts(joined(stored, bounds=Bounds(of_phone=3))) == [f"0 {GAP}", f"1 {GAP}"]
    assert texts(joined(stored, bounds=Bounds(in_all=4))) == [f"0 {GAP}"]
    others = kept([piece("x", 1, 2, source="+447700900124")], start=9)
    assert texts(joined([*stored, *others], bounds=Bounds(of_phone=4))) == [f"0 {GAP}"]


def test_while_some_fragments_are_still_unread_no_text_goes_out_with_a_gap_as_long_as_another_is_whole():
    stored = kept([piece("a", 1, 2), piece("whole")])
    assert texts(joined(stored, TEN_MINUTES, is_all=False)) == ["whole"]
    assert texts(joined(stored[:1], TEN_MINUTES, is_all=False)) == [f"a {GAP}"]


def test_texts_are_in_the_order_in_which_they_became_whole():
    long = pieces("a", "b")
    assert texts(joined(kept([long[0], piece("x"), long[1], piece("y")]))) == ["x", "ab", "y"]
