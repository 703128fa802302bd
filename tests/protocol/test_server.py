"""The server on real sockets, on both loops: hooks, disconnects, limits, shutting down."""

# ruff: noqa: N802  (hooks have the names that aiosmtpd gives them)

import asyncio
import re
import socket
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.listener import ConnectionLimits, Listener
from mta.smtp.engine.events import DialogueLimits
from mta.smtp.server.hooks import eager_hook
from mta.smtp.server.server import MISSING, MailEnvelope, MailSession, RcptDsn, ServerSettings
from tests.kit.dialogues import HELLO, ROUTE
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer
from tests.kit.smtp_door import (
    PIPELINED,
    QUICK,
    Accepting,
    Waiting,
    client_of,
    door,
    on_both_loops,
    pipeline_to_hooks_that_wait,
)


def settings(**more) -> ServerSettings:
    return ServerSettings(**{"hostname": "mx.example.net", "connections": QUICK, **more})


@on_both_loops
async def test_a_mail_reaches_the_handler_with_envelope_and_session():
    handler = Accepting()
    async with door(handler) as listener, client_of(listener) as client:
        await client.say(HELLO)
        await client.say(b"MAIL FROM:<a@example.com> SIZE=20 RET=HDRS ENVID=Job+2B1 BODY=8BITMIME\r\n")
        await client.say(b"RCPT TO:<1@sms.example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x+40example.com\r\n")
        await client.say(b"RCPT TO:<2@sms.example.net>\r\n")
        await client.say(b"DATA\r\n")
        assert await client.say(b"Subject: x\r\n\r\n..dot\r\n.\r\n") == "250 2.0.0 Kept"
        assert await client.say(b"QUIT\r\n") == "221 2.0.0 Goodbye"
        assert await client.ended()
    (envelope,), (session,) = handler.envelopes, handler.sessions
    assert isinstance(envelope, MailEnvelope)
    assert isinstance(session, MailSession)
    assert envelope.mail_from == envelope.reverse_path == "a@example.com"
    assert envelope.mail_options == ["SIZE=20", "RET=HDRS", "ENVID=Job+2B1", "BODY=8BITMIME"]
    assert (envelope.dsn.envid, envelope.dsn.ret) == ("Job+1", "HDRS")
    assert envelope.rcpt_tos == ["1@sms.example.net", "2@sms.example.net"]
    assert envelope.rcpt_options == ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;x+40example.com"]
    assert envelope.rcpt_dsn == [RcptDsn(notify="SUCCESS,FAILURE", orcpt="rfc822;x@example.com"), RcptDsn()]
    assert envelope.content == envelope.original_content == b"Subject: x\r\n\r\n.dot\r\n"
    assert not envelope.smtp_utf8
    assert session.client_address == "127.0.0.1"
    assert session.host_name == "client.example.com"
    assert session.extended_smtp
    assert session.ssl is None


