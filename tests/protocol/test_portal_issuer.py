"""Signing in to the portal at a customer's issuer: who gets in, who does not and is told why, and what attackers try."""

import base64
import hashlib
import html
import json
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import trustme
from click.testing import CliRunner
from joserfc import jwk, jwt

from addressbook.rights import Role
from cli.__main__ import main
from gateway.admin.views import show_customer
from store.portal_accounts import find_account
from tests.kit.clock import Clock
from tests.kit.in_process import undo_a_command
from tests.kit.issuer import CLIENT, SECRET, SUBJECT, Issuer, issuer
from tests.kit.portal_site import PortalSite, Visitor, portal_site, text_of
from tests.kit.testbed import make_house, open_core

ANNA = "anna@acme.example.com"
BACK = "/portal/c/7/settings"


@dataclass
class Here:
    """The portal, whose customer acme has an issuer."""

    site: PortalSite
    issuer: Issuer
    clock: Clock
    secret_file: Path

    async def begin(self, address=ANNA, back=BACK, visitor=None):
        """Return the way to the issuer for an address, and what the browser keeps meanwhile."""
        answer = await (visitor or self.site.guest).post("/sign-in/issuer", {"address": address, "next": back})
        assert answer.status_code == 200, text_of(answer)
        (url,) = re.findall(r'href="(https://[^"]+)"', answer.text)
        return html.unescape(url), answer.headers["set-cookie"].split("portal-issuer=")[1].split(";")[0]

    async def come_back(self, kept, brought, customer="acme", token=""):
        """Return what a browser sees that comes back from the issuer with `brought`."""
        visitor = Visitor(self.site, token, {"portal-issuer": kept} if kept else {})
        return await visitor.get(f"/sign-in/issuer/{self.site.customer(customer)}/back?{urlencode(brought)}")

    async def sign_in(self, *, back=BACK, token="", **claims):
        url, kept = await self.begin(back=back)
        return await self.come_back(kept, self.issuer.consent(url, **claims), token=token)

    async def account(self, address=ANNA):
        return await self.site.core.database.read(partial(find_account, address=address))

    def audit(self, action):
        return [(row.who, row.target, row.detail, row.after) for row in self.site.core.audit(action=action)]


@pytest.fixture
async def here(tmp_path, gateway_database):
    clock, authority = Clock(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "secret").write_text(SECRET, "utf-8")
    config = make_house(tmp_path / "house", gateway_database)
    config = replace(config, server=replace(config.server, issuer_ca_file=tmp_path / "ca.pem"))
    core = open_core(config, clock)
    async with issuer(authority, clock.now()) as made, portal_site(core) as site:
        await site.administer(
            f"customer oidc acme --issuer {made.url} --audience mail2sms",
            f"portal issuer --customer acme --client {CLIENT} --secret-file {tmp_path / 'secret'}",
            f"portal invite {ANNA} --customer acme --role reports",
        )
        yield Here(site, made, clock, tmp_path / "secret")
    core.database.close()


def token_in(answer):
    (cookie,) = (item for item in answer.headers.get_list("set-cookie") if item.startswith("portal="))
    return cookie.split("portal=")[1].split(";")[0]


def is_told(answer, status, words):
    """Check that a page says why nobody is signed in, signs nobody in, and asks for the password."""
    assert (answer.status_code, words in text_of(answer)) == (status, True), text_of(answer)
    assert 'name="password"' in answer.text
    assert not [item for item in answer.headers.get_list("set-cookie") if item.startswith("portal=")]


async def test_somebody_with_an_account_signs_in_there_and_sees_the_page_that_was_asked_for(here):
    url, kept = await here.begin()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert url.startswith(f"{here.issuer.url}/authorize?")
    assert asked["response_type"] == "code"
    assert asked["scope"] == "openid email profile"
    assert asked["login_hint"] == ANNA
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"].endswith(f"/portal/sign-in/issuer/{here.site.customer()}/back")
    answer = await here.come_back(kept, here.issuer.consent(url))
    assert (answer.status_code, answer.headers["location"]) == (303, BACK)
    visitor = Visitor(here.site, token_in(answer))
    assert (await visitor.get(f"/c/{here.site.customer()}")).status_code == 200
    assert [(who, target, detail) for who, target, detail, _ in here.audit("account.sign-in")] == [
        (ANNA, ANNA, f"127.0.0.1 {here.issuer.url}")
    ]
    (account,) = [await here.account()]
    assert account.state == "active", "the issuer proves an invited address as its link does"


