"""SOAP version 4: zeep works from the description alone, and what is no call is told what is expected, and keeps nothing."""

import asyncio
import re

import pytest
import requests
import zeep
from lxml import etree
from structlog.testing import capture_logs

from tests.kit.patience import PATIENCE
from tests.kit.rest_site import LOGIN, PASSWORD, rest_site
from tests.kit.testbed import make_house, open_core
from web.soap.envelope import SERVICE

ONE, TWO = "+447700900101", "+447700900102"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
JOB = {"message": [{"text": "Hello", "recipient": [{"dst": ONE}]}]}


class Client:
    """zeep, as somebody uses it who has nothing but the description's address."""

    def __init__(self, site) -> None:
        self.site = site
        self.address = f"http://127.0.0.1:{site.port}/soap/v4/"

    async def call(self, operation: str, **fields):
        return await asyncio.to_thread(
            lambda: getattr(zeep.Client(f"{self.address}?wsdl").service, operation)(**fields)
        )

    async def proven(self, operation: str, **fields):
        return await self.call(operation, username=LOGIN, password=PASSWORD, **fields)

    async def post(self, body: bytes, **headers: str) -> requests.Response:
        named = {"Content-Type": "text/xml; charset=utf-8", **headers}
        return await asyncio.to_thread(lambda: requests.post(self.address, data=body, headers=named, timeout=PATIENCE))


