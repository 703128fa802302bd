"""Each guide for a kind of sender, followed literally: its lines in the operator's file, its commands, its conversation."""

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from types import MappingProxyType

from tests.kit.guide import Guide, alike, play
from tests.kit.installation import Installation
from tests.kit.mail_servers import issue, make_authority
from tests.kit.name_server import NameServer, name_server
from tests.kit.patience import PATIENCE
from tests.kit.signed_mail import dkim_signed, key_record, rsa_key

SAMPLES = Path(__file__).parent / "samples"
# What Exchange Online signs: not To.
SIGNED = (
    "from", "date", "subject", "message-id", "content-type", "mime-version", "x-ms-exchange-senderadcheck"
)  # fmt: skip
_mails = count(1)  # each is another one, by its Message-ID


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A gateway that was set as a guide says."""

    guide: Guide
    site: Installation
    context: ssl.SSLContext
    names: NameServer

    async def play(self, changes: Mapping[str, str] = MappingProxyType({}), mail: bytes = b"") -> str:
        """Play the guide's conversation, with changes of its words; returns what went otherwise than it says."""
        words = self.guide.conversation().replace("Message-ID: <", f"Message-ID: <{next(_mails)}.")
        for word, other in changes.items():
            assert word in words
            words = words.replace(word, other, 1)
        (port,) = self.site.ports.values()
        return await asyncio.to_thread(play, words, port, self.context, mail)

    async def follow(self, mail: bytes = b"") -> None:
        """Play the conversation, wait for all that it leads to, and ask for the status as the guide does."""
        assert await self.play(mail=mail) == ""
        await self.site.until_all_told()
        await self.guide.run(self.site, "status")

    async def refuse(
        self, row: int, changes: Mapping[str, str] = MappingProxyType({}), make: Callable[[], bytes] = bytes
    ) -> None:
        """Play it until the gateway says what a row of the guide's last table says: a command takes a moment."""
        expected = self.guide.refusals()[row]
        async with asyncio.timeout(PATIENCE):
            while not alike(expected + "…", await self.play(changes, make())):
                pass

    def texts(self) -> list[str]:
        """Return what the phones show."""
        return [sms.text for sms in self.site.carrier.record.shown()]


@asynccontextmanager
async def followed(folder: Path, name: str, replaced: Mapping[str, str]):
    """Set a gateway as a guide says, and serve."""
    guide = Guide(f"guides/{name}", replaced)
    authority = make_authority()
    authority.write(folder, "ca")
    site = Installation(folder / "site", doors=guide.doors())
    issue(authority, names=("gateway.example.net",)).write(folder / "site", "gateway")
    async with name_server() as names:
        mailbox = {"domain": "*", "host": site.box.host, "port": site.box.port, "tls": "encrypt"}
        routes = [
            {**route, "host": site.box.host, "port": site.box.port}
            for route in guide.tables().get("mail", {}).get("route", [])
        ]
        site.tables = {"mail": {"resolvers": [f"127.0.0.1:{names.port}"], "route": [*routes, mailbox]}}
        await site.open()
        (site.folder / "exchange.password").write_text("only-an-example\n")
        try:
            await guide.run(site, "customer", "profile")
            await site.start()
            context = ssl.create_default_context(cafile=folder / "ca.pem")
            yield Followed(guide=guide, site=site, context=context, names=names)
        finally:
            await site.close()


async def test_a_device_as_its_guide_says(tmp_path):
    async with followed(tmp_path, "devices", {"10.20.0.0/24": "127.0.0.0/24"}) as device:
        await device.follow()
        assert device.texts() == ["UPS-7: on battery, 24 minutes left"]
        assert device.site.box.mails == ()

        assert await device.play({"HELO ups-7": "HELO ", " ups-7@example.com\nS": "<>\nS"}) == ""
        await device.refuse(0, {"MAIL FROM: ups-7@example.com": "MAIL FROM: ups-7@example.org"})
        await device.refuse(2, {" 447700900150@": " 07700900150@"})
        await device.site.command("profile", "limit", "devices", "--customer", "acme", "--usage", "sms/day=1")
        await device.refuse(3)
        await device.site.command("customer", "remove-range", "acme", "127.0.0.0/24")
        await device.refuse(1)


async def test_exchange_on_premises_as_its_guide_says(tmp_path):
    async with followed(tmp_path, "exchange", {"--password-file ": f"--password-file {tmp_path}/site/"}) as exchange:
        await exchange.follow()
        assert exchange.texts() == ["Störung Pumpe 7"]

        await exchange.refuse(0, {"b25seS1hbi1leGFtcGxl": "d3Jvbmc="})
        await exchange.refuse(1, {"MAIL FROM:<j.berg@corp.example.com>": "MAIL FROM:<j.berg@example.org>"})
        await exchange.site.command("customer", "limit", "acme", "--usage", "sms/day=1")
        await exchange.refuse(2)


async def test_sap_as_its_guide_says(tmp_path):
    async with followed(tmp_path, "sap", {"10.20.0.9/32": "127.0.0.1/32"}) as sap:
        await sap.follow()
        (report,) = (mail.message.as_string().replace("\r", "") for mail in sap.site.box.mails)
        (fields,) = [block for block in sap.guide.blocks("text") if "Action" in block]
        assert [line for line in fields.splitlines() if line not in report.splitlines()] == []


async def test_exchange_online_as_its_guide_says(tmp_path):
    async with followed(tmp_path, "exchange-online", {"40.92.0.0/15": "127.0.0.0/15"}) as online:
        await online.site.command("customer", "add", "rival", "--domain", "rival.example.org")
        await online.site.command("customer", "add-range", "rival", "127.0.0.0/15", "--shared")
        await online.site.command("customer", "add-range", "rival", "127.0.0.0/24", "--shared")
        online.names.add_text("selector1._domainkey.example.com", key_record(rsa_key()))
        await online.follow(sealed())
        assert online.texts() == ["Der Server ist wieder online. Bitte prüfen und kurz bestätigen.\n\nDanke\nAnna"]

        await online.refuse(0, make=lambda: sealed("example.onmicrosoft.com"))
        await online.refuse(4, make=lambda: sealed().partition(b"\r\n")[2])
        online.names.failing.add("selector2._domainkey.example.com")
        await online.refuse(3, make=lambda: sealed(selector="selector2"))
        await online.site.command("profile", "default", "--customer", "acme")
        await online.refuse(2, make=sealed)
        await online.site.command("customer", "remove-range", "acme", "127.0.0.0/15")
        await online.refuse(1, make=sealed)


def sealed(domain: str = "example.com", selector: str = "selector1") -> bytes:
    """Return a mail of an Outlook user, of now, signed as Exchange Online signs."""
    raw = (SAMPLES / "s2.eml").read_bytes().replace(b"\n", b"\r\n")
    raw = re.sub(rb"(?m)^Date: .*\r$", b"Date: %s\r" % format_datetime(datetime.now(UTC)).encode(), raw)
    raw = raw.replace(b"Message-ID: <", b"Message-ID: <%d." % next(_mails))
    return dkim_signed(raw, rsa_key(), domain=domain, selector=selector, covered=SIGNED)
