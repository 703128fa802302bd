"""SCRAM-SHA-256: the vectors of RFC 7677, clients of scramp, what a stranger learns, how guesses are bounded."""

import asyncio
from base64 import b64decode, b64encode
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scramp import ScramClient, ScramException

from addressbook.people import Credential, CredentialKind, Directory
from gateway.auth.authenticator import Authenticator, make_verifiers
from gateway.auth.guesses import GuessLimits
from gateway.auth.scram import ScramExchange, ScramVerifier, make_verifier, read_verifier
from mta.identify import login_hook
from mta.mechanisms import Scram, SessionProofs
from mta.smtp.server.server import MailSession, ServerSettings
from sms.outcome import Refusal, Refused
from tests.kit.clock import Clock
from tests.kit.smtp_door import QUICK, Accepting, client_of, door

CLIENT = "192.0.2.1"
_NONCES = count()
RFC_VERIFIER = make_verifier("pencil", b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
WEAK = make_verifier("secret", b"0123456789abcdef", 4096)


def person(login: str = "demo", scram: ScramVerifier | None = WEAK, **more: Any) -> Credential:
    fields: dict[str, Any] = {
        "customer_id": 7,
        "kind": CredentialKind.PASSWORD,
        "verifier": "",
        "scram": str(scram or ""),
    }
    return Credential(login=login, **(fields | more))


class House:
    """An authenticator of some people, and what is known of more of them when asked again."""

    def __init__(self, *people: Credential, limits: GuessLimits | None = None, secret: bytes = b"shared") -> None:
        self.people = {item.login: item for item in people}
        self.added: dict[str, Credential] = {}
        self.authenticator = Authenticator(
            credential_of=self.people.get,
            confirm=self.confirm,
            limits=limits or GuessLimits(),
            clock=Clock().monotonic,
            shared_key=lambda: secret,
        )
        self.proofs = SessionProofs(lambda: Directory(credentials=self.people.values()), Clock(), self.authenticator)

    async def confirm(self) -> bool:
        self.people.update(self.added)
        return True

    def salt_of(self, login: str) -> str:
        exchange = ScramExchange(self.authenticator.scram_verifier_of, "server")
        answer = exchange.answer_first(f"n,,n={login},r=client".encode())
        assert answer is not None
        return answer.decode().partition(",")[2]

    async def prove(self, password: str = "secret", login: str = "demo"):
        exchange = ScramExchange(self.authenticator.scram_verifier_of, f"server{next(_NONCES)}")
        client = ScramClient(["SCRAM-SHA-256"], login, password)
        client.set_server_first((exchange.answer_first(client.get_client_first().encode()) or b"").decode())
        exchange.keep_final(client.get_client_final().encode())
        proven = await self.authenticator.prove_scram(exchange, CLIENT)
        if not isinstance(proven, Refused):
            client.set_server_final(proven[1].decode())
            return proven[0].login
        return proven.refusal


@pytest.fixture
def house():
    made = []

    def make(*people, **more) -> House:
        made.append(House(*(people or (person(),)), **more))
        return made[-1]

    yield make
    for item in made:
        item.authenticator.close()


def test_the_vectors_of_rfc_7677_come_out():
    exchange = ScramExchange(lambda _login: RFC_VERIFIER, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    mechanism = Scram(exchange)
    assert mechanism.begin().octets == b""
    nonce = b"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    first: Any = mechanism.take(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    assert first.octets == b"r=" + nonce + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    claim: Any = mechanism.take(b"c=biws,r=" + nonce + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    assert (claim.login, claim.content) == (b"user", exchange)
    assert exchange.finish() == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_a_verifier_is_kept_in_the_form_of_rfc_5803_and_holds_no_password():
    assert read_verifier(str(RFC_VERIFIER)) == RFC_VERIFIER
    assert str(RFC_VERIFIER).startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
    assert read_verifier("") is None
    made = make_verifiers("a good password")
    assert made.password.startswith("$argon2id$")
    assert "a good password" not in repr(made)


@pytest.mark.parametrize(
    "password", ["pässword", "ﬀ ligature", "non\u00a0breaking", "x\u00ad", "emoji 🛰", "a\u0627 mixed"]
)
async def test_a_password_proves_itself_however_saslprep_maps_it_or_where_it_refuses(house, password):
    made = house(person(scram=make_verifier(password, b"0123456789abcdef", 4096)))
    try:
        client_takes_it = bool(ScramClient(["SCRAM-SHA-256"], "demo", password))
    except ScramException:
        client_takes_it = False
    assert not client_takes_it or await made.prove(password) == "demo"


async def test_a_right_password_proves_its_owner_and_the_server_proves_itself(house):
    assert await house().prove() == "demo"


@pytest.mark.parametrize(
    ("who", "login", "password"),
    [
        (person(), "demo", "wrong"),
        (person(), "nobody", "secret"),
        (person(active=False), "demo", "secret"),
        (person(scram=None), "demo", "secret"),
        (person(kind=CredentialKind.CERTIFICATE), "demo", "secret"),
    ],
)
async def test_everything_else_is_refused_alike(house, who, login, password):
    assert await house(who).prove(password, login) is Refusal.AUTHENTICATION_FAILED


async def test_a_stranger_gets_the_same_salt_each_time_and_on_each_node_so_that_nobody_tells_who_there_is(house):
    one, other, restarted = house(), house(person("x")), house(secret=b"another")
    assert one.salt_of("nobody") == other.salt_of("nobody") == one.salt_of("NOBODY")
    assert one.salt_of("nobody") != restarted.salt_of("nobody")
    assert one.salt_of("nobody") != one.salt_of("somebody")
    real, feigned = (house(person(scram=make_verifier("x"))).salt_of(login) for login in ("demo", "nobody"))
    assert len(real) == len(feigned)
    assert real.partition("i=")[2] == feigned.partition("i=")[2]


async def test_guesses_are_counted_with_those_of_other_mechanisms(house):
    made = house(limits=GuessLimits(failures=3))
    assert [await made.prove(f"guess {number}") for number in range(4)] == [
        *[Refusal.AUTHENTICATION_FAILED] * 3,
        Refusal.RATE_LIMITED,
    ]
    assert await made.prove() is Refusal.RATE_LIMITED  # a right guess is not told from a wrong one
    proven = await made.authenticator.prove("demo", "secret", CLIENT)
    assert isinstance(proven, Refused)
    assert proven.refusal is Refusal.RATE_LIMITED


async def test_a_login_that_was_just_added_is_asked_to_come_again(house):
    made = house()
    made.added = {"new": person("new")}
    assert await made.prove(login="new") is Refusal.INTERNAL
    assert await made.prove(login="new") == "new"


@pytest.mark.parametrize("password", ["secret", "changed"])
async def test_a_password_that_is_changed_during_an_exchange_asks_the_client_to_come_again(house, password):
    made = house()
    exchange = ScramExchange(made.authenticator.scram_verifier_of, "server")
    client = ScramClient(["SCRAM-SHA-256"], "demo", password)
    client.set_server_first((exchange.answer_first(client.get_client_first().encode()) or b"").decode())
    exchange.keep_final(client.get_client_final().encode())
    made.people["demo"] = person(scram=make_verifier("changed", b"fedcba9876543210", 4096))
    assert await made.authenticator.prove_scram(exchange, CLIENT) == Refused(refusal=Refusal.INTERNAL)
    assert await made.prove("changed") == "demo"


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"\xff",
        b"n,a=demo,n=demo,r=abc",
        b"p=tls-unique,,n=demo,r=abc",
        b"n,,m=x,n=demo,r=abc",
        b"n,,n=,r=a",
        b"n,,n=demo",
        b"n,,n=de=mo,r=abc",
    ],
)
def test_what_is_no_first_message_ends_the_exchange(first):
    assert str(Scram(ScramExchange(lambda _login: WEAK, "x")).take(first)) == "501 5.5.2 Cannot decode response"


