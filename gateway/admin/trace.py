"""What is remembered of one job, SMS, notice or dropped mail. Not here: what is done about it (queue)."""

import re
from dataclasses import replace

from addressbook.people import Customer
from gateway.phone_names import find_names, numbers_of, with_names
from sms.report import ReportedMessage
from store.directory_lookup import find_customer
from store.dropped import TracedDrop, find_dropped
from store.engine.database import Transaction
from store.inbound_views import InboundTrace, find_inbound, load_inbound_trace
from store.outbox_views import TracedNotice, trace_notice
from store.views import Trace, find_job, load_trace

__all__ = ["InboundTrace", "Trace", "Traced", "TracedDrop", "TracedNotice", "find_trace", "named_message"]

Traced = Trace | InboundTrace | TracedNotice | TracedDrop


def find_trace(tx: Transaction, name: str, owner: Customer | None = None) -> Traced | None:
    """Return what is remembered under an id; a Message-ID may be given without its angle brackets.

    A number may be written with blanks and signs between its digits. With an `owner` only a job or an inbound SMS of
    that customer is found.
    """
    name = _spelled(name)
    if not name:
        return None
    key_of_owner = owner.key if owner is not None else None
    for spelled in (name, f"<{name}>") if "@" in name and not name.startswith("<") else (name,):
        key = find_job(tx, spelled, key_of_owner)
        if key is not None:
            trace = load_trace(tx, key)
            customer = owner or find_customer(tx, trace.report.customer)
            names = find_names(tx, customer.key, numbers_of(trace.report)) if customer is not None else {}
            return replace(trace, report=with_names(trace.report, names))
        sms = find_inbound(tx, spelled, key_of_owner)
        if sms is not None:
            return load_inbound_trace(tx, sms)
        # A dropped mail has only its customer's name, which another customer may have had: it is the operator's.
        found = (trace_notice(tx, spelled) or find_dropped(tx, name=spelled)) if owner is None else None
        if found is not None:
            return found
    return None


def named_message(trace: Trace, name: str) -> ReportedMessage | None:
    """Return the one message of a job that an id, a carrier's id or a number names; None where it names all."""
    name = _spelled(name)
    number = f"+{name.removeprefix('+').removeprefix('00')}" if name.startswith(("+", "00")) else "-"
    for message in trace.report.messages:
        if name == message.public_id or number == message.number:
            return message
        if any(part.carrier_id == name for part in message.parts):
            return message
    return None


def _spelled(name: str) -> str:
    """Return an id without blanks at its ends and what no id has, a number as digits behind its plus or 00."""
    name = name.replace("\0", "").strip()
    return re.sub("[^+0-9]", "", name) if re.fullmatch(r"(\+|00)[0-9 ().\-/]+", name, re.ASCII) else name