@on_both_loops
async def test_every_hook_is_called_and_answers():
    calls: list[tuple] = []

    class Handler:
        async def handle_EHLO(self, server, session, envelope, hostname, responses):
            calls.append(("EHLO", hostname))
            session.host_name = hostname
            return [*responses[:-1], "250-XTEST", responses[-1]]

        async def handle_HELO(self, server, session, envelope, hostname):
            calls.append(("HELO", hostname))
            session.host_name = hostname
            return f"250 {server.hostname}"

        async def handle_MAIL(self, server, session, envelope, address, options):
            calls.append(("MAIL", address, options))
            envelope.mail_from = address
            return "250 2.1.0 sender"

        async def handle_RCPT(self, server, session, envelope, address, options):
            calls.append(("RCPT", address, envelope.rcpt_dsn[-1]))
            if address.startswith("no"):
                return "550 no such user"
            envelope.rcpt_tos.append(address)
            return "250 2.1.5 recipient"

        async def handle_DATA(self, server, session, envelope):
            assert server.loop is asyncio.get_running_loop()
            calls.append(("DATA", list(envelope.rcpt_tos), envelope.rcpt_dsn))
            return MISSING

        async def handle_RSET(self, server, session, envelope):
            return "250 2.0.0 reset"

        async def handle_NOOP(self, server, session, envelope, argument):
            return f"250 2.0.0 noop {argument}"

        async def handle_VRFY(self, server, session, envelope, address):
            return f"252 2.0.0 perhaps {address}"

        async def handle_QUIT(self, server, session, envelope):
            return "221 2.0.0 so long"

    async with door(Handler()) as listener, client_of(listener) as client:
        client.writer.write(HELLO)
        assert "250-XTEST" in await client.lines()
        assert await client.say(b"HELO again\r\n") == "250 mx.example.net"
        await client.say(HELLO)
        assert await client.say(b"MAIL FROM:<>\r\n") == "250 2.1.0 sender"
        assert await client.say(b"RCPT TO:<no@example.com> NOTIFY=NEVER\r\n") == "550 5.0.0 no such user"
        assert await client.say(b"RCPT TO:<yes@example.com> NOTIFY=DELAY\r\n") == "250 2.1.5 recipient"
        await client.say(b"DATA\r\n")
        assert await client.say(b"x\r\n.\r\n") == "250 2.0.0 OK"
        assert await client.say(b"RSET\r\n") == "250 2.0.0 reset"
        assert await client.say(b"NOOP a b\r\n") == "250 2.0.0 noop a b"
        assert await client.say(b"VRFY <x>\r\n") == "252 2.0.0 perhaps <x>"
        assert await client.say(b"QUIT\r\n") == "221 2.0.0 so long"
    assert calls[3:] == [
        ("MAIL", "<>", []),
        ("RCPT", "no@example.com", RcptDsn(notify="NEVER")),
        ("RCPT", "yes@example.com", RcptDsn(notify="DELAY")),
        ("DATA", ["yes@example.com"], [RcptDsn(notify="DELAY")]),
    ]


@on_both_loops
async def test_a_handlers_exception_is_451_without_a_word_of_it():
    class Handler:
        async def handle_DATA(self, server, session, envelope):
            raise RuntimeError("secret\r\n250 injected")

    with capture_logs() as logs:
        async with door(Handler()) as listener, client_of(listener) as client:
            client.writer.write(ROUTE)
            for _ in range(4):
                await client.hear()
            assert await client.say(b"x\r\n.\r\n") == "451 4.3.0 Local error, try again later"
            assert await client.say(b"NOOP\r\n") == "250 2.0.0 OK"
    (line,) = [line for line in logs if line["event"] == "smtp_handler_failed"]
    assert isinstance(line["exc_info"], RuntimeError)


@pytest.mark.parametrize(
    ("excuse", "reply"),
    [
        ("452 4.3.1 Full\r\n250 injected", "452 4.3.1 Full 250 injected"),
        (None, "451 4.3.0 Local error, try again later"),
        (KeyError(), "451 4.3.0 Local error, try again later"),
    ],
)
@on_both_loops
async def test_a_handler_may_word_its_own_exceptions(excuse, reply):
    class Handler:
        async def handle_NOOP(self, server, session, envelope, argument):
            return 250

        async def handle_exception(self, error):
            assert isinstance(error, TypeError)
            if isinstance(excuse, Exception):
                raise excuse
            return excuse

    async with door(Handler()) as listener, client_of(listener) as client:
        assert await client.say(b"NOOP\r\n") == reply


