"""A text of one part by mail, by REST and by SMPP to the same number: the same SMS, settings, report and refusal."""

import json
from dataclasses import replace
from datetime import UTC

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from gateway.accept import Accepted
from gateway.applications import ApplicationJob
from gateway.explaining import Explaining
from gateway.submission import RecipientRequest
from smpp.dialect.dialect import WireAlphabet
from smpp.server.connection import job_of
from smpp.server.reading import EsmeSubmit, read_submit
from smpp.server.statuses import REFUSALS
from smpp.wire.bodies import SubmitSm
from smpp.wire.pdu import Pdu
from smpp.wire.statuses import Status
from sms.message import Origin
from sms.outcome import Refused
from tests.kit.clock import Clock
from tests.kit.esme_site import EsmeSite
from tests.kit.in_process import undo_a_command
from tests.kit.installation import mail
from tests.kit.testbed import ANNA, administer, judge, open_core, proven
from web.api_v2.explanation import say_problem
from web.api_v2.request import read_job as read_job_of_v2
from web.rest_v1.request import read_job as read_job_of_v1

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


def explained_mail(core, text, number):
    """Return what the command says of a mail."""
    file, to = core.folder / "note.eml", f"+{number}@sms.example.net"
    file.write_bytes(mail(text, to=(f"+{number}",), sender=ANNA))
    config = core.folder / "mail2sms.toml"
    asked = ["explain", "--json", "--as", "acme", "--from", ANNA, "--to", to, "--config", config, file]
    result = CliRunner().invoke(main, list(map(str, asked)))
    undo_a_command()
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def read_all(text, number):
    """Return the job that each interface of applications reads from a request for the same."""
    v1 = {"messages": [{"text": text, "recipients": [{"dst": f"+{number}"}]}]}
    v2 = {"messages": [{"text": text, "recipients": [{"to": f"+{number}"}]}]}
    submit = SubmitSm(dest_addr_ton=1, dest_addr_npi=1, destination_addr=number, short_message=text.encode("ascii"))
    asked = read_submit(Pdu(submit, 1), WireAlphabet.GSM7, "shop", Clock().now())
    assert isinstance(asked, EsmeSubmit)
    return {
        "rest v1": read_job_of_v1(json.dumps(v1).encode(), UTC),
        "rest v2": read_job_of_v2(json.dumps(v2).encode(), UTC),
        "smpp": job_of(asked),
    }


OF_MAILS = frozenset({"options", "text_source", "lists", "mark", "proven", "proofs", "cancels", "routes"})
OF_THE_CLOCK = frozenset({"due_at", "expires_at"})
OF_THE_DOOR = frozenset({"service", "service_by"})


def _common(told):
    """Return an explanation without what truly differs: the door, how it writes an address, its words of refusal."""
    seen = {name: value for name, value in told.items() if name not in OF_MAILS | OF_THE_DOOR | OF_THE_CLOCK}
    seen["limits"] = [limit | {"begins_anew": ""} for limit in told["limits"]]
    seen["refusal"] = told["refusal"] and told["refusal"]["reason"]
    seen["recipients"] = [
        {name: value for name, value in item.items() if name != "given"}
        | {"refusal": item["refusal"] and item["refusal"]["reason"]}
        for item in told["recipients"]
    ]
    return seen


@pytest.mark.parametrize(
    ("text", "number", "settings", "reason"),
    [
        ("Hello", NUMBER, (), None),
        ("Hello", "12", (), "number-impossible"),
        ("Hello", "4915112345678", (), "country-not-allowed"),
        ("a" * 161, NUMBER, ("max_parts=1", "overlong=refuse"), "too-many-parts"),
        ("Hello", "447700900199", (), "stop-list"),
    ],
)
async def test_explain_says_the_same_of_the_same_text_at_every_door(text, number, settings, reason, house):
    core = open_core(house, Clock())
    try:
        administer(core.folder, f"user set {ANNA} status_report=always sender_id=ACME {' '.join(settings)}")
        administer(core.folder, "customer limit acme --usage sms/day=5 --countries GB")
        administer(core.folder, "customer tls-required acme on")
        administer(core.folder, "stoplist add --customer acme +447700900199")
        await core.book.refresh()
        explaining = Explaining(
            applications=core.applications, book=core.book, database=core.database, clock=core.clock
        )
        principal = replace(proven(core, "acme", ANNA), login="shop")
        told = {"mail": explained_mail(core, text, number)}
        for door, job in read_all(text, number).items():
            assert isinstance(job, ApplicationJob)
            said = await explaining.explain(principal, job, say_problem)
            assert isinstance(said, dict), door
            told[door] = said
        assert told["mail"]["reason"] == reason
        assert told["mail"]["tls"]["demanded_by"] == ["customer acme"]
        common = {door: _common(said) for door, said in told.items()}
        asked = common["smpp"]["settings"].pop("coding")  # data_coding always says one
        assert asked == {"value": "gsm7", "layer": "message", "origin": "request by smpp"}
        common["smpp"]["settings"]["coding"] = common["mail"]["settings"]["coding"]
        for door, said in common.items():
            assert said == common["mail"], door
        assert {door: set(told["mail"]) - set(said) for door, said in told.items() if door != "mail"} == dict.fromkeys(
            ("rest v1", "rest v2", "smpp"), OF_MAILS
        )
        assert [said["service"] for said in told.values()] == ["mail", "rest", "rest", "smpp"]
    finally:
        core.database.close()
