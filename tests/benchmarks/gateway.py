"""The gateway as its own process for a benchmark: real configuration, real disk, clients proven by their address."""

import io
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from addressbook.api_keys import Scope, digest_of
from cli.admin_session import admin_session
from cli.setup import CONFIG_NAME, DOMAIN, first_values, write_configuration
from config.example import render_config
from gateway.admin.logins import add_key, add_login
from gateway.admin.ranges import add_range
from gateway.admin.settings import CustomerScope, set_settings
from gateway.admin.users import add_application
from gateway.auth.authenticator import hash_password
from mta.sending.sign import KeyKind, new_key
from tests.benchmarks.processes import Running, python, running
from tests.kit.ports import free_port

RECIPIENT = f"+447700900123@{DOMAIN}"
SENDER = "anna@example.com"


class Gateway:
    """A running gateway with the customer `demo`, whose clients need no login."""

    def __init__(self, folder: Path, port: int, process: Running) -> None:
        self.folder = folder
        self.port = port
        self.process = process

    def log(self) -> str:
        """Return what it has logged."""
        return (self.folder / "gateway.log").read_text(errors="replace")

    def count(self, query: str) -> int:
        """Return one number from the database (SQLite only); counted there, since the gateway is measured meanwhile."""
        with sqlite3.connect(f"file:{self.folder / 'mail2sms.db'}?mode=ro", uri=True, timeout=10) as connection:
            return int(connection.execute(query).fetchone()[0])

    def open_messages(self) -> int:
        return self.count("SELECT count(*) FROM message WHERE NOT ended AND state IN ('queued', 'submitting')")

    def untold(self) -> int:
        return self.count(
            "SELECT (SELECT count(*) FROM message WHERE NOT ended)"
            " + (SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending'))"
        )

    def until_sent(self, seconds: float = 60) -> None:
        """Wait until nothing is left to be submitted."""
        end = time.monotonic() + seconds
        while self.open_messages():
            if time.monotonic() > end:
                raise RuntimeError(f"{self.open_messages()} messages were not sent in {seconds} s")
            time.sleep(0.02)

    def until_told(self, seconds: float = 60) -> None:
        """Wait until every message is final and every status mail is out."""
        end = time.monotonic() + seconds
        while self.untold():
            if time.monotonic() > end:
                raise RuntimeError(f"{self.untold()} messages and status mails were left after {seconds} s")
            time.sleep(0.02)


@contextmanager
def gateway(
    folder: Path,
    *,
    carrier_port: int = 0,
    mail_port: int = 0,
    settings: Mapping[str, str] | None = None,
    window: int = 100,
    dkim: bool = False,
    database: str = "sqlite:///mail2sms.db",
    node: int = 0,
    customer: bool = True,
    clients: str = "127.0.0.0/8",
    listener: Mapping[str, object] | None = None,
    tables: Mapping[str, object] | None = None,
) -> Iterator[Gateway]:
    """Run a gateway in a folder. Without a carrier's port its link stays down; mail goes to `mail_port`, unencrypted.

    `customer` is False for a further node of a database that has the customer already. `clients` is the range whose
    clients are proven, `listener` has further options of the door, `tables` are further ones of the operator's file.
    """
    port = set_up(
        folder,
        carrier_port=carrier_port,
        mail_port=mail_port,
        settings=settings,
        window=window,
        dkim=dkim,
        database=database,
        node=node,
        customer=customer,
        clients=clients,
        listener=listener,
        tables=tables,
    )
    log = folder / "gateway.log"
    logged = log.stat().st_size if log.exists() else 0  # by one that ran before in this folder
    with running(python("cli", "serve", "--config", str(folder / CONFIG_NAME)), log=log) as process:
        process.until(lambda: b"event=listening" in log.read_bytes()[logged:], seconds=90)
        yield Gateway(folder, port, process)


def add_application_login(ours: Gateway, key: str = "") -> None:
    """Give an application of the customer the login `gateway` with the password `secret`, and an API key if one is given."""
    with redirect_stdout(io.StringIO()), admin_session(ours.folder / CONFIG_NAME) as session:
        session.change(
            lambda edit: add_application(edit, "demo", "gateway"),
            lambda edit: add_login(edit, "gateway", hash_password("secret"), customer="demo", user="gateway"),
        )
        if key:
            scopes = {Scope.SEND}
            session.change(lambda edit: add_key(edit, "gateway-key", digest_of(key), login="gateway", scopes=scopes))


def set_up(
    folder: Path,
    *,
    carrier_port: int = 0,
    mail_port: int = 0,
    settings: Mapping[str, str] | None = None,
    window: int = 100,
    dkim: bool = False,
    database: str = "sqlite:///mail2sms.db",
    node: int = 0,
    customer: bool = True,
    clients: str = "127.0.0.0/8",
    listener: Mapping[str, object] | None = None,
    tables: Mapping[str, object] | None = None,
) -> int:
    """Write what `gateway` runs, with what its commands tell people kept quiet; returns the port of its listener."""
    with redirect_stdout(io.StringIO()):
        return _set_up(
            folder, carrier_port, mail_port, settings or {}, window, database, node, dkim=dkim, customer=customer,
            clients=clients, listener=listener or {}, further=tables or {},
        )  # fmt: skip


def _set_up(  # noqa: PLR0917 - one private step of `set_up`
    folder: Path,
    carrier_port: int,
    mail_port: int,
    settings: Mapping[str, str],
    window: int,
    database: str,
    node: int,
    *,
    dkim: bool,
    customer: bool,
    clients: str,
    listener: Mapping[str, object],
    further: Mapping[str, object],
) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    password = folder / "carrier.password"
    password.write_text("secret\n")
    password.chmod(0o600)
    mail: dict[str, object] = {
        "route": [{"domain": "*", "host": "127.0.0.1", "port": mail_port or free_port(), "tls": "none"}]
    }
    if dkim:
        key = folder / "dkim.pem"
        key.write_bytes(new_key("example.net", "bench", KeyKind.RSA).private_pem)
        key.chmod(0o600)
        mail |= {
            "from_address": "status@example.net",
            "dkim": [{"domain": "example.net", "selector": "bench", "key_file": str(key)}],
        }
    port = free_port()
    tables: dict[str, object] = {
        "server": {
            "hostname": "gateway.example.net",
            "domains": [DOMAIN],
            "data_dir": ".",
            "database": database,
            "node": node,
        },
        "carrier": [
            {
                "name": "alpha",
                "kind": "smpp",
                "host": "127.0.0.1",
                "port": carrier_port or free_port(),
                "system_id": "gateway",
                "password_file": "carrier.password",
                "window": window,
                "reconnect_min": "100ms",
                "reconnect_max": "200ms" if carrier_port else "1m",
            }
        ],
        "mail": mail,
        **further,
    }
    if listener:
        tables["listener"] = [{**door, **listener} for door in first_values(f"127.0.0.1:{port}")["listener"]]  # type: ignore[attr-defined]
    file = folder / CONFIG_NAME
    if not customer:
        file.write_text(render_config({**first_values(f"127.0.0.1:{port}"), **tables}))
        return port
    write_configuration(folder, f"127.0.0.1:{port}", **tables)  # type: ignore[arg-type]  # a dict of tables by name
    with admin_session(file) as session:
        settings = {"status_report": "never", "delivery_receipt": "off", **settings}
        session.change(
            lambda edit: add_range(edit, "demo", clients),
            lambda edit: set_settings(edit, CustomerScope("demo"), settings),
        )
    return port
