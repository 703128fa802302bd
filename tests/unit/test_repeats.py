"""The same text again without Message-ID: a repeat where the client did not hear its first answer, else another SMS."""

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest
import trustme

from addressbook.senders import Principal
from mta.smtp.server.server import AuthResult, ServerSettings
from tests.kit.smtp_door import QUICK, client_of, door
from tests.kit.testbed import ANNA, open_core, proven
from tests.unit.test_handler import handler
from tls.listening import TlsMode

ENVELOPE = (f"MAIL FROM:<{ANNA}>", "RCPT TO:<+447700900101@sms.example.net>", "DATA")
ALARM = f"From: {ANNA}\r\nSubject: Alarm\r\n\r\nDoor 3 is open.\r\n.\r\n"


AUTHORITY = trustme.CA()


def server_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("mx.example.net").configure_cert(context)
    return context


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


@asynccontextmanager
async def listening(core, tls=TlsMode.OFF):
    """Open a door where every login is one of acme."""
    acme = proven(core, "acme").customer_id

    def prove(_server, _session, _envelope, _mechanism, given):
        who = Principal(customer_id=acme, login=given.login.decode())
        return AuthResult(success=True, auth_data=who)

    settings = ServerSettings(hostname="mx.example.net", connections=QUICK, tls=tls, auth_needs_tls=False)
    async with door(handler(core), settings, contexts=server_context, authenticator=prove) as listener:
        yield listener


@asynccontextmanager
async def client(listener, login="AHgAeA==", tls=TlsMode.OFF):
    context = None if tls is TlsMode.OFF else client_context()
    async with client_of(listener, tls=context) as one:
        one.writer.write(b"EHLO device.example.org\r\n")
        await one.lines()
        await one.say(f"AUTH PLAIN {login}\r\n".encode())
        yield one


async def begin(one):
    for line in ENVELOPE:
        assert (await one.say(f"{line}\r\n".encode()))[:1] in "23"


async def send(one, content=ALARM):
    await begin(one)
    said = await one.say(content.encode())
    assert said.startswith("250 2.0.0 J."), said
    return said.split()[2]


def jobs(core):
    return [job.public_id for job in core.jobs()]


async def test_who_heard_the_answer_and_says_the_same_again_means_it(core):
    async with listening(core) as listener:
        async with client(listener) as one:
            first = [await send(one), await send(one)]
            assert (await one.say(b"QUIT\r\n")).startswith("221")
        async with client(listener) as one:
            first.append(await send(one))
            one.writer.close()  # without QUIT: its system has confirmed what it was told
        async with client(listener) as one:
            first.append(await send(one))
    assert len(set(first)) == 4
    assert jobs(core) == first


@pytest.mark.parametrize(
    ("behind", "half_closed", "tls"),
    [
        ("QUIT\r\n", False, TlsMode.OFF),
        ("QUIT\r\n", False, TlsMode.IMPLICIT),
        ("QUIT\r\n", True, TlsMode.OFF),
        ("", True, TlsMode.OFF),
    ],
)
async def test_who_ends_right_behind_a_mail_and_heard_the_answer_means_the_same_again(behind, half_closed, tls, core):
    async with listening(core, tls) as listener:
        said = []
        for _ in range(2):
            async with client(listener, tls=tls) as one:
                await begin(one)
                one.writer.write(f"{ALARM}{behind}".encode())
                if half_closed:
                    one.writer.write_eof()
                said += [(await one.hear()).split()[2]]
                assert not behind or (await one.hear()).startswith("221")
                while listener.connections:
                    await asyncio.sleep(0)
    assert len(set(said)) == 2
    assert jobs(core) == said


@pytest.mark.parametrize("ending", ["end", "reset"])
async def test_who_went_before_the_answer_and_sends_again_is_told_the_first_job(ending, core):
    async with listening(core) as listener:
        async with client(listener) as one:
            await begin(one)
            one.writer.write(ALARM.encode())
            await one.writer.drain()
            if ending == "end":
                one.writer.close()
            else:
                one.reset()
        await core.has_accepted.wait()
        async with client(listener) as one:
            again = await send(one)
            assert jobs(core) == [again]
            assert await send(one) != again  # this time it heard
    assert len(jobs(core)) == 2


async def test_after_a_crash_before_the_answer_the_first_job_is_told(core):
    async with listening(core) as listener, client(listener) as one:
        first = await send(one)
        async with listening(core) as after, client(after) as another:  # a process that knows of no connection
            assert await send(another) == first


async def test_clients_that_wait_at_the_same_time_mean_each_their_own(core):
    async with listening(core) as listener, client(listener) as one, client(listener) as two:
        await begin(one)
        await begin(two)
        one.writer.write(ALARM.encode())
        two.writer.write(ALARM.encode())
        said = [(await each.hear()).split()[2] for each in (one, two)]
    assert len(set(said)) == 2
    assert sorted(jobs(core)) == sorted(said)


async def test_another_client_with_the_same_words_is_no_repeat(core):
    async with listening(core) as listener:
        async with client(listener) as one:
            await begin(one)
            one.writer.write(ALARM.encode())
            await one.writer.drain()
            one.reset()
        await core.has_accepted.wait()
        async with client(listener, "AHkAeA==") as other:
            await send(other)
    assert len(jobs(core)) == 2


async def test_a_mail_with_a_message_id_is_known_again_whoever_heard(core):
    known = f"Message-ID: <1@example.com>\r\nDate: Mon, 23 Nov 2026 09:02:10 +0000\r\n{ALARM}"
    async with listening(core) as listener, client(listener) as one:
        assert await send(one, known) == await send(one, known)
        assert await send(one, known.replace("09:02:10", "09:02:11")) != jobs(core)[0]
    assert len(jobs(core)) == 2
