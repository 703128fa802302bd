"""A number is found in what people write, however they group it; another number is not."""

import pytest

from sms.number_spellings import spellings_of


@pytest.mark.parametrize(
    "written",
    [
        *("+447700900123", "447700900123", "00447700900123", "+44 7700 900123", "+44 (0)7700 900 123"),
        *("07700 900123", "07700-900-123", "07700 (900) 123", "7700900123", "0044/7700/900123"),
    ],
)
def test_a_number_is_found_as_people_write_it(written):
    assert spellings_of("447700900123").sub("…", f"Call {written}, please") == "Call …, please"


@pytest.mark.parametrize("written", ["+447700900124", "4477009001234", "1447700900123", "700900 and 123", "900123"])
def test_another_number_is_not(written):
    assert spellings_of("447700900123").sub("…", written) == written
