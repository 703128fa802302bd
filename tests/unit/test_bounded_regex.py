"""Regular expressions of others: what may be matched ends soon, whatever the text; what need not is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.bounded_regex import RegexError, compile_bounded
from tests.kit.effort import spend_at_most

NAMES = ("id", "stat", "err")


def compiled(pattern):
    return compile_bounded(pattern, longest=400, longest_text=300, most_steps=2_000_000, names=NAMES)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(?P<id>\d+),(?P<stat>\w+),(?P<err>\d+)$",
        r"msgid=(?P<id>[^;]+);\s*state=(?P<stat>[A-Z]+);.*",
        r"(?P<id>[0-9a-f]{8}-[0-9a-f]{4}) (?P<stat>DELIVRD|UNDELIV)",
        r"<id>(?P<id>[^<]+)</id><s>(?P<stat>[^<]+)</s>(?:<e>)?(?P<err>[^<]*)",
        r"Message (?P<id>\S+) was (?P<stat>\w+?)\b",
        r"\A(?P<id>.+) (?P<stat>\w+)\Z",
        r"[^,]*,[^,]*,[^,]*,[^,]*,(?P<id>[^,]*),[^,]*,(?P<stat>[^,]*)",
    ],
)
def test_a_pattern_whose_fields_have_ends_is_taken(pattern):
    compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r".*id=(?P<id>.*) state=(?P<stat>.*) err=(?P<err>.*) ", "too many * and +"),
        (r"(?P<id>\w+)\w*\w+\w+x", "too many * and +"),
        (r"(?:(?P<id>\d+),)+", "repeats no group"),
        (r"(?P<number>\d+)", "A group is called number: expected id, stat, err."),
        (r"(?P<id>\d+)(?=,)", "no look-around"),
        (r"(?P<id>\d+", "cannot be read: missing )"),
        ("a" * 401, "at most 400 characters"),
    ],
)
def test_a_pattern_that_may_not_end_soon_or_is_none_is_refused_with_the_reason(pattern, said):
    with pytest.raises(RegexError, match=re.escape(said)):
        compiled(pattern)


ATOMS = st.sampled_from(
    ["a", "b", ".", r"\w", r"\d", "[ab]", "[^a]", "[^,]", ",", " ", r"\s", "(?P<id>a+)", "(?:b|a)", "^", "$"]
)
TIMES = st.sampled_from(["", "", "*", "+", "?", "{2,9}", "*?", "+?"])


@given(st.lists(st.tuples(ATOMS, TIMES), min_size=1, max_size=8), st.text("ab, ", min_size=290, max_size=300))
def test_what_is_taken_ends_soon(pieces, text):
    pattern = "".join(atom + times for atom, times in pieces)
    try:
        regex = compiled(pattern)
    except RegexError:
        return
    spend_at_most(20, lambda: [regex.search(text), regex.search("a" * 299 + "!")])
