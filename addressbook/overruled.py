"""Why a value of a layer is not in force, or only a smaller one: a code with facts, and its English words.

The words are those of refusals' details, of the command line and of the HTTP interface, which have no other language.
Not here: what is in force (hierarchy).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sms.facts import Code, Fact


class Overrules(Code):
    """What keeps a value from being in force; `by` names whose constraint that is."""

    SAYS_NOTHING = "says-nothing"
    WEAKER = "weaker", "layer"
    NOT_BY_MESSAGE = "not-by-message", "field"
    LOCKED = "locked", "field", "by"
    TOO_MANY_PARTS = "too-many-parts", "by", "most"
    NO_EXPRESS = "no-express", "by"
    NO_FLASH = "no-flash", "by"
    NO_PUSH = "no-push", "by"
    NO_REJECT = "no-reject", "by"
    NO_SUCH_SENDER = "no-such-sender", "by", "sender_id"


OVERRULED: Final[Mapping[Overrules, str]] = MappingProxyType(
    {
        Overrules.SAYS_NOTHING: "says nothing, inherits",
        Overrules.WEAKER: "weaker than {layer}",
        Overrules.NOT_BY_MESSAGE: "{field} cannot be set by a message",
        Overrules.LOCKED: "{field} is locked by {by}",
        Overrules.TOO_MANY_PARTS: "{by} allows {most} at most",
        Overrules.NO_EXPRESS: "{by} does not allow express",
        Overrules.NO_FLASH: "{by} does not allow flash",
        Overrules.NO_PUSH: "{by} does not include push",
        Overrules.NO_REJECT: "{by} refuses no mail for its characters",
        Overrules.NO_SUCH_SENDER: "{by} does not permit {sender_id}",
    }
)


@dataclass(frozen=True, slots=True)
class Overruling:
    """Why a value is not in force; as a text, a part of a sentence that the sender may read."""

    code: Overrules
    facts: Mapping[str, Fact]

    def __str__(self) -> str:
        facts = dict(self.facts)
        if "most" in facts:
            facts["most"] = "one part" if facts["most"] == 1 else f"{facts['most']} parts"
        return OVERRULED[self.code].format(**facts)


def overruling(code: Overrules, **facts: Fact) -> Overruling:
    """Return a code with its facts. Raises TypeError for facts that are not its own."""
    code.check(facts)
    return Overruling(code, facts)
