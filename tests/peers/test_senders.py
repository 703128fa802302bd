"""Five senders, two of them mail servers, in every way to prove themselves that each has: into the real process and back.

STARTTLS and implicit TLS, each with PLAIN, LOGIN, SCRAM-SHA-256, EXTERNAL or a certificate alone; then what each does
about a wrong password, a certificate that has expired, an answer 4xx and an answer 5xx.
"""

import asyncio
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.installation import DOMAIN, Installation, mail
from tests.kit.mail_servers import issue, make_authority
from tests.kit.patience import PATIENCE
from tests.peers.queueing_senders import Exim, Postfix
from tests.peers.senders import HOST, Fate, Msmtp, Nodemailer, Program, Swaks, Way

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROGRAMS = {kind.__name__: kind for kind in (Swaks, Msmtp, Nodemailer, Postfix, Exim)}
CERTIFICATE = ""  # the certificate proves, and no AUTH is given
WAYS = [
    pytest.param(
        name, mechanism, implicit, id=f"{name}-{mechanism or 'certificate'}-{'TLS' if implicit else 'STARTTLS'}"
    )
    for name, kind in PROGRAMS.items()
    for mechanism in (*kind.mechanisms, CERTIFICATE)
    for implicit in ((False, True) if mechanism in {"PLAIN", CERTIFICATE} else (False,))
]
_numbers = count(447700900200)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    site: Installation
    folder: Path

    def way(self, mechanism: str = "PLAIN", *, implicit: bool = False, pair: str = "") -> Way:
        """Return a way to a listener, proven by the login demo or by a certificate."""
        way = Way(port=self.site.ports["smtps" if implicit else "smtp"], authority=self.folder / "ca.pem")
        way = replace(way, implicit=implicit, mechanism=mechanism)
        if pair or mechanism in {CERTIFICATE, "EXTERNAL"}:
            way = replace(way, certificate=self.folder / f"{pair or 'client'}.pair")
        if mechanism == "EXTERNAL":
            way = replace(way, login="client")
        elif mechanism:
            way = replace(way, login="demo", password=self.site.password)
        return way

    async def received(self, number: str) -> list[str]:
        """Return the texts that a phone got, once all work is done."""
        await self.site.until_all_told()
        return [sms.text for sms in self.site.carrier.record.shown() if sms.number == number]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("senders")
    authority = make_authority()
    authority.write(folder, "ca")
    identities = {
        "gateway": issue(authority, names=(HOST, "localhost")),
        "client": issue(authority, names=("client.example.com",)),
        "expired": issue(authority, names=("old.example.com",), start=timedelta(days=-9), end=timedelta(days=-1)),
    }
    for name, identity in identities.items():
        chain, key = identity.write(folder, name)
        pair = folder / f"{name}.pair"
        pair.write_bytes(chain.read_bytes() + key.read_bytes())
        pair.chmod(0o600)
    files = {"certificate_file": str(folder / "gateway.pem"), "key_file": str(folder / "gateway.key")}
    asks = {"client_certificate": "request", "client_ca_file": str(folder / "ca.pem")}
    doors = {name: {"tls": tls, **files, **asks} for name, tls in (("smtp", "require"), ("smtps", "implicit"))}
    site = Installation(folder / "site", doors=doors)
    await site.open()
    for name in ("client", "expired"):
        await site.command("customer", "add-certificate", "demo", name, "--file", str(folder / f"{name}.pem"))
    password = folder / "site" / "demo.password"
    await site.command("customer", "add-login", "demo", "demo", "--password-file", str(password))  # with SCRAM
    await site.start()
    yield House(site=site, folder=folder)
    await site.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def programs(tmp_path_factory):
    made: dict[str, Program] = {}

    def of(name: str) -> Program:
        if name not in made:
            made[name] = PROGRAMS[name](tmp_path_factory.mktemp(name))
        return made[name]

    yield of
    for program in made.values():
        if isinstance(program, Postfix | Exim):
            await asyncio.to_thread(program.close)


def letter(text: str) -> tuple[str, bytes]:
    """Return a fresh number and a mail to it."""
    number = str(next(_numbers))
    return number, mail(text, to=(f"+{number}",), message_id=f"<{number}@example.com>")


