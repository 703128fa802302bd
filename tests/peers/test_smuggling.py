"""No end of data makes two mails of one: with a real Postfix and a real Exim, before us and behind us.

What such a relay itself takes for an end is its own affair, and two mails then come to it. What counts here: we make of
what a relay sends exactly the mails that it sent, and a relay makes of what we send exactly the mails that we sent.
"""

import asyncio
import re
import socket

import pytest
import pytest_asyncio

from sms.outcome import Done
from tests.kit.ends_of_data import ENDS, LIKE_ENDS, PROPER, smuggled
from tests.kit.installation import DOMAIN, SENDER, Installation, mail
from tests.kit.mail_servers import make_deliverer, status_mail
from tests.peers.exim_relay import EximRelay
from tests.peers.postfix_relay import PostfixRelay
from tls.policy import TlsLevel

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERSON, OPERATOR = "anna.keller@example.com", "operator@example.com"
FIRST, SMUGGLED = "447700900171", "447700900199"


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=[PostfixRelay, EximRelay], ids=["postfix", "exim"])
async def between(request, tmp_path_factory, module_database):
    """A relay before and behind a gateway, and this gateway."""
    relay = request.param("example.com") if request.param is PostfixRelay else request.param()
    site = Installation(
        tmp_path_factory.mktemp("smuggling") / "site",
        module_database,
        doors={"forgiving": {"tls": "off", "auth": "off", "bare_newlines": "normalise"}},
        mail={
            "route": [{"domain": "*", "host": "127.0.0.1", "port": relay.port, "tls": "none"}],
            "postmaster": OPERATOR,
        },
    )
    try:
        await site.open()
        await site.command("customer", "add-range", "demo", "127.0.0.1/32")
        await site.command("customer", "set", "demo", "status_report=never")
        await asyncio.to_thread(relay.start, site.port)
        await site.start()
        yield relay, site
    finally:
        await site.close()
        await asyncio.to_thread(relay.stop)


def first_mail(ending: bytes) -> bytes:
    """Return a mail with an end of data inside, behind which a second mail is smuggled."""
    first = mail(f"First {ending!r}", to=(f"+{FIRST}",)).rstrip()
    return first + ending + smuggled(sender=SENDER, recipient=f"+{SMUGGLED}@{DOMAIN}", text=f"Second {ending!r}")


def give(port: int, content: bytes, recipient: str = f"+{FIRST}@{DOMAIN}", source: str = "127.0.0.1") -> int:
    """Send octets as an attacker does; returns how many mails were taken."""
    with socket.create_connection(("127.0.0.1", port), 60, (source, 0)) as client, client.makefile("rb") as replies:

        def say(octets: bytes) -> bytes:
            client.sendall(octets)
            while (line := replies.readline())[3:4] == b"-":
                pass
            return line

        say(b"")
        say(b"EHLO client.example.com\r\n")
        say(f"MAIL FROM:<{SENDER}>\r\n".encode())
        say(f"RCPT TO:<{recipient}>\r\n".encode())
        assert say(b"DATA\r\n").startswith(b"354")
        client.sendall(content + b"QUIT\r\n")
        return len(re.findall(rb"^250 .*(?:queued as|OK id=|kept)", replies.read(), re.MULTILINE))


@pytest.mark.slow
async def test_of_what_a_relay_took_as_one_mail_we_never_make_two(between):
    relay, site = between
    assert await asyncio.to_thread(give, relay.port, first_mail(PROPER)) == 2
    taken = [await asyncio.to_thread(give, relay.port, first_mail(ending)) for ending in ENDS.values()]
    assert set(taken) <= {0, 1, 2}
    await site.until(lambda: len(relay.handed_on(DOMAIN)) == 2 + sum(taken))
    numbers = [message.number for message in site.messages()]
    assert len(numbers) == sum(relay.handed_on(DOMAIN))
    assert numbers.count(SMUGGLED) == 1 + taken.count(2)
    assert numbers.count(FIRST) > len(LIKE_ENDS) / 2


@pytest.mark.slow
async def test_of_what_we_send_a_relay_never_makes_two(between):
    relay, site = between
    jobs = len(site.jobs())
    deliverer = make_deliverer(relay.port, TlsLevel.NONE)
    for ending in ENDS.values():
        attempt = await deliverer.deliver(status_mail(PERSON, message=first_mail(ending)))
        assert isinstance(attempt.outcome, Done)
    await deliverer.close()
    await site.until(lambda: len(relay.handed_on(PERSON)) >= len(ENDS))
    assert relay.handed_on(PERSON) == [True] * len(ENDS)
    assert len(site.jobs()) == jobs


async def test_a_mail_for_the_postmaster_whose_newlines_are_mended_is_forwarded_as_one(between):
    relay, site = between
    jobs = len(site.jobs())
    taken = 0
    for number, ending in enumerate(ENDS.values()):
        where = (f"postmaster@{DOMAIN}", f"127.0.{number + 1}.1")  # who writes often is a nuisance
        taken += await asyncio.to_thread(give, site.ports["forgiving"], first_mail(ending), *where)
    assert taken >= len(LIKE_ENDS)
    await site.until(lambda: len(relay.handed_on(OPERATOR)) >= taken)
    assert relay.handed_on(OPERATOR) == [True] * taken
    assert len(site.jobs()) == jobs
