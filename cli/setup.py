"""`mail2sms check` and `mail2sms init`: is the operator's file right, and a first one that serves at once.

Not here: what the file may say (config.model) and how it is worded (config.example).
"""

import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

import click

from cli.admin_session import admin_session, verifiers_of
from cli.context import config_option, database_of
from cli.country_words import change_sentence, idle_sentence
from cli.files import file_faults, write_private
from cli.words import contradiction_sentences
from config.example import render_config
from config.field_types import HostPort, parse_host_port
from config.model import Config, line_of_table, load_config
from gateway.admin.countries import changes_since_start, find_idle, judge_by
from gateway.admin.customers import add_customer
from gateway.admin.logins import add_login, random_password
from gateway.admin.settings import CustomerScope, set_settings
from gateway.directory import DirectoryFollower
from process.checks import find_doubtful, find_unusable
from process.routes import contradictions_of
from smpp.simulator.sandbox_numbers import SANDBOX_NUMBERS
from sms.setting_texts import is_loopback
from store.directory_lookup import all_customers
from store.engine.database import StorageError
from store.engine.opening import find_server
from store.leases import living_nodes

CONFIG_NAME = "mail2sms.toml"
PASSWORD_NAME = "demo.password"  # noqa: S105 - a file's name
CERTIFICATE_NAME, KEY_NAME = "gateway.pem", "gateway.key"
HOSTNAME = "gateway.example.net"
DOMAIN = "sms.example.net"
_NOT_MIGRATED = (
    "the database has not all tables of this version, so nothing is said of customers: «mail2sms serve» makes them"
    " when it starts"
)
NO_POSTMASTER = (
    "mail to postmaster@ our domains is refused, though RFC 5321 §4.5.1 demands that it is taken: "
    "name who gets it in [mail] postmaster, an address of another domain"
)


@click.command()
@config_option
def check(file: Path) -> None:
    """Tell everything that is wrong with a configuration, each with file, line and what is expected.

    Where there is a database, also what its customers' settings and constraints contradict. It is read, not changed.
    """
    config = load_config(file)
    problems = config.warnings if isinstance(config, Config) else config
    for problem in problems:
        click.echo(problem)
    if not isinstance(config, Config):
        sys.exit(1)
    errors = [*_unusable(config)]
    try:
        contradictions = _contradictions(config)
    except _UnreadableError as error:
        place = "[server] database"
        errors.append(f"{line_of_table(config.file, place)}: {place}: {error}")
    if errors:
        for sentence in errors:
            click.echo(f"{file}:{sentence}")
        sys.exit(1)
    for sentence in find_doubtful(config, is_served=_is_served(config)):
        click.echo(f"{file}: warning: {sentence}")
    if not config.postmaster:
        click.echo(f"{file}: warning: {NO_POSTMASTER}")
    stricter = [change for change in changes_since_start(config.server.data_dir) if change.is_stricter]
    for sentence in (*contradictions, *map(change_sentence, stricter)):
        click.echo(f"{file}: warning: {sentence}")
    click.echo(f"{file}: ok")


def _unusable(config: Config) -> Iterator[str]:
    """Yield what would keep `serve` from starting, each with its line in the file."""
    for where, said in find_unusable(config, is_served=_is_served(config)):
        line = line_of_table(config.file, where)
        yield f"{line}: {said if said.startswith(where) else f'{where}: {said}'}"


def _is_served(config: Config) -> bool:
    """Return whether this gateway runs, so that its ports are taken by itself."""
    if config.server.sqlite_file is not None:
        return config.server.sqlite_file.exists() and find_server(config.server.sqlite_file) is not None
    try:
        with closing(database_of(config.server)) as database:
            return config.server.node in database.read_now(living_nodes)
    except Exception:  # noqa: BLE001 - what is wrong with the database is told by itself
        return False


class _UnreadableError(Exception):
    """The database can't be read, in words."""


def _contradictions(config: Config) -> list[str]:
    """Return what the stored settings contradict, and what waits in vain; nothing where there is no database yet.

    Raises _UnreadableError for a database that serving could not read.
    """
    if config.server.sqlite_file is not None and not config.server.sqlite_file.exists():
        return []
    try:
        database = database_of(config.server)
    except (OSError, ValueError) as error:
        raise _UnreadableError(str(error)) from error
    options, reject = frozenset(config.contracts.default_options), config.mail.allow_reject
    judge = judge_by(config.rulings)
    book = DirectoryFollower(database, config.settings, options, allow_reject=reject, judge=judge)
    try:
        if database.pending():
            return [_NOT_MIGRATED]
        book.load_now()
        customers = {customer.name for customer in database.read_now(all_customers)}
    except StorageError as error:
        raise _UnreadableError(str(error)) from error
    except Exception as error:  # whatever keeps it from being read is what to tell
        raise _UnreadableError(f"the database cannot be read: {' '.join(str(error).split())}") from error
    finally:
        database.close()
    delivered = [network for carrier in config.carriers for network in carrier.networks]
    idle = (idle_sentence(*found) for found in find_idle(config.rulings, delivered, customers))
    return [*contradiction_sentences(contradictions_of(config.carriers, book)), *idle]


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--listen", default="127.0.0.1:2525", metavar="HOST:PORT", show_default=True, help="Where mail is taken.")
@click.option(
    "--data-dir",
    metavar="FOLDER",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    help="Where the database and the mailbox are kept; default: DIR.",
)
def init(folder: Path, listen: str, data_dir: Path | None) -> None:
    """Write a first configuration that serves at once: loopback, SQLite, the sandbox carrier, a customer demo.

    With an address that others reach, such as --listen 0.0.0.0:2525, a certificate is made and logins need TLS.
    """
    file = folder / CONFIG_NAME
    address = _address_of(listen)
    config = write_configuration(folder, listen, data_dir)
    click.echo(f"{file}: written; «mail2sms serve --config {file}» serves it.")
    click.echo(f"{folder / PASSWORD_NAME}: the password of the login «demo».")
    click.echo(f"{config.mail.sandbox}: status mails arrive here as .eml files; nothing leaves this machine.")
    if not is_loopback(address.host):
        click.echo(
            f"{folder / CERTIFICATE_NAME}: a certificate that nobody has signed, so that logins never cross the "
            "network in clear; tell your clients to take it, or put one that they know in its place."
        )
    click.echo("Try a mail, in a second window:")
    click.echo(f"  {_try_command(folder, address)}")
    click.echo("Other numbers show what can become of an SMS:")
    for one in SANDBOX_NUMBERS:
        click.echo(f"  {one.number}  {one.shows}")


