"""`mail2sms inbound …`: SMS that came from phones: listed, shown, and what would follow from one.

Not here: numbers, keywords and actions, which have commands of their own; traces (traces).
"""

from datetime import UTC, datetime
from pathlib import Path

import click

from cli.admin_session import json_option, one_customer_option, print_table, print_view
from cli.context import config_option, database_of, read_config
from cli.shapes import table_command, this_week_option, until_option
from cli.traces import print_trace
from gateway.admin.inbound import simulate
from process.accept_path import AcceptPath
from reports.inbound_details import list_inbound
from store.inbound_search import Handed


@click.command("show")
@config_option
@json_option
@click.argument("name", metavar="ID")
def show(file: Path, name: str, *, as_json: bool) -> None:
    """Show an SMS with what followed from it: mails, pushes, answers, and what became of each."""
    print_trace(file, name, as_json=as_json)


@click.command("simulate")
@config_option
@json_option
@click.option("--to", "destination", required=True, metavar="NUMBER", help="The number of ours that is written to.")
@click.option("--from", "source", required=True, metavar="NUMBER", help="The phone.")
@click.argument("text")
def simulate_sms(file: Path, source: str, destination: str, text: str, *, as_json: bool) -> None:
    """Show whose an SMS would be and what would follow, by the code that the server runs; nothing is done."""
    config = read_config(file)
    if config.server.sqlite_file is not None and not config.server.sqlite_file.exists():
        # Opening it would make an empty one, and this command writes nothing.
        raise click.ClickException(f"{config.server.sqlite_file} does not exist yet: «serve» makes it")
    database = database_of(config.server)
    click.get_current_context().call_on_close(database.close)
    core = AcceptPath(config, database)
    core.book.load_now()
    view = simulate(
        database,
        core.book.current,
        core.book.rules,
        core.routes,
        source=source.replace(" ", ""),
        destination=destination.replace(" ", ""),
        text=text,
        carriers=[carrier.name for carrier in config.carriers],
        now=datetime.now(UTC),
    )
    if as_json:
        print_view(view, as_json=True)
        return
    effects = view.pop("effects")
    print_view(view, as_json=False)
    assert isinstance(effects, list)
    click.echo("effects:" + ("" if effects else " none"))
    print_table(effects, as_json=False)


inbound = click.Group(
    "inbound",
    help="Look at SMS that came from phones, and at what would follow from one.",
    commands=[
        table_command(
            "list",
            "List SMS that came from phones this week, or since another time, the newest first.",
            list_inbound,
            click.option("--to", "number", default="", metavar="NUMBER", help="To this number of ours."),
            click.option("--from", "phone", default="", metavar="NUMBER", help="From this phone: +447700900123."),
            click.option("--user", default="", metavar="ADDRESS", help="Mailed to this mailbox."),
            one_customer_option,
            click.option(
                "--state",
                "states",
                multiple=True,
                type=click.Choice([state.value for state in Handed]),
                help="Whether somebody got it by mail or push: yes, it waits, no, or it is nobody's; may be repeated.",
            ),
            this_week_option,
            until_option,
            click.option("--not-handed-over", is_flag=True, help="Only those that nobody got."),
            click.option("--limit", default=100, show_default=True, help="At most so many."),
        ),
        show,
        simulate_sms,
    ],
)
