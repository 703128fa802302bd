"""Sender domains: whose they are, how a claim is proved by DNS, and who can send for them."""

import asyncio
from collections.abc import Iterator

import pytest

from addressbook.exchange import FileFormat, read_user_file
from addressbook.people import Customer, Directory, User
from addressbook.senders import Principal, Sender, choose_sender
from cli.words import done_sentence, fault_sentence
from gateway.admin import customers, domains, user_import, users, views
from gateway.admin.edit import Changed
from gateway.admin.faults import AdminFault, FaultCode
from sms.outcome import Refusal, Refused
from tests.kit.admin_harness import AdminHarness
from tests.kit.resolver import TableResolver
from tls.resolver import DnsAnswer

HIDDEN = "_mail2sms.example.org"


@pytest.fixture
def office(database_url: str) -> Iterator[AdminHarness]:
    made = AdminHarness(database_url)
    for name in ("Example", "Other"):
        made.do(customers.add_customer, name)
    yield made
    made.close()


def ask(resolver: TableResolver, name: str = HIDDEN) -> DnsAnswer[str]:
    return asyncio.run(resolver.txt(name))


def published(*claims: Changed) -> TableResolver:
    return TableResolver(
        texts={str(claim.facts["record"]): ["v=spf1 -all", str(claim.facts["value"])] for claim in claims}
    )


def sends(office: AdminHarness, customer: str, address: str) -> bool:
    directory, _ = office.load()
    owner = directory.customer_named(customer)
    assert owner is not None
    return isinstance(choose_sender(directory, Principal(customer_id=owner.key), address), Sender)


def test_a_claimed_domain_is_the_customers_once_dns_shows_its_record(office: AdminHarness) -> None:
    claim = office.do(domains.claim_domain, "example", "Example.ORG.")
    assert claim.facts["record"] == HIDDEN
    assert f'\n{HIDDEN}. IN TXT "{claim.facts["value"]}"\n' in done_sentence(claim)
    assert str(claim.facts["value"]).startswith("mail2sms-verify=")
    assert office.look(views.show_customer, "Example")["claimed_domains"] == [
        f"example.org ({HIDDEN} TXT {claim.facts['value']})"
    ]
    assert office.load()[0].customer_of_domain("example.org") is None
    done = office.do(domains.verify_domain, "Example", "example.org", ask(published(claim)))
    assert done_sentence(done) == "The domain example.org now belongs to «Example»."
    shown = office.look(views.show_customer, "Example")
    assert (shown["domains"], shown["claimed_domains"]) == (["example.org"], [])


def test_a_claim_said_again_has_the_same_record_and_is_audited_once(office: AdminHarness) -> None:
    first = office.do(domains.claim_domain, "Example", "example.org")
    audited = office.audit()
    assert office.do(domains.claim_domain, "Example", "EXAMPLE.org").facts == first.facts
    assert office.audit() == audited


def test_two_may_claim_a_domain_and_the_first_proof_wins(office: AdminHarness) -> None:
    one, other = (office.do(domains.claim_domain, name, "example.org") for name in ("Example", "Other"))
    assert one.facts["value"] != other.facts["value"]
    found = ask(published(other))
    code, facts = office.refuse(domains.verify_domain, "Example", "example.org", found)
    assert (code, facts["found"]) == (FaultCode.NOT_PROVED, ("v=spf1 -all", other.facts["value"]))
    office.do(domains.verify_domain, "Other", "example.org", found)
    taken = FaultCode.DOMAIN_TAKEN, {"domain": "example.org", "owner": "Other"}
    assert office.refuse(domains.verify_domain, "Example", "example.org", ask(published(one))) == taken
    assert office.refuse(domains.claim_domain, "Example", "example.org") == taken


@pytest.mark.parametrize(
    ("resolver", "code", "said"),
    [
        (TableResolver(), FaultCode.NOT_PROVED, "has no TXT record «mail2sms-verify="),
        (TableResolver(texts={HIDDEN: ["mail2sms-verify="]}), FaultCode.NOT_PROVED, "but «mail2sms-verify=»."),
        (TableResolver(texts={HIDDEN: []}), FaultCode.NOT_PROVED, "and no other."),
        (
            TableResolver(failing=frozenset({HIDDEN})),
            FaultCode.PROOF_UNKNOWN,
            f"not known: name servers failed for {HIDDEN}. Nothing was changed; try again later.",
        ),
    ],
)
def test_a_missing_record_and_silent_name_servers_are_told_apart(
    office: AdminHarness, resolver: TableResolver, code: FaultCode, said: str
) -> None:
    office.do(domains.claim_domain, "Example", "example.org")
    refused, facts = office.refuse(domains.verify_domain, "Example", "example.org", ask(resolver))
    assert refused is code
    assert said in fault_sentence(AdminFault(code, **facts))


