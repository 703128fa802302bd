"""addressbook.people: canonical forms and the snapshot."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addressbook.canonical import canonical_address, canonical_domain, canonical_login
from addressbook.people import (
    AddressRange,
    Credential,
    CredentialKind,
    Customer,
    Directory,
    DirectoryChange,
    Profile,
    User,
)
from tests.kit.effort import cost_of


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("anna@example.com", "anna@example.com"),
        ("  Anna.Keller@EXAMPLE.com. ", "anna.keller@example.com"),
        ("SMTP:Anna@Example.com", "anna@example.com"),
        ("smtp: anna@example.com", "anna@example.com"),
        ('"anna"@example.com', "anna@example.com"),
        ('"an\\na"@example.com', "anna@example.com"),
        ('"anna keller"@example.com', '"anna keller"@example.com'),
        ('"an\\"na"@example.com', '"an\\"na"@example.com'),
        ("jörg@bücher.example", "jörg@xn--bcher-kva.example"),
        ("JÖRG@BÜCHER.example", "jörg@xn--bcher-kva.example"),
        ("anna@XN--BCHER-KVA.example", "anna@xn--bcher-kva.example"),
        ("anna@straße.example", "anna@xn--strae-oqa.example"),
        ("anna@bücher。example", "anna@xn--bcher-kva.example"),
        ("anna+sms@example.com", "anna+sms@example.com"),
        ("", None),
        ("anna", None),
        ("@example.com", None),
        ("anna@", None),
        ("anna@exa mple.com", None),
        ("anna@-example.com", None),
        ("anna@example..com", None),
        ("anna@[192.0.2.1]", None),
        ("an na@example.com", None),
        ("an\nna@example.com", None),
        ("anna@b@example.com", None),
        (".anna@example.com", None),
        ("anna@" + "a" * 64 + ".com", None),
        ("a" * 400 + "@example.com", None),
    ],
)
def test_an_address_has_one_canonical_form(text: str, canonical: str | None) -> None:
    assert canonical_address(text) == canonical


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_canonical_address_is_its_own_canonical_form(local: str, domain: str) -> None:
    first = canonical_address(f"{local}@{domain}")
    if first is not None:
        assert canonical_address(first) == first
        assert canonical_domain(first.rpartition("@")[2]) == first.rpartition("@")[2]


def test_two_domains_that_only_transitional_mapping_would_join_stay_apart() -> None:
    assert canonical_domain("straße.example") != canonical_domain("strasse.example")


def test_logins_that_differ_in_case_or_composition_are_one() -> None:
    assert canonical_login(" JO\u0308RG ") == canonical_login("j\u00f6rg")


ACME = Customer(key=1, name="Acme Ltd", domains=("example.com",), default_profile_id=11)
OTHER = Customer(key=2, name="Other", domains=("example.org",))
ANNA = User(key=21, customer_id=1, address="anna@example.com")
BERT = User(key=22, customer_id=1, address="bert@example.com", profile_id=12)
LOGIN = Credential(login="anna", customer_id=1, kind=CredentialKind.PASSWORD, verifier="v", user_id=21)


@pytest.fixture
def directory() -> Directory:
    return Directory(
        version=7,
        customers=[ACME, OTHER],
        profiles=[Profile(key=11, customer_id=1, name="Standard"), Profile(key=12, customer_id=1, name="Alarm")],
        users=[ANNA, BERT],
        credentials=[LOGIN],
        ranges=[
            AddressRange(network=ip_network("192.0.2.0/24"), customer_id=1),
            AddressRange(network=ip_network("192.0.2.128/25"), customer_id=2),
            AddressRange(network=ip_network("2001:db8::/32"), customer_id=2),
        ],
    )


def test_everybody_is_found_however_the_name_is_written(directory: Directory) -> None:
    assert directory.customer(1) == ACME
    assert directory.customer_named(" acme  LTD ") == ACME
    assert directory.customer_of_domain("EXAMPLE.com.") == ACME
    assert directory.user("SMTP:Anna@Example.COM") == ANNA
    assert directory.user_with_id(22) == BERT
    assert directory.credential("ANNA ") == LOGIN
    profile = directory.profile_named(1, "ALARM")
    assert profile is not None
    assert profile == directory.profile(12)


def test_what_stands_below_a_domain_belongs_to_its_owner_unless_it_was_given_to_another() -> None:
    rival = Customer(key=2, name="Rival", domains=("lab.example.com",))
    directory = Directory(customers=[ACME, rival])
    assert directory.customer_of_domain("mail.example.com") == ACME
    assert directory.customer_of_domain("a.b.Example.COM.") == ACME
    assert directory.customer_of_domain("lab.example.com") == rival
    assert directory.customer_of_domain("x.lab.example.com") == rival


def test_strangers_are_nobody(directory: Directory) -> None:
    assert directory.customer(9) is None
    assert directory.customer_named("nobody") is None
    assert directory.customer_of_domain("example.co") is None
    assert directory.customer_of_domain("badexample.com") is None
    assert directory.customer_of_domain("com") is None
    assert directory.customer_of_domain("not a domain") is None
    assert directory.user("carl@example.com") is None
    assert directory.user("<>") is None
    assert directory.credential("bert") is None
    assert directory.profile_named(2, "Alarm") is None
    assert directory.ranges_of_client(ip_address("198.51.100.1")) == ()


@pytest.mark.parametrize(
    ("client", "customer_id"),
    [("192.0.2.1", 1), ("192.0.2.200", 2), ("2001:db8::1", 2), ("::ffff:192.0.2.1", 1), ("::ffff:192.0.2.255", 2)],
)
def test_the_narrowest_range_proves_the_customer(directory: Directory, client: str, customer_id: int) -> None:
    (found,) = directory.ranges_of_client(ip_address(client))
    assert found.customer_id == customer_id


def test_a_shared_range_leaves_the_wider_ones_in_force_up_to_the_first_that_is_one_customers_alone() -> None:
    ranges = [
        AddressRange(network=ip_network(network), customer_id=customer_id, shared=shared)
        for network, customer_id, shared in (
            ("40.0.0.0/8", 9, False),
            ("40.92.0.0/15", 1, True),
            ("40.92.0.0/15", 2, True),
            ("40.93.0.0/16", 3, True),
            ("40.93.7.0/24", 4, False),
        )
    ]
    directory = Directory(ranges=ranges)
    for client, found in (
        ("40.92.0.1", [1, 2, 9]),
        ("40.93.0.1", [3, 1, 2, 9]),
        ("40.93.7.1", [4]),
        ("40.1.0.1", [9]),
    ):
        assert [item.customer_id for item in directory.ranges_of_client(ip_address(client))] == found


def test_a_user_without_a_profile_has_the_customers_default(directory: Directory) -> None:
    names = [directory.profile_in_force(1, user) for user in (ANNA, BERT, None)]
    assert [profile.name if profile else None for profile in names] == ["Standard", "Alarm", "Standard"]
    assert directory.profile_in_force(2, None) is None


def test_a_verifier_is_not_shown_by_repr() -> None:
    assert "verifier" not in repr(LOGIN)


def test_a_change_makes_a_new_directory_and_leaves_the_old_one(directory: Directory) -> None:
    swapped = {
        21: User(key=21, customer_id=1, address="bert@example.com"),
        22: User(key=22, customer_id=1, address="anna@example.com"),
    }
    after = directory.apply(
        DirectoryChange(
            version=8, customers={2: None}, users=swapped, credentials={"anna": None}, ranges=(), profiles={12: None}
        )
    )
    assert (directory.version, after.version) == (7, 8)
    assert directory.user("anna@example.com") == ANNA
    found = after.user("anna@example.com")
    assert found is not None
    assert found.key == 22
    assert after.customer_named("Other") is None
    assert after.customer_of_domain("example.org") is None
    assert after.credential("anna") is None
    assert after.profile_named(1, "Alarm") is None
    assert after.ranges_of_client(ip_address("192.0.2.1")) == ()
    assert directory.ranges_of_client(ip_address("192.0.2.1")) != ()


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from("abcdef") | st.none()), max_size=20))
def test_changes_one_by_one_give_what_loading_the_end_gives(steps: list[tuple[int, str | None]]) -> None:
    directory = Directory()
    users: dict[int, User] = {}
    for version, (key, letter) in enumerate(steps, start=1):
        taken = {user.address for user in users.values() if user.key != key}
        address = f"{letter}@example.com"
        if letter is None:
            users.pop(key, None)
        elif address in taken:
            continue
        else:
            users[key] = User(key=key, customer_id=1, address=address)
        directory = directory.apply(DirectoryChange(version=version, users={key: users.get(key)}))
    loaded = Directory(users=users.values())
    assert directory.users() == loaded.users()
    for letter in "abcdef":
        assert directory.user(f"{letter}@example.com") == loaded.user(f"{letter}@example.com")


def test_listings_are_in_order(directory: Directory) -> None:
    assert [item.name for item in directory.customers()] == ["Acme Ltd", "Other"]
    assert [item.name for item in directory.profiles(1)] == ["Alarm", "Standard"]
    assert [item.address for item in directory.users(1)] == ["anna@example.com", "bert@example.com"]
    assert directory.users(2) == ()
    assert [item.login for item in directory.credentials()] == ["anna"]


def test_finding_a_user_costs_the_same_among_many() -> None:
    def cost(users: int) -> float:
        directory = Directory(users=[User(key=i, customer_id=1, address=f"u{i}@example.com") for i in range(users)])
        addresses = [f"u{i % users}@example.com" for i in range(2_000)]
        return cost_of(lambda: [directory.user(address) for address in addresses])

    # Linear search would cost a thousand times as much; the room is for caches and a busy machine.
    assert cost(100_000) < 20 * cost(100)
