"""What a gateway asks its database does not grow with what is stored, while nothing comes and for one SMS.

Every statement of a whole gateway is recorded and run again with SQLite's steps counted: none reads a table from end to
end. A month with what was sent and received lies in it.
"""

import asyncio
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest

from cli.admin_session import admin_session
from cli.context import database_of
from cli.demo_desk import OWN_NUMBER, DemoDesk
from cli.setup import PASSWORD_NAME, write_configuration
from gateway.admin.numbers import make_number
from gateway.admin.settings import CustomerScope, set_settings
from gateway.worker import Worker
from mta.sandbox import Sandbox
from process.gateway import running_gateway
from store.directory_lookup import find_customer
from store.engine.transaction import Transaction
from tests.benchmarks.month import fill_month, last_month
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port
from tests.kit.store_harness import steps

MESSAGES = 6_200
PHONE = "+447700900987"
MOST_STEPS = 1_000  # a row that is looked at takes several


class Recorder:
    """Records what transactions run while each worker that has nothing to do looks once more."""

    def __init__(self, monkeypatch) -> None:
        self.statements: dict[str, object] = {}
        self._workers: list[Worker] = []
        self._busy: set[Worker] = set()
        self._idle = asyncio.Event()
        run, start = Transaction._run, Worker.start

        def recorded(tx, sql, values):
            self.statements.setdefault(sql, values)
            return run(tx, sql, values)

        def started(worker):
            step = worker._step

            async def noted():
                is_busy = await step()
                (self._busy.add if is_busy else self._busy.discard)(worker)
                (self._idle.clear if self._busy else self._idle.set)()
                return is_busy

            worker._step = noted
            self._workers.append(worker)
            self._busy.add(worker)
            self._idle.clear()
            start(worker)

        monkeypatch.setattr(Transaction, "_run", recorded)
        monkeypatch.setattr(Worker, "start", started)

    async def look(self) -> None:
        """Have each worker look, and wait until none has anything to do."""
        await self._idle.wait()
        self._busy.update(self._workers)
        self._idle.clear()
        for worker in self._workers:
            worker.kick()
        await self._idle.wait()


@pytest.fixture
def box():
    with Sandbox(hostname="mailbox.example.net") as box:
        yield box


@pytest.fixture
def month(tmp_path, box):
    route = {"domain": "*", "host": box.host, "port": box.port, "tls": "encrypt"}
    http = {"name": "portal", "address": f"127.0.0.1:{free_port()}", "serves": ["portal"]}
    with redirect_stdout(StringIO()):
        config = write_configuration(tmp_path, f"127.0.0.1:{free_port()}", mail={"route": [route]}, http=[http])
        with admin_session(config.file) as session:
            session.change(
                lambda edit: make_number(edit, OWN_NUMBER, known_carriers=(), customer="demo"),
                lambda edit: set_settings(edit, CustomerScope("demo"), {"sender_id": OWN_NUMBER}),
                silent=True,
            )
    database = database_of(config.server)
    database.open(serving=True)
    customer = database.read_now(lambda tx: find_customer(tx, "demo"))
    assert customer is not None
    others = customer.key + 1, customer.key + 2
    over = last_month(datetime.now(UTC) - timedelta(days=2))  # the last day is looked at as a whole
    fill_month(database, over, MESSAGES, customer.key, others)
    yield config, database
    database.close()


def costs(database, statements):
    """Return the steps of each statement that reads."""
    found = {}
    for sql, values in statements.items():
        if sql.startswith(("SELECT", "WITH", "DELETE", "UPDATE")):
            counted, count = steps(
                lambda tx, items, sql=sql, values=values: [tx._run(sql, values).fetchall() for _ in items]
            )
            database.write_now(counted, None)
            found[sql] = count()
    return found


def slow(database, statements):
    return "\n".join(f"{cost:,} steps: {sql}" for sql, cost in costs(database, statements).items() if cost > MOST_STEPS)


async def test_no_worker_that_looks_reads_a_table_from_end_to_end(month, monkeypatch):
    config, database = month
    with monkeypatch.context() as patch:
        recorder = Recorder(patch)
        async with running_gateway(config, database):
            await recorder.look()
            recorder.statements.clear()
            await recorder.look()
    assert len(recorder.statements) > 40
    assert not slow(database, recorder.statements)


async def test_neither_an_sms_nor_its_receipt_status_mail_and_answer_reads_a_table_from_end_to_end(
    month, box, tmp_path, monkeypatch
):
    config, database = month
    with monkeypatch.context() as patch:
        recorder = Recorder(patch)
        async with running_gateway(config, database) as gateway:
            await recorder.look()
            recorder.statements.clear()
            desk = DemoDesk(
                sandbox=next(iter(gateway.sandboxes.values())),
                box=box,
                port=config.listeners[0].address.port,
                password=(tmp_path / PASSWORD_NAME).read_text("utf-8").strip(),
            )
            await desk.send_mail(PHONE, "Pump 7", "It stands still.")
            (status,) = await box.wait_for_mails(1, PATIENCE)
            assert "delivered" in str(status.message["Subject"]).lower()
            await desk.type_sms(PHONE, "I am there.")
            await recorder.look()
    assert len(recorder.statements) > 60
    assert not slow(database, recorder.statements)
