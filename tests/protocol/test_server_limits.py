"""A listener with too many connections or handshakes, on both loops: who is refused, and who makes room."""

# ruff: noqa: N802  (hooks have the names that aiosmtpd gives them)

import asyncio
import contextlib
import ssl
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs

from gateway.listener import ConnectionLimits, Listener
from mta.smtp.engine.events import DialogueLimits
from mta.smtp.server.quotas import ClientLimits, CustomerLimits, CustomerQuotas, Quotas
from mta.smtp.server.server import ServerSettings
from tests.kit.dialogues import ENVELOPE, HELLO, ROUTE
from tests.kit.smtp_door import Accepting, client_of, door, on_both_loops
from tls.listening import TlsMode

FULL = "421 4.7.0 Too many connections, try again later: at most 2 at a time"
GAVE_WAY = "421 4.7.0 Too many connections, try again later: the one that was silent longest makes room"


class Known(Accepting):
    """A handler for which every mail is of one customer."""

    async def handle_MAIL(self, server, session, envelope, address, options):
        refused = session.quota.begin_mail(1)
        envelope.mail_from = address
        return str(refused or "250 2.1.0 OK")


def settings(**limits) -> ServerSettings:
    more = limits.pop("server", {})
    connections = ConnectionLimits(sweep_seconds=0.01, linger_seconds=60, handshake_seconds=60, **limits)
    return ServerSettings(hostname="mx.example.net", connections=connections, **more)


async def accepted(listener: Listener, count: int) -> None:
    while listener.connections < count:
        await asyncio.sleep(0)


@on_both_loops
async def test_where_all_places_are_taken_the_one_that_was_silent_longest_makes_room():
    with capture_logs() as logs:
        async with (
            door(Accepting(), settings(total=2, spare_seconds=0.0)) as listener,
            client_of(listener) as silent,
            client_of(listener) as talking,
        ):
            await talking.say(HELLO)
            async with client_of(listener) as honest:
                await honest.say(HELLO)
                assert await silent.hear() == GAVE_WAY
                assert await silent.ended()
                assert listener.connections == 2
                assert await talking.say(b"NOOP\r\n") == "250 2.0.0 OK"
    assert [line["event"] for line in logs] == ["smtp_gave_way"]


@on_both_loops
async def test_one_that_was_heard_of_late_keeps_its_place():
    async with (
        door(Accepting(), settings(total=2, spare_seconds=60)) as listener,
        client_of(listener) as one,
        client_of(listener),
    ):
        async with client_of(listener, greeted=False) as third:
            assert await third.hear() == FULL
            assert await third.ended()
        assert await one.say(b"NOOP\r\n") == "250 2.0.0 OK"


@on_both_loops
async def test_a_customer_and_a_mail_that_is_judged_keep_their_places():
    handler = Known()
    async with (
        door(handler, settings(total=1, spare_seconds=0.0)) as listener,
        client_of(listener) as customer,
    ):
        await customer.say(HELLO)
        await customer.say(b"MAIL FROM:<a@example.com>\r\n")
        async with client_of(listener, greeted=False) as second:
            assert "at most 1 at a time" in await second.hear()
        assert (await customer.say(b"NOOP\r\n")).startswith("250")


@pytest.mark.parametrize("waits", [b"", HELLO + b"MAIL", ROUTE + b"x"], ids=["silent", "half a command", "half a mail"])
@on_both_loops
async def test_whatever_a_stranger_lets_us_wait_for_he_makes_room(waits):
    async with (
        door(Accepting(), settings(total=1, spare_seconds=0.0)) as listener,
        client_of(listener) as stranger,
    ):
        stranger.writer.write(waits)
        for _ in range(4 if waits.startswith(ROUTE) else min(len(waits), 1)):
            await stranger.hear()
        async with client_of(listener) as honest:
            await honest.say(HELLO)
        assert await stranger.hear() == GAVE_WAY


@on_both_loops
async def test_one_that_reads_nothing_makes_room_too():
    async with (
        door(
            Accepting(), settings(total=1, spare_seconds=0.0, server={"limits": DialogueLimits(idle_commands=10**6)})
        ) as listener,
        client_of(listener) as deaf,
    ):
        getattr(deaf.writer.transport, "pause_reading")()  # noqa: B009  (a stream's transport has it)
        (connection,) = listener._connections
        while getattr(connection, "_blocked_since", None) is None:
            deaf.writer.write(b"HELP\r\n" * 1000)
            await asyncio.sleep(0)
        async with client_of(listener) as honest:
            assert await honest.say(b"NOOP\r\n") == "250 2.0.0 OK"
            assert listener.connections == 1
        deaf.reset()


