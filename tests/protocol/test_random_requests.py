"""Requests of every HTTP interface changed at random, by octets and by fields: one is kept whole, or refused with a reason."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

import pytest
from hypothesis import settings
from lxml import etree

from tests.kit.rest_site import LOGIN, PASSWORD, Answer, rest_site
from tests.kit.testbed import make_house, open_core
from web.soap.envelope import SERVICE

ONE, TWO = "+447700900101", "+447700900102"
ODD: list[Any] = [
    None, True, False, 0, -1, 10**30, 1e308, -0.0, "", " ", "\0", "\ud800", "a\ud83d", "\u202e", "é\u0301" * 300, "x" * 5000,
    "9999-12-31T23:59:59+14:00", "0001-01-01T00:00:00-14:00", "2026-13-01", "T/T", "P1D/2026-01-01T00:00:00Z", "²", "1_0", "+",
    "NaN", "%", "&#0;", "]]>", "<a/>", "'; --", [], {}, [[]], [None], {"": {}}, [{"dst": ONE}] * 3, [[[[[[[[[[[[]]]]]]]]]]]],
]  # fmt: skip
OCTETS = [b"", b"\0", b"\xff", b"\xed\xa0\x80", b'"', b"\\u", b"\\ud800", b"{", b"]", b"<", b"&", b"&#0;", b"<!--", b"<![CDATA[", b"%", b"=", b"\r\n", b"--x"]  # fmt: skip
OPTIONS = {
    "src": "ACME", "encoding": "STANDARD", "billcode": "4711", "statusRequested": True, "flash": False, "customerRef": "order 7",
    "validityMin": 90, "maxParts": 2, "invalidCharacters": "TRANSLITERATE", "qos": "NORMAL", "duplicateDetection": False,
    "jobPeriod": "2026-01-01T00:00:00Z", "blackoutPeriods": ["2026-01-01T00:00:00Z/2026-01-01T06:00:00Z"],
}  # fmt: skip
JOB = {
    "options": OPTIONS,
    "messages": [{"text": "Hello", "recipients": [{"dst": ONE, "customerRef": "Anna"}, {"dst": TWO}]}],
}
"""What each request asks for before it is changed."""


def to_json(job: Any) -> bytes:
    return json.dumps(job).encode()


def to_xml(job: Any) -> bytes:
    """Write a job, whatever it has become, as the XML of version 1, whose options stand beside the messages."""
    options = _get(job, "options")
    beside = {name: job[name] for name in job if name != "options"} | (options if isinstance(options, dict) else {})
    return f"<sms><data>{_elements(beside)}</data></sms>".encode("utf-8", "surrogatepass")


def to_soap(job: Any) -> bytes:
    call = f"<username>{LOGIN}</username><password>{PASSWORD}</password><job>{_elements(job)}</job>"
    body = f"<s:Body><sendJob>{call}</sendJob></s:Body>"
    start = f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns="{SERVICE}">'
    return f"{start}{body}</s:Envelope>".encode("utf-8", "surrogatepass")


def _elements(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(_element(name, each) for name, each in value.items())
    if isinstance(value, list):
        return "".join(_element("blackoutPeriod", each) for each in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))


def _element(name: str, value: Any) -> str:
    if name in {"messages", "recipients"} and isinstance(value, list):
        return "".join(_element(name.removesuffix("s"), each) for each in value)
    tag = "".join(letter for letter in name if letter.isalnum()) or "x"
    return f"<{tag}>{_elements(value)}</{tag}>"


def to_form(job: Any) -> bytes:
    given = [
        (name, one) for name, value in _fields(job).items() for one in (value if isinstance(value, list) else [value])
    ]
    return urlencode(given, errors="surrogatepass").encode()


def to_multipart(job: Any) -> bytes:
    parts = (
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in _fields(job).items()
    )
    return "".join(parts).encode("utf-8", "surrogatepass") + b"--x--\r\n"


def _fields(job: Any) -> dict[str, Any]:
    """Return the fields that HTTP simple has, with what the job has for them now."""
    message = _first(job, "messages")
    recipient = _first(message, "recipients")
    return {"user": LOGIN, "pass": PASSWORD, "msg": _get(message, "text"), "dst": _get(recipient, "dst")}


def _get(value: Any, name: str) -> Any:
    return value.get(name, "") if isinstance(value, dict) else value


def _first(value: Any, name: str) -> Any:
    found = _get(value, name)
    return found[0] if isinstance(found, list) and found else found


def says_as_json(answer: Answer) -> int:
    """Check an answer of REST, and return how many jobs it says are kept."""
    if answer.status == 201:
        return 1
    told = answer.json
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == told["code"] == answer.status
    assert told["detail"]
    if told["reason"] == "option-malformed":
        assert told["errors"]
        assert all(item["field"] and item["expected"] for item in told["errors"])
    return 0


def says_as_xml(answer: Answer) -> int:
    root = etree.fromstring(answer.body)
    assert root.findall(".//jobId") or root.findtext(".//error/message")
    return len(root.findall(".//jobId"))


def says_as_soap(answer: Answer) -> int:
    root = etree.fromstring(answer.body)
    if answer.status == 200:
        return 1
    assert root.findtext(".//faultcode") in {"soap:Client", "soap:VersionMismatch", "soap:MustUnderstand"}
    assert root.findtext(".//faultstring")
    if root.findtext(".//faultcode") == "soap:Client":
        assert 400 <= int(root.findtext(f".//{{{SERVICE}}}code") or 0) < 500
    return 0


def says_in_a_line(answer: Answer) -> int:
    told = answer.body.decode()
    assert told.startswith("J." if answer.status == 200 else f"{answer.status} ")
    return int(answer.status == 200)


@dataclass(frozen=True, kw_only=True)
class Interface:
    path: str
    kind: str
    write: Callable[[Any], bytes]
    says: Callable[[Answer], int]


INTERFACES = {
    "REST": Interface(path="/rest/v1/jobs", kind="application/json", write=to_json, says=says_as_json),
    "XML": Interface(path="/xml/v1/jobs", kind="application/xml", write=to_xml, says=says_as_xml),
    "SOAP": Interface(path="/soap/v4/", kind="text/xml", write=to_soap, says=says_as_soap),
    "form": Interface(
        path="/httpsimple/v1/sms", kind="application/x-www-form-urlencoded", write=to_form, says=says_in_a_line
    ),
    "multipart": Interface(
        path="/httpsimple/v1/sms", kind="multipart/form-data; boundary=x", write=to_multipart, says=says_in_a_line
    ),
}  # fmt: skip


def places_of(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container within a value with each of its keys."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places_of(inner)


def change_fields(chance: random.Random, job: Any) -> Any:
    """Return a job of which one to three fields are odd, missing, named otherwise or there again."""
    job = deepcopy(job)
    for _ in range(chance.choice([1, 1, 2, 3])):
        places = list(places_of(job))
        if not places:
            break
        where, key = chance.choice(places)
        match chance.randrange(5):
            case 0:
                del where[key]
            case 1 if isinstance(where, dict):
                where[chance.choice(["dst", "text", "options", "x" * 99, "\ud800", "customer_ref"])] = where.pop(key)
            case 2 if isinstance(where, list):
                where.insert(0, deepcopy(chance.choice([*where, *ODD])))
            case _:
                where[key] = deepcopy(chance.choice(ODD))
    return job


def change_octets(chance: random.Random, octets: bytes) -> bytes:
    """Return octets of which one to four places are cut out, replaced, doubled or broken off."""
    for _ in range(chance.choice([1, 1, 2, 4])):
        start = chance.randrange(len(octets) + 1)
        end = min(len(octets), start + chance.choice([0, 1, 1, 4, 40]))
        inserted = chance.choice([*OCTETS, octets[start:end] * 2, bytes([chance.randrange(256)])])
        octets = octets[:start] + inserted + (b"" if chance.random() < 0.05 else octets[end:])
    return octets


@contextmanager
def naming(what: bytes) -> Iterator[None]:
    """Name the request with whatever fails."""
    try:
        yield
    except (AssertionError, ValueError, KeyError, OSError, etree.XMLSyntaxError) as error:
        raise AssertionError(f"{what!r}: {error}") from error


@pytest.mark.slow
@pytest.mark.parametrize("name", INTERFACES)
async def test_a_request_that_was_changed_is_kept_whole_or_refused_with_its_reason(name, tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    interface, chance, kept = INTERFACES[name], random.Random(1), 0
    turns = min(5 * settings().max_examples, 20_000)
    async with rest_site(core) as site:
        await site.administer("customer option acme --add http", "customer option acme --add soap")
        for turn in range(turns):
            job = change_fields(chance, JOB) if turn % 2 else JOB
            body = interface.write(job) if turn % 2 else change_octets(chance, interface.write(job))
            with naming(body):
                answer = await site.ask("POST", interface.path, body, Content_Type=interface.kind)
                assert answer.status < 500 or (name, answer.status) == ("SOAP", 500)
                kept += interface.says(answer)
                ((jobs,),) = site.core.rows("SELECT count(*) FROM job")
                assert jobs == kept
        assert 0 < kept < turns
        ((bare,),) = site.core.rows("SELECT count(*) FROM job WHERE key NOT IN (SELECT job_key FROM message)")
        assert bare == 0
    core.database.close()
