"""wapiti, a scanner of others, goes through the portal as an administrator of a customer and finds nothing."""

import asyncio
import json
from dataclasses import replace

import pytest
from starlette.exceptions import HTTPException

from process.doors import Doors
from process.portal import portal_desk
from templates.portal_pages import PortalPages
from tests.kit.peer import find_program, require_peer
from tests.kit.portal_site import portal_site
from tests.kit.testbed import make_house, open_core
from web.portal.gate import Gate
from web.portal.pages import OPEN_PAGES, PAGES

WAPITI = find_program("wapiti")
ATTACKS = "xss,permanentxss,sql,exec,file,redirect,csrf,crlf,xxe,shellshock"
WHAT_IS_SENT = "csp,cookieflags,http_headers,methods"
EXPLAINED = {
    "X-Frame-Options is not set",  # frame-ancestors of the content policy says it, which browsers prefer
    "X-XSS-Protection is not set",  # browsers have no such filter any more
    "Strict-Transport-Security is not set",  # said under https alone (RFC 6797 §7.2), and here it is http
}


async def stay(_):
    """Answer in the place of pages that would end the session of the scan."""
    raise HTTPException(404)


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    doors = Doors(core.config, core, core.acceptance)
    # Who signs out, or disables and signs out accounts, ends the session of the scan.
    ends = [page.path == "/sign-out" or "/account" in page.path for page in PAGES]
    pages = [replace(page, handler=stay) if end else page for page, end in zip(PAGES, ends, strict=True)]
    gate = Gate(pages, OPEN_PAGES, desk=portal_desk(core.config, core, doors), look=PortalPages())
    async with portal_site(core, gate.routes()) as running:
        yield running
    doors.authenticator.close()
    core.database.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_wapiti_finds_nothing_but_what_is_explained(site, tmp_path):
    require_peer("wapiti", WAPITI)
    visitor, base = await site.signed_in(), site.origin
    report, home = tmp_path / "report.json", tmp_path / "wapiti"
    words = [
        *("--url", f"{base}/portal/c/{site.customer()}", "--scope", "domain", "--module", f"{ATTACKS},{WHAT_IS_SENT}"),
        *("--header", f"Cookie: portal={visitor.token}", "--header", f"Origin: {base}"),
        *("--max-scan-time", "30", "--max-attack-time", "8", "--max-links-per-page", "40", "--max-parameters", "40"),
        *("--endpoint", f"{base}/nothing/", "--no-bugreport", "--format", "json", "--output", str(report)),
        *("--store-session", str(home), "--store-config", str(home), "--verbose", "2"),
    ]
    process = await asyncio.create_subprocess_exec(
        str(WAPITI),
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"},
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-2000:]
    found = json.loads(report.read_text("utf-8"))
    told = [
        (kind, one["method"], one["path"], one["info"], one["parameter"])
        for part in ("vulnerabilities", "anomalies")
        for kind, items in found[part].items()
        for one in items
        if one["info"] not in EXPLAINED
    ]
    # It compares two refusals of a form that it filled with nonsense: the token itself is tried here.
    for kind, _, path, *_ in told:
        if kind == "Cross Site Request Forgery":
            answer = await visitor.post(path.removeprefix("/portal"), {"csrf": "wrong"})
            assert answer.status_code == 403, path
    assert [one for one in told if one[0] != "Cross Site Request Forgery"] == []
    assert (await visitor.get(f"/c/{site.customer()}")).status_code == 200, "it was signed in to the end"
