"""How pages look and what they say, as the portal needs it; templates.portal_pages fulfils it."""

from collections.abc import Collection, Mapping
from typing import Protocol


class Look(Protocol):
    """Makes pages in a language and a zone. Words are named `room.key`, or `room.section.key`."""

    @property
    def languages(self) -> Collection[str]:
        """The languages that there are."""

    def prepare_next(self) -> bool:
        """Do a step of what costs time before a page can be shown, in any thread; returns False where none is left."""

    def render(self, template: str, language: str, zone: str, values: Mapping[str, object]) -> str:
        """Return a page; `template` is its path below templates/portal, without `.html.j2`."""

    def say(self, language: str, key: str, **fields: object) -> str:
        """Return a sentence."""

    def refusal(self, language: str, reason: str, detail: str) -> str:
        """Return why a recipient or a whole job is refused; `reason` is a Refusal or ProblemCode."""

    def territory(self, language: str, letters: str) -> str:
        """Return the name of a country, empty where it is not known."""

    def has(self, key: str) -> bool:
        """Return whether there are words of this key."""