def test_an_alias_proves_nothing_for_whoever_it_names_could_answer(office: AdminHarness) -> None:
    claim = office.do(domains.claim_domain, "Example", "example.org")
    answer = ask(published(claim))
    aliased = DnsAnswer(lookup=answer.lookup, values=answer.values, name="shops.example.net")
    code, facts = office.refuse(domains.verify_domain, "Example", "example.org", aliased)
    assert (code, facts["alias"]) == (FaultCode.PROOF_BY_ALIAS, "shops.example.net")


def test_only_what_was_claimed_is_verified_and_a_claim_of_no_domain_is_refused(office: AdminHarness) -> None:
    unclaimed = FaultCode.NO_CLAIM, {"customer": "Example", "domain": "example.org"}
    assert office.refuse(domains.verify_domain, "Example", "example.org", ask(TableResolver())) == unclaimed
    for given in ("com", "exa mple.org", ""):
        assert office.refuse(domains.claim_domain, "Example", given) == (FaultCode.BAD_DOMAIN, {"domain": given})


def test_the_claim_of_a_public_suffix_takes_nothing_from_anybody(office: AdminHarness) -> None:
    office.do(domains.add_domain, "Other", "example.co.uk")
    claim = office.do(domains.claim_domain, "Example", "co.uk")
    assert sends(office, "Other", "x@example.co.uk")
    office.do(domains.verify_domain, "Example", "co.uk", ask(published(claim), "_mail2sms.co.uk"))
    assert sends(office, "Other", "x@mail.example.co.uk")
    assert not sends(office, "Example", "x@example.co.uk")


def test_who_proves_a_domain_below_anothers_has_it_unless_users_are_there(office: AdminHarness) -> None:
    office.do(domains.add_domain, "Other", "example.org")
    office.do(users.add_user, "Other", "x@lab.example.org")
    claim = office.do(domains.claim_domain, "Example", "lab.example.org")
    answer = ask(published(claim), "_mail2sms.lab.example.org")
    strangers = FaultCode.DOMAIN_HAS_STRANGERS, {"domain": "lab.example.org", "users": 1}
    assert office.refuse(domains.verify_domain, "Example", "lab.example.org", answer) == strangers
    office.do(users.remove_user, "x@lab.example.org")
    office.do(domains.verify_domain, "Example", "lab.example.org", answer)
    assert sends(office, "Example", "x@lab.example.org")
    assert not sends(office, "Other", "x@lab.example.org")
    assert sends(office, "Other", "x@example.org")


def test_a_proof_stands_above_users_that_others_put_into_the_domain(office: AdminHarness) -> None:
    office.do(users.add_user, "Other", "chief@example.org")
    office.do(users.add_user, "Other", "x@mail.example.org")
    claim = office.do(domains.claim_domain, "Example", "example.org")
    done = office.do(domains.verify_domain, "Example", "example.org", ask(published(claim)))
    assert done.facts["strangers"] == 2
    assert done_sentence(done).endswith("2 users of other customers in it can send no longer: remove them.")
    assert not sends(office, "Other", "chief@example.org")
    assert not sends(office, "Other", "x@mail.example.org")


def test_the_operator_gives_no_domain_away_that_has_users_of_somebody_else(office: AdminHarness) -> None:
    office.do(users.add_user, "Example", "x@example.org")
    office.do(users.add_user, "Example", "y@mail.example.org")
    office.do(users.add_user, "Example", "z@example_org.net")
    facts = {"domain": "example.org", "users": 2}
    assert office.refuse(domains.add_domain, "Other", "example.org") == (FaultCode.DOMAIN_HAS_STRANGERS, facts)
    office.do(domains.add_domain, "Example", "mail.example.org")
    facts = {"domain": "example.org", "users": 1}
    assert office.refuse(domains.add_domain, "Other", "example.org") == (FaultCode.DOMAIN_HAS_STRANGERS, facts)


def test_the_first_domain_says_how_many_users_it_stops(office: AdminHarness) -> None:
    for address in ("a@example.org", "b@mail.example.org", "c@example.net"):
        office.do(users.add_user, "Example", address)
    done = office.do(domains.add_domain, "Example", "example.org")
    assert done_sentence(done) == (
        "The domain example.org now belongs to «Example»."
        " 1 user of «Example» outside of its domains can send no longer: add theirs too."
    )
    assert [sends(office, "Example", f"{user}") for user in ("a@example.org", "b@mail.example.org")] == [True, True]
    assert not sends(office, "Example", "c@example.net")
    assert office.do(domains.add_domain, "Example", "example.net").facts["outside"] == 0
    assert sends(office, "Example", "c@example.net")


