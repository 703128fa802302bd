"""A real domain controller, Samba's, read as users by the options that are the default for Active Directory."""

from datetime import UTC, datetime

import pytest

from addressbook.changes import Reading, UserChange
from addressbook.source_options import read_options
from addressbook.sources import CustomerDirectory, SourceKind
from dirsync.reading import read
from tests.kit.samba import DOMAIN, READER, REPLICATOR, SambaDomain, account, group

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
OFFICE = f"OU=Head office,{DOMAIN}"
OUTER, INNER = f"CN=alarm,{OFFICE}", f"CN=crew,{OFFICE}"
ANNA, BEN, CARL, DORA, EVE, FINN = (f"CN={name},{OFFICE}" for name in ("anna", "ben", "carl", "dora", "eve", "finn"))


@pytest.fixture(scope="session")
def domain(samba_domain: SambaDomain) -> SambaDomain:
    samba_domain.add_unit("Head office")
    anna = account("anna", OFFICE, displayName="Anna Doe", mobile="07700 900101", department="4711")
    samba_domain.change(
        f"{anna}proxyAddresses: smtp:a@example.com\nproxyAddresses: SMTP:Anna.Doe@Example.com\n",
        account("ben", OFFICE, mail="ben@example.com", mobile="+44 7700 900102"),
        account("carl", OFFICE, mail="carl@example.com", accountExpires="134405136000000000"),  # at noon
        account("dora", OFFICE, mail="dora@example.com"),
    )
    samba_domain.change(group("crew", OFFICE, ANNA), group("alarm", OFFICE, INNER, BEN))
    return samba_domain


def directory_of(domain: SambaDomain, **options: str) -> CustomerDirectory:
    usual = {
        "host": domain.address,
        "base": OFFICE,
        "bind_dn": f"{READER}@ad.example.org",
        "password_file": str(domain.password_file),
        "ca_file": str(domain.ca_file),
        "map.cost_centre": "department",
        "profile.1": f"{OUTER} => Alarm",
        "list.crew": INNER,
        "list.crew.authors": "*",
    }
    made = read_options(SourceKind.ACTIVE_DIRECTORY, usual | options, name="domain")
    assert isinstance(made, CustomerDirectory), made
    return made


def read_now(directory: CustomerDirectory, cookie: str = "") -> Reading:
    return read(directory, cookie, full=not cookie, now=NOW, country="GB")


def by_dn(reading: Reading) -> dict[str, UserChange]:
    return {change.entry: change for change in reading.changes}


def test_accounts_become_users_with_primary_address_state_nested_groups_and_settings(domain):
    reading = read_now(directory_of(domain))
    users = by_dn(reading)
    assert (reading.complete, reading.faults) == (True, ())
    anna = users[ANNA]
    assert (anna.address, anna.name, anna.phone) == ("anna.doe@example.com", "Anna Doe", "447700900101")
    assert (anna.active, anna.profile, anna.cells) == (True, "Alarm", {"cost_centre": "4711"})
    assert reading.origin(anna, "cost_centre") == "ldap:domain:department"
    assert [users[dn].profile for dn in (BEN, CARL, DORA)] == ["Alarm", "", ""]
    assert [users[dn].active for dn in (BEN, CARL, DORA)] == [True, False, True]
    (crew,) = reading.lists
    assert [member.number for member in crew.members] == ["447700900101"]


@pytest.mark.slow
def test_a_disabled_account_and_a_deleted_one_come_with_the_next_changes(domain):
    replicator = {"bind_dn": f"{REPLICATOR}@ad.example.org"}  # who may see what was deleted
    directory = directory_of(domain, **{"list.crew": "", "list.crew.authors": "", **replicator})
    for name in ("eve", "finn"):
        domain.change(account(name, OFFICE, mail=f"{name}@example.com"))
    whole = read_now(directory)
    domain.set(EVE, "userAccountControl", "514")
    domain.delete(FINN)
    changes = read_now(directory, whole.cookie)
    assert not changes.complete
    assert by_dn(changes)[EVE].active is False
    assert by_dn(whole)[FINN].anchor in changes.gone
    assert FINN not in by_dn(read_now(directory))
