"""Keeps the certificate that an authority gives (ACME): one node orders it when it is due, all put it into a file.

What is ordered is kept in the database, so that each node shows the same, answers the authority's challenges, and asks
no more often after a restart than before it. Not here: how the authority is spoken to (tls.acme), what is shown to whom
(tls.server_contexts).
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import structlog

from gateway.ports import Clock
from gateway.worker import Worker
from sms.retry import Ladder
from store.acme import Renewal, read_renewal, write_challenges, write_renewal
from store.engine.database import Database
from store.leases import Leases
from tls.acme import AcmeAccount, AcmeClient, AcmeError, IssuedCertificate, write_private

log = structlog.get_logger()

T = TypeVar("T")

_LOOK_EVERY = 60.0
_RENEWED_AT = 2 / 3  # of its life, and a little earlier by chance, so that not everybody comes at once
_EARLIER_AT_MOST = 0.05
WAITS = Ladder.of_seconds(300, 900, 3600, 10800, 21600, 43200, least=0.9, most=1.1)
"""After failures. Authorities count them: Let's Encrypt takes five in an hour for one name."""


def due_at(renewal: Renewal, wanted: str, chance: float) -> datetime | None:
    """Return when the next certificate is ordered, None for now; `wanted` says for what, `chance` is 0 to 1."""
    if renewal.failures and renewal.asked_for == wanted:
        return renewal.next_at
    if renewal.given_for != wanted or renewal.begins_at is None or renewal.ends_at is None:
        return None
    return renewal.begins_at + (renewal.ends_at - renewal.begins_at) * (_RENEWED_AT - _EARLIER_AT_MOST * chance)


class _StoppedError(Exception):
    """The process stops, and does not wait for an authority."""


class CertificateRenewal:
    """Orders the certificate of some domains, and keeps `file` (key and chain, PEM) as it is in the database."""

    def __init__(  # noqa: PLR0913 - the use case names everything it needs, once
        self,
        *,
        database: Database,
        clock: Clock,
        account: AcmeAccount,
        domains: Sequence[str],
        file: Path,
        owner: str,
        chance: Callable[[], float],
    ) -> None:
        self._database = database
        self._clock = clock
        self._account = account
        self._domains = tuple(domains)
        self._wanted = f"{account.directory} {' '.join(sorted(domains))}"
        self._file = file
        self._owner = owner
        self._chance = chance
        self._jitter = chance()
        self._leases = Leases()
        self._at_once = False
        self._stopping = asyncio.Event()
        self._worker = Worker("acme", self.step, look_every=_LOOK_EVERY)

    async def start(self) -> None:
        """Put into the file what another node may have renewed meanwhile, and begin to look."""
        await self._follow()
        self._worker.start()

    async def stop(self, _: float) -> None:
        """End; an order under way is left to the authority."""
        self._stopping.set()
        await self._worker.stop()

    def try_now(self) -> None:
        """Do not wait any longer after a failure: its cause may have been mended."""
        self._at_once = True
        self._worker.kick()

    async def step(self) -> bool:
        """Look once whether there is something to order or to put into the file."""
        at_once, self._at_once = self._at_once, False
        if self._is_due(await self._follow(), at_once=at_once) and await self._is_ours():
            renewal = await self._follow()  # another node may have had it just now
            if self._is_due(renewal, at_once=at_once):
                await self._renew(renewal)
        return False

    async def _follow(self) -> Renewal:
        """Put into the file what the database has, and return it."""
        renewal = await self._database.read(read_renewal)
        if renewal.pem:
            await asyncio.to_thread(_put, self._file, renewal.pem.encode())
        return renewal

    def _is_due(self, renewal: Renewal, *, at_once: bool) -> bool:
        now, due = self._clock.now(), due_at(renewal, self._wanted, self._jitter)
        if due is None or due <= now:
            return True
        clock_went_back = due > now + WAITS.waits[-1] * WAITS.most
        return renewal.failures > 0 and (at_once or clock_went_back)

    async def _is_ours(self) -> bool:
        return await self._database.write(self._leases.acquire_renewal, self._owner)

    async def _renew(self, before: Renewal) -> None:
        """Order; that it failed is kept before, so that a process that dies of it does not ask again and again."""
        failures = before.failures + 1 if before.asked_for == self._wanted else 1
        now, wait = self._clock.now(), WAITS.wait(failures, self._chance())
        if before.ends_at is not None and now < before.ends_at:
            wait = min(wait, max(WAITS.waits[0], (before.ends_at - now) / 3))  # some last for hours only
        begun = replace(before, asked_for=self._wanted, failures=failures, next_at=now + wait)
        await self._database.write(write_renewal, begun)
        try:
            issued = await self._order()
        except AcmeError as error:
            log.error("certificate_not_renewed", domains=self._domains, failures=failures, cause=str(error))
            await self._database.write(write_renewal, replace(begun, problem=str(error)))
            return
        except _StoppedError:
            return
        done = Renewal(
            pem=issued.pem,
            given_for=self._wanted,
            begins_at=issued.begins_at,
            ends_at=issued.ends_at,
            asked_for=self._wanted,
        )
        await self._database.write(write_renewal, done)
        await self._database.write(write_challenges, {})
        await self._follow()
        log.info("certificate_renewed", domains=self._domains, ends=issued.ends_at.isoformat())

    async def _order(self) -> IssuedCertificate:
        client = await self._beside(lambda: AcmeClient(self._account))
        order = await self._beside(lambda: client.begin(self._domains))
        await self._database.write(write_challenges, order.answers)
        return await self._beside(lambda: client.finish(order))

    async def _beside(self, call: Callable[[], T]) -> T:
        """Return the result of what blocks. Raises _StoppedError where the process stops meanwhile."""
        result: Future[T] = Future()
        Thread(target=_run, args=(result, call), name="acme", daemon=True).start()
        waited, stopped = asyncio.wrap_future(result), asyncio.ensure_future(self._stopping.wait())
        waits: list[asyncio.Future[Any]] = [waited, stopped]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not waited.done():
            raise _StoppedError
        return waited.result()


def _run(result: Future[Any], call: Callable[[], Any]) -> None:
    try:
        result.set_result(call())
    except Exception as error:  # noqa: BLE001 - it is raised again where the result is waited for
        result.set_exception(error)


def _put(file: Path, content: bytes) -> None:
    if not file.exists() or file.read_bytes() != content:
        write_private(file, content)