async def test_nothing_of_one_sign_in_is_in_another(here):
    (first, _), (second, _) = await here.begin(), await here.begin()
    one, other = (parse_qs(urlsplit(url).query) for url in (first, second))
    for name in ("state", "nonce", "code_challenge"):
        assert one[name] != other[name]
    values = [one[name][0] for name in ("state", "nonce", "code_challenge")]
    assert len(set(values)) == 3


async def test_the_way_is_the_same_for_an_address_that_has_an_account_and_for_one_that_has_none(here):
    pages = [
        await here.site.guest.post("/sign-in/issuer", {"address": address})
        for address in (ANNA, "nobody@acme.example.com")
    ]
    assert text_of(pages[0]) == text_of(pages[1])
    assert pages[0].status_code == pages[1].status_code == 200
    sent = [answer.headers["set-cookie"].split(";")[1:] for answer in pages]
    assert sent[0][0] == sent[1][0] == " HttpOnly"
    assert {"Max-Age=600", "Path=/", "SameSite=lax"} <= {word.strip() for word in sent[0]}


async def test_the_button_is_there_where_a_customer_signs_in_so_and_not_otherwise(here):
    async def is_shown():
        return "Sign in at your company" in text_of(await here.site.guest.get("/sign-in"))

    assert await is_shown()
    await here.site.administer("customer disable acme")
    assert not await is_shown()
    await here.site.administer("customer enable acme", "portal issuer --customer acme --off")
    assert not await is_shown()
    none = await here.site.guest.post("/sign-in/issuer", {"address": ANNA})
    is_told(none, 422, "no sign-in at a company for this address")
    for address in ("x@rival.example.com", "x@elsewhere.example", "acme.example.com", ""):
        is_told(await here.site.guest.post("/sign-in/issuer", {"address": address}), 422, "Use your password")


def unsigned(here, nonce):
    """Return an ID token that nobody has signed."""
    claims = {"iss": here.issuer.url, "aud": CLIENT, "exp": int(here.issuer.now) + 300, "nonce": nonce, "sub": "1"}
    parts = ({"alg": "none"}, {**claims, "email": ANNA, "email_verified": True})
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), ""])


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://login.example.com"},
        {"aud": "mail2sms"},
        {"aud": None},
        {"aud": ["portal", "other"]},
        {"aud": ["portal", "other"], "azp": "other"},
        {"azp": "other"},
        {"exp": 0},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": float("nan")},
        {"nbf": 10**400},
        {"nbf": 99_999_999_999},
        {"nonce": None},
        {"nonce": "of another sign-in"},
        {"sub": None},
    ],
    ids=str,
)
async def test_a_token_of_another_issuer_audience_time_or_sign_in_signs_nobody_in(here, claims):
    is_told(await here.sign_in(**claims), 403, "proves nothing")


async def test_a_token_for_several_audiences_counts_where_we_are_the_party(here):
    assert (await here.sign_in(aud=["api", CLIENT], azp=CLIENT)).status_code == 303


async def test_a_minute_between_the_clocks_does_not_matter(here):
    assert (await here.sign_in(exp=int(here.issuer.now) - 50, nbf=int(here.issuer.now) + 50)).status_code == 303
    is_told(await here.sign_in(exp=int(here.issuer.now) - 70), 403, "proves nothing")


