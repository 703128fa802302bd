"""What a call of REST version 2 is, and what a resource brings: its calls, each with what answers it.

Not here: which resources there are (operations).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from addressbook.api_keys import Scope
from addressbook.senders import Principal, Sender

Answer = Callable[[Request, Principal, Sender], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallParameter:
    """A parameter of a call; `place` is path, query or header, `schema` its JSON schema."""

    name: str
    place: str
    schema: dict[str, object]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call: what it takes, what it answers, and the statuses of its own problems."""

    name: str
    method: str
    path: str
    scope: Scope
    summary: str
    status: int
    answer: type[Struct]
    body: type[Struct] | None = None
    parameters: tuple[CallParameter, ...] = ()
    problems: tuple[int, ...] = ()

    @property
    def statuses(self) -> frozenset[int]:
        """All statuses that it answers with; those after the first are of every call."""
        return frozenset({self.status, 401, 403, 429, 503, *self.problems})


class Resource(Protocol):
    """What answers the calls of one resource."""

    def answers(self) -> Mapping[str, Answer]:
        """Return what answers each call, by the name of the call."""
        ...


MOST_LISTED: Final = 1_000


def path_id(name: str, what: str) -> CallParameter:
    """Return the parameter of a path that is a public id."""
    return CallParameter(
        name=name, place="path", schema={"type": "string", "maxLength": 62}, description=f"The id of {what}."
    )


CURSOR: Final = CallParameter(
    name="cursor", place="query", schema={"type": "string"}, description="`next` of the page before."
)
LIMIT: Final = CallParameter(
    name="limit",
    place="query",
    schema={"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": 100},
    description="How many at most.",
)
