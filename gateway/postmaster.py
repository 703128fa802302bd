"""Mail to the postmaster: kept within bounds before it is answered, as a row of the outbox to the operator's mailbox.

RFC 5321 §4.5.1 wants it taken from everybody, so nobody has proven who he is: every bound counts for all, and nothing
is ever sent back to a sender, whose address may be somebody else's. The bounds of an hour are of one process. Not here:
which addresses these are and what a loop is (mta.postmaster), when it is forwarded (gateway.outbox) and how it looks
(mta.sending.forward).
"""

import asyncio
import time
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

import structlog

from gateway.ports import Clock
from sms.message import TlsTag
from sms.outcome import Refusal, Refused
from store.engine.database import Database
from store.engine.keys import to_stored
from store.outbox import NewRow, Outbox

log = structlog.get_logger()

POSTMASTER: Final = "postmaster"
_HOUR = 3600.0
_LARGE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PostmasterBounds:
    """How much is taken: the largest content, mails per hour from one network (/24, /48) and from all, mails that wait.

    A person's complaint is small and rare, a flood is neither: with these, 500 MB wait at most and as much is kept of
    what was given up.
    """

    octets: int = 1 << 20
    per_network: int = 20
    per_hour: int = 200
    waiting: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPostmasterMail:
    """A mail as it came, `content` behind our Received line; `sender` is the reverse-path, empty for `<>`.

    `tls_tag` is what its sender asks of TLS (RFC 8689 §4.1).
    """

    sender: str
    recipients: tuple[str, ...]
    client: str
    helo: str
    content: bytes
    tls_tag: TlsTag = TlsTag.NONE


class Postmaster:
    """Keeps mail to the postmaster; without an `address` to forward it to it takes none.

    `written` is called when there is one to forward.
    """

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        database: Database,
        outbox: Outbox,
        address: str,
        clock: Clock,
        written: Callable[[], None],
        bounds: PostmasterBounds | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bounds = bounds or PostmasterBounds()
        self._database = database
        self._outbox = outbox
        self._address = address
        self._clock = clock
        self._written = written
        self._monotonic = monotonic
        self._lately: deque[tuple[float, str]] = deque()

    def refuse(self, client: str) -> Refused | None:
        """Return why no mail is taken from this client now, None where one is."""
        if not self._address:
            return Refused(refusal=Refusal.ADDRESS_UNKNOWN, detail="This gateway's operator has named no postmaster.")
        now, network = self._monotonic(), network_of(client)
        while self._lately and self._lately[0][0] <= now - _HOUR:
            self._lately.popleft()
        from_there = sum(network == other for _, other in self._lately)
        if len(self._lately) >= self.bounds.per_hour or from_there >= self.bounds.per_network:
            return Refused(refusal=Refusal.RATE_LIMITED, detail="Too much mail to the postmaster in this hour.")
        return None

    def admit(self, client: str) -> Refused | None:
        """Count a mail before its content comes, or return why none is taken from this client now."""
        refused = self.refuse(client)
        if refused is None:
            self._lately.append((self._monotonic(), network_of(client)))
        return refused

    async def keep(self, mail: NewPostmasterMail) -> str | Refused:
        """Return the id of a mail that is committed, or why it is not kept; `admit` was asked before it came."""
        content, octets = await asyncio.to_thread(pack, mail.content), len(mail.content)
        row = NewRow(
            kind=POSTMASTER,
            prefix="P",
            recipient=self._address,
            now=to_stored(self._clock.now()),
            about={
                "sender": mail.sender,
                "recipients": " ".join(mail.recipients),
                "client": mail.client,
                "helo": mail.helo,
                "octets": octets,
                "tls_tag": mail.tls_tag.value,
            },
            content=content,
            most=self.bounds.waiting,
        )
        identity = await self._database.write(self._outbox.add, row)
        if identity is None:
            log.error("postmaster_mail_has_no_room", peer=mail.client, waiting=self.bounds.waiting)
            return Refused(refusal=Refusal.NO_STORAGE)
        log.info("postmaster_mail_received", mail=identity, peer=mail.client, octets=octets)
        self._written()
        return identity


def pack(raw: bytes) -> bytes:
    """Return a mail as it is stored, its first octet says how: one over 64 KiB is compressed, which may take long."""
    return b"z" + zlib.compress(raw) if len(raw) > _LARGE else b"=" + raw


def unpack(stored: bytes) -> bytes:
    """Return the octets of a mail that `pack` returned."""
    return zlib.decompress(stored[1:]) if stored[:1] == b"z" else stored[1:]


def network_of(client: str) -> str:
    """Return what counts as one source: the /24 of an IPv4 address, the /48 of another; what is no address, itself."""
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False))
