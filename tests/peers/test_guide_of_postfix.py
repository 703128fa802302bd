"""docs/guides/postfix.md followed literally: its lines in a real Postfix, its commands, and what its log then says."""

import asyncio
import re
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.guide import Guide, alike
from tests.kit.installation import Installation
from tests.kit.mail_servers import issue, make_authority
from tests.peers.postfix_relay import PostfixRelay

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERSON = "anna@example.com"
SERVER = "[gateway.example.net]:587"
NUMBER = "+447700900123@sms.example.net"


class Machine:
    """A machine with Postfix, set as the page says."""

    def __init__(self, guide: Guide, site: Installation, authority: Path) -> None:
        self.guide, self.site = guide, site
        self._relay = PostfixRelay("example.com")
        self._changes = {
            SERVER: f"[127.0.0.1]:{site.ports['relays']}",
            "/etc/postfix": str(self._relay.folder),
            "/etc/ssl/certs/ca-certificates.crt": str(authority),
        }

    def set_up(self, step: str, password: str = "the-password") -> None:
        """Write the files of a step, and start."""
        self._relay.halt()
        main = ""
        for block in self.guide.blocks("ini"):
            name, _, text = block.partition("\n")
            for word, other in self._changes.items():
                text = text.replace(word, other)
            file = name.removeprefix("# /etc/postfix/")
            if file != "main.cf":
                (self._relay.folder / file).write_text(text.replace("the-password", password))
            elif block in self.guide.section(step):
                main = text
        assert main
        self._relay.start(self.site.ports["relays"], main)

    def put(self, *files: Path) -> None:
        """Copy files into the folder of Postfix."""
        for file in files:
            (self._relay.folder / file.name).write_bytes(file.read_bytes())
            (self._relay.folder / file.name).chmod(0o600)

    async def send(self, text: str, *, sender: str = PERSON, to: str = NUMBER) -> str:
        """Send a mail by sendmail; returns the last line of the log about it."""
        before = len(self._ends())
        await asyncio.to_thread(self._relay.sendmail, f"{text}\n".encode(), "-f", sender, to)
        await self.site.until(lambda: len(self._ends()) > before)
        return self._ends()[-1]

    async def send_until(self, word: str) -> str:
        """Send mails until the log has a word about one: the gateway sees a command a moment later."""
        while word not in (said := await self.send("Again")):
            pass
        return said

    def _ends(self) -> list[str]:
        return re.findall(r"(?m)^.*@sms\.example\.net>, .*status=.*$", self._relay.log())

    def stop(self) -> None:
        self._relay.stop()

    async def received(self) -> list[str]:
        """Return the texts of all SMS, once all work is done."""
        await self.site.until_all_told()
        return [sms.text for sms in self.site.carrier.record.shown()]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guide")
    files = folder / "site"
    guide = Guide("guides/postfix", {"--password-file ": f"--password-file {files}/", "--file ": f"--file {files}/"})
    authority = make_authority()
    authority.write(files, "clients-ca")
    issue(authority, names=("gateway.example.net",)).write(files, "gateway")
    issue(authority, names=("web1.example.com",)).write(files, "postfix")
    (files / "postfix.password").write_text("the-password\n")
    site = Installation(files, doors=guide.doors())
    await site.open()
    await guide.run(site, "customer")
    await site.start()
    machine = Machine(guide, site, files / "clients-ca.pem")
    machine.put(files / "postfix.pem", files / "postfix.key")
    yield machine
    await asyncio.to_thread(machine.stop)
    await site.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "proven"),
    [("3a. With", "login: postfix"), ("3b. With", "certificate: postfix-key"), ("3c. A", "login: postfix")],
)
async def test_each_way_of_the_page_sends_an_sms(step, proven, machine):
    await asyncio.to_thread(machine.set_up, step)
    said = await machine.send(
        f"Backup of {step}", sender="root" if "myorigin" in machine.guide.section(step) else PERSON
    )
    expected = next(block for block in machine.guide.blocks("text") if "status=sent" in block).strip()
    expected = expected.replace("gateway.example.net[192.0.2.1]:587", "127.0.0.1[127.0.0.1]:…")
    assert alike(f"…{expected}", said), said
    assert f"Backup of {step}" in await machine.received()
    assert f"proven by {proven}" in await machine.site.command("status", NUMBER.partition("@")[0])
    if proven.startswith("login"):
        await machine.guide.run(machine.site, "status")


@pytest.mark.slow
async def test_what_goes_wrong_is_in_the_log_in_the_words_of_the_page(machine):
    rows = re.findall(r"(?m)^\| `(status=[^`]*)`", machine.guide.section("5. When"))
    await asyncio.to_thread(machine.set_up, "3a. With", "wrong")
    said = {"535": await machine.send("Wrong password")}
    await asyncio.to_thread(machine.set_up, "3a. With")
    said |= {"5.1.3": await machine.send("To nobody", to="+4412@sms.example.net")}
    said |= {"authorised": await machine.send("Of a stranger", sender="anna@example.org")}
    await machine.site.command("customer", "limit", "acme", "--usage", "sms/month=1")
    said |= {"452": await machine.send_until("status=deferred")}
    await machine.site.command("customer", "limit", "acme", "--usage", "sms/month=any")
    await asyncio.to_thread(machine.set_up, "3b. With")
    await machine.site.command("customer", "remove-login", "postfix-key")
    said |= {"certificate": await machine.send_until("nobody's")}
    certificate = machine.site.folder / "postfix.pem"
    await machine.site.command("customer", "add-certificate", "acme", "postfix-key", "--file", str(certificate))
    await machine.send_until("status=sent")
    for word, line in said.items():
        (row,) = [row for row in rows if word in row]
        assert alike(f"…{row}…", line), line
