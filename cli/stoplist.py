"""`mail2sms stoplist …`: who wants no more SMS of a customer, or of one of its services.

Not here: what is allowed (gateway.admin.stop_list), how a table is read (addressbook.table_file).
"""

from functools import partial
from pathlib import Path
from typing import Any

import click

from addressbook.exchange import write_csv
from addressbook.table_file import read_table
from cli.admin_session import admin_session, customer_option
from cli.context import config_option
from cli.shapes import table_command
from gateway.admin.stop_list import (
    COLUMNS,
    drop_stops,
    import_stops,
    list_stops,
    parse_handsets,
    parse_stops,
    put_stops,
)
from sms.outcome import Refused
from store.engine.database import Transaction

# An operator's own file, as «export» writes one of half a million entries; in portions, between which mail is accepted.
_MOST_ROWS, _MOST_CELLS, _MOST_OCTETS = 500_000, 5_000_000, 100_000_000
_AT_ONCE = 10_000
_NUMBERS = click.argument("numbers", nargs=-1, required=True, metavar="NUMBER…")
_ENDED = click.option("--ended", "with_ended", is_flag=True, help="Those that ended, too.")


@click.command("add")
@config_option
@customer_option
@click.option("--service", default="", metavar="NAME", help="Only for this service: mail, sap, rest, …")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is kept as evidence beside who it was.")
@_NUMBERS
def add_some(file: Path, customer: str, service: str, reason: str, numbers: tuple[str, ...]) -> None:
    """Put numbers on a customer's stop list; SMS that wait for them end as refused (BLOCKED)."""
    with admin_session(file) as session:
        digits = parse_handsets(numbers, session.country_of(customer))
        session.change(lambda edit: put_stops(edit, customer, digits, service, reason))


@click.command("remove")
@config_option
@customer_option
@click.option("--service", metavar="NAME", help="Only entries for this service; an empty NAME: only those for all.")
@_NUMBERS
def remove_some(file: Path, customer: str, service: str | None, numbers: tuple[str, ...]) -> None:
    """Take numbers from a customer's stop list; the entries are kept as ended."""
    with admin_session(file) as session:
        digits = parse_handsets(numbers, session.country_of(customer))
        session.change(lambda edit: drop_stops(edit, customer, digits, service))


@click.command("import")
@config_option
@customer_option
@click.argument("table", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_table(file: Path, customer: str, table: Path) -> None:
    """Put the numbers of a CSV or XLSX file on a customer's stop list.

    The first row names the columns. One called number, phone or mobile, else the first, holds the number; one called
    service may name a service. A single bad row changes nothing. A long file is stored in portions, so that the gateway
    goes on meanwhile; to import it again does no harm.
    """
    read = read_table(table.read_bytes(), rows_limit=_MOST_ROWS, cells_limit=_MOST_CELLS, octets_limit=_MOST_OCTETS)
    if isinstance(read, Refused):
        raise click.ClickException(f"{table}: {read.detail}; nothing was changed")
    with admin_session(file) as session:
        lines = parse_stops(read, session.country_of(customer))
        for start in range(0, len(lines), _AT_ONCE):
            portion = lines[start : start + _AT_ONCE]
            session.change(partial(import_stops, customer=customer, lines=portion, source=table.name))


@click.command("export")
@config_option
@customer_option
@_ENDED
def export_table(file: Path, customer: str, *, with_ended: bool) -> None:
    """Print a customer's stop list as CSV, for «stoplist import» or a spreadsheet."""
    with admin_session(file) as session:
        rows = session.look(lambda tx: list_stops(tx, customer, with_ended=with_ended))
    click.echo(write_csv(COLUMNS, (row.values() for row in rows)), nl=False)


def _listed(tx: Transaction, customer: str, number: str, *, with_ended: bool) -> Any:
    digits = parse_handsets([number], "")[0] if number else ""
    return list_stops(tx, customer, digits, with_ended=with_ended)


stoplist = click.Group(
    "stoplist",
    help="Handle stop lists: who wants no more SMS of a customer, or of one of its services.",
    commands=[
        add_some,
        remove_some,
        import_table,
        export_table,
        table_command(
            "list",
            "List who wants no more SMS, since when, and why.",
            _listed,
            customer_option,
            click.option("--number", default="", metavar="NUMBER", help="Only entries of this number: +447700900123."),
            _ENDED,
        ),
    ],
)
