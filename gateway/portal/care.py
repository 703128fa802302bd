"""What the portal shows of support requests, declarations and suspensions. Not here: their changes (gateway.admin)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from addressbook.support import RequestState, Side
from gateway.admin.support import read_request
from gateway.admin.suspensions import suspension_lines
from store.declarations import Declaration, declaration_with_key, requests_of
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_instant_if_set
from store.support import SupportRequest, find_requests
from store.suspensions import suspensions_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPost:
    """What one side wrote."""

    at: datetime
    side: Side
    author: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRequest:
    """A support request; `posts` are there where one is shown alone."""

    request: str
    customer_key: int
    opened_by: str
    opened_at: datetime
    changed_at: datetime
    subject: str
    job: str
    trace: str
    state: RequestState
    posts: Sequence[ShownPost] = ()

    @property
    def takes_answers(self) -> bool:
        """Whether somebody can write to it."""
        return self.state is not RequestState.CLOSED


def list_support(tx: Transaction, customer_key: int | None) -> list[ShownRequest]:
    """Return the requests of a customer, or of all, the last changed first."""
    return [_shown(item) for item in find_requests(tx, customer_key=customer_key)]


def show_support(tx: Transaction, request: str, customer_key: int | None) -> ShownRequest:
    """Return one request (of a customer) with what was written. Raises AdminFault."""
    found, posts = read_request(tx, request, customer_key)
    return _shown(
        found,
        [ShownPost(at=to_instant(post.at), side=post.side, author=post.author, text=post.text) for post in posts],
    )


def _shown(item: SupportRequest, posts: Sequence[ShownPost] = ()) -> ShownRequest:
    return ShownRequest(
        request=item.public_id,
        customer_key=item.customer_key,
        opened_by=item.opened_by,
        opened_at=to_instant(item.opened_at),
        changed_at=to_instant(item.changed_at),
        subject=item.subject,
        job=item.job_id,
        trace=item.trace,
        state=item.state,
        posts=posts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedDeclaration:
    """A declaration that a customer is asked for; `confirmed_at` is None as long as nobody confirmed."""

    key: int
    declaration: Declaration
    due_at: datetime
    suspends: bool
    confirmed_at: datetime | None
    confirmed_by: str


def list_asked(tx: Transaction, customer_key: int) -> list[AskedDeclaration]:
    """Return what a customer is asked to declare, the newest first."""
    return [
        AskedDeclaration(
            key=item.key,
            declaration=declaration,
            due_at=to_instant(item.due_at),
            suspends=item.suspends,
            confirmed_at=to_instant_if_set(item.confirmed_at),
            confirmed_by=item.confirmed_by,
        )
        for item in requests_of(tx, customer_key=customer_key)
        if (declaration := declaration_with_key(tx, item.declaration_key)) is not None
    ]


def list_suspensions(tx: Transaction, customer_key: int) -> list[str]:
    """Return a customer's suspensions, those planned too, a line for each."""
    return suspension_lines(suspensions_of(tx, customer_key))
