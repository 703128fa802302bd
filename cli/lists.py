"""`mail2sms list …`: distribution lists, who may write to them, their members and settings.

Not here: what is allowed (gateway.admin.lists), how a table is read (mta.reading.table_file), what these commands share
(desk).
"""

from pathlib import Path

import click

from cli.admin_session import admin_session, customer_option, json_option, print_table
from cli.context import config_option
from cli.settings import with_settings
from gateway.admin.lists import (
    change_authors,
    drop_list,
    import_members,
    list_all_lists,
    make_list,
    show_members,
)
from gateway.admin.settings import of_list
from mta.reading.table_file import read_table
from sms.message import Origin
from sms.outcome import Refused


@with_settings(
    of_list,
    customer_option,
    click.argument("name"),
    set_help="Set settings of a list, stronger than a sender's own: an empty VALUE unsets, «<none>» is none at all.",
    unset_help="Take settings of a list away, so that weaker layers decide.",
)
@click.group("list")
def distribution_list() -> None:
    """Handle distribution lists: a mail to lista+NAME@DOMAIN reaches every member, as one job with one report."""


@distribution_list.command("add")
@config_option
@customer_option
@click.argument("name")
@click.option(
    "--author", "authors", multiple=True, metavar="WHO", help="May write to it: an address, @domain, or * for all."
)
def add(file: Path, customer: str, name: str, authors: tuple[str, ...]) -> None:
    """Add a list without members."""
    with admin_session(file) as desk:
        desk.change(make_list(customer, name, authors))


@distribution_list.command("remove")
@config_option
@customer_option
@click.argument("name")
def remove(file: Path, customer: str, name: str) -> None:
    """Remove a list with its members; its past jobs stay."""
    with admin_session(file) as desk:
        desk.change(drop_list(customer, name))


@distribution_list.command("authors")
@config_option
@customer_option
@click.argument("name")
@click.option("--add", "added", multiple=True, metavar="WHO", help="An address, @domain, or * for all.")
@click.option("--remove", "removed", multiple=True, metavar="WHO", help="One that may write no more.")
def authors(file: Path, customer: str, name: str, added: tuple[str, ...], removed: tuple[str, ...]) -> None:
    """Change who may write to a list; without options, say who may."""
    with admin_session(file) as desk:
        desk.change(change_authors(customer, name, added, removed))


@distribution_list.command("import")
@config_option
@customer_option
@click.argument("name")
@click.argument("table", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_table(file: Path, customer: str, name: str, table: Path) -> None:
    """Put the rows of a CSV or XLSX file in place of a list's members.

    The first row names the columns. One called number, phone or mobile, else the first, holds the number; the others
    are for {{ column }} in a text. A single bad row changes nothing.
    """
    read = read_table(table.read_bytes())
    if isinstance(read, Refused):
        raise click.ClickException(f"{table}: {read.detail}; nothing was changed")
    with admin_session(file) as desk:
        directory, layers = desk.in_force()
        found = directory.customer_named(customer)
        settings = layers.resolve(found.id if found is not None else 0, Origin.MAIL.value).settings
        desk.change(
            import_members(customer, name, read, country=settings.default_country, strict=settings.strict_numbers)
        )


@distribution_list.command("show")
@config_option
@json_option
@click.option("--customer", default="", metavar="NAME", help="Only this customer's.")
def show(file: Path, customer: str, *, as_json: bool) -> None:
    """Show lists with their columns, their authors and the number of their members."""
    with admin_session(file) as desk:
        print_table(desk.look(lambda tx: list_all_lists(tx, customer)), as_json=as_json)


@distribution_list.command("members")
@config_option
@json_option
@customer_option
@click.argument("name")
def members(file: Path, customer: str, name: str, *, as_json: bool) -> None:
    """Show a list's members with their values."""
    with admin_session(file) as desk:
        print_table(desk.look(lambda tx: show_members(tx, customer, name)), as_json=as_json)
