"""Support requests: opened by a customer's account, about a job or not; answered by either side, solved, closed.

What one side writes goes to the other by mail. Not here: answers by mail (gateway.support_mails).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from addressbook.people import Customer
from addressbook.support import RequestState, Side
from gateway.admin.edit import AuditAction, Changed, Edit, Subject
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from gateway.admin.suspensions import spoken
from gateway.admin.trace import find_trace
from gateway.letters import letter_row
from gateway.support_address import SECRET, write_address
from sms.number import mask_number
from store.directory_lookup import all_customers, find_customer_by_key
from store.engine.database import Transaction
from store.engine.keys import public_id, to_instant, to_stored
from store.outbox import Outbox
from store.secrets import secret_named
from store.support import (
    SupportPost,
    SupportRequest,
    add_post,
    add_request,
    find_request,
    find_requests,
    posts_of,
    set_state,
)
from store.views import Trace

_LONGEST_SUBJECT: Final = 150
LONGEST_TEXT: Final = 20_000
_MOST_TRACED: Final = 50
_DESK: Final = "Support"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportDesk:
    """Where the operator reads requests (empty: nowhere), and the domain of ours to which answers are mailed."""

    address: str = ""
    domain: str = ""


def open_request(  # noqa: PLR0913 - what a request consists of
    edit: Edit, customer: str, *, subject: str, text: str, job: str = "", desk: SupportDesk | None = None
) -> Changed:
    """Open a request of a customer in the name of who asks, with the trace of one of its jobs as it is now."""
    owner = get_customer(edit.tx, customer)
    subject = " ".join(subject.split())
    if not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise AdminFault(FaultCode.BAD_SUBJECT, most=_LONGEST_SUBJECT)
    trace = _trace_of(edit.tx, owner, job) if job.strip() else None
    request = SupportRequest(
        key=edit.keys.take(),
        public_id=public_id("R", edit.now),
        customer_key=owner.key,
        opened_by=edit.who,
        subject=subject,
        job_id=trace.report.public_id if trace is not None else "",
        trace="\n".join(_trace_lines(trace)) if trace is not None else "",
        state=RequestState.OPEN,
        opened_at=to_stored(edit.now),
        changed_at=to_stored(edit.now),
    )
    add_request(edit.tx, request)
    _post(edit, request, Side.CUSTOMER, text)
    _write_to(edit, request, owner, Side.DESK, "support-opened", desk, {"author": edit.who, "text": text})
    about = Subject(owner.name, owner.key, request.public_id)
    return edit.done(AuditAction.OPEN_REQUEST, about, request=request.public_id, customer=owner.name)


def _trace_of(tx: Transaction, owner: Customer, job: str) -> Trace:
    """Return the trace of a customer's own job. Raises AdminFault for any other: what others have nobody learns."""
    found = find_trace(tx, job, owner)
    if not isinstance(found, Trace):
        raise AdminFault(FaultCode.NO_SUCH_JOB, job=job.strip())
    return found


def _trace_lines(trace: Trace) -> Iterator[str]:
    """Yield what is known of a job, a line for each fact; numbers are masked, and texts left out."""
    report = trace.report
    yield f"{report.public_id}: {report.service}, {report.user or 'no user'}, accepted {spoken(report.accepted_at)}"
    yield f"settled {spoken(report.settled_at)}" if report.settled_at is not None else "not settled"
    for message in report.messages[:_MOST_TRACED]:
        number = mask_number(message.number) if message.number else message.given
        yield " ".join(f"{message.public_id} {number}: {message.state} {message.reason} {message.problem}".split())
    if len(report.messages) > _MOST_TRACED:
        yield f"and {len(report.messages) - _MOST_TRACED} more"
    for receipt in trace.receipts[:_MOST_TRACED]:
        yield f"receipt of {spoken(receipt.received_at)}: {receipt.state}"
    for notice in trace.notices[:_MOST_TRACED]:
        yield f"{notice.public_id} {notice.kind}: {notice.state}"


def answer_request(  # noqa: PLR0913 - an answer
    edit: Edit,
    request: str,
    *,
    text: str,
    side: Side = Side.DESK,
    customer: str = "",
    digest: str = "",
    desk: SupportDesk | None = None,
) -> Changed:
    """Write to the other side; where `customer` is named, only about a request of its own.

    The desk's answer waits for the customer, the customer's opens the request again unless it is closed. A mail that
    came before (`digest`) changes nothing.
    """
    found, owner = _get_open(edit.tx, request, customer)
    state = RequestState.OPEN if side is Side.CUSTOMER else RequestState.WAITING
    about = Subject(owner.name, owner.key, f"{found.public_id}: by the {side}")
    done = {"request": found.public_id, "state": state.value}
    if digest and any(post.digest == digest for post in posts_of(edit.tx, found.key)):
        return edit.done(AuditAction.ANSWER_REQUEST, about, **done)
    _post(edit, found, side, text, digest)
    set_state(edit.tx, found.key, state, to_stored(edit.now))
    to = Side.DESK if side is Side.CUSTOMER else Side.CUSTOMER
    author = edit.who if side is Side.CUSTOMER else _DESK
    _write_to(edit, found, owner, to, "support-answered", desk, {"author": author, "text": text})
    return edit.done(AuditAction.ANSWER_REQUEST, about, **done)


