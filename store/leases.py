"""Who lives: leases of processes, of the links to carriers, of directories being read, and of a certificate's renewal.

A process acquires a lease under a name of its own that no start repeats (`owner`), renews it well within its time, and
ends it when it stops. Whoever finds a lease overdue declares its owner dead (`end_overdue`): from then on the dead one,
should it wake up, takes nothing (`LeaseLostError`) and cannot renew, and what it was submitting belongs to the finder.
It may go on under a new name. An overdue lease that nobody noticed is simply renewed. With SQLite there is one process
that submits (Database.open), so whoever else had a lease is gone and every request is granted.

A directory is read by a process of its own, with either database: whoever asks for its lease while it is another's is
refused, and that of a killed process runs out.

Time is the database's own (Transaction.now): clocks of nodes may differ. Not here: who renews and when (gateway).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from store.engine.transaction import StorageError, Transaction

_RENEWAL = "certificate renewal"  # with a blank: no carrier's name
_FORGOTTEN_AFTER = int(timedelta(days=30).total_seconds()) * 1_000_000


class LeaseLostError(StorageError):
    """This process was declared dead: it must not submit or send under this name any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLeaseRequest:
    """A process that wants to live as `owner`, a name that no other start ever had, under a node number of its own.

    `ended` is a process that is known to have ended: its lease is not waited for.
    """

    owner: str
    node: int
    ended: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierLeaseRequest:
    """A living process that wants to hold the link to a carrier."""

    owner: str
    carrier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryLeaseRequest:
    """A process that wants to read a directory, or goes on to: `owner` is a name that no other process ever had."""

    owner: str
    directory_key: int

    @property
    def name(self) -> str:
        """Return the name of the lease, which can't be that of a carrier."""
        return f"directory {self.directory_key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a process holds after it renewed: whether it lives at all, and the carriers whose links are its."""

    alive: bool
    carriers: frozenset[str] = frozenset()


class Leases:
    """The statements of leases; its methods are batch functions for `Database.write`. Renew three times per `life`."""

    def __init__(self, life: timedelta = timedelta(seconds=15)) -> None:
        self._life = int(life.total_seconds() * 1_000_000)

    def acquire(self, tx: Transaction, requests: list[NodeLeaseRequest]) -> list[bool]:
        """Let processes live; False while another living process has the node number: try again after its time."""
        return [self._acquire(tx, request) for request in requests]

    def _acquire(self, tx: Transaction, request: NodeLeaseRequest) -> bool:
        if tx.postgresql:
            tx.execute("LOCK TABLE node_lease IN SHARE ROW EXCLUSIVE MODE")  # two starts of one number come in order
        else:
            tx.execute("DELETE FROM node_lease")
            tx.execute("DELETE FROM lease WHERE name NOT LIKE 'directory %'")
        self.release(tx, [request.ended])
        end_overdue(tx)
        if tx.rows("SELECT 1 FROM node_lease WHERE node = ? AND NOT ended", (request.node,)):
            return False
        added = tx.execute(
            "INSERT INTO node_lease (owner, node, expires_at, ended) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (owner) DO NOTHING",
            (request.owner, request.node, tx.now() + self._life, False),
        )
        return added == 1

    def renew(self, tx: Transaction, owners: list[str]) -> list[Held]:
        """Prolong the lease of each process and of the links it still holds."""
        return [self._renew(tx, owner) for owner in owners]

    def _renew(self, tx: Transaction, owner: str) -> Held:
        until = tx.now() + self._life
        if not tx.execute("UPDATE node_lease SET expires_at = ? WHERE owner = ? AND NOT ended", (until, owner)):
            return Held(alive=False)
        rows = tx.rows("UPDATE lease SET expires_at = ? WHERE owner = ? RETURNING name", (until, owner))
        return Held(alive=True, carriers=frozenset(carrier for (carrier,) in rows))

    def release(self, tx: Transaction, owners: list[str]) -> list[None]:
        """End the lease of each process and give up its links: it has stopped."""
        for owner in owners:
            tx.execute("UPDATE node_lease SET ended = ?, expires_at = ? WHERE owner = ?", (True, tx.now(), owner))
            tx.execute("DELETE FROM lease WHERE owner = ?", (owner,))
        return [None] * len(owners)

    def acquire_carrier(self, tx: Transaction, requests: list[CarrierLeaseRequest]) -> list[bool]:
        """Hand over links that are free, overdue or of a dead process; False while another process holds it."""
        return [self._acquire_carrier(tx, request) for request in requests]

    def _acquire_carrier(self, tx: Transaction, request: CarrierLeaseRequest) -> bool:
        check_alive(tx, [request.owner])
        return self._take(tx, request.carrier, request.owner)

    def acquire_directory(self, tx: Transaction, requests: list[DirectoryLeaseRequest]) -> list[bool]:
        """Hand over directories that are free or overdue, and renew what is the owner's; False while another has it."""
        return [self._take(tx, request.name, request.owner) for request in requests]

    def acquire_renewal(self, tx: Transaction, owners: list[str]) -> list[bool]:
        """Let one process renew the certificate that all of them show; False while another one does."""
        check_alive(tx, owners)
        return [self._take(tx, _RENEWAL, owner) for owner in owners]

    def _take(self, tx: Transaction, name: str, owner: str) -> bool:
        now = tx.now()
        taken = tx.execute(
            "INSERT INTO lease (name, owner, expires_at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
            " SET owner = excluded.owner, expires_at = excluded.expires_at WHERE lease.owner = excluded.owner"
            " OR lease.expires_at <= ? OR lease.owner IN (SELECT owner FROM node_lease WHERE ended)",
            (name, owner, now + self._life, now),
        )
        return taken == 1


def end_overdue(tx: Transaction, owner: str = "") -> list[str]:
    """Declare dead whose lease is over, and return their names; forgets those that died a month ago.

    The process that asks under this name lives, however late its renewal is: it is not among them.
    """
    now = tx.now()
    tx.execute("DELETE FROM node_lease WHERE ended AND expires_at <= ?", (now - _FORGOTTEN_AFTER,))
    query = "UPDATE node_lease SET ended = ? WHERE NOT ended AND expires_at <= ? AND owner <> ? RETURNING owner"
    return [found for (found,) in tx.rows(query, (True, now, owner))]


def check_alive(tx: Transaction, owners: Iterable[str]) -> None:
    """Raise LeaseLostError where one of these processes was declared dead; otherwise none will be while `tx` is open.

    A process that never had a lease is not asked for one.
    """
    if not tx.postgresql:
        return
    for owner, ended in tx.rows_in("SELECT owner, ended FROM node_lease WHERE owner IN (??) FOR SHARE", set(owners)):
        if ended:
            raise LeaseLostError(f"{owner} was declared dead: its lease ran out before it was renewed")


def living_processes(tx: Transaction) -> list[tuple[int, str]]:
    """Return the processes that live, each with its node number and its name; with SQLite none of them has a lease."""
    rows = tx.rows("SELECT node, owner FROM node_lease WHERE NOT ended AND expires_at > ? ORDER BY node", (tx.now(),))
    return [(node, owner) for node, owner in rows]


def living_nodes(tx: Transaction) -> list[int]:
    """Return the node numbers of the processes that live; with SQLite none of them has a lease."""
    return [node for node, _ in living_processes(tx)]
