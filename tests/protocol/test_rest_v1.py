"""REST version 1 on real connections: what it takes, what it refuses and how, and what it says of jobs and SMS."""

import asyncio
import base64
import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from tests.kit.rest_site import LOGIN, PASSWORD, basic, rest_site
from tests.kit.testbed import ANNA, judge, make_house, open_core

ONE, TWO = "+447700900101", "+447700900102"


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with rest_site(core) as site:
        yield site
    core.database.close()


async def test_a_job_is_kept_and_answered_with_its_id(site):
    answer = await site.send("Hello", ONE, TWO)
    assert (answer.status, answer.headers["content-type"]) == (201, "application/json")
    job_id = answer.json["jobId"]
    assert re.fullmatch(r"J\..{18,38}", job_id)
    assert answer.headers["location"] == f"/rest/v1/jobs/{job_id}"
    (job,) = site.core.jobs()
    assert (job.public_id, job.login, job.user_address, job.service) == (job_id, LOGIN, LOGIN, "rest")
    assert [message.body for message in site.core.messages()] == ["Hello", "Hello"]


async def test_every_option_of_a_request_is_heeded(site):
    options = {
        "src": "ACME",
        "encoding": "UTF-16",
        "billcode": "4711",
        "statusRequested": True,
        "flash": True,
        "customerRef": "order 7",
        "validityMin": 90,
        "maxParts": 2,
        "invalidCharacters": "TO_UTF16",
        "qos": "EXPRESS",
        "duplicateDetection": True,
        "jobPeriod": (datetime.now(UTC) + timedelta(hours=2)).isoformat(),
    }
    answer = await site.send("Hello", ONE, options=options)
    report = (await site.ask("GET", f"/rest/v1/jobs/{answer.json['jobId']}")).json
    assert {name: report[name] for name in options.keys() & report.keys()} == {
        name: options[name] for name in options.keys() & report.keys()
    }
    (message,) = site.core.messages()
    assert (message.sender, message.alphabet, message.flash, message.receipt_wanted) == ("ACME", "ucs2", True, True)
    assert message.due_at > (time.time() + 3600) * 1_000_000
    assert report["receiptTs"].endswith("Z")
    assert report["finishedTs"] is None


@pytest.mark.parametrize(
    ("options", "validity"),
    [({"validityMin": 1}, 5), ({"validityMin": 99999}, 2880), ({"validityMin": 0}, 2880), ({"maxParts": 99}, 2880)],
)
async def test_numbers_beyond_a_range_are_taken_to_its_end(site, options, validity):
    answer = await site.send("x" * 3000, ONE, options=options)
    report = (await site.ask("GET", f"/rest/v1/jobs/{answer.json['jobId']}")).json
    assert report["validityMin"] == validity
    assert [message.part_count for message in site.core.messages()] == [20 if "maxParts" in options else 3]


async def test_a_recipient_has_its_own_reference_and_else_the_number_as_it_was_given(site):
    recipients = [{"dst": "07700 900101", "customerRef": "Anna"}, {"dst": "00447700900102"}]
    body = {"messages": [{"text": "Hello", "recipients": recipients}]}
    job_id = (await site.ask("POST", "/rest/v1/jobs", body)).json["jobId"]
    listed = (await site.ask("GET", f"/rest/v1/sms?jobId={job_id}")).json
    assert [(sms["dst"], sms["customerRef"]) for sms in listed] == [(ONE, "Anna"), (TWO, "00447700900102")]
    assert [(sms["processStatus"], sms["status"], sms["sentTs"]) for sms in listed] == [("OPEN", "", None)] * 2
    assert (await site.ask("GET", f"/rest/v1/sms/{listed[0]['smsId']}")).json == listed[0]
    report = (await site.ask("GET", f"/rest/v1/jobs/{job_id}")).json
    assert report["recipientIds"] == [sms["smsId"] for sms in listed]


