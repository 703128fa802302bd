"""HTTP simple and XML: an SMS by a form, jobs by a document, and what each says of bad input."""

import pytest
from lxml import etree

from tests.kit.rest_site import LOGIN, PASSWORD, rest_site
from tests.kit.testbed import make_house, open_core

ONE, TWO = "+447700900101", "+447700900102"
FORM = "application/x-www-form-urlencoded"
LOGGED_IN = f"user={LOGIN}&pass=gr%C3%BC%C3%9Fe+horse"


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with rest_site(core) as site:
        yield site
    core.database.close()


async def post(site, query: str = "", body: bytes = b"", kind: str = ""):
    headers = {"Content_Type": kind} if kind else {}
    return await site.ask("POST", f"/httpsimple/v1/sms{query}", body, authorization="none", **headers)


async def post_xml(site, body: str, **more):
    return await site.ask("POST", "/xml/v1/jobs", body.encode(), Content_Type="application/xml", **more)


MULTIPART = (
    "--x\r\nContent-Disposition: form-data; name=user\r\n\r\nerp\r\n"
    "--x\r\nContent-Disposition: form-data; name=pass\r\n\r\ngrüße horse\r\n"
    f"--x\r\nContent-Disposition: form-data; name=dst\r\n\r\n{ONE}\r\n"
    "--x\r\nContent-Disposition: form-data; name=msg\r\n\r\nHello\r\n--x--\r\n"
).encode()


@pytest.mark.parametrize(
    ("query", "body", "kind"),
    [
        (f"?{LOGGED_IN}&dst=%2B447700900101&msg=Hello", b"", ""),
        ("", f"{LOGGED_IN}&dst=%2B447700900101&msg=Hello".encode(), FORM),
        (f"?{LOGGED_IN}", b"dst=%2B447700900101&msg=Hello", f"{FORM}; charset=utf-8"),
        ("", MULTIPART, "multipart/form-data; boundary=x"),
    ],
)
async def test_an_sms_is_sent_by_query_form_and_multipart_and_answered_with_its_id(site, query, body, kind):
    answer = await post(site, query, body, kind)
    (job,) = site.core.jobs()
    assert (answer.status, answer.body.decode()) == (200, f"{job.public_id}\n")
    assert (job.service, job.login) == ("http", LOGIN)
    assert [(message.number, message.body) for message in site.core.messages()] == [("447700900101", "Hello")]


LOGGED_IN_LATIN_1 = f"user={LOGIN}&pass=gr%FC%DFe+horse".encode()
MULTIPART_LATIN_1 = (
    b"--x\r\nContent-Disposition: form-data; name=dst\r\n\r\n+447700900101\r\n"
    b"--x\r\nContent-Disposition: form-data; name=msg\r\n\r\nGr\xfc\xdfe \x80 5\r\n--x--\r\n"
)


@pytest.mark.parametrize(
    ("query", "body", "kind"),
    [
        ("", LOGGED_IN_LATIN_1 + b"&dst=%2B447700900101&msg=Gr%FC%DFe+%80+5", f"{FORM}; charset=ISO-8859-1"),
        ("", LOGGED_IN_LATIN_1 + b"&dst=%2B447700900101&msg=Gr\xfc\xdfe+\x80+5", f'{FORM};Charset="windows-1252"'),
        ("", b"_charset_=ISO-8859-1&" + LOGGED_IN_LATIN_1 + b"&dst=%2B447700900101&msg=Gr%FC%DFe+%80+5", FORM),
        (f"?{LOGGED_IN_LATIN_1.decode()}&dst=07700900101&msg=Gr%FC%DFe+%80+5&_charset_=latin1", b"", ""),
        (f"?{LOGGED_IN}", b"dst=07700900101&msg=Gr%FC%DFe+%A4+5", f"{FORM}; charset=iso-8859-15"),
        ("", LOGGED_IN.encode() + "&dst=07700900101&msg=Grüße+€+5".encode(), FORM),
        (f"?{LOGGED_IN}", MULTIPART_LATIN_1, "multipart/form-data; boundary=x; charset=windows-1252"),
    ],
    ids=["header", "octets as they are", "field", "query", "euro of Latin-9", "UTF-8 as it is", "multipart"],
)
async def test_a_form_is_read_in_the_charset_that_it_names(site, query, body, kind):
    answer = await post(site, query, body, kind)
    assert answer.status == 200, answer.body
    assert [message.body for message in site.core.messages()] == ["Grüße € 5"]