def close_request(
    edit: Edit, request: str, *, solved: bool = False, customer: str = "", desk: SupportDesk | None = None
) -> Changed:
    """Say that a request is solved, which an answer opens again, or close it for good."""
    found, owner = _get_open(edit.tx, request, customer)
    state = RequestState.SOLVED if solved else RequestState.CLOSED
    set_state(edit.tx, found.key, state, to_stored(edit.now))
    if solved and not customer:
        _write_to(edit, found, owner, Side.CUSTOMER, "support-solved", desk, {"author": _DESK})
    about = Subject(owner.name, owner.key, f"{found.public_id}: {state}")
    return edit.done(AuditAction.CLOSE_REQUEST, about, request=found.public_id, state=state.value)


def _get_open(tx: Transaction, request: str, customer: str) -> tuple[SupportRequest, Customer]:
    found = find_request(tx, request)
    owner = find_customer_by_key(tx, found.customer_key) if found is not None else None
    if found is None or owner is None or (customer and get_customer(tx, customer).key != owner.key):
        raise AdminFault(FaultCode.NO_REQUEST, request=request)
    if found.state is RequestState.CLOSED:
        raise AdminFault(FaultCode.REQUEST_IS_CLOSED, request=request)
    return found, owner


def _post(edit: Edit, request: SupportRequest, side: Side, text: str, digest: str = "") -> None:
    text = text.strip()
    if not 0 < len(text) <= LONGEST_TEXT:
        raise AdminFault(FaultCode.BAD_TEXT, most=LONGEST_TEXT)
    post = SupportPost(
        key=edit.keys.take(),
        request_key=request.key,
        customer_key=request.customer_key,
        at=to_stored(edit.now),
        side=side,
        author=edit.who,
        text=text,
        digest=digest,
    )
    add_post(edit.tx, post)


def _write_to(  # noqa: PLR0913, PLR0917 - a letter
    edit: Edit,
    request: SupportRequest,
    owner: Customer,
    side: Side,
    words: str,
    desk: SupportDesk | None,
    fields: Mapping[str, str],
) -> None:
    """Write a letter about a request to one side; whoever has no mail address reads it in the portal alone."""
    desk = desk or SupportDesk()
    recipient = desk.address if side is Side.DESK else request.opened_by
    if "@" not in recipient:
        return
    secret = secret_named(edit.tx, SECRET)
    about = {"customer": owner.name, "subject": request.subject, "request": request.public_id, "trace": request.trace}
    row = letter_row(
        recipient,
        words,
        {**about, **fields},
        now=to_stored(edit.now),
        customer_key=owner.key if side is Side.CUSTOMER else None,
        reply_to=write_address(secret, request.key, side, desk.domain) if desk.domain else "",
    )
    Outbox(edit.keys).add(edit.tx, [row])


def list_requests(tx: Transaction, customer: str = "", *, ended: bool = False) -> list[Mapping[str, object]]:
    """Return requests as rows, the last changed first; those that ended only where asked for."""
    owner = get_customer(tx, customer) if customer else None
    names = {item.key: item.name for item in all_customers(tx)}
    found = find_requests(tx, customer_key=owner.key if owner is not None else None, with_ended=ended)
    return [
        {
            "request": item.public_id,
            "customer": names.get(item.customer_key, ""),
            "state": item.state.value,
            "changed": spoken(to_instant(item.changed_at)),
            "by": item.opened_by,
            "subject": item.subject,
        }
        for item in found
    ]


def show_request(tx: Transaction, request: str) -> Mapping[str, object]:
    """Return a request with all that was written about it."""
    found, posts = read_request(tx, request)
    owner = find_customer_by_key(tx, found.customer_key)
    return {
        "request": found.public_id,
        "customer": owner.name if owner is not None else "",
        "state": found.state.value,
        "opened": spoken(to_instant(found.opened_at)),
        "by": found.opened_by,
        "subject": found.subject,
        "job": found.job_id,
        "trace": found.trace,
        "posts": {f"{spoken(to_instant(post.at))} {post.author} ({post.side})": post.text for post in posts},
    }


def read_request(
    tx: Transaction, request: str, customer_key: int | None = None
) -> tuple[SupportRequest, Sequence[SupportPost]]:
    """Return a request (of a customer) with what was written about it. Raises AdminFault."""
    found = find_request(tx, request)
    if found is None or customer_key not in {None, found.customer_key}:
        raise AdminFault(FaultCode.NO_REQUEST, request=request)
    return found, posts_of(tx, found.key)
