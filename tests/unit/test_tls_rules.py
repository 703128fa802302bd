"""TLS rules in a real database: who may demand what, what lowers, what is audited, and what is never guessed."""

import asyncio
import hashlib
import json
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.admin.customers import add_customer, remove_customer
from gateway.admin.edit import Changed
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.tls_rules import (
    TlsRule,
    accept_tls_rules,
    enforce_tls,
    list_domains,
    parse_rule_domain,
    withdraw_tls,
)
from gateway.mail_rules import MailRules, StoredStsCache
from store.engine.database import Database
from store.meta import read_meta
from tests.kit.admin_harness import NOW, AdminHarness
from tls.mtasts import CachedPolicy, StsPolicy
from tls.policy import (
    Pin,
    PinKind,
    PolicyEntry,
    PolicyFault,
    PolicyUnavailableError,
    StsMode,
    TlsLevel,
    TlsPolicy,
    TlsVersion,
)
from tls.selfsigned import make_self_signed

PIN = Pin(kind=PinKind.PUBLIC_KEY, digest="0f" * 32)


class TlsOffice(AdminHarness):
    """With the customer Example, the lines of an operator's file and a folder for authorities."""

    def __init__(self, url: str, folder, *operator: PolicyEntry) -> None:
        super().__init__(url)
        self.operator, self.folder = operator, folder / "authorities"
        self.do(add_customer, "Example")

    def enforce(self, *words, **more) -> Changed:
        return self.do(self.set_rule, *words, **more)

    def withdraw(self, customer: str, domain: str, **more) -> Changed:
        return self.do(withdraw_tls, customer, domain, self.operator, **more)

    def refuse_rule(self, *words, **more):
        return self.refuse(self.set_rule, *words, **more)

    def set_rule(self, edit, domain: str, level: TlsLevel, customer: str = "", *, lower: bool = False, **more):
        rule = TlsRule(customer=customer, domain=domain, level=level, **more)
        return enforce_tls(edit, rule, self.operator, lower=lower)

    def snapshot(self, **more) -> MailRules:
        return MailRules(self.database, self.operator, self.folder, **more)

    def level(self, domain: str, customer: str = "") -> str:
        return self.snapshot().read_now().find(domain, customer).policy.level.value


def line(level: TlsLevel, domain: str = "*") -> PolicyEntry:
    return PolicyEntry(policy=TlsPolicy(level=level), domain=domain)


@pytest.fixture
def office(database_url, tmp_path):
    made = TlsOffice(database_url, tmp_path)
    yield made
    made.database.close()


def test_a_rule_is_in_force_and_says_what_it_changes(office):
    done = office.enforce("example.com", TlsLevel.SECURE)
    assert done.facts == {
        "domain": "example.com",
        "customer": "",
        "before": "may (system)",
        "after": "secure (domain example.com)",
        "changes": True,
        "enforced": True,
    }
    assert office.level("example.com") == "secure"
    assert office.level("mx.example.com") == "may"


def test_lowering_is_refused_unless_it_is_asked_for_and_audited_as_such(office):
    office.enforce("example.com", TlsLevel.SECURE)
    place = {"domain": "example.com", "customer": ""}
    levels = {"before": "secure (domain example.com)", "after": "encrypt (domain example.com)"}
    assert office.refuse_rule("example.com", TlsLevel.ENCRYPT) == (FaultCode.TLS_LOWERED, place | levels)
    assert office.level("example.com") == "secure"
    office.enforce("example.com", TlsLevel.ENCRYPT, lower=True)
    assert office.level("example.com") == "encrypt"
    acts = [(row["action"], row["target"], row["before"], row["after"]) for row in office.audit()]
    assert acts[:2] == [
        ("tls.lower", "example.com", "secure (domain example.com)", "encrypt (domain example.com)"),
        ("tls.enforce", "example.com", "may (system)", "secure (domain example.com)"),
    ]


