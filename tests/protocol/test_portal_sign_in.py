"""Signing in to the portal: by password, code and link, what ends a session, and what attackers try."""

import json
import re
from datetime import timedelta
from html import escape
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import structlog

from addressbook.rights import Role
from gateway.portal.passwords import Weakness, find_weakness
from gateway.portal.sessions import IDLE, LONGEST
from tests.kit.clock import Clock
from tests.kit.portal_site import Visitor, portal_site, text_of
from tests.kit.testbed import make_house, open_core
from web.portal.sign_in import own_path

PASSWORD = "seven green ladders"
ANNA = "anna.portal@example.com"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def site(tmp_path, gateway_database, clock):
    core = open_core(make_house(tmp_path / "house", gateway_database), clock)
    async with portal_site(core) as running:
        yield running
    core.database.close()


def letters(site):
    """Return what the outbox holds of letters: recipient, and what each says."""
    return site.core.letters()


def link_in(letter):
    """Return the path of the link in a letter, below /portal."""
    parts = urlsplit(json.loads(letter["fields"])["link"])
    assert parts.path == "/portal/link"
    return f"/link?{parts.query}", parse_qs(parts.query)["link"][0]


def token_in(answer):
    return answer.headers["set-cookie"].split("portal=")[1].split(";")[0]


async def with_password(site):
    """Let Anna follow her invitation, and return her session."""
    administrator = await site.signed_in()
    path = f"/c/{site.customer()}/accounts"
    done = await administrator.post(path, {"address": ANNA, "name": "Anna Keller", "role": "reports"})
    assert done.status_code == 303
    _, letter = letters(site)[-1]
    path, text = link_in(letter)
    shown = await site.guest.get(path)
    assert ANNA in shown.text
    answer = await site.guest.post("/link", {"link": text, "password": PASSWORD})
    assert answer.status_code == 303, text_of(answer)
    return Visitor(site, token_in(answer))


async def sign_in(site, password=PASSWORD, **fields):
    return await site.guest.post("/sign-in", {"address": ANNA, "password": password, **fields})


async def works(visitor):
    return (await visitor.get("/account")).status_code == 200


async def test_an_invitation_gives_a_password_once_and_its_page_alone_uses_nothing_up(site):
    visitor = await with_password(site)
    assert await works(visitor)
    path, text = link_in(next(letter for to, letter in letters(site) if to == ANNA))
    again = await site.guest.post("/link", {"link": text, "password": "other words entirely"})
    assert again.status_code == (await site.guest.get(path)).status_code == 410
    answer = await sign_in(site)
    assert answer.status_code == 303
    assert await works(Visitor(site, token_in(answer)))


async def test_a_wrong_password_a_stranger_and_a_disabled_account_are_told_the_same(site):
    await with_password(site)
    wrong = await sign_in(site, "wrong horse battery")
    stranger = await site.guest.post("/sign-in", {"address": "nobody@example.com", "password": PASSWORD})
    await site.administer(f"portal disable {ANNA}")
    disabled = await sign_in(site)
    assert wrong.status_code == stranger.status_code == disabled.status_code == 422
    assert text_of(wrong) == text_of(stranger) == text_of(disabled)


async def test_guessing_ends_after_ten_wrong_passwords_and_each_is_a_line_of_the_log(site):
    with structlog.testing.capture_logs() as logs:
        for number in range(11):
            answer = await site.guest.post("/sign-in", {"address": "nobody@example.com", "password": f"wrong {number}"})
            assert answer.status_code == (422 if number < 10 else 429)
    failed = [(line["mechanism"], line["rip"], line["user"]) for line in logs if line["event"] == "auth_failed"]
    assert failed == [("PORTAL", "127.0.0.1", "nobody@example.com")] * 11


async def test_a_session_ends_at_sign_out_when_idle_and_in_any_case_after_half_a_day(site, clock):
    visitor = await with_password(site)
    assert (await visitor.post("/sign-out")).status_code == 303
    assert not await works(visitor)
    visitor = Visitor(site, token_in(await sign_in(site)))
    clock.move(IDLE - timedelta(minutes=1))
    assert await works(visitor)
    clock.move(IDLE + timedelta(minutes=1))
    assert not await works(visitor)
    visitor, began = Visitor(site, token_in(await sign_in(site))), clock.now()
    while clock.now() + IDLE / 2 < began + LONGEST:
        clock.move(IDLE / 2)
        assert await works(visitor)
    clock.move(IDLE / 2)
    assert not await works(visitor)


async def test_a_new_password_ends_all_other_sessions_and_is_told_by_mail(site):
    visitor, other = await with_password(site), Visitor(site, token_in(await sign_in(site)))
    refused = await visitor.post("/account/password", {"password": "wrong horse", "new": "quiet purple teapots"})
    assert "not your present password" in text_of(refused)
    weak = await visitor.post("/account/password", {"password": PASSWORD, "new": "anna.portal1234"})
    assert "your name or address" in text_of(weak)
    answer = await visitor.post("/account/password", {"password": PASSWORD, "new": "quiet purple teapots"})
    assert answer.status_code == 303
    assert not await works(other)
    assert not await works(visitor)
    assert await works(Visitor(site, token_in(answer)))
    assert letters(site)[-1][1]["words"] == "account-password"
    assert (await sign_in(site)).status_code == 422