@pytest.mark.parametrize("how", ["none", "our secret", "another key", "the key that it brings", "words"])
async def test_a_token_that_no_key_of_the_issuer_signed_signs_nobody_in(here, how):
    url, kept = await here.begin()
    nonce = parse_qs(urlsplit(url).query)["nonce"][0]
    claims = {"aud": CLIENT, "nonce": nonce, "sub": "1", "email_verified": True}
    secret = jwk.OctKey.import_key(SECRET.ljust(32, "x"), {"kid": "first"})
    own = jwk.RSAKey.generate_key(2048, {"kid": "first"})
    brings = {"alg": "RS256", "jwk": own.as_dict(private=False), "jku": "https://evil.example/keys"}
    token = {
        "none": unsigned(here, nonce),
        "our secret": here.issuer.token(secret, "HS256", **claims),
        "another key": here.issuer.token(own, **claims),
        "the key that it brings": jwt.encode(
            brings, {"iss": here.issuer.url, "exp": int(here.issuer.now) + 300, "email": ANNA, **claims}, own
        ),
        "words": "no token at all",
    }[how]
    is_told(await here.come_back(kept, here.issuer.consent(url, token)), 403, "proves nothing")


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"email_verified": False}, "no address that it has verified"),
        ({"email_verified": "false"}, "no address that it has verified"),
        ({"email_verified": None}, "no address that it has verified"),
        ({"email_verified": False, "xms_edov": True}, "no address that it has verified"),
        ({"email": None}, "no address that it has verified"),
        ({"email": ["anna@acme.example.com"]}, "no address that it has verified"),
        ({"email": "anna"}, "no address that it has verified"),
        ({"email": "an\x00na@acme.example.com"}, "no address that it has verified"),
        ({"email": "x@rival.example.com"}, "x@rival.example.com is in no domain of your company"),
        ({"email": "x@elsewhere.example"}, "x@elsewhere.example is in no domain of your company"),
        ({"email": "x@acme.example.com.elsewhere.example"}, "is in no domain of your company"),
        ({"email": "ben@acme.example.com"}, "ben@acme.example.com has no account"),
    ],
    ids=str,
)
async def test_an_address_counts_that_is_verified_of_a_domain_of_the_customer_and_has_an_account(here, claims, words):
    is_told(await here.sign_in(**claims), 403, words)


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "Anna@ACME.example.COM"},
        {"email_verified": "true"},
        {"email_verified": None, "xms_edov": True},
        {"email_verified": None, "xms_edov": "1"},
    ],
    ids=str,
)
async def test_an_address_is_the_same_in_capitals_and_verified_however_an_issuer_says_so(here, claims):
    answer = await here.sign_in(**claims)
    assert answer.status_code == 303
    assert ANNA in (await Visitor(here.site, token_in(answer)).get("/account")).text


async def test_who_came_in_there_as_the_wrong_person_is_asked_anew(here):
    """Else a provider that knows the browser sends the same person back at once, again and again."""
    refused = await here.sign_in(email="ben@acme.example.com")
    assert '<input type="hidden" name="anew" value="yes">' in refused.text
    way = await here.site.guest.post("/sign-in/issuer", {"address": ANNA, "anew": "yes"})
    assert "prompt=login" in way.text
    url, _ = await here.begin()
    assert "prompt" not in parse_qs(urlsplit(url).query)


async def test_an_address_that_the_token_lacks_is_asked_for_at_the_userinfo_endpoint(here):
    here.issuer.said = {"sub": SUBJECT, "email": ANNA, "email_verified": True}
    assert (await here.sign_in(email=None, email_verified=None)).status_code == 303
    assert (await here.sign_in(email_verified=None)).status_code == 303
    here.issuer.said["email"] = "\ud800@acme.example.com"
    is_told(await here.sign_in(email=None), 403, "no address that it has verified")
    here.issuer.said["sub"] = "somebody else"
    is_told(await here.sign_in(email=None), 403, "proves nothing")
    here.issuer.said = {}
    is_told(await here.sign_in(email=None), 503, "can’t be used at present")


