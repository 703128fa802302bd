"""Proof by SPF and by a trusted sealer, and the forged mails that neither proves: real server, real DNS."""

from typing import Any

import pytest

from tests.kit import proving_site
from tests.kit.proving_site import DOMAIN, signed, written
from tests.kit.signed_mail import COVERED, arc_sealed, key_record, rsa_key
from tests.kit.testbed import administer, open_core
from tests.unit.test_handler import handler

PASSED = f"dkim=pass (2048-bit key; secure) header.d={DOMAIN} header.s=s1; spf=fail smtp.mailfrom=elsewhere.example"
SEALER_KEY, FIRST_KEY = rsa_key("sealer"), rsa_key("first")


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


def site_of(core):
    return proving_site.site_of(core, handler)


async def follow(core, *lines: str) -> None:
    for line in lines:
        administer(core.folder, line)
    await core.book.refresh()


@pytest.mark.parametrize(
    "records",
    [
        {DOMAIN: "v=spf1 ip4:127.0.0.0/8 -all"},
        {DOMAIN: f"v=spf1 include:_spf.{DOMAIN} -all", f"_spf.{DOMAIN}": "v=spf1 ip4:127.0.0.1 -all"},
        {DOMAIN: f"v=spf1 redirect=_spf.{DOMAIN}", f"_spf.{DOMAIN}": "v=spf1 ip4:127.0.0.1 -all"},
        {DOMAIN: f"v=spf1 a:mx.{DOMAIN} -all"},
        {DOMAIN: "v=spf1 mx -all"},
    ],
)
async def test_the_record_of_the_domain_itself_that_names_the_client_proves_it(records, core):
    async with site_of(core) as site:
        site.names.records |= {(f"mx.{DOMAIN}", "A"): ["127.0.0.1"], (DOMAIN, "MX"): [f"10 mx.{DOMAIN}."]}
        for name, text in records.items():
            site.names.add_text(name, text)
        assert (await site.send(written())).endswith(" kept")
    (job,) = core.jobs()
    assert job.proof == "spf"
    assert job.evidence.startswith(f"{DOMAIN}: ")


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("v=spf1 ip4:192.0.2.1 -all", "it says fail"),
        ("v=spf1 ip4:192.0.2.1 ~all", "it says softfail"),
        ("v=spf1 ?all", "it says neutral"),
        ("v=spf1 +all", "it says neutral"),
        ("v=spf1 ptr -all", "it says fail"),
        ("v=spf1 include:spf.provider.example -all", "only by the record of spf.provider.example"),
        ("v=spf1 redirect=spf.provider.example", "only by the record of spf.provider.example"),
        (f"v=spf1 include:{DOMAIN} -all", "permerror"),
        ("v=spf1 " + "include:spf.deep.example " * 11 + "-all", "permerror"),
        ("v=spf1 a:n1.example a:n2.example a:n3.example ip4:127.0.0.1 -all", "Void lookup limit"),
        ("v=spf1 ip4:127.0.0.1/99 -all", "permerror"),
        ("v=spf2.0/pra ip4:127.0.0.1 -all", "it says none"),
        ("v=spf1 exists:%{l}%{ -all", "permerror"),
    ],
)
async def test_spf_that_does_not_name_the_client_for_the_domain_itself_proves_nobody(record, why, core):
    async with site_of(core) as site:
        site.names.add_text(DOMAIN, record)
        site.names.add_text("spf.provider.example", "v=spf1 ip4:127.0.0.0/8 -all")
        site.names.add_text("spf.deep.example", "v=spf1 ip4:192.0.2.1 -all")
        await site.refuse(written(), why)


async def test_hosts_of_the_other_family_are_no_void_look_ups(core):
    async with site_of(core) as site:
        for number in range(4):
            site.names.records[f"mx{number}.{DOMAIN}", "AAAA"] = ["2001:db8::1"]
        hosts = " ".join(f"a:mx{number}.{DOMAIN}" for number in range(4))
        site.names.add_text(DOMAIN, f"v=spf1 {hosts} ip4:127.0.0.1 -all")
        assert (await site.send(written())).endswith(" kept")


async def test_two_spf_records_prove_nobody(core):
    async with site_of(core) as site:
        site.names.add_text(DOMAIN, "v=spf1 ip4:127.0.0.1 -all")
        site.names.add_text(DOMAIN, "v=spf1 -all")
        await site.refuse(written(), "permerror")


