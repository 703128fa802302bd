"""`mail2sms user …` and `mail2sms people …`: users, their settings and logins, the address book file, the system layer.

Not here: what is allowed (gateway), customers and profiles (customers), what these commands share (desk).
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from addressbook.exchange import FileFormat, read_people_file, write_people_file
from addressbook.hierarchy import Explained
from addressbook.import_plan import ImportPlan
from cli.admin_session import (
    admin_session,
    customer_option,
    hash_password,
    json_option,
    password_option,
    print_table,
    print_view,
    read_password,
)
from cli.context import config_option
from cli.customers import limit_options, limits_of
from cli.settings import with_settings
from gateway.admin.customers import all_of
from gateway.admin.settings import SYSTEM_OWNER, limit, of_user
from gateway.admin.users import (
    add_login,
    add_user,
    describe_plan,
    export_people,
    import_people,
    preview_people,
    random_password,
    remove_login,
    remove_user,
    set_user_active,
    set_user_profile,
)
from gateway.admin.views import (
    ExplainedUser,
    explain_user,
    list_audit,
    list_users,
    show_system,
    show_user,
    spoken_value,
)

random_option = click.option(
    "--random-password-file",
    "random_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a new random password there; the file must not exist.",
)


@with_settings(
    of_user,
    click.argument("address"),
    set_help="Pin settings to a user, whatever the address book file says: an empty VALUE unsets, «<none>» is none at "
    "all.",
    unset_help="Take pinned settings away, so that the address book file and weaker layers decide.",
)
@click.group()
def user() -> None:
    """Handle who sends: addresses, profiles, logins and settings pinned to one person."""


@contextmanager
def _password(password_file: Path | None, random_file: Path | None) -> Iterator[str | None]:
    """Give the password that the options name; a file made for a random one goes again if the command fails."""
    if password_file is not None and random_file is not None:
        raise click.UsageError("--password-file and --random-password-file exclude each other")
    if random_file is None:
        yield read_password(password_file) if password_file is not None else None
        return
    password = random_password()
    try:
        descriptor = os.open(random_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.ClickException(f"{random_file}: {error.strerror}; nothing was changed") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(password + "\n")
        yield password
    except BaseException:
        random_file.unlink(missing_ok=True)
        raise
    click.echo(f"{random_file}: the new password.")


@user.command("add")
@config_option
@customer_option
@click.argument("address")
@click.option("--profile", default="", metavar="NAME", help="Instead of the customer's default one.")
@click.option("--name", default="", metavar="TEXT", help="How the user is called.")
@click.option("--login", metavar="LOGIN", help="The login, if a password is given; default: the address.")
@password_option
@random_option
def add_new(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    customer: str,
    address: str,
    profile: str,
    name: str,
    login: str | None,
    password_file: Path | None,
    random_file: Path | None,
) -> None:
    """Add a user, with a login where a password is given."""
    with _password(password_file, random_file) as password, admin_session(file) as desk:
        changes = [add_user(address, customer, profile_name=profile, name=name)]
        if password is not None:
            changes.append(add_login(login or address, password, hash_password, user=address))
        desk.change(all_of(*changes))


@user.command("add-login")
@config_option
@click.argument("address")
@click.option("--login", metavar="LOGIN", help="Default: the address.")
@password_option
@random_option
def give_login(
    file: Path, address: str, login: str | None, password_file: Path | None, random_file: Path | None
) -> None:
    """Add a login of a user, or give it a new password."""
    with _password(password_file, random_file) as password, admin_session(file) as desk:
        if password is None:
            raise click.UsageError("--password-file or --random-password-file is needed")
        desk.change(add_login(login or address, password, hash_password, user=address))


@user.command("remove-login")
@config_option
@click.argument("login")
def take_login(file: Path, login: str) -> None:
    """Remove a login."""
    with admin_session(file) as desk:
        desk.change(remove_login(login))


@user.command("profile")
@config_option
@click.argument("address")
@click.argument("name", default="")
def choose_profile(file: Path, address: str, name: str) -> None:
    """Give a user another profile; without NAME the customer's default one."""
    with admin_session(file) as desk:
        desk.change(set_user_profile(address, name))


