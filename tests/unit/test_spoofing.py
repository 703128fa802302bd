"""Who is proven by the domain of From, and who is not: each forged mail through the real server, with real DNS.

Nothing of what is refused is sent, and none of it is answered by mail.
"""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cli.traces import trace_lines
from gateway.admin.jobs import list_jobs
from store.views import load_trace
from tests.kit import proving_site
from tests.kit.proving_site import DOMAIN, KEY, signed, written
from tests.kit.signed_mail import dkim_signed, key_record, rsa_key
from tests.kit.smtp_door import client_of
from tests.kit.testbed import ANNA, administer, open_core
from tests.unit.test_handler import handler


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


def site_of(core):
    return proving_site.site_of(core, handler)


async def test_a_mail_signed_by_the_domain_of_its_author_is_sent_and_says_why(core):
    async with site_of(core) as site:
        assert (await site.send(signed())).endswith(" kept")
    (job,) = core.jobs()
    evidence = f"d={DOMAIN} s=s1 a=rsa-sha256"
    assert (job.customer, job.proof, job.evidence) == ("acme", "dkim", evidence)
    trace = core.database.read_now(lambda tx: load_trace(tx, job.key))
    assert f"  proven by dkim: {evidence}" in trace_lines(trace)
    for proof, found in (("dkim", ["dkim"]), ("login", [])):
        assert [row["proof"] for row in core.database.read_now(partial(list_jobs, proof=proof))] == found


@pytest.mark.parametrize("forms", ["simple/simple", "relaxed/simple", "simple/relaxed", "relaxed/relaxed", "relaxed"])
async def test_a_signature_counts_in_each_canonical_form(forms, core):
    async with site_of(core) as site:
        raw = written("Hello  \t world \r\n\r\n\r\n", subject="A  folded\r\n subject")
        forms = {"relaxed": "relaxed/simple"}.get(forms, forms)
        assert (await site.send(signed(raw, forms=forms))).endswith(" kept")


async def test_a_signature_by_ed25519_counts(core):
    key = Ed25519PrivateKey.generate()
    async with site_of(core) as site:
        site.names.add_text(f"ed._domainkey.{DOMAIN}", key_record(key))
        assert (await site.send(signed(key=key, selector="ed"))).endswith(" kept")


async def test_the_same_from_by_an_unproven_host_is_refused(core):
    async with site_of(core) as site:
        await site.refuse(written(), "DKIM: the mail is not signed. SPF: it says none")


async def test_the_same_from_by_a_proven_host_of_another_customer_is_refused(core):
    administer(core.folder, "customer add thief --domain thief.example.com --address-range 127.0.0.0/8")
    async with site_of(core) as site:
        await site.core.book.refresh()
        await site.refuse(signed(), "of another customer")
        await site.refuse(written(), "of another customer", sender="x@thief.example.com")


@pytest.mark.parametrize(
    "domain", ["mail.acme.example.com", "example.com", "acme.example.com.evil.example", "evil.example"]
)
async def test_a_signature_of_another_domain_even_one_below_or_above_proves_nobody(domain, core):
    async with site_of(core) as site:
        site.names.add_text(f"s1._domainkey.{domain}", key_record(KEY))
        await site.refuse(signed(domain=domain), f"no signature is of {DOMAIN}, only of {domain}")


async def test_only_the_very_domain_of_the_author_proves_one_below_it(core):
    author = "anna@mail.acme.example.com"
    async with site_of(core) as site:
        raw = written(author=author)
        await site.refuse(signed(raw), "only of acme.example.com", sender=author)
        site.names.add_text(f"s1._domainkey.mail.{DOMAIN}", key_record(KEY))
        assert (await site.send(signed(raw, domain=f"mail.{DOMAIN}"), sender=author)).endswith(" kept")