def test_taking_a_rule_away_lowers_too(office):
    office.enforce("", TlsLevel.ENCRYPT, "Example")
    code, facts = office.refuse(withdraw_tls, "Example", "", office.operator)
    assert (code, facts["domain"], facts["customer"]) == (FaultCode.TLS_LOWERED, "", "Example")
    office.withdraw("Example", "", lower=True)
    assert office.level("example.org", "Example") == "may"
    gone = office.refuse(withdraw_tls, "Example", "", office.operator, lower=True)
    assert gone == (FaultCode.NO_TLS_RULE, {"domain": "", "customer": "Example"})


def test_an_exception_below_the_default_is_a_lowering(office):
    office.enforce("", TlsLevel.ENCRYPT)
    for domain in ("example.com", ".example.com"):
        code, facts = office.refuse_rule(domain, TlsLevel.MAY)
        assert (code, facts["domain"]) == (FaultCode.TLS_LOWERED, domain)


def test_a_line_that_something_stronger_hides_is_not_weakened_in_passing(office):
    office.enforce("", TlsLevel.VERIFY, "Example")
    office.enforce("", TlsLevel.SECURE)
    assert office.refuse_rule("", TlsLevel.MAY, "Example")[0] is FaultCode.TLS_LOWERED


def test_an_older_protocol_version_at_the_same_level_is_a_lowering(office):
    office.enforce("example.com", TlsLevel.ENCRYPT)
    code, _ = office.refuse_rule("example.com", TlsLevel.ENCRYPT, minimum_version=TlsVersion.TLS_1_0)
    assert code is FaultCode.TLS_LOWERED


def test_a_customer_can_raise_but_not_lower_the_system(office):
    office.enforce("example.com", TlsLevel.SECURE)
    facts = office.enforce("example.com", TlsLevel.MAY, "example").facts
    assert (facts["customer"], facts["changes"], facts["after"]) == ("Example", False, "secure (domain example.com)")
    office.enforce("", TlsLevel.ENCRYPT, "Example")
    assert office.level("example.org", "Example") == "encrypt"
    assert office.level("example.org") == "may"
    assert office.level("example.com", "Example") == "secure"


def test_the_operators_file_is_lowered_in_the_file_only(database_url, tmp_path):
    office = TlsOffice(database_url, tmp_path, line(TlsLevel.VERIFY, "example.com"), line(TlsLevel.ENCRYPT))
    for domain, level, demanded in (("example.com", TlsLevel.ENCRYPT, "verify"), ("", TlsLevel.MAY, "encrypt")):
        refused = office.refuse_rule(domain, level, lower=True)
        facts = {"level": demanded, "domain": domain, "customer": ""}
        assert refused == (FaultCode.TLS_BELOW_OPERATOR, facts)
    office.enforce("example.com", TlsLevel.SECURE)
    assert office.level("example.com") == "secure"
    assert office.level("example.org") == "encrypt"
    office.database.close()


@pytest.mark.parametrize(
    ("level", "more", "fault", "name"),
    [
        (TlsLevel.FINGERPRINT, {}, PolicyFault.PINS_MISSING, ""),
        (TlsLevel.PRIVATE_CA, {}, PolicyFault.CA_FILE_MISSING, ""),
        (TlsLevel.ENCRYPT, {"pins": (PIN,)}, PolicyFault.PINS_OF_ANOTHER_LEVEL, ""),
        (TlsLevel.SECURE, {"names": ("mx.example.com", "a b")}, PolicyFault.BAD_HOST_NAME, "a b"),
        (TlsLevel.NONE, {"require_tls": True}, PolicyFault.REQUIRETLS_WITHOUT_TLS, ""),
    ],
)
def test_a_rule_that_could_never_be_met_is_refused(office, level, more, fault, name):
    code, facts = office.refuse_rule("example.com", level, **more)
    assert code is FaultCode.TLS_RULE_UNUSABLE
    assert facts == {"fault": fault, "level": level, "name": name}


def test_requiretls_is_enforced_and_taken_away_only_by_an_act_of_its_own(office):
    changed = office.enforce("example.com", TlsLevel.MAY, require_tls=True)
    assert changed.facts["after"] == "may + REQUIRETLS (domain example.com)"
    assert changed.facts["enforced"] is True
    code, facts = office.refuse_rule("example.com", TlsLevel.MAY)
    assert (code, facts["before"]) == (FaultCode.TLS_LOWERED, "may + REQUIRETLS (domain example.com)")
    office.enforce("example.com", TlsLevel.SECURE, "Example")
    assert office.snapshot().read_now().find("example.com", "Example").policy.require_tls
    office.enforce("example.com", TlsLevel.MAY, lower=True)
    assert not office.snapshot().read_now().find("example.com", "Example").policy.require_tls


