"""MTA-STS: a domain demands over HTTPS that its mail goes only to named hosts over verified TLS.

The upper half is pure: the record, the policy file, which policy is in force. The lower half asks DNS, fetches and
caches. Not here: judging a connection (tls.policy), keeping policies over a restart (an StsCache of the store). RFC
8461. A policy stays in force until its max_age ends, whatever happens to DNS or the policy host.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from weakref import WeakValueDictionary

import structlog

from tls.names import parse_domain
from tls.policy import StsMode, StsResult
from tls.resolver import Lookup, Resolver
from tls.result_types import ResultType

log = structlog.get_logger()

MAX_POLICY_BYTES = 64 * 1024  # RFC 8461 §3.3
_MAX_AGE = 31_557_600  # RFC 8461 §3.2
_MAX_HOSTS = 200
_RETRY_FETCH = timedelta(minutes=5)  # RFC 8461 §3.3

_RECORD = re.compile(r"v=STSv1[ \t]*;(.*)", re.DOTALL)
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_AGE = re.compile(r"[0-9]{1,10}")


def parse_sts_record(texts: Iterable[str]) -> str | None:
    """Return the policy id from the TXT records at `_mta-sts`, None if they announce none (RFC 8461 §3.1)."""
    records = [match for text in texts if (match := _RECORD.match(text))]
    if len(records) != 1:
        return None
    for entry in records[0].group(1).split(";"):
        key, _, value = entry.strip().partition("=")
        if key.strip() == "id":
            found = value.strip()
            return found if _ID.fullmatch(found) else None
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class StsPolicy:
    """A policy file, RFC 8461 §3.2. `mx` holds host names and `*.example.com` patterns in lower case."""

    mode: StsMode
    mx: tuple[str, ...]
    max_age: timedelta


def parse_sts_policy(body: bytes) -> StsPolicy | None:
    """Return the policy of a file, None if it is not valid."""
    try:
        lines = body.decode("ascii").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        return None
    fields: dict[str, str] = {}
    hosts: list[str] = []
    for line in lines:
        key, colon, value = line.partition(":")
        if not colon:
            if line.strip():
                return None
            continue
        if key.strip() == "mx":
            hosts.append(value.strip().lower().removesuffix("."))
        else:
            fields.setdefault(key.strip(), value.strip())  # RFC 8461 §3.2: the first of several counts
    return _build_policy(fields, hosts)


def _build_policy(fields: dict[str, str], hosts: list[str]) -> StsPolicy | None:
    age = fields.get("max_age", "")
    modes = {"enforce": StsMode.ENFORCE, "testing": StsMode.TESTING, "none": StsMode.NONE}
    mode = modes.get(fields.get("mode", ""))
    if fields.get("version") != "STSv1" or mode is None or not _AGE.fullmatch(age):
        return None
    if len(hosts) > _MAX_HOSTS or any(parse_domain(host.removeprefix("*.")) is None for host in hosts):
        return None
    if mode is not StsMode.NONE and not hosts:
        return None
    return StsPolicy(mode=mode, mx=tuple(hosts), max_age=timedelta(seconds=min(int(age), _MAX_AGE)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedPolicy:
    """A policy as last fetched, with the id under which DNS announced it."""

    policy: StsPolicy
    policy_id: str
    fetched_at: datetime

    def is_live(self, now: datetime) -> bool:
        """Return whether its max_age has not ended."""
        return now < self.fetched_at + self.policy.max_age


class StsCache(Protocol):
    """Keeps policies, also over restarts: without its policy a domain's mail could be intercepted again."""

    async def get(self, domain: str) -> CachedPolicy | None:
        """Return the last policy of the domain, however old."""

    async def put(self, domain: str, cached: CachedPolicy) -> None:
        """Keep this policy for the domain."""