async def test_a_number_that_cannot_be_sent_to_is_reported_in_its_job(site):
    job_id = (await site.send("Hello", ONE, "+4930123456")).json["jobId"]
    listed = (await site.ask("GET", f"/rest/v1/sms?jobId={job_id}")).json
    assert [(sms["processStatus"], sms["status"]) for sms in listed] == [("OPEN", ""), ("DONE", "INVALID_DST")]
    assert "cannot receive SMS" in listed[1]["reason"]


async def test_what_cannot_be_read_is_answered_with_each_field_and_the_expected_form(site):
    answer = await site.ask("POST", "/rest/v1/jobs", {"messages": [{"text": "x"}], "options": {"qos": "FAST"}})
    assert answer.status == 400
    problem = answer.json
    assert [item["field"] for item in problem["errors"]] == ["options.qos", "messages[0].recipients"]
    assert (problem["code"], problem["status"], problem["title"]) == (400, 400, "Bad Request")
    assert problem["message"] == problem["detail"]
    assert "options.qos: NORMAL or EXPRESS is expected" in problem["detail"]
    assert site.core.jobs() == []


async def test_refusals_have_a_status_each(site):
    await site.administer("customer limit acme --sender-ids ACME --countries GB")
    for options, numbers, status, reason in (
        ({"src": "OTHER"}, (ONE,), 403, "sender-id-not-permitted"),
        (None, ("+4915112345678",), 403, "country-not-allowed"),
        (None, ("12",), 422, "number-impossible"),
        ({"invalidCharacters": "REFUSE"}, (ONE,), 422, "not-encodable"),
    ):
        answer = await site.send(
            "日本" if options == {"invalidCharacters": "REFUSE"} else "Hello", *numbers, options=options
        )
        assert (answer.status, answer.json["reason"]) == (status, reason), answer.body
        assert answer.headers["content-type"] == "application/problem+json"
    assert site.core.jobs() == []


async def test_more_recipients_than_a_job_may_have_are_refused(site):
    numbers = [f"+4477009{number:05}" for number in range(3001)]
    answer = await site.send("Hello", *numbers)
    assert (answer.status, answer.json["reason"]) == (400, "job-too-large")


async def test_the_same_text_to_the_same_number_within_minutes_is_a_duplicate_where_that_is_asked(site):
    options = {"duplicateDetection": True}
    first = (await site.send("Hello", ONE, options=options)).json["jobId"]
    again = await site.send("Hello", ONE, options=options)
    assert (again.status, first in again.json["detail"]) == (409, True)


async def test_a_limit_of_use_is_answered_with_when_to_come_again(site):
    await site.administer("customer limit acme --usage sms/day=1")
    assert (await site.send()).status == 201
    limited = await site.send("Hello again")
    assert (limited.status, limited.json["reason"]) == (429, "limit-reached")
    assert 0 < int(limited.headers["retry-after"]) <= 24 * 3600


async def test_a_text_with_a_nul_is_no_text_and_spoils_no_other_job(site):
    refused, kept = await asyncio.gather(site.send("a\0b"), site.send("Hello"))
    assert (refused.status, kept.status) == (422, 201)


async def test_a_time_without_an_offset_is_of_the_logins_zone(site):
    await site.administer(f"login set {LOGIN} time_zone=Asia/Tokyo")
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    await site.send(options={"jobPeriod": f"{tomorrow}T09:00:00"})
    (message,) = site.core.messages()
    assert datetime.fromtimestamp(message.due_at / 1e6, UTC).isoformat() == f"{tomorrow}T00:00:00+00:00"


async def test_unknown_names_are_left_out_and_named_with_the_job(site):
    body = {"messages": [{"text": "Hello", "recipients": [{"dst": ONE, "mood": 1}]}], "options": {"colour": "red"}}
    assert (await site.ask("POST", "/rest/v1/jobs", body)).status == 201
    (job,) = site.core.jobs()
    assert job.ignored_options.split("\n") == ["options.colour", "messages[0].recipients[0].mood"]


