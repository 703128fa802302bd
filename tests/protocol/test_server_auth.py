"""AUTH on real sockets, on both loops: authenticators, mechanisms of several steps, the log."""

import asyncio

from structlog.testing import capture_logs

from mta.smtp.server.server import AuthResult, LoginPassword, ServerSettings
from tests.kit.dialogues import ENVELOPE, HELLO, ThreeQuestions
from tests.kit.smtp_door import QUICK, Accepting, client_of, door, on_both_loops


def settings(**more) -> ServerSettings:
    return ServerSettings(**{"hostname": "mx.example.net", "connections": QUICK, **more})


def prove(server, session, envelope, mechanism, given):
    assert isinstance(given, LoginPassword)
    good = given.password == b"secret"
    return AuthResult(success=good, handled=good, auth_data={"who": given.login})


@on_both_loops
async def test_an_authenticators_word_decides_and_each_failure_is_one_log_line():
    handler = Accepting()
    with capture_logs() as logs:
        async with (
            door(handler, settings(auth_needs_tls=False, auth_required=True), authenticator=prove) as listener,
            client_of(listener) as client,
        ):
            client.writer.write(HELLO)
            assert "250-AUTH LOGIN PLAIN" in await client.lines()
            assert await client.say(b"MAIL FROM:<a@example.com>\r\n") == "530 5.7.0 Authentication required"
            assert (
                await client.say(b"AUTH PLAIN AGRlbW8AeA0KeA==\r\n") == "535 5.7.8 Authentication credentials invalid"
            )
            await client.say(b"AUTH LOGIN\r\n")
            await client.say(b"ZGVtbw0K4oCoeA==\r\n")
            assert (await client.say(b"eA==\r\n")).startswith("535")
            assert await client.say(b"AUTH PLAIN AGRlbW8Ac2VjcmV0\r\n") == "235 2.7.0 Authentication successful"
            client.writer.write(ENVELOPE + b"DATA\r\n")
            for _ in range(3):
                await client.hear()
            await client.say(b"x\r\n.\r\n")
    failed = [line for line in logs if line["event"] == "auth_failed"]
    assert [(line["user"], line["rip"]) for line in failed] == [
        ("demo", "127.0.0.1"),
        (r"demo\r\n\u2028x", "127.0.0.1"),
    ]
    assert "secret" not in repr(logs)
    (session,) = handler.sessions
    assert session.authenticated
    assert session.auth_data == {"who": b"demo"}


@on_both_loops
async def test_an_authenticator_may_be_awaited_and_word_its_refusal():
    async def later(server, session, envelope, mechanism, given):
        await asyncio.sleep(0)
        return AuthResult(success=False, handled=False, message="454 4.7.0 Later")

    with capture_logs() as logs:
        async with (
            door(Accepting(), settings(auth_needs_tls=False), authenticator=later) as listener,
            client_of(listener) as client,
        ):
            await client.say(HELLO)
            assert await client.say(b"AUTH PLAIN AGRlbW8Ac2VjcmV0\r\n") == "454 4.7.0 Later"
    assert not [line for line in logs if line["event"] == "auth_failed"]


@on_both_loops
async def test_a_mechanism_may_challenge_as_often_as_it_needs():
    def judge(server, session, envelope, mechanism, given):
        good = (mechanism, given.login, given.password) == ("X-THREE", b"demo", b"red secret")
        return AuthResult(success=good, handled=good, auth_data="proven")

    handler = Accepting()
    terms = settings(auth_needs_tls=False, auth_required=True)
    async with (
        door(handler, terms, authenticator=judge, mechanisms=lambda _session: {"X-THREE": ThreeQuestions}) as listener,
        client_of(listener) as client,
    ):
        client.writer.write(HELLO)
        assert "250-AUTH X-THREE" in await client.lines()
        assert await client.say(b"AUTH PLAIN AGRlbW8Ac2VjcmV0\r\n") == "504 5.5.4 Unrecognized authentication type"
        assert await client.say(b"AUTH X-THREE\r\n") == "334 Q29sb3VyPw=="
        assert await client.say(b"*\r\n") == "501 5.7.0 Authentication cancelled"
        assert await client.say(b"AUTH X-THREE\r\n") == "334 Q29sb3VyPw=="
        assert await client.say(b"Ymx1ZQ==\r\n") == "334 TG9naW4/"
        assert await client.say(b"ZGVtbw==\r\n") == "334 UGFzc3dvcmQ/"
        assert await client.say(b"c2VjcmV0\r\n") == "535 5.7.8 Authentication credentials invalid"
        client.writer.write(b"AUTH X-THREE cmVk\r\nZGVtbw==\r\nc2VjcmV0\r\n")
        assert [await client.hear() for _ in range(3)] == [
            "334 TG9naW4/",
            "334 UGFzc3dvcmQ/",
            "235 2.7.0 Authentication successful",
        ]
        client.writer.write(ENVELOPE + b"DATA\r\n")
        for _ in range(3):
            await client.hear()
        await client.say(b"x\r\n.\r\n")
    (session,) = handler.sessions
    assert session.auth_data == "proven"


@on_both_loops
async def test_a_client_gone_in_the_middle_of_an_exchange_leaves_nothing_waiting():
    asked: list[object] = []
    async with door(
        Accepting(),
        settings(auth_needs_tls=False),
        authenticator=asked.append,
        mechanisms=lambda _session: {"X-THREE": ThreeQuestions},
    ) as listener:
        async with client_of(listener) as client:
            await client.say(HELLO)
            await client.say(b"AUTH X-THREE cmVk\r\n")
        while listener.connections:
            await asyncio.sleep(0)
    assert not asked
