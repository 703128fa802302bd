"""When a certificate is renewed and asked for again; whether an authority gives it is tried with a real one (tests/peers)."""

from datetime import UTC, datetime, timedelta

import pytest

import tls.acme
from gateway.certificate_renewal import CertificateRenewal, due_at
from process.checks import find_unusable
from store.acme import Renewal, read_renewal, write_renewal
from store.engine.database import Database
from tests.kit.clock import START, Clock
from tests.kit.ports import free_port
from tests.unit.test_config import SMALL, load
from tls.acme import AcmeAccount

GIVEN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def lasting(life: timedelta, **more) -> Renewal:
    return Renewal(pem="x", given_for="it", begins_at=GIVEN, ends_at=GIVEN + life, **more)


LIVES = [(timedelta(days=90), 0.0, timedelta(days=60)), (timedelta(days=90), 1.0, timedelta(days=55, hours=12))]
LIVES += [(timedelta(days=6), 0.0, timedelta(days=4)), (timedelta(days=1), 0.0, timedelta(hours=16))]


@pytest.mark.parametrize(("life", "chance", "after"), LIVES)
def test_a_certificate_is_renewed_after_two_thirds_of_its_life_however_long_that_is(life, chance, after):
    due = due_at(lasting(life), "it", chance)
    assert due is not None
    assert abs(due - (GIVEN + after)) < timedelta(seconds=1)


def test_what_was_given_for_other_names_is_ordered_at_once_but_not_again_and_again():
    assert due_at(lasting(HOUR), "other", 0.0) is None
    assert due_at(lasting(HOUR, failures=1, asked_for="older", next_at=GIVEN), "other", 0.0) is None
    assert due_at(lasting(HOUR, failures=1, asked_for="other", next_at=GIVEN + HOUR), "other", 0.0) == GIVEN + HOUR


@pytest.mark.parametrize(
    ("left", "waits"),
    [
        (timedelta(days=20), [5, 15, 60, 180, 360, 720, 720]),
        (timedelta(hours=6), [5, 15, 60]),
        (timedelta(hours=-1), [5, 15, 60, 180, 360, 720, 720]),
    ],
    ids=["plenty", "hours", "none"],
)
async def test_an_authority_that_is_away_is_asked_ever_more_seldom_but_before_the_certificate_ends(
    tmp_path, database_url, left, waits
):
    database, clock = Database(database_url), Clock()
    database.open(serving=True)
    account = AcmeAccount(directory=f"https://127.0.0.1:{free_port()}/dir", key_file=tmp_path / "account.key")
    wanted = f"{account.directory} mx.example.net"
    ends = START + left
    kept = Renewal(pem="x", given_for=wanted, begins_at=ends - timedelta(days=90), ends_at=ends)
    await database.write(write_renewal, kept)
    node = CertificateRenewal(
        database=database,
        clock=clock,
        account=account,
        domains=["mx.example.net"],
        file=tmp_path / "certificate.pem",
        owner="one",
        chance=lambda: 0.5,
    )
    seen = []
    for _ in waits:
        await node.step()
        renewal = await database.read(read_renewal)
        assert renewal.next_at is not None
        seen.append(round((renewal.next_at - clock.now()) / timedelta(minutes=1)))
        clock.move(renewal.next_at - clock.now())
    assert seen == waits
    assert renewal.failures == len(waits)
    assert (tmp_path / "certificate.pem").read_text() == "x"
    database.close()


def test_without_the_extra_check_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(tls.acme, "find_spec", lambda _: None)
    http = f'[[http]]\nname = "a"\naddress = "127.0.0.1:{free_port()}"\nserves = ["acme"]\n'
    config = load(tmp_path, SMALL + '[acme]\ndomains = ["mx.example.net"]\n' + http)
    assert ("[acme]", "[acme] needs an extra: install mail2sms[acme]") in find_unusable(config, is_served=True)