@pytest.mark.parametrize(
    "authorization",
    [
        basic(),
        basic().replace("Basic", "bAsIc"),
        "Basic " + base64.urlsafe_b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode().rstrip("="),
        "Basic " + base64.b64encode(f"{LOGIN.upper()}:{PASSWORD}".encode("latin-1")).decode(),
    ],
)
async def test_the_same_credentials_are_known_however_they_are_written(site, authorization):
    assert (await site.ask("GET", "/rest/v1/jobs", authorization=authorization)).status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        basic(LOGIN, "wrong password"),
        basic("nobody", PASSWORD),
        "Basic !!!",
        "Basic",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"a\nb:c").decode(),
        "Bearer abc",
        "Basic " + "A" * 2000,
    ],
)
async def test_who_has_not_proven_a_login_gets_401_and_how_to(site, authorization):
    answer = await site.ask("GET", "/rest/v1/jobs", authorization=authorization)
    assert (answer.status, answer.json["code"]) == (401, 401)
    assert answer.headers["www-authenticate"] == 'Basic realm="mail2sms", charset="UTF-8"'


async def test_a_wrong_password_is_one_line_of_the_log_that_fail2ban_reads(site):
    with capture_logs() as logs:
        await site.ask("GET", "/rest/v1/jobs", authorization=basic(LOGIN, "wrong password"))
        await site.ask("GET", "/rest/v1/jobs", authorization="Basic")
    assert [line for line in logs if line["event"] == "auth_failed"] == [
        {"user": LOGIN, "rip": "127.0.0.1", "mechanism": "BASIC", "event": "auth_failed", "log_level": "warning"}
    ]


async def test_a_page_of_another_site_cannot_use_the_login_that_a_browser_remembers(site):
    body = {"messages": [{"text": "Hello", "recipients": [{"dst": ONE}]}]}
    answer = await site.ask("POST", "/rest/v1/jobs", body, Sec_Fetch_Site="cross-site")
    assert (answer.status, site.core.jobs()) == (403, [])


async def test_an_interface_that_is_not_contracted_is_forbidden(site):
    await site.administer("customer option acme --remove rest")
    answer = await site.send()
    assert (answer.status, answer.json["reason"]) == (403, "not-contracted")


async def test_a_suspended_interface_is_forbidden_with_the_reason_of_the_operator(site):
    await site.administer("customer suspend acme --only rest --reason unpaid")
    answer = await site.send()
    assert (answer.status, answer.json["reason"]) == (403, "suspended")
    assert "rest of acme is suspended: unpaid" in answer.json["detail"]
    await site.administer("customer resume acme")
    assert (await site.send()).status == 201