FORGED_FROM = {
    "two fields": f"evil@evil.example\r\nFrom: {ANNA}",
    "two fields, the other first": f"{ANNA}\r\nFrom: evil@evil.example",
    "two fields, one with a blank before the colon": f"evil@evil.example\r\nFrom : {ANNA}",
    "two addresses": f"{ANNA}, evil@evil.example",
    "two addresses in angles": f"<{ANNA}> <evil@evil.example>",
    "an address as display name": f'"{ANNA}" <evil@evil.example>',
    "an address before another": f"{ANNA} <evil@evil.example>",
    "a group": f"staff: {ANNA};",
    "nobody in a group": "staff:;",
    "no address": "Anna",
    "a comment": f"evil@evil.example ({ANNA})",
    "an encoded word": "=?utf-8?q?anna=40acme=2Eexample=2Ecom?= <evil@evil.example>",
    "a Cyrillic letter": "anna@аcme.example.com",
    "full-width letters of another domain": "anna@ａcmе.example.com",
    "a domain that goes on": "anna@acme.example.com.evil.example",
    "a NUL of quoted text": '"anna@acme.example.com\\"@evil.example" <x@evil.example>',
}


@pytest.mark.parametrize("author", FORGED_FROM.values(), ids=FORGED_FROM)
async def test_a_from_that_is_not_exactly_one_address_of_the_signer_is_refused(author, core):
    async with site_of(core) as site:
        await site.refuse(signed(written(author=author)))


async def test_a_from_added_to_a_signed_mail_is_refused(core):
    async with site_of(core) as site:
        await site.refuse(b"From: Boss <boss@acme.example.com>\r\n" + signed(), "more than one From")
        raw = signed().replace(b"From: ", b"X-From: ")
        await site.refuse(b"From: boss@acme.example.com\r\n" + raw, "header was changed")


WEAK = {
    "l= leaves the end open": ({"l": "5", "body": b"Hello"}, "l="),
    "expired": ({"t": str(int(time.time()) - 60), "x": str(int(time.time()) - 1)}, "expired (x=)"),
    "made too long ago": ({"t": str(int(time.time()) - 6 * 86400)}, "older than 5 days"),
    "made in the future": ({"t": str(int(time.time()) + 3600)}, "in the future"),
    "SHA-1": ({"a": "rsa-sha1"}, "algorithm"),
    "From unsigned": ({"covered": ("to", "subject", "date")}, "From is not signed"),
    "Subject unsigned": ({"covered": ("from", "to", "date")}, "Subject is not signed"),
    "To unsigned": ({"covered": ("from", "subject", "date", "message-id")}, "To and Cc must be signed"),
    "i= of another domain": ({"i": "@evil.example"}, "not a subdomain"),
    "no such selector": ({"selector": "gone"}, "no key record"),
    "the key of another": ({"selector": "other"}, "the key is another"),
    "a revoked key": ({"selector": "revoked"}, "revoked"),
    "a key that is being tested": ({"selector": "tested"}, "t=y"),
    "a key for something else": ({"selector": "tls"}, "not for mail"),
    "a key for SHA-1": ({"selector": "sha1"}, "SHA-256"),
    "a key of another kind": ({"selector": "ed"}, "another algorithm"),
    "a key that is none": ({"selector": "rubbish"}, "can't be read"),
    "a small key": ({"selector": "small"}, "bits"),
    "two keys": ({"selector": "two"}, "more than one"),
    "a selector that is no name": ({"selector": "a..b"}, "no name"),
    "an i= below a strict key": ({"selector": "strict", "i": f"@mail.{DOMAIN}"}, "below it"),
}
SMALL = (
    "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL0rzsZlGmDJDmRFSWDdiTvkTFiCjsNPzAZbsqoGwCEcCTdAdHR7sCiP8ib9QU0T/"
    "nAOa6NQL0BCaQ9VJl2kGuECAwEAAQ=="
)


@pytest.mark.parametrize(("changes", "why"), WEAK.values(), ids=WEAK)
async def test_a_weak_signature_proves_nobody(changes, why, core):
    async with site_of(core) as site:
        records = {
            "other": key_record(rsa_key("other")),
            "revoked": "v=DKIM1; p=",
            "tested": key_record(KEY, "t=y; "),
            "tls": key_record(KEY, "s=tlsrpt; "),
            "sha1": key_record(KEY, "h=sha1; "),
            "strict": key_record(KEY, "t=s; "),
            "ed": key_record(Ed25519PrivateKey.generate()),
            "rubbish": "v=DKIM1; p=AAAA",
            "small": SMALL,
            "two": key_record(KEY),
        }
        for selector, text in records.items():
            site.names.add_text(f"{selector}._domainkey.{DOMAIN}", text)
        site.names.add_text(f"two._domainkey.{DOMAIN}", key_record(rsa_key("other")))
        await site.refuse(signed(**changes), why)


