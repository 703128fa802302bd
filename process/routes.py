"""The operator's carriers as the use cases know them: routes, rules, and what stored settings say against them.

Not here: the clients that speak with them (process.carriers), which nobody needs who only asks where a number goes.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from config.carriers import CarrierKind, CarrierOptions, OnUnknown
from gateway.config_lint import (
    Contradiction,
    find_contradictions,
    find_help_taken,
    find_help_without_contact,
    find_idle_numbers,
)
from gateway.directory import DirectoryFollower
from gateway.routing import CarrierRoute, CarrierRoutes
from smpp.dialect.binds import BindMode
from smpp.dialect.dialect import Dialect, LongMessages, ReceiptFor
from store.answers import Rules


def offers_cancelling(carrier: CarrierOptions) -> bool:
    """Return whether a carrier can be asked for an SMS that it has."""
    return carrier.cancels or carrier.kind is CarrierKind.SANDBOX


def routes_of(carriers: Iterable[CarrierOptions]) -> CarrierRoutes:
    """Return which carrier serves which numbers; one that only brings us SMS and receipts serves none."""
    return CarrierRoutes(
        CarrierRoute(
            carrier=carrier.name,
            prefixes=carrier.prefixes,
            customers=carrier.customers,
            priority=carrier.priority,
            cost=carrier.cost,
            wide_reference=carrier.dialect.wide_reference,
            whole_texts=_takes_whole(carrier.dialect),
            lacking=carrier.dialect.lacking,
            parameters=carrier.dialect.parameters,
            national_shift=carrier.dialect.national_shift,
            networks=frozenset(carrier.networks),
        )
        for carrier in carriers
        if carrier.bind is not BindMode.RECEIVER
    )


def contradictions_of(carriers: Iterable[CarrierOptions], book: DirectoryFollower) -> list[Contradiction]:
    """Return what the stored settings and these carriers say against each other."""
    listed, snapshot, now = tuple(carriers), book.current, datetime.now(UTC)
    hours = {carrier.name: carrier.hours for carrier in listed if carrier.hours is not None}
    routes = routes_of(listed)
    idle = find_idle_numbers(snapshot.numbers, {carrier.name for carrier in listed}, routes.known)
    unhelpful = find_help_without_contact(snapshot, book.rules, now)
    taken = find_help_taken(snapshot, book.rules, now)
    return [*find_contradictions(snapshot, routes, hours, now), *idle, *unhelpful, *taken]


def rules_of(carriers: Iterable[CarrierOptions]) -> Rules:
    """Return what progress must know of the carriers."""
    listed = tuple(carriers)
    return Rules(
        resends={item.name: item.resends for item in listed if item.on_unknown is OnUnknown.RESEND},
        receipt_grace={item.name: item.receipt_grace for item in listed},
        failover={item.name: item.failover for item in listed},
        without_receipts=frozenset(item.name for item in listed if not item.receipts),
        whole_texts=frozenset(item.name for item in listed if _takes_whole(item.dialect)),
        whole_receipts=frozenset(
            item.name for item in listed if _takes_whole(item.dialect) or item.dialect.receipt_for is ReceiptFor.MESSAGE
        ),
    )


def _takes_whole(dialect: Dialect) -> bool:
    return dialect.long_messages is LongMessages.WHOLE
