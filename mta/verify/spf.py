"""SPF of the envelope's domain, counted only where the domain itself names the client (RFC 7208).

A pass through another's record, as `include:` of a provider gives to all who send there, names no tenant and proves
nobody; nor does `+all`. HELO is not asked: an empty envelope proves nobody. pyspf evaluates records in a thread; its
questions go to the house's resolver, with one deadline for all. `ptr` never matches, as RFC 7208 §5.5 has it rather
not be used. Not here: whether the domain is that of From (mta.verify.prover).
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final, TypeVar

import spf

from mta.verify.keys import NoProof
from tls.resolver import DnsAnswer, Lookup, Resolver

_MOST_VOID: Final = 2  # RFC 7208 §4.6.4, as the ten look-ups, which pyspf counts

Value = TypeVar("Value")


class SpfQuestion:
    """One client and envelope sender, to be judged in a thread of its own by `judge`."""

    def __init__(  # noqa: PLR0913 - the parties of the question
        self,
        resolver: Resolver,
        loop: asyncio.AbstractEventLoop,
        *,
        client: str,
        sender: str,
        helo: str,
        is_own: Callable[[str], bool],
        deadline: float,
    ) -> None:
        """Take `is_own`, which tells the domains whose records count, and a `deadline` by `time.monotonic`."""
        self._arguments = (client, sender, helo)
        self._ask = _Asking(resolver, loop, deadline)
        self._is_own = is_own

    def cancel(self) -> None:
        """Let the thread of `judge` end soon."""
        self._ask.cancel()

    def judge(self) -> str | NoProof:
        """Return the mechanism that names the client, or why none does."""
        try:
            query = _Query(*self._arguments, ask=self._ask)
            result, _, told = query.check()
        except Exception as error:  # noqa: BLE001 - pyspf meets hostile records with any of them
            return NoProof(why=f"its record can't be evaluated ({type(error).__name__})")
        if result == "temperror":
            return NoProof(why="DNS did not answer in time", later=True)
        if result != "pass":
            return NoProof(why=f"it says {result}" + (f": {told}" if result == "permerror" else ""))
        foreign = [domain for domain in query.passed_in if not self._is_own(domain)]
        if foreign:
            return NoProof(why=f"it passes only by the record of {foreign[0]}, which others may share")
        return f"{query.mechanism or 'redirect'} of {query.passed_in[0]}"


class _Asking:
    """The resolver's answers for a thread, in the form of pyspf."""

    def __init__(self, resolver: Resolver, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        self._resolver = resolver
        self._loop = loop
        self._deadline = deadline
        self._waiting: Future[Any] | None = None

    def cancel(self) -> None:
        """Ask no more, and wait for no answer."""
        self._deadline = 0.0
        if self._waiting is not None:
            self._waiting.cancel()

    def __call__(self, name: str, kind: str) -> tuple[list[Any], bool]:
        """Return the records of a name, and whether the look-up was void: a host of the other family is none.

        Raises spf.TempError where they can't be known in time.
        """
        found = self._look_up(name, kind)
        return found, not (found or (kind in {"A", "AAAA"} and self._look_up(name, "AAAA" if kind == "A" else "A")))

    def _look_up(self, name: str, kind: str) -> list[Any]:
        if kind == "TXT":
            return [(text.encode("utf-8", "replace"),) for text in self._wait(self._resolver.txt(name))]
        if kind == "MX":
            return [(found.preference, found.host) for found in self._wait(self._resolver.mx(name)) if found.host]
        if kind in {"A", "AAAA"}:
            family = IPv4Address if kind == "A" else IPv6Address
            return [str(found) for found in self._wait(self._resolver.addresses(name)) if isinstance(found, family)]
        return []

    def _wait(self, asked: Coroutine[Any, Any, DnsAnswer[Value]]) -> tuple[Value, ...]:
        left = self._deadline - time.monotonic()
        self._waiting = waiting = asyncio.run_coroutine_threadsafe(asked, self._loop)
        try:
            answer = waiting.result(max(left, 0.001))
        except TimeoutError:
            waiting.cancel()
            raise spf.TempError("no answer in time") from None
        if answer.lookup is Lookup.FAILED:
            raise spf.TempError(answer.cause)
        return answer.values


class _Query(spf.query):  # type: ignore[misc]  # pyspf has no types
    """pyspf's evaluation with our resolver. `passed_in` are the domains whose records passed, the innermost first."""

    def __init__(self, client: str, sender: str, helo: str, *, ask: _Asking) -> None:
        super().__init__(i=client, s=sender, h=helo)
        self._ask = ask
        self.passed_in: list[str] = []

    def check1(self, record: str, domain: str, recursion: int) -> tuple[str, int, str]:
        """Evaluate the record of one domain."""
        result: tuple[str, int, str] = super().check1(record, domain, recursion)
        if result[0] == "pass":
            self.passed_in.append(domain.lower().removesuffix("."))
        return result

    def validate_mechanism(self, mech: str) -> tuple[str, str, str, int, str]:
        """Read one mechanism; one that lets everybody send says nothing about the client."""
        name, kind, argument, length, result = super().validate_mechanism(mech)
        return name, kind, argument, length, "neutral" if kind == "all" and result == "pass" else result

    def get_explanation(self, _spec: str) -> None:
        """Ask for no explanation: it is shown to nobody."""

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[Any]:  # noqa: FBT001, FBT002, ARG002 - pyspf's
        """Return the records of a name, each once for a query; aliases are the resolver's."""
        name = str(name).removesuffix(".").lower()
        if not all(0 < len(label) < 64 for label in name.split(".")):
            return []
        if (name, qtype) not in self.cache:
            self.cache[name, qtype] = self._ask(name, qtype)
        found, void = self.cache[name, qtype]
        if void and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > _MOST_VOID:
                raise spf.PermError(f"Void lookup limit of {_MOST_VOID} exceeded")
        return list(found)