@pytest.mark.parametrize("excusing", [False, True])
@on_both_loops
async def test_a_hook_that_seldom_waits_is_begun_at_once_and_any_other_in_a_task(excusing):
    at_once: dict[str, bool] = {}

    class Handler:
        @eager_hook
        async def handle_MAIL(self, server, session, envelope, address, options):
            at_once["MAIL"] = asyncio.current_task() is None
            envelope.mail_from = address
            return "250 2.1.0 OK"

        @eager_hook
        async def handle_RCPT(self, server, session, envelope, address, options):
            at_once["RCPT"] = asyncio.current_task() is None
            raise RuntimeError

        async def handle_NOOP(self, server, session, envelope, argument):
            await asyncio.sleep(0)
            at_once["NOOP"] = asyncio.current_task() is None
            return "250 2.0.0 OK"

    class Excusing(Handler):
        async def handle_exception(self, error):
            await asyncio.sleep(0)
            return "452 4.3.1 Later"

    async with door(Excusing() if excusing else Handler()) as listener, client_of(listener) as client:
        await client.say(HELLO)
        assert await client.say(b"MAIL FROM:<a@example.com>\r\n") == "250 2.1.0 OK"
        reply = await client.say(b"RCPT TO:<1@sms.example.net>\r\n")
        assert reply == ("452 4.3.1 Later" if excusing else "451 4.3.0 Local error, try again later")
        await client.say(b"NOOP\r\n")
    # The hook for exceptions may wait, so that no other can be run at once beside it.
    assert at_once == {"MAIL": not excusing, "RCPT": not excusing, "NOOP": False}


@on_both_loops
async def test_pipelined_commands_wait_for_a_hook_that_waits_though_it_was_begun_at_once():
    handler = Waiting()
    async with door(handler) as listener, client_of(listener) as client:
        client.writer.write(HELLO)
        await client.lines()
        await pipeline_to_hooks_that_wait(handler, client)


@on_both_loops
async def test_a_client_that_is_gone_while_such_a_hook_waits_leaves_nothing_behind():
    handler = Waiting()
    with capture_logs() as logs:
        async with door(handler) as listener:
            async with client_of(listener) as client:
                await client.say(HELLO)
                client.writer.write(PIPELINED)
                await handler.waits.wait()
                client.reset()
            handler.may_go_on.set()
            async with client_of(listener) as client:
                client.writer.write(HELLO)
                await client.lines()
                client.writer.write(PIPELINED)
                assert [(await client.hear())[:3] for _ in range(5)] == ["250", "250", "550", "250", "354"]
    assert not [entry for entry in logs if entry["log_level"] in {"error", "critical"}]


