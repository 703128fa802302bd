"""Journeys of a customer's administrator in Chromium, on a gateway with a carrier and a mailbox of its own."""

import csv
import re
import zipfile
from datetime import UTC, datetime

import pyotp
import pytest
from lxml import etree

from smpp.simulator.script import Script
from sms.message import ReceiptState
from tests.kit.browser import NARROW, open_browser, open_portal, press
from tests.kit.running_portal import OWN, PHONE, Session, running_portal

ANNA, BEN = "anna.keller@example.com", "ben.okafor@example.com"
PASSWORD = "seven green ladders"
OFF = "+447700900404"


@pytest.fixture
async def portal(tmp_path, gateway_database):
    script = Script(states={OFF.lstrip("+"): ReceiptState.UNDELIVERABLE}, receipt_delay=1.0)
    async with running_portal(tmp_path / "house", gateway_database, script) as running:
        yield running


@pytest.fixture
async def browser(tmp_path):
    async with open_browser(tmp_path) as opened:
        yield opened


async def arrive(page, portal, address=ANNA):
    """Open the link of the newest mail to an address, and choose a password."""
    await page.goto(await portal.link_to(address))
    await page.fill("#f-password", PASSWORD)
    await press(page, "main button")
    await page.wait_for_selector("nav.rooms")


async def open_room(page, name):
    await press(page, f"nav.rooms >> text={name}")


async def test_an_administrator_comes_from_the_mail_and_brings_a_colleague(portal, browser):
    await portal.invite(ANNA)
    async with open_portal(browser, portal) as page:
        await arrive(page, portal)
        await press(page, "nav.own a")
        await press(page, "main a[href$=authenticator]")
        secret = await page.input_value("input[name=secret]")
        await page.fill("#f-code", pyotp.TOTP(secret).at(datetime.now(UTC)))
        await page.fill("#f-password", PASSWORD)
        await press(page, "main button")
        codes = (await page.inner_text("pre.codes")).split()
    async with open_portal(browser, portal, size=NARROW, colours="dark") as page:
        await page.goto("/portal/sign-in")
        await page.fill("#f-address", ANNA)
        await page.fill("#f-password", PASSWORD)
        await press(page, "main button")
        await page.fill("#f-code", codes[0])
        await press(page, "main button")
        await open_room(page, "Accounts")
        await page.fill("#f-address", BEN)
        await page.check("input[value=reports]")
        await press(page, "main button >> text=Invite")
        assert await page.inner_text(".said") == f"{BEN} was invited."
    link = await portal.link_to(BEN)
    (invitation,) = [mail for mail in portal.house.box.mails if BEN in mail.recipients]
    assert f"({ANNA})" in invitation.message.get_body(("plain",)).get_content()
    async with open_portal(browser, portal) as page:  # the colleague, by keyboard alone
        await page.goto(link)
        await page.focus("#f-password")
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("nav.rooms")
        rooms = await page.locator("nav.rooms a").all_inner_texts()
        assert "Reports" in rooms
        assert "Accounts" not in rooms


