"""How much is taken: what counts as one client, mails per minute of a customer, room on the disk."""

import shutil
from ipaddress import IPv6Address
from pathlib import Path
from time import monotonic

import structlog

log = structlog.get_logger()


def client_network(address: str) -> str:
    """Return what counts as one client: the address, the IPv4 address mapped into it, or the /64 of it."""
    if ":" not in address:
        return address
    parsed = IPv6Address(address.partition("%")[0])
    return str(parsed.ipv4_mapped) if parsed.ipv4_mapped else parsed.exploded[:19]


class DiskReserve:
    """Tells whether a folder's disk still has its reserve; asks the system once a second at most."""

    def __init__(self, folder: Path, octets: int) -> None:
        self._folder = folder
        self._octets = octets
        self._asked_at = -1.0
        self._enough = True

    def enough(self) -> bool:
        """Return whether submissions may be taken."""
        now = monotonic()
        if now - self._asked_at >= 1:
            self._asked_at = now
            free = shutil.disk_usage(self._folder).free
            if (free >= self._octets) != self._enough:
                log.warning("disk_reserve", free=free, reserve=self._octets)
            self._enough = free >= self._octets
        return self._enough


class MailRate:
    """Mails per minute of each customer, as a bucket that refills steadily; 0 means any number."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: dict[int, tuple[float, float]] = {}

    def take(self, customer_id: int, now: float) -> bool:
        """Take one mail's worth for a customer at a monotonic instant in seconds; False where there is none."""
        if not self._per_minute:
            return True
        level, since = self._buckets.get(customer_id, (float(self._per_minute), now))
        level = min(self._per_minute, level + (now - since) * self._per_minute / 60)
        self._buckets[customer_id] = (level - 1 if level >= 1 else level, now)
        return level >= 1
