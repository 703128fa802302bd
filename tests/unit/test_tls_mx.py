"""Which hosts take a domain's mail, in which order, and which addresses are never called."""

import random
from ipaddress import ip_address

import pytest

from tests.kit.resolver import TableResolver
from tls.mx import AddressGuard, HostsProblem, find_hosts, order_hosts, parse_literal
from tls.resolver import MxRecord


def records(*pairs: tuple[int, str]) -> tuple[MxRecord, ...]:
    return tuple(MxRecord(preference=preference, host=host) for preference, host in pairs)


def test_hosts_are_ordered_by_preference_each_once_without_malformed_names():
    found = records((20, "b.example"), (10, "a.example"), (30, "a.example"), (5, "bad name"), (5, "x\x00.example"))
    assert order_hosts(found, lambda _: None) == ("a.example", "b.example")


def test_equal_hosts_are_shuffled_by_the_given_chance_only():
    found = records(*((10, f"mx{number}.example") for number in range(6)), (5, "first.example"))
    orders = {order_hosts(found, random.Random(seed).shuffle) for seed in range(40)}
    assert len(orders) > 20
    assert {order[0] for order in orders} == {"first.example"}


def test_of_a_hundred_records_only_the_best_are_considered():
    found = records(*((number, f"mx{number}.example") for number in range(100)))
    assert order_hosts(found, lambda _: None) == tuple(f"mx{number}.example" for number in range(10))


CASES = [
    (TableResolver(mx_records={"example.com": [(10, "MX.example.com.")]}), ("mx.example.com",), None),
    (TableResolver(hosts={"example.com": ["192.0.2.1"]}), ("example.com",), None),
    (TableResolver(mx_records={"example.com": [(0, ".")]}), (), HostsProblem.TAKES_NO_MAIL),
    (TableResolver(mx_records={"example.com": [(0, "."), (10, "mx.example.com")]}), ("mx.example.com",), None),
    (TableResolver(mx_records={"example.com": [(0, "a b")]}), (), HostsProblem.NO_USABLE_HOST),
    (TableResolver(failing=frozenset({"example.com"})), (), HostsProblem.DNS_FAILED),
    (TableResolver(), (), HostsProblem.NO_SUCH_DOMAIN),
]


@pytest.mark.parametrize(("resolver", "names", "problem"), CASES)
async def test_what_dns_says_about_the_hosts_of_a_domain(resolver, names, problem):
    hosts = await find_hosts("example.com", resolver, lambda _: None)
    assert (hosts.names, hosts.problem) == (names, problem)


async def test_hosts_are_proven_only_where_the_answer_was():
    table = {"example.com": [(10, "mx.example.com")]}
    signed = TableResolver(mx_records=table, authentic=frozenset({"example.com"}))
    assert (await find_hosts("example.com", signed, lambda _: None)).authentic
    assert not (await find_hosts("example.com", TableResolver(mx_records=table), lambda _: None)).authentic


REFUSED = ["127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
           "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
           "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::"]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_are_not_public_are_never_called_whatever_they_are_wrapped_in(address):
    assert "not a public address" in AddressGuard().find_fault(ip_address(address))


def test_public_and_allowed_addresses_are_called_but_never_our_own():
    guard = AddressGuard(allowed=("10.1.0.0/16", "fd00::/8"), own=frozenset({"9.9.9.9", "10.1.0.1"}))
    for fine in ("8.8.8.8", "2620:fe::fe", "10.1.2.3", "fd00::5", "::ffff:8.8.8.8"):
        assert guard.find_fault(ip_address(fine)) == ""
    for own in ("9.9.9.9", "::ffff:9.9.9.9", "10.1.0.1"):
        assert "our own" in guard.find_fault(ip_address(own))
    assert guard.find_fault(ip_address("10.2.0.1"))


LITERALS = [("[192.0.2.1]", "192.0.2.1"), ("[IPv6:2001:db8::1]", "2001:db8::1"), ("[ipv6:::1]", "::1"),
            ("192.0.2.1", None), ("[2001:db8::1]", None), ("[example.com]", None), ("[]", None)]  # fmt: skip


@pytest.mark.parametrize(("text", "address"), LITERALS)
def test_address_literals_are_read_as_rfc_5321_writes_them(text, address):
    assert parse_literal(text) == (ip_address(address) if address else None)
