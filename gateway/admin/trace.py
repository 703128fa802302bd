"""What is remembered of one job, SMS, notice or dropped mail. Not here: what is done about it (queue)."""

from dataclasses import replace

from gateway.phone_names import find_names, numbers_of, with_names
from store.directory_lookup import find_customer
from store.dropped import TracedDrop, find_dropped
from store.engine.database import Transaction
from store.inbound_views import InboundTrace, find_inbound, load_inbound_trace
from store.outbox_views import TracedNotice, trace_notice
from store.views import Trace, find_job, load_trace


def find_trace(tx: Transaction, name: str) -> Trace | InboundTrace | TracedNotice | TracedDrop | None:
    """Return what is remembered under an id; a Message-ID may be given without its angle brackets."""
    for spelled in (name, f"<{name}>") if "@" in name and not name.startswith("<") else (name,):
        key = find_job(tx, spelled)
        if key is not None:
            trace = load_trace(tx, key)
            customer = find_customer(tx, trace.report.customer)
            names = find_names(tx, customer.id, numbers_of(trace.report)) if customer is not None else {}
            return replace(trace, report=with_names(trace.report, names))
        sms = find_inbound(tx, spelled)
        if sms is not None:
            return load_inbound_trace(tx, sms)
        found = trace_notice(tx, spelled) or find_dropped(tx, name=spelled)
        if found is not None:
            return found
    return None
