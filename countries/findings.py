"""What a rule did to a message, as it is kept and shown. Not here: what the rules say (rules), who finds it (judge)."""

from enum import StrEnum
from typing import NamedTuple

from countries.rules import RuleName


class Effect(StrEnum):
    """What a rule did: nothing but a note, another sender ID, another text or validity, a later time, or a refusal."""

    NOTED = "noted"
    REPLACED = "replaced"
    CHANGED = "changed"
    DELAYED = "delayed"
    REFUSED = "refused"


class Finding(NamedTuple):
    """What one rule did to a message, and what the rule says."""

    rule: RuleName
    effect: Effect
    value: str
