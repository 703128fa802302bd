"""The links of one account that parts go out by: how many each takes now, and which parts it gets.

The account has one pace, each link a window of its own. Not here: keeping links up (binding), the requests themselves
(client, session).
"""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from smpp.client.pace import Pace, Window
from smpp.link import Link
from sms.message import PartToSubmit

_message_of = attrgetter("message_key")


class Senders:
    """The links that take parts. Those of one text go by one link, if it has room; each text by that with most room.

    A link that is bound anew keeps the window of its slot: what the carrier did to the one before counts for it.
    """

    def __init__(self, pace: Pace, window: int) -> None:
        self._pace = pace
        self._size = window
        self._links: list[Link] = []
        self._windows: dict[str, Window] = {}

    def __bool__(self) -> bool:
        return bool(self._links)

    def add(self, link: Link) -> None:
        """Send by a link from now on."""
        self._windows.setdefault(link.slot, Window(self._size))
        self._links.append(link)

    def remove(self, link: Link) -> None:
        """Send nothing more by a link; answers to what it has still count."""
        if link in self._links:
            self._links.remove(link)

    def room(self, now: float) -> int:
        """Return how many parts may be sent now over all links."""
        most = self._pace.room(now)
        return int(min(most, sum(self._room_of(link, now) for link in self._links))) if most else 0

    def wait(self, now: float) -> float | None:
        """Return after how many seconds there is room again without an answer; None if only answers make room."""
        return self._pace.wait(now)

    def idlest(self, now: float) -> Link | None:
        """Return the link with the most room, None where there is no link."""
        return max(self._links, key=lambda link: self._room_of(link, now), default=None)

    def share(self, parts: Sequence[PartToSubmit], now: float) -> list[tuple[Link, list[PartToSubmit]]]:
        """Return which link takes which parts; what no link has room for goes to one all the same, which refuses it.

        Nothing where there is no link.
        """
        self._pace.sent(len(parts), now)
        if len(self._links) < 2:
            return [(link, list(parts)) for link in self._links]
        rooms = {link: self._room_of(link, now) for link in self._links}
        shares: dict[Link, list[PartToSubmit]] = {}
        for _, text in groupby(parts, _message_of):
            rest = list(text)
            while rest:
                link = max(rooms, key=rooms.__getitem__)
                fit = rooms[link] if rooms[link] > 0 else len(rest)
                shares.setdefault(link, []).extend(rest[:fit])
                rooms[link] -= len(rest[:fit])
                rest = rest[fit:]
        return list(shares.items())

    def _room_of(self, link: Link, now: float) -> int:
        if not link.writable:
            return 0
        session = link.session
        return max(min(session.free_window, self._windows[link.slot].room(now, session.outstanding)), 0)

    # What a link's answers say of it

    def answered(self, link: Link, *, accepted: bool) -> None:
        """Note that a part was answered on a link."""
        window = self._windows[link.slot]
        window.answered()
        if accepted:
            window.accepted()

    def unanswered(self, link: Link) -> None:
        """Note that a part was not answered on a link."""
        self._windows[link.slot].unanswered()

    def throttled(self, link: Link, now: float, *, crowded: bool = False) -> None:
        """Note that the carrier throttled: all links pause, and this one takes half as much afterwards.

        `crowded`: it refused the part, perhaps only because others were open on this link.
        """
        if self._pace.throttled(now):
            self._windows[link.slot].halve()
        if crowded:
            self._windows[link.slot].narrow(now)