def test_a_customer_with_domains_gets_no_users_elsewhere(office: AdminHarness) -> None:
    office.do(domains.add_domain, "Example", "example.org")
    code, facts = office.refuse(users.add_user, "Example", "a@example.net")
    assert fault_sentence(AdminFault(code, **facts)) == (
        "a@example.net is outside the domains of «Example» (example.org), so that nothing could be sent from it;"
        " «customer add-domain» or «customer claim-domain» adds its domain."
    )
    office.do(users.add_user, "Other", "b@example.net")
    office.do(domains.add_domain, "Other", "example.net")
    book = read_user_file(b"e-mail\na@example.com\nb@example.net\nc@x.example.org\n", FileFormat(), "book")
    plan = office.look(lambda tx: user_import.preview_import(tx, "Example", book))
    assert [(fault.place, fault.code.value) for fault in plan.faults] == [
        (2, "outside-domains"),
        (3, "foreign-address"),
    ]
    assert [item.after.address for item in plan.users] == ["c@x.example.org"]


FREE = Customer(key=1, name="Free")
OWNER = Customer(key=2, name="Owner", domains=("example.com",))
PEOPLE = Directory(
    customers=[FREE, OWNER, Customer(key=3, name="Gone", active=False)],
    users=[
        User(key=1, customer_id=1, address="anna@example.net"),
        User(key=2, customer_id=1, address="squatter@example.com"),
        User(key=3, customer_id=2, address="bob@example.com"),
        User(key=4, customer_id=2, address="bob@example.net"),
        User(key=5, customer_id=1, address="off@example.net", active=False),
        User(key=6, customer_id=1, address="lost@example.net", missing=True),
    ],
)


@pytest.mark.parametrize(
    ("principal", "address", "why"),
    [
        (Principal(customer_id=1), "anna@example.net", ""),
        (Principal(customer_id=1), "anybody@example.net", ""),
        (Principal(customer_id=1), "squatter@example.com", "another customer's"),
        (Principal(customer_id=1), "x@sub.example.com", "another customer's"),
        (Principal(customer_id=1), "bob@example.net", "user of another customer"),
        (Principal(customer_id=1), "off@example.net", "not active"),
        (Principal(customer_id=1), "lost@example.net", "not active"),
        (Principal(customer_id=1, user_id=1), "anna@example.net", ""),
        (Principal(customer_id=1, user_id=1), "anybody@example.net", "own user only"),
        (Principal(customer_id=1, user_id=1), "off@example.net", "own user only"),
        (Principal(customer_id=2), "bob@example.com", ""),
        (Principal(customer_id=2), "anybody@sub.example.com", ""),
        (Principal(customer_id=2), "bob@example.net", "none of the authenticated customer's"),
        (Principal(customer_id=2, user_id=4), "bob@example.net", "none of the authenticated customer's"),
        (Principal(customer_id=2), "anna@example.net", "user of another customer"),
        (Principal(customer_id=2), "x@example.org", "none of the authenticated customer's"),
        (Principal(customer_id=2), "x@badexample.com", "none of the authenticated customer's"),
        (Principal(customer_id=3), "x@example.org", "not active"),
    ],
)
def test_a_customer_sends_for_its_domains_or_for_free_ones_if_it_has_none(
    principal: Principal, address: str, why: str
) -> None:
    chosen = choose_sender(PEOPLE, principal, address)
    if not why:
        assert isinstance(chosen, Sender)
        return
    assert isinstance(chosen, Refused)
    assert chosen.refusal is Refusal.SENDER_NOT_AUTHORISED
    assert why in chosen.detail


def test_a_customers_administrator_is_set_shown_and_taken_away(office: AdminHarness) -> None:
    done = office.do(customers.set_admin_address, "Example", " IT@Example.ORG")
    assert done_sentence(done) == "What concerns «Example» is told it@example.org."
    assert office.look(views.show_customer, "Example")["admin_address"] == "it@example.org"
    directory, _ = office.load()
    assert [item.admin_address for item in directory.customers()] == ["it@example.org", ""]
    assert office.refuse(customers.set_admin_address, "Example", "it") == (FaultCode.BAD_ADDRESS, {"address": "it"})
    assert (
        done_sentence(office.do(customers.set_admin_address, "Example"))
        == "What concerns «Example» is told the operator."
    )
