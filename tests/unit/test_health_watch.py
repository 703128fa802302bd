"""What lasts is told once, and once that it is over; a restart and another node know what was told."""

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from config.alerts import AlertOptions
from gateway.admin import customers
from gateway.admin.directories import make_directory
from gateway.admin.health import Surroundings
from gateway.alerts import Alerts
from gateway.health_watch import HealthWatch
from store.acme import Renewal, write_renewal
from store.carrier_links import LINKS, save_links
from store.engine.keys import Keys, to_stored
from store.outbox import Outbox
from tests.kit.admin_harness import AdminHarness
from tests.kit.clock import Clock

MINUTE = timedelta(minutes=1)
WELL = Surroundings(serving="1", folder="/var/lib/mail2sms", free=10, reserve=5)


class Watched:
    """A gateway whose state the test writes, looked at once a minute."""

    def __init__(self, url: str, address: str = "admin@example.net") -> None:
        self.office = AdminHarness(url)
        self.clock = Clock()
        self.around = WELL
        self.address = address
        self.kicks = 0
        self.keys = Keys(1, lambda: self.clock.now().timestamp())
        self.watch = self.another()

    def another(self, node: int = 0) -> HealthWatch:
        outbox = Outbox(self.keys)

        def kicked() -> None:
            self.kicks += 1

        return HealthWatch(
            database=self.office.database,
            outbox=outbox,
            alerts=Alerts(
                database=self.office.database,
                outbox=outbox,
                address=self.address,
                clock=self.clock,
                written=kicked,
            ),
            clock=self.clock,
            node=node,
            options=AlertOptions(),
            look_around=lambda: self.around,
            written=kicked,
        )

    async def looked(self, after: timedelta = timedelta(), watch: HealthWatch | None = None) -> list[tuple[str, str]]:
        """Look after a while, and return who was told what in all."""
        self.clock.move(after)
        await (watch or self.watch).step()
        self.office.execute("UPDATE outbox SET state = 'sent'")
        return [(recipient, about["subject"]) for recipient, about in self.office.tables.facts_told()]

    def link(self, name: str, *, is_up: bool) -> None:
        row = LINKS.row(
            carrier="telco",
            link=name,
            owner="",
            host="192.0.2.7:2775",
            is_up=is_up,
            trouble="" if is_up else "connection refused",
            since_at=to_stored(self.clock.now()),
        )
        self.office.database.write_now(save_links, [row])


@pytest.fixture
def world(database_url, request):
    made = Watched(database_url)
    if made.office.database.postgresql:  # links count while their process lives
        made.office.execute("INSERT INTO node_lease (owner, node, expires_at, ended) VALUES ('', 0, 9e18, false)")
    yield made
    made.office.close()


AWAY = ("admin@example.net", "The carrier telco is away")
BACK = ("admin@example.net", "Over: The carrier telco is away")


async def test_a_carrier_that_stays_away_is_told_once_and_once_that_it_is_back(world):
    world.link("1", is_up=False)
    world.link("2", is_up=False)
    assert await world.looked() == []
    assert await world.looked(4 * MINUTE) == []
    assert await world.looked(2 * MINUTE) == [AWAY]
    assert await world.looked(60 * MINUTE) == [AWAY]
    world.link("2", is_up=True)
    assert await world.looked() == [AWAY]
    assert await world.looked(3 * MINUTE) == [AWAY, BACK]
    assert await world.looked(60 * MINUTE) == [AWAY, BACK]
    assert world.kicks == 2


async def test_a_carrier_with_one_link_left_is_not_away(world):
    world.link("1", is_up=False)
    world.link("2", is_up=True)
    assert await world.looked(60 * MINUTE) == []


async def test_one_that_is_back_for_a_moment_is_not_over(world):
    world.link("1", is_up=False)
    assert await world.looked(6 * MINUTE) == [AWAY]
    world.link("1", is_up=True)
    assert await world.looked(1 * MINUTE) == [AWAY]
    world.link("1", is_up=False)
    assert await world.looked(6 * MINUTE) == [AWAY]
    world.link("1", is_up=True)
    assert await world.looked(1 * MINUTE) == [AWAY]
    assert await world.looked(2 * MINUTE) == [AWAY, BACK]


