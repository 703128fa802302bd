"""Numbers as they are pasted: from pages, contacts, spreadsheets and our own files."""

import pytest

from sms.typed_numbers import clean_number, split_numbers

ONE, TWO = "+491713920001", "01713920002"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (ONE, ONE),
        (f" {ONE} , ", ONE),
        (f"'{ONE}", ONE),
        (f'"{ONE}"', ONE),
        (f"„{ONE}“", ONE),
        (f"tel:{ONE}", ONE),
        ("\u202a+49\u00a0171\u00a03920001\u202c", "+49 171 3920001"),
        ("+49\u2011171\u20133920001", "+49-171-3920001"),
        ("\uff0b\uff14\uff19 171 3920001", "+49 171 3920001"),
        ("\u0660\u0661\u0667\u0661 3920002", "0171 3920002"),
        ("(0171) 392/0002", "(0171) 392/0002"),
        ("+49 171 392000\u00b2", "+49 171 392000\u00b2"),
        ("Anna", "Anna"),
        ("\u200b", ""),
    ],
)
def test_a_number_is_freed_of_what_came_along(typed, expected):
    assert clean_number(typed) == expected


@pytest.mark.parametrize(
    ("pasted", "expected"),
    [
        (f"{ONE}\r\n{TWO}\r\n\r\n", [ONE, TWO]),
        (f"{ONE}\r{TWO}", [ONE, TWO]),
        (f"{ONE}\u2028{TWO}", [ONE, TWO]),
        (f"{ONE}, {TWO}; {ONE}|{TWO}", [ONE, TWO, ONE, TWO]),
        (f"Anna\t{ONE}\r\n{TWO}\tBen\tBonn", [ONE, TWO]),
        (f"{ONE}\t{TWO}\t0171 3920003", [ONE, TWO, "0171 3920003"]),
        (f"Anna\t01.12.2026\t01067\t4711\t{ONE}", [ONE]),
        (f"Anna Keller <{ONE}>; Ben <{TWO}>", [ONE, TWO]),
        (f"{ONE} +49 171 3920002", [ONE, "+49 171 3920002"]),
        (f'"{ONE}"\n"{TWO}"', [ONE, TWO]),
    ],
)
def test_several_are_told_apart(pasted, expected):
    assert split_numbers(pasted) == expected


@pytest.mark.parametrize(
    ("pasted", "expected"),
    [
        (f"Anna\t0301234567\t{TWO}", [f"Anna 0301234567 {TWO}"]),
        ("Anna\t1713920001", ["Anna 1713920001"]),
        (f"{TWO} 01713920003", [f"{TWO} 01713920003"]),
        ("Telephone", ["Telephone"]),
    ],
)
def test_what_can_be_read_in_two_ways_stays_whole(pasted, expected):
    assert split_numbers(pasted) == expected
