"""A whole installation for end-to-end tests: the gateway in its own process, a carrier and a mailbox in the test's."""

import asyncio
import atexit
import re
import shutil
import signal
import smtplib
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing, contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from click.testing import CliRunner

from cli.__main__ import main
from cli.setup import CONFIG_NAME, PASSWORD_NAME, first_values, write_configuration
from config.example import render_config
from mta.sandbox import Sandbox
from process.clock import SystemClock
from smpp.simulator.script import Script
from smpp.simulator.simulator import Simulator
from store.engine.database import connect, migrate
from tests.benchmarks.processes import cpu_of_tree, memory_of_tree
from tests.kit.databases import SQLITE_IN_ITS_FOLDER, SQLITE_NAME, fill
from tests.kit.forked_program import ForkedProgram
from tests.kit.in_process import undo_a_command
from tests.kit.passwords import cheap_hasher
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port
from tests.kit.readers import StoreReaders

ROOT = Path(__file__).parents[2]
DOMAIN = "sms.example.net"
SENDER = "anna@example.com"


class Installation(StoreReaders):
    """One installation; `carrier` and `box` run in the test, the gateway may be killed at any time.

    `database` is the value in the operator's file. `doors` are further listeners by name; each gets its own port, in
    `ports`. `tables` replace the file's.
    """

    def __init__(
        self,
        folder: Path,
        database: str = SQLITE_IN_ITS_FOLDER,
        *,
        doors: Mapping[str, Mapping[str, object]] | None = None,
        **tables,
    ) -> None:
        self.folder = folder
        self.database = database
        self.doors = doors or {}
        self.ports: dict[str, int] = {}
        self.file = folder / "mail2sms.toml"
        self.box = Sandbox(hostname="mailbox.example.net")
        self._carrier: Simulator | None = None
        self.port = 0
        self.boxed = False
        self.more_carriers: list[dict] = []
        self.tables = tables
        self._process: ForkedProgram | None = None
        self._log: list[str] = []
        self._reading: asyncio.Task | None = None
        self._beside: psycopg.Connection | None = None

    async def open(self, script: Script | None = None, **carrier_options) -> "Installation":
        """Start mailbox and carrier, write the configuration with the customer `demo`.

        `hosts` of a carrier stand in the place of its host.
        """
        self.box.start()
        self.boxed = True
        self._carrier = Simulator(accounts={"gateway": "secret"}, clock=SystemClock(), script=script or Script())
        await self._carrier.start()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "carrier.password").write_text("secret\n")
        (self.folder / "carrier.password").chmod(0o600)
        carrier = {
            "name": "alpha",
            "kind": "smpp",
            "host": "127.0.0.1",
            "port": self.carrier.port,
            "system_id": "gateway",
            "password_file": "carrier.password",
            "reconnect_min": "100ms",
            "reconnect_max": "200ms",
            **carrier_options,
        }
        carriers = [carrier, *({**carrier, **more} for more in self.more_carriers)]
        for each in carriers:
            if "hosts" in each:
                del each["host"]
        tables = {
            "carrier": carriers,
            "mail": {"route": [{"domain": "*", "host": self.box.host, "port": self.box.port, "tls": "encrypt"}]},
            **self.tables,
        }
        self.port = free_port()
        listen = f"127.0.0.1:{self.port}"
        if self.doors:
            self.ports = {name: free_port() for name in self.doors}
            first: Any = first_values(listen)["listener"]
            further = [
                {"name": name, "address": f"127.0.0.1:{self.ports[name]}", **door} for name, door in self.doors.items()
            ]
            tables["listener"] = [*first, *further]
        write_first(self.folder, self.database, listen, **tables)
        return self

    @property
    def carrier(self) -> Simulator:
        """The message centre."""
        assert self._carrier is not None
        return self._carrier

    async def start(self, *, killed_at: str = "", only: str = "") -> None:
        """Start the gateway and return when it takes mail; RuntimeError with its last output if it ends instead.

        `only` is what it shall do, such as http, and then it returns when it does that. It is killed when it calls the
        function `killed_at` (tests.kit.killed_at).
        """
        program = ("tests.kit.killed_at", killed_at) if killed_at else ("cli",)
        self._process = ForkedProgram(
            *program, "serve", "--config", str(self.file), *(["--only", only] if only else [])
        )
        ready = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(
            self._read_log(self._process, ready, f"event={only}_listening" if only else "event=listening")
        )
        try:
            await asyncio.wait_for(ready, PATIENCE)
        except RuntimeError:
            await self._ended()  # or the loop may close before it sees the end of the process, and warn much later
            raise

    async def _read_log(self, process, ready, begun) -> None:
        async for line in process.lines():
            self._log.append(line)
            if begun in line and not ready.done():
                ready.set_result(None)
        if not ready.done():
            ready.set_exception(RuntimeError("the gateway ended:\n" + "".join(self._log[-20:])))

    @property
    def log(self) -> list[str]:
        """The gateway's log lines so far, over all its starts."""
        return self._log

    async def kill(self) -> None:
        """Kill the gateway's processes at once."""
        self._running.send_signal(signal.SIGKILL)
        await self._ended()

    async def until_killed(self) -> None:
        """Wait until the gateway was killed by itself."""
        assert await self._ended() == -signal.SIGKILL

    def send_signal(self, number: int) -> None:
        """Send the gateway a signal."""
        self._running.send_signal(number)

    async def stop(self) -> int:
        """Ask the gateway to stop, and return its exit code."""
        self._running.send_signal(signal.SIGTERM)
        return await self._ended()

    def cpu(self) -> float:
        """Return the CPU seconds of the gateway and its child processes."""
        return cpu_of_tree(self._running.pid)

    def memory(self, *, peak: bool = False) -> int:
        """Return the octets that the gateway and its child processes have in memory, or the sum of their peaks."""
        return memory_of_tree(self._running.pid, peak=peak)

    @property
    def _running(self) -> ForkedProgram:
        assert self._process is not None
        return self._process

    async def _ended(self) -> int:
        code = await asyncio.wait_for(self._running.wait(), PATIENCE)
        assert self._reading is not None
        await self._reading
        self._process = None
        return code

    async def close(self) -> None:
        """Stop everything that still runs."""
        if self._process is not None:
            await self.kill()
        if self._carrier is not None:
            await self._carrier.stop()
        if self.boxed:
            self.box.stop()
        if self._beside is not None:
            self._beside.close()

    @property
    def password(self) -> str:
        """The password of the login demo."""
        return (self.folder / PASSWORD_NAME).read_text().strip()

    @contextmanager
    def client(self):
        """A logged-in smtplib client."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE) as client:
            client.login("demo", self.password)
            yield client

    async def send(self, text: str, *, to=("+447700900123",), sender: str = SENDER, **fields) -> str:
        """Send a plain mail as the login demo and return its job's id."""

        def deliver():
            with self.client() as client:
                client.mail(sender)
                for address in addresses(*to):
                    client.rcpt(address)
                return client.data(mail(text, to=to, sender=sender, **fields))

        code, answer = await asyncio.to_thread(deliver)
        found = re.fullmatch(r"2\.0\.0 (J\.\S+) kept", answer.decode())
        assert code == 250, answer
        assert found is not None, answer
        return found[1]

    async def command(self, *arguments: str, code: int = 0) -> str:
        """Run a command of mail2sms on this installation beside the gateway, and return its output."""
        *names, last = arguments
        given = [*names, last, "--config", str(self.file)]
        result = await asyncio.to_thread(CliRunner().invoke, main, given)
        undo_a_command()
        assert result.exit_code == code, result.output + str(result.exception or "")
        return result.stdout if code == 0 else result.output

    async def add_login(self, login: str = "shop", customer: str = "demo") -> tuple[str, str]:
        """Make an application with a login that is quick to prove, and return login and password."""
        secret = self.folder / f"{login}.password"
        secret.write_text("secret08\n")
        secret.chmod(0o600)
        await self.command("login", "add", login, "--customer", customer, "--password-file", str(secret))
        verifier = cheap_hasher().hash("secret08")
        self.execute("UPDATE credential SET verifier = ? WHERE login = ?", verifier, login)
        return login, "secret08"

    async def told(self, count: int = 1, seconds: float = PATIENCE) -> str:
        """Return the text of the newest status mail once there are `count`."""
        *_, newest = await self.box.wait_for_mails(count, seconds)
        body = newest.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content())

    def state(self, job: str) -> dict[str, str]:
        """Return the state of each of a job's messages, by number."""
        return {message.number: message.state for message in self.messages(job)}

    def rows(self, query: str, *values):
        """Run a query on the database, beside the gateway; `?` stands for a value."""
        if self._on_postgresql:
            return self._ask_postgresql(query, values).fetchall()
        with closing(self._open_sqlite("ro")) as connection:
            return connection.execute(query, values).fetchall()

    def execute(self, statement: str, *values) -> None:
        """Change the database behind the gateway's back; `?` stands for a value."""
        if self._on_postgresql:
            self._ask_postgresql(statement, values)
            return
        with closing(self._open_sqlite("rw")) as connection, connection:
            connection.execute(statement, values)

    @property
    def _on_postgresql(self) -> bool:
        return self.database.startswith("postgresql:")

    def _ask_postgresql(self, words: str, values) -> psycopg.Cursor:
        if self._beside is None or self._beside.closed:
            self._beside = psycopg.connect(self.database, autocommit=True)
        dialect: Any = words.replace("%", "%%").replace("?", "%s")
        return self._beside.execute(dialect, values)

    def _open_sqlite(self, mode: str) -> sqlite3.Connection:
        """Open the file for one statement: a permanent reader would stop the gateway from clearing its log."""
        return sqlite3.connect(f"file:{self._sqlite_file}?mode={mode}", uri=True, timeout=PATIENCE)

    @property
    def _sqlite_file(self) -> Path:
        return self.folder / self.database.removeprefix("sqlite:///")

    async def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait for a condition that another process fulfils."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)

    async def until_answered(self, number: str, code: int) -> str:
        """Offer a number until it is answered with this code, which another process's change brings about in a second.

        A client that proves nothing may connect 300 times a minute.
        """

        def offer() -> Any:
            with self.client() as client:
                client.mail(SENDER)
                return client.rcpt(f"{number}@{DOMAIN}")

        async with asyncio.timeout(PATIENCE):
            while (answer := await asyncio.to_thread(offer))[0] != code:
                await asyncio.sleep(0.25)
        return str(answer[1].decode())

    async def until_all_told(self, seconds: float = PATIENCE) -> None:
        """Wait until no message and no status mail is pending."""
        await self.until(lambda: self.unfinished() == 0, seconds)


