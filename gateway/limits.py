"""How much is taken: what counts as one client, what somebody may do in a minute, room on the disk."""

import shutil
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from datetime import timedelta
from ipaddress import IPv6Address
from math import ceil
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


def client_networks(address: str) -> tuple[tuple[str, int], ...]:
    """Return the networks whose bounds an address must keep, each with how many clients' worth it may do.

    Whoever has a /64 of IPv6 may have more of them: the /56 and the /48 around it are bounded too.
    """
    near = client_network(address)
    if ":" not in near:
        return ((near, 1),)
    whole = int(IPv6Address(address.partition("%")[0]))
    return ((near, 1), (f"{whole >> 72:x}/56", 2), (f"{whole >> 80:x}/48", 4))


def whole_seconds(time: timedelta) -> int:
    """Return a time in whole seconds, rounded up, so that nobody comes back too early; 1 at least."""
    return max(ceil(time.total_seconds()), 1)


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


class Rate:
    """How often somebody may do something in a minute, as a bucket that refills steadily; 0 means any number.

    Instants are monotonic seconds. At most `tallies` are kept, those of late.
    """

    def __init__(self, per_minute: int, *, tallies: int = 100_000) -> None:
        self.per_minute = per_minute
        self._tallies = tallies
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable, now: float) -> bool:
        """Take one from the bucket of a key; False where there is none."""
        return self.take_all(((key, 1),), now)

    def take_all(self, shares: Iterable[tuple[Hashable, int]], now: float) -> bool:
        """Take one from each key's bucket, which holds so many times the rate; False where one of them is empty."""
        if not self.per_minute:
            return True
        levels = [(key, self._level(key, times, now)) for key, times in shares]
        enough = all(level >= 1 for _, level in levels)
        for key, level in levels:
            self._keep(key, level - enough, now)
        return enough

    def give_back(self, shares: Iterable[tuple[Hashable, int]], now: float) -> None:
        """Give back what was taken."""
        if self.per_minute:
            for key, times in shares:
                self._keep(key, min(self.per_minute * times, self._level(key, times, now) + 1), now)

    def left(self, key: Hashable, now: float) -> int:
        """Return how many are in the bucket of a key."""
        return int(self._level(key, 1, now))

    def free_in(self, key: Hashable, now: float) -> timedelta:
        """Return in which time there is one in the bucket of a key, which has a rate."""
        return timedelta(minutes=max(1 - self._level(key, 1, now), 0) / self.per_minute)

    def _level(self, key: Hashable, times: int, now: float) -> float:
        full = float(self.per_minute * times)
        level, since = self._buckets.get(key, (full, now))
        return min(full, level + (now - since) * full / 60)

    def _keep(self, key: Hashable, level: float, now: float) -> None:
        self._buckets[key] = (level, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._tallies:
            self._buckets.popitem(last=False)
