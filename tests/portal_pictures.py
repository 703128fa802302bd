"""Takes the pictures of the portal for its guide: `make pictures`, with Chromium and pngquant.

A gateway runs with a carrier and a mailbox of its own, a customer's week is played to it, and each page is shown as
people see it: on a desktop and on a telephone, light and dark, in four languages.
"""

import asyncio
import random
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Page

from smpp.simulator.script import ReceiptTime, Script, Submitted, Treatment
from sms.message import ReceiptState
from tests.kit.browser import open_browser, open_portal
from tests.kit.peer import find_program
from tests.kit.running_portal import PHONE, RunningPortal, Session, running_portal

ANNA, OPERATOR = "anna.keller@example.com", "operator@gateway.example.net"
PASSWORD = "seven green ladders"
PEOPLE = {
    "anna.keller@example.com": ("Anna Keller", "dispatch"),
    "ben.okafor@example.com": ("Ben Okafor", "dispatch"),
    "chloe.martin@example.com": ("Chloé Martin", "workshop"),
    "dora.szabo@example.com": ("Dóra Szabó", "workshop"),
    "erp@example.com": ("Orders of the ERP", "dispatch"),
    "jose.nunez@example.com": ("José Núñez", "workshop"),
}
WRONG, SILENT = "+447700900404", "+447700900777"
PNGQUANT = find_program("pngquant") or "pngquant"
SIZES = {"desktop": (1120, 780), "phone": (390, 780)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One page as it is shown. `act` is what somebody did on it before."""

    name: str
    path: str
    size: Literal["desktop", "phone"] = "desktop"
    colours: Literal["light", "dark"] = "light"
    language: str = "en"
    who: str = ANNA
    act: Callable[[Page], Awaitable[None]] | None = None


async def write_text(page: Page) -> None:
    """Write a text that needs two parts, and wait for the counter."""
    await page.fill("#f-numbers", f"{PHONE}\n07700 900456")
    await page.fill(
        "#f-text", "The lift in hall 2 stands. Please call the workshop before you drive – it isn’t safe. " * 2
    )
    await page.wait_for_selector(".counter .onair")


async def preview(page: Page) -> None:
    """Write to four recipients, of whom one can't be written to, and go on."""
    await page.fill("#f-numbers", f"{PHONE}\n07700 900456\n+44 7700 900457\n12")
    await page.fill("#f-text", "The lift in hall 2 stands. Please take the “other” one.")
    await page.click("main form button")
    await page.wait_for_selector("ul.figures")


async def send(page: Page) -> None:
    """Send to three, of whom one's telephone is off."""
    await page.fill("#f-numbers", f"{PHONE}\n07700 900456\n{WRONG}")
    await page.fill("#f-text", "The lift in hall 2 runs again.")
    await page.click("main form button")
    await page.click("main .acts form button")
    await page.wait_for_selector("#state .good")
    await page.wait_for_selector("#state .bad")


async def open_first(page: Page) -> None:
    """Open the first of a list."""
    await page.click("table.list tbody a")


async def ask_for_help(page: Page) -> None:
    """Open a support request, and show it."""
    await page.fill("#f-subject", "An SMS to our fitter did not arrive")
    await page.fill("#f-text", "His telephone was on. What does «undeliverable» mean here?\nWe need it before Friday.")
    await page.click("main form button")
    await page.wait_for_selector(".said")


async def invite_wrongly(page: Page) -> None:
    """Invite somebody whose address has no at sign."""
    await page.fill("#f-address", "ben.okafor")
    await page.click("main form button >> nth=-1")


PICTURES = (
    Picture(name="sign-in", path="/portal/sign-in", size="phone", language="de", who=""),
    Picture(name="today", path="C"),
    Picture(name="send", path="C/send", act=write_text),
    Picture(name="preview", path="C/send", colours="dark", act=preview),
    Picture(name="job", path="C/send", size="phone", colours="dark", act=send),
    Picture(name="conversations", path="C/inbound", size="phone"),
    Picture(name="conversation", path="C/inbound", size="phone", colours="dark", act=open_first),
    Picture(name="rules", path="C/inbound/rules", language="es"),
    Picture(name="users", path="C/directory", colours="dark"),
    Picture(name="difference", path="C/directory/sources", act=open_first),
    Picture(name="settings", path="C/settings", size="phone", language="fr"),
    Picture(name="setting", path="C/settings/-/sender_id"),
    Picture(name="templates", path="C/templates/result"),
    Picture(name="sent", path="C/reports"),
    Picture(name="trace", path="C/reports", size="phone", act=open_first),
    Picture(name="charts", path="C/reports/charts?since=2026-11-01", colours="dark"),
    Picture(name="archive", path="C/reports/archive/2026-10", language="de"),
    Picture(name="interfaces", path="C/interfaces", colours="dark", language="es"),
    Picture(name="accounts", path="C/accounts", size="phone", act=invite_wrongly),
    Picture(name="authenticator", path="/portal/account/authenticator", colours="dark", language="fr"),
    Picture(name="support", path="C/support/new", act=ask_for_help),
    Picture(name="countries", path="C/documentation/countries/GB", size="phone", colours="dark", language="de"),
    Picture(name="health", path="/portal/operator", who=OPERATOR),
    Picture(name="queue", path="/portal/operator/queue", colours="dark", who=OPERATOR),
)


async def play(portal: RunningPortal) -> None:
    """Play a customer's week."""
    house = portal.house
    await house.command("customer", "set", "demo", "sender_id=+447700900999", "default_country=GB", "max_parts=6")
    for name in ("dispatch", "workshop"):
        await house.command("profile", "add", name, "--customer", "demo")
    await house.command("profile", "set", "workshop", "--customer", "demo", "cost_centre=W-200", "sender_id=Workshop")
    file = house.folder / "people.csv"
    rows = "".join(f"{address},{name},{profile}\n" for address, (name, profile) in PEOPLE.items())
    file.write_text(f"e-mail,name,profile\n{rows}", "utf-8")
    await house.command("people", "import", str(file), "--customer", "demo")
    await house.command(
        "action", "add", "people", "--customer", "demo", "--kind", "mail", "to=newest", f"addresses={ANNA}"
    )
    texts = ("Lift 2 stands.", "Lift 2 runs again.", "Your delivery comes at two.", "Please call the workshop.")
    chance = random.Random(1)
    senders = list(PEOPLE)
    for number in range(24):
        to = WRONG if number % 9 == 4 else SILENT if number == 11 else f"+4477009001{number:02}"
        await house.send(chance.choice(texts), to=(to,), sender=senders[number % len(senders)], subject="")
    await portal.write_from_phone("Lift 3 makes a noise. Can somebody come today?", PHONE)
    await portal.write_from_phone("It stands now.", PHONE)
    await portal.write_from_phone("Thank you, it was quick!", "+447700900456")
    await house.command("stoplist", "add", "--customer", "demo", "+447700900888")
    await house.add_login("erp-orders")
    text = house.folder / "consent.md"
    text.write_text("# Consent of your staff\n\nWho gets SMS from you has agreed, or your works council has.\n")
    await house.command("declaration", "add", "consent", "--text", f"en={text}", "--everybody")
    await portal.hold_difference()
    sum_past_days(portal, chance)
    await house.until(lambda: house.rows("SELECT count(*) FROM inbound_sms WHERE handled_at IS NOT NULL")[0][0] == 3)


def sum_past_days(portal: RunningPortal, chance: random.Random) -> None:
    """Write sums of the last two months, which nobody can send in a minute."""
    today = datetime.now(UTC).date()
    customer = portal.customer
    month = (today.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    portal.house.execute(
        "INSERT INTO archive_month (customer_key, month, zone, closed_at) VALUES (?, ?, 'UTC', 0)", customer, month
    )
    insert = (
        "INSERT INTO traffic_sum (customer_key, day, zone, direction, service, cost_centre, user_address, country,"
        " carrier, state, corrected_on, messages, parts, billed, unanswered)"
        " VALUES (?, ?, 'UTC', 'sent', 'mail', ?, ?, ?, 'alpha', ?, '', ?, ?, ?, 0)"
    )
    for back in range(60, 0, -1):
        day = today - timedelta(days=back)
        if day.weekday() > 4:
            continue
        for address, (_, profile) in PEOPLE.items():
            for country, state, most in (("GB", "delivered", 40), ("DE", "delivered", 9), ("GB", "undelivered", 3)):
                sent = chance.randrange(most)
                if sent:
                    centre = "W-200" if profile == "workshop" else ""
                    values = (customer, day.isoformat(), centre, address, country, state, sent, sent * 2, sent * 2)
                    portal.house.execute(insert, *values)


async def arrive(browser: Browser, portal: RunningPortal, address: str, role: str, name: str) -> str:
    """Have somebody who was invited choose a password; returns the token of the session."""
    link = await portal.invite(address, role, "--name", name)
    async with open_portal(browser, portal) as page:
        await page.goto(link)
        await page.fill("#f-password", PASSWORD)
        await page.click("main button")
        await page.wait_for_selector("nav.own")
        return next(str(one["value"]) for one in await page.context.cookies() if one["name"] == "portal")


def keep_silent(submitted: Submitted) -> Treatment | None:
    """Report nothing of one telephone, whose SMS stays on its way."""
    return Treatment(receipt=ReceiptTime.NEVER) if SILENT.endswith(submitted.number.lstrip("+")) else None


async def take(browser: Browser, portal: RunningPortal, picture: Picture, token: str, customer: str) -> bytes:
    """Return one picture as PNG."""
    async with open_portal(
        browser,
        portal,
        Session(token) if token else None,
        size=SIZES[picture.size],
        colours=picture.colours,
        language=picture.language,
    ) as page:
        await page.goto(picture.path.replace("C/", f"{customer}/") if picture.path != "C" else customer)
        if picture.act is not None:
            await picture.act(page)
        await page.wait_for_load_state("networkidle")
        return reduce(await page.screenshot())


def reduce(picture: bytes) -> bytes:
    """Return a PNG with few colours, a third as long."""
    return subprocess.run(
        [PNGQUANT, "--quality", "60-95", "--strip", "64", "-"], input=picture, capture_output=True, check=True
    ).stdout


async def main(folder: Path, only: list[str]) -> None:
    """Write the pictures, or only those of these names, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    script = Script(states={WRONG.lstrip("+"): ReceiptState.UNDELIVERABLE}, treat=keep_silent)
    with tempfile.TemporaryDirectory() as made:
        async with running_portal(Path(made) / "house", script=script) as portal, open_browser(Path(made)) as browser:
            await play(portal)
            tokens = {
                "": "",
                ANNA: await arrive(browser, portal, ANNA, "administrator", "Anna Keller"),
                OPERATOR: await arrive(browser, portal, OPERATOR, "operator", "Otto Operator"),
            }
            customer = f"/portal/c/{portal.customer}"
            for picture in PICTURES:
                if not only or picture.name in only:
                    file = folder / f"{picture.name}.png"
                    file.write_bytes(await take(browser, portal, picture, tokens[picture.who], customer))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
