"""What administrative commands share: the database opened in the user's name, answers and views printed.

Not here: any command, the words for answers (words).
"""

import getpass
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from addressbook.exchange import write_csv
from addressbook.hierarchy import Layers
from addressbook.options import Option
from addressbook.people import Directory
from cli.context import opened
from cli.files import read_text
from cli.words import done_sentence, fault_sentence, join
from config.model import Config
from gateway.admin.edit import Administration, Change
from gateway.admin.faults import AdminFault
from gateway.admin.logins import make_verifier
from gateway.directory import DirectoryFollower
from sms.message import Origin
from store.engine.database import Database, Transaction
from store.engine.keys import Keys

R = TypeVar("R")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
csv_option = click.option("--csv", "as_csv", is_flag=True, help="Print CSV that no spreadsheet calculates with.")
customer_option = click.option("--customer", required=True, metavar="NAME", help="Whose it is.")
one_customer_option = click.option("--customer", default="", metavar="NAME", help="Only this customer's.")
password_option = click.option(
    "--password-file", metavar="FILE", type=click.Path(path_type=Path), help="Holds the password in its first line."
)


class AdminSession:
    """One command's way to the use cases."""

    def __init__(self, database: Database, administration: Administration, config: Config, keys: Keys) -> None:
        self.database = database
        self.config = config
        self.keys = keys
        self._administration = administration

    @property
    def who(self) -> str:
        """In whose name it is."""
        return self._administration.who

    @property
    def default_options(self) -> frozenset[Option]:
        """What customers have contracted of whom nothing else is stored."""
        return frozenset(self.config.contracts.default_options)

    def change(self, *changes: Change, silent: bool = False) -> None:
        """Carry out all of these changes or none, and print a sentence for each, unless that is done elsewhere."""
        for done in self._administration.change_now(*changes):
            if not silent:
                click.echo(done_sentence(done))

    def look(self, query: Callable[[Transaction], R]) -> R:
        """Return what a query finds."""
        return self.database.read_now(query)

    def in_force(self) -> tuple[Directory, Layers]:
        """Return everybody and all layers, those of the operator's file among them."""
        book = DirectoryFollower(self.database, self.config.settings, frozenset(self.config.contracts.default_options))
        book.load_now()
        return book.current.directory, book.current.layers

    def country_of(self, customer: str) -> str:
        """Return the country of a customer's national numbers."""
        directory, layers = self.in_force()
        found = directory.customer_named(customer)
        return layers.resolve(found.id if found is not None else 0, Origin.MAIL.value).settings.default_country


@contextmanager
def admin_session(file: Path | str) -> Iterator[AdminSession]:
    """Open the database for one command in the name of the user of this machine.

    A fault of administration ends the command with its sentence and exit code 1.
    """
    with opened(file) as (config, database, keys):
        who, options = _own_name(), frozenset(config.contracts.default_options)
        administration = Administration(database, keys, who, lambda: datetime.now(UTC), options)
        try:
            yield AdminSession(database, administration, config, keys)
        except AdminFault as fault:
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


def verifier_of(password: str) -> str:
    """Return what is stored of a password, as the server checks it. Raises AdminFault for one that is too short."""
    from gateway.auth.authenticator import hash_password  # noqa: PLC0415 - half a second, for few commands

    return make_verifier(password, hash_password)


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
    if rows:
        cells = ([_shown(value) if value != "" else "" for value in row.values()] for row in rows)
        click.echo(write_csv(list(rows[0]), cells), nl=False)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return join(value)
    return str(value) if value != "" else "-"
