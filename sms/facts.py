"""Codes that come with facts: what was decided, as data, for whoever has the words and the language.

A code's words are a table elsewhere (cli.words), which has a row for every code and uses its facts by their names.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Self, TypeAlias

Fact: TypeAlias = "str | int | tuple[Fact, ...]"
"""A name as it is stored, a text as it was given, a number, a truth, or several of these."""


class Code(StrEnum):
    """A code with the names of the facts that come with it."""

    facts: tuple[str, ...]

    def __new__(cls, value: str, *facts: str) -> Self:
        """Make a code that comes with these facts."""
        code = str.__new__(cls, value)
        code._value_ = value
        code.facts = facts
        return code

    def check(self, facts: Collection[str]) -> None:
        """Raise TypeError unless exactly these facts come with the code."""
        if set(facts) != set(self.facts):
            raise TypeError(f"{self} comes with {self.facts}, not with {tuple(facts)}")
