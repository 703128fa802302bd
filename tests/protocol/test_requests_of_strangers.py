"""What all HTTP interfaces have in common for those who send too much or what is secret: a form each, and no word of it in the log."""

import base64
import logging
from urllib.parse import quote, quote_plus

import pytest
from structlog.testing import capture_logs

from tests.kit.rest_site import LOGIN, PASSWORD, basic, rest_site
from tests.kit.testbed import make_house, open_core
from web.connection import HttpLimits
from web.soap.envelope import SERVICE

ONE = "+447700900101"
Headers = dict[str, str]
FORM, XML = "application/x-www-form-urlencoded", "text/xml"


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with rest_site(core) as site:
        yield site
    core.database.close()


def request(
    method: str,
    target: str,
    body: bytes = b"",
    kind: str = "",
    *,
    chunked: bool = False,
    headers: Headers | None = None,
) -> bytes:
    """Return a request as octets; its body is declared, or comes in chunks."""
    named = {"Host": "127.0.0.1", "Connection": "close"} | ({"Content-Type": kind} if kind else {})
    named |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**named, **(headers or {})}.items())
    sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + sent


TOO_LARGE = b"--x\r\nContent-Disposition: form-data; name=msg\r\n\r\n".ljust(HttpLimits().body + 1, b"a")
FORMS = [
    ("/rest/v1/jobs", "application/json", "application/problem+json", '"code":413'),
    ("/soap/v4/", XML, "text/xml; charset=utf-8", "<faultcode>soap:Client</faultcode>"),
    ("/xml/v1/jobs", XML, "application/xml", "<error><code>413</code>"),
    ("/httpsimple/v1/sms", FORM, "text/plain; charset=utf-8", "413 The form can't be read"),
    ("/httpsimple/v1/sms", "multipart/form-data; boundary=x", "text/plain; charset=utf-8", "413 The form can't be read"),
]  # fmt: skip


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_answered_in_the_form_of_its_interface(site, chunked):
    for path, kind, form, said in FORMS:
        answer = await site.raw(
            request("POST", path, TOO_LARGE, kind, chunked=chunked, headers={"Authorization": basic()})
        )
        assert (answer.status, answer.headers["content-type"]) == (413, form)
        told = answer.body.decode()
        assert said in told
        assert f"more than {HttpLimits().body} octets" in told
    assert site.core.jobs() == []


async def test_a_body_that_is_not_read_is_not_judged_by_its_length(site):
    wrong = {"Authorization": basic(LOGIN, "wrong password"), "Content-Length": str(len(TOO_LARGE))}
    head = request("POST", "/rest/v1/jobs", headers=wrong)
    assert (await site.raw(head)).status == 401


WRONG, TEXT = "geheim & wrong", "Meet me at the bridge"


def soap(password: str) -> bytes:
    job = f"<job><message><text>{TEXT}</text><recipient><dst>{ONE}</dst></recipient></message></job>"
    call = f"<sendJob><username>{LOGIN}</username><password>{password}</password>{job}</sendJob>"
    envelope = "http://schemas.xmlsoap.org/soap/envelope/"
    return f'<s:Envelope xmlns:s="{envelope}" xmlns="{SERVICE}"><s:Body>{call}</s:Body></s:Envelope>'.encode()


def xml(password: str) -> bytes:
    return f"<sms><user>{LOGIN}</user><pass>{password}</pass><data><text>{TEXT}</text><dst>{ONE}</dst></data></sms>".encode()


def form_of(password: str) -> bytes:
    fields = {"user": LOGIN, "pass": password, "dst": ONE, "msg": TEXT}
    return "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items()).encode()


def multipart(password: str) -> bytes:
    fields = {"user": LOGIN, "pass": password, "dst": ONE, "msg": TEXT}
    parts = (f"--x\r\nContent-Disposition: form-data; name={name}\r\n\r\n{text}\r\n" for name, text in fields.items())
    return "".join(parts).encode() + b"--x--\r\n"


def requests_with(password: str) -> list[bytes]:
    """Return requests to every interface that carry a password in each place that there is for it, whole and broken."""
    query, logged_in = form_of(password).decode(), {"Authorization": basic(LOGIN, password)}
    escaped = password.replace("&", "&amp;")
    key = {"Authorization": f"Bearer m2s_{quote(password)}"}
    json = f'{{"messages": [{{"text": "{TEXT}", "recipients": [{{"dst": "{ONE}"}}]}}]}}'.encode()
    whole = [
        request("POST", "/rest/v1/jobs", json, "application/json", headers=logged_in),
        request("GET", f"/rest/v1/jobs?password={quote(password)}", headers=logged_in),
        request("POST", "/soap/v4/", soap(escaped), XML),
        request("POST", "/xml/v1/jobs", xml(escaped), XML),
        request("POST", f"/httpsimple/v1/sms?{query}"),
        request("GET", f"/httpsimple/v1/sms?{query}"),
        request("POST", "/httpsimple/v1/sms", form_of(password), FORM),
        request("POST", "/httpsimple/v1/sms", multipart(password), "multipart/form-data; boundary=x"),
        request("GET", f"/httpsimple/v1/reports?{query}&jobid=J.1"),
        request("PUT", "/directory-files/v1/people/users.csv", TEXT.encode(), headers=key),
        request("GET", f"/nowhere?{query}", headers={"Host": "elsewhere.example.com", **logged_in}),
    ]
    # Broken where a parser quotes what it read: at the end, in the head, and in the first line.
    broken = [
        request("POST", "/rest/v1/jobs", json[:-3], "application/json", headers=logged_in),
        request("POST", "/soap/v4/", soap(escaped)[:-3], XML),
        request("POST", "/soap/v4/", soap(escaped).replace(b"password>", b"passwort>"), XML),
        request("POST", "/xml/v1/jobs", xml(escaped).replace(b"</pass>", b""), XML),
        request("POST", "/httpsimple/v1/sms", multipart(password)[:-9], "multipart/form-data; boundary=x"),
        request("POST", "/httpsimple/v1/sms", form_of(password), "text/plain"),
        f"GET /httpsimple/v1/sms?{query} HTTP/1.1\r\nBad header : x\r\n\r\n".encode(),
        f"GET /httpsimple/v1/sms?pass={password} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode(),
    ]  # fmt: skip
    return whole + broken


@pytest.mark.slow
async def test_no_password_no_text_and_no_number_of_any_request_stands_in_the_log(site, caplog):
    await site.administer("customer option acme --add http", "customer option acme --add soap")
    with caplog.at_level(logging.DEBUG), capture_logs() as logs:
        answers = [await site.raw(sent) for password in (PASSWORD, WRONG) for sent in requests_with(password)]
    assert {200, 201, 400, 401, 404, 405, 421, 500} <= {answer.status for answer in answers}
    assert {"http", "auth_failed", "http_incident"} <= {line["event"] for line in logs}
    said = f"{logs} {caplog.text}"
    for secret in (PASSWORD, WRONG, TEXT, ONE):
        written = {secret, quote(secret), quote_plus(secret), repr(secret)[1:-1], secret.replace("&", "&amp;")}
        for spelled in (*written, *(base64.b64encode(f"{LOGIN}:{word}".encode()).decode() for word in written)):
            assert spelled not in said
    assert ONE.removeprefix("+") not in said
