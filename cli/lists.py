"""`mail2sms list …`: distribution lists, who may write to them, their members and settings.

Not here: what is allowed (gateway.admin.lists), how a table is read (addressbook.table_file).
"""

from pathlib import Path

import click

from addressbook.table_file import read_table
from cli.admin_session import admin_session, customer_option, one_customer_option
from cli.context import config_option
from cli.shapes import NAME, change_command, settings_commands, table_command
from cli.use_cases import lists, settings
from sms.message import Origin
from sms.outcome import Refused


@click.command("import")
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
    with admin_session(file) as session:
        directory, layers = session.in_force()
        found = directory.customer_named(customer)
        settings = layers.resolve(found.key if found is not None else 0, Origin.MAIL.value).settings
        country, strict = settings.default_country, settings.strict_numbers
        session.change(lambda edit: lists.import_members(edit, customer, name, read, country=country, strict=strict))


distribution_list = click.Group(
    "list",
    help="Handle distribution lists: a mail to lista+NAME@DOMAIN reaches every member, as one job with one report.",
    commands=[
        import_table,
        *settings_commands(
            settings.ListScope,
            customer_option,
            NAME,
            set_help="Set settings of a list, stronger than a sender's own: an empty VALUE unsets, «<none>» is none at "
            "all.",
            unset_help="Take settings of a list away, so that weaker layers decide.",
        ),
        change_command(
            "add",
            "Add a list without members.",
            lists.make_list,
            customer_option,
            NAME,
            click.option(
                "--author",
                "authors",
                multiple=True,
                metavar="WHO",
                help="May write to it: an address, @domain, or * for all.",
            ),
        ),
        change_command(
            "remove", "Remove a list with its members; its past jobs stay.", lists.drop_list, customer_option, NAME
        ),
        change_command(
            "authors",
            "Change who may write to a list; without options, say who may.",
            lists.change_authors,
            customer_option,
            NAME,
            click.option("--add", multiple=True, metavar="WHO", help="An address, @domain, or * for all."),
            click.option("--remove", multiple=True, metavar="WHO", help="One that may write no more."),
        ),
        table_command(
            "show",
            "Show lists with their columns, their authors and the number of their members.",
            lists.list_all_lists,
            one_customer_option,
        ),
        table_command("members", "Show a list's members with their values.", lists.show_members, customer_option, NAME),
    ],
)