def test_what_the_operators_file_requires_stays_where_a_command_demands_a_stronger_level(database_url, tmp_path):
    required = PolicyEntry(policy=TlsPolicy(level=TlsLevel.ENCRYPT, require_tls=True), domain="example.com")
    office = TlsOffice(database_url, tmp_path, required)
    office.enforce("example.com", TlsLevel.SECURE)
    assert office.snapshot().read_now().find("example.com").policy.label == "secure + REQUIRETLS"
    office.database.close()


def test_rules_that_were_sealed_before_requiretls_was_known_are_still_whole(office):
    office.enforce("example.com", TlsLevel.SECURE, names=("mx.example.com",))
    columns = "customer, domain, level, names, pins, authorities, minimum_version, set_at, set_by"
    rows = office.database.read_now(lambda tx: tx.rows(f"SELECT {columns} FROM tls_rule"))
    seal = hashlib.sha256(json.dumps([list(row) for row in rows]).encode()).hexdigest()
    stored = office.database.read_now(lambda tx: read_meta(tx, "tls_rules_seal"))
    assert stored == seal


def test_a_rule_for_nobody_is_refused(office):
    refused = office.refuse_rule("example.com", TlsLevel.VERIFY, "Nobody")
    assert refused == (FaultCode.NO_CUSTOMER, {"name": "Nobody"})


def test_a_rule_outlives_its_customer_for_mail_that_waits(office):
    office.enforce("example.com", TlsLevel.SECURE, "Example")
    office.do(remove_customer, "Example")
    assert office.level("example.com", "Example") == "secure"
    office.withdraw("Example", "example.com", lower=True)
    assert office.level("example.com", "Example") == "may"


def test_pins_names_and_authorities_come_back_as_they_were_set(office):
    pem = make_self_signed("ca.example.com").certificate.decode()
    office.enforce("a.example.com", TlsLevel.FINGERPRINT, pins=(PIN,))
    office.enforce("b.example.com", TlsLevel.SECURE, names=("mx.example.net", ".example.org"))
    office.enforce("c.example.com", TlsLevel.PRIVATE_CA, authorities=pem)
    table = office.snapshot().read_now()
    assert table.find("a.example.com").policy.pins == (PIN,)
    assert table.find("b.example.com").policy.names == ("mx.example.net", ".example.org")
    private = Path(table.find("c.example.com").policy.ca_file)
    assert private.read_text() == pem
    private.write_text("spoilt")
    office.snapshot().read_now()
    assert private.read_text() == pem


SPOILT = {
    "a rule is gone": "DELETE FROM tls_rule WHERE domain = 'example.com'",
    "all rules are gone": "DELETE FROM tls_rule",
    "a rule is weaker": "UPDATE tls_rule SET level = 'may'",
    "a level is unknown": "UPDATE tls_rule SET level = 'strong'",
    "the seal is gone": "DELETE FROM meta WHERE name = 'tls_rules_seal'",
    "the table is gone": "DROP TABLE tls_rule",
}


@pytest.mark.parametrize("how", SPOILT)
async def test_36_rules_lost_or_damaged_while_mail_is_queued_make_it_wait(new_database_url, tmp_path, how):
    office = TlsOffice(new_database_url, tmp_path)
    office.enforce("example.com", TlsLevel.SECURE)
    office.enforce("", TlsLevel.ENCRYPT, "Example")
    office.execute(SPOILT[how])
    told: list[str] = []
    rules = office.snapshot(damaged=told.append)
    await rules.refresh()
    await rules.refresh()
    with pytest.raises(PolicyUnavailableError):
        rules.policies()
    assert len(told) == 1
    office.database.close()