@pytest.mark.parametrize(
    ("query", "body", "kind"),
    [
        (f"?{LOGGED_IN}", b"dst=07700900101&msg=Gr%FC%DFe", FORM),
        (f"?{LOGGED_IN}&dst=07700900101&msg=Gr%FC%DFe", b"", ""),
        (f"?{LOGGED_IN}", b"dst=07700900101&msg=x", f"{FORM}; charset=utf-7"),
        (f"?{LOGGED_IN}", b"dst=07700900101&msg=x&_charset_=%FF", FORM),
        (f"?{LOGGED_IN}", b"&".join([b"x=1"] * 21), FORM),
    ],
    ids=["not UTF-8", "query", "none of ours", "no name", "too many fields"],
)
async def test_a_form_whose_charset_is_not_known_is_refused_and_never_guessed(site, query, body, kind):
    answer = await post(site, query, body, kind)
    assert answer.status == 400
    assert b"The form can't be read" in answer.body
    assert site.core.jobs() == []


async def test_the_report_has_a_line_for_each_fact(site):
    job_id = (await post(site, f"?{LOGGED_IN}&dst=%2B447700900101&msg=Hello")).body.decode().strip()
    answer = await site.ask("GET", f"/httpsimple/v1/reports?{LOGGED_IN}&jobid={job_id}", authorization="none")
    lines = answer.body.decode().splitlines()
    assert lines[0] == f"jobId={job_id}"
    assert {"dst=+447700900101", "processStatus=OPEN", "status=", "finishedTs="} <= set(lines)
    for unknown in ("J.1", "J.%00", "x", "%27"):
        answer = await site.ask("GET", f"/httpsimple/v1/reports?{LOGGED_IN}&jobid={unknown}", authorization="none")
        assert (answer.status, answer.body) == (404, b"404 There is no job of this id.\n")


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        (("", b"", ""), 400, "user, pass, dst, msg: expected"),
        ((f"?{LOGGED_IN}&dst=1", b"", ""), 400, "msg: expected"),
        ((f"?{LOGGED_IN}&dst=1&dst=2&msg=x", b"", ""), 400, "dst: expected once"),
        ((f"?{LOGGED_IN}&dst=1&msg=x", b"dst=2", FORM), 400, "dst: expected once"),
        ((f"?{LOGGED_IN}&dst=%2B447700900101&msg=+", b"", ""), 400, "msg: a text that is not blank is expected"),
        ((f"?{LOGGED_IN}&dst=&msg=x", b"", ""), 400, "dst: a number"),
        ((f"?{LOGGED_IN}&dst=12&msg=x", b"", ""), 422, "12"),
        ((f"?{LOGGED_IN}&dst=1&msg=x", b"{}", "application/json"), 415, "expected application/x-www-form-urlencoded"),
        ((f"?{LOGGED_IN}&dst=1&msg=x", b"--x", "multipart/form-data"), 400, "form can't be read"),
        (("", MULTIPART, "multipart/form-data; boundary=x; charset=undefined"), 400, "expected UTF-8"),
        (("", MULTIPART, "multipart/form-data; boundary=x; charset=punycode"), 400, "expected UTF-8"),
        ((f"?user={LOGIN}&pass=no&dst=1&msg=x", b"", ""), 401, "Login or password is wrong"),
    ],
)
async def test_what_is_wrong_with_a_form_is_said_with_its_field_and_keeps_nothing(site, sent, status, says):
    answer = await post(site, *sent)
    told = answer.body.decode()
    assert (answer.status, told.startswith(f"{status} "), says in told) == (status, True, True), told
    assert PASSWORD not in told
    assert site.core.jobs() == []


