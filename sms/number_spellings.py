"""How people write a number among other words: with its country or without, in groups, with signs between them."""

import re
from typing import Final

_BETWEEN: Final = r"(?:\(0\)|[\s()./-])*"
_SURE: Final = 9
"""So many last digits name a number without its country; a shorter number is looked for whole."""


def spellings_of(digits: str) -> re.Pattern[str]:
    """Return what finds a number, given in E.164 without the plus, wherever it stands in a text."""
    before, sure = digits[:-_SURE], digits[-_SURE:]
    country = "".join(f"(?:{digit}{_BETWEEN})?" for digit in before)
    return re.compile(rf"(?<!\d)\+?(?:0{{1,2}}{_BETWEEN})?{country}{_BETWEEN.join(sure)}(?!\d)")
