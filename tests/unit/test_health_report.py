"""What of directories, certificates and the disk needs a hand, on both databases."""

from datetime import timedelta

import pytest

from addressbook.runs import Reason, RunMode
from config.alerts import AlertOptions
from gateway.admin import customers
from gateway.admin.directories import change_directory, list_directories, make_directory
from gateway.admin.health import Concern, Surroundings, report_health
from gateway.directory_sync import DirectorySync, SyncRun
from store.engine.keys import Keys
from tests.kit.admin_harness import NOW, AdminHarness

WELL = Surroundings(serving="42", folder="/var/lib/mail2sms", free=10, reserve=5)


@pytest.fixture
def office(database_url):
    made = AdminHarness(database_url)
    made.do(customers.add_customer, "Example")
    made.do(
        make_directory,
        "Example",
        "people",
        "openldap",
        {"host": "ldap.example.com", "base": "dc=example,dc=com", "bind_dn": "cn=reader", "password_file": "/secret"},
    )
    yield made
    made.close()


def concerns(office, around=WELL, now=NOW):
    return [(item.code, item.facts) for item in office.look(report_health, around, now, AlertOptions()).concerns]


def test_a_directory_that_was_never_read_is_no_concern_yet(office):
    assert concerns(office) == []


def test_a_directory_that_cannot_be_read_is_told_with_how_often(office):
    (state,) = office.look(list_directories)
    sync = DirectorySync(office.database, Keys(2, NOW.timestamp), lambda: NOW, pause=lambda _: None)
    run = sync.begin(state.stored.directory, RunMode.FULL, "anna")
    assert isinstance(run, SyncRun)
    with run:
        run.fail(Reason(section="read", code="unreachable", facts={"host": "ldap.example.com", "cause": "refused"}))
    assert concerns(office) == [
        (Concern.DIRECTORY_FAILS, {"customer": "Example", "name": "people", "failures": 1}),
    ]


def test_a_directory_whose_last_reading_is_too_old_is_told_with_its_time(office):
    office.execute("UPDATE directory SET synced_at = 1000000")
    (concern,) = concerns(office)
    assert concern == (
        Concern.DIRECTORY_OLD,
        {"customer": "Example", "name": "people", "since": "1970-01-01 00:00:01"},
    )
    office.do(change_directory, "Example", "people", {"active": "off"})
    assert concerns(office) == []


def test_a_full_disk_a_certificate_that_ends_and_nobody_who_serves_are_told(office):
    around = Surroundings(
        serving=None,
        folder="/srv",
        free=4,
        reserve=5,
        certificates=[("smtp", "a.pem", NOW + timedelta(days=13)), ("mx", "b.pem", NOW + timedelta(days=31))],
        unusable=[("mx", "b.key holds no private key in PEM")],
    )
    assert [code for code, _ in concerns(office, around)] == [
        Concern.NOT_SERVING,
        Concern.DISK_FULL,
        Concern.CERTIFICATE_ENDS,
        Concern.CERTIFICATE_UNUSABLE,
    ]