class MemoryStsCache:
    """A cache that lives as long as the process."""

    def __init__(self) -> None:
        self._kept: dict[str, CachedPolicy] = {}

    async def get(self, domain: str) -> CachedPolicy | None:
        """Return the last policy of the domain, however old."""
        return self._kept.get(domain)

    async def put(self, domain: str, cached: CachedPolicy) -> None:
        """Keep this policy for the domain."""
        self._kept[domain] = cached


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The answer of a policy host: the body, or why there is none; `untrusted`: for want of a good certificate."""

    body: bytes = b""
    fault: str = ""
    untrusted: bool = False


class StsFetcher(Protocol):
    """Fetches policy files."""

    async def fetch(self, domain: str) -> Fetched:
        """Get the policy file of a domain; never raises for faults of a network or a host."""


class StsLookup:
    """Finds the policy in force for a domain."""

    def __init__(
        self, resolver: Resolver, fetcher: StsFetcher, cache: StsCache, *, now: Callable[[], datetime]
    ) -> None:
        self._resolver = resolver
        self._fetcher = fetcher
        self._cache = cache
        self._now = now
        self._failed_at: dict[str, tuple[datetime, ResultType]] = {}
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def find(self, domain: str) -> StsResult:
        """Return the policy in force; `domain` is the recipient's own, never the target of an alias."""
        async with self._asking.setdefault(domain, asyncio.Lock()):  # concurrent mails fetch once
            return await self._find(domain)

    async def _find(self, domain: str) -> StsResult:
        kept = await self._cache.get(domain)
        if kept is not None and not kept.is_live(self._now()):
            kept = None
        answer = await self._resolver.txt(f"_mta-sts.{domain}")
        policy_id = parse_sts_record(answer.values)
        if policy_id is None:
            # RFC 8461 §5.1: a live policy outlasts its record
            failed = answer.lookup is Lookup.FAILED
            return _in_force(kept, StsMode.FAILED if failed else StsMode.ABSENT, answer.cause if failed else "")
        if kept is not None and kept.policy_id == policy_id:
            return _in_force(kept)
        return await self._renew(domain, policy_id, kept)

    async def _renew(self, domain: str, policy_id: str, kept: CachedPolicy | None) -> StsResult:
        now = self._now()
        failed = self._failed_at.get(domain)
        if failed is not None and now - failed[0] < _RETRY_FETCH:
            cause = "the policy could not be fetched a short while ago"
            return _in_force(kept, StsMode.FAILED, cause, failed[1])
        fetched = await self._fetcher.fetch(domain)
        policy = None if fetched.fault else parse_sts_policy(fetched.body)
        if policy is None:
            fault, result = fetched.fault or "the policy file is malformed", _result_of(fetched)
            self._note_failure(domain, now, result)
            log.warning("mta_sts_fetch_failed", domain=domain, fault=fault, kept=kept is not None)
            return _in_force(kept, StsMode.FAILED, fault, result)
        self._failed_at.pop(domain, None)
        fresh = CachedPolicy(policy=policy, policy_id=policy_id, fetched_at=now)
        await self._cache.put(domain, fresh)
        return _in_force(fresh)

    def _note_failure(self, domain: str, now: datetime, result: ResultType) -> None:
        self._failed_at = {name: kept for name, kept in self._failed_at.items() if now - kept[0] < _RETRY_FETCH}
        self._failed_at[domain] = (now, result)


def _result_of(fetched: Fetched) -> ResultType:
    """Return what a TLS report calls a policy that could not be had."""
    if not fetched.fault:
        return ResultType.STS_POLICY_INVALID
    return ResultType.STS_WEBPKI_INVALID if fetched.untrusted else ResultType.STS_POLICY_FETCH_ERROR


def _in_force(
    cached: CachedPolicy | None,
    otherwise: StsMode = StsMode.ABSENT,
    cause: str = "",
    fault: ResultType | None = None,
) -> StsResult:
    if cached is None:
        return StsResult(mode=otherwise, cause=cause, fault=fault)
    policy = cached.policy
    return StsResult(mode=policy.mode, mx=policy.mx, max_age=int(policy.max_age.total_seconds()))
