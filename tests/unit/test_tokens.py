"""Tokens of a customer's issuer as logins: what is verified, how its keys are had, what a client hears."""

import hmac
import json
import ssl
from base64 import b64decode, b64encode, urlsafe_b64encode
from datetime import timedelta
from typing import Any

import pytest
import trustme
from joserfc import jwk, jwt

from addressbook.people import Credential, CredentialKind, Customer, Directory, User
from addressbook.proof import IdentityProvider
from gateway.auth.authenticator import Authenticator
from gateway.auth.tokens import IssuerKeys, TokenClaim, Tokens
from mta.identify import login_hook
from mta.mechanisms import OAuthBearer, SessionProofs, XOAuth2
from mta.smtp.engine.replies import Reply
from mta.smtp.server.server import ServerSettings
from sms.outcome import Refusal, Refused
from tests.kit.clock import Clock
from tests.kit.issuer import AUDIENCE, Issuer, issuer
from tests.kit.smtp_door import QUICK, Accepting, client_of, door
from web.issuer import IssuerFetcher

ANNA, ROBOT = "anna@acme.example.com", "erp-robot"


class House:
    """`acme` with the user anna and the login of a robot, and `rival` with a user, both with the same issuer."""

    def __init__(self, made: Issuer, authority: trustme.CA, **provider: str) -> None:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        self.issuer, self.clock = made, Clock()
        ours = IdentityProvider(issuer=made.url, audience=AUDIENCE, **provider)
        theirs = IdentityProvider(issuer=made.url, audience="rival")
        self.directory = Directory(
            customers=[
                Customer(key=1, name="acme", identity_provider=ours),
                Customer(key=2, name="rival", identity_provider=theirs),
            ],
            users=[
                User(key=11, customer_id=1, address=ANNA),
                User(key=21, customer_id=2, address="x@rival.example.com"),
            ],
            credentials=[Credential(login=ROBOT, customer_id=1, kind=CredentialKind.PASSWORD, verifier="")],
        )
        self.keys = IssuerKeys(IssuerFetcher(lambda: context), self.clock.monotonic)
        self.tokens = Tokens(directory=lambda: self.directory, keys=self.keys, clock=self.clock)

    async def prove(self, identity: str = "", token: str = "", **claims: Any) -> tuple[int, int | None, str] | Refusal:
        found = await self.tokens.prove(TokenClaim(identity, token or self.issuer.token(**claims)))
        return found.refusal if isinstance(found, Refused) else (found.customer_id, found.user_id, found.login)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def made(authority):
    async with issuer(authority, Clock().now()) as found:
        yield found


@pytest.fixture
def house(made, authority):
    return House(made, authority)


async def test_a_token_proves_the_user_or_login_that_its_claim_names(house, made, authority):
    assert await house.prove() == (1, 11, ANNA)
    assert await house.prove(ANNA.upper()) == (1, 11, ANNA)
    assert await house.prove(aud=["other", AUDIENCE]) == (1, 11, ANNA)
    robots = House(made, authority, claim="azp")
    assert await robots.prove(email=None, azp="ERP-Robot") == (1, None, ROBOT)
    assert await robots.prove(ROBOT, email=None, azp=ROBOT) == (1, None, ROBOT)


@pytest.mark.parametrize(
    "claims",
    [
        {"identity": "bob@acme.example.com"},
        {"iss": "https://login.example.com"},
        {"aud": "other"},
        {"aud": None},
        {"aud": ["other"]},
        {"exp": None},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"nbf": 9_999_999_999},
        {"email": None},
        {"email": "bob@acme.example.com"},
        {"email": "x@rival.example.com"},
        {"email": ANNA, "email_verified": False},
        {"email": [ANNA]},
        {"aud": "rival"},
    ],
)
async def test_a_token_that_is_not_ours_or_not_of_now_or_of_nobody_proves_nothing(house, claims):
    assert await house.prove(**claims) is Refusal.AUTHENTICATION_FAILED


def url64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode().rstrip("=")


async def test_only_keys_of_the_issuer_and_algorithms_without_a_shared_secret_count(house, made):
    strange = jwk.RSAKey.generate_key(2048, {"kid": "first"})
    public = made.key.as_pem(private=False)
    told = ".".join(
        url64(json.dumps(part).encode())
        for part in ({"alg": "HS256", "kid": "first"}, {"iss": made.url, "aud": AUDIENCE})
    )
    shared = f"{told}.{url64(hmac.digest(public, told.encode(), 'sha256'))}"
    head, body, _ = made.token().split(".")
    unsigned = b64encode(b'{"alg":"none","kid":"first"}').decode().rstrip("=")
    tokens = [
        made.token(strange),
        shared,
        f"{unsigned}.{body}.",
        f"{head}.{body}.",
        f"{head}.{body}",
        "x",
        "....",
        "[" * 9000,
    ]
    for token in tokens:
        assert await house.prove(token=token) is Refusal.AUTHENTICATION_FAILED


async def test_a_key_of_a_kind_that_nobody_knows_yet_does_not_spoil_the_others(house, made):
    keys = json.loads(made.documents["/t1/keys"])
    keys["keys"] = [{"kty": "AKP", "kid": "new", "alg": "ML-DSA-65", "pub": "AA"}, {"kid": 7}, *keys["keys"]]
    made.documents["/t1/keys"] = json.dumps(keys).encode()
    assert await house.prove() == (1, 11, ANNA)