@pytest.mark.parametrize("sender", [f"bounce@mail.{DOMAIN}", f"x@{DOMAIN}"])
async def test_spf_counts_for_an_envelope_of_the_very_domain_of_from(sender, core):
    async with site_of(core) as site:
        for name in (DOMAIN, f"mail.{DOMAIN}"):
            site.names.add_text(name, "v=spf1 ip4:127.0.0.1 -all")
        if sender.endswith(f"@{DOMAIN}"):
            assert (await site.send(written(), sender=sender)).endswith(" kept")
        else:
            await site.refuse(written(), f"SPF: the envelope sender is of mail.{DOMAIN}", sender=sender)


async def test_a_shared_providers_address_range_proves_nobody_alone_nor_with_spf(core):
    await follow(core, "customer add-range acme 127.0.0.0/8 --shared")
    async with site_of(core) as site:
        await site.refuse(written(), "the mail is not signed")
        site.names.add_text(DOMAIN, "v=spf1 ip4:127.0.0.0/8 -all")
        await site.refuse(written(), "127.0.0.0/8, which is shared with strangers")
        assert (await site.send(signed())).endswith(" kept")


async def test_silence_about_an_spf_record_is_no_pass(core):
    async with site_of(core) as site:
        site.names.failing.add(DOMAIN)
        assert (await site.send(written())).startswith("451 4.7.0 ")
        assert core.jobs() == []


@pytest.mark.parametrize("silent", [DOMAIN, f"s1._domainkey.{DOMAIN}"])
async def test_name_servers_that_never_answer_hold_a_mail_no_longer_than_the_deadline(silent, core):
    async with proving_site.site_of(core, handler, seconds=0.5) as site:
        site.names.silent.add(silent)
        raw = signed(selector="gone") if silent == DOMAIN else signed()
        assert (await site.send(raw)).startswith("451 4.7.0 ")
        assert core.jobs() == []


async def test_a_customer_that_demands_tls_gets_no_signed_mail_in_clear(core):
    await follow(core, "customer tls-required acme on")
    async with site_of(core) as site:
        assert (await site.send(signed())).startswith("530 5.7.0 ")
        assert core.jobs() == []


async def test_a_customer_chooses_its_proofs(core):
    await follow(core, "customer proof acme login dkim")
    async with site_of(core) as site:
        site.names.add_text(DOMAIN, "v=spf1 ip4:127.0.0.1 -all")
        await site.refuse(written(), "SPF: the customer does not take it")
        assert (await site.send(signed())).endswith(" kept")
        await follow(core, "customer proof acme login range")
        await site.refuse(signed(), "takes no proof by the domain of From")


def sealed(raw: bytes = b"", *, results: str = PASSED, **changes) -> bytes:
    chosen: dict[str, Any] = {"domain": "sealer.example", "instance": 1, "results": results} | changes
    return arc_sealed(raw or written(), SEALER_KEY, **chosen)


async def trusting(core, site, *sealers: str) -> None:
    site.names.add_text("arc._domainkey.sealer.example", key_record(SEALER_KEY))
    site.names.add_text("arc._domainkey.first.example", key_record(FIRST_KEY))
    await follow(core, *(f"customer arc-sealer acme add {sealer}" for sealer in sealers))


@pytest.mark.parametrize(
    "results",
    [
        PASSED,
        f"spf=pass smtp.mailfrom=anna@{DOMAIN}; dmarc=pass action=none header.from={DOMAIN}; dkim=none; arc=none",
        f"dmarc=pass (p=reject dis=none) header.from={DOMAIN}",
        f"SPF = Pass smtp.mailfrom={DOMAIN.upper()}",
    ],
)
async def test_what_a_trusted_sealer_saw_proven_is_sent(results, core):
    async with site_of(core) as site:
        await trusting(core, site, "sealer.example")
        assert (await site.send(sealed(results=results))).endswith(" kept")
    (job,) = core.jobs()
    assert job.proof == "arc"
    assert job.evidence.startswith("d=sealer.example s=arc a=rsa-sha256: ")


async def test_a_chain_of_several_sealers_holds_where_the_newest_is_trusted(core):
    async with site_of(core) as site:
        await trusting(core, site, "sealer.example")
        first = arc_sealed(written(), FIRST_KEY, domain="first.example", instance=1, results=PASSED)
        assert (await site.send(sealed(first, instance=2))).endswith(" kept")
        # The other way round the newest is a stranger.
        last = arc_sealed(sealed(), FIRST_KEY, domain="first.example", instance=2, results=PASSED)
        await site.refuse(last, "ARC: the sealer first.example is not trusted")


