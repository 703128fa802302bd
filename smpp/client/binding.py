"""Keeps the binds of one carrier up: connect, bind, wait for the end, pause, again.

The pause doubles with each bind that failed or did not last, since carriers lock out clients that bind too often. Not
here: what happens on a bound link (client), why there is none, in words (troubles).
"""

import asyncio
from collections.abc import Callable

import structlog

from smpp.client import troubles
from smpp.client.account import CarrierAccount
from smpp.link import Link
from smpp.session.session import SessionError
from smpp.wire.bodies import Bind
from smpp.wire.fields import PduError
from smpp.wire.statuses import Status

log = structlog.get_logger()

_BAD_CREDENTIALS = frozenset({Status.RINVPASWD, Status.RINVSYSID, Status.RBINDFAIL})
# A bind that ended sooner counts as failed (kneodev/ksmppd#38).
_LASTING_SECONDS = 10.0


class Binder:
    """Binds links of one account until `stopping` is set; `complain` gets the cause of a failure.

    `jitter` gives numbers from 0 to 1 for the pause before a new connection.
    """

    def __init__(
        self,
        account: CarrierAccount,
        *,
        jitter: Callable[[], float],
        make_link: Callable[[], Link],
        stopping: asyncio.Event,
        complain: Callable[[str], None],
    ) -> None:
        self._account = account
        self._jitter = jitter
        self._make_link = make_link
        self._stopping = stopping
        self._complain = complain

    async def keep(self, kind: type[Bind]) -> None:
        """Keep one bind of this kind up."""
        account = self._account
        now = asyncio.get_running_loop().time
        failures = 0
        while not self._stopping.is_set():
            began_at = now()
            link = await self._connect(kind)
            if link is not None:
                await asyncio.wait([link.lost])
                if link.session.was_bound and now() - began_at >= _LASTING_SECONDS:
                    failures = 0
                if link.session.refused_with in _BAD_CREDENTIALS:
                    # Only a person can mend this; carriers lock accounts that keep trying.
                    failures = len(account.reconnect.waits)
            failures += 1
            pause = account.reconnect.wait(failures, self._jitter()).total_seconds()
            log.info("smpp_next_bind", carrier=account.name, seconds=round(pause, 3))
            try:
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def _connect(self, kind: type[Bind]) -> Link | None:
        account = self._account
        try:
            context = account.tls() if account.tls is not None else None
            hostname = (account.server_hostname or account.host) if context is not None else None
            async with asyncio.timeout(account.connect_seconds):
                _, link = await asyncio.get_running_loop().create_connection(
                    self._make_link, account.host, account.port, ssl=context, server_hostname=hostname
                )
        except (OSError, ValueError) as error:  # a TimeoutError is an OSError, a host name without IDNA a ValueError
            cause = troubles.of_connecting(error, account.connect_seconds)
            log.warning("smpp_connect_failed", carrier=account.name, cause=cause)
            self._complain(cause)
            return None
        self.bind(link, kind)
        return link

    def bind(self, link: Link, kind: type[Bind]) -> None:
        """Send the bind on a connected link."""
        account, dialect = self._account, self._account.dialect
        link.tick()
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
            self._complain(error.detail)
            link.session.abandon()
        link.pump()
