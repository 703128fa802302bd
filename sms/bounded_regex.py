"""Regular expressions of operators and administrators that end soon whatever the text: their work is bounded before.

A repetition whose characters cannot begin what follows it, such as `[^,]+,`, ends in one place; others multiply the
work. Not here: what is matched, and the longest text that it is (whoever matches).
"""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final

_TOKEN: Final = re.compile(
    r"\\(?P<escape>.)|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<group>\((?:\?(?:P<(?P<name>\w+)>|(?P<odd>(?!:).)?))?)"
    r"|(?P<times>[*+?]|\{(?P<least>\d*)(?P<comma>,?)(?P<most>\d*)\})|(?P<or>\|)|.",
    re.DOTALL,
)
_ANCHORS: Final = frozenset({"^", "$", r"\A", r"\Z"})
_BORDERS: Final = frozenset({r"\b", r"\B"})


class RegexError(ValueError):
    """A regular expression is not taken; its text is a sentence that says why."""


def compile_bounded(
    pattern: str, *, longest: int, longest_text: int, most_steps: int, names: Collection[str] = ()
) -> re.Pattern[str]:
    """Return a regular expression, no longer than `longest`, for texts no longer than `longest_text`.

    A match takes at most so many steps, roughly. Only groups of these `names` may have a name. Raises RegexError.
    """
    if len(pattern) > longest:
        raise RegexError(f"A regular expression has at most {longest} characters here.")
    tokens = tuple(_TOKEN.finditer(pattern))
    for token in tokens:
        if token["odd"] or (token["escape"] or "").isdigit():
            raise RegexError("A regular expression has no look-around, flags and back references here.")
        if token["name"] and token["name"] not in names:
            known = ", ".join(names)
            raise RegexError(
                f"A group is called {token['name']}: {f'expected {known}' if known else 'it has no name'}."
            )
    if _steps(tokens, longest_text, pattern) > most_steps:
        raise RegexError(
            "A regular expression has too many * and + here that can end in many places: "
            "say which characters they take, such as [^,]+ before a comma."
        )
    try:
        return re.compile(pattern, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise RegexError(f"The regular expression cannot be read: {error}.") from None


def _steps(tokens: Sequence[re.Match[str]], longest: int, pattern: str) -> int:
    """Return how many steps a match takes at most, roughly."""
    steps = 1 if tokens and tokens[0][0] in {"^", r"\A"} and "|" not in pattern else longest
    longest_run = 1
    for index, token in enumerate(tokens):
        if token["or"]:
            steps *= 2
        if not token["times"] or (index > 0 and tokens[index - 1]["times"]):  # the latter is lazy or possessive
            continue
        if index > 0 and tokens[index - 1][0] == ")":
            if token["times"] != "?":
                raise RegexError("A regular expression repeats no group in brackets here.")
            steps *= 2
        elif index > 0 and _ends_in_one_place(tokens, index, pattern):
            longest_run = max(longest_run, _choices(token, longest))
        else:
            steps *= _choices(token, longest)
    return steps * longest_run


def _choices(token: re.Match[str], longest: int) -> int:
    """Return in how many ways a repetition can match."""
    if token["times"] == "?":
        return 2
    if token["least"] is None or (token["comma"] and not token["most"]):
        return longest
    least = int(token["least"] or 0)
    most = int(token["most"]) if token["comma"] else least
    return max(1, min(longest, most) - least + 1)


def _ends_in_one_place(tokens: Sequence[re.Match[str]], index: int, pattern: str) -> bool:
    """Return whether what follows a repetition cannot begin with a character that it repeats."""
    repeated = _characters(tokens[index - 1][0], pattern)
    at = index + 1
    while at < len(tokens) and tokens[at]["times"]:
        at += 1
    while at < len(tokens):
        word = tokens[at][0]
        is_repeated = at + 1 < len(tokens) and bool(tokens[at + 1]["times"])
        if word in _ANCHORS:
            return True
        if word == ")" or tokens[at]["group"]:
            if is_repeated or _has_choice(tokens, at):
                return False
        elif word not in _BORDERS:
            if word == "|" or repeated & _characters(word, pattern):
                return False
            if not is_repeated or not _may_be_missing(tokens[at + 1]):
                return True
            at += 1
        at += 1
    return True


def _has_choice(tokens: Sequence[re.Match[str]], opening: int) -> bool:
    """Return whether a group that opens here has alternatives or may be missing."""
    if not tokens[opening]["group"]:
        return False
    depth = 0
    for at in range(opening, len(tokens)):
        if tokens[at]["or"]:
            return True
        depth += bool(tokens[at]["group"]) - (tokens[at][0] == ")")
        if not depth:
            return at + 1 < len(tokens) and bool(tokens[at + 1]["times"])
    return True


def _may_be_missing(token: re.Match[str]) -> bool:
    return token["times"] in {"*", "?"} or (token["least"] is not None and not int(token["least"] or 0))


@lru_cache(maxsize=256)
def _characters(atom: str, pattern: str) -> frozenset[str]:
    """Return which characters an atom takes, of those that tell the atoms of a pattern apart."""
    universe = {*map(chr, range(256)), *pattern, "\U0010ffff"}
    try:
        regex = re.compile(atom, re.ASCII)
    except re.error:
        return frozenset(universe)
    return frozenset(char for char in universe if regex.fullmatch(char))
