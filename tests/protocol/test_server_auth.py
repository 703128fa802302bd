"""AUTH on real sockets, on both loops: authenticators, a handler's own mechanisms, what is logged."""

# ruff: noqa: N802  (hooks have the names that aiosmtpd gives them)

import asyncio

from structlog.testing import capture_logs

from mta.smtp.server.server import MISSING, AuthResult, LoginPassword, ServerSettings
from tests.kit.dialogues import ENVELOPE, HELLO
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
async def test_a_handlers_own_mechanism_may_challenge():
    class Handler(Accepting):
        async def auth_X__TEST(self, server, args):
            if len(args) == 2:
                await server.push("501 5.5.4 No initial response")
                return AuthResult(success=False)
            answer = await server.challenge_auth("first")
            if answer is MISSING:
                return AuthResult(success=False)
            second = await server.challenge_auth(b"second", encode_to_b64=True)
            return AuthResult(success=(answer, second) == (b"one", b"two"), handled=False, auth_data=answer)

    async with door(Handler(), settings(auth_needs_tls=False)) as listener, client_of(listener) as client:
        client.writer.write(HELLO)
        assert "250-AUTH X-TEST" in await client.lines()
        assert await client.say(b"AUTH x-test abc\r\n") == "501 5.5.4 No initial response"
        assert await client.say(b"AUTH X-TEST\r\n") == "334 Zmlyc3Q="
        assert await client.say(b"*\r\n") == "501 5.7.0 Authentication cancelled"
        assert await client.say(b"AUTH X-TEST\r\n") == "334 Zmlyc3Q="
        assert await client.say(b"b25l\r\n") == "334 c2Vjb25k"
        assert await client.say(b"b25l\r\n") == "535 5.7.8 Authentication credentials invalid"
        client.writer.write(b"AUTH X-TEST\r\nb25l\r\ndHdv\r\n")
        assert [await client.hear() for _ in range(3)] == [
            "334 Zmlyc3Q=",
            "334 c2Vjb25k",
            "235 2.7.0 Authentication successful",
        ]


@on_both_loops
async def test_a_client_gone_in_the_middle_of_a_challenge_leaves_nothing_waiting():
    class Handler(Accepting):
        answers: list

        async def auth_TEST(self, server, args):
            self.answers.append(await server.challenge_auth(""))
            return AuthResult(success=False)

    handler = Handler()
    handler.answers = []
    async with door(handler, settings(auth_needs_tls=False)) as listener:
        async with client_of(listener) as client:
            await client.say(HELLO)
            await client.say(b"AUTH TEST\r\n")
        while listener.connections:
            await asyncio.sleep(0)
    assert handler.answers == [MISSING]
