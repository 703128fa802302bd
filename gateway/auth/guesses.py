"""Wrong passwords of late, counted by whose login they were for and where they came from: what bounds guessing.

The same wrong password for the same login counts once, and a proof under way counts as nothing yet: it takes a place
that others wait for. Time is an argument. Not here: what proves a password (authenticator).
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.limits import client_network, client_networks


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessLimits:
    """How much guessing is allowed. Times are seconds.

    Each bound is a number of different wrong passwords within `window`: `failures` for one login from one client (IPv6:
    its /64), `per_login` for one login from everywhere, `per_client` for all logins from one client, with twice as many
    for the /56 around it and four times as many for the /48. What is beyond them is not looked at until the oldest is
    that old. A login that was proven from a client before is bound by the first alone there, so that nobody can lock
    its owner out from elsewhere.
    `at_once` is how many proofs of one client are under way at the same time, `waiting` how many wait for a place.
    `tallies` bounds how many logins and clients are watched. A right password is remembered for `remember`, at most
    `remembered` of them.
    """

    failures: int = 10
    per_login: int = 20
    per_client: int = 50
    window: float = 600.0
    at_once: int = 4
    waiting: int = 256
    tallies: int = 100_000
    remember: float = 300.0
    remembered: int = 10_000


class Standing(StrEnum):
    """Whether a password may be looked at: now, when a proof under way has ended, or not before the window is over."""

    FREE = "free"
    BUSY = "busy"
    FULL = "full"


@dataclass(slots=True)
class _Tally:
    """The different wrong passwords of one key with the instant of the first of each, and the proofs under way."""

    wrong: dict[bytes, float] = field(default_factory=dict)
    under_way: int = 0

    def forget(self, until: float) -> None:
        """Drop what is so old; the oldest stand first."""
        while self.wrong and (first := next(iter(self.wrong.items())))[1] <= until:
            del self.wrong[first[0]]


class Guesses:
    """All tallies of one process."""

    def __init__(self, limits: GuessLimits) -> None:
        self.limits = limits
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()
        self._proven: OrderedDict[str, None] = OrderedDict()

    def attempt(self, login: str, client: str) -> "Attempt":
        """Return what one password for a login from a client's address counts for."""
        bounds = [(self._tally(key), most) for key, most in self._bounds(login, client)]
        return Attempt(self, f"{client_network(client)} {login}", bounds)

    def was_proven(self, pair: str) -> bool:
        """Return whether this login was proven from this client."""
        return pair in self._proven

    def remember_proven(self, pair: str) -> None:
        """Remember that this login was proven from this client."""
        self._proven[pair] = None
        self._proven.move_to_end(pair)
        if len(self._proven) > self.limits.tallies:
            self._proven.popitem(last=False)

    def _bounds(self, login: str, client: str) -> Iterator[tuple[str, int]]:
        """Yield key and bound, that of login and client first and that of the client second."""
        (near, _), *wider = client_networks(client)
        yield f"{near} {login}", self.limits.failures
        yield near, self.limits.per_client
        yield f" {login}", self.limits.per_login
        for network, times in wider:
            yield network, self.limits.per_client * times

    def _tally(self, key: str) -> _Tally:
        tally = self._tallies.setdefault(key, _Tally())
        self._tallies.move_to_end(key)
        if len(self._tallies) > self.limits.tallies:
            self._tallies.popitem(last=False)
        return tally


class Attempt:
    """One password on its way: `begin` and `end` it around its proof, then say whether it was `wrong` or `right`."""

    __slots__ = ("_bounds", "_guesses", "_pair")

    def __init__(self, guesses: Guesses, pair: str, bounds: list[tuple[_Tally, int]]) -> None:
        self._guesses = guesses
        self._pair = pair
        self._bounds = bounds

    def known_wrong(self, digest: bytes, now: float) -> bool:
        """Return whether this very password was found wrong of late."""
        self._forget(now)
        return any(digest in tally.wrong for tally, _ in self._bounds)

    def standing(self, now: float) -> Standing:
        """Return whether the password may be looked at."""
        self._forget(now)
        bounds = self._bounds[:1] if self._guesses.was_proven(self._pair) else self._bounds
        if any(len(tally.wrong) >= most for tally, most in bounds):
            return Standing.FULL
        of_client = self._bounds[1][0]
        if of_client.under_way >= self._guesses.limits.at_once:
            return Standing.BUSY
        busy = any(len(tally.wrong) + tally.under_way >= most for tally, most in bounds)
        return Standing.BUSY if busy else Standing.FREE

    def begin(self) -> None:
        """Take a place."""
        for tally, _ in self._bounds:
            tally.under_way += 1

    def end(self) -> None:
        """Give the place back."""
        for tally, _ in self._bounds:
            tally.under_way -= 1

    def wrong(self, digest: bytes, now: float) -> None:
        """Count it."""
        for tally, _ in self._bounds:
            tally.wrong.setdefault(digest, now)

    def withdraw(self, digest: bytes) -> None:
        """Count it no more: it was judged by an address book that was too old."""
        for tally, _ in self._bounds:
            tally.wrong.pop(digest, None)

    def right(self) -> None:
        """Remember whose client this is."""
        self._guesses.remember_proven(self._pair)

    def _forget(self, now: float) -> None:
        for tally, _ in self._bounds:
            tally.forget(now - self._guesses.limits.window)
