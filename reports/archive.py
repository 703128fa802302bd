"""The archive: what a customer sent and received in a month as it ended, and what was corrected since.

Values for whoever shows them: the command line, mails, the portal. A month is that of the customer's time zone. Not
here: how sums come about (summing), when months are closed and mailed (monthly).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from reports.counting import Direction, Figures
from store.archive import ALL_DAYS, SummedLine, read_closed, read_lines, read_totals, read_zones
from store.directory_lookup import all_customers
from store.engine.database import Transaction

COLUMNS: Final = (
    *("month", "direction", "service", "cost_centre", "user", "country", "state", "corrected_on"),
    *("messages", "parts", "billed", "unanswered"),
)
"""The columns of a summary as a table; `parts` are those of the texts, `billed` those that carriers took."""
MONTHS_KEPT: Final = 6
"""So many months that have ended stay in the archive, beside the one under way."""
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A calendar month, such as 2026-11."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Return the month of a text. Raises AdminFault for any other text."""
        found = _MONTH.fullmatch(text)
        if found is None:
            raise AdminFault(FaultCode.NO_MONTH, given=text[:40])
        return cls(year=int(found[1]), month=int(found[2]))

    @classmethod
    def of(cls, day: date) -> "Month":
        """Return the month of a day."""
        return cls(year=day.year, month=day.month)

    def moved(self, months: int) -> "Month":
        """Return the month so many later, or earlier."""
        years, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(year=years, month=month + 1)

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    @property
    def days(self) -> tuple[str, str]:
        """Its first day and that of the next month, as ISO dates."""
        return self.first.isoformat(), self.moved(1).first.isoformat()

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryLine:
    """Some of a month: `name` is what it is alike in, such as a service, a user or a country; empty for none."""

    direction: Direction
    name: str
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a correction added to a month, or with negative figures took from it: on which day, and which state."""

    month: str
    corrected_on: str
    direction: Direction
    service: str
    state: str
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthSummary:
    """A month of a customer. `lines` are as it ended; `corrections` came since, `earlier` ones were made in it.

    `zones` are the time zones that its days were counted in. A month that is not `closed` still changes.
    """

    customer: str
    month: Month
    zones: tuple[str, ...]
    closed: bool
    lines: Sequence[SummedLine]
    corrections: Sequence[Correction]
    earlier: Sequence[Correction]

    def by(self, *names: str) -> list[SummaryLine]:
        """Return the figures by columns, such as service and state, what was sent first and the most of it first."""
        figures: dict[tuple[str, str], Figures] = defaultdict(Figures)
        for line in self.lines:
            key = line.direction, " · ".join(str(getattr(line, name)) for name in names)
            figures[key] = figures[key].plus(_figures(line))
        ordered = sorted(
            figures.items(), key=lambda item: (item[0][0] != Direction.SENT, -item[1].messages, item[0][1])
        )
        return [
            SummaryLine(direction=Direction(direction), name=name, figures=found)
            for (direction, name), found in ordered
            if any(found)
        ]

    def total(self, direction: Direction) -> Figures:
        """Return all that was sent, or received."""
        found = Figures()
        for line in self.lines:
            if line.direction == direction:
                found = found.plus(_figures(line))
        return found

    def rows(self) -> Iterable[Sequence[str | int]]:
        """Yield the cells of `COLUMNS`: what the month ended with, then the corrections of it, dated."""
        figures: dict[tuple[str, ...], Figures] = defaultdict(Figures)
        for line in self.lines:  # without carriers, which are not the customer's
            key = (line.direction, line.service, line.cost_centre, line.user_address, line.country, line.state)
            figures[key] = figures[key].plus(_figures(line))
        for (direction, service, cost_centre, user, country, state), found in figures.items():
            if any(found):
                yield str(self.month), direction, service, cost_centre, user, country, state, "", *found
        for item in (*self.corrections, *self.earlier):
            yield (
                item.month,
                item.direction.value,
                item.service,
                "",
                "",
                "",
                item.state,
                item.corrected_on,
                *item.figures,
            )


def summarise_month(tx: Transaction, customer_key: int, customer: str, month: Month) -> MonthSummary:
    """Return the summary of a customer's month; one without SMS has no lines."""
    first, end = month.days
    earlier: list[Correction] = []
    for back in range(1, MONTHS_KEPT + 1):
        before = month.moved(-back)
        earlier += _corrections(before, read_lines(tx, customer_key, before.days, (first, end)))
    return MonthSummary(
        customer=customer,
        month=month,
        zones=read_zones(tx, customer_key, month.days),
        closed=(customer_key, str(month)) in read_closed(tx, customer_key),
        lines=read_lines(tx, customer_key, month.days, ("", end)),
        corrections=_corrections(month, read_lines(tx, customer_key, month.days, (end, ALL_DAYS[1]))),
        earlier=earlier,
    )


def _corrections(month: Month, lines: Iterable[SummedLine]) -> list[Correction]:
    figures: dict[tuple[str, str, str, str], Figures] = defaultdict(Figures)
    for line in lines:
        key = line.corrected_on, line.direction, line.service, line.state
        figures[key] = figures[key].plus(_figures(line))
    return [
        Correction(
            month=str(month),
            corrected_on=corrected_on,
            direction=Direction(direction),
            service=service,
            state=state,
            figures=found,
        )
        for (corrected_on, direction, service, state), found in sorted(figures.items())
        if any(found)
    ]


def _figures(line: SummedLine) -> Figures:
    return Figures(line.messages, line.parts, line.billed, line.unanswered)


def list_months(tx: Transaction, customer: str = "") -> list[Mapping[str, object]]:
    """Return the months in the archive of a customer, or of all, with what was sent and received in all.

    Corrections are in it, of whatever day. Raises AdminFault for an unknown customer.
    """
    key = get_customer(tx, customer).key if customer else None
    names = {found.key: found.name for found in all_customers(tx)}
    closed = read_closed(tx, key)
    months: dict[tuple[int, str], dict[str, object]] = {}
    for total in read_totals(tx, key):
        row = months.setdefault(
            (total.customer_key, total.month),
            {
                "customer": names.get(total.customer_key, ""),
                "month": total.month,
                "sent": 0,
                "parts": 0,
                "billed": 0,
                "received": 0,
                "received_parts": 0,
                "closed": (total.customer_key, total.month) in closed,
            },
        )
        if total.direction == Direction.SENT:
            row |= {"sent": total.messages, "parts": total.parts, "billed": total.billed}
        else:
            row |= {"received": total.messages, "received_parts": total.parts}
    return list(months.values())


def show_month(tx: Transaction, customer: str, month: str) -> MonthSummary:
    """Return the summary of a customer's month by their names. Raises AdminFault for an unknown customer or month."""
    found = get_customer(tx, customer)
    return summarise_month(tx, found.key, found.name, Month.parse(month))
