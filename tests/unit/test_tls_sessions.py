"""Which TLS session goes with which connection: the newest of the same key and context, once, in time and in bounds."""

import ssl
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tests.kit.clock import Clock
from tls import sessions as module
from tls.sessions import TlsSessions

HERE, THERE = (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(2))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ended(name: str, context: ssl.SSLContext = HERE, *, ticket: bool = True) -> Any:
    """Make a connection that got a session called so."""
    return SimpleNamespace(session=SimpleNamespace(name=name, has_ticket=ticket), context=context)


def offered(sessions: TlsSessions, key: str, context: ssl.SSLContext = HERE) -> str | None:
    with sessions.offer(key, context):
        session: Any = module._offered.get()
    assert module._offered.get() is None
    return session.name if session else None


def test_each_session_is_offered_once_and_the_newest_first(clock):
    sessions = TlsSessions(monotonic=clock.monotonic)
    sessions.keep("a", ended("first"))
    sessions.keep("a", ended("second"))
    assert [offered(sessions, "a") for _ in range(3)] == ["second", "first", None]


def test_a_session_stays_with_its_key_and_context(clock):
    sessions = TlsSessions(monotonic=clock.monotonic)
    sessions.keep("a", ended("of a"))
    assert offered(sessions, "b") is None
    assert offered(sessions, "a", THERE) is None


def test_a_session_without_a_ticket_or_none_at_all_is_not_kept(clock):
    sessions = TlsSessions(monotonic=clock.monotonic)
    sessions.keep("a", ended("x", ticket=False))
    nothing: Any = SimpleNamespace(session=None, context=HERE)
    sessions.keep("a", nothing)
    assert offered(sessions, "a") is None


def test_a_session_ends_with_its_time(clock):
    sessions = TlsSessions(monotonic=clock.monotonic, seconds=10)
    sessions.keep("a", ended("x"))
    clock.move(timedelta(seconds=10))
    assert offered(sessions, "a") is None


def test_the_keys_unused_for_longest_and_the_oldest_sessions_are_forgotten(clock):
    sessions = TlsSessions(monotonic=clock.monotonic, per_key=2, keys=2)
    for key in ("a", "b", "a", "c", "a", "a"):
        sessions.keep(key, ended(key))
    assert offered(sessions, "b") is None
    assert [offered(sessions, "a") for _ in range(3)] == ["a", "a", None]
    assert offered(sessions, "c") == "c"
