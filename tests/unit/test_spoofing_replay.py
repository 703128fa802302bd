"""A signed mail that is sent again: to the same recipients a repeat, to others refused (mta.verify.replay)."""

import asyncio
import time

import pytest

from tests.kit import proving_site
from tests.kit.proving_site import DOMAIN, NUMBER, OTHER, signed, written
from tests.kit.signed_mail import COVERED, arc_sealed, key_record, rsa_key
from tests.kit.testbed import administer, open_core
from tests.unit.test_handler import handler

WITHOUT_TO = ("from", "subject", "date", "message-id")
THIRD = "+447700900103@sms.example.net"


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


def site_of(core):
    return proving_site.site_of(core, handler)


def numbers(core) -> list[str]:
    return sorted(message.number for message in core.messages())


async def share_range(core) -> None:
    administer(core.folder, "customer add-range acme 127.0.0.0/8 --shared")
    await core.book.refresh()


async def test_a_signed_mail_replayed_to_another_number_is_refused(core):
    async with site_of(core) as site:
        raw = signed()
        assert (await site.send(raw)).endswith(" kept")
        await site.refuse(raw, "does not cover all recipients", to=(OTHER,))
        await site.refuse(raw, "does not cover all recipients", to=(NUMBER, OTHER))
        await site.refuse(raw.replace(NUMBER.encode(), OTHER.encode()), "the header was changed", to=(OTHER,))
        await site.refuse(f"Cc: {OTHER}\r\n".encode() + signed(covered=("from", "to", "subject", "date")), to=(OTHER,))
        await share_range(core)
        await site.refuse(raw, "was used for other recipients before", to=(OTHER,))
    assert numbers(core) == ["447700900101"]


async def test_a_mail_to_somebody_else_that_was_stolen_is_no_sms_at_all(core):
    async with site_of(core) as site:
        await site.refuse(signed(written(to="thief@evil.example")), "does not cover all recipients")


async def test_the_same_mail_to_the_same_number_is_a_repeat_whatever_was_added_to_it(core):
    async with site_of(core) as site:
        raw = signed()
        first = await site.send(raw)
        for again in (raw, b"X-Priority: 1\r\nReceived: from elsewhere\r\n" + raw, raw.replace(b"Hello", b"Hello ")):
            assert await site.send(again) == first
    assert numbers(core) == ["447700900101"]


async def test_another_signature_of_the_same_mail_is_no_other_mail(core):
    async with site_of(core) as site:
        raw = signed()
        twice = signed(raw, t=str(int(time.time()) - 60))
        first = await site.send(twice)
        assert await site.send(raw) == first
    assert numbers(core) == ["447700900101"]


async def test_a_mail_without_message_id_is_known_by_its_signature(core):
    async with site_of(core) as site:
        raw = signed(written(message_id=False))
        first = await site.send(raw)
        assert await site.send(b"X-Other: 1\r\n" + raw) == first
        assert await site.send(signed(written("Another", message_id=False))) != first
    assert numbers(core) == ["447700900101"] * 2


async def test_copies_of_one_mail_for_its_recipients_are_all_sent(core):
    async with site_of(core) as site:
        raw = signed(written(to=f"{NUMBER}, Bob <{OTHER}>", more=f"Cc: {THIRD}\r\n"))
        replies = await asyncio.gather(*(site.send(raw, to=(address,)) for address in (NUMBER, OTHER, THIRD)))
        assert len(set(replies)) == 3
    assert numbers(core) == ["447700900101", "447700900102", "447700900103"]


async def test_a_signature_that_leaves_to_unsigned_counts_from_the_customers_shared_range(core):
    raw = signed(covered=WITHOUT_TO)
    async with site_of(core) as site:
        await site.refuse(raw, "does not cover all recipients")
        await share_range(core)
        assert (await site.send(raw)).endswith(" kept")


async def test_its_first_use_binds_a_mail_to_its_recipients_and_those_that_it_names(core):
    await share_range(core)
    async with site_of(core) as site:
        raw = signed(written(to=f"{NUMBER}, {OTHER}"), covered=WITHOUT_TO)
        first = await site.send(raw)
        assert (await site.send(raw, to=(OTHER,))).endswith(" kept")
        assert await site.send(raw) == first
        forged = raw.replace(b"To: ", f"To: {THIRD}, ".encode())
        for mail in (raw, forged):
            await site.refuse(mail, "was used for other recipients before", to=(THIRD,))
            await site.refuse(mail, "was used for other recipients before", to=(NUMBER, THIRD))
    assert numbers(core) == ["447700900101", "447700900102"]


async def test_a_blind_copy_is_sent_once_and_binds_as_well(core):
    await share_range(core)
    async with site_of(core) as site:
        raw = signed()
        assert (await site.send(raw, to=(OTHER,))).endswith(" kept")
        assert (await site.send(raw, to=(NUMBER,))).endswith(" kept")
        await site.refuse(raw, "was used for other recipients before", to=(THIRD,))


async def test_of_two_first_uses_at_once_one_counts(core):
    await share_range(core)
    async with site_of(core) as site:
        raw = signed(written(to="team@acme.example.com"), covered=WITHOUT_TO)
        replies = await asyncio.gather(*(site.send(raw, to=(address,)) for address in (NUMBER, OTHER, THIRD)))
    assert sorted(reply[:3] for reply in replies) == ["250", "550", "550"]
    assert len(core.messages()) == 1


async def test_a_mail_with_a_trusted_seal_is_bound_like_a_signed_one(core):
    key = rsa_key("sealer")
    administer(core.folder, "customer arc-sealer acme add sealer.example")
    await core.book.refresh()
    async with site_of(core) as site:
        site.names.add_text("arc._domainkey.sealer.example", key_record(key))
        results = f"dkim=pass header.d={DOMAIN}"
        raw = arc_sealed(signed(), key, domain="sealer.example", instance=1, results=results, covered=COVERED)
        first = await site.send(raw)
        sealed_only = raw.replace(b"DKIM-Signature", b"X-Signature")
        assert await site.send(sealed_only) == first
        await site.refuse(raw, "ARC: the signature of sealer.example does not cover all recipients", to=(OTHER,))
    assert [job.proof for job in core.jobs()] == ["dkim"]


async def test_what_was_used_is_forgotten_when_its_signature_no_longer_counts(core):
    await share_range(core)
    async with site_of(core) as site:
        assert (await site.send(signed(covered=WITHOUT_TO))).endswith(" kept")
    (job,) = core.jobs()
    assert {row.until - job.accepted_at for row in core.seen()} == {7 * 86_400 * 1_000_000}
