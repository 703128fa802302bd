"""Jobs as an XML document, and the document that answers it. Pure.

The names of elements are read in any case, and those of REST v1; each `data` is a job of its own. Not here: the routes
(simple), what the fields mean (rest_v1).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from web.safe_xml import XmlFault, append_fields, local_name, parse_xml, text_of

_OPTIONS: Final = (
    "src", "encoding", "billcode", "statusRequested", "flash", "customerRef", "validityMin", "maxParts",
    "invalidCharacters", "qos", "jobPeriod", "duplicateDetection", "blackoutPeriods",
)  # fmt: skip
_NAMES: Final = {name.lower(): name for name in (*_OPTIONS, "text", "dst", "message", "recipient", "blackoutPeriod")}
_MOST_JOBS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlJobs:
    """What a document asks for: the login that it names, empty where it names none, and jobs as REST v1 has them."""

    username: str
    password: str
    jobs: Sequence[Mapping[str, object]]


def read_jobs(content: bytes) -> XmlJobs | XmlFault:
    """Return the jobs of a document, or the first thing that is wrong with it, with its line."""
    root = parse_xml(content)
    if isinstance(root, XmlFault):
        return root
    login: dict[str, str] = {}
    jobs: list[Mapping[str, object]] = []
    for child in root:
        name = local_name(child).lower()
        if name in {"user", "pass"} and name not in login:
            login[name] = text_of(child)
        elif name == "data":
            job = _read_job(child)
            if isinstance(job, XmlFault):
                return job
            jobs.append(job)
        else:
            return _unexpected(child, "data, user or pass, each of the last two once")
    if not 1 <= len(jobs) <= _MOST_JOBS:
        return XmlFault(f"The document has {len(jobs)} elements «data»: expected 1 to {_MOST_JOBS}, one for each job.")
    return XmlJobs(username=login.get("user", ""), password=login.get("pass", ""), jobs=jobs)


def write_results(results: Sequence[Mapping[str, object]]) -> bytes:
    """Return the answer: for each job an element `data` with its `jobId`, or with the `error` that refused it."""
    root = etree.Element("sms")
    for result in results:
        append_fields(etree.SubElement(root, "data"), result)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def write_error(code: int, message: str) -> bytes:
    """Return the answer to a document of which nothing was taken."""
    root = etree.Element("sms")
    append_fields(root, {"error": {"code": code, "message": message}})
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _read_job(data: etree._Element) -> Mapping[str, object] | XmlFault:
    """Return a job. A short one has its text and numbers beside the options, a long one has messages."""
    options: dict[str, object] = {}
    own: list[etree._Element] = []
    messages: list[Mapping[str, object]] = []
    for child in data:
        name = _name_of(child)
        if name in {"text", "dst", "recipient"}:
            own.append(child)
        elif name == "message":
            message = _read_message(list(child), child)
            if isinstance(message, XmlFault):
                return message
            messages.append(message)
        elif name in _OPTIONS and name not in options:
            options[name] = list(_periods(child)) if name == "blackoutPeriods" else text_of(child)
        else:
            return _unexpected(child, "an option once, or text, dst, recipient or message")
    if own:
        message = _read_message(own, data)
        if isinstance(message, XmlFault):
            return message
        messages.insert(0, message)
    if not messages:
        return XmlFault(f"Line {data.sourceline}: the job has no text and no number: expected text and dst.")
    return {"options": options, "messages": messages}


def _read_message(children: Sequence[etree._Element], parent: etree._Element) -> Mapping[str, object] | XmlFault:
    texts: list[str] = []
    recipients: list[Mapping[str, object]] = []
    for child in children:
        name = _name_of(child)
        if name == "text":
            texts.append(text_of(child))
        elif name == "dst":
            recipients.append({"dst": text_of(child)})
        elif name == "recipient":
            recipients.append(
                {
                    _name_of(field): list(_periods(field)) if _name_of(field) == "blackoutPeriods" else text_of(field)
                    for field in child
                }
            )
        else:
            return _unexpected(child, "text, dst or recipient")
    if len(texts) != 1:
        return XmlFault(f"Line {parent.sourceline}: a message has {len(texts)} elements «text»: expected one.")
    return {"text": texts[0], "recipients": recipients}


def _periods(element: etree._Element) -> Iterator[str]:
    if not len(element):
        yield text_of(element)
    for period in element:
        yield text_of(period)


def _name_of(element: etree._Element) -> str:
    """Return the name as REST v1 spells it, or as it stands where REST v1 knows none."""
    name = local_name(element)
    return _NAMES.get(name.lower(), name)


def _unexpected(element: etree._Element, expected: str) -> XmlFault:
    return XmlFault(
        f"Line {element.sourceline}: <{local_name(element)[:40]}> is not expected there: expected {expected}."
    )
