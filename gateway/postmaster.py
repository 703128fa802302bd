"""Mail to the postmaster: kept within bounds before it is answered, then forwarded to the operator's mailbox.

RFC 5321 §4.5.1 wants it taken from everybody, so nobody has proven who he is: every bound counts for all, and nothing
is ever sent back to a sender, whose address may be somebody else's. The bounds of an hour are of one process. Not here:
which addresses these are and what a loop is (mta.postmaster), how the mail looks (mta.sending.forward) and travels
(mta.sending.deliver).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Protocol

import structlog

from gateway.notify import NextAttempt, is_given_up
from gateway.ports import Clock, MailAttempt
from gateway.worker import Worker
from sms.outcome import Done, Outcome, Refusal, Refused, Unknown
from store.engine.database import Database
from store.engine.keys import Keys, to_instant, to_stored
from store.postmaster import ForwardEnd, NewForward, PostmasterStore, TakeForward, TakenForward, mail_id, pack

log = structlog.get_logger()

_LOOK_EVERY = 5.0
_HOUR = 3600.0
_REPLY = 300


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
    """A mail as it came, `content` behind our Received line; `sender` is the reverse-path, empty for `<>`."""

    sender: str
    recipients: tuple[str, ...]
    client: str
    helo: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PostmasterMail:
    """A kept mail as it is forwarded; `identity` is the same at every attempt."""

    identity: str
    sender: str
    recipients: str
    client: str
    helo: str
    received_at: datetime
    content: bytes


class PostmasterSender(Protocol):
    """A way to the operator's mailbox."""

    async def send_forward(self, mail: PostmasterMail) -> MailAttempt:
        """Compose, sign and deliver; never raises for what a peer or a network does."""


class Postmaster:
    """Keeps mail to the postmaster and forwards it, one at a time; without a sender it takes none.

    `owner` names this process, as its lease does.
    """

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        database: Database,
        keys: Keys,
        sender: PostmasterSender | None,
        next_attempt: NextAttempt,
        clock: Clock,
        owner: str,
        bounds: PostmasterBounds | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bounds = bounds or PostmasterBounds()
        self._database = database
        self._store = PostmasterStore(keys)
        self._sender = sender
        self._next_attempt = next_attempt
        self._clock = clock
        self._owner = owner
        self._monotonic = monotonic
        self._lately: deque[tuple[float, str]] = deque()
        self._sending: asyncio.Task[ForwardEnd] | None = None
        self._stopping = False
        self._worker = Worker("postmaster", self._step, look_every=_LOOK_EVERY)

    async def recover(self) -> int:
        """Queue again what an earlier process was forwarding when it ended; returns how many."""
        return await self._database.write(self._store.recover, to_stored(self._clock.now()))

    def start(self) -> None:
        """Begin to forward."""
        if self._sender is not None:
            self._worker.start()

    async def stop(self) -> None:
        """Leave what is being forwarded for the next start, which tries it at once."""
        self._stopping = True
        if self._sending is not None:
            self._sending.cancel()
        await self._worker.stop()

    def refuse(self, client: str) -> Refused | None:
        """Return why no mail is taken from this client now, None where one is."""
        if self._sender is None:
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
        key = await self._database.write(
            self._store.add,
            NewForward(
                sender=mail.sender,
                recipients=" ".join(mail.recipients),
                client=mail.client,
                helo=mail.helo,
                packed=await asyncio.to_thread(pack, mail.content),
                now=to_stored(self._clock.now()),
                most=self.bounds.waiting,
            ),
        )
        if key is None:
            log.error("postmaster_mail_has_no_room", peer=mail.client, waiting=self.bounds.waiting)
            return Refused(refusal=Refusal.NO_STORAGE)
        log.info("postmaster_mail_received", mail=mail_id(key), peer=mail.client, octets=len(mail.content))
        self._worker.kick()
        return mail_id(key)

    async def _step(self) -> bool:
        request = TakeForward(owner=self._owner, now=to_stored(self._clock.now()))
        taken = await self._database.write(self._store.take, request)
        if taken is None:
            return False
        self._sending = asyncio.get_running_loop().create_task(self._send(taken))
        if self._stopping:  # while it was taken
            self._sending.cancel()
        await asyncio.wait({self._sending})
        if self._sending.cancelled():
            again = self._end(taken, "queued", reply="", due_at=to_stored(self._clock.now()))
            await self._database.write(self._store.end, again)
            return False
        end = self._sending.result()
        await self._database.write(self._store.end, end)
        facts = {"mail": mail_id(taken.key), "attempt": taken.attempt, "reply": end.last_reply}
        if end.state == "forwarded":
            log.info("postmaster_mail_forwarded", **facts)
        elif end.state == "failed":
            log.error("postmaster_mail_given_up", **facts)
        else:
            log.warning("postmaster_mail_waits", **facts)
        return True

    async def _send(self, taken: TakenForward) -> ForwardEnd:
        assert self._sender is not None
        mail = PostmasterMail(
            identity=mail_id(taken.key),
            sender=taken.sender,
            recipients=taken.recipients,
            client=taken.client,
            helo=taken.helo,
            received_at=to_instant(taken.received_at),
            content=taken.content,
        )
        outcome: Outcome | None = None
        try:
            attempt = await self._sender.send_forward(mail)
        except Exception as error:
            log.exception("postmaster_mail_broke", mail=mail.identity, cause=f"{type(error).__name__}: {error}"[:300])
            reply = "The gateway could not make or send this mail."
        else:
            outcome = attempt.outcome
            if isinstance(outcome, Done):
                return self._end(taken, "forwarded", reply=attempt.reply)
            problem = outcome.problem
            reply = problem.text if isinstance(outcome, Unknown) else attempt.reply or problem.cause or problem.text
        due = None
        if not is_given_up(outcome, taken.unanswered):
            due = self._next_attempt(taken.attempt, to_instant(taken.received_at), self._clock.now())
        end = self._end(taken, "failed" if due is None else "queued", reply=reply, due_at=to_stored(due) if due else 0)
        return replace(end, unanswered=isinstance(outcome, Unknown))

    def _end(self, taken: TakenForward, state: str, *, reply: str, due_at: int = 0) -> ForwardEnd:
        now = to_stored(self._clock.now())
        return ForwardEnd(
            key=taken.key, attempt=taken.attempt, state=state, now=now, due_at=due_at, last_reply=reply[:_REPLY]
        )


def network_of(client: str) -> str:
    """Return what counts as one source: the /24 of an IPv4 address, the /48 of another; what is no address, itself."""
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False))
