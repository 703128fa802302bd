"""Signing in at a customer's issuer with a provider written by others (node's oidc-provider), all under TLS."""

import asyncio
import json
import re
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest
import trustme

from tests.kit.browser import open_browser, open_portal, press, serious_findings
from tests.kit.issuer import CLIENT, SECRET
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer
from tests.kit.portal_site import portal_site, text_of
from tests.kit.ports import free_port
from tests.kit.testbed import make_house, open_core

FOLDER = Path(__file__).parents[1] / "node_oidc"
NEEDED = "node with oidc-provider (npm ci in tests/peers/node_oidc)"
ANNA, BEN = "anna@acme.example.com", "ben@acme.example.com"
ACCOUNTS = {
    "anna": {"email": "Anna@Acme.example.com", "email_verified": True, "name": "Anna Keller"},
    "ben": {"email": BEN, "email_verified": True, "name": "Ben Nuñez"},
    "eve": {"email": ANNA, "email_verified": False, "name": "Eve"},
}


@asynccontextmanager
async def provider(folder, site_port, customer, *, strict, **client):
    """Run the provider for a portal at a port; gives its issuer."""
    node = find_program("node", "nodejs")
    require_peer(NEEDED, node and (FOLDER / "node_modules" / "oidc-provider").is_dir())
    assert node is not None
    back = f"https://localhost:{site_port}/portal/sign-in/issuer/{customer}/back"
    options = {
        "key": str(folder / "key.pem"),
        "certificate": str(folder / "certificate.pem"),
        "client": {"client_id": CLIENT, "client_secret": SECRET, "redirect_uris": [back], **client},
        "accounts": ACCOUNTS,
        "strict": strict,
    }
    process = await asyncio.create_subprocess_exec(
        node,
        str(FOLDER / "provider.js"),
        json.dumps(options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            issuer = (await process.stdout.readline()).decode().strip()
        yield issuer
    finally:
        process.stdin.close()
        await process.wait()


class Here:
    """The portal under TLS, and how its customer acme gets an issuer."""

    def __init__(self, folder, site, port):
        self.folder, self.site, self.port = folder, site, port

    @asynccontextmanager
    async def issuer(self, *, strict=True, role="", **client):
        """Run a provider in which acme's people sign in."""
        async with provider(self.folder, self.port, self.site.customer(), strict=strict, **client) as issuer:
            secret = self.folder / "secret"
            secret.write_text(SECRET, "utf-8")
            await self.site.administer(
                f"customer oidc acme --issuer {issuer} --audience mail2sms",
                f"portal issuer --customer acme --client {CLIENT} --secret-file {secret}{role and f' --role {role}'}",
                f"portal invite {ANNA} --customer acme --role reports",
            )
            yield issuer


@pytest.fixture
async def here(tmp_path, gateway_database):
    authority, port = trustme.CA(), free_port()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    identity = authority.issue_cert("localhost")
    identity.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    identity.cert_chain_pems[0].write_to_path(str(tmp_path / "certificate.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    identity.configure_cert(context)
    config = make_house(tmp_path / "house", gateway_database)
    core = open_core(
        replace(
            config,
            server=replace(config.server, issuer_ca_file=tmp_path / "ca.pem"),
            portal=replace(config.portal, address=f"https://localhost:{port}"),
        )
    )
    async with portal_site(core, tls=context, port=port) as site:
        yield Here(tmp_path, site, port)
    core.database.close()


async def browse(client, method, url, **fields):
    """Follow redirects with a browser's cookies; return the last answer, whose status is not one of a redirect."""
    answer = await client.request(method, url, headers={"Sec-Fetch-Site": "same-origin"}, data=fields or None)
    while answer.is_redirect:
        answer = await client.get(urljoin(str(answer.url), answer.headers["location"]))
    return answer


async def sign_in(client, here, login):
    """Sign somebody in at the provider, as a browser without scripts does."""
    way = await browse(
        client, "POST", f"{here.site.origin}/portal/sign-in/issuer", address=ANNA, next="/portal/account"
    )
    (link,) = re.findall(r'href="(https://[^"]+)"', way.text)
    page = await browse(client, "GET", link.replace("&amp;", "&"))
    assert "<title>Provider</title>" in page.text, page.text
    return await browse(client, "POST", str(page.url), login=login)


@pytest.mark.parametrize(
    "provided",
    [
        {"strict": True},
        {"strict": False},
        {"strict": False, "token_endpoint_auth_method": "client_secret_post"},
    ],
    ids=str,
)
async def test_the_provider_signs_in_whose_address_it_has_verified(here, provided):
    async with here.issuer(**provided), httpx2.AsyncClient(verify=False, trust_env=False, timeout=PATIENCE) as client:
        answer = await sign_in(client, here, "anna")
        assert (answer.status_code, urlsplit(str(answer.url)).path) == (200, "/portal/account"), text_of(answer)
        assert ANNA in answer.text
        assert client.cookies["__Host-portal"]
        assert "__Host-portal-issuer" not in client.cookies


async def test_the_provider_signs_in_nobody_whose_address_it_has_not_verified(here):
    async with here.issuer(), httpx2.AsyncClient(verify=False, trust_env=False, timeout=PATIENCE) as client:
        answer = await sign_in(client, here, "eve")
        assert (answer.status_code, "no address that it has verified" in text_of(answer)) == (403, True)
        assert "__Host-portal" not in client.cookies


async def test_in_a_browser_people_come_in_by_their_company_go_back_and_are_refused_plainly(here, tmp_path):
    async with here.issuer(role="read-only"), open_browser(tmp_path) as browser:
        async with open_portal(browser, here.site) as page:
            await page.goto(f"/portal/c/{here.site.customer()}/reports")
            assert await serious_findings(page) == []
            await page.fill("#f-address", ANNA)
            await press(page, "text=Sign in at your company")
            assert await serious_findings(page) == []
            await press(page, "main a.button")
            assert await page.input_value("input[name=login]") == ANNA.replace("@", "%40")
            await page.fill("input[name=login]", "anna")
            await press(page, "button")
            await page.wait_for_url("**/reports")
            assert "Anna Keller" not in await page.inner_text("header"), "a name here stays as the portal has it"
            await page.go_back()
            await page.wait_for_load_state()
            await page.goto("/portal/account")
            assert ANNA in await page.inner_text("main")
            cookies = {item["name"]: item for item in await page.context.cookies()}
            assert cookies["__Host-portal"]["secure"]
            assert cookies["__Host-portal"]["httpOnly"]
        async with open_portal(browser, here.site, scripts=False, language="de") as page:
            await page.goto("/portal/sign-in")
            await page.fill("#f-address", BEN)
            await page.dblclick("text=Bei Ihrer Firma anmelden")
            await press(page, "main a.button")
            await press(page, "text=Refuse")
            assert "hat Sie nicht eingelassen" in await page.inner_text(".errors")
            assert await page.is_visible("#f-password")
            await page.fill("#f-address", BEN)
            await press(page, "text=Bei Ihrer Firma anmelden")
            await press(page, "main a.button")
            await page.fill("input[name=login]", "ben")
            await press(page, "button")
            assert "Ben Nuñez" in await page.inner_text("header")
