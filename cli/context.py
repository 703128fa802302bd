"""How every command gets at the operator's file and the database."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import randrange
from time import time

import click

from config.model import Config, database_password, load_config
from store.engine.database import Database, StorageError
from store.engine.keys import Keys

config_option = click.option(
    "--config", "file", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The operator's file."
)


def read_config(file: Path) -> Config:
    """Return the operator's file; prints everything that is wrong with it and ends the program where it is."""
    config = load_config(file)
    if isinstance(config, Config):
        return config
    for problem in config:
        click.echo(problem, err=True)
    sys.exit(1)


def database_of(config: Config) -> Database:
    """Return the database that the operator's file names, not yet open."""
    return Database(config.server.database_url, password=database_password(config.server) or "")


@contextmanager
def opened(file: Path | str) -> Iterator[tuple[Config, Database, Keys]]:
    """Open the database for one command. Its keys are of a node number that no gateway uses (128 to 255)."""
    config = read_config(Path(file))
    database = database_of(config)
    try:
        database.open()
    except StorageError as error:
        raise click.ClickException(str(error)) from error
    try:
        yield config, database, Keys(randrange(128, 256), time)  # noqa: S311 - to be apart, not to be secret
    finally:
        database.close()
