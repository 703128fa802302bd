"""`mail2sms people …`: the address book file, the settings of everybody, and the list of changes.

Not here: what is allowed (gateway.admin), single users (users).
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from addressbook.exchange import write_user_file
from addressbook.source_options import read_options
from addressbook.sources import CustomerDirectory, FileForm, SourceKind
from addressbook.sync_plan import SyncPlan
from addressbook.user_plan import UserAction
from cli.admin_session import admin_session, customer_option
from cli.audit import changes_command
from cli.context import config_option
from cli.files import file_faults
from cli.printed import count
from cli.shapes import limit_command, settings_commands, view_command
from cli.words import file_fault_sentence, import_words, option_fault_sentence
from dirsync.files import read_users
from gateway.admin.settings import SystemScope
from gateway.admin.user_import import export_users, import_users, preview_import
from gateway.admin.views import show_system
from sms.message import Origin


@click.command("import")
@config_option
@customer_option
@click.argument("book", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in FileForm if form is not FileForm.LIST]),
    default=FileForm.AUTO.value,
    show_default=True,
    help="A table with a header, or of 15 columns without one, a workbook, LDIF or vCards; auto goes by the content.",
)
@click.option(
    "--delimiter", type=click.Choice([",", ";", "tab", "|"]), help="Default: as the first line shows, or a comma."
)
@click.option("--encoding", default="cp1252", show_default=True, metavar="NAME", help="If the file is not UTF-8.")
@click.option("--end-marker", default="", metavar="TEXT", help="The last line that proves the file whole.")
@click.option("--country", default="", metavar="CODE", help="Of numbers without a plus; default: the customer's.")
@click.option("--skip-faulty", is_flag=True, help="Leave rows with faults out and import the others.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def import_book(
    *,
    file: Path,
    customer: str,
    book: Path,
    skip_faulty: bool,
    dry_run: bool,
    **declared: str | None,
) -> None:
    """Add and change users as an address book file says; nobody is removed, what it does not name stays.

    A single fault, named with line and column, leaves everything as it is. An empty cell takes away what an earlier
    file said, «<none>» stops inheritance, and the column «pinned» names settings that are pinned, as by «user set».
    """
    options = {"folder": str(book.absolute().parent)} | {name: text or "" for name, text in declared.items()}
    folder = read_options(SourceKind.FOLDER, options)
    if not isinstance(folder, CustomerDirectory):
        raise click.UsageError(" ".join(map(option_fault_sentence, folder)))
    now = datetime.now(UTC)
    with admin_session(file) as session:
        directory, layers = session.in_force()
        found = directory.customer_named(customer)
        country = layers.resolve(found.key if found is not None else 0, Origin.MAIL.value).settings.default_country
        source = f"{book.name} {now:%Y-%m-%d %H:%M} UTC"
        user_file = read_users(book.read_bytes(), folder, book.name, source, now=now, country=country)
        plan = session.look(lambda tx: preview_import(tx, customer, user_file))
        for fault in plan.faults:
            click.echo(f"{book}: {file_fault_sentence(fault)}", err=True)
        if user_file.damaged:
            raise click.ClickException("the file is damaged; nothing was changed")
        if user_file.lists:
            click.echo(f"{count(len(user_file.lists), 'group')} left out: «dirsync» makes lists of them.", err=True)
        if dry_run:
            _print_plan(plan)
        if plan.faults and not skip_faulty:
            raise click.ClickException("nothing is imported: mend these rows, or leave them out by --skip-faulty")
        if not dry_run:
            session.change(lambda edit: import_users(edit, customer, user_file, skip_faulty=skip_faulty))


def _print_plan(plan: SyncPlan) -> None:
    for planned in plan.users:
        if planned.is_new:
            click.echo(f"+ {planned.after.address}")
            continue
        before = planned.before.cells if planned.before is not None else {}
        told = [f"{name}: {before.get(name, 'unset')} → {text or 'unset'}" for name, text in planned.cells.items()]
        told += [f"{name}: pinned to {text}" for name, text in planned.pinned.items()]
        click.echo(f"~ {planned.after.address}  {'; '.join(told) or 'name, profile or activity'}")
    added = len(plan.of(UserAction.ADD))
    words = import_words(
        added=added,
        changed=len(plan.users) - added,
        unchanged=plan.unchanged,
        not_in_file=plan.left_alone,
        faults=len(plan.faults),
        would="would be ",
    )
    click.echo(words)


@click.command("export")
@config_option
@customer_option
@click.argument("book", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
def export_book(file: Path, customer: str, book: Path) -> None:
    """Write a customer's users with their own settings as a headed file that «import» reads; «-» prints it."""
    with admin_session(file) as session:
        exported = session.look(lambda tx: export_users(tx, customer))
    content = write_user_file(exported).encode()
    if str(book) == "-":
        sys.stdout.buffer.write(content)
        return
    with file_faults():
        book.write_bytes(content)
    click.echo(f"{book}: {count(len(exported), 'user')}.")


people = click.Group(
    "people",
    help="Handle the address book file, the settings of everybody, and the list of changes.",
    commands=[
        import_book,
        export_book,
        *settings_commands(
            SystemScope,
            set_help="Set settings of the system layer, over those of the operator's file.",
            unset_help="Take settings of the system layer away; those of the operator's file stay.",
        ),
        limit_command("Change what all customers and their messages may ask for.", SystemScope),
        view_command(
            "show", "Show settings and constraints of the system layer that were set by command.", show_system
        ),
        changes_command("audit"),
    ],
)
