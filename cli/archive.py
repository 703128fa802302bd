"""`mail2sms archive …`: the months of customers. Not here: what stands in one (reports.archive)."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from addressbook.exchange import write_csv
from cli.admin_session import (
    admin_session,
    csv_option,
    customer_option,
    json_option,
    one_customer_option,
    print_table,
    print_view,
)
from cli.context import config_option
from cli.shapes import table_command
from reports.archive import COLUMNS, list_months, show_month

if TYPE_CHECKING:
    from reports.archive import Correction, MonthSummary

_TABLES = {
    "service": ("service", "state"),
    "cost centre": ("cost_centre",),
    "user": ("user_address",),
    "country": ("country",),
    "carrier": ("carrier",),
}


@click.command("show")
@config_option
@json_option
@csv_option
@customer_option
@click.option("--month", required=True, metavar="YYYY-MM", help="Which one: 2026-11.")
def show(file: Path, customer: str, month: str, *, as_json: bool, as_csv: bool) -> None:
    """Show what a customer sent and received in a month, and what was corrected after it had ended.

    «billed» are the parts that carriers took, «unanswered» those that they may have taken, since their answer was lost.
    """
    with admin_session(file) as session:
        found = session.look(lambda tx: show_month(tx, customer, month))
    if as_csv:
        click.echo(write_csv(COLUMNS, found.rows()), nl=False)
        return
    facts: dict[str, object] = {
        "customer": found.customer,
        "month": str(found.month),
        "time_zone": ", ".join(found.zones) or "no SMS",
        "state": "closed" if found.closed else "still changes",
    }
    tables = {name: list(_lines(found, *columns)) for name, columns in _TABLES.items()}
    tables["corrections"] = list(_corrections((*found.corrections, *found.earlier)))
    if as_json:
        print_view({**facts, **tables}, as_json=True)
        return
    print_view(facts, as_json=False)
    for name, rows in tables.items():
        if rows:
            click.echo(f"\nby {name}:" if name != "corrections" else f"\n{name}:")
            print_table(rows, as_json=False)


def _lines(found: "MonthSummary", *columns: str) -> Iterator[dict[str, object]]:
    for line in found.by(*columns):
        yield {"": line.direction.value, "name": line.name or "none", **line.figures._asdict()}


def _corrections(corrections: "Iterable[Correction]") -> Iterator[dict[str, object]]:
    for item in corrections:
        yield {
            **{name: str(value) for name, value in asdict(item).items() if name != "figures"},
            **item.figures._asdict(),
        }


archive = click.Group(
    "archive",
    help="Look at the months of customers: what was sent and received.",
    commands=[
        table_command(
            "list", "List the months of a customer, or of all, the newest first.", list_months, one_customer_option
        ),
        show,
    ],
)