@pytest.fixture(scope="module")
def contexts():
    certificate = trustme.CA().issue_cert("mx.example.net")

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
        return context

    return make


@on_both_loops
async def test_the_longest_of_too_many_handshakes_makes_room(contexts):
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    limits = settings(handshakes=2, spare_seconds=0.0, server={"tls": TlsMode.IMPLICIT})
    async with door(Accepting(), limits, contexts=contexts) as listener, contextlib.AsyncExitStack() as stack:
        slow = []
        for count in range(1, 4):
            slow.append(await stack.enter_async_context(client_of(listener, greeted=False)))
            await accepted(listener, min(count, 2))
        assert await slow[0].ended()
        honest = await stack.enter_async_context(client_of(listener, tls=trusting))
        assert await honest.say(b"NOOP\r\n") == "250 2.0.0 OK"
        assert await slow[1].ended()


@on_both_loops
async def test_connections_of_a_minute_are_counted_by_client_unless_they_prove_whose_they_are():
    for handler, count, greeting in ((Accepting(), 3, "421"), (Known(), 9, "220")):
        with capture_logs() as logs:
            async with door(handler, settings(per_minute=3)) as listener:
                for _ in range(count):
                    async with client_of(listener) as client:
                        await client.say(HELLO)
                        await client.say(ENVELOPE[: ENVELOPE.index(b"\n") + 1])
                for _ in range(3):
                    async with client_of(listener, greeted=False) as client:
                        assert (await client.hear()).startswith(greeting)
        refused = [line for line in logs if line["event"] == "connection_refused"]
        told = "at most 3 a minute from one client that proves nothing"
        assert [line["limit"] for line in refused] == ([told] if greeting == "421" else [])


@on_both_loops
async def test_a_customer_with_too_many_connections_hears_421_at_mail_and_may_come_again():
    customers = CustomerQuotas(CustomerLimits(connections=1))
    mail = HELLO + b"MAIL FROM:<a@example.com>\r\n"
    async with (
        door(Known(), settings(), quotas=Quotas(customers=customers)) as listener,
        client_of(listener) as first,
    ):
        first.writer.write(mail)
        assert [(await first.hear())[:3] for _ in range(2)] == ["250", "250"]
        async with client_of(listener) as second:
            second.writer.write(mail)
            await second.hear()
            told = "421 4.7.0 Too many connections, try again later: at most 1 at a time from one customer"
            assert await second.hear() == told
            assert await second.ended()
        await first.close()
        while listener.connections:
            await asyncio.sleep(0)
        async with client_of(listener) as third:
            third.writer.write(mail)
            assert [(await third.hear())[:3] for _ in range(2)] == ["250", "250"]


@on_both_loops
async def test_a_session_keeps_its_quota_through_starttls_and_gives_its_place_back(contexts):
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    quotas = Quotas(ClientLimits(), CustomerQuotas(CustomerLimits(connections=1)))
    for _ in range(2):
        async with (
            door(Known(), settings(server={"tls": TlsMode.OFFER}), contexts=contexts, quotas=quotas) as listener,
            client_of(listener) as client,
        ):
            for _ in range(2):
                await client.say(HELLO)
                assert (await client.say(b"MAIL FROM:<a@example.com>\r\n")).startswith("250")
                await client.say(b"RSET\r\n")
                if listener_is_clear := (await client.say(b"STARTTLS\r\n")).startswith("220"):
                    await client.start_tls(trusting)
                assert listener_is_clear or (await client.say(b"QUIT\r\n")).startswith("221")


async def test_a_flood_of_refused_connections_is_one_line_of_the_log_in_a_minute():
    listener = Listener(ConnectionLimits(per_address=1), asyncio.get_running_loop())
    connection: Any = object
    with capture_logs() as logs:
        for _ in range(100):
            listener.admit(connection(), "192.0.2.1")
    assert [(line["event"], line["rip"]) for line in logs] == [("connection_refused", "192.0.2.1")]
