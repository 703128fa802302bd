"""Chromium driven by Playwright, with the fonts of tests/peers/fonts: pages of the portal as people see them.

Playwright drives the Chromium that the system has and downloads nothing.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal, Protocol

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer

WIDE, NARROW = (1200, 900), (390, 844)
_FONTS = Path(__file__).parents[1] / "peers" / "fonts" / "fonts.conf"
_SERIOUS = {"serious", "critical"}


class ServedPortal(Protocol):
    """Where a portal answers on this machine."""

    @property
    def origin(self) -> str:
        """How its addresses begin."""


class SignedIn(Protocol):
    """Somebody whose browser holds the token of a session."""

    @property
    def token(self) -> str:
        """What its cookie says."""


@contextlib.asynccontextmanager
async def open_browser(folder: Path) -> AsyncIterator[Browser]:
    """Run a Chromium without a window; `folder` takes what it keeps."""
    program = find_program("chromium", "chromium-browser", "google-chrome")
    require_peer("chromium", program)
    environment: dict[str, str | float | bool] = {
        **os.environ,
        "FONTCONFIG_FILE": str(_FONTS),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-quic"], env=environment
        )
        try:
            yield browser
        finally:
            await browser.close()


async def press(page: Page, selector: str) -> None:
    """Press what leads to another page, and wait until that one stands there.

    So a reading right after it never sees the one before.
    """
    async with page.expect_navigation():
        await page.click(selector)


@contextlib.asynccontextmanager
async def open_portal(
    browser: Browser,
    site: ServedPortal,
    visitor: SignedIn | None = None,
    *,
    size: tuple[int, int] = WIDE,
    colours: Literal["light", "dark"] = "light",
    language: str = "en",
    scripts: bool = True,
) -> AsyncIterator[Page]:
    """Open a page of the portal, whose paths begin with /portal, in a browser of its own.

    It has signed in as `visitor`, and takes any certificate. A word on the console, such as of something that the
    content policy refused, ends the test.
    """
    context = await browser.new_context(
        base_url=site.origin,
        ignore_https_errors=True,
        viewport={"width": size[0], "height": size[1]},
        color_scheme=colours,
        locale=language,
        timezone_id="UTC",
        java_script_enabled=scripts,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE * 1000)
    if visitor is not None:
        await context.add_cookies([{"name": "portal", "value": visitor.token, "url": site.origin}])
    page = await context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    yield page
    await context.close()
    # A refused form is an answer with a status that Chromium calls an error.
    assert [text for text in told if "Failed to load resource" not in text] == []


async def serious_findings(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical on a page."""
    results = await Axe().run(page)
    return [
        f"{found['id']}: {node['html'][:160]}"
        for found in results.response["violations"]
        if found["impact"] in _SERIOUS
        for node in found["nodes"]
    ]


async def overflow(page: Page) -> int:
    """Return by how many pixels a page is wider than its window: what a narrow screen would scroll sideways."""
    return int(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
