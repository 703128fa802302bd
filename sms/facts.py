"""Codes with facts: a decision as data; others add the words in the reader's language.

The words are in a table elsewhere (cli.words), with a row for every code that uses its facts by name.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Self, TypeAlias

Fact: TypeAlias = "str | int | tuple[Fact, ...]"
"""A name as stored, a text as given, a number, a boolean, or several of these."""


class Code(StrEnum):
    """A code with the names of its facts."""

    facts: tuple[str, ...]

    def __new__(cls, value: str, *facts: str) -> Self:
        """Make a code with these facts."""
        code = str.__new__(cls, value)
        code._value_ = value
        code.facts = facts
        return code

    def check(self, facts: Collection[str]) -> None:
        """Raise TypeError unless these are exactly the facts of the code."""
        if set(facts) != set(self.facts):
            raise TypeError(f"{self} comes with {self.facts}, not with {tuple(facts)}")