class Slow(Accepting):
    """A handler that is told when to finish."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.ended = asyncio.Event()

    async def handle_DATA(self, server, session, envelope):
        self.begun.set()
        await self.may_end.wait()
        self.ended.set()
        return await super().handle_DATA(server, session, envelope)


@pytest.mark.parametrize("how", ["close", "reset"])
@on_both_loops
async def test_case_15_a_handler_runs_to_its_end_though_the_client_is_gone(how):
    handler = Slow()
    async with door(handler) as listener:
        async with client_of(listener) as client:
            client.writer.write(ROUTE + b"x\r\n.\r\n")
            await handler.begun.wait()
            if how == "reset":
                client.reset()
        while how == "reset" and listener.connections:
            await asyncio.sleep(0)
        handler.may_end.set()
        await asyncio.wait_for(handler.ended.wait(), PATIENCE)
    assert len(handler.envelopes) == 1


@on_both_loops
async def test_case_15_a_half_closed_connection_still_hears_250():
    handler = Slow()
    async with door(handler) as listener, client_of(listener) as client:
        client.writer.write(ROUTE + b"x\r\n.\r\n")
        client.writer.write_eof()
        await handler.begun.wait()
        handler.may_end.set()
        replies = [await client.hear() for _ in range(5)]
        assert replies[-1] == "250 2.0.0 Kept"
        assert await client.ended()


@on_both_loops
async def test_case_15_quit_behind_the_dot_works():
    handler = Accepting()
    async with door(handler) as listener, client_of(listener) as client:
        client.writer.write(ROUTE + b"x\r\n.\r\nQUIT\r\n")
        assert [(await client.hear())[:3] for _ in range(6)] == ["250", "250", "250", "354", "250", "221"]
        assert await client.ended()
    assert len(handler.envelopes) == 1


@on_both_loops
async def test_case_15_a_reset_before_the_dot_keeps_nothing():
    handler = Accepting()
    async with door(handler) as listener:
        async with client_of(listener) as client:
            client.writer.write(ROUTE + b"x\r\n.\r")
            for _ in range(4):
                await client.hear()
            client.reset()
        while listener.connections:
            await asyncio.sleep(0)
    assert handler.envelopes == []


@on_both_loops
async def test_the_replies_of_pipelined_commands_come_in_one_segment():
    async with door(Accepting()) as listener, client_of(listener) as client:
        client.writer.write(ROUTE)
        data = await client.reader.read(65536)
        assert data.count(b"\r\n250 2.1.") == 2
        assert data.endswith(b"354 End data with <CR><LF>.<CR><LF>\r\n")


@on_both_loops
async def test_case_9_a_client_that_talks_first_is_refused_and_nothing_is_accepted():
    handler = Accepting()
    with capture_logs() as logs:
        async with door(handler, settings(banner_seconds=5)) as listener, client_of(listener, greeted=False) as client:
            assert (
                await client.say(ROUTE + b"x\r\n.\r\n") == "554 5.5.1 Protocol error: client talked before the greeting"
            )
            assert await client.ended()
    assert handler.envelopes == []
    assert [line["incident"] for line in logs if line["event"] == "smtp_incident"] == ["early_talker"]


@on_both_loops
async def test_case_9_octets_that_wait_when_a_connection_is_taken_are_early_too():
    async with door(Accepting()) as listener:
        sock = socket.create_connection(listener.addresses[0])
        with sock:
            sock.sendall(HELLO)  # in the kernel before the loop has accepted
            sock.setblocking(False)
            assert (await asyncio.get_running_loop().sock_recv(sock, 100)).startswith(b"554 5.5.1")


@on_both_loops
async def test_the_greeting_comes_after_its_delay():
    async with door(Accepting(), settings(banner_seconds=0.02)) as listener, client_of(listener) as client:
        assert (await client.say(HELLO)) == "250 HELP"


@on_both_loops
async def test_case_8_a_flood_hears_421_and_is_gone():
    async with door(Accepting()) as listener, client_of(listener) as client:
        client.writer.write(b"XYZZY\r\n" * 10_000)
        replies = [await client.hear() for _ in range(21)]
        assert replies[-1] == "421 4.7.0 Too many errors, closing connection: at most 20 refused commands"
        assert await client.ended()


@on_both_loops
async def test_a_client_that_reads_nothing_is_not_read_either_and_dropped_in_the_end():
    limits = DialogueLimits(command=0.3, recipients=1, session=1000)
    async with door(Accepting(), settings(limits=limits)) as listener, client_of(listener) as client:
        client.writer.write(HELLO + b"MAIL FROM:<a@example.com>\r\n")
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]  # what only a stalled client does
        client.writer.write(b"RCPT TO:<b@example.com>\r\n" * 2_000_000)
        while listener.connections:
            await asyncio.sleep(0.01)


@on_both_loops
async def test_a_silent_client_is_timed_out():
    with capture_logs() as logs:
        async with (
            door(Accepting(), settings(limits=DialogueLimits(command=0.02))) as listener,
            client_of(listener) as client,
        ):
            assert await client.hear() == "421 4.4.2 Timeout, closing connection"
            assert await client.ended()
    assert [line["incident"] for line in logs if line["event"] == "smtp_incident"] == ["timed_out"]


@on_both_loops
async def test_one_address_gets_so_many_connections_and_all_together_so_many():
    few = ConnectionLimits(per_address=1, sweep_seconds=0.01)
    async with door(Accepting(), settings(connections=few)) as listener, client_of(listener):
        async with client_of(listener, greeted=False) as second:
            assert await second.hear() == (
                "421 4.7.0 Too many connections, try again later: at most 1 at a time from one client"
            )
            assert await second.ended()
        assert listener.connections == 1
    async with door(Accepting(), settings(connections=few)) as listener:
        for _ in range(3):
            async with client_of(listener) as client:
                await client.say(b"QUIT\r\n")
            while listener.connections:
                await asyncio.sleep(0)


@on_both_loops
async def test_an_ipv6_client_counts_with_its_network_and_a_mapped_one_as_ipv4():
    listener = Listener(ConnectionLimits(per_address=1), asyncio.get_running_loop())
    connection: Any = object
    assert listener.admit(connection(), "2001:db8::1") is None
    assert listener.admit(connection(), "2001:db8::2") == "at most 1 at a time from one client"
    assert listener.admit(connection(), "2001:db8:0:1::1") is None
    assert listener.admit(connection(), "192.0.2.1") is None
    assert listener.admit(connection(), "::ffff:192.0.2.1") == "at most 1 at a time from one client"


@on_both_loops
async def test_shutting_down_says_421_to_the_idle_and_lets_a_mail_finish():
    handler = Slow()
    async with (
        door(handler) as listener,
        client_of(listener) as idle,
        client_of(listener) as sending,
        client_of(listener) as waiting,
    ):
        await idle.say(HELLO)
        waiting.writer.write(ROUTE + b"x\r\n.\r\n")
        await handler.begun.wait()
        sending.writer.write(ROUTE)
        for _ in range(4):
            await sending.hear()
        closing = asyncio.create_task(listener.close(5))
        assert await idle.hear() == "421 4.3.2 Service shutting down, try again later"
        assert await idle.ended()
        handler.may_end.set()
        for _ in range(4):
            await waiting.hear()
        assert await waiting.hear() == "250 2.0.0 Kept"
        assert (await waiting.hear()).startswith("421 4.3.2")
        assert await sending.say(b"late\r\n.\r\n") == "250 2.0.0 Kept"
        assert (await sending.hear()).startswith("421 4.3.2")
        for client in (idle, sending, waiting):
            await client.close()
        await closing
        with pytest.raises(OSError):
            await asyncio.open_connection(*listener.addresses[0])
    assert [envelope.content for envelope in handler.envelopes] == [b"x\r\n", b"late\r\n"]


@on_both_loops
async def test_the_grace_ends_for_a_content_that_does_not():
    async with door(Accepting()) as listener, client_of(listener) as client:
        client.writer.write(ROUTE)
        for _ in range(4):
            await client.hear()
        await asyncio.wait_for(listener.close(0.05), PATIENCE)
        assert await client.ended()
        assert listener.connections == 0


@on_both_loops
async def test_case_46_what_a_peer_says_is_one_bounded_line_in_the_log():
    with capture_logs() as logs:
        async with (
            door(Accepting(), settings(banner_seconds=5)) as listener,
            client_of(listener, greeted=False) as client,
        ):
            client.writer.write(b"\x1b[31mred\x00\xff" * 1000)
            await client.ended()
    assert logs
    for line in logs:
        assert len(str(line)) < 500
        assert re.fullmatch(r"[\x20-\x7e]*", str(line))


@on_both_loops
async def test_swaks_delivers_a_mail():
    program = find_program("swaks")
    require_peer("swaks", program)
    handler = Accepting()
    async with door(handler) as listener:
        host, port = listener.addresses[0]
        process = await asyncio.create_subprocess_exec(
                str(program), "--server", host, "--port", str(port), "--from", "a@example.com", "--to", "447700900123@sms.example.net",
            "--body", "hello", "--pipeline", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode == 0, output.decode()
    assert b"hello" in handler.envelopes[0].content