async def test_what_was_told_is_known_after_a_restart_and_to_another_node(world):
    world.link("1", is_up=False)
    assert await world.looked(6 * MINUTE) == [AWAY]
    assert await world.looked(MINUTE, world.another()) == [AWAY]
    assert await world.looked(MINUTE, world.another(node=7)) == [AWAY]
    world.link("1", is_up=True)
    restarted = world.another()
    await world.looked(MINUTE, restarted)
    assert await world.looked(3 * MINUTE, restarted) == [AWAY, BACK]


async def test_a_certificate_is_told_at_each_of_the_days_and_over_when_it_is_new(world):
    ends = world.clock.now() + timedelta(days=29, hours=1)
    world.around = replace(WELL, certificates=[("mx", "/etc/mx.pem", ends)])
    said = [subject for _, subject in await world.looked()]
    assert said == ["The certificate of mx ends in 29 days"]
    await world.looked(timedelta(days=1))
    said = [subject for _, subject in await world.looked(timedelta(days=15))]
    assert said[1:] == ["The certificate of mx ends in 13 days"]
    said = [subject for _, subject in await world.looked(timedelta(days=14))]
    assert said[2:] == ["The certificate of mx has ended"]
    world.around = replace(WELL, certificates=[("mx", "/etc/mx.pem", ends + timedelta(days=300))])
    await world.looked()
    said = [subject for _, subject in await world.looked(3 * MINUTE)]
    assert said[3:] == ["Over: The certificate of mx has ended"]


async def test_a_new_certificate_that_cannot_be_used_is_told_once_and_over_when_it_is_mended(world):
    world.around = replace(WELL, unusable=[("mx", "/etc/mx.pem with /etc/mx.key: key values mismatch")])
    assert [subject for _, subject in await world.looked()] == ["The new certificate of mx can't be used"]
    assert len(await world.looked(3 * MINUTE)) == 1
    world.around = WELL
    await world.looked()
    said = [subject for _, subject in await world.looked(3 * MINUTE)]
    assert said[1:] == ["Over: The new certificate of mx can't be used"]


async def test_a_certificate_that_is_not_renewed_is_told_at_once_and_at_each_of_the_days(world):
    world.around = replace(WELL, renews=True)
    ends = world.clock.now() + timedelta(days=40)
    failing = Renewal(pem="x", ends_at=ends, failures=1, next_at=world.clock.now(), problem="mx.example.net: refused")
    world.office.database.write_now(write_renewal, failing)
    said = "The certificate of [acme] is not renewed"
    assert [subject for _, subject in await world.looked()] == [said]
    assert len(await world.looked(timedelta(days=5))) == 1
    assert len(await world.looked(timedelta(days=7))) == 2
    world.office.database.write_now(write_renewal, replace(failing, problem=""))
    await world.looked()
    assert [subject for _, subject in await world.looked(3 * MINUTE)] == [said, said, f"Over: {said}"]


async def test_a_full_disk_is_told_by_each_node_of_its_own(world):
    world.around = replace(WELL, free=4)
    said = await world.looked()
    assert [subject for _, subject in said] == ["No mail is taken: the disk is full"]
    if world.office.database.postgresql:
        assert len(await world.looked(watch=world.another(node=7))) == 2


async def test_a_directory_that_is_not_read_is_told_to_its_customers_administrator(world):
    world.office.do(customers.add_customer, "Example")
    options = {"host": "ldap.example.com", "base": "dc=example,dc=com", "bind_dn": "cn=r", "password_file": "/secret"}
    world.office.do(make_directory, "Example", "people", "openldap", options)
    world.office.do(customers.set_admin_address, "Example", "it@example.com")
    world.office.execute("UPDATE directory SET synced_at = 1000000")
    assert await world.looked() == [("it@example.com", "The directory people of Example is not read any more")]
    world.office.execute(f"UPDATE directory SET synced_at = {to_stored(world.clock.now())}")
    await world.looked(MINUTE)
    told = await world.looked(3 * MINUTE)
    assert told[1:] == [("it@example.com", "Over: The directory people of Example is not read any more")]


async def test_without_an_address_the_log_alone_is_told_once(database_url):
    world = Watched(database_url, address="")
    world.around = replace(WELL, free=4)
    with capture_logs() as logs:
        assert await world.looked() == []
        assert await world.looked(MINUTE) == []
    world.office.close()
    assert [line["subject"] for line in logs if line["event"] == "alert"] == ["No mail is taken: the disk is full"]