async def test_an_sms_is_sent_watched_answered_and_found_in_the_report(portal, browser, tmp_path):
    await portal.house.command("customer", "set", "demo", f"sender_id={OWN}")
    await portal.invite(ANNA)
    async with open_portal(browser, portal) as page:
        await arrive(page, portal)
        await press(page, "main .button")  # what to do first
        await page.fill("#f-address", ANNA)
        await press(page, "main form button")
        await open_room(page, "Send")
        await page.fill("#f-numbers", f"{PHONE}\n{OFF}")
        await page.fill("#f-text", "Lift 2 stands – take the other one.")
        await page.wait_for_selector(".counter >> text=1 part")
        await press(page, "main form button")
        await press(page, "text=Send 2 SMS")
        job = page.url
        await page.evaluate("window.untouched = true")
        await page.wait_for_selector("#state .good >> text=delivered")
        await page.wait_for_selector("#state .bad >> text=not delivered")
        assert await page.evaluate("window.untouched"), "the page followed the SMS without a reload"
        token = next(one["value"] for one in await page.context.cookies() if one["name"] == "portal")

        await portal.write_from_phone("Which one?")
        await open_room(page, "Inbound")
        await press(page, f"text={PHONE}")
        await page.fill("#f-text", "The one in hall 1.")
        await press(page, "text=Send answer")
        await page.wait_for_selector("li.out >> text=The one in hall 1.")
        await portal.house.carrier.until(
            lambda: [one.submitted.text for one in portal.house.carrier.record.taken][-1] == "The one in hall 1."
        )
        assert (taken := portal.house.carrier.record.taken[-1].submitted).number == PHONE.lstrip("+")
        assert taken.sender.lstrip("+") == OWN.lstrip("+")

        await open_room(page, "Reports")
        listed = [re.sub(r"\s.*", "", text) for text in await page.locator("tbody td.number").all_inner_texts()]
        assert listed == [PHONE, OFF, PHONE]
        files = []
        for form in ("CSV", "XLSX"):
            async with page.expect_download() as waiting:
                await page.click(f".take >> text={form} >> nth={0 if form == 'CSV' else -1}")
            download = await waiting.value
            files.append(tmp_path / download.suggested_filename)
            await download.save_as(files[-1])
    rows = list(csv.DictReader(files[0].read_text("utf-8-sig").splitlines()))
    assert [row["To"].lstrip("'") for row in rows] == listed
    with zipfile.ZipFile(files[1]) as book:
        sheet = etree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    cells = [str(text).strip("'") for text in sheet.itertext()]
    assert [text for text in cells if text in {PHONE, OFF}] == listed

    async with open_portal(browser, portal, Session(token), scripts=False) as page:
        await page.goto(job)
        assert await page.inner_text("#state .bad") == "not delivered"
        assert "Load the page again" in await page.inner_text("main")


async def test_a_setting_a_template_and_a_directory_are_looked_at_before_they_change(portal, browser):
    await portal.invite(ANNA)
    await portal.hold_difference()
    async with open_portal(browser, portal) as page:
        await arrive(page, portal)
        await open_room(page, "Settings")
        await press(page, "text=Cost centre")
        assert "the product" in await page.inner_text("dl.facts")
        await page.fill("#f-value", "W-200")
        await press(page, "text=Save")
        await press(page, ".card button")  # whom it reaches was shown first
        row = page.locator("tr", has_text="Cost centre")
        assert (await row.inner_text()).split("\t")[1:] == ["W-200", "the customer demo set here"]

        await open_room(page, "Templates")
        await press(page, "tr:has-text('Result') a")
        source = await page.input_value("#f-source")
        await page.fill("#f-source", source.replace("<body", "{{ nobody.knows }<body", 1))
        await press(page, "button[value=save]")
        assert "line" in await page.inner_text(".errors")
        await page.fill("#f-source", source.replace("</body>", "<p>Workshop of hall 2</p></body>", 1))
        await press(page, "button[value=preview]")
        beside = page.frame_locator("iframe >> nth=0")
        await beside.locator("text=Workshop of hall 2").wait_for()
        assert (await page.locator("iframe").nth(0).get_attribute("sandbox")) == ""
        await press(page, "button[value=save]")
        assert await page.locator("tbody >> text=" + ANNA).count() == 1

        await open_room(page, "Users")
        await press(page, "text=Directories")
        await press(page, "main table a")
        assert "13 of 22 users would be gone" in await page.inner_text("main")
        names = await page.locator("main tbody th").all_inner_texts()
        assert len(names) == len(set(names)) == 15
        await press(page, "main .act button")
        assert await page.inner_text(".said") == "The changes of «staff» are in force."
        await open_room(page, "Users")
        await page.fill("#f-q", "worker.19")
        await page.press("#f-q", "Enter")
        await page.wait_for_url("**q=worker.19")
        assert "gone from its directory" in await page.inner_text("tbody")
