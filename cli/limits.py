"""`mail2sms limits`: how much may still be sent. Not here: changing limits (`customer limit`, `user limit`, …)."""

from datetime import UTC, datetime
from pathlib import Path

import click

from cli.admin_session import admin_session, csv_option, json_option, one_customer_option, print_rows
from cli.context import config_option
from gateway.admin.limits import list_limits


@click.command("show")
@config_option
@json_option
@csv_option
@one_customer_option
def show(file: Path, customer: str, *, as_json: bool, as_csv: bool) -> None:
    """Show every limit of use: whose it is, how much, what is used and what is left."""
    with admin_session(file) as session:
        snapshot = session.snapshot()
        rows = session.look(lambda tx: list_limits(tx, snapshot, customer, datetime.now(UTC)))
    print_rows(rows, as_json=as_json, as_csv=as_csv)


limits = click.Group("limits", help="Look at the limits of use.", commands=[show])