@user.command("show")
@config_option
@json_option
@click.argument("address")
def show_one(file: Path, address: str, *, as_json: bool) -> None:
    """Show a user with what is set for it alone."""
    with admin_session(file) as desk:
        print_view(desk.look(lambda tx: show_user(tx, address)), as_json=as_json)


@user.command("list")
@config_option
@json_option
@click.option("--customer", default="", metavar="NAME", help="Only this customer's.")
def list_all(file: Path, customer: str, *, as_json: bool) -> None:
    """List users."""
    with admin_session(file) as desk:
        print_table(desk.look(lambda tx: list_users(tx, customer)), as_json=as_json)


@user.command("remove")
@config_option
@click.argument("address")
def remove(file: Path, address: str) -> None:
    """Remove a user with its settings and logins; its past jobs stay."""
    with admin_session(file) as desk:
        desk.change(remove_user(address))


@user.command("enable")
@config_option
@click.argument("address")
def enable(file: Path, address: str) -> None:
    """Let a user send again."""
    with admin_session(file) as desk:
        desk.change(set_user_active(address, active=True))


@user.command("disable")
@config_option
@click.argument("address")
def disable(file: Path, address: str) -> None:
    """Stop a user from sending; nothing is removed."""
    with admin_session(file) as desk:
        desk.change(set_user_active(address, active=False))


@user.command("explain")
@config_option
@json_option
@click.option("--service", default="mail", show_default=True, metavar="NAME", help="Through which door.")
@click.argument("address")
@click.argument("fields", nargs=-1, metavar="[FIELD…]")
def explain_one(file: Path, service: str, address: str, fields: tuple[str, ...], *, as_json: bool) -> None:
    """Say for every setting what is in force, which layer decided it, and what that layer overruled."""
    with admin_session(file) as desk:
        directory, layers = desk.in_force()
        answer = desk.look(lambda _tx: explain_user(directory, layers, address, service, fields))
    if as_json:
        click.echo(json.dumps(answer.view(), indent=2, ensure_ascii=False))
    else:
        _print_explained(answer)


def _print_explained(answer: ExplainedUser) -> None:
    with_profile = f", profile {answer.profile}" if answer.profile else ""
    click.echo(f"{answer.address}: customer {answer.customer}{with_profile}, through {answer.service}")
    for name in answer.fields:
        item = answer.resolved.explained[name]
        ended = ", which stops inheritance" if item.ended else ""
        click.echo(f"{name} = {spoken_value(item.value) or '(empty)'}   from {_layer(item)}{ended}")
        for cell in item.shadowed:
            where = f"{cell.layer} {cell.owner}".strip()
            click.echo(f"    not {spoken_value(cell.value) or '(empty)'}   from {where} ({cell.origin}): {cell.why}")
    for refused in answer.resolved.refused:
        click.echo(f"refused: {refused.detail}")
    for clamped in answer.clamped:
        click.echo(f"{clamped.field}: {clamped.by}")


def _layer(item: Explained) -> str:
    where = f"{item.layer} {item.owner}".strip()
    return where if item.origin == item.layer else f"{where} ({item.origin})"


@with_settings(
    lambda: SYSTEM_OWNER,
    set_help="Set settings of the system layer, over those of the operator's file.",
    unset_help="Take settings of the system layer away; those of the operator's file stay.",
)
@click.group()
def people() -> None:
    """Handle the address book file, the settings of everybody, and the list of changes."""