async def test_a_key_that_the_token_itself_brings_or_points_to_is_not_used(house, made):
    mine = jwk.RSAKey.generate_key(2048, {"kid": "mine"})
    said = {"iss": made.url, "aud": AUDIENCE, "exp": int(made.now) + 300, "email": ANNA}
    for header in ({"jwk": mine.as_dict(private=False)}, {"jku": f"{made.url}/mine", "kid": "mine"}):
        token = jwt.encode({"alg": "RS256", **header}, said, mine)
        assert await house.prove(token=token) is Refusal.AUTHENTICATION_FAILED
    assert f"{made.url}/mine" not in made.asked


async def test_keys_are_kept_for_an_hour_and_asked_for_again_once_a_minute_where_one_is_new(house, made):
    for _ in range(3):
        await house.prove()
    assert len(made.asked) == 2
    made.rotate("second")
    for _ in range(3):
        assert await house.prove() is Refusal.AUTHENTICATION_FAILED  # asked a moment ago
    assert len(made.asked) == 2
    house.clock.move(timedelta(seconds=61))
    assert await house.prove() == (1, 11, ANNA)
    assert len(made.asked) == 4


async def test_without_the_issuer_old_keys_do_for_a_day_and_then_clients_come_again_later(house, made):
    made.now += 100_000
    await house.prove()
    made.documents.clear()
    house.clock.move(timedelta(hours=23))
    assert await house.prove() == (1, 11, ANNA)
    house.clock.move(timedelta(hours=2))
    assert await house.prove() is Refusal.INTERNAL


@pytest.mark.parametrize("fault", ["absent", "no json", "another issuer", "too large", "keys in clear"])
async def test_an_issuer_that_is_wrong_proves_nobody_for_now(house, made, fault):
    path = "/t1/.well-known/openid-configuration"
    made.documents[path] = {
        "absent": b"",
        "no json": b"<html>",
        "another issuer": made.documents[path].replace(b"/t1", b"/t2", 1),
        "too large": b" " * 300_000,
        "keys in clear": made.documents[path]
        .replace(b"https://localhost", b"http://localhost")
        .replace(b'"issuer": "http:', b'"issuer": "https:'),
    }[fault]
    assert await house.prove() is Refusal.INTERNAL


async def test_an_issuer_with_a_certificate_of_nobody_we_trust_is_not_asked(made):
    house = House(made, trustme.CA())
    assert await house.prove() is Refusal.INTERNAL
    assert made.asked == []


@pytest.mark.parametrize(
    ("mechanism", "response", "claim"),
    [
        (OAuthBearer, b"n,a=anna@x,\1host=h\1port=25\1auth=Bearer t.o.k\1\1", TokenClaim("anna@x", "t.o.k")),
        (OAuthBearer, b"n,,\1auth=bearer tok\1\1", TokenClaim("", "tok")),
        (OAuthBearer, b"n,a=a=2Cb=3D,\1auth=Bearer t\1\1", TokenClaim("a,b=", "t")),
        (OAuthBearer, b"p=tls-unique,,\1auth=Bearer t\1\1", None),
        (OAuthBearer, b"n,,\1host=h\1\1", None),
        (OAuthBearer, b"", None),
        (OAuthBearer, b"\1", None),
        (XOAuth2, b"user=anna@x\1auth=Bearer t\1\1", TokenClaim("anna@x", "t")),
        (XOAuth2, b"user=\1auth=Basic t\1\1", None),
        (XOAuth2, b"auth=Bearer t\1\1", None),
    ],
)
def test_a_response_holds_who_and_the_token_or_is_none(mechanism, response, claim):
    found = mechanism().take(response)
    assert isinstance(found, Reply) if claim is None else found.content == claim


async def test_a_refused_token_is_explained_by_a_challenge_before_the_reply(house, made):
    async def confirm() -> bool:
        return True

    authenticator = Authenticator(credential_of=house.directory.credential, confirm=confirm)
    proofs = SessionProofs(lambda: house.directory, house.clock, authenticator, house.tokens)
    terms = ServerSettings(hostname="mx.example.net", auth_needs_tls=False, connections=QUICK)
    hook = login_hook(authenticator, proofs)
    async with (
        door(Accepting(), terms, authenticator=hook, mechanisms=proofs.mechanisms) as listener,
        client_of(listener) as client,
    ):
        client.writer.write(b"EHLO client\r\n")
        assert "250-AUTH LOGIN PLAIN OAUTHBEARER XOAUTH2" in await client.lines()

        async def send(token: str) -> str:
            response = b64encode(f"n,a={ANNA},\1auth=Bearer {token}\1\1".encode())
            return str(await client.say(b"AUTH OAUTHBEARER " + response + b"\r\n"))

        heard = await send(made.token(exp=1))
        assert b64decode(heard.removeprefix("334 ")) == b'{"status":"invalid_token","schemes":"bearer","scope":""}'
        assert await client.say(b"AQ==\r\n") == "535 5.7.8 Authentication credentials invalid"
        assert await send(made.token()) == "235 2.7.0 Authentication successful"
    authenticator.close()


async def test_tokens_are_offered_where_a_customer_has_an_issuer_and_the_extra_is_installed(house):
    without = Tokens(directory=Directory, keys=house.keys, clock=house.clock)
    no_extra = Tokens(directory=lambda: house.directory, keys=house.keys, clock=house.clock, available=False)
    assert [item.is_offered for item in (house.tokens, without, no_extra)] == [True, False, False]
