"""What tests from intake to job share: a configuration with some customers, and the core that judges and accepts.

`demo` owns no domain and has a login. `acme` owns acme.example.com and 192.0.2.0/24, with the profile `ops` by default
and the users anna (its own settings) and zoe (switched off). `rival` owns rival.example.com; `gone` is switched off.
"""

import asyncio
import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from click.testing import CliRunner

from addressbook.senders import Principal
from cli.__main__ import main
from cli.context import database_of
from cli.setup import CONFIG_NAME, write_configuration
from config.model import Config, load_config
from gateway.accept import Acceptance
from gateway.alerts import Alert
from gateway.applications import Applications
from gateway.limits import DiskReserve, Rate
from gateway.ports import Clock
from mta.envelope import EnvelopeRecipient, ReceivedEnvelope
from process.accept_path import AcceptPath
from store.engine.database import Database
from tests.kit.databases import SQLITE_IN_ITS_FOLDER, SQLITE_NAME, fill
from tests.kit.in_process import undo_a_command
from tests.kit.installation import addresses, mail
from tests.kit.readers import DatabaseReaders

ANNA, ZOE, BOB = "anna@acme.example.com", "zoe@acme.example.com", "bob@acme.example.com"
_PEOPLE = (
    "customer add acme --domain acme.example.com --address-range 192.0.2.0/24",
    "customer set acme default_country=GB cost_centre=acme",
    "customer set acme --service sap address_prefixes=PAGER report_format=dsn",
    "profile add ops --customer acme --default",
    "profile set ops --customer acme max_parts=3 subject_options=on",
    f"user add {ANNA} --customer acme",
    f"user set {ANNA} cost_centre=anna",
    f"user add {ZOE} --customer acme",
    f"user disable {ZOE}",
    "customer add rival --domain rival.example.com",
    "customer add gone --domain gone.example.com --address-range 198.51.100.0/24",
    "customer disable gone",
)


def administer(folder: Path, line: str) -> None:
    """Run an administrator's command."""
    result = CliRunner().invoke(main, [*line.split(), "--config", str(folder / "mail2sms.toml")])
    undo_a_command()
    assert result.exit_code == 0, f"{line}: {result.output}"


def make_house(folder: Path, database: str = SQLITE_IN_ITS_FOLDER) -> Config:
    """Write the configuration and its people; made once by commands on SQLite, then copied into either database."""
    shutil.copytree(_template(), folder)
    file = folder / CONFIG_NAME
    if database != SQLITE_IN_ITS_FOLDER:
        file.write_text(file.read_text("utf-8").replace(SQLITE_IN_ITS_FOLDER, database), "utf-8")
        fill(database, folder / SQLITE_NAME)
        (folder / SQLITE_NAME).unlink()
    config = load_config(file)
    assert isinstance(config, Config)
    return config


@cache
def _template() -> Path:
    home = tempfile.mkdtemp(prefix="mail2sms-house-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    folder = Path(home) / "house"
    write_configuration(folder, "127.0.0.1:2525")
    for line in _PEOPLE:
        administer(folder, line)
    return folder


class HouseCore(AcceptPath, DatabaseReaders):
    """The core with the folder of its configuration, a count of its reported jobs, and the first of them as event."""

    def __init__(self, config: Config, database: Database, clock: Clock | None = None) -> None:
        self.folder = config.server.data_dir
        self.accepted = 0
        self.has_accepted = asyncio.Event()
        self.alerts: list[Alert] = []
        super().__init__(config, database, clock)
        self.acceptance = Acceptance(
            database=database,
            outbound=self.outbound,
            limits=self.watch_limits(self.alerts.append),
            accepted=self._count,
        )

        self.applications = Applications(
            book=self.book,
            routes=self.routes,
            acceptance=self.acceptance,
            clock=self.clock,
            disk=DiskReserve(self.folder, 0),
            rate=Rate(0),
            metrics=self.metrics,
        )

    def _count(self, _routes: object) -> None:
        self.accepted += 1
        self.has_accepted.set()


def open_core(config: Config, clock: Clock | None = None) -> HouseCore:
    """Return the core over an open database, by the system's clock or another; the caller closes `core.database`."""
    database = database_of(config.server)
    database.open()
    core = HouseCore(config, database, clock)
    core.book.load_now()
    return core


def proven(core: AcceptPath, customer: str, user: str = "") -> Principal:
    """Return the principal of a login of a customer, or of one of its users."""
    found = core.book.current.directory.customer_named(customer)
    assert found is not None
    who = core.book.current.directory.user(user) if user else None
    return Principal(customer_id=found.key, user_id=who.key if who is not None else None)


def judge(core: AcceptPath, customer: str, text: str = "Hello", *, to=("+447700900101",), sender: str = ANNA, **fields):
    """Judge a plain mail of a proven customer; `notify` applies to every recipient, `raw` replaces the mail."""
    notify, raw = fields.pop("notify", ""), fields.pop("raw", None)
    envelope = ReceivedEnvelope(
        reverse_path=fields.pop("reverse_path", sender),
        recipients=tuple(EnvelopeRecipient(address=address, notify=notify) for address in addresses(*to)),
    )
    return core.judge.judge(raw or mail(text, to=to, sender=sender, **fields), envelope, proven(core, customer))
