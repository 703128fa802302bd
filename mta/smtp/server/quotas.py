"""How much one session may use: as a client that has proven nothing, or as a customer.

What clients may do is counted by listener, what customers may do by process. Not here: how many connections there may
be (gateway.listener), what one connection may do (mta.smtp.engine), SMS and their parts (gateway.usage_claims).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final
from weakref import WeakValueDictionary

from gateway.limits import Rate, client_network, client_networks
from mta.smtp.engine import replies
from mta.smtp.engine.content import ContentRoom
from mta.smtp.engine.replies import Reply
from sms.outcome import Refusal, Refused

_OF_CLIENT: Final = "of one client that has proven nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """Bounds of a client that has proven nothing: recipients of one mail, and of all in a minute; mails in a minute.

    0 means any number. Twice as many may come from the /56 around an IPv6 client, four times as many from the /48. A
    mail that proves whose it is does not count.
    """

    recipients: int = 0
    recipients_per_minute: int = 0
    mails_per_minute: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerLimits:
    """Bounds of a customer: connections at a time and in a minute, recipients in a minute; 0: any number."""

    connections: int = 0
    connections_per_minute: int = 0
    recipients_per_minute: int = 0


class CustomerQuotas:
    """What the customers of this process use. `mails` counts what they submit, by mail or otherwise."""

    def __init__(self, limits: CustomerLimits, *, mails: Rate | None = None) -> None:
        self._limits = limits
        self._open: Counter[int] = Counter()
        self._connections = Rate(limits.connections_per_minute)
        self._recipients = Rate(limits.recipients_per_minute)
        self._mails = mails or Rate(0)

    def enter(self, customer_id: int, now: float) -> Reply | None:
        """Count a connection in, or return why it may not go on."""
        limits, reached = self._limits, ""
        if limits.connections and self._open[customer_id] >= limits.connections:
            reached = f"at most {limits.connections} at a time from one customer"
        elif not self._connections.take(customer_id, now):
            reached = f"at most {limits.connections_per_minute} a minute from one customer"
        if reached:
            return replies.TOO_MANY_CONNECTIONS.with_detail(reached)
        self._open[customer_id] += 1
        return None

    def leave(self, customer_id: int) -> None:
        """Count a connection out."""
        self._open[customer_id] -= 1
        if not self._open[customer_id]:
            del self._open[customer_id]

    def take_recipient(self, customer_id: int, now: float) -> Refused | None:
        """Count a recipient, or return why it is not taken."""
        return _take(self._recipients, ((customer_id, 1),), now, "recipients of one customer")

    def take_mail(self, customer_id: int, now: float) -> Refused | None:
        """Count a mail, or return why it is not taken."""
        return _take(self._mails, ((customer_id, 1),), now, "mails of one customer")


class ContentRooms:
    """How the `room` for contents is divided: half for one customer, half for all who have proven nothing.

    Each of their clients has an eighth, and everybody enough for the `largest` mail.
    """

    def __init__(self, room: ContentRoom, *, largest: int) -> None:
        self._room = room
        self._largest = largest
        self._unproven = self._part(2, "mails of clients that have proven nothing", room)
        self._parts: WeakValueDictionary[str | int, ContentRoom] = WeakValueDictionary()

    def of(self, customer_id: int | None, client: str) -> ContentRoom:
        """Return the room of a customer, or of a client that has proven nothing."""
        key = client_network(client) if customer_id is None else customer_id
        room = self._parts.get(key)
        if room is None and customer_id is None:
            room = self._part(8, "mails of a client that has proven nothing", self._unproven)
        elif room is None:
            room = self._part(2, "mails of one customer", self._room)
        self._parts[key] = room
        return room

    def _part(self, share: int, whose: str, of: ContentRoom) -> ContentRoom:
        return ContentRoom(max(self._largest, self._room.octets // share), whose=whose, of=of)


class Quotas:
    """What the sessions of one listener use; `customers` and `rooms` are those of the process."""

    def __init__(
        self,
        clients: ClientLimits | None = None,
        customers: CustomerQuotas | None = None,
        rooms: ContentRooms | None = None,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.clients = clients or ClientLimits()
        self.customers = customers or CustomerQuotas(CustomerLimits())
        self.rooms = rooms
        self.recipients = Rate(self.clients.recipients_per_minute)
        self.mails = Rate(self.clients.mails_per_minute)
        self.clock = clock


class SessionQuota:
    """What one session uses; `forgive` is called once when it turns out whose it is. End it with `close`."""

    __slots__ = ("_client", "_customer_id", "_entered", "_forgive", "_quotas", "proven")

    def __init__(self, quotas: Quotas, client: str = "", forgive: Callable[[], None] = lambda: None) -> None:
        self.proven = False
        self._quotas = quotas
        self._client = client
        self._forgive: Callable[[], None] | None = forgive
        self._customer_id: int | None = None
        self._entered: set[int] = set()

    @property
    def room(self) -> ContentRoom | None:
        """The room for its contents, None where it is that of all."""
        rooms = self._quotas.rooms
        return None if rooms is None else rooms.of(self._customer_id, self._client)

    def begin_mail(self, customer_id: int | None) -> Reply | Refused | None:
        """Count a mail of a customer, None for who has proven nothing; or return why it is not taken."""
        self._customer_id = customer_id
        if customer_id is None:
            return None
        now, customers = self._quotas.clock(), self._quotas.customers
        if customer_id not in self._entered:
            refused = customers.enter(customer_id, now)
            if refused is not None:
                return refused
            self._entered.add(customer_id)
        self.proven = True
        self._excuse_connection()
        return customers.take_mail(customer_id, now)

    def take_recipient(self, before: int) -> Refused | None:
        """Count a recipient behind so many of this mail, or return why it is not taken."""
        quotas, now = self._quotas, self._quotas.clock()
        if self._customer_id is not None:
            return quotas.customers.take_recipient(self._customer_id, now)
        if quotas.clients.recipients and before >= quotas.clients.recipients:
            most = f"at most {quotas.clients.recipients} of a sender who has proven nothing yet"
            return Refused(refusal=Refusal.TOO_MANY_RECIPIENTS, detail=most)
        return _take(quotas.recipients, client_networks(self._client), now, f"recipients {_OF_CLIENT}")

    def take_content(self) -> Refused | None:
        """Count a content before it comes, or return why it may not."""
        quotas = self._quotas
        if self._customer_id is not None:
            return None
        return _take(quotas.mails, client_networks(self._client), quotas.clock(), f"mails {_OF_CLIENT}")

    def prove_content(self, customer_id: int) -> Refused | None:
        """Count a mail that itself proved whose it is; or return why it is not taken."""
        quotas, now = self._quotas, self._quotas.clock()
        quotas.mails.give_back(client_networks(self._client), now)
        self._excuse_connection()
        return quotas.customers.take_mail(customer_id, now)

    def close(self) -> None:
        """Count the session out."""
        for customer_id in self._entered:
            self._quotas.customers.leave(customer_id)
        self._entered.clear()

    def _excuse_connection(self) -> None:
        forgive, self._forgive = self._forgive, None
        if forgive is not None:
            forgive()


def _take(rate: Rate, shares: tuple[tuple[int | str, int], ...], now: float, of_whom: str) -> Refused | None:
    if rate.take_all(shares, now):
        return None
    return Refused(refusal=Refusal.RATE_LIMITED, detail=f"at most {rate.per_minute} {of_whom} in a minute")
