"""TLSA records: which count, what they match, and when they are looked for (cases 29 and 31, RFC 7671, RFC 7672)."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from tests.kit.mail_servers import HOST, Identity, issue, make_authority, make_intermediate
from tests.kit.resolver import TableResolver
from tls.dane import find_dane_fault, find_tlsa, select_usable
from tls.policy import DaneState, Tlsa

NOW = datetime.now(UTC)
ROOT = make_authority("Anchor")
BELOW = make_intermediate(ROOT)
LEAF = issue(BELOW)
OTHER = issue()
CHAIN = (LEAF.der, BELOW.der, ROOT.der)
TLSA_NAME = f"_25._tcp.{HOST}"


def record(usage: int, selector: int, matching: int, identity: Identity) -> Tlsa:
    selected = identity.spki if selector else identity.der
    data = {0: selected, 1: hashlib.sha256(selected).digest(), 2: hashlib.sha512(selected).digest()}[matching]
    return Tlsa(usage=usage, selector=selector, matching=matching, data=data)


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize(("usage", "identity"), [(3, LEAF), (2, ROOT), (2, BELOW)], ids=["EE", "TA", "TA below"])
def test_every_selector_and_matching_type_binds_what_it_describes(usage, selector, matching, identity):
    bound = [record(usage, selector, matching, identity)]
    assert find_dane_fault(bound, CHAIN, (HOST,), (HOST,), NOW) == ""
    stranger = (OTHER.der,)
    assert find_dane_fault(bound, stranger, (HOST,), (HOST,), NOW)


def test_usage_3_ignores_names_and_dates_but_usage_2_does_not():
    old = issue(ROOT, names=("elsewhere.example",), start=timedelta(days=-9), end=timedelta(days=-2))
    chain = (old.der, ROOT.der)
    assert find_dane_fault([record(3, 1, 1, old)], chain, ("elsewhere.example",), (HOST,), NOW) == ""
    assert "out of date" in find_dane_fault([record(2, 1, 1, ROOT)], chain, (HOST,), (HOST,), NOW)
    assert "name mismatch" in find_dane_fault([record(2, 1, 1, ROOT)], CHAIN, ("elsewhere.example",), (HOST,), NOW)


def test_usage_2_accepts_the_recipients_domain_as_a_name_too():
    assert find_dane_fault([record(2, 0, 1, ROOT)], CHAIN, ("example.com",), (HOST, "example.com"), NOW) == ""


def test_an_anchor_given_whole_need_not_be_shown():
    assert find_dane_fault([record(2, 0, 0, ROOT)], CHAIN[:2], (HOST,), (HOST,), NOW) == ""
    assert find_dane_fault([record(2, 0, 1, ROOT)], CHAIN[:2], (HOST,), (HOST,), NOW)


def test_an_anchor_that_is_shown_but_signed_nothing_proves_nothing():
    forged = (OTHER.der, ROOT.der)
    assert "does not lead" in find_dane_fault([record(2, 1, 1, ROOT)], forged, (HOST,), (HOST,), NOW)


def test_a_leaf_cannot_be_an_authority():
    signed_by_leaf = issue(LEAF)
    chain = (signed_by_leaf.der, LEAF.der)
    assert find_dane_fault([record(2, 1, 1, LEAF)], chain, (HOST,), (HOST,), NOW)


def test_one_record_of_several_suffices_as_in_a_rollover():
    both = [record(3, 1, 1, OTHER), record(3, 1, 1, LEAF)]
    assert find_dane_fault(both, CHAIN, (), (HOST,), NOW) == ""


@pytest.mark.parametrize("chain", [(), (b"no certificate",), (LEAF.der, b"junk")])
def test_what_is_not_a_certificate_matches_nothing(chain):
    assert find_dane_fault([record(2, 1, 1, ROOT)], chain, (HOST,), (HOST,), NOW)


USABLE = [
    ((0, 1, 1), False), ((1, 1, 1), False), ((2, 1, 1), True), ((3, 1, 1), True), ((4, 1, 1), False),
    ((255, 1, 1), False), ((3, 2, 1), False), ((3, 0, 0), True), ((3, 1, 2), False), ((3, 1, 3), False),
    ((3, 1, 255), False),
]  # fmt: skip


@pytest.mark.parametrize(("kinds", "counts"), USABLE)
def test_case_31_usages_selectors_and_digests_beyond_smtp_do_not_count(kinds, counts):
    usage, selector, matching = kinds
    made = Tlsa(usage=usage, selector=selector, matching=matching, data=b"x" * 32)
    assert bool(select_usable([made])) is counts


def test_the_strongest_digest_of_a_kind_counts_alone():
    weak, strong, whole = record(3, 1, 1, OTHER), record(3, 1, 2, LEAF), record(3, 1, 0, OTHER)
    other_kind = record(3, 0, 1, OTHER)
    assert set(select_usable([weak, strong, whole, other_kind])) == {strong, whole, other_kind}


# --- looking for them --------------------------------------------------------------------------------------------


def resolver(*, signed: tuple[str, ...] = (HOST, TLSA_NAME), **more: object) -> TableResolver:
    options: dict = {
        "hosts": {HOST: ["192.0.2.1"]},
        "tlsa_records": {TLSA_NAME: [record(3, 1, 1, LEAF)]},
        "authentic": frozenset(signed),
        **more,
    }
    return TableResolver(**options)


LOOKUPS = [
    (resolver(), DaneState.USABLE),
    (resolver(tlsa_records={}), DaneState.ABSENT),
    (resolver(signed=()), DaneState.ABSENT),
    (resolver(signed=(HOST,)), DaneState.ABSENT),
    (resolver(signed=(TLSA_NAME,)), DaneState.ABSENT),
    (resolver(failing=frozenset({TLSA_NAME})), DaneState.FAILED),
    (resolver(failing=frozenset({HOST})), DaneState.FAILED),
    (resolver(tlsa_records={TLSA_NAME: [Tlsa(usage=1, selector=1, matching=1, data=b"x" * 32)]}), DaneState.UNUSABLE),
    (resolver(tlsa_records={TLSA_NAME: [Tlsa(usage=3, selector=1, matching=255, data=b"x")]}), DaneState.UNUSABLE),
]


@pytest.mark.parametrize(("asked", "state"), LOOKUPS)
async def test_case_31_what_dns_says_about_tlsa_records(asked, state):
    assert (await find_tlsa(HOST, 25, asked)).state is state