async def send(program: Program, way: Way, number: str, raw: bytes) -> tuple[Fate, str]:
    return await asyncio.to_thread(program.send, way, raw, f"+{number}@{DOMAIN}")


@pytest.mark.parametrize(("name", "mechanism", "implicit"), WAYS)
async def test_a_mail_becomes_an_sms_and_a_status_mail_comes_back(name, mechanism, implicit, house, programs):
    number, raw = letter(f"From {name}")
    fate, said = await send(programs(name), house.way(mechanism, implicit=implicit), number, raw)
    assert fate is Fate.SENT, said
    assert await house.received(number) == [f"From {name}"]
    (told,) = (
        mail.message for mail in house.site.box.mails if mail.message["In-Reply-To"] == f"<{number}@example.com>"
    )
    assert f"From {name}" in told.get_body(("plain",)).get_content()
    status = await house.site.command("status", f"<{number}@example.com>")
    proven = "certificate: client, spki:" if mechanism in {CERTIFICATE, "EXTERNAL"} else "login: demo"
    assert f"proven by {proven}" in status


@pytest.mark.parametrize("name", PROGRAMS)
async def test_after_a_wrong_password_a_server_keeps_its_mail_and_a_program_says_so(name, house, programs):
    number, raw = letter("After a wrong password")
    wrong = replace(house.way(), password="wrong")
    fate, said = await send(programs(name), wrong, number, raw)
    assert (fate, await house.received(number)) == (keeps(name), [])
    if name != "Exim":  # which has it in its log of panics alone
        assert "535 5.7.8" in said
    guess = "event=auth_failed user=demo rip=127.0.0.1 mechanism=PLAIN"
    await house.site.until(lambda: any(guess in line for line in house.site.log))
    fate, said = await asyncio.to_thread(programs(name).again, house.way())
    assert fate is Fate.SENT, said
    assert await house.received(number) == ["After a wrong password"]


@pytest.mark.parametrize("name", PROGRAMS)
async def test_an_expired_certificate_comes_to_no_session_and_sends_nothing(name, house, programs):
    number, raw = letter("After an expired certificate")
    way = house.way(CERTIFICATE, pair="expired")
    fate, said = await send(programs(name), way, number, raw)
    assert (fate, await house.received(number)) == (keeps(name), []), said
    await house.site.until(lambda: any("certificate has expired" in line for line in house.site.log))
    fate, said = await asyncio.to_thread(programs(name).again, house.way(CERTIFICATE))
    assert fate is Fate.SENT, said
    assert await house.received(number) == ["After an expired certificate"]


@pytest.mark.parametrize("name", PROGRAMS)
async def test_after_a_4xx_each_tries_again_and_one_sms_goes_out(name, house, programs):
    await house.site.command("customer", "limit", "demo", "--usage", "sms/month=1")
    number, raw = letter("After a limit")
    fate, said = await send(programs(name), house.way(), number, raw)
    async with asyncio.timeout(PATIENCE):
        while fate is Fate.SENT:  # until the gateway has seen the limit
            number, raw = letter("After a limit")
            fate, said = await send(programs(name), house.way(), number, raw)
    assert fate is Fate.WAITS, said
    assert re.search(r"452[ -]4\.7\.1", said), said
    await house.site.command("customer", "limit", "demo", "--usage", "sms/month=any")
    async with asyncio.timeout(PATIENCE):
        while fate is Fate.WAITS:
            fate, said = await asyncio.to_thread(programs(name).again, house.way())
    assert fate is Fate.SENT, said
    assert await house.received(number) == ["After a limit"]


@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_5xx_goes_back_to_the_sender_with_the_reason(name, house, programs):
    raw = mail("To nobody", to=("+4412",))
    fate, said = await send(programs(name), house.way(), "4412", raw)
    assert fate is Fate.FAILED, said
    assert re.search(r"550[ -]5\.1\.3", said), said
    assert house.site.jobs(mail_id="<4412@example.com>") == []


def keeps(name: str) -> Fate:
    """Return what becomes of a mail that no session could be made for."""
    return Fate.WAITS if name in {"Postfix", "Exim"} else Fate.FAILED
