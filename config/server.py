"""[server] of the operator's file, which is all of it that a command needs to reach the database."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from config.field_types import (
    Domain,
    FieldType,
    HomeFolder,
    PrivateFile,
    ReadableFile,
    option,
    read_secret,
    whole_number,
)
from config.reader import ConfigIssue, ConfigProblem, read_toml


def _parse_database(value: object) -> str:
    if not isinstance(value, str) or re.fullmatch(r"sqlite:///[^?#\s]+|postgresql://\S+", value) is None:
        raise ValueError
    if re.match(r"postgresql://[^/@]*:[^/@]*@", value):
        raise ValueError
    return value


DatabaseUrl = Annotated[
    str,
    FieldType(
        '"sqlite:///FILE" or "postgresql://USER@HOST/NAME" (the password goes into database_password_file)',
        _parse_database,
        secret=True,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """This gateway: its name, what it keeps, and the domains it takes mail for."""

    hostname: Domain = option("The name in greetings, in Received and in Message-ID.", example="gateway.example.net")
    domains: tuple[Domain, ...] = option(
        "Mail to NUMBER@ one of these domains becomes SMS; mail to any other domain is refused.",
        example=["sms.example.net"],
    )
    node: Annotated[int, whole_number(0, 127)] = option(
        "The number of this process among several with one database; no two have the same.", default=0
    )
    data_dir: HomeFolder = option("Where files of the gateway are kept.", default=Path(), example="/var/lib/mail2sms")
    database: DatabaseUrl = option(
        "SQLite for one process, PostgreSQL for several. A bare file name lies in data_dir, a path is absolute.",
        default="sqlite:///mail2sms.db",
    )
    database_password_file: PrivateFile | None = option(
        "Holds the password of the PostgreSQL user.", default=None, example="database.password"
    )
    issuer_ca_file: ReadableFile | None = option(
        "The authorities of customers' OpenID Connect issuers, PEM, in place of the system's.",
        default=None,
        example="issuers-ca.pem",
    )
    local_http: bool = option(
        "Whether HTTP is served to this machine, at 127.0.0.1:8080, where no [[http]] stands. A port in use is a "
        "warning in the log, and mail goes on.",
        default=True,
    )
    stop_grace: timedelta = option(
        "How long a stop waits, in all, for mails that come in or go out and for answers of carriers.",
        default=timedelta(seconds=20),
    )

    @property
    def sqlite_file(self) -> Path | None:
        """The database file, absolute; None where the database is PostgreSQL."""
        if not self.database.startswith("sqlite:///"):
            return None
        name = self.database.removeprefix("sqlite:///")
        return Path("/", name) if "/" in name else self.data_dir / name

    @property
    def database_url(self) -> str:
        """The URL for the store, without a password; SQLite's path is absolute."""
        file = self.sqlite_file
        return self.database if file is None else f"sqlite://{quote(str(file))}"

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: a password without PostgreSQL, no domain at all."""
        if not self.domains:
            yield ConfigIssue("domains", "expected at least one domain, or no mail can ever be taken")
        if self.database_password_file is not None and self.sqlite_file is not None:
            yield ConfigIssue("database_password_file", "expected only with a postgresql:// database")
        if self.node and self.sqlite_file is not None:
            text = "several nodes need a postgresql:// database; a SQLite file is served by one process"
            yield ConfigIssue("node", text, warning=True)


def database_password(server: ServerOptions) -> str | None:
    """Return the password of the PostgreSQL user, None where no file holds one; OSError where it can't be read."""
    return read_secret(server.database_password_file) if server.database_password_file else None


def load_server(path: Path) -> ServerOptions | None:
    """Return what a file says in [server], None where that part of it is not right; the rest is not read."""
    found = read_toml(path)
    if isinstance(found, ConfigProblem):
        return None
    reader, table = found
    server = table.get("server")
    options = reader.read(ServerOptions, server, ("server",)) if isinstance(server, dict) else None
    return options if all(problem.warning for problem in reader.problems) else None