async def test_sending_is_by_post(site):
    answer = await site.ask("GET", f"/httpsimple/v1/sms?{LOGGED_IN}&dst=1&msg=x", authorization="none")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


async def test_each_data_of_a_document_is_a_job_whatever_the_case_of_its_names(site):
    document = (
        f"<SMS><User>{LOGIN}</User><PASS>{PASSWORD}</PASS>"
        f"<Data><Src>ACME</Src><BILLCODE>4711</BILLCODE><Text>Hello</Text><Dst>{ONE}</Dst><dst>{TWO}</dst></Data>"
        f"<data><message><text>Other</text><recipient><dst>{ONE}</dst><customerRef>anna</customerRef></recipient>"
        "</message></data></SMS>"
    )
    answer = await post_xml(site, document, authorization="none")
    root = etree.fromstring(answer.body)
    ids = [job.public_id for job in site.core.jobs()]
    assert (answer.status, [data.findtext("jobId") for data in root]) == (200, ids)
    assert len(ids) == 2
    assert sorted(message.body for message in site.core.messages()) == ["Hello", "Hello", "Other"]


async def test_a_document_may_log_in_by_basic(site):
    document = f"<sms><data><text>Hello</text><dst>{ONE}</dst></data></sms>"
    assert (await post_xml(site, document)).status == 200
    assert (await post_xml(site, document, authorization="none")).status == 401


async def test_one_bad_job_of_a_document_keeps_none_of_it(site):
    document = f"<sms><data><text>Hello</text><dst>{ONE}</dst></data><data><text>x</text><qos>FAST</qos><dst>{ONE}</dst></data></sms>"
    answer = await post_xml(site, document)
    assert answer.status == 400
    assert "data[1]: options.qos" in (etree.fromstring(answer.body).findtext("error/message") or "")
    assert site.core.jobs() == []


async def test_a_job_that_is_refused_says_why_beside_those_that_are_kept(site):
    document = f"<sms><data><text>Hello</text><dst>12</dst></data><data><text>Hello</text><dst>{ONE}</dst></data></sms>"
    root = etree.fromstring((answer := await post_xml(site, document)).body)
    assert (answer.status, root[0].findtext("error/code")) == (200, "422")
    assert root[1].findtext("jobId") == site.core.jobs()[0].public_id
    alone = await post_xml(site, "<sms><data><text>Hello</text><dst>12</dst></data></sms>")
    assert alone.status == 422


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "empty"),
        ("<sms><data></sms>", "well-formed"),
        ("<Data></data>", "well-formed"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><sms>&b;</sms>', "DOCTYPE"),
        ("<sms/>", "0 elements «data»"),
        ("<sms>\n<date/></sms>", "Line 2: <date> is not expected"),
        ("<sms><data><text>x</text><text>y</text><dst>1</dst></data></sms>", "2 elements «text»"),
        ("<sms><data><dst>1</dst></data></sms>", "0 elements «text»"),
        ("<sms><data/></sms>", "no text and no number"),
        ("<sms><data><text>x</text></data></sms>", "recipients"),
        (f"<sms>{'<data><text>x</text><dst>1</dst></data>' * 101}</sms>", "101 elements «data»"),
    ],
)
async def test_a_document_that_is_none_is_answered_with_what_is_expected(site, body, says):
    answer = await post_xml(site, body)
    root = etree.fromstring(answer.body)
    assert (answer.status, root.findtext("error/code")) == (400, "400")
    assert says in (root.findtext("error/message") or "")
    assert site.core.jobs() == []
