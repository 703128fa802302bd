"""What administrative commands share: the database opened in the user's name, answers and views printed.

Not here: any command, the words for answers (words).
"""

import getpass
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from cli.context import opened, read_config
from cli.files import file_faults, read_text, write_private
from cli.printed import join
from gateway.admin.faults import AdminFault
from store.engine.database import Database, Transaction
from store.engine.keys import Keys

if TYPE_CHECKING:
    from addressbook.hierarchy import Layers
    from addressbook.options import Option
    from addressbook.people import Directory, Verifiers
    from addressbook.snapshot import Snapshot
    from config.model import Config
    from countries.judge import Judge
    from gateway.admin.edit import Administration, Change
    from gateway.admin.registration_letters import Registrar

R = TypeVar("R")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
csv_option = click.option("--csv", "as_csv", is_flag=True, help="Print CSV that no spreadsheet calculates with.")
customer_option = click.option("--customer", required=True, metavar="NAME", help="Whose it is.")
one_customer_option = click.option("--customer", default="", metavar="NAME", help="Only this customer's.")
password_option = click.option(
    "--password-file", metavar="FILE", type=click.Path(path_type=Path), help="Holds the password in its first line."
)


random_option = click.option(
    "--random-password-file",
    "random_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a new random password there; the file must not exist.",
)


class AdminSession:
    """One command's way to the use cases."""

    def __init__(self, file: Path, database: Database, keys: Keys) -> None:
        self.database = database
        self.keys = keys
        self.who = _own_name()
        self._file = file

    @cached_property
    def config(self) -> "Config":
        """The operator's file; whatever is wrong with it ends the command."""
        return read_config(self._file)

    @cached_property
    def administration(self) -> "Administration":
        """What carries out changes in the name of the user of this machine."""
        from gateway.admin.edit import Administration

        return Administration(
            self.database, self.keys, self.who, lambda: datetime.now(UTC), self.default_options, judge=self.judge
        )

    @cached_property
    def judge(self) -> "Judge":
        """What knows the rules of countries; it reads the operator's file and the tables when it is first asked."""
        from countries.judge import Judge
        from gateway.admin.countries import judge_by

        return Judge(lambda: judge_by(self.config.rulings).book)

    @property
    def default_options(self) -> "frozenset[Option]":
        """What customers have contracted of whom nothing else is stored."""
        from config.contracts import load_contracts

        return frozenset((load_contracts(self._file) or self.config.contracts).default_options)

    def change(self, *changes: "Change", silent: bool = False) -> None:
        """Carry out all of these changes or none, and print a sentence for each, unless that is done elsewhere."""
        for done in self.administration.change_now(*changes):
            if not silent:
                from cli.words import done_sentence

                click.echo(done_sentence(done))

    def look(self, query: Callable[[Transaction], R]) -> R:
        """Return what a query finds."""
        return self.database.read_now(query)

    def snapshot(self) -> "Snapshot":
        """Return the address book with all layers, those of the operator's file among them."""
        from gateway.directory import DirectoryFollower

        book = DirectoryFollower(
            self.database,
            self.config.settings,
            self.default_options,
            allow_reject=self.config.mail.allow_reject,
            judge=self.judge,
        )
        book.load_now()
        return book.current

    @cached_property
    def registrar(self) -> "Registrar":
        """What registrations of sender IDs depend on."""
        from process.support import registrar_of

        return registrar_of(self.config, self.judge)

    def in_force(self) -> "tuple[Directory, Layers]":
        """Return everybody and all layers of the snapshot."""
        current = self.snapshot()
        return current.directory, current.layers

    def country_of(self, customer: str) -> str:
        """Return the country of a customer's national numbers."""
        from sms.message import Origin

        directory, layers = self.in_force()
        found = directory.customer_named(customer)
        return layers.resolve(found.key if found is not None else 0, Origin.MAIL.value).settings.default_country


@contextmanager
def admin_session(file: Path) -> Iterator[AdminSession]:
    """Open the database for one command in the name of the user of this machine.

    A fault of administration ends the command with its sentence and exit code 1.
    """
    with opened(file) as (database, keys):
        try:
            yield AdminSession(file, database, keys)
        except AdminFault as fault:
            from cli.words import fault_sentence

            raise click.ClickException(fault_sentence(fault)) from None


def _own_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        # A container's user may have no name.
        return "command-line"


def read_password(file: Path) -> str:
    """Return the password that a file's first line holds; a file that cannot be read ends the command."""
    return read_text(file).partition("\n")[0].removesuffix("\r")


@contextmanager
def asked_password(password_file: Path | None, random_file: Path | None) -> Iterator[str | None]:
    """Give the password that the options name; a file made for a random one goes again if the command fails."""
    if password_file is not None and random_file is not None:
        raise click.UsageError("--password-file and --random-password-file exclude each other")
    if random_file is None:
        yield read_password(password_file) if password_file is not None else None
        return
    from gateway.admin.logins import random_password

    password = random_password()
    with file_faults("; nothing was changed"):
        write_private(random_file, f"{password}\n".encode())
    try:
        yield password
    except BaseException:
        random_file.unlink(missing_ok=True)
        raise
    click.echo(f"{random_file}: the new password.")


@contextmanager
def new_password(password_file: Path | None, random_file: Path | None) -> Iterator[str]:
    """Give the password that the options name, of which one is needed."""
    if password_file is None and random_file is None:
        raise click.UsageError("--password-file or --random-password-file is needed")
    with asked_password(password_file, random_file) as password:
        assert password is not None
        yield password


def verifiers_of(password: str) -> "Verifiers":
    """Return what is stored of a password, as the server checks it. Raises AdminFault for one that is too short."""
    from gateway.admin.logins import make_verifier
    from gateway.auth.authenticator import make_verifiers

    return make_verifier(password, make_verifiers)


def print_view(view: Mapping[str, object], *, as_json: bool) -> None:
    """Print one record: a line per fact, settings indented under their layer."""
    if as_json:
        click.echo(json.dumps(view, indent=2, ensure_ascii=False))
        return
    for name, value in view.items():
        if isinstance(value, Mapping):
            click.echo(f"{name}:" + ("" if value else " none"))
            for field, cell in value.items():
                told = f"{cell['value']}   ({cell['origin']})" if isinstance(cell, Mapping) else str(cell)
                click.echo(f"  {field} = {told}")
        else:
            click.echo(f"{name.replace('_', ' ')}: {_shown(value)}")


def print_rows(rows: Sequence[Mapping[str, object]], *, as_json: bool, as_csv: bool) -> None:
    """Print records as they were asked for: as a table, JSON or CSV."""
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if as_csv:
        print_csv(rows)
    else:
        print_table(rows, as_json=as_json)


def print_table(rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    """Print records as lines with aligned columns; nothing for no rows."""
    if as_json:
        click.echo(json.dumps(list(rows), indent=2, ensure_ascii=False))
        return
    if not rows:
        return
    titles = [name.replace("_", " ") for name in rows[0]]
    table = [titles, *([_shown(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[index]) for line in table) for index in range(len(titles))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_csv(rows: Sequence[Mapping[str, object]]) -> None:
    """Print records as CSV with a header; nothing for no rows."""
    from addressbook.exchange import write_csv

    if rows:
        cells = ([_shown(value) if value != "" else "" for value in row.values()] for row in rows)
        click.echo(write_csv(list(rows[0]), cells), nl=False)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return join(value)
    return str(value) if value != "" else "-"
