"""TLS sessions to go on with: what a peer gave at one connection spares the next of the same key most of a handshake.

A session is used once (RFC 8446 appendix C.4), and only under the key and the context it was made for: what was proven
of the peer then was proven under the same demand. Whoever offers one judges the connection as any other, by the
certificate that the session remembers. Not here: whether a connection is good enough (tls.policy).
"""

import ssl
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_offered: ContextVar[ssl.SSLSession | None] = ContextVar("offered_session", default=None)


class _ResumingObject(ssl.SSLObject):
    """Takes up the session that is offered where its handshake begins."""

    _begun = False

    def do_handshake(self) -> None:
        """Begin or go on with the handshake."""
        offered = None if self._begun else _offered.get()
        self._begun = True
        if offered is not None:
            self.session = offered
        super().do_handshake()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    session: ssl.SSLSession
    context: ssl.SSLContext
    until: float


class Sessions:
    """The sessions of one kind of client, a few per key; the keys unused for longest are forgotten first."""

    def __init__(
        self, *, monotonic: Callable[[], float], seconds: float = 3600.0, per_key: int = 5, keys: int = 1000
    ) -> None:
        """Keep each session for so many seconds at most, whatever its ticket says."""
        self._monotonic = monotonic
        self._seconds = seconds
        self._per_key = per_key
        self._keys = keys
        self._kept: OrderedDict[Hashable, list[_Kept]] = OrderedDict()

    @contextmanager
    def offer(self, key: Hashable, context: ssl.SSLContext) -> Iterator[None]:
        """Go on with a session of this key, if any, in a handshake of this context begun inside the block."""
        context.sslobject_class = _ResumingObject
        token = _offered.set(self._take(key, context))
        try:
            yield
        finally:
            _offered.reset(token)

    def keep(self, key: Hashable, tls: ssl.SSLObject) -> None:
        """Keep what the peer gave over this connection; in TLS 1.3 it does so some time after the handshake."""
        session = tls.session
        if session is None or not session.has_ticket:
            return
        kept = self._kept.setdefault(key, [])
        kept.append(_Kept(session=session, context=tls.context, until=self._monotonic() + self._seconds))
        del kept[: -self._per_key]
        self._kept.move_to_end(key)
        while len(self._kept) > self._keys:
            self._kept.popitem(last=False)

    def _take(self, key: Hashable, context: ssl.SSLContext) -> ssl.SSLSession | None:
        now = self._monotonic()
        fit = [each for each in self._kept.pop(key, ()) if each.context is context and each.until > now]
        if not fit:
            return None
        newest = fit.pop()
        if fit:
            self._kept[key] = fit
        return newest.session