async def test_a_seal_proves_nothing_for_who_trusts_nobody(core):
    async with site_of(core) as site:
        await trusting(core, site)
        await site.refuse(sealed(), "ARC: no sealer is trusted")
        await trusting(core, site, "other.example")
        await site.refuse(sealed(), "ARC: the sealer sealer.example is not trusted")


@pytest.mark.parametrize(
    "results",
    [
        "arc=none",
        f"dkim=fail header.d={DOMAIN}; spf=softfail smtp.mailfrom={DOMAIN}; dmarc=fail header.from={DOMAIN}",
        f"dkim=pass header.d=mail.{DOMAIN}",
        f"spf=pass smtp.mailfrom=x@evil.example; dmarc=pass header.from=evil.example (header.from={DOMAIN})",
        f"dkim=none (dkim=pass header.d={DOMAIN})",
        f'dkim=none reason="dkim=pass header.d={DOMAIN}"',
        f'dkim=none reason="; dkim=pass header.d={DOMAIN}"',
        f"dkim=pass header.s={DOMAIN}",
        f"x-dkim=pass header.d={DOMAIN}",
    ],
)
async def test_a_sealer_that_saw_no_proof_of_the_very_domain_proves_nobody(results, core):
    async with site_of(core) as site:
        await trusting(core, site, "sealer.example")
        await site.refuse(sealed(results=results), "saw no dkim, spf or dmarc pass")


def broken_chains() -> dict[str, bytes]:
    first = arc_sealed(written(), FIRST_KEY, domain="first.example", instance=1, results=PASSED)
    whole = sealed(first, instance=2)
    return {
        "the body changed": whole.replace(b"Hello", b"Hullo"),
        "the subject changed": whole.replace(b"Subject: Status", b"Subject: Statue"),
        "what the newest saw changed": sealed(results="dkim=none").replace(
            b"dkim=none", b"dkim=pass header.d=" + DOMAIN.encode()
        ),
        "what the first saw changed": whole.replace(b"mx.first.example;", b"my.first.example;"),
        "a seal that says fail": sealed(first, instance=2, cv="fail"),
        "a second set that says none": sealed(first, instance=2, cv="none"),
        "a first set that says pass": sealed(cv="pass"),
        "a gap": sealed(instance=2),
        "the first set twice": sealed(sealed()),
        "no results": sealed().replace(b"ARC-Authentication-Results", b"X-Results"),
        "no message signature": sealed().replace(b"ARC-Message-Signature", b"X-Signature"),
        "From unsigned": sealed(covered=tuple(name for name in COVERED if name != "from")),
        "To unsigned": sealed(covered=tuple(name for name in COVERED if name != "to")),
        "the seal of another key": arc_sealed(
            written(), FIRST_KEY, domain="sealer.example", instance=1, results=PASSED
        ),
        "huge numbers": sealed().replace(b"i=1;", b"i=99999999999;"),
        "an empty seal": b"ARC-Seal: \r\n" + sealed(),
        "fifty-one sets": b"".join(b"ARC-Seal: i=%d; d=a.example; s=s; b=AA==\r\n" % n for n in range(51, 1, -1))
        + sealed(),
    }


@pytest.mark.parametrize("name", broken_chains())
async def test_a_broken_chain_proves_nobody(name, core):
    async with site_of(core) as site:
        await trusting(core, site, "sealer.example", "first.example")
        await site.refuse(broken_chains()[name], "ARC: ")


async def test_silence_about_the_key_of_a_sealer_is_no_pass(core):
    async with site_of(core) as site:
        await trusting(core, site, "sealer.example")
        site.names.failing.add("arc._domainkey.sealer.example")
        assert (await site.send(sealed())).startswith("451 4.7.0 ")


async def test_a_stranger_who_claims_a_trusted_seal_costs_one_question(core):
    async with site_of(core) as site:
        await trusting(core, site, "sealer.example")
        forged = written()
        for instance in range(1, 21):
            domain = "sealer.example" if instance == 20 else f"n{instance}.example"
            forged = arc_sealed(forged, FIRST_KEY, domain=domain, instance=instance, results=PASSED)
        await site.refuse(forged)
        assert {name for name, _ in site.names.asked if "_domainkey" in name} == {"arc._domainkey.sealer.example"}