@people.command("import")
@config_option
@customer_option
@click.argument("book", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "shape",
    type=click.Choice(["headed", "15-columns"]),
    default="headed",
    show_default=True,
    help="With a header, or the headerless file of 15 columns.",
)
@click.option(
    "--delimiter", type=click.Choice([",", ";", "tab", "|"]), help="Default: as the header shows, or a comma."
)
@click.option("--encoding", default="cp1252", show_default=True, metavar="NAME", help="If the file is not UTF-8.")
@click.option("--end-marker", default="", metavar="TEXT", help="The last line that proves the file whole.")
@click.option("--skip-faulty", is_flag=True, help="Leave rows with faults out and import the others.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def import_book(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    customer: str,
    book: Path,
    shape: str,
    delimiter: str | None,
    encoding: str,
    end_marker: str,
    skip_faulty: bool,
    dry_run: bool,
) -> None:
    """Add and change users as an address book file says; nobody is removed, what it does not name stays.

    A single fault, named with line and column, leaves everything as it is. An empty cell takes away what an earlier
    file said, «<none>» stops inheritance, and the column «pinned» names settings that are pinned, as by «user set».
    """
    declared = FileFormat(
        headed=shape == "headed",
        delimiter="\t" if delimiter == "tab" else delimiter or "",
        fallback=encoding,
        end_marker=end_marker,
    )
    try:
        source = f"{book.name} {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        people_file = read_people_file(book.read_bytes(), declared, source)
    except LookupError:
        raise click.UsageError(f"«{encoding}» is no encoding") from None
    with admin_session(file) as desk:
        plan = desk.look(lambda tx: preview_people(tx, customer, people_file))
        for fault in plan.faults:
            click.echo(f"{book}: {fault}", err=True)
        if people_file.damaged:
            raise click.ClickException("the file is damaged; nothing was changed")
        if dry_run:
            _print_plan(plan)
        if plan.faults and not skip_faulty:
            raise click.ClickException("nothing is imported: mend these rows, or leave them out by --skip-faulty")
        if not dry_run:
            desk.change(import_people(customer, people_file, skip_faulty=skip_faulty))


def _print_plan(plan: ImportPlan) -> None:
    for planned in plan.added:
        click.echo(f"+ {planned.row.address}")
    for planned in plan.changed:
        before = planned.before.cells if planned.before is not None else {}
        told = [f"{name}: {before.get(name, 'unset')} → {text or 'unset'}" for name, text in planned.cells.items()]
        told += [f"{name}: pinned to {text}" for name, text in planned.pinned.items()]
        click.echo(f"~ {planned.row.address}  {'; '.join(told) or 'name, profile or activity'}")
    click.echo(describe_plan(plan, applied=False))


@people.command("export")
@config_option
@customer_option
@click.argument("book", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
def export_book(file: Path, customer: str, book: Path) -> None:
    """Write a customer's users with their own settings as a headed file that «import» reads; «-» prints it."""
    with admin_session(file) as desk:
        exported = desk.look(lambda tx: export_people(tx, customer))
    content = write_people_file(exported).encode()
    if str(book) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        book.write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"{book}: {error.strerror}") from error
    click.echo(f"{book}: {len(exported)} {'user' if len(exported) == 1 else 'users'}.")


@people.command("limit")
@config_option
@limit_options
def limit_all(file: Path, **options: Any) -> None:
    """Change what all customers and their messages may ask for."""
    limits = limits_of(options)
    with admin_session(file) as desk:
        desk.change(limit(SYSTEM_OWNER, limits))


@people.command("show")
@config_option
@json_option
def show_for_all(file: Path, *, as_json: bool) -> None:
    """Show settings and constraints of the system layer that were set by command."""
    with admin_session(file) as desk:
        print_view(desk.look(show_system), as_json=as_json)


@people.command("audit")
@config_option
@json_option
@click.option("--target", default="", metavar="NAME", help="Only changes of this customer, user, …")
@click.option("--limit", "most", default=50, show_default=True, help="At most so many.")
def audit(file: Path, target: str, most: int, *, as_json: bool) -> None:
    """List who changed what, newest first."""
    with admin_session(file) as desk:
        print_table(desk.look(lambda tx: list_audit(tx, target, most)), as_json=as_json)