async def test_a_signature_with_neither_time_nor_signed_date_proves_nobody(core):
    async with site_of(core) as site:
        await site.refuse(signed(t="", covered=("from", "to", "subject")), "when it was made")
        old = format_datetime(datetime.now(UTC) - timedelta(days=6))
        await site.refuse(signed(written(date=old), t=""), "older than 5 days")
        assert (await site.send(signed(t=""))).endswith(" kept")


async def test_what_was_changed_after_signing_is_refused(core):
    async with site_of(core) as site:
        await site.refuse(signed(written("Pay Anna")).replace(b"Pay Anna", b"Pay Evil"), "the body was changed")
        await site.refuse(signed() + b"P.S.\r\n", "the body was changed")
        await site.refuse(signed().replace(b"Subject: Status", b"Subject: Statue"), "the header was changed")
        await site.refuse(b"Subject: to=+447700900199\r\n" + signed(), "Subject is not signed")


async def test_silence_of_dns_is_no_pass_and_the_mail_may_come_again(core):
    name = f"s1._domainkey.{DOMAIN}"
    async with site_of(core) as site:
        site.names.failing.add(name)
        reply = await site.send(signed())
        assert reply.startswith("451 4.7.0 Sender can't be proven now")
        assert core.jobs() == []
        site.names.failing.clear()
        assert (await site.send(signed())).endswith(" kept")


async def test_what_strangers_wrote_about_proofs_is_not_read(core):
    async with site_of(core) as site:
        claim = (
            f"Authentication-Results: mx.example.net; dkim=pass header.d={DOMAIN}; spf=pass smtp.mailfrom={DOMAIN}\r\n"
        )
        await site.refuse(claim.encode() + written())
        await site.refuse(b"Received-SPF: pass\r\n" + written())


async def test_a_hundred_signatures_cost_five_questions(core):
    async with site_of(core) as site:
        raw = written()
        for number in range(100):
            raw = signed(raw, selector=f"n{number}", covered=("from", "subject", "to"))
        await site.refuse(raw)
        assert len([name for name, kind in site.names.asked if "_domainkey" in name]) == 5


async def test_the_first_signature_that_holds_counts(core):
    async with site_of(core) as site:
        raw = signed(signed(), selector="gone")
        assert (await site.send(dkim_signed(raw, KEY, domain="relay.example"))).endswith(" kept")


@pytest.mark.parametrize("sender", ["<>", "", "x@nobody.example", "x@rival.example.com", "x@gone.example.com"])
async def test_an_envelope_that_is_not_the_customers_is_refused(sender, core):
    async with site_of(core) as site:
        await site.refuse(signed(), sender="" if sender == "<>" else sender)


async def test_who_can_not_be_proven_is_told_before_the_content(core):
    async with site_of(core) as site, client_of(site.listener) as client:
        await client.say(b"EHLO client.example.com\r\n")
        assert (await client.say(b"MAIL FROM:<x@nobody.example>\r\n")).startswith("550 5.7.1 ")
        assert (await client.say(b"MAIL FROM:<>\r\n")).startswith("550 5.7.1 ")
        assert (await client.say(f"MAIL FROM:<{ANNA}>\r\n".encode())).startswith("250 ")
        assert (await client.say(b"RCPT TO:<someone@elsewhere.example>\r\n")).startswith("550 5.7.1 Relaying denied")


async def test_an_inactive_user_and_one_of_another_customer_are_refused(core):
    async with site_of(core) as site:
        author = "zoe@acme.example.com"
        await site.refuse(signed(written(author=author)), "not active", sender=author)


async def test_who_is_no_user_sends_only_where_a_default_profile_says_how(core):
    administer(core.folder, "customer add plain --domain plain.example.com")
    author = "x@plain.example.com"
    async with site_of(core) as site:
        await site.core.book.refresh()
        site.names.add_text("s1._domainkey.plain.example.com", key_record(KEY))
        await site.refuse(signed(written(author=author), domain="plain.example.com"), "no user of plain", sender=author)
        administer(core.folder, f"user add {author} --customer plain")
        await site.core.book.refresh()
        assert (await site.send(signed(written(author=author), domain="plain.example.com"), sender=author)).endswith(
            " kept"
        )
