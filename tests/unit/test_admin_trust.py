"""What administrators say of proofs: ranges, logins and certificates with service and profile, TLS, kinds of proof."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from addressbook.people import AddressRange, CredentialKind
from addressbook.proof import IdentityProvider, ProofKind
from gateway.admin import customers, logins, profiles, ranges, users, views
from gateway.admin.faults import FaultCode
from sms.message import Origin
from tests.kit.admin_harness import AdminHarness

PIN = "spki:" + "a1" * 32


@pytest.fixture
def office(database_url: str) -> Iterator[AdminHarness]:
    made = AdminHarness(database_url)
    made.do(customers.add_customer, "Example")
    made.do(profiles.add_profile, "Example", "Alarm")
    made.do(customers.add_customer, "Other")
    made.do(users.add_user, "Example", "anna@example.com")
    yield made
    made.close()


def customer(office: AdminHarness):
    return office.load()[0].customer_named("Example")


def test_a_range_says_whether_it_is_shared_under_tls_only_and_of_which_service_and_profile(office):
    office.do(ranges.add_range, "Example", "192.0.2.0/24", shared=True, service="sap", profile="alarm")
    office.do(ranges.set_range, "Example", "192.0.2.0/24", shared=False, tls_required=True)
    alarm = office.load()[0].profile_named(customer(office).key, "Alarm")
    assert office.load()[0].ranges == (
        AddressRange(
            network=ip_network("192.0.2.0/24"),
            customer_id=customer(office).key,
            tls_required=True,
            service=Origin.SAP,
            profile_id=alarm.key,
        ),
    )
    assert office.look(views.show_customer, "Example")["address_ranges"] == [
        "192.0.2.0/24 TLS only service sap profile Alarm"
    ]
    assert [(line["field"], line["before"], line["after"]) for line in office.audit(2)] == [
        ("tls_required", "", "on"),
        ("shared", "on", ""),
    ]
    office.do(ranges.set_range, "Example", "192.0.2.0/24", service="", profile="", tls_required=False)
    assert office.load()[0].ranges == (
        AddressRange(network=ip_network("192.0.2.0/24"), customer_id=customer(office).key),
    )


def test_a_customer_names_the_sealers_that_it_trusts(office):
    office.do(customers.set_arc_sealer, "Example", "add", "Sealer.Example.")
    office.do(customers.set_arc_sealer, "Example", "add", "bücher.example")
    assert customer(office).arc_sealers == {"sealer.example", "xn--bcher-kva.example"}
    assert office.look(views.show_customer, "Example")["arc_sealers"] == ["sealer.example", "xn--bcher-kva.example"]
    office.do(customers.set_arc_sealer, "Example", "remove", "sealer.example")
    assert customer(office).arc_sealers == {"xn--bcher-kva.example"}
    assert office.refuse(customers.set_arc_sealer, "Example", "add", "no domain")[0] is FaultCode.BAD_DOMAIN


def test_only_the_owner_of_a_range_changes_it_and_a_mail_is_of_mail_or_sap(office):
    office.do(ranges.add_range, "Example", "192.0.2.0/24")
    assert office.refuse(ranges.set_range, "Other", "192.0.2.0/24", shared=True)[0] is FaultCode.RANGE_NOT_OWNED
    refused = office.refuse(ranges.set_range, "Example", "192.0.2.0/24", service="smpp")
    assert refused == (FaultCode.NO_MAIL_SERVICE, {"service": "smpp"})
    assert office.refuse(ranges.add_range, "Other", "198.51.100.0/24", profile="Alarm")[0] is FaultCode.NO_PROFILE


def test_several_customers_have_a_range_only_where_each_shares_it(office):
    cloud = "198.51.100.0/24"
    office.do(ranges.add_range, "Example", cloud, shared=True)
    taken = (FaultCode.RANGE_TAKEN, {"range": cloud, "owner": "Example"})
    assert office.refuse(ranges.add_range, "Example", cloud, shared=True) == taken
    assert office.refuse(ranges.add_range, "Other", cloud) == taken
    office.do(ranges.add_range, "Other", cloud, shared=True, tls_required=True)
    assert len(office.load()[0].ranges) == 2
    assert office.refuse(ranges.set_range, "Other", cloud, shared=False) == taken
    office.do(ranges.remove_range, "Example", cloud)
    office.do(ranges.set_range, "Other", cloud, shared=False)
    (left,) = office.load()[0].ranges
    assert (left.shared, left.tls_required) == (False, True)


def test_tls_only_and_the_proofs_of_a_customer_are_set_and_audited(office):
    office.do(customers.set_tls_required, "Example", required=True)
    office.do(customers.set_proofs, "Example", ["certificate", "login"])
    assert customer(office).tls_required
    assert customer(office).proofs == {ProofKind.LOGIN, ProofKind.CERTIFICATE}
    assert not customer(office).takes_proof(ProofKind.RANGE)
    assert [(line["action"], line["field"], line["after"]) for line in office.audit(2)] == [
        ("customer.proof", "proofs", "certificate,login"),
        ("customer.tls-required", "tls_required", "on"),
    ]
    office.do(customers.set_proofs, "Example", [])
    assert customer(office).proofs is None
    assert office.refuse(customers.set_proofs, "Example", ["dmarc"]) == (FaultCode.NO_PROOF, {"given": "dmarc"})


def test_an_issuer_is_an_https_address_with_an_audience(office):
    office.do(customers.set_identity_provider, "Example", "https://login.example.com/t1", "mail2sms")
    assert customer(office).identity_provider == IdentityProvider(
        issuer="https://login.example.com/t1", audience="mail2sms", claim="email"
    )
    for issuer in ("http://login.example.com", "login.example.com", "https://", "https://a@b", "https://b/?x=1"):
        assert office.refuse(customers.set_identity_provider, "Example", issuer, "x")[0] is FaultCode.BAD_ISSUER
    refused = office.refuse(customers.set_identity_provider, "Example", "https://login.example.com")
    assert refused[0] is FaultCode.NO_AUDIENCE
    office.do(customers.set_identity_provider, "Example")
    assert customer(office).identity_provider is None


def test_a_login_keeps_its_service_and_profile_when_its_password_is_new(office):
    office.do(logins.add_login, "desk", "hash 1", customer="Example", scram="s1")
    office.do(logins.set_login, "Desk", service="sap", profile="Alarm")
    office.do(logins.add_login, "desk", "hash 2", customer="Example", scram="s2")
    found = office.load()[0].credential("desk")
    assert (found.verifier, found.scram, found.service) == ("hash 2", "s2", Origin.SAP)
    assert office.refuse(profiles.remove_profile, "Example", "Alarm") == (
        FaultCode.PROFILE_IS_BOUND,
        {"name": "Alarm", "bound": ("desk",)},
    )
    office.do(logins.set_login, "desk", service="", profile="")
    office.do(profiles.remove_profile, "Example", "Alarm")


def test_a_certificate_is_one_customers_or_users_and_no_login_takes_its_name(office):
    office.do(logins.add_certificate, "SAP-1", PIN, customer="Example", service="sap")
    found = office.load()[0].credential("sap-1")
    assert (found.kind, found.verifier, found.service) == (CredentialKind.CERTIFICATE, PIN, Origin.SAP)
    refused = office.refuse(logins.add_certificate, "other", PIN, customer="Other")
    assert refused == (FaultCode.CERTIFICATE_TAKEN, {"login": "sap-1"})
    assert office.refuse(logins.add_login, "sap-1", "x", customer="Example")[0] is FaultCode.LOGIN_IS_CERTIFICATE
    assert office.refuse(logins.add_certificate, "sap-1", PIN, customer="Other")[0] is FaultCode.LOGIN_TAKEN
    office.do(logins.add_login, "anna", "x", user="anna@example.com", scram="s")
    assert office.refuse(logins.add_certificate, "anna", PIN, user="anna@example.com")[0] is FaultCode.LOGIN_TAKEN
    listed = office.look(logins.list_logins, "Example")
    assert [(row["login"], row["proved_by"], row["user"], row["service"]) for row in listed] == [
        ("anna", "password, SCRAM", "anna@example.com", ""),
        ("sap-1", f"public key {'a1' * 32}", "", "sap"),
    ]
    office.do(logins.remove_login, "sap-1")
    assert office.load()[0].credential("sap-1") is None
