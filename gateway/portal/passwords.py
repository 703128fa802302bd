"""What a password of the portal must be: long, and not what anybody would try first (NIST SP 800-63B-4 §3.1.1).

No letters of certain kinds are asked for, and no password ends by itself. Not here: how it is kept (gateway.auth).
"""

from enum import StrEnum
from typing import Final

SHORTEST: Final = 12
LONGEST: Final = 200
_FEWEST_DIFFERENT: Final = 5
_SHORTEST_WORD: Final = 4
_USUAL: Final = (
    "password",
    "passwort",
    "motdepasse",
    "contraseña",
    "qwertz",
    "qwerty",
    "azerty",
    "letmein",
    "welcome",
    "mail2sms",
)
_RUNS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "01234567890123456789",
)


class Weakness(StrEnum):
    """Why a password is not taken."""

    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"
    TOO_SIMPLE = "too-simple"
    HAS_NAME = "has-name"


def find_weakness(password: str, *names: str) -> Weakness | None:
    """Return why a password is not taken of somebody with these names and addresses, None where it is."""
    if len(password) < SHORTEST:
        return Weakness.TOO_SHORT
    if len(password) > LONGEST:
        return Weakness.TOO_LONG
    folded = password.casefold()
    own = _without(folded, *(word for name in names for word in _words_of(name)))
    if own != folded and len(own) < SHORTEST - _SHORTEST_WORD:
        return Weakness.HAS_NAME
    if len(set(folded)) < _FEWEST_DIFFERENT or len(_without(folded, *_USUAL, *_pieces())) < _SHORTEST_WORD:
        return Weakness.TOO_SIMPLE
    return None


def _without(text: str, *words: str) -> str:
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "")
    return text


def _words_of(name: str) -> list[str]:
    """Return the words of a name or an address that are long enough to be noticed."""
    split = "".join(char if char.isalnum() else " " for char in name.casefold()).split()
    return [word for word in split if len(word) >= _SHORTEST_WORD]


def _pieces() -> list[str]:
    """Return pieces of four of what lies in a row on a keyboard, in both directions."""
    rows = (*_RUNS, *(run[::-1] for run in _RUNS))
    return [row[at : at + _SHORTEST_WORD] for row in rows for at in range(len(row) - _SHORTEST_WORD + 1)]