def _try_command(folder: Path, address: HostPort) -> str:
    """Return a command that sends a first mail, to be copied; on another machine it needs this one's name."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    server = HostPort(everywhere.get(address.host, address.host), address.port)
    tls = "" if is_loopback(address.host) else "--tls "
    password = shlex.quote(str(folder / PASSWORD_NAME))
    return (
        f'swaks --server {server} {tls}--auth-user demo --auth-password "$(cat {password})" '
        f"--from somebody@example.com --to 00447700900123@{DOMAIN} --body 'Hello from the first SMS'"
    )


def _address_of(listen: str) -> HostPort:
    """Return where mail is taken; ends the command, before anything is written, for what is no address."""
    try:
        return parse_host_port(listen)
    except ValueError:
        raise click.BadParameter(f"expected HOST:PORT, got {listen!r}", param_hint="--listen") from None


def write_configuration(folder: Path, listen: str, data_dir: Path | None = None, **tables: object) -> Config:
    """Write the first configuration with its password and its customer, and return it.

    Without `data_dir` everything is in the folder. `tables` replace tables of the file. Ends the command where there is
    a configuration already.
    """
    if (folder / CONFIG_NAME).exists() or (folder / PASSWORD_NAME).exists():
        raise click.ClickException(f"{folder} already holds a configuration; nothing was changed")
    password = random_password()
    places = dict.fromkeys((folder, data_dir or folder))
    made = [at for place in places for at in (place, *place.parents) if not at.exists()]
    written: list[Path] = []
    try:
        with file_faults("; nothing was overwritten"):
            for place in places:
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, content in _first_files(password, {**first_values(listen, data_dir), **tables}, listen).items():
                write_private(folder / name, content)
                written.append(folder / name)
        config = load_config(folder / CONFIG_NAME)
        if not isinstance(config, Config):
            raise click.ClickException("\n".join(map(str, config)))  # noqa: TRY301 - what was made goes again
    except click.ClickException:
        for file in written:
            file.unlink()
        for at in made:
            with suppress(OSError):
                at.rmdir()
        raise
    create_demo_customer(folder / CONFIG_NAME, password)
    return config


def _first_files(password: str, tables: Mapping[str, object], listen: str) -> dict[str, bytes]:
    """Return what is written, by name: on a network logins need TLS, and so a certificate."""
    files = {PASSWORD_NAME: f"{password}\n".encode()}
    if not is_loopback(parse_host_port(listen).host):
        from tls.selfsigned import make_self_signed

        made = make_self_signed(HOSTNAME)
        files |= {CERTIFICATE_NAME: made.certificate, KEY_NAME: made.key}
    return {**files, CONFIG_NAME: render_config(dict(tables)).encode()}


def first_values(listen: str, data_dir: Path | None = None) -> dict[str, object]:
    """Return what the first configuration says, as the file's tables."""
    listener: dict[str, object] = {"name": "loopback", "address": listen, "tls": "off", "auth": "offer"}
    if is_loopback(parse_host_port(listen).host):
        listener["auth_in_clear"] = True
    else:
        listener |= {"name": "network", "tls": "offer", "certificate_file": CERTIFICATE_NAME, "key_file": KEY_NAME}
    return {
        "server": {
            "hostname": HOSTNAME,
            "domains": [DOMAIN],
            "data_dir": str(data_dir or "."),
            "database": "sqlite:///mail2sms.db",
        },
        "listener": [listener],
        "carrier": [{"name": "sandbox", "kind": "sandbox", "sandbox": {"receipt_delay": "1s"}}],
        "mail": {
            "sandbox": str(data_dir / "mailbox") if data_dir is not None else "mailbox",
            "postmaster": "postmaster@example.net",
        },
        "log": {"format": "console"},
    }


def create_demo_customer(file: Path, password: str) -> None:
    """Make the customer `demo` with a login of that name; it owns no domain, so any sender is taken from it."""
    with admin_session(file) as session:
        made = verifiers_of(password)
        session.change(
            lambda edit: add_customer(edit, "demo"),
            lambda edit: set_settings(edit, CustomerScope("demo"), {"delivery_receipt": "on"}),
            lambda edit: add_login(edit, "demo", made.password, customer="demo", scram=made.scram),
            silent=True,
        )
