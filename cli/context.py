"""How every command gets at the operator's file and the database."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import randrange
from time import time
from typing import TYPE_CHECKING

import click

from config.default_file import FILE_NAME, SYSTEM_FILE, DefaultFile, find_default
from config.server import ServerOptions, database_password, load_server
from store.engine.database import Database, StorageError
from store.engine.keys import Keys
from store.engine.opening import find_server
from store.leases import living_nodes

if TYPE_CHECKING:
    from config.model import Config

CONFIG_VARIABLE = "MAIL2SMS_CONFIG"
_FOUND = "mail2sms.configuration"


def _find_config(context: click.Context, _: click.Parameter, given: Path | None) -> Path | None:
    return given if given is not None or context.resilient_parsing else used_config()


config_option = click.option(
    "--config",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    callback=_find_config,
    help="The operator's file, where it is not the default one.",
)


def default_config() -> DefaultFile:
    """Return the operator's file where none is named: that of the environment, else the one that is found."""
    named = os.environ.get(CONFIG_VARIABLE, "")
    return DefaultFile(file=Path(named)) if named else find_default(Path())


def used_config() -> Path:
    """Return the operator's file where none is named, and have faults name it; ends the command where there is none."""
    found = default_config()
    skipped = f"./{FILE_NAME} is not used: {found.skipped}" if found.skipped else ""
    if found.file is None:
        raise click.UsageError(
            f"no configuration: give --config FILE, set {CONFIG_VARIABLE}, or write {SYSTEM_FILE}"
            + (f"\n{skipped}" if skipped else "")
        )
    if skipped:
        click.echo(f"{skipped}; {found.file} is", err=True)
    click.get_current_context().meta[_FOUND] = (
        f"{found.file} ({CONFIG_VARIABLE})" if os.environ.get(CONFIG_VARIABLE) else str(found.file)
    )
    return found.file


def name_found_config(error: click.ClickException, context: click.Context) -> None:
    """Add to a fault which file was used, where the command did not name it."""
    file = context.meta.get(_FOUND)
    if file is not None and file not in error.message:
        error.message += f"\nConfiguration: {file}"  # type: ignore[misc]  # click shows what it says in many ways


def read_config(file: Path) -> "Config":
    """Return the operator's file; prints everything that is wrong with it and ends the program where it is."""
    from config.model import Config, load_config

    config = load_config(file)
    if isinstance(config, Config):
        return config
    for problem in config:
        click.echo(problem, err=True)
    sys.exit(1)


def read_server(file: Path) -> ServerOptions:
    """Return [server] of the operator's file, with which a command reaches the database whatever else is wrong.

    Prints everything that is wrong with the file and ends the program where this part of it is.
    """
    return load_server(file) or read_config(file).server


def database_of(server: ServerOptions) -> Database:
    """Return the database that the operator's file names, not yet open."""
    return Database(server.database_url, password=database_password(server) or "")


@contextmanager
def opened(file: Path) -> Iterator[tuple[Database, Keys]]:
    """Open the database for one command. Its keys are of a node number that no gateway uses (128 to 255)."""
    database = database_of(read_server(file))
    try:
        database.open()
    except StorageError as error:
        raise click.ClickException(str(error)) from error
    try:
        yield database, Keys(randrange(128, 256), time)  # noqa: S311 - to be apart, not to be secret
    finally:
        database.close()


def who_serves(server: ServerOptions, database: Database) -> str | None:
    """Return which processes serve, None where none does."""
    kept = server.sqlite_file
    if kept is not None:
        return find_server(kept)
    return ", ".join(f"node {node}" for node in database.read_now(living_nodes)) or None
