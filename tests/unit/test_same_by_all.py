"""A text of one part by mail, by REST and by SMPP to the same number: the same SMS, settings, report and refusal."""

from dataclasses import replace

import pytest

from gateway.accept import Accepted
from gateway.applications import ApplicationJob
from gateway.submission import RecipientRequest
from smpp.server.statuses import REFUSALS
from smpp.wire.statuses import Status
from sms.message import Origin
from sms.outcome import Refused
from tests.kit.esme_site import EsmeSite
from tests.kit.testbed import ANNA, administer, judge, proven

NUMBER = "447700900123"


@pytest.fixture
async def server(house):
    site = await EsmeSite(house).start()
    yield site
    await site.stop()


def rest(text, number):
    wanted = RecipientRequest(given=number, number=f"+{number}")
    return ApplicationJob(service=Origin.REST, texts=((text, (wanted,)),))


async def set_for_all(server, *settings):
    administer(server.core.folder, f"user set {ANNA} {' '.join(settings)} sender_id=ACME")
    await server.core.book.refresh()


@pytest.mark.parametrize(("text", "codec", "data_coding"), [("Hello {€}", "", 0), ("Grüße, â", "latin-1", 3)])
async def test_a_text_of_one_part_becomes_the_same_sms_with_the_same_settings(server, text, codec, data_coding):
    await set_for_all(server, "status_report=always")
    planned = judge(server.core, "acme", text, to=(f"+{NUMBER}",))
    assert planned.plan is not None
    assert isinstance(await server.core.acceptance.keep(planned.plan), Accepted)
    principal = replace(proven(server.core, "acme", ANNA), login="shop")
    assert isinstance(await server.core.applications.submit(principal, rest(text, NUMBER)), Accepted)
    async with server.esme() as client:
        octets = text.encode(codec) if codec else b"Hello \x1b\x28\x1be\x1b\x29"
        answer = await client.submit(to=NUMBER, text=octets, data_coding=data_coding, registered_delivery=0)
        assert answer.status == Status.ROK
    jobs = server.core.jobs()
    assert [job.service for job in jobs] == ["mail", "rest", "smpp"]
    assert len({job.settings for job in jobs}) == 1
    assert len({(job.customer, job.profile, job.user_address) for job in jobs}) == 1
    facts = "number", "body", "alphabet", "part_count", "replaced", "cut", "sender", "route", "priority", "state"
    assert len({tuple(getattr(message, fact) for fact in facts) for message in server.core.messages()}) == 1


@pytest.mark.parametrize(
    ("number", "settings"),
    [("12", ()), (NUMBER, ("max_parts=1", "overlong=refuse"))],
    ids=["a number that is none", "a text that is too long"],
)
async def test_what_is_refused_is_refused_for_the_same_reason(server, number, settings):
    await set_for_all(server, "status_report=always", *settings)
    text = "a" * 161 if settings else "Hello"
    by_mail = judge(server.core, "acme", text, to=(f"+{number}",))
    refused = by_mail.refused or (by_mail.plan and by_mail.plan.refused)
    principal = replace(proven(server.core, "acme", ANNA), login="shop")
    by_rest = await server.core.applications.submit(principal, rest(text, number))
    assert isinstance(refused, Refused)
    assert isinstance(by_rest, Refused)
    assert by_rest.refusal is refused.refusal
    async with server.esme() as client:
        assert (await client.submit(to=number, text=text)).status == REFUSALS[refused.refusal]
