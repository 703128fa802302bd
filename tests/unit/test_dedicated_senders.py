"""A dedicated number as sender ID: no layer of anybody but its owner takes it, whoever tries and by which way."""

from collections.abc import Iterator

import pytest

from addressbook.exchange import FileFormat, read_user_file
from gateway.admin import constraints, customers, lists, profiles, settings, user_import, users
from gateway.admin.constraints import ConstraintLimits
from gateway.admin.faults import FaultCode
from gateway.admin.settings import CustomerScope, ListScope, ProfileScope, Scope, SystemScope, UserScope
from store.directory_lookup import find_customer
from tests.kit.admin_harness import AdminHarness

NUMBER = "+447700900900"
REFUSED = (FaultCode.SENDER_ID_DEDICATED, {"sender_id": NUMBER.removeprefix("+")})


@pytest.fixture
def office(database_url: str) -> Iterator[AdminHarness]:
    made = AdminHarness(database_url)
    for name in ("Owner", "Other"):
        made.do(customers.add_customer, name)
        made.do(profiles.add_profile, name, "Alarm")
        made.do(users.add_user, name, f"anna@{name.lower()}.example.com")
        made.do(lists.make_list, name, "Crew", ["*"])
    owner = made.look(find_customer, "Owner")
    made.execute(
        "INSERT INTO own_number (key, digits, kind, country, state, sharing, customer_key, carriers, join_seconds)"
        f" VALUES (1, '447700900900', 'long', 'GB', 'active', 'dedicated', {owner.key}, '', 600)"
    )
    yield made
    made.close()


def scopes(name: str) -> list[Scope]:
    return [
        CustomerScope(name),
        CustomerScope(name, "sap"),
        ProfileScope(name, "Alarm"),
        UserScope(f"anna@{name.lower()}.example.com"),
        ListScope(name, "Crew"),
    ]


def test_every_layer_of_the_owner_takes_it_and_none_of_anybody_else(office: AdminHarness) -> None:
    for scope in scopes("Owner"):
        office.do(settings.set_settings, scope, {"sender_id": NUMBER})
    for scope in (SystemScope(), *scopes("Other")):
        assert office.refuse(settings.set_settings, scope, {"sender_id": NUMBER}) == REFUSED
        office.do(settings.set_settings, scope, {"sender_id": "+447700900901"})


def test_a_customers_constraints_permit_its_own_only_and_the_systems_permit_any(office: AdminHarness) -> None:
    permit = ConstraintLimits(sender_ids=f"Shop,{NUMBER}")
    assert office.refuse(constraints.limit, CustomerScope("Other"), permit) == REFUSED
    office.do(constraints.limit, CustomerScope("Owner"), permit)
    office.do(constraints.limit, SystemScope(), permit)
    assert office.refuse(settings.set_settings, CustomerScope("Other"), {"sender_id": NUMBER}) == REFUSED
    office.do(settings.set_settings, CustomerScope("Owner"), {"sender_id": NUMBER})


def test_an_address_book_file_names_the_line_that_has_it(office: AdminHarness) -> None:
    for name, faults in (("Owner", []), ("Other", [(2, "sender-id", *REFUSED)])):
        text = f"e-mail,sender-id\nbert@{name.lower()}.example.com,{NUMBER}\n"
        plan = office.look(user_import.preview_import, name, read_user_file(text.encode(), FileFormat()))
        assert [(fault.place, fault.column, fault.code, fault.facts) for fault in plan.faults] == faults
