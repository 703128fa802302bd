"""One mail over an open connection: MAIL, RCPT and DATA, in one write with PIPELINING, and the content.

Every reply of a group is read, and after a refusal the commands already sent deliver nothing (RFC 2920 §3.1). Not here:
the connection and its library (mta.sending.deliver), what a fault means for the mail (mta.sending.answers). RFC 5321
§3.3, §4.5.2, RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8), RFC 8689 (REQUIRETLS).
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from mta.sending.answers import DeliveryFault, Stage, clean_reply
from mta.sending.attempts import FaultError
from mta.sending.fields import with_crlf
from mta.sending.outgoing import ClientTimeouts
from mta.sending.replies import ReplyKind, ServerReply

_CLOSING = 421
_SIZE_DIGITS = 20
_CONTROLS = re.compile(rb"[\x00-\x1f\x7f]")
# How long to wait for a peer that just refused a mail, only to end the transaction properly.
POLITE_SECONDS = 5.0


class Wire(Protocol):
    """An open connection for a transaction; every failure is a `FaultError` of the stage."""

    @property
    def require_tls(self) -> bool:
        """Whether the server must treat mails as REQUIRETLS demands."""

    def find_extension(self, name: str) -> str | None:
        """Return the parameters of an extension that the server offers, None if it does not."""

    def write(self, stage: Stage, data: bytes) -> None:
        """Send octets; the caller must not await between this and the first `read`."""

    async def read(self, stage: Stage, seconds: float) -> ServerReply:
        """Return the next reply; after the content also an unfinished one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpCommand:
    """One command of an envelope, and the first digit of the accepting codes."""

    stage: Stage
    line: bytes
    expected: ReplyKind = ReplyKind.YES


class MailTransaction:
    """One mail to one recipient; `in_step`: both sides agree on the state, so that QUIT may follow."""

    def __init__(self, wire: Wire, patience: ClientTimeouts, monotonic: Callable[[], float]) -> None:
        self.in_step = True
        self._wire = wire
        self._patience = patience
        self._monotonic = monotonic

    async def send(self, sender: str, recipient: str, message: bytes, deadline: float) -> str:
        """Run it and return the last reply; raises `FaultError`."""
        options = self._choose_options(sender, recipient, message)
        commands = (
            _command(Stage.MAIL, f"MAIL FROM:<{sender}>", *options),
            _command(Stage.RCPT, f"RCPT TO:<{recipient}>"),
            _command(Stage.DATA, "DATA", expected=ReplyKind.GO_ON),
        )
        if self._wire.find_extension("pipelining") is not None:
            groups: Sequence[tuple[SmtpCommand, ...]] = (commands,)
        else:
            groups = [(command,) for command in commands]
        self.in_step = False
        for group in groups:
            self._wire.write(group[0].stage, b"".join(command.line for command in group))
            await self._read_replies(group, deadline)
        self._wire.write(Stage.CONTENT, as_content(message))
        reply = await self._wire.read(Stage.CONTENT, self._patience.content)
        self.in_step = bool(reply.code)
        if not reply.takes_mail:
            raise FaultError(fault_of(Stage.CONTENT, reply))
        return clean_reply(f"{reply.code} {reply.words}" if reply.code else reply.first)

    def _choose_options(self, sender: str, recipient: str, message: bytes) -> list[str]:
        options: list[str] = []
        limit = self._wire.find_extension("size")
        if limit is not None:
            # RFC 1870 §6.1; a limit of more digits bounds nothing, and int() may refuse it
            if limit.isdecimal() and len(limit) <= _SIZE_DIGITS and 0 < int(limit) < len(message):
                raise FaultError(DeliveryFault(stage=Stage.MAIL, code=552, cause="5.3.4 larger than the server takes"))
            options.append(f"SIZE={len(message)}")
        if not message.isascii():
            if self._wire.find_extension("8bitmime") is None:  # RFC 6152 §3: converting would break the signature
                raise FaultError(
                    DeliveryFault(stage=Stage.MAIL, code=554, cause="5.6.3 the server takes no 8-bit mail")
                )
            options.append("BODY=8BITMIME")
        if not (sender.isascii() and recipient.isascii()):
            if self._wire.find_extension("smtputf8") is None:  # RFC 6531 §3.5
                raise FaultError(DeliveryFault(stage=Stage.MAIL, code=553, cause="5.6.7 addresses must be ASCII there"))
            options.append("SMTPUTF8")
        if self._wire.require_tls:
            options.append("REQUIRETLS")
        return options

    async def _read_replies(self, group: Sequence[SmtpCommand], deadline: float) -> None:
        """Read the reply to each command; raises the first refusal after reading the others."""
        refusal: FaultError | None = None
        accepted: set[Stage] = set()
        for command in group:
            patience = self._patience.command if refusal is None else min(POLITE_SECONDS, self._patience.command)
            try:
                reply = await self._wire.read(command.stage, seconds_left(deadline, patience, self._monotonic))
            except FaultError:
                if refusal is not None:
                    break
                raise
            if reply.is_kind(command.expected):
                accepted.add(command.stage)
                continue
            refusal = refusal or FaultError(fault_of(command.stage, reply))
            if reply.code == _CLOSING or not (reply.is_kind(ReplyKind.LATER) or reply.is_kind(ReplyKind.NO)):
                break  # it is closing, or out of step
        else:
            if refusal is not None:
                self.in_step = await self._end_refused(accepted)
        if refusal is not None:
            raise refusal

    async def _end_refused(self, accepted: set[Stage]) -> bool:
        """End a transaction after all its replies; returns whether QUIT may be sent."""
        if Stage.DATA not in accepted:
            return True
        if Stage.RCPT in accepted:
            return False  # only the sender was refused: a dot would deliver an empty mail
        # RFC 2920 §3.1: no recipient is left, but it waits for content
        with suppress(FaultError):
            self._wire.write(Stage.CONTENT, b".\r\n")
            reply = await self._wire.read(Stage.CONTENT, min(POLITE_SECONDS, self._patience.command))
            return bool(reply.code)
        return False


def fault_of(stage: Stage, reply: ServerReply) -> DeliveryFault:
    """Return the fault for a reply of the wrong class."""
    return DeliveryFault(stage=stage, code=reply.code, cause=clean_reply(reply.words))


def _command(stage: Stage, *words: str, expected: ReplyKind = ReplyKind.YES) -> SmtpCommand:
    line = " ".join(words).encode()
    if _CONTROLS.search(line):
        raise FaultError(DeliveryFault(stage=stage, cause="a control character in an address"))
    return SmtpCommand(stage=stage, line=line + b"\r\n", expected=expected)


def as_content(message: bytes) -> bytes:
    """Return the message for DATA: dots at the start of a line doubled, with the final dot."""
    message = with_crlf(message).replace(b"\r\n.", b"\r\n..")  # RFC 5321 §4.5.2
    first, last = b"." if message.startswith(b".") else b"", b"" if message.endswith(b"\r\n") else b"\r\n"
    return b"".join((first, message, last, b".\r\n"))


def seconds_left(deadline: float, most: float, monotonic: Callable[[], float]) -> float:
    """Return the seconds for one step: its own bound or the rest of the attempt, but at least a moment."""
    return max(min(most, deadline - monotonic()), 0.1)
