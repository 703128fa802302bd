"""Logins: right and wrong passwords, strangers, what is remembered, how much guessing is allowed."""

import asyncio
import os
import sys
import threading
import unicodedata
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from argon2 import PasswordHasher

from addressbook.people import Credential, CredentialKind, Directory
from addressbook.senders import Principal
from gateway.auth.authenticator import Authenticator, hash_password
from gateway.auth.guesses import Guesses, GuessLimits, Standing
from gateway.limits import client_network
from mta.identify import login_hook
from mta.mechanisms import SessionProofs
from mta.smtp.server.hooks import LoginPassword, MailSession
from sms.outcome import Refusal, Refused
from tests.kit.clock import Clock
from tests.kit.passwords import cheap_hasher
from tests.kit.patience import PATIENCE

HASHER = cheap_hasher()
CLIENT = "192.0.2.1"
FAILED = Refused(refusal=Refusal.AUTHENTICATION_FAILED)
LATER = Refused(refusal=Refusal.RATE_LIMITED)
DEMO = Principal(customer_id=7, user_id=3, login="demo")


class Counting(PasswordHasher):
    """Counts verifications and remembers their verifiers."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.asked: list[str] = []
        self.niceness = 0
        self.gate = threading.Event()
        self.gate.set()

    def verify(self, hash, password):  # noqa: A002
        self.asked.append(hash)
        self.niceness = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        assert self.gate.wait(PATIENCE)
        return super().verify(hash, password)


def credential(**more) -> Credential:
    values = {
        "login": "demo",
        "customer_id": 7,
        "user_id": 3,
        "kind": CredentialKind.PASSWORD,
        "verifier": HASHER.hash("secret"),
    }
    return Credential(**{**values, **more})


async def always() -> bool:
    return True


def client_session() -> MailSession:
    session = MailSession(asyncio.get_running_loop())
    peer: Any = (CLIENT, 4711)
    session.peer = peer
    return session


class Setup:
    def __init__(self, limits=None, **more) -> None:
        self.people = {"demo": credential(**more)}
        self.hasher = Counting()
        self.clock = Clock()
        self.added: dict[str, Credential] = {}
        self.known = True
        self.authenticator = Authenticator(
            credential_of=self.people.get,
            confirm=self.confirm,
            limits=limits or GuessLimits(),
            clock=self.clock.monotonic,
            hasher=self.hasher,
        )

    async def confirm(self) -> bool:
        """Catch up with what was added, unless nothing can be known."""
        if self.known:
            self.people.update(self.added)
        return self.known

    def hook(self):
        return login_hook(self.authenticator, SessionProofs(Directory, self.clock, self.authenticator))

    async def prove(self, login="demo", password="secret", client=CLIENT):
        return await self.authenticator.prove(login, password, client)


@pytest.fixture
def setup():
    made = []

    def make(*arguments, **more) -> Setup:
        made.append(Setup(*arguments, **more))
        return made[-1]

    yield make
    for item in made:
        item.authenticator.close()


async def test_a_right_password_proves_its_owner(setup):
    assert await setup().prove() == DEMO


@pytest.mark.parametrize(
    ("more", "login", "password"),
    [
        ({}, "demo", "wrong"),
        ({}, "demo", ""),
        ({}, "nobody", "secret"),
        ({"active": False}, "demo", "secret"),
        ({"kind": CredentialKind.CERTIFICATE}, "demo", "secret"),
        ({"verifier": "plain-secret"}, "demo", "plain-secret"),
        ({"verifier": ""}, "demo", ""),
    ],
)
async def test_everything_else_is_refused_alike_and_after_the_same_work(setup, more, login, password):
    made = setup(**more)
    assert await made.prove(login, password) == FAILED
    assert len(made.hasher.asked) == 1


async def test_a_login_or_password_that_was_just_added_is_proven(setup):
    made = setup()
    made.added = {"new": credential(login="new"), "demo": credential(verifier=HASHER.hash("changed"))}
    assert await made.prove("new") == Principal(customer_id=7, user_id=3, login="new")
    made = setup()
    assert await made.prove(password="changed") == FAILED
    made.added = {"demo": credential(verifier=HASHER.hash("changed"))}
    assert await made.prove(password="changed") == DEMO  # though it was wrong a moment ago


async def test_a_wrong_password_for_a_login_that_was_just_added_counts_once(setup):
    made = setup(GuessLimits(failures=2))
    made.added = {"new": credential(login="new")}
    for password in ("wrong 1", "wrong 2"):
        assert await made.prove("new", password) == FAILED
    assert await made.prove("new", "wrong 3") == LATER


async def test_what_cannot_be_confirmed_is_refused_for_now_only(setup):
    made = setup()
    made.known = False
    assert await made.prove() == DEMO
    assert await made.prove("nobody") == Refused(refusal=Refusal.INTERNAL)
    result = await made.hook()(None, client_session(), None, "PLAIN", LoginPassword(b"demo", b"wrong"))
    assert result.message == "454 4.7.0 Temporary authentication failure, try again later"


async def test_a_right_password_is_remembered_and_forgotten_in_time(setup):
    made = setup()
    await made.prove()
    await made.prove()
    assert len(made.hasher.asked) == 1
    made.clock.move(timedelta(seconds=301))
    assert await made.prove() == DEMO
    assert len(made.hasher.asked) == 2


async def test_a_wrong_password_is_not_taken_for_a_remembered_one(setup):
    made = setup()
    await made.prove()
    assert await made.prove(password="secret2") == FAILED
    assert await made.prove(login="nobody") == FAILED


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads have a priority of their own (Linux)")
async def test_passwords_are_proven_with_the_cpu_that_mails_leave(setup):
    tried = setup()
    assert await tried.prove(password="wrong") == FAILED
    assert tried.hasher.niceness == min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)


async def test_a_changed_or_deactivated_credential_holds_at_once(setup):
    made = setup()
    await made.prove()
    made.people["demo"] = credential(verifier=HASHER.hash("other"))
    assert await made.prove() == FAILED
    assert await made.prove(password="other") == DEMO
    made.people["demo"] = credential(verifier=made.people["demo"].verifier, active=False)
    assert await made.prove(password="other") == FAILED
    del made.people["demo"]
    assert await made.prove(password="other") == FAILED


async def test_the_owner_is_read_anew_although_the_password_is_remembered(setup):
    made = setup()
    await made.prove()
    made.people["demo"] = credential(verifier=made.people["demo"].verifier, user_id=None)
    assert (await made.prove()).user_id is None
    assert len(made.hasher.asked) == 1


async def guess(made, count, **more):
    return [await made.prove(password=f"guess{number}", **more) for number in range(count)]


async def test_after_too_many_guesses_at_a_login_a_client_waits_and_others_do_not(setup):
    made = setup(GuessLimits(failures=3, window=60))
    assert await guess(made, 5) == [FAILED] * 3 + [LATER] * 2
    assert await made.prove() == LATER
    assert len(made.hasher.asked) == 3
    assert await made.prove(client="192.0.2.2") == DEMO
    made.clock.move(timedelta(seconds=61))
    assert await made.prove(password="guess") == FAILED


async def test_whom_we_remember_is_not_locked_out_by_a_neighbours_guesses(setup):
    made = setup(GuessLimits(failures=2))
    await made.prove()
    await guess(made, 5)
    assert await made.prove() == DEMO


async def test_the_same_wrong_password_counts_once_and_is_looked_at_once(setup):
    made = setup(GuessLimits(failures=2))
    for _ in range(20):
        assert await made.prove(password="old") == FAILED
    assert len(made.hasher.asked) == 1
    assert await made.prove() == DEMO


async def test_an_old_password_that_becomes_the_right_one_proves_its_owner(setup):
    made = setup()
    assert await made.prove(password="new") == FAILED
    made.people["demo"] = credential(verifier=HASHER.hash("new"))
    assert await made.prove(password="new") == DEMO


async def test_one_device_with_wrong_passwords_does_not_shut_out_the_other_logins_of_its_address(setup):
    made = setup()
    made.people["scanner"] = credential(login="scanner")
    assert await guess(made, 12, login="scanner") == [FAILED] * 10 + [LATER] * 2
    assert await made.prove() == DEMO


async def test_guesses_at_many_logins_from_one_client_are_bounded(setup):
    made = setup(GuessLimits(per_client=5))
    results = [await made.prove(login=f"login{number}", password="guess") for number in range(8)]
    assert results == [FAILED] * 5 + [LATER] * 3
    assert await made.prove(client="192.0.2.2") == DEMO


async def test_guesses_at_one_login_from_many_clients_are_bounded(setup):
    made = setup()
    results = [await made.prove(password=f"guess{number}", client=f"198.51.100.{number % 10}") for number in range(40)]
    assert results == [FAILED] * 20 + [LATER] * 20
    assert len(made.hasher.asked) == 20


async def test_an_owner_is_not_shut_out_where_he_was_proven_before(setup):
    made = setup(GuessLimits(per_login=3, per_client=3, remember=0))
    made.people["other"] = credential(login="other")
    assert await made.prove() == DEMO
    await guess(made, 5, client="198.51.100.1")
    await guess(made, 5, login="other")
    assert await made.prove(client="192.0.2.77") == LATER  # whose client nobody knows
    assert await made.prove() == DEMO


@pytest.mark.parametrize(("step", "guesses"), [(0, 2), (64, 4), (72, 8)])
async def test_an_ipv6_client_cannot_guess_on_from_the_rest_of_its_network(setup, step, guesses):
    made = setup(GuessLimits(per_client=2))
    clients = [str(ip_address("2001:db8:1::1") + (number << step)) for number in range(guesses + 2)]
    results = [await made.prove(login=f"login{number}", client=client) for number, client in enumerate(clients)]
    assert results == [FAILED] * guesses + [LATER] * 2
    assert await made.prove(client="2001:db8:2::1") == DEMO


async def test_guesses_side_by_side_are_bounded_too(setup):
    made = setup(GuessLimits(failures=3))
    results = await asyncio.gather(*(made.prove(password=f"guess{number}") for number in range(10)))
    assert results.count(FAILED) == 3
    assert results.count(LATER) == 7


async def test_a_burst_of_right_passwords_of_one_login_costs_one_proof(setup):
    made = setup()
    assert await asyncio.gather(*(made.prove() for _ in range(50))) == [DEMO] * 50
    assert len(made.hasher.asked) == 1


async def test_a_burst_of_many_logins_of_one_address_all_get_in(setup):
    made = setup(GuessLimits(failures=1, per_client=1))
    for number in range(50):
        made.people[str(number)] = credential(login=str(number))
    proven = await asyncio.gather(*(made.prove(login=str(number)) for number in range(50)))
    assert [identity.login for identity in proven] == [str(number) for number in range(50)]


async def test_a_right_password_does_not_count_as_a_guess(setup):
    made = setup(GuessLimits(failures=2, remember=0))
    for _ in range(5):
        assert await made.prove() == DEMO


async def test_no_more_proofs_wait_than_allowed(setup):
    made = setup(GuessLimits(waiting=4, at_once=2))
    made.hasher.gate.clear()
    waiting = [asyncio.create_task(made.prove(password=f"guess{number}")) for number in range(6)]
    await asyncio.sleep(0)  # each asks
    await asyncio.sleep(0)  # each has its place, or waits for one
    assert await made.prove() == LATER
    made.hasher.gate.set()
    assert await asyncio.gather(*waiting) == [FAILED] * 6
    assert await made.prove() == DEMO


async def test_only_so_many_right_passwords_are_remembered_the_newest(setup):
    made = setup(GuessLimits(remembered=2))
    for number in range(9):
        made.people[str(number)] = credential(login=str(number))
        await made.prove(str(number))
    proofs = len(made.hasher.asked)
    for login, new_proofs in (("8", 0), ("7", 0), ("6", 1)):
        await made.prove(login)
        assert len(made.hasher.asked) == proofs + new_proofs


# Each person has three tallies: the login from its client, the client, the login.
@pytest.mark.parametrize(("tallies", "last_but_one"), [(6, Standing.FULL), (5, Standing.FREE)])
def test_only_so_many_logins_and_clients_are_watched_the_newest(tallies, last_but_one):
    guesses = Guesses(GuessLimits(tallies=tallies, failures=1))
    for number in range(9):
        guesses.attempt(f"login{number}", f"192.0.2.{number}").wrong(b"guess", 0.0)
    assert guesses.attempt("login7", "192.0.2.7").standing(0.0) is last_but_one


def test_only_so_many_logins_are_known_as_proven_the_newest():
    guesses = Guesses(GuessLimits(tallies=6))
    people = [(f"login{number}", f"192.0.2.{number}") for number in range(9)]
    for login, client in people:
        guesses.attempt(login, client).right()
    known = [guesses.was_proven(f"{client_network(client)} {login}") for login, client in people]
    assert known == [False] * 3 + [True] * 6


async def test_nothing_kept_holds_a_password(setup):
    made = setup()
    await made.prove()
    assert "secret" not in repr(vars(made.authenticator))


@pytest.mark.parametrize(
    ("given", "success", "message"),
    [
        (LoginPassword(b"demo", b"secret"), True, None),
        (LoginPassword(b"demo", b"x"), False, "535 5.7.8 Authentication credentials invalid"),
        (LoginPassword(b"demo", b"\xff"), False, None),
        (LoginPassword(b"\xff", b"x"), False, None),
    ],
)
async def test_it_is_an_authenticator_of_aiosmtpd(setup, given, success, message):
    session = client_session()
    result = await setup().hook()(None, session, None, "PLAIN", given)
    assert result.success is success
    assert result.message == message
    assert result.auth_data == (DEMO if success else None)
    assert success or not result.handled


async def test_who_guessed_too_much_hears_454(setup):
    made = setup(GuessLimits(failures=0))
    session = client_session()
    result = await made.hook()(None, session, None, "PLAIN", LoginPassword(b"demo", b"secret"))
    assert result.message == "454 4.7.0 Temporary authentication failure, try again later"


async def test_the_verifier_of_a_password_proves_it_however_it_is_composed():
    verifier = hash_password("pässword")
    assert verifier.startswith("$argon2id$")
    authenticator = Authenticator(
        credential_of=lambda login: credential(verifier=verifier), confirm=always, hasher=HASHER
    )
    try:
        assert await authenticator.prove("demo", unicodedata.normalize("NFD", "pässword"), CLIENT) == DEMO
    finally:
        authenticator.close()


def test_a_password_is_kept_at_the_cost_that_rfc_9106_names_for_little_memory(monkeypatch):
    monkeypatch.setattr("gateway.auth.authenticator.PasswordHasher", PasswordHasher)
    assert hash_password("secret").startswith("$argon2id$v=19$m=65536,t=3,p=4$")