async def test_a_forgotten_password_tells_nobody_which_accounts_there_are(site, clock):
    await with_password(site)
    told = len(letters(site))
    there = await site.guest.post("/forgotten", {"address": ANNA})
    nobody = await site.guest.post("/forgotten", {"address": "nobody@example.com"})
    assert (there.status_code, there.headers["location"]) == (nobody.status_code, nobody.headers["location"])
    assert there.headers["set-cookie"] == nobody.headers["set-cookie"]
    await site.settled()
    ((to, letter),) = letters(site)[told:]
    assert to == ANNA
    await site.guest.post("/forgotten", {"address": ANNA})
    await site.settled()
    assert len(letters(site)) == told + 1, "no second mail within five minutes"
    _, text = link_in(letter)
    clock.move(timedelta(hours=1))
    assert (await site.guest.post("/link", {"link": text, "password": "quiet purple teapots"})).status_code == 410
    await site.guest.post("/forgotten", {"address": ANNA})
    await site.settled()
    _, text = link_in(letters(site)[-1][1])
    assert (await site.guest.post("/link", {"link": f"{text}x", "password": "quiet purple teapots"})).status_code == 410
    assert (await site.guest.post("/link", {"link": text, "password": "quiet purple teapots"})).status_code == 303


async def test_a_link_for_a_new_password_is_void_once_the_password_was_changed_otherwise(site):
    visitor = await with_password(site)
    await site.guest.post("/forgotten", {"address": ANNA})
    await site.settled()
    path, text = link_in(letters(site)[-1][1])
    assert (await site.guest.get(path)).status_code == 200
    changed = await visitor.post("/account/password", {"password": PASSWORD, "new": "quiet purple teapots"})
    assert changed.status_code == 303
    assert (await site.guest.get(path)).status_code == 410
    assert (await site.guest.post("/link", {"link": text, "password": "another long one"})).status_code == 410


async def test_an_administrator_of_a_customer_makes_nobody_an_operator(site):
    administrator = await site.signed_in()
    path = f"/c/{site.customer()}/accounts"
    answer = await administrator.post(path, {"address": ANNA, "role": "operator"})
    assert answer.status_code == 422
    assert "operator" in text_of(answer)
    assert ANNA not in (await administrator.get(path)).text


async def test_a_role_that_was_taken_away_holds_no_longer_in_a_session_that_is_open(site):
    administrator, reader = await site.signed_in(), await site.signed_in(Role.REPORTS)
    home = f"/c/{site.customer()}"
    assert (await reader.get(home)).status_code == 200
    await site.administer("portal remove reports.acme@example.com --customer acme")
    assert (await reader.get(home)).status_code in {303, 404}
    assert (await administrator.get(home)).status_code == 200


async def with_authenticator(site):
    """Give Anna an authenticator; return her session, the secret and the recovery codes."""
    visitor = await with_password(site)
    page = (await visitor.get("/account/authenticator")).text
    (secret,) = re.findall(r'name="secret" value="(\w+)"', page)
    code = pyotp.TOTP(secret).at(site.core.clock.now())
    fields = {"secret": secret, "code": code, "password": PASSWORD}
    assert "code is wrong" in text_of(await visitor.post("/account/authenticator", {**fields, "code": "000 000"}))
    done = await visitor.post("/account/authenticator", fields)
    return visitor, secret, re.findall(r"\b[a-z0-9]{5}-[a-z0-9]{5}\b", done.text)


