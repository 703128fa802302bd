"""Jobs as they are searched: by number, sender, customer, state and time. Not here: everything of one job (queue)."""

from collections.abc import Collection, Mapping
from datetime import datetime

from addressbook.canonical import canonical_address, canonical_domain
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from sms.lifecycle import MessageState
from sms.number import parse_number, parse_sender_id
from sms.outcome import Refused
from sms.settings import format_setting
from sms.typed_numbers import clean_number
from store.engine.database import Transaction
from store.engine.keys import to_stored
from store.job_search import FoundJob, JobFilter, search_jobs


def list_jobs(  # noqa: PLR0913 - every filter by name
    tx: Transaction,
    *,
    number: str = "",
    sender: str = "",
    sender_id: str = "",
    customer: str = "",
    proof: str | None = None,
    states: Collection[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    most: int = 50,
) -> list[Mapping[str, object]]:
    """Return the newest jobs that fit all of this, newest first, as rows. Raises AdminFault for what can't be read."""
    wanted = JobFilter(
        number=read_number(number),
        sender=read_sender(sender),
        sender_id=read_sender_id(sender_id),
        proof=proof or "",
        customer_key=get_customer(tx, customer).key if customer else None,
        states=frozenset(map(MessageState, states)),
        since=None if since is None else to_stored(since),
        until=None if until is None else to_stored(until),
    )
    return [_row(job) for job in search_jobs(tx, wanted, most)]


def read_number(text: str, country: str = "") -> str:
    """Return the digits of a number as it is searched for; `country` is that of a national one. Raises AdminFault.

    What somebody would type to send to a number finds it.
    """
    if not text:
        return ""
    typed = clean_number(text)
    parsed = parse_number(typed, country)
    if isinstance(parsed, Refused) and not typed.startswith(("+", "0", "(")):
        parsed = parse_number(f"+{typed}", country)
    if isinstance(parsed, Refused):
        raise AdminFault(FaultCode.BAD_NUMBER, given=text)
    return parsed.digits


def read_sender_id(text: str) -> str:
    """Return a sender ID as it is stored; what can't be one is searched for as it is."""
    sender_id = parse_sender_id(text)
    return text if sender_id is None else format_setting(sender_id)


def read_sender(text: str) -> str:
    """Return an address, or `@` and a domain, as senders are searched by it. Raises AdminFault."""
    if not text:
        return ""
    if text.startswith("@"):
        domain = canonical_domain(text[1:])
        found = None if domain is None else f"@{domain}"
    else:
        found = canonical_address(text)
    if found is None:
        raise AdminFault(FaultCode.BAD_ADDRESS, address=text)
    return found


def _row(job: FoundJob) -> Mapping[str, object]:
    messages = sum(job.states.values())
    return {
        "accepted": job.accepted_at.isoformat(sep=" ", timespec="seconds")[:19],
        "job": job.public_id,
        "customer": job.customer,
        "sender": job.sender,
        "service": job.service,
        "proof": job.proof,
        "to": f"+{job.number}" if job.number and messages == 1 else f"{messages} numbers" if messages else "",
        "state": ", ".join(f"{number} {state}" if messages > 1 else state for state, number in job.states.items()),
        "parts": job.parts,
    }
