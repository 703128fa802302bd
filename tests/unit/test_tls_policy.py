"""What is demanded, by whom, and when an achieved connection is enough."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tls.policy import (
    DaneResult,
    DaneState,
    Demand,
    HostProof,
    Pin,
    PinKind,
    PolicyEntry,
    PolicyTable,
    StsMode,
    StsResult,
    Tlsa,
    TlsLevel,
    TlsPolicy,
    decide_policy,
    find_faults,
    parse_pin,
)
from tls.verdict import Achieved, explain_refusal, judge

HEX = "0123456789abcdef" * 4
RECORD = Tlsa(usage=3, selector=1, matching=1, data=b"x" * 32)
USABLE = DaneResult(state=DaneState.USABLE, records=(RECORD,), base="tlsa.example.com")
ENFORCE = StsResult(mode=StsMode.ENFORCE, mx=("mx.example.com",))
GOOD = Achieved(
    encrypted=True,
    version="TLSv1.3",
    cipher="x",
    trusted=True,
    names=("mx.example.com",),
    certificate=HEX,
    public_key=HEX,
)


def entry(level: TlsLevel, domain: str = "", customer: str = "", **more: object) -> PolicyEntry:
    return PolicyEntry(domain=domain, customer=customer, policy=TlsPolicy(level=level, **more))  # type: ignore[arg-type]


def demand_for(table: PolicyTable, *, domain: str = "example.com", customer: str = "acme", **more: object) -> Demand:
    options: dict = {"host": "mx.example.com", **more}
    return decide_policy(domain, customer, table, **options)


def test_the_levels_are_ordered_as_the_documentation_says():
    order = ["none", "may", "encrypt", "dane", "verify", "mta-sts", "secure", "dane-only", "private-ca", "fingerprint"]
    assert [str(level) for level in sorted(TlsLevel, key=lambda level: level.strength)] == order


def test_exactly_the_levels_from_encrypt_on_are_enforced():
    assert [str(level) for level in TlsLevel if not level.enforced] == ["none", "may"]


# --- who says ----------------------------------------------------------------------------------------------------

SCOPES = [
    ((), "may", "system"),
    ((entry(TlsLevel.ENCRYPT),), "encrypt", "system"),
    ((entry(TlsLevel.ENCRYPT), entry(TlsLevel.SECURE, customer="acme")), "secure", "customer acme"),
    ((entry(TlsLevel.SECURE), entry(TlsLevel.ENCRYPT, customer="acme")), "secure", "system"),
    ((entry(TlsLevel.SECURE), entry(TlsLevel.NONE, "example.com", "acme")), "secure", "system"),
    ((entry(TlsLevel.ENCRYPT, customer="other"),), "may", "system"),
    ((entry(TlsLevel.SECURE, "example.com"),), "secure", "domain example.com"),
    ((entry(TlsLevel.SECURE, "example.com", "acme"),), "secure", "domain example.com of customer acme"),
    ((entry(TlsLevel.SECURE, ".com"), entry(TlsLevel.ENCRYPT, "example.com")), "encrypt", "domain example.com"),
    ((entry(TlsLevel.SECURE, ".example.com"),), "may", "system"),
    ((entry(TlsLevel.SECURE, "*"),), "secure", "system"),
    ((entry(TlsLevel.ENCRYPT), entry(TlsLevel.MAY, "example.com")), "may", "domain example.com"),
    (
        (entry(TlsLevel.SECURE, "example.com"), entry(TlsLevel.SECURE, "example.com", "acme", names=("x.example",))),
        "secure",
        "domain example.com",
    ),
    (
        (entry(TlsLevel.SECURE), entry(TlsLevel.SECURE, "example.com", "acme", names=("x.example",))),
        "secure",
        "domain example.com of customer acme",
    ),
    (
        (entry(TlsLevel.SECURE, customer="acme"), entry(TlsLevel.FINGERPRINT, "example.com", "acme")),
        "fingerprint",
        "domain example.com of customer acme",
    ),
]


@pytest.mark.parametrize(("entries", "level", "origin"), SCOPES)
def test_the_line_in_force_and_where_it_stands(entries, level, origin):
    found = PolicyTable(entries).find("example.com", "acme")
    assert (found.policy.level, found.origin) == (level, origin)


@pytest.mark.parametrize(
    ("domain", "level"),
    [
        ("a.example.com", "secure"),
        ("b.a.example.com", "encrypt"),
        ("c.b.a.example.com", "encrypt"),
        ("example.com", "may"),
    ],
)
def test_the_nearest_parent_speaks_for_a_subdomain(domain, level):
    table = PolicyTable((entry(TlsLevel.SECURE, ".example.com"), entry(TlsLevel.ENCRYPT, ".a.example.com")))
    assert table.find(domain).policy.level == level


LEVELS = st.sampled_from(list(TlsLevel))


@given(system=LEVELS, customer=LEVELS, domain=LEVELS)
def test_no_scope_of_a_customer_ever_lowers_what_the_system_demands(system, customer, domain):
    table = PolicyTable((entry(system), entry(customer, customer="acme"), entry(domain, "example.com", "acme")))
    found = table.find("example.com", "acme").policy.level.strength
    assert found == max(system.strength, customer.strength, domain.strength)


# --- what is demanded --------------------------------------------------------------------------------------------


def test_a_route_raises_and_only_none_against_may_lowers():
    for level, route in itertools.product(TlsLevel, TlsLevel):
        demand = demand_for(PolicyTable((entry(level),)), route=TlsPolicy(level=route))
        if (level, route) == (TlsLevel.MAY, TlsLevel.NONE):
            assert demand.level is TlsLevel.NONE
        else:
            assert demand.level.strength == max(level.strength, route.strength)


BLOCKED = [
    (
        TlsLevel.MAY,
        {"dane_result": DaneResult(state=DaneState.FAILED, cause="SERVFAIL")},
        "could not be read: SERVFAIL",
    ),
    (TlsLevel.DANE_ONLY, {"dane_result": DaneResult(state=DaneState.ABSENT, cause="none")}, "no usable TLSA"),
    (TlsLevel.DANE_ONLY, {"dane_result": DaneResult(state=DaneState.UNUSABLE)}, "no usable TLSA"),
    (TlsLevel.DANE_ONLY, {}, "no usable TLSA"),
    (TlsLevel.DANE_ONLY, {"dane_result": USABLE}, ""),
    (TlsLevel.MTA_STS, {}, "no MTA-STS policy in mode enforce (mode absent)"),
    (TlsLevel.MTA_STS, {"sts_result": StsResult(mode=StsMode.TESTING)}, "(mode testing)"),
    (TlsLevel.MTA_STS, {"sts_result": StsResult(mode=StsMode.FAILED, cause="HTTP 500")}, "enforce: HTTP 500"),
    (TlsLevel.MTA_STS, {"sts_result": ENFORCE}, ""),
    (TlsLevel.MTA_STS, {"dane_result": USABLE}, ""),
    (TlsLevel.MTA_STS, {"proof": HostProof.CONFIGURED}, ""),
    (TlsLevel.MAY, {"sts_result": StsResult(mode=StsMode.ENFORCE, mx=("*.example.org",))}, "not among the hosts"),
    (TlsLevel.MAY, {"sts_result": StsResult(mode=StsMode.ENFORCE, mx=("*.example.com",))}, ""),
    (TlsLevel.MAY, {"sts_result": StsResult(mode=StsMode.TESTING, mx=("x.example",))}, ""),
    (TlsLevel.MAY, {"sts_result": StsResult(mode=StsMode.ENFORCE, mx=("x.example",)), "dane_result": USABLE}, ""),
    (TlsLevel.VERIFY, {}, "unsigned DNS"),
    (TlsLevel.VERIFY, {"proof": HostProof.DNSSEC}, ""),
    (TlsLevel.VERIFY, {"proof": HostProof.CONFIGURED}, ""),
    (TlsLevel.VERIFY, {"sts_result": ENFORCE}, ""),
    (TlsLevel.FINGERPRINT, {}, "pins-missing"),
    (TlsLevel.PRIVATE_CA, {}, "ca-file-missing"),
]


@pytest.mark.parametrize(("level", "facts", "cause"), BLOCKED)
def test_what_no_host_could_satisfy_is_known_before_connecting(level, facts, cause):
    demand = demand_for(PolicyTable((entry(level),)), **facts)
    assert cause in demand.blocked
    assert bool(demand.blocked) == bool(cause)


REQUIRED = [
    (TlsLevel.NONE, {"dane_result": USABLE}, False),
    (TlsLevel.MAY, {}, False),
    (TlsLevel.MAY, {"dane_result": USABLE}, True),
    (TlsLevel.MAY, {"dane_result": DaneResult(state=DaneState.UNUSABLE)}, True),
    (TlsLevel.MAY, {"dane_result": DaneResult(state=DaneState.ABSENT)}, False),
    (TlsLevel.MAY, {"sts_result": ENFORCE}, True),
    (TlsLevel.MAY, {"sts_result": StsResult(mode=StsMode.TESTING, mx=("mx.example.com",))}, False),
    (TlsLevel.ENCRYPT, {}, True),
]


@pytest.mark.parametrize(("level", "facts", "required"), REQUIRED)
def test_when_no_mail_may_leave_in_clear(level, facts, required):
    demand = demand_for(PolicyTable((entry(level),)), **facts)
    assert demand.tls_required is required
    assert judge(demand, Achieved(encrypted=False)).granted is not required


def test_the_server_name_sent_is_the_tlsa_base_domain_where_dane_is_in_force():
    assert demand_for(PolicyTable(), dane_result=USABLE).sni == "tlsa.example.com"
    assert demand_for(PolicyTable(), sts_result=ENFORCE).sni == "mx.example.com"


# --- the verdict -------------------------------------------------------------------------------------------------

VERDICTS = [
    (TlsLevel.NONE, {}, {"encrypted": False}, ""),
    (TlsLevel.MAY, {}, {"trusted": False, "names": ()}, ""),
    (TlsLevel.ENCRYPT, {}, {"encrypted": False}, "not encrypted"),
    (TlsLevel.ENCRYPT, {}, {"trusted": False}, ""),
    (TlsLevel.SECURE, {}, {}, ""),
    (TlsLevel.SECURE, {}, {"trusted": False}, "not verified"),
    (TlsLevel.SECURE, {}, {"names": ("example.com",)}, ""),
    (TlsLevel.SECURE, {}, {"names": ("*.example.com",)}, ""),
    (TlsLevel.SECURE, {}, {"names": ("notexample.com",)}, "name mismatch"),
    (TlsLevel.SECURE, {}, {"names": ("mx.example.org",)}, "name mismatch: it shows mx.example.org, expected example.com or .example.com"),
    (TlsLevel.SECURE, {}, {"names": ()}, "shows no DNS name"),
    (TlsLevel.SECURE, {"names": (".mail.example",)}, {"names": ("eu.mail.example",)}, ""),
    (TlsLevel.SECURE, {"names": (".mail.example",)}, {"names": ("mx.example.com",)}, "expected .mail.example"),
    (TlsLevel.FINGERPRINT, {"pins": (Pin(kind=PinKind.PUBLIC_KEY, digest=HEX),)}, {"trusted": False, "names": ()}, ""),
    (TlsLevel.FINGERPRINT, {"pins": (Pin(kind=PinKind.CERTIFICATE, digest="0" * 64), Pin(kind=PinKind.CERTIFICATE, digest=HEX))}, {}, ""),
    (TlsLevel.FINGERPRINT, {"pins": (Pin(kind=PinKind.PUBLIC_KEY, digest="0" * 64),)}, {}, "none of the 1 pinned"),
    (TlsLevel.PRIVATE_CA, {"ca_file": "x", "names": ("mx.example.com",)}, {}, ""),
    (TlsLevel.PRIVATE_CA, {"ca_file": "x"}, {"names": ("mx.example.org",)}, "name mismatch"),
]  # fmt: skip


@pytest.mark.parametrize(("level", "policy", "achieved", "cause"), VERDICTS)
def test_the_verdict_on_a_connection(level, policy, achieved, cause):
    demand = demand_for(PolicyTable((entry(level, **policy),)))
    facts = {name: getattr(GOOD, name) for name in Achieved.__slots__} | achieved
    verdict = judge(demand, Achieved(**facts))
    assert cause in verdict.cause
    assert verdict.granted is not bool(cause)


def test_an_explicit_level_is_not_weakened_by_tlsa_records_but_gains_them():
    demand = demand_for(PolicyTable((entry(TlsLevel.SECURE),)), dane_result=USABLE, proof=HostProof.DNSSEC)
    untrusted = Achieved(encrypted=True, trusted=False, names=("mx.example.com",))
    mismatched = Achieved(encrypted=True, trusted=True, names=("mx.example.com",), dane_fault="another key")
    assert not judge(demand, untrusted).granted
    assert not judge(demand, mismatched).granted
    assert judge(demand, GOOD).granted


def test_where_dane_binds_the_host_mta_sts_asks_for_nothing_more():
    demand = demand_for(PolicyTable(), dane_result=USABLE, sts_result=ENFORCE)
    assert not demand.needs_authority
    assert judge(demand, Achieved(encrypted=True, trusted=False)).granted


def test_mta_sts_in_force_demands_the_hosts_own_name_from_a_known_authority():
    demand = demand_for(PolicyTable(), sts_result=ENFORCE)
    assert judge(demand, GOOD).granted
    assert not judge(demand, Achieved(encrypted=True, trusted=True, names=("example.com",))).granted
    assert not judge(demand, Achieved(encrypted=True, trusted=False, names=("mx.example.com",))).granted


def test_a_reason_names_status_cause_domain_policy_and_origin():
    demand = demand_for(PolicyTable((entry(TlsLevel.ENCRYPT, customer="42"),)), customer="42")
    reason = explain_refusal(demand, judge(demand, Achieved(encrypted=False)))
    assert reason == "4.7.4 the connection is not encrypted, domain example.com, policy encrypt (customer 42)"


# --- pins and faults ---------------------------------------------------------------------------------------------

PINS = [
    (f"spki:{HEX}", Pin(kind=PinKind.PUBLIC_KEY, digest=HEX)),
    (f" CERT:{HEX.upper()} ", Pin(kind=PinKind.CERTIFICATE, digest=HEX)),
    ("cert:" + ":".join(HEX[i : i + 2] for i in range(0, 64, 2)), Pin(kind=PinKind.CERTIFICATE, digest=HEX)),
    (HEX, None),
    (f"spki:{HEX[:-1]}", None),
    (f"spki:{HEX[:-1]}g", None),
    (f"sha1:{HEX}", None),
]


@pytest.mark.parametrize(("text", "pin"), PINS)
def test_pins_are_read_from_text(text, pin):
    assert parse_pin(text) == pin
    if pin is not None:
        assert parse_pin(str(pin)) == pin


FAULTS = [
    (TlsPolicy(level=TlsLevel.SECURE, names=("mx.example.com", ".example.org")), 0),
    (TlsPolicy(level=TlsLevel.SECURE, names=("*.example.com", "a b")), 2),
    (TlsPolicy(level=TlsLevel.FINGERPRINT), 1),
    (TlsPolicy(level=TlsLevel.PRIVATE_CA), 1),
    (TlsPolicy(level=TlsLevel.MAY, pins=(Pin(kind=PinKind.PUBLIC_KEY, digest=HEX),), ca_file="x"), 2),
]


@pytest.mark.parametrize(("policy", "count"), FAULTS)
def test_a_policy_that_cannot_work_says_why(policy, count):
    assert len(find_faults(policy)) == count
