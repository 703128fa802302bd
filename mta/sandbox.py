"""The mailbox of `mail2sms demo` and of tests: takes every mail, keeps it, hands it out. Never a real mail server.

aiosmtpd's own Controller, in its own thread, on loopback. STARTTLS is offered with a certificate made on the spot.
Not here: our own SMTP server (mta.smtp.server.server).
"""

import asyncio
import itertools
import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tls.listening import ListenerTls, ServerCertificate
from tls.selfsigned import SelfSigned, make_self_signed
from tls.server_contexts import build_server_context

_LARGEST = 32 * 1024 * 1024
_CLOSING_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMail:
    """A mail as it arrived. `tls` is protocol version and cipher, empty in clear; `file` where it was written."""

    envelope_from: str
    recipients: tuple[str, ...]
    content: bytes
    greeting: str
    tls: str
    arrived_at: datetime
    file: Path | None = None

    @property
    def message(self) -> EmailMessage:
        """The content, parsed."""
        parsed = message_from_bytes(self.content, policy=modern)
        if not isinstance(parsed, EmailMessage):
            raise TypeError("the modern policy makes EmailMessage")
        return parsed


class _Mailbox:
    """The handler: keeps mails under a lock, since the server runs in a thread of its own."""

    def __init__(self, folder: Path | None) -> None:
        self.mails: list[StoredMail] = []
        self.arrived = threading.Condition()
        self._folder = folder
        self._numbers = itertools.count(1)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep the mail, in the folder too where there is one."""
        tls = server.transport.get_extra_info("ssl_object") if server.transport is not None else None
        content = bytes(envelope.original_content or b"")
        mail = StoredMail(
            envelope_from="" if envelope.mail_from in {None, "<>"} else str(envelope.mail_from),
            recipients=tuple(envelope.rcpt_tos),
            content=content,
            greeting=session.host_name or "",
            tls=f"{tls.version()} {tls.cipher()[0]}" if tls is not None else "",
            arrived_at=datetime.now(UTC),
            file=self._write(content),
        )
        with self.arrived:
            self.mails.append(mail)
            self.arrived.notify_all()
        return "250 2.0.0 kept in the sandbox"

    def _write(self, content: bytes) -> Path | None:
        if self._folder is None:
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in self._numbers:
            file = self._folder / f"{number:05}.eml"
            try:
                with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                    opened.write(content)
            except FileExistsError:
                continue
            return file
        return None


class _BoundController(Controller):
    """A Controller over a socket that is bound already, so that the port is known and nobody else can take it."""

    def __init__(self, handler: object, bound: socket.socket, **options: Any) -> None:
        host, port = bound.getsockname()[:2]
        super().__init__(handler, hostname=host, port=port, **options)
        self._bound = bound
        self._sessions: list[SMTP] = []

    def factory(self) -> SMTP:
        """Remember each session, to end it at the stop."""
        session: SMTP = super().factory()  # type: ignore[no-untyped-call] # aiosmtpd annotates it only in part
        self._sessions.append(session)
        return session

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        awaitable: Awaitable[asyncio.AbstractServer] = self.loop.create_server(
            self._factory_invoker, sock=self._bound, ssl=self.ssl_context
        )
        return awaitable

    def cancel_tasks(self, stop_loop: bool = True) -> None:  # noqa: FBT001, FBT002 - aiosmtpd's signature
        """End open connections too: from Python 3.12 on a server waits for them for ever."""
        for session in self._sessions:
            if isinstance(session.transport, asyncio.WriteTransport):
                session.transport.abort()
        super().cancel_tasks(stop_loop=False)
        if stop_loop:
            # An aborted connection is closed by the loop's next rounds, one under TLS takes several.
            self.loop.call_later(_CLOSING_SECONDS, self.loop.stop)


class Sandbox:
    """A mailbox at `host`:`port` (0: any free port), with mails in memory and, where given, as .eml in a folder.

    `certificate` None makes one for `hostname`; `offer_tls` off leaves STARTTLS out.
    """

    def __init__(  # noqa: PLR0913 - all by name, each with its default
        self,
        *,
        hostname: str = "localhost",
        host: str = "127.0.0.1",
        port: int = 0,
        folder: Path | None = None,
        certificate: SelfSigned | None = None,
        offer_tls: bool = True,
    ) -> None:
        self._mailbox = _Mailbox(folder)
        self.certificate = (certificate or make_self_signed(hostname)) if offer_tls else None
        context = _build_context(self.certificate) if self.certificate is not None else None
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except BaseException:
            bound.close()
            raise
        self.host, self.port = bound.getsockname()[:2]
        self._controller = _BoundController(
            self._mailbox,
            bound,
            server_hostname=hostname,
            ident="sandbox",
            tls_context=context,
            data_size_limit=_LARGEST,
        )

    def start(self) -> None:
        """Begin to take mail; returns when the port answers."""
        self._controller.start()

    def stop(self) -> None:
        """End all connections and the thread; what was kept stays readable."""
        self._controller.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def mails(self) -> tuple[StoredMail, ...]:
        """All mails so far, oldest first."""
        with self._mailbox.arrived:
            return tuple(self._mailbox.mails)

    async def wait_for_mails(self, count: int, timeout: float) -> tuple[StoredMail, ...]:  # noqa: ASYNC109 - it waits for a thread
        """Return all mails as soon as there are `count`; raises TimeoutError after `timeout` seconds."""

        def wait() -> tuple[StoredMail, ...]:
            with self._mailbox.arrived:
                if not self._mailbox.arrived.wait_for(lambda: len(self._mailbox.mails) >= count, timeout):
                    raise TimeoutError(f"{len(self._mailbox.mails)} of {count} mails after {timeout} s")
                return tuple(self._mailbox.mails)

        return await asyncio.to_thread(wait)

    async def wait_for_mail(self, timeout: float) -> StoredMail:  # noqa: ASYNC109 - it waits for a thread
        """Return the newest mail as soon as there is one; raises TimeoutError after `timeout` seconds."""
        return (await self.wait_for_mails(1, timeout))[-1]


def _build_context(certificate: SelfSigned) -> ssl.SSLContext:
    # OpenSSL reads certificates from files only.
    with tempfile.TemporaryDirectory() as folder:
        certificate_file, key_file = certificate.write(Path(folder))
        shown = ServerCertificate(certificate_file=certificate_file, key_file=key_file)
        return build_server_context(ListenerTls(certificates=(shown,)))
