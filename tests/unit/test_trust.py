"""Whose a session is and of which service its mails are: ranges, TLS only, proofs that a customer takes, listeners."""

from dataclasses import replace
from itertools import count

import pytest

from addressbook.proof import Proof, ProofKind
from addressbook.senders import Principal
from mta.identify import ListenerTerms
from mta.smtp.server.hooks import MailEnvelope
from sms.message import Origin
from tests.kit.installation import mail
from tests.kit.testbed import ANNA, administer, open_core
from tests.unit.test_handler import THEIRS, converse, handler, session

SAP_USER = "wf-batch@acme.example.com"
_COUNT = count()


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


def say(core, *lines: str) -> None:
    for line in lines:
        administer(core.folder, line)
    core.book.load_now()


async def in_tls(core, **more):
    made = await session(core, **more)
    made.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384"
    return made


async def test_mail_of_a_tls_only_customer_is_refused_in_clear_whatever_proves_it_and_taken_under_tls(core):
    say(core, "customer tls-required acme on")
    for clear in (await session(core), await session(core, peer=THEIRS, customer="acme")):
        assert await converse(handler(core), clear) == "530 5.7.0 Must issue a STARTTLS command first"
    assert (await converse(handler(core), await in_tls(core))).startswith("250")
    assert (await converse(handler(core), await in_tls(core, peer=THEIRS, customer="acme"))).startswith("250")
    say(core, "customer tls-required acme off")
    assert (await converse(handler(core), await session(core))).startswith("250")


async def test_mail_from_a_tls_only_range_is_refused_in_clear_whoever_logs_in_there(core):
    say(core, "customer add-range acme 203.0.113.0/24 --shared --tls-required")
    clear = await session(core, peer=THEIRS, customer="rival")
    assert (await converse(handler(core), clear, sender="x@rival.example.com"))[:9] == "530 5.7.0"
    safe = await in_tls(core, peer=THEIRS, customer="rival")
    assert (await converse(handler(core), safe, sender="x@rival.example.com")).startswith("250")


async def test_a_shared_range_alone_proves_nobody(core):
    say(core, "customer set-range acme 192.0.2.0/24 --shared")
    assert (await converse(handler(core), await session(core)))[:3] == "530"
    say(core, "customer set-range acme 192.0.2.0/24 --not-shared")
    assert (await converse(handler(core), await session(core)))[:3] == "250"


async def test_a_customer_that_takes_logins_only_is_not_proven_by_its_range(core):
    say(core, "customer proof acme login")
    assert (await converse(handler(core), await session(core)))[:3] == "530"
    say(core, "customer proof acme certificate dkim")
    door = handler(core)
    assert door.principal(await session(core)) is None
    say(core, "customer proof acme")
    assert principal(door, await session(core)).proof == Proof(kind=ProofKind.RANGE, evidence="192.0.2.0/24")


def principal(door, who) -> Principal:
    found = door.principal(who)
    assert isinstance(found, Principal)
    return found


async def of_service(core, door, **more):
    """Return of which service a mail of SAP's is that was taken, and what named it."""
    who = await session(core, **more)
    raw = b"X-Mailer: SAP NetWeaver 7.50\r\n" + mail(f"Alarm {next(_COUNT)}", sender=SAP_USER, to=("+447700900101",))
    reply = await converse(door, who, raw, sender=SAP_USER)
    assert reply.startswith("250"), reply
    job = core.jobs()[-1]
    return job.service, job.service_by


async def test_a_mail_that_nothing_names_a_service_for_says_it_itself(core):
    assert await of_service(core, handler(core)) == ("sap", "X-Mailer of the mail")


async def test_the_listener_names_the_service_before_login_and_range_and_these_before_the_mail(core):
    say(core, "customer set-range acme 192.0.2.0/24 --service mail")
    assert await of_service(core, handler(core)) == ("mail", "address range 192.0.2.0/24")
    assert await of_service(core, handler(core), customer="acme") == ("mail", "address range 192.0.2.0/24")
    sap = ListenerTerms(name="erp", service=Origin.SAP)
    assert await of_service(core, handler(core, terms=sap)) == ("sap", "listener erp")


async def test_a_range_of_another_customer_names_nothing_for_a_login(core):
    say(core, "customer set-range acme 192.0.2.0/24 --service sap")
    who = await session(core, customer="rival")
    assert principal(handler(core), who).service is None


async def test_a_recipient_is_judged_by_the_named_service_alone(core):
    # acme's SAP mails may be addressed PAGER=…, its people's may not.
    assert (await reply_to_recipient(handler(core), await session(core)))[:3] == "250"
    people = ListenerTerms(name="people", service=Origin.MAIL)
    assert (await reply_to_recipient(handler(core, terms=people), await session(core)))[:3] == "550"


async def reply_to_recipient(door, who):
    envelope = MailEnvelope()
    await door.handle_MAIL(None, who, envelope, ANNA, [])
    return await door.handle_RCPT(None, who, envelope, "PAGER=+447700900101@sms.example.net", [])


async def test_who_is_no_user_gets_the_profile_of_the_range_and_a_user_its_own(core):
    say(core, "profile add erp --customer acme", "customer set-range acme 192.0.2.0/24 --profile erp")
    found = principal(handler(core), await session(core))
    book = core.book.current
    assert book.choose_sender(found, SAP_USER).profile.name == "erp"
    assert book.choose_sender(found, ANNA).profile.name == "ops"
    assert book.choose_sender(replace(found, profile_id=None), SAP_USER).profile.name == "ops"
