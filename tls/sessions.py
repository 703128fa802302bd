"""TLS sessions to resume: a session from one connection saves the next with the same key most of a handshake.

A session is used once (RFC 8446 appendix C.4), and only with its own key and context: so the peer was proven under the
same demand. The caller judges a resumed connection as any other, by the certificate in the session. Not here: whether a
connection is good enough (tls.policy).
"""

import ssl
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_offered: ContextVar[ssl.SSLSession | None] = ContextVar("offered_session", default=None)


class _ResumingObject(ssl.SSLObject):
    """Resumes the offered session when its handshake begins."""

    _begun = False

    def do_handshake(self) -> None:
        """Begin or continue the handshake."""
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


class TlsSessions:
    """The sessions of one kind of client, a few per key; the least recently used keys are forgotten first."""

    def __init__(
        self, *, monotonic: Callable[[], float], seconds: float = 3600.0, per_key: int = 5, keys: int = 1000
    ) -> None:
        """Keep each session for at most `seconds`, whatever its ticket says."""
        self._monotonic = monotonic
        self._seconds = seconds
        self._per_key = per_key
        self._keys = keys
        self._kept: OrderedDict[Hashable, list[_Kept]] = OrderedDict()

    @contextmanager
    def offer(self, key: Hashable, context: ssl.SSLContext) -> Iterator[None]:
        """Resume a session of this key, if any, in a handshake of this context that begins inside the block."""
        context.sslobject_class = _ResumingObject
        token = _offered.set(self._take(key, context))
        try:
            yield
        finally:
            _offered.reset(token)

    def keep(self, key: Hashable, tls: ssl.SSLObject) -> None:
        """Keep the sessions that the peer gave on this connection; in TLS 1.3 they come after the handshake."""
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
