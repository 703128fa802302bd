"""What is asked of the store about parts that processes took and nobody submits any more, and what came of it.

Not here: what becomes of them (results), how a process knows what was handed to a link (gateway.handed).
"""

from dataclasses import dataclass

from sms.outcome import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedToLinks:
    """The keys of the messages of which the process `owner` gave a carrier's link anything; it gave it no others."""

    owner: str
    messages: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """A request of the living `owner` to settle, as lost with this problem, what dead processes were submitting.

    What one of them `handed` to no link is queued again instead. Without a problem: to queue again what the owner took
    itself and no carrier was given: all but the messages `held`.
    """

    owner: str
    now: int
    problem: Problem | None = None
    held: frozenset[int] = frozenset()
    handed: HandedToLinks | None = None

    def was_never_handed(self, owner: str, message_key: int) -> bool:
        """Return whether it is known that no link was given anything of a message that `owner` took."""
        return self.handed is not None and owner == self.handed.owner and message_key not in self.handed.messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """How much one call recovered; ask again until `parts` is 0."""

    parts: int
    notices: int
    settled_jobs: tuple[str, ...]
