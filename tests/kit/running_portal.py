"""The portal of a gateway process, with a carrier and a mailbox in the test: what a customer's administrator works with.

The customer is `demo`, of the domain example.com, with the number +44 7700 900999.
"""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from smpp.simulator.script import Script
from sms.message import Alphabet, EncodedText
from sms.parts import encode_text
from sms.settings import Unencodable
from tests.kit.databases import SQLITE_IN_ITS_FOLDER
from tests.kit.installation import Installation
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port

OWN, PHONE = "+447700900999", "+447700900123"
_LINK = re.compile(r"https?://[^/\s\"]+(/portal/[^\s\"<>]+)")


@dataclass(frozen=True, slots=True)
class Session:
    """What a browser holds that has signed in."""

    token: str


class RunningPortal:
    """The portal at `port`, whose addresses begin with `origin`; `house` is all that runs."""

    def __init__(self, house: Installation, port: int) -> None:
        self.house = house
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"

    @property
    def customer(self) -> int:
        """The number of the customer."""
        return int(self.house.rows("SELECT key FROM customer WHERE name = 'demo'")[0][0])

    async def link_to(self, address: str) -> str:
        """Return the path of the link in the newest mail to an address, once there is one."""
        count = 0
        while True:
            mails = await self.house.box.wait_for_mails(count + 1, PATIENCE)
            for mail in reversed(mails):
                body = mail.message.get_body(("plain",))
                if address in mail.recipients and body and (found := _LINK.search(body.get_content())):
                    return found[1]
            count = len(mails)

    async def invite(self, address: str, role: str = "administrator", *words: str) -> str:
        """Invite somebody as the operator does, and return the path of the link in the mail."""
        whose = () if role == "operator" else ("--customer", "demo")
        await self.house.command("portal", "invite", address, *whose, "--role", role, *words)
        return await self.link_to(address)

    async def write_from_phone(self, text: str, phone: str = PHONE) -> None:
        """Have a phone write to the customer's number; returns when the gateway has it."""
        encoded = encode_text(text, coding=Alphabet.GSM7, unencodable=Unencodable.SWITCH, max_parts=10)
        assert isinstance(encoded, EncodedText)
        await self.house.carrier.deliver(phone, OWN, encoded)

    async def hold_difference(self) -> None:
        """Have the directory `staff` read twenty people, and then twice a file that lacks most of them."""
        folder = self.house.folder / "staff"
        folder.mkdir(mode=0o750)
        whose = ("staff", "--customer", "demo")
        await self.house.command("dirsync", "add", *whose, "--kind", "folder", f"folder={folder}", "every=60")
        for day, (count, code) in enumerate([(20, 0), (8, 0), (8, 3)], 1):
            rows = "".join(f"worker.{number:02}@example.com,Worker {number:02}\n" for number in range(count))
            # Each file is another one, or it would change nothing.
            (folder / f"staff-2026110{day}.csv").write_text(
                f"e-mail,name\n{rows}driver{day}@example.com,Driver {day}\n"
            )
            await self.house.command("dirsync", "run", *whose, code=code)


@contextlib.asynccontextmanager
async def running_portal(
    folder: Path, database: str = SQLITE_IN_ITS_FOLDER, script: Script | None = None
) -> AsyncIterator[RunningPortal]:
    """Start carrier, mailbox and gateway, and end them."""
    port = free_port()
    http = [{"name": "portal", "address": f"127.0.0.1:{port}", "serves": ["portal"]}]
    house = Installation(folder, database, http=http)
    try:
        await house.open(script)
        await house.command("customer", "add-domain", "demo", "example.com")
        await house.command("number", "add", OWN, "--customer", "demo")
        await house.start()
        yield RunningPortal(house, port)
    finally:
        await house.close()