@given(final=st.binary(max_size=200))
def test_whatever_comes_as_proof_proves_nothing(final):
    exchange = ScramExchange(lambda _login: WEAK, "server")
    exchange.answer_first(b"n,,n=demo,r=client")
    exchange.keep_final(final)
    assert exchange.finish() is None


async def test_it_is_offered_where_every_active_password_has_a_verifier(house):
    def offered(*people):
        made = house(*people)
        return list(made.proofs.mechanisms(MailSession(asyncio.get_running_loop())))

    assert offered(person()) == ["LOGIN", "PLAIN", "SCRAM-SHA-256"]
    assert offered(person(), person("old", scram=None)) == ["LOGIN", "PLAIN"]
    assert offered(person(), person("gone", scram=None, active=False))[-1] == "SCRAM-SHA-256"
    assert offered(person("key", scram=None, kind=CredentialKind.CERTIFICATE, verifier="spki:00")) == ["LOGIN", "PLAIN"]


async def test_on_the_wire_the_servers_proof_is_a_challenge_before_the_reply(house):
    made, handler = house(), Accepting()
    terms = ServerSettings(hostname="mx.example.net", auth_needs_tls=False, connections=QUICK)
    hook = login_hook(made.authenticator, made.proofs)
    async with (
        door(handler, terms, authenticator=hook, mechanisms=made.proofs.mechanisms) as listener,
        client_of(listener) as client,
    ):
        client.writer.write(b"EHLO client\r\n")
        assert "250-AUTH LOGIN PLAIN SCRAM-SHA-256" in await client.lines()

        async def log_in(password: str, last: bytes = b"") -> list[str]:
            scram = ScramClient(["SCRAM-SHA-256"], "demo", password)
            first = b64encode(scram.get_client_first().encode())
            heard = await client.say(b"AUTH SCRAM-SHA-256 " + first + b"\r\n")
            scram.set_server_first(b64decode(heard.removeprefix("334 ")).decode())
            heard = await client.say(b64encode(scram.get_client_final().encode()) + b"\r\n")
            if not heard.startswith("334"):
                return [heard]
            scram.set_server_final(b64decode(heard.removeprefix("334 ")).decode())
            return [heard[:3], await client.say(last + b"\r\n")]

        assert await log_in("wrong") == ["535 5.7.8 Authentication credentials invalid"]
        assert await log_in("secret", b"*") == ["334", "501 5.7.0 Authentication cancelled"]
        assert (await client.say(b"AUTH SCRAM-SHA-256 *\r\n"))[:3] == "501"  # nobody was logged in by that
        assert await log_in("secret") == ["334", "235 2.7.0 Authentication successful"]
        assert (await client.say(b"AUTH PLAIN AGRlbW8Ac2VjcmV0\r\n"))[:3] == "503"
