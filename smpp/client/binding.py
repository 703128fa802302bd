"""Keeps one link of a carrier up: connect, bind, wait for the end, pause, again, at the hosts of its slot in order.

A host that was tried in vain waits, twice as long after each try or bind that did not last, since carriers lock out
clients that bind too often; the next host is tried at once. While the link stands at another host than it prefers, a
better one is tried beside it, and takes its place when it is bound there. Not here: what happens on a bound link
(client), why there is none, in words (troubles).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import structlog

from gateway.ports import LinkState
from smpp.client import troubles
from smpp.client.account import CarrierAccount, CarrierHost, Slot
from smpp.link import Link
from smpp.session.session import SessionError
from smpp.wire.bodies import Bind
from smpp.wire.fields import PduError
from smpp.wire.statuses import Status

log = structlog.get_logger()

_BAD_CREDENTIALS = frozenset({Status.RINVPASWD, Status.RINVSYSID, Status.RBINDFAIL})
# A bind that ended sooner counts as failed (kneodev/ksmppd#38).
_LASTING_SECONDS = 10.0


class LinkMaker(Protocol):
    """Whose links they are."""

    def make_link(self, slot: str, host: str) -> Link:
        """Return a link that is not connected yet."""

    def retire(self, link: Link) -> None:
        """Send nothing more by a link, and unbind it when nothing is owed on it."""

    def tell(self, state: LinkState) -> None:
        """Take what became of a link."""


@dataclass(slots=True, kw_only=True)
class _Host:
    """What a slot remembers of a host: failures in a row, when it may be tried again, why the last try failed."""

    at: CarrierHost
    failures: int = 0
    due: float = 0.0
    trouble: str = ""


class Keeper:
    """Keeps the link of one slot up until `stopping` is set; `jitter` gives numbers from 0 to 1 for pauses."""

    def __init__(
        self,
        account: CarrierAccount,
        slot: Slot,
        *,
        owner: LinkMaker,
        jitter: Callable[[], float],
        stopping: asyncio.Event,
    ) -> None:
        self._account = account
        self._slot = slot
        self._owner = owner
        self._jitter = jitter
        self._stopping = stopping
        self._hosts = [_Host(at=host) for host in slot.hosts]
        self._link: Link | None = None
        self._at = len(self._hosts)  # where the link is; hosts before it are better
        self._bound_at = 0.0

    async def run(self) -> None:
        """Keep the link up."""
        while not self._stopping.is_set():
            self._look()
            better = self._hosts[: self._at]
            host = min(better, key=lambda host: max(host.due, self._now()), default=None)
            if host is None or host.due > self._now():
                await self._rest(None if host is None else host.due)
            else:
                await self._try(host)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _look(self) -> None:
        """Notice that the link is lost."""
        link = self._link
        if link is None or not link.lost.done():
            return
        host = self._hosts[self._at]
        if self._now() - self._bound_at >= _LASTING_SECONDS:
            host.failures = 0
        self._link, self._at = None, len(self._hosts)
        self._failed(host, troubles.LOST)

    async def _rest(self, until: float | None) -> None:
        """Wait until the link is lost, a host is due, or we stop."""
        stop = asyncio.ensure_future(self._stopping.wait())
        ends: list[asyncio.Future[Any]] = [stop] if self._link is None else [stop, self._link.lost]
        timeout = None if until is None else max(until - self._now(), 0)
        try:
            await asyncio.wait(ends, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()

    async def _try(self, host: _Host) -> None:
        """Connect and bind at a host; the link there takes the place of the one before."""
        link = await self._connect(host)
        if link is None:
            return
        unsaid = send_bind(link, self._account, self._slot.kind)
        await asyncio.wait([link.answered])
        if not link.session.was_bound:
            await asyncio.wait([link.lost])
            refused = link.session.refused_with
            if refused in _BAD_CREDENTIALS:
                # Only a person can mend this; carriers lock accounts that keep trying.
                host.failures = len(self._account.reconnect.waits)
            self._failed(host, unsaid or (troubles.ENDED if refused is None else troubles.of_refusal(refused)))
            return
        before, self._link, self._at = self._link, link, self._hosts.index(host)
        self._bound_at = self._now()
        host.trouble = ""
        if before is not None:
            log.info("smpp_link_returns", carrier=self._account.name, link=self._slot.name, host=str(host.at))
            self._owner.retire(before)
        self._tell()

    async def _connect(self, host: _Host) -> Link | None:
        account = self._account
        try:
            context = account.tls() if account.tls is not None else None
            hostname = (account.server_hostname or host.at.host) if context is not None else None
            async with asyncio.timeout(account.connect_seconds):
                _, link = await asyncio.get_running_loop().create_connection(
                    partial(self._owner.make_link, self._slot.name, str(host.at)),
                    host.at.host,
                    host.at.port,
                    ssl=context,
                    server_hostname=hostname,
                )
        except (OSError, ValueError) as error:  # a TimeoutError is an OSError, a host name without IDNA a ValueError
            cause = troubles.of_connecting(error, account.connect_seconds)
            log.warning("smpp_connect_failed", carrier=account.name, host=str(host.at), cause=cause)
            self._failed(host, cause)
            return None
        return link

    def _failed(self, host: _Host, trouble: str) -> None:
        """Have a host wait after a failure."""
        host.failures += 1
        host.trouble = trouble
        pause = self._account.reconnect.wait(host.failures, self._jitter()).total_seconds()
        host.due = self._now() + pause
        name, at = self._account.name, str(host.at)
        log.info("smpp_next_bind", carrier=name, link=self._slot.name, host=at, seconds=round(pause, 3))
        self._tell(host)

    def _tell(self, failed: _Host | None = None) -> None:
        """Tell where the link is, and why it is not where it prefers to be."""
        host = (failed or self._hosts[0]) if self._link is None else self._hosts[self._at]
        named = len(self._hosts) > 1
        better = [each for each in self._hosts[: self._at] if each.trouble]
        self._owner.tell(
            LinkState(
                carrier=self._account.name,
                link=self._slot.name,
                host=str(host.at),
                is_up=self._link is not None,
                trouble="; ".join(f"{each.at}: {each.trouble}" if named else each.trouble for each in better),
            )
        )


def send_bind(link: Link, account: CarrierAccount, kind: type[Bind]) -> str:
    """Send the bind on a connected link; returns what of it no PDU can carry, and ends the link then."""
    dialect = account.dialect
    unsaid = ""
    link.wake()
    try:
        link.session.bind(
            kind(
                system_id=account.system_id,
                password=account.password,
                system_type=dialect.system_type,
                interface_version=dialect.interface_version.octet,
                addr_ton=dialect.address_range_ton,
                addr_npi=dialect.address_range_npi,
                address_range=dialect.address_range,
            )
        )
    except SessionError as error:
        log.warning("smpp_bind_impossible", carrier=account.name, peer=link.peer, cause=str(error))
    except PduError as error:
        # The detail only names the field: its value may be the password.
        log.error("smpp_bind_not_writable", carrier=account.name, cause=error.detail)
        unsaid = error.detail
        link.session.abandon()
    link.pump()
    return unsaid
