"""The entry to the SMTP server: `listen` and its arguments.

Not here: the dialogue (mta.smtp.engine.dialogue), the connection (mta.smtp.server.connection), the contract with
handlers (mta.smtp.server.hooks), who may send (mta.identify), handling a mail (mta.handler).
"""

import asyncio
import socket
from collections.abc import Mapping

import structlog

from gateway.listener import ConnectionLimits, Listener
from mta.smtp.engine.content import ContentRoom
from mta.smtp.engine.sasl import MECHANISMS, MakeMechanism
from mta.smtp.server.connection import ContextMaker, ServerSettings, SmtpConnection, SmtpService
from mta.smtp.server.hooks import (
    MISSING,
    Authenticator,
    AuthResult,
    Hooks,
    LoginPassword,
    MailDsn,
    MailEnvelope,
    MailSession,
    MechanismsOf,
    RcptDsn,
)
from mta.smtp.server.quotas import Quotas

__all__ = [
    "MISSING",
    "AuthResult",
    "ConnectionLimits",
    "Listener",
    "LoginPassword",
    "MailDsn",
    "MailEnvelope",
    "MailSession",
    "RcptDsn",
    "ServerSettings",
    "listen",
]


def offer_passwords(_session: MailSession) -> Mapping[str, MakeMechanism]:
    """Offer PLAIN and LOGIN to everybody."""
    return MECHANISMS


async def listen(  # noqa: PLR0913  (each is a door's own)
    handler: object,
    settings: ServerSettings,
    *,
    host: str | None = "127.0.0.1",
    port: int = 0,
    sock: socket.socket | None = None,
    contexts: ContextMaker | None = None,
    authenticator: Authenticator | None = None,
    room: ContentRoom | None = None,
    quotas: Quotas | None = None,
    mechanisms: MechanismsOf = offer_passwords,
    log: structlog.stdlib.BoundLogger | None = None,
) -> Listener:
    """Listen on the running loop; end it with the listener's `close`.

    `contexts` returns an SSLContext for each handshake, so that a new certificate is used from the next one on.
    `authenticator(server, session, envelope, mechanism, LoginPassword)` returns an AuthResult or an awaitable of one;
    of a mechanism without a password it gets the claim instead. `mechanisms` are asked for at each EHLO.
    `room` bounds the memory of open contents; several listeners may share one. `quotas` bound clients and customers.
    """
    hooks = Hooks(handler, authenticator, log or structlog.get_logger(), mechanisms)
    service = SmtpService(settings, hooks, contexts=contexts, room=room, quotas=quotas or Quotas())
    listener = Listener(settings.connections, asyncio.get_running_loop(), settings.proxies)
    await listener.open(lambda proxied: SmtpConnection(service, listener, proxied), host=host, port=port, sock=sock)
    return listener