def write_first(folder: Path, database: str, listen: str = "127.0.0.1:2525", **tables: Any) -> None:
    """Write what `init` writes, with other tables in the operator's file and a password that is quick to prove."""
    made = _first_installation()
    first: Any = {**first_values(listen), **tables}
    server = {"database": database, "local_http": False, **tables.get("server", {})}
    first["server"] = {**first_values(listen)["server"], **server}  # type: ignore[dict-item]
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(made / PASSWORD_NAME, folder)
    file = folder / CONFIG_NAME
    file.touch(0o600)
    file.write_text(render_config(first), "utf-8")
    if database.startswith("postgresql:"):
        migrate(connect(database))
        fill(database, made / SQLITE_NAME)
    else:
        shutil.copy(made / SQLITE_NAME, folder / database.removeprefix("sqlite:///"))


@cache
def _first_installation() -> Path:
    """Return a folder as `init` writes it, made once in each test process; to prove its login costs next to nothing."""
    home = tempfile.mkdtemp(prefix="mail2sms-first-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    folder = Path(home) / "first"
    write_configuration(folder, "127.0.0.1:2525")
    verifier = cheap_hasher().hash((folder / PASSWORD_NAME).read_text().strip())
    with closing(sqlite3.connect(folder / SQLITE_NAME)) as connection, connection:
        connection.execute("UPDATE credential SET verifier = ?", (verifier,))
    return folder


def mail(text: str, *, to=("+447700900123",), message_id: str = "", sender: str = SENDER, subject: str = "") -> bytes:
    """Return a plain mail."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(f"{number}@{DOMAIN}" for number in to)
    message["Subject"] = subject
    if message_id:
        message["Message-ID"] = message_id
    message.set_content(text)
    return message.as_bytes(policy=SMTP)


def addresses(*numbers: str) -> list[str]:
    """Return the mail addresses of numbers."""
    return [f"{number}@{DOMAIN}" for number in numbers]


__all__ = ["DOMAIN", "ROOT", "SENDER", "Installation", "addresses", "mail", "write_first"]
