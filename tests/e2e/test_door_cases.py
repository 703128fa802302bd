"""The door from outside: what strangers, old devices and bursts of clients meet at a gateway that really runs."""

import asyncio
import base64
import os
import smtplib
import stat
from contextlib import suppress

import pytest

from tests.kit.installation import DOMAIN, SENDER, Installation
from tests.kit.patience import PATIENCE

NUMBER = f"+447700900123@{DOMAIN}"
MEGA = 2**20
DEVICES = {
    "tls": "off",
    "auth": "offer",
    "auth_in_clear": True,
    "max_size": "64M",
    "bare_addresses": True,
}


@pytest.fixture
async def site(tmp_path, gateway_database):
    told = {"sandbox": "mailbox", "postmaster": "postmaster@example.net"}
    site = Installation(tmp_path / "site", gateway_database, doors={"devices": DEVICES}, mail=told)
    await site.open()
    await site.start()
    yield site
    await site.close()


def connect(site: Installation, *, port: int = 0) -> smtplib.SMTP:
    client = smtplib.SMTP("127.0.0.1", port or site.port, timeout=PATIENCE)
    client.ehlo("device.example.com")
    return client


def login(client: smtplib.SMTP, name: str, password: str) -> int:
    """Return the code of AUTH PLAIN, with the credentials in its first line."""
    word = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
    return int(client.docmd("AUTH", f"PLAIN {word}")[0])


def guesses(site: Installation, name: str, passwords: list[str]) -> list[int]:
    """Return the code of each guess, on a connection of its own."""
    codes = []
    for password in passwords:
        with connect(site) as client:
            codes.append(login(client, name, password))
    return codes


def large_mail(octets: int) -> bytes:
    """Return a mail with an attachment in base64 of so many octets on the wire."""
    line = b"QUFB" * 19 + b"\r\n"
    head = (
        f"From: {SENDER}\r\nTo: {NUMBER}\r\nSubject: Report\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n"
        "--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    ).encode()
    return head + line * (octets // len(line)) + b"--b--\r\n"


def send_raw(site: Installation, content: bytes) -> tuple[int, bytes]:
    with connect(site, port=site.ports["devices"]) as client:
        assert login(client, "demo", site.password) == 235
        client.mail(SENDER)
        client.rcpt(NUMBER)
        return client.data(content)


async def test_strangers_memory_is_bounded_before_it_is_spent(site):
    def begin(client: smtplib.SMTP) -> bool:
        client.mail("a@example.org")
        return bool(client.rcpt(f"postmaster@{DOMAIN}")[0] == 250 and client.docmd("DATA")[0] == 354)

    def flood() -> tuple[int, int]:
        before, begun = site.memory(), 0
        clients = [connect(site) for _ in range(25)]
        for client in filter(begin, clients):
            begun += 1
            with suppress(smtplib.SMTPServerDisconnected):  # cut off
                for _ in range(9):
                    client.send((b"x" * 70 + b"\r\n") * (MEGA // 72))
        grown = site.memory(peak=True) - before
        for client in clients:
            client.close()
        return begun, grown

    begun, grown = await asyncio.to_thread(flood)
    assert begun == 20  # an hour, of one network
    assert grown < 80 * MEGA


async def test_burst_of_logins_with_the_right_password_all_get_in(site):
    def once() -> int:
        with connect(site) as client:
            return login(client, "demo", site.password)

    codes = await asyncio.gather(*(asyncio.to_thread(once) for _ in range(20)))
    assert codes == [235] * 20


@pytest.mark.slow
async def test_shared_address_of_a_device_with_wrong_passwords_lets_its_other_logins_in(site):
    await site.command(
        "customer", "add-login", "demo", "scanner", "--password-file", str(site.folder / "demo.password")
    )
    codes = await asyncio.to_thread(guesses, site, "scanner", [f"wrong{number}" for number in range(11)])
    assert codes == [535] * 10 + [454]
    assert await asyncio.to_thread(guesses, site, "demo", ["old"] * 15) == [535] * 15
    with connect(site) as client:
        assert login(client, "demo", site.password) == 235


async def test_announced_size_is_the_only_one(site):
    content = large_mail(20 * MEGA)
    assert content.count(b"\n") > 250_000
    code, said = await asyncio.to_thread(send_raw, site, content)
    assert (code, said.endswith(b"kept")) == (250, True), said


@pytest.mark.slow
async def test_big_mail_costs_less_than_four_times_its_size_and_the_next_one_no_more(site):
    await asyncio.to_thread(send_raw, site, large_mail(MEGA // 4))  # starts the process that reads large mails
    octets = 30 * MEGA
    content = large_mail(octets)
    before = site.memory()
    code, said = await asyncio.to_thread(send_raw, site, content)
    assert code == 250, said
    grown = site.memory(peak=True)
    assert grown - before < 4 * octets
    await asyncio.to_thread(send_raw, site, content.replace(b"Report", b"Second"))
    assert site.memory(peak=True) < grown + octets


async def test_no_angle_brackets_are_forgiven_where_the_listener_says_so(site):
    for port, codes in ((site.ports["devices"], [250, 250]), (site.port, [501, 503])):
        with connect(site, port=port) as client:
            assert login(client, "demo", site.password) == 235
            assert [client.docmd(f"MAIL FROM: {SENDER}")[0], client.docmd(f"RCPT TO:{NUMBER}")[0]] == codes


async def test_permissions_of_all_that_is_written_are_its_users_alone(tmp_path, gateway_database):
    site = Installation(tmp_path / "open", gateway_database, mail={"sandbox": "mailbox"})
    before = os.umask(0)
    try:
        site.folder.mkdir(mode=0o755)
        await site.open()
        await site.start()
        await site.send("private")
        await site.until(lambda: any(site.folder.glob("mailbox/*.eml")))
    finally:
        os.umask(before)
        await site.close()
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in site.folder.rglob("*")}
    assert [str(path) for path, mode in modes.items() if mode & 0o077] == []


async def test_subdomain_of_a_customers_domain_is_closed_to_others(site):
    await site.stop()
    await site.command("customer", "add", "acme")
    await site.command("customer", "add-domain", "acme", "acme.example")
    await site.start()
    with connect(site) as client:
        assert login(client, "demo", site.password) == 235
        assert client.mail("ceo@mail.acme.example")[0] == 550
        assert client.mail("ceo@notacme.example")[0] == 250
