"""The cases of a conversation under attack that need the gateway behind the door: who pays, which number, what is kept."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from addressbook.senders import Principal
from mta.smtp.engine.events import DialogueLimits
from mta.smtp.server.server import AuthResult, ServerSettings
from tests.kit.ends_of_data import BARE_ENDS, ENDS, smuggled
from tests.kit.installation import DOMAIN, mail
from tests.kit.patience import PATIENCE
from tests.kit.proving_site import site_of
from tests.kit.smtp_door import QUICK, Client, client_of, door
from tests.kit.testbed import ANNA, BOB, administer, make_house, open_core, proven
from tests.unit.test_handler import handler

DIGITS = "447700900101"
NUMBER = f"+{DIGITS}"
RIVAL = "boss@rival.example.com"


@pytest.fixture
def core(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    administer(core.folder, "customer add-range acme 127.0.0.0/8")
    core.book.load_now()
    yield core
    core.database.close()


@pytest.fixture
async def client(core):
    """A client in a range of acme, which has said EHLO and may make many errors."""
    limits = DialogueLimits(errors=200)
    settings = ServerSettings(hostname="mx.example.net", connections=QUICK, limits=limits)
    async with door(handler(core), settings) as listener, client_of(listener) as one:
        await one.say(b"EHLO client.example.com\r\n")
        yield one


@asynccontextmanager
async def logged_in(core, customer: str):
    """Give a client that has logged in as a customer, at a door in clear."""

    def prove(_server, _session, _envelope, _mechanism, given):
        who = Principal(customer_id=proven(core, customer).customer_id, login=given.login.decode())
        return AuthResult(success=True, auth_data=who)

    settings = ServerSettings(hostname="mx.example.net", connections=QUICK, auth_needs_tls=False)
    async with door(handler(core), settings, authenticator=prove) as listener, client_of(listener) as one:
        await one.say(b"EHLO client.example.com\r\n")
        assert (await one.say(b"AUTH PLAIN AGRlbW8Ac2VjcmV0\r\n")).startswith("235")
        yield one


async def send(client: Client, raw: bytes, *, sender: str = ANNA, to=(f"{NUMBER}@{DOMAIN}",)) -> list[str]:
    """Play a mail up to the first refused command; returns the replies."""
    replies = [await client.say(f"MAIL FROM:<{sender}>\r\n".encode())]
    for address in to:
        if replies[-1].startswith("250"):
            replies.append(await client.say(f"RCPT TO:<{address}>\r\n".encode()))
    if replies[-1].startswith("250"):
        replies.append(await client.say(b"DATA\r\n"))
    if replies[-1].startswith("354"):
        replies.append(await client.say(raw + b".\r\n"))
    return replies


async def test_case_1_no_end_of_data_but_one_makes_a_second_job(client, core):
    for name, ending in ENDS.items():
        before = len(core.jobs())
        raw = mail(f"first {name}", sender=ANNA).rstrip() + ending + smuggled(sender=BOB)
        reply = (await send(client, raw.removesuffix(b".\r\n")))[-1]
        kept = len(core.jobs()) - before
        assert (reply[:3], kept) == (("550", 0) if ending in BARE_ENDS else ("250", 1)), name
        assert await client.say(b"RCPT TO:<x@example.com>\r\n") == "503 5.5.1 Need MAIL command"
        assert {message.number for message in core.messages()} <= {DIGITS}
        assert (await client.say(b"RSET\r\n")).startswith("250")


async def test_case_12_a_null_sender_of_who_is_not_proven_is_no_sms_and_hears_nothing_later(core):
    administer(core.folder, "customer remove-range acme 127.0.0.0/8")
    core.book.load_now()
    async with site_of(core, handler) as site:
        for raw in (mail("Alarm", sender=ANNA), mail("Returned", sender="mailer-daemon@example.org")):
            assert (await site.send(raw, sender=""))[:3] in {"530", "550"}
        assert (core.jobs(), site.notices()) == ([], 0)


async def test_case_12_a_null_sender_of_a_proven_customer_is_an_alert_without_a_status_mail(client, core):
    reply = (await send(client, mail("Alarm", sender=ANNA), sender=""))[-1]
    assert reply.endswith(" kept")
    (job,) = core.jobs()
    assert (job.customer, job.reverse_path) == ("acme", "")


ONE_NUMBER = [
    f"{NUMBER}@{DOMAIN}",
    f"00447700900101@{DOMAIN}",
    f"447700900101@{DOMAIN}",
    f"07700900101@{DOMAIN}",
    f"SMS={NUMBER}@{DOMAIN}",
    f'"{NUMBER}"@{DOMAIN}',
    f'"+44 (0) 7700 900101"@{DOMAIN}',
    f"IMCEASMS-+2B447700900101@{DOMAIN}",
    f"@relay.example.org,@other.example:{NUMBER}@{DOMAIN}",
    f"{NUMBER}@{DOMAIN.upper()}",
]
IN_UTF_8 = [f"٤٤٧٧٠٠٩٠٠١٠١@{DOMAIN}", f"+４４７７００９００１０１@{DOMAIN}"]
NO_NUMBER = [
    f"+0049{NUMBER[3:]}@{DOMAIN}",
    f"{'4' * 64}@{DOMAIN}",
    f"{'4' * 65}@{DOMAIN}",
    f"{'4' * 200}@{DOMAIN}",
    f"victim%example.org@{DOMAIN}",
    f"example.org!victim@{DOMAIN}",
    f"{NUMBER}%example.org@{DOMAIN}",
    f"{NUMBER}!x@{DOMAIN}",
    f"+44 7700 900101@{DOMAIN}",
    f'"+44\r7700900101"@{DOMAIN}',
    f"+44\x007700900101@{DOMAIN}",
    f'"+44\x007700900101"@{DOMAIN}',
    f"{NUMBER}@{DOMAIN}.evil.example",
    f"{NUMBER}@{DOMAIN.replace('s', 'ѕ')}",
    f"{NUMBER}@{DOMAIN}>,<{NUMBER[:-1]}2@{DOMAIN}",
    f"{NUMBER};phone-context=+1@{DOMAIN}",
    f'"{NUMBER}"x@{DOMAIN}',
    f"{NUMBER}@[127.0.0.1]",
    NUMBER,
    "",
]
FOR_GOOD = ("550 5.1.", "550 5.7.1", "553 5.1.", "553 5.6.7", "501 5.5.4", "500 5.5.2")


async def test_case_13_each_form_of_an_address_is_the_one_number(client, core):
    for number, address in enumerate(ONE_NUMBER):
        assert (await send(client, mail(f"Hello {number}", sender=ANNA), to=[address]))[-1].endswith(" kept"), address
    assert [message.number for message in core.messages()] == [DIGITS] * len(ONE_NUMBER)


@pytest.mark.parametrize("parameter", ["", " SMTPUTF8"])
async def test_case_13_what_is_no_address_of_a_number_is_refused_for_good(parameter, client):
    await client.say(f"MAIL FROM:<{ANNA}>{parameter}\r\n".encode())
    for address in NO_NUMBER if parameter else [*NO_NUMBER, *IN_UTF_8]:
        reply = await client.say(f"RCPT TO:<{address}>\r\n".encode())
        assert reply.startswith(FOR_GOOD), (address, reply)
    assert await client.say(b"DATA\r\n") == "503 5.5.1 Need RCPT command"


@pytest.mark.parametrize("address", IN_UTF_8, ids=ascii)
async def test_case_13_digits_of_another_script_are_the_number_that_they_spell(address, client, core):
    await client.say(f"MAIL FROM:<{ANNA}> SMTPUTF8\r\n".encode())
    assert (await client.say(f"RCPT TO:<{address}>\r\n".encode())).startswith("250")
    await client.say(b"DATA\r\n")
    assert (await client.say(mail("Hello", sender=ANNA) + b".\r\n")).endswith(" kept")
    assert [message.number for message in core.messages()] == [DIGITS]


async def test_case_14_a_number_in_several_spellings_and_cases_is_one_sms(client, core):
    spellings = [*ONE_NUMBER, f"sms={NUMBER}@{DOMAIN.title()}", ONE_NUMBER[0], f"Sms={NUMBER}@{DOMAIN}"]
    assert (await send(client, mail("Hello", sender=ANNA), to=spellings))[-1].endswith(" kept")
    assert [message.number for message in core.messages()] == [DIGITS]


async def test_case_15_a_mail_whose_250_was_not_heard_is_the_same_mail_when_it_comes_again(core):
    raw = mail("Alarm", sender=ANNA, message_id="<once@acme.example.com>")
    async with door(handler(core)) as listener:
        async with client_of(listener) as first:
            await first.say(b"EHLO client.example.com\r\n")
            commands = f"MAIL FROM:<{ANNA}>\r\nRCPT TO:<{NUMBER}@{DOMAIN}>\r\nDATA\r\n"
            first.writer.write(commands.encode())
            assert [(await first.hear())[:3] for _ in range(3)] == ["250", "250", "354"]
            first.writer.write(raw + b".\r\n")
            await first.writer.drain()
            first.reset()
        await asyncio.wait_for(core.has_accepted.wait(), PATIENCE)
        async with client_of(listener) as again:
            await again.say(b"EHLO client.example.com\r\n")
            reply = (await send(again, raw))[-1]
    (job,) = core.jobs()
    assert reply == f"250 2.0.0 {job.public_id} kept"


@pytest.mark.parametrize(
    "author", [RIVAL, f"{ANNA}\r\nFrom: {RIVAL}", f"{ANNA}, {RIVAL}"], ids=["other", "two", "both"]
)
async def test_case_18_a_from_of_another_customer_under_our_envelope_charges_nobody(author, core):
    raw = f"From: {author}\r\nTo: {NUMBER}@{DOMAIN}\r\nSubject: x\r\n\r\nHello\r\n".encode()
    async with logged_in(core, "acme") as client:
        assert (await send(client, raw))[-1].startswith(("550 5.7.1 ", "554 5.6.0 "))
    assert core.jobs() == []


async def test_case_18_the_login_alone_decides_who_pays(core):
    async with logged_in(core, "acme") as client:
        assert (await send(client, mail("Hello", sender=ANNA), sender=RIVAL))[-1].startswith("550 5.7.1 ")
        assert (await send(client, mail("Hello", sender=ANNA)))[-1].endswith(" kept")
    async with logged_in(core, "rival") as client:  # from an address of acme
        assert (await send(client, mail("Hello", sender=ANNA)))[-1].startswith("550 5.7.1 ")
        assert (await send(client, mail("Hello", sender=RIVAL), sender=RIVAL))[-1].endswith(" kept")
    assert [job.customer for job in core.jobs()] == ["acme", "rival"]


async def test_case_46_the_log_of_a_conversation_has_neither_numbers_nor_texts_nor_lines_of_the_peer(client):
    with capture_logs() as logs:
        await client.say(b"EHLO \x1b[31mred\r\n")
        await client.say(b"EHLO forged msg=accepted event=auth_failed rip=192.0.2.1\r\n")
        await client.say(f"MAIL FROM:<{ANNA}>\r\n".encode())
        await client.say(f"RCPT TO:<+4477009001011234567@{DOMAIN}>\r\n".encode())
        await client.say(f"RCPT TO:<{NUMBER}@{DOMAIN}>\r\n".encode())
        await client.say(b"DATA\r\n")
        await client.say(
            mail("The password is 4711", sender=ANNA).replace(b"Subject:", b"X-\xff: \x1b[31m\r\nSubject:") + b".\r\n"
        )
        await client.say(b"VRFY \xff\x00" + b"x" * 400 + b"\r\n")
    for line in map(str, logs):
        assert len(line) < 500
        assert line.isascii()
        assert line.isprintable()
        for secret in ("4477009001", "4711", "forged"):
            assert secret not in line
