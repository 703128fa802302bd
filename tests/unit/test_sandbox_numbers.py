"""The table of the sandbox's numbers, and where it is told."""

from pathlib import Path

from smpp.simulator.sandbox_numbers import SANDBOX_NUMBERS
from sms.number import MobileNumber, parse_number

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_each_is_a_number_that_an_sms_can_be_sent_to():
    for one in SANDBOX_NUMBERS:
        found = parse_number(one.number, "")
        assert isinstance(found, MobileNumber), one
        assert found.e164 == one.number
    assert len({one.number for one in SANDBOX_NUMBERS}) == len(SANDBOX_NUMBERS)


def test_the_readme_has_the_table():
    for one in SANDBOX_NUMBERS:
        assert f"| `{one.number}` | {one.shows} |" in README