async def test_jobs_are_listed_by_time_and_page(site):
    ids = [(await site.send(f"Hello {count}")).json["jobId"] for count in range(3)]

    async def listed(query=""):
        answer = await site.ask("GET", f"/rest/v1/jobs?{query}")
        return [job["jobId"] for job in answer.json] if answer.status == 200 else answer.json["errors"][0]["field"]

    assert await listed() == ids
    assert await listed("jobIdsOnly=True&open=False&offset=1&limit=1") == ids[1:2]
    assert await listed("jobIdsOnly=TRUE&open=1") == ids
    now = datetime.now(UTC)
    past, soon = (now - timedelta(days=2)).isoformat(), (now + timedelta(minutes=1)).isoformat()
    assert await listed(f"fromTs={past}&toTs={soon}") == ids  # the plus is a blank
    assert await listed(f"toTs={past.replace('+', '%2B')}") == []
    long_ago = (now - timedelta(days=40)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert await listed(f"fromTs={long_ago}") == "toTs"
    assert await listed("jobIdsOnly=false") == "jobIdsOnly"
    assert await listed("open=maybe") == "open"
    assert await listed("limit=-1") == "limit"
    assert await listed("fromTs=yesterday") == "fromTs"


async def test_a_job_by_mail_is_seen_by_its_customers_applications(site):
    kept = await site.core.acceptance.keep(judge(site.core, "acme").plan)
    report = (await site.ask("GET", f"/rest/v1/jobs/{kept.job_id}")).json
    assert (report["jobId"], report["service"]) == (kept.job_id, "mail")
    (sms,) = (await site.ask("GET", f"/rest/v1/sms?jobId={kept.job_id}")).json
    assert sms["customerRef"].startswith("+447700900101@")


@pytest.mark.slow
async def test_a_person_sees_own_jobs_alone(site):
    secret = site.core.folder / "anna.password"
    secret.write_text("correct horse\n")
    await site.administer(f"user add-login {ANNA} --login anna --password-file {secret}")
    mine = await site.core.acceptance.keep(judge(site.core, "acme").plan)
    others = (await site.send()).json["jobId"]
    anna = basic("anna", "correct horse")
    listed = (await site.ask("GET", "/rest/v1/jobs", authorization=anna)).json
    assert listed == [{"jobId": mine.job_id}]
    assert (await site.ask("GET", f"/rest/v1/jobs/{others}", authorization=anna)).status == 404


async def test_what_is_not_there_or_another_customers_is_404(site):
    secret = site.core.folder / "rival.password"
    secret.write_text("correct horse\n")
    await site.administer(f"login add spy --customer rival --password-file {secret}")
    job_id = (await site.send()).json["jobId"]
    (sms,) = (await site.ask("GET", f"/rest/v1/sms?jobId={job_id}")).json
    spy = basic("spy", "correct horse")
    for path in (f"jobs/{job_id}", f"sms?jobId={job_id}", f"sms/{sms['smsId']}"):
        assert (await site.ask("GET", f"/rest/v1/{path}", authorization=spy)).status == 404
    for path in ("jobs/J.20261130T000000Z.AAAAAA", "jobs/%00", "sms/%ff", "sms?jobId=%00", "nothing", "jobs/a/b"):
        answer = await site.ask("GET", f"/rest/v1/{path}")
        assert (answer.status, answer.json["code"]) == (404, 404), path
    assert (await site.ask("GET", "/rest/v1/sms")).status == 400


async def test_a_method_that_a_path_does_not_take_is_405_with_those_that_it_does(site):
    answer = await site.ask("DELETE", "/rest/v1/jobs")
    assert (answer.status, answer.headers["allow"], answer.json["code"]) == (405, "GET, POST", 405)


async def test_the_version_is_told_without_a_login(site):
    answer = await site.ask("GET", "/rest/v1/version", authorization="none")
    assert answer.status == 200
    assert {"majorVersion", "minorVersion", "versionInfo"} <= answer.json.keys()


async def test_a_body_beyond_the_limit_is_refused_before_it_comes(site):
    head = f"POST /rest/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {basic()}\r\nContent-Length: 20000000\r\n\r\n"
    assert (await site.raw(head.encode())).status == 413


def _request(line: str, headers: dict[str, str], body: str = "") -> bytes:
    """Return a request as a client writes it; nothing is added but Host and the length of its body."""
    length = {"Content-Length": str(len(body.encode()))} if body else {}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "127.0.0.1", **headers, **length}.items())
    return f"{line} HTTP/1.1\r\n{lines}\r\n{body}".encode()