async def test_damaged_rules_are_taken_only_by_an_audited_act_and_never_sealed_in_passing(office):
    office.enforce("example.com", TlsLevel.SECURE)
    rules = office.snapshot()
    office.execute("DELETE FROM tls_rule")
    assert office.refuse_rule("example.net", TlsLevel.VERIFY)[0] is FaultCode.TLS_RULES_DAMAGED
    assert office.refuse(withdraw_tls, "", "example.com", office.operator)[0] is FaultCode.TLS_RULES_DAMAGED
    with pytest.raises(AdminFault) as caught:
        office.look(list_domains, "", office.operator, NOW)
    assert caught.value.code is FaultCode.TLS_RULES_DAMAGED
    assert office.do(accept_tls_rules).facts == {"rules": 0}
    await rules.refresh()
    assert rules.policies().find("example.com").policy.level is TlsLevel.MAY
    assert office.refuse(accept_tls_rules) == (FaultCode.TLS_RULES_INTACT, {})


def test_a_rule_that_cannot_be_understood_is_named_and_never_taken_as_it_stands(office):
    office.enforce("example.com", TlsLevel.SECURE)
    office.execute("UPDATE tls_rule SET level = 'strong'")
    assert office.refuse(accept_tls_rules) == (FaultCode.TLS_RULES_LOST, {"domain": "example.com"})


async def test_nobody_is_told_a_policy_before_the_rules_were_read(office):
    with pytest.raises(PolicyUnavailableError):
        office.snapshot().policies()


async def test_a_rule_that_another_process_raised_acts_after_the_next_refresh(office):
    rules = office.snapshot()
    await rules.refresh()
    office.enforce("example.com", TlsLevel.SECURE)
    assert rules.policies().find("example.com").policy.level is TlsLevel.MAY
    await rules.refresh()
    assert rules.policies().find("example.com").policy.level is TlsLevel.SECURE


async def test_one_read_serves_all_who_ask_before_it_begins(office, monkeypatch):
    rules = office.snapshot()
    reads = 0
    read = office.database.read

    async def counted(query):
        nonlocal reads
        reads += 1
        return await read(query)

    monkeypatch.setattr(office.database, "read", counted)
    await asyncio.gather(*(rules.refresh() for _ in range(50)))
    assert reads <= 2
    await rules.refresh()
    assert reads <= 3


async def test_an_mta_sts_policy_is_remembered_over_a_restart(database_url):
    first = Database(database_url)
    first.open()
    policy = StsPolicy(mode=StsMode.ENFORCE, mx=("mx.example.com", "*.example.net"), max_age=timedelta(days=7))
    kept = CachedPolicy(policy=policy, policy_id="20261123", fetched_at=NOW)
    await StoredStsCache(first).put("example.com", CachedPolicy(policy=policy, policy_id="1", fetched_at=NOW))
    await StoredStsCache(first).put("example.com", kept)
    first.close()
    second = Database(database_url)
    second.open()
    assert await StoredStsCache(second).get("example.com") == kept
    assert await StoredStsCache(second).get("example.org") is None
    second.close()


async def test_an_mta_sts_policy_long_over_is_forgotten(database_url):
    database = Database(database_url)
    database.open()
    cache = StoredStsCache(database)
    policy = StsPolicy(mode=StsMode.ENFORCE, mx=("mx.example.com",), max_age=timedelta(days=7))
    await cache.put("old.example.com", CachedPolicy(policy=policy, policy_id="1", fetched_at=NOW - timedelta(days=68)))
    await cache.put(
        "young.example.com", CachedPolicy(policy=policy, policy_id="1", fetched_at=NOW - timedelta(days=60))
    )
    await cache.put("new.example.com", CachedPolicy(policy=policy, policy_id="1", fetched_at=NOW))
    assert await cache.get("old.example.com") is None
    assert await cache.get("young.example.com") is not None
    database.close()


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("Example.COM.", "example.com"),
        (".example.com", ".example.com"),
        ("*", ""),
        ("bücher.example", "xn--bcher-kva.example"),
        ("localhost", None),
        ("", None),
        ("a b.example", None),
        ("*.example.com", None),
    ],
)
def test_a_domain_is_named_as_rules_name_it(text, domain):
    assert parse_rule_domain(text) == domain