async def test_an_operator_a_disabled_account_and_one_of_another_customer_do_not_sign_in_so(here):
    await here.site.administer(
        "portal invite op@acme.example.com --role operator",
        "portal invite both@acme.example.com --customer acme --role reports",
        "portal invite both@acme.example.com --role operator",
        "portal invite far@acme.example.com --customer rival --role reports",
        "portal invite off@acme.example.com --customer acme --role reports",
        "portal disable off@acme.example.com",
    )
    for name in ("op", "both", "far", "off"):
        is_told(await here.sign_in(email=f"{name}@acme.example.com"), 403, f"{name}@acme.example.com has no account")


async def test_a_newcomer_gets_the_role_that_the_customer_gives_and_others_keep_theirs(here):
    await here.site.administer(
        f"portal issuer --customer acme --client {CLIENT} --secret-file {here.secret_file} --role read-only",
        "portal invite op@acme.example.com --role operator",
    )
    answer = await here.sign_in(email="New@acme.example.com", name="  Ñora\n N\x00ew ", exp=10**400)
    assert answer.status_code == 303
    account = await here.account("new@acme.example.com")
    assert (account.name, account.state, account.role_at(here.site.customer())) == ("Ñora New", "active", "read-only")
    assert here.audit("account.join") == [(here.issuer.url, "new@acme.example.com", "", "read-only")]
    assert (await here.sign_in()).status_code == 303
    assert (await here.account()).role_at(here.site.customer()) is Role.REPORTS
    is_told(await here.sign_in(email="op@acme.example.com"), 403, "has no account")


async def test_a_code_and_a_state_count_once(here):
    url, kept = await here.begin()
    brought = here.issuer.consent(url)
    answer = await here.come_back(kept, brought)
    assert 'portal-issuer=""' in " ".join(answer.headers.get_list("set-cookie")), "the browser forgets it"
    is_told(await here.come_back("", brought), 410, "ended already")
    is_told(await here.come_back(kept, brought), 403, "proves nothing")
    again = await here.come_back("", brought, token=token_in(answer))
    assert (again.status_code, again.headers["location"]) == (303, "/portal/"), "«back» in a browser that is in"


async def test_an_answer_counts_in_the_browser_that_asked_within_ten_minutes_and_at_its_customer(here):
    """Login CSRF: an attacker's own code and state, brought into the browser of somebody else."""
    await here.site.administer(
        f"customer oidc rival --issuer {here.issuer.url} --audience mail2sms",
        f"portal issuer --customer rival --client {CLIENT} --secret-file {here.secret_file}",
    )
    url, kept = await here.begin()
    _, others = await here.begin()
    brought = here.issuer.consent(url)
    forged = {**brought, "state": hashlib.sha256(b"state ").hexdigest()}
    longer = re.sub(r"\.(\d+)\.(\d+)\.", lambda found: f".{found[1]}.{int(found[2]) + 999}.", kept)
    for keeps, brings in ((others, brought), ("", brought), ("", forged), (longer, brought), (kept, {"code": "x"})):
        is_told(await here.come_back(keeps, brings), 410, "not begun in this browser")
    is_told(await here.come_back(kept, brought, customer="rival"), 410, "not begun in this browser")
    is_told(await here.come_back(kept, {**brought, "state": "ü"}), 410, "not begun in this browser")
    here.clock.move(timedelta(minutes=10))
    is_told(await here.come_back(kept, brought), 410, "ten minutes")


async def test_an_answer_that_another_issuer_caused_is_not_taken(here):
    """Mix-up (RFC 9207): the answer names who gave it, and each customer has an address of its own."""
    url, kept = await here.begin()
    brought = here.issuer.consent(url)
    is_told(await here.come_back(kept, {**brought, "iss": "https://evil.example"}), 403, "proves nothing")
    assert "/t1/token" not in here.issuer.asked, "no code goes to an issuer that did not give it"
    del brought["iss"]
    assert (await here.come_back(kept, brought)).status_code == 303


async def test_an_issuer_that_promises_to_name_itself_must_do_so(here):
    here.issuer.rotate("second", authorization_response_iss_parameter_supported=True)
    url, kept = await here.begin()
    brought = here.issuer.consent(url)
    del brought["iss"]
    is_told(await here.come_back(kept, brought), 403, "proves nothing")