_STANDARD = {"Authorization": basic()}
_NODE = {
    "Accept": "application/json, text/plain, */*",
    "Content-Type": "application/json",
    "User-Agent": "axios/1.21.0",
    "Authorization": "Basic " + base64.b64encode(f"{LOGIN}:{PASSWORD}".encode("latin-1")).decode(),
}
_GO = {"User-Agent": "Go-http-client/1.1", "Content-Type": "application/json", **_STANDARD}
_RUST = {"content-type": "application/json", "accept": "*/*", **_STANDARD}
_PERL = {"TE": "deflate,gzip;q=0.3", "Accept": "application/json; charset=utf-8", "User-Agent": "libwww-perl/6.72"}
_RUST_NULLS = (
    '"options":{"src":null,"encoding":null,"billcode":null,"statusRequested":null,"flash":null,"customerRef":null,'
    '"validityMin":null,"maxParts":null,"invalidCharacters":null,"qos":null,"jobPeriod":null,"duplicateDetection":null,'
    '"blackoutPeriods":null}'
)
_DAY = (datetime.now(UTC) + timedelta(days=2)).date()
_PERIOD = f"{_DAY}T10:00:00+01:00/{_DAY}T18:00:00+01:00"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param(
            _NODE,
            '{"messages":[{"text":"Grüße","recipients":[{"dst":"+447700900101","customRef":"Anna",'
            f'"blackoutPeriods":["{_PERIOD}"]}}]}}],'
            '"options":{"status_requested":true,"customer_ref":"order 7","validity_min":60,"invalid_characters":"TRANSLITERATE"}}',
            id="node",
        ),
        pytest.param(
            _GO,
            '{"messages":[{"text":"Grüße","recipients":[{"dst":"+447700900101","customerRef":"Anna"}]}],'
            '"options":{"statusRequested":true,"customerRef":"order 7","validityMin":60,"qos":"normal",'
            '"jobPeriod":"2026-01-02T15:04:05.999-0700","invalidCharacters":"TRANSLITERATE"}}',
            id="go",
        ),
        pytest.param(
            _RUST,
            f"{{{_RUST_NULLS.replace(chr(34) + 'customerRef' + chr(34) + ':null', chr(34) + 'customerRef' + chr(34) + ':' + chr(34) + 'order 7' + chr(34))},"
            f'"messages":[{{"text":"Grüße","recipients":[{{"dst":"+447700900101","customerRef":"Anna","blackoutPeriods":"{_PERIOD}"}}]}}]}}',
            id="rust",
        ),
        pytest.param(
            _RUST,
            '{"options":null,"messages":[{"text":"Grüße","recipients":[{"dst":"+447700900101","customerRef":null,'
            '"blackoutPeriods":null}]}]}',
            id="rust without options",
        ),
        pytest.param(
            {**_PERL, **_STANDARD},
            '{"messages":[{"text":"Grüße","recipients":[{"dst":"+447700900101"}]}]}',
            id="perl",
        ),
        pytest.param(
            {**_PERL, **_STANDARD, "Content-Type": "application/x-www-form-urlencoded"},
            '{"messages":[{"text":"Grüße","recipients":[{"dst":"+447700900101"}]}]}',
            id="json under another name",
        ),
    ],
)
async def test_the_requests_of_the_other_clients_are_taken_as_they_write_them(site, headers, body):
    answer = await site.raw(_request("POST /rest/v1/jobs", headers, body))
    assert (answer.status, answer.headers["content-type"]) == (201, "application/json"), answer.body
    (job,) = site.core.jobs()
    (message,) = site.core.messages()
    assert (message.body, message.number) == ("Grüße", "447700900101")
    assert job.reference == ("order 7" if "order 7" in body else "")
    assert message.customer_ref == ("Anna" if "Anna" in body else "")
    assert bool(message.blackouts) == (_PERIOD in body)
    asked = await site.raw(_request(f"GET /rest/v1/jobs/{answer.json['jobId']}", headers))
    assert (asked.status, asked.json["jobId"]) == (200, job.public_id)
    assert asked.json["recipientIds"] == [message.public_id]


async def test_a_client_of_go_that_gives_instants_for_periods_is_told_what_is_expected(site):
    body = (
        '{"messages":[{"text":"x","recipients":[{"dst":"+447700900101","blackoutPeriods":["2026-01-02T15:04:05Z"]}]}]}'
    )
    answer = await site.raw(_request("POST /rest/v1/jobs", _GO, body))
    assert answer.status == 400
    assert answer.json["message"].startswith("messages[0].recipients[0].blackoutPeriods: start/end such as ")


async def test_a_data_centre_that_does_not_know_a_job_says_404_to_every_client(site):
    for headers in (_NODE, _GO, _RUST, {**_PERL, **_STANDARD}):
        answer = await site.raw(_request("GET /rest/v1/jobs/J.20260101-000000.000-aaaaaaaaaa", headers))
        assert (answer.status, answer.json["code"], answer.json["message"]) == (404, 404, "There is no job of this id.")


async def test_a_customer_that_demands_tls_is_refused_in_clear(site):
    await site.administer("customer tls-required acme on")
    answer = await site.send("Hello", ONE)
    assert (answer.status, answer.json["reason"]) == (403, "tls-required")
    assert site.core.jobs() == []