async def test_an_authenticators_code_is_asked_for_after_the_password_and_counts_once(site, clock):
    _, secret, codes = await with_authenticator(site)
    assert len(set(codes)) == 10
    waiting = await sign_in(site, next="/portal/account")
    assert waiting.headers["location"] == "/portal/sign-in/code?next=/portal/account"
    half = Visitor(site, token_in(waiting))
    assert not await works(half)
    used = pyotp.TOTP(secret).at(clock.now())
    assert (await half.post("/sign-in/code", {"code": used})).status_code == 422, "the code that set it up"
    clock.move(timedelta(seconds=30))
    code = pyotp.TOTP(secret).at(clock.now())
    answer = await half.post("/sign-in/code", {"code": f"{code[:3]} {code[3:]}", "next": "/portal/account"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/portal/account")
    whole = Visitor(site, token_in(answer))
    assert await works(whole)
    assert whole.token != half.token
    half = Visitor(site, token_in(await sign_in(site)))
    assert (await half.post("/sign-in/code", {"code": code})).status_code == 422, "a code that was used"
    answer = await half.post("/sign-in/code", {"code": codes[3].upper()})
    assert await works(Visitor(site, token_in(answer)))
    half = Visitor(site, token_in(await sign_in(site)))
    assert (await half.post("/sign-in/code", {"code": codes[3]})).status_code == 422, "a recovery code that was used"


async def test_a_filter_is_still_there_after_the_code_of_the_authenticator(site):
    await with_authenticator(site)
    path = f"/portal/c/{site.customer()}/reports?state=failed&since=2026-11-01"
    asked = await sign_in(site, next=path)
    waiting = Visitor(site, token_in(asked))
    page = await waiting.get(asked.headers["location"].removeprefix("/portal"))
    assert f'name="next" value="{escape(path)}"' in page.text


async def test_codes_are_not_guessed_and_a_half_sign_in_waits_five_minutes(site, clock):
    await with_authenticator(site)
    half = Visitor(site, token_in(await sign_in(site)))
    statuses = [(await half.post("/sign-in/code", {"code": f"{number:06}"})).status_code for number in range(11)]
    assert statuses == [422] * 10 + [429]
    clock.move(timedelta(minutes=5))
    assert (await half.get("/sign-in/code")).headers["location"] == "/portal/sign-in"


async def test_a_customer_that_asks_for_an_authenticator_shows_nothing_before_there_is_one(site):
    await site.administer("portal require-authenticator --customer acme")
    visitor = await site.signed_in(Role.REPORTS)
    answer = await visitor.get(f"/c/{site.customer()}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/portal/account/authenticator")
    assert (await visitor.get("/account/authenticator")).status_code == 200
    await site.administer("portal require-authenticator --customer acme --not-required")
    assert (await visitor.get(f"/c/{site.customer()}")).status_code == 200


async def test_sessions_are_listed_and_ended_and_nobody_ends_those_of_others(site):
    visitor = await with_password(site)
    other, stranger = Visitor(site, token_in(await sign_in(site))), await site.signed_in()
    keys = re.findall(r"/account/sessions/(\d+)/end", (await visitor.get("/account")).text)
    assert len(keys) == 2
    for key in keys:
        assert (await stranger.post(f"/account/sessions/{key}/end")).status_code == 303
    assert await works(visitor)
    assert await works(other)
    assert (await visitor.post("/account/sessions/end")).status_code == 303
    assert await works(visitor)
    assert not await works(other)


async def test_a_token_that_somebody_planted_is_never_taken_over(site):
    """Session fixation: the browser's token of before is no session, and the sign-in gives another one."""
    await with_password(site)
    planted = Visitor(site, "planted-by-an-attacker")
    answer = await planted.post("/sign-in", {"address": ANNA, "password": PASSWORD})
    assert token_in(answer) != "planted-by-an-attacker"
    assert not await works(planted)


async def test_a_cookie_is_for_http_alone_and_under_https_for_this_host_alone(site):
    await with_password(site)
    cookie = (await sign_in(site)).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Domain" not in cookie


async def test_a_sign_in_that_another_site_sends_is_refused(site):
    answer = await site.guest.post("/sign-in", {"address": ANNA, "password": "x"}, Sec_Fetch_Site="cross-site")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/portal/",
        "//evil.example/portal/",
        "/\\evil.example",
        "/portal/\\evil.example",
        "/portal//evil.example",
        "/portal/../../evil",
        "javascript:alert(1)",
        "/portal\n/x",
        "/portal/x\r\nSet-Cookie: a=b",
        "/portal/link?link=x",
        "portal/",
        "",
    ],
)
async def test_a_way_back_leads_to_pages_of_the_portal_only(text):
    assert own_path(text) == "/portal/"


def test_a_way_back_to_a_page_of_the_portal_is_kept():
    assert own_path("/portal/c/12/settings") == "/portal/c/12/settings"


async def test_under_a_foreign_host_nothing_is_answered(site):
    answer = await site.guest.get("/sign-in", Host="evil.example")
    assert answer.status_code == 421


@pytest.mark.parametrize(
    ("password", "weakness"),
    [
        ("short words", Weakness.TOO_SHORT),
        ("x" * 201, Weakness.TOO_LONG),
        ("aaaaaaaaaaaaaaaa", Weakness.TOO_SIMPLE),
        ("passwordpassword", Weakness.TOO_SIMPLE),
        ("123456789012", Weakness.TOO_SIMPLE),
        ("qwertzuiopas", Weakness.TOO_SIMPLE),
        ("Password1234", Weakness.TOO_SIMPLE),
        ("anna.keller12", Weakness.HAS_NAME),
        ("Keller-Keller-1", Weakness.HAS_NAME),
        (PASSWORD, None),
        ("correct horse battery staple", None),
        ("ключ под ковриком", None),
    ],
)
def test_a_password_is_long_and_not_what_is_tried_first(password, weakness):
    assert find_weakness(password, "anna.keller@example.com", "Anna Keller") == weakness