async def test_what_the_issuer_refuses_is_said_plainly(here):
    url, kept = await here.begin()
    brought = here.issuer.consent(url)
    error = {"state": brought["state"], "iss": brought["iss"], "error": "access_denied"}
    is_told(await here.come_back(kept, error), 403, "did not let you in")
    is_told(await here.come_back(kept, {"state": brought["state"]}), 403, "did not let you in")


@pytest.mark.parametrize(
    "documents",
    [
        {},
        {"configuration": b"<html>"},
        {"configuration": b"[]"},
        {"configuration": b"x" * (300 << 10)},
        {"configuration": {"issuer": "https://other.example"}},
        {"configuration": {"authorization_endpoint": "javascript:alert(1)"}},
        {"configuration": {"authorization_endpoint": "http://plain.example/"}},
        {"configuration": {"authorization_endpoint": None}},
        {"configuration": {"authorization_endpoint": "https://["}},
        {"configuration": {"authorization_endpoint": "https://"}},
        {"configuration": {"authorization_endpoint": "https://a.example/\r\nx"}},
        {"configuration": {"jwks_uri": 7}},
    ],
    ids=lambda given: str(given)[:60],
)
async def test_an_issuer_that_does_not_answer_or_answers_nonsense_leaves_the_password(here, documents):
    path = "/t1/.well-known/openid-configuration"
    given = documents.get("configuration", b"")
    if isinstance(given, dict):
        given = json.dumps({**json.loads(here.issuer.documents[path]), **given}).encode()
    here.issuer.documents[path] = given
    answer = await here.site.guest.post("/sign-in/issuer", {"address": ANNA, "next": BACK})
    is_told(answer, 503, "can’t be used at present")
    assert f'value="{BACK}"' in answer.text
    assert f'value="{ANNA}"' in answer.text


@pytest.mark.parametrize(
    "said",
    [
        ("200 OK", b"<html>"),
        ("200 OK", b"null"),
        ("200 OK", b'{"access_token": "access"}'),
        ("200 OK", b'{"id_token": 7}'),
        ("200 OK", b"\xff\xfe"),
        ("200 OK", b"[" * 100_000),
        ("302 Found", b"{}"),
        ("500 Internal Server Error", b""),
        ("401 Unauthorized", b'{"error": "invalid_client"}'),
    ],
    ids=lambda given: str(given)[:60],
)
async def test_a_token_endpoint_that_answers_nonsense_leaves_the_password(here, said):
    here.issuer.answer = said
    is_told(await here.sign_in(), 503, "can’t be used at present")


async def test_a_key_that_is_new_since_the_browser_left_is_asked_for_at_once(here):
    url, kept = await here.begin()
    here.issuer.rotate("second")
    assert (await here.come_back(kept, here.issuer.consent(url))).status_code == 303


async def test_an_endpoint_may_have_a_query_and_the_client_name_itself_in_the_form(here):
    here.issuer.rotate(
        "second",
        authorization_endpoint=f"{here.issuer.url}/authorize?tenant=acme",
        token_endpoint_auth_methods_supported=["client_secret_post"],
    )
    url, kept = await here.begin()
    assert parse_qs(urlsplit(url).query)["tenant"] == ["acme"]
    assert (await here.come_back(kept, here.issuer.consent(url))).status_code == 303
    assert here.issuer.posted["client_secret"] == SECRET


async def test_wrong_codes_of_one_client_are_bounded(here):
    answers = []
    for _ in range(51):
        url, kept = await here.begin()
        state = parse_qs(urlsplit(url).query)["state"][0]
        answers.append(await here.come_back(kept, {"state": state, "code": "guessed", "iss": here.issuer.url}))
    assert {answer.status_code for answer in answers[:50]} == {403}
    is_told(answers[50], 429, "Too many wrong answers")


async def test_a_suspended_customer_signs_in_and_a_disabled_one_does_not(here):
    await here.site.administer("customer suspend acme --reason unpaid")
    answer = await here.sign_in()
    home = await Visitor(here.site, token_in(answer)).get(f"/c/{here.site.customer()}")
    assert "unpaid" in text_of(home)
    url, kept = await here.begin()
    await here.site.administer("customer disable acme")
    is_told(await here.come_back(kept, here.issuer.consent(url)), 410, "Begin again")