@pytest.fixture
async def client(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with rest_site(core) as site:
        yield Client(site)
    core.database.close()


def envelope(body: str, header: str = "") -> bytes:
    return f'<s:Envelope xmlns:s="{ENVELOPE}" xmlns="{SERVICE}">{header}<s:Body>{body}</s:Body></s:Envelope>'.encode()


def send_job(job: str) -> bytes:
    return envelope(f"<sendJob><username>{LOGIN}</username><password>{PASSWORD}</password><job>{job}</job></sendJob>")


def fault_of(answer: requests.Response) -> tuple[str, str]:
    root = etree.fromstring(answer.content)
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    return root.findtext(".//faultcode", ""), root.findtext(".//faultstring", "")


async def test_a_job_is_sent_and_its_report_read_by_a_client_made_of_the_description(client):
    options = {"src": "ACME", "customerRef": "order 7", "validityMin": 90, "qos": "EXPRESS", "statusRequested": True}
    recipients = [{"dst": ONE, "customerRef": "anna"}, {"dst": TWO}]
    job_id = await client.proven(
        "sendJob", job={"options": options, "message": [{"text": "Hello", "recipient": recipients}]}
    )
    (job,) = client.site.core.jobs()
    assert (job.public_id, job.service, job.login, job.reference) == (job_id, "soap", LOGIN, "order 7")
    report = await client.proven("getJobReport", jobId=job_id)
    assert (report.jobId, report.src, report.validityMin, report.qos) == (job_id, "ACME", 90, "EXPRESS")
    assert report.finishedTs is None
    assert [(one.dst, one.customerRef, one.processStatus) for one in report.recipient] == [
        (ONE, "anna", "OPEN"),
        (TWO, TWO, "OPEN"),
    ]
    assert await client.proven("getAvailableJobReports") == [job_id]
    assert await client.proven("getAvailableJobReports", open=False, limit=1) == [job_id]


async def test_the_description_names_the_address_that_was_asked(client):
    answer = await asyncio.to_thread(
        lambda: requests.get(client.address, headers={"Host": f"localhost:{client.site.port}"}, timeout=PATIENCE)
    )
    assert f'location="http://localhost:{client.site.port}/soap/v4/"' in answer.text


async def test_the_version_is_told_without_a_login(client):
    told = await client.call("getVersionInfo")
    assert re.fullmatch(r"mail2sms \d+\.\d+.*", told.versionInfo)
    assert (told.majorVersion, told.minorVersion) == (0, 1)


async def test_a_wrong_password_is_a_fault_with_the_code_of_rest_and_a_line_for_fail2ban(client):
    with capture_logs() as logs, pytest.raises(zeep.exceptions.Fault) as caught:
        await client.call("sendJob", username=LOGIN, password="wrong", job=JOB)
    assert (caught.value.code, caught.value.message) == ("soap:Client", "Login or password is wrong.")
    assert caught.value.detail.findtext(f".//{{{SERVICE}}}code") == "401"
    (line,) = [line for line in logs if line["event"] == "auth_failed"]
    assert (line["user"], line["rip"], line["mechanism"]) == (LOGIN, "127.0.0.1", "SOAP")
    assert client.site.core.jobs() == []


async def test_a_refusal_is_a_fault_that_says_why(client):
    with pytest.raises(zeep.exceptions.Fault) as caught:
        await client.proven("sendJob", job={"message": [{"text": "Hello", "recipient": [{"dst": "12"}]}]})
    assert caught.value.detail.findtext(f".//{{{SERVICE}}}code") == "422"
    with pytest.raises(zeep.exceptions.Fault, match="There is no job of this id"):
        await client.proven("getJobReport", jobId="J.nobody")


async def test_a_customer_without_the_option_is_refused(client):
    await client.site.administer("customer option acme --remove soap")
    with pytest.raises(zeep.exceptions.Fault) as caught:
        await client.proven("sendJob", job=JOB)
    assert caught.value.detail.findtext(f".//{{{SERVICE}}}code") == "403"


RECIPIENT = f"<message><text>Hello</text><recipient><dst>{ONE}</dst></recipient></message>"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "The body is empty"),
        (b"hello", 400, "not well-formed XML"),
        (b"<a>", 400, "not well-formed XML"),
        (b"<a/>", 400, "expected {http://schemas.xmlsoap.org/soap/envelope/}Envelope"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 400, "DOCTYPE"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>', 400, "DOCTYPE"),
        (b'<E:Envelope xmlns:E="http://www.w3.org/2003/05/soap-envelope"/>', 500, "SOAP 1.2"),
        (envelope(""), 400, "0 elements"),
        (envelope("<sendJob/>", '<s:Header><x s:mustUnderstand="1"/></s:Header>'), 500, "x must be understood"),
        (envelope("<sendJobs/>"), 400, "expected one of"),
        (send_job(""), 400, "Missing child element"),
        (send_job(RECIPIENT.replace("dst", "to")), 400, "'to': This element is not expected"),
        (send_job(f"<options><validityMin>soon</validityMin></options>{RECIPIENT}"), 400, "'validityMin': 'soon'"),
        (send_job(f"<options><qos>FAST</qos></options>{RECIPIENT}"), 400, "'qos'"),
        (send_job(f"<options><src>an alphanumeric sender</src></options>{RECIPIENT}"), 500, "options.src"),
        (send_job(RECIPIENT.replace("Hello", " ")), 500, "messages[0].text"),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_answered_with_what_is_expected_and_keeps_nothing(client, body, status, says):
    answer = await client.post(body)
    code, told = fault_of(answer)
    assert (answer.status_code, says in told) == (status, True), told
    assert code in {"soap:Client", "soap:VersionMismatch", "soap:MustUnderstand"}
    assert PASSWORD not in told
    assert client.site.core.jobs() == []


async def test_another_content_type_is_refused(client):
    answer = await client.post(send_job(RECIPIENT), **{"Content-Type": "application/json"})
    assert (answer.status_code, fault_of(answer)[0]) == (415, "soap:Client")


async def test_a_text_with_every_character_of_xml_goes_and_comes_back(client):
    text = "a<b>&\"'\t€ ü 😀"
    job = {"options": {"customerRef": "<&>"}, "message": [{"text": text, "recipient": [{"dst": ONE}]}]}
    job_id = await client.proven("sendJob", job=job)
    assert (await client.proven("getJobReport", jobId=job_id)).customerRef == "<&>"
    (message,) = client.site.core.messages()
    assert message.body.endswith("😀")


async def test_a_large_job_is_one_job(client):
    recipients = [{"dst": f"+4477009{number:05}"} for number in range(100, 700)]
    await client.site.administer("customer set acme max_recipients=1000")
    await client.proven("sendJob", job={"message": [{"text": "Hello", "recipient": recipients}]})
    assert len(client.site.core.messages()) == 600