async def test_the_session_of_another_account_in_that_browser_ends(here):
    other = await here.site.signed_in(Role.ADMINISTRATOR)
    answer = await here.sign_in(token=other.token)
    assert token_in(answer) != other.token
    assert (await other.get("/account")).status_code == 303
    assert ANNA in (await Visitor(here.site, token_in(answer)).get("/account")).text


async def test_a_session_that_an_issuer_began_ends_where_its_account_becomes_an_operator(here):
    visitor = Visitor(here.site, token_in(await here.sign_in()))
    assert (await visitor.get("/account")).status_code == 200
    await here.site.administer(f"portal invite {ANNA} --role operator")
    assert (await visitor.get("/account")).status_code == 303


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/portal/link?link=x", "x" * 3000])
async def test_the_way_back_leads_to_pages_of_the_portal_only(here, back):
    assert (await here.sign_in(back=back)).headers["location"] == "/portal/"


async def test_a_sign_in_that_another_site_begins_is_refused(here):
    answer = await here.site.guest.post("/sign-in/issuer", {"address": ANNA}, Sec_Fetch_Site="cross-site")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_the_issuers_word_replaces_the_authenticator_only_where_its_customer_is_the_only_one(here):
    await here.site.administer("portal require-authenticator --customer acme")
    home = f"/c/{here.site.customer()}"
    assert (await Visitor(here.site, token_in(await here.sign_in())).get(home)).status_code == 200
    assert (await (await here.site.signed_in(Role.REPORTS, address=ANNA)).get(home)).status_code == 303
    await here.site.administer(f"portal invite {ANNA} --customer rival --role reports")
    answer = await Visitor(here.site, token_in(await here.sign_in())).get(home)
    assert answer.headers["location"] == "/portal/account/authenticator"


async def test_an_account_of_several_customers_is_asked_for_its_authenticator(here):
    def give(tx, keys):
        return [
            tx.execute("UPDATE portal_account SET totp_secret = 'JBSWY3DPEHPK3PXP' WHERE address = ?", (key,))
            for key in keys
        ]

    await here.site.core.database.write(give, ANNA)
    assert (await here.sign_in()).headers["location"] == BACK
    await here.site.administer(f"portal invite {ANNA} --customer rival --role reports")
    assert (await here.sign_in()).headers["location"] == f"/portal/sign-in/code?next={BACK}"


async def test_the_command_says_what_to_register_and_keeps_the_secret_to_itself(here):
    def run(*words):
        result = CliRunner().invoke(
            main, ["portal", "issuer", *words, "--config", str(here.site.core.folder / "mail2sms.toml")]
        )
        undo_a_command()
        return result.exit_code, result.output

    secret = ["--secret-file", str(here.secret_file)]
    code, said = run("--customer", "acme", "--client", "portal-2", *secret)
    assert (code, SECRET in said) == (0, False)
    assert f"/portal/sign-in/issuer/{here.site.customer()}/back" in said
    shown = here.site.core.database.read_now(lambda tx: show_customer(tx, "acme"))
    assert (shown["identity_provider"], shown["portal_client"]) == (here.issuer.url, "portal-2")
    code, said = run("--customer", "rival", "--client", "portal-2", *secret)
    assert (code, "customer oidc rival" in said) == (1, True)
    for words in (["--client", "x"], secret, ["--off", "--client", "x", *secret], ["--off", "--role", "reports"], []):
        code, said = run("--customer", "acme", *words)
        assert (code, "--off alone" in said) == (2, True)
    assert run("--customer", "acme", "--client", "x", *secret, "--role", "operator")[0] == 2
    assert run("--customer", "acme", "--off")[0] == 0
    told = here.audit("customer.portal-issuer")
    assert all(SECRET not in str(line) for line in told)
    assert [after for *_, after in told] == [CLIENT, "portal-2", ""]
