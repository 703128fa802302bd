"""The plainest interfaces: one SMS by a form or a query, and jobs as an XML document.

Login and password stand beside the fields, as the clients of such interfaces send them; the log never shows a query.
The SMS of a form has the settings of its login and no options. Not here: what the fields mean (rest_v1, xml_jobs).
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from addressbook.senders import Principal, Sender
from gateway.accept import Accepted
from gateway.application_status import ApplicationStatus
from gateway.applications import ApplicationJob, Applications
from sms.message import Origin
from sms.outcome import Refusal, Refused
from web.basic import BasicLogins, is_secure
from web.problems import retry_after, say_fields, say_refusal
from web.rest_v1.answers import sms_view
from web.rest_v1.request import read_fields

_SEND: Final = ("user", "pass", "dst", "msg")
_REPORT: Final = ("user", "pass", "jobid")
_URLENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_CHARSET: Final = re.compile(r""";\s*charset\s*=\s*["']?([\w.:-]+)""", re.ASCII | re.IGNORECASE)
_MOST_FIELDS: Final = 20
_CODECS: Final = MappingProxyType(
    {"utf-8": "utf-8", "ascii": "utf-8", "iso8859-1": "cp1252", "cp1252": "cp1252", "iso8859-15": "iso8859-15"}
)
_XML: Final = "application/xml"


@dataclass(frozen=True, slots=True)
class _Bad:
    """What is wrong with a request."""

    status: int
    text: str


class SimpleHttp:
    """Its routes."""

    def __init__(self, *, logins: BasicLogins, applications: Applications, status: ApplicationStatus) -> None:
        self._logins = logins
        self._applications = applications
        self._status = status

    def routes(self) -> list[BaseRoute]:
        """Return the routes of HTTP simple version 1 and of XML version 1."""
        return [
            Route("/httpsimple/v1/sms", self._send, methods=["POST"]),
            Route("/httpsimple/v1/sms", _only_by_post, methods=["GET"]),
            Route("/httpsimple/v1/reports", self._report, methods=["GET"]),
            Route("/xml/v1/jobs", self._take_xml, methods=["POST"]),
        ]

    async def _send(self, request: Request) -> Response:
        given = await _fields_of(request, _SEND)
        if isinstance(given, _Bad):
            return _plain(given.status, given.text)
        proven = await self._prove(request, given["user"], given["pass"], "HTTP")
        if isinstance(proven, Refused):
            return _refused(proven)
        principal, sender = proven
        job = self._read(
            {"messages": [{"text": given["msg"], "recipients": [{"dst": given["dst"]}]}]},
            sender,
            {"messages[0].text": "msg", "messages[0].recipients[0].dst": "dst"},
        )
        if isinstance(job, str):
            return _plain(400, job)
        kept = await self._applications.submit(principal, job)
        return PlainTextResponse(f"{kept.job_id}\n") if isinstance(kept, Accepted) else _refused(kept)

    async def _report(self, request: Request) -> Response:
        given = await _fields_of(request, _REPORT)
        if isinstance(given, _Bad):
            return _plain(given.status, given.text)
        proven = await self._prove(request, given["user"], given["pass"], "HTTP")
        if isinstance(proven, Refused):
            return _refused(proven)
        job = await self._status.job(proven[1], given["jobid"])
        if job is None:
            return _plain(404, "There is no job of this id.")
        lines = [f"jobId={job.public_id}"]
        for message in job.messages:
            view = sms_view(message)
            names = ("smsId", "dst", "processStatus", "status", "reason", "sentTs", "finishedTs")
            lines += ["", *(f"{name}={_line(view[name])}" for name in names)]
        return PlainTextResponse("\n".join(lines) + "\n")

    async def _take_xml(self, request: Request) -> Response:
        from web.safe_xml import XmlFault  # noqa: PLC0415  (lxml: only who is asked by XML needs it)
        from web.xml_jobs import read_jobs, write_results  # noqa: PLC0415

        try:
            found = read_jobs(await request.body())
        except HTTPException as error:  # a body beyond the limit
            return _xml_error(error.status_code, error.detail)
        if isinstance(found, XmlFault):
            return _xml_error(400, found.text)
        proven = await self._prove(request, found.username, found.password, "XML")
        if isinstance(proven, Refused):
            status, text = say_refusal(proven)
            return _xml_error(status, text, retry_after(status, proven.wait))
        principal, sender = proven
        jobs: list[ApplicationJob] = []
        for index, fields in enumerate(found.jobs):
            job = self._read(fields, sender, {})
            if isinstance(job, str):
                return _xml_error(400, f"data[{index}]: {job}")
            jobs.append(job)
        results = [_result_of(await self._applications.submit(principal, job)) for job in jobs]
        refused = [code for code, _ in results if code]
        # One status for several jobs: it went wrong only where no job was kept.
        status = 200 if len(refused) < len(results) else refused[0]
        return Response(write_results([result for _, result in results]), status, media_type=_XML)

    async def _prove(
        self, request: Request, login: str, password: str, interface: str
    ) -> tuple[Principal, Sender] | Refused:
        """Return who logs in with what stands in the request, else by HTTP Basic."""
        if login:
            principal = await self._logins.prove_login(request, login, password, interface)
        else:
            principal = await self._logins.prove(request)
        if isinstance(principal, Refused):
            return principal
        sender = await self._applications.sender_of(principal, Origin.HTTP, tls=is_secure(request))
        return sender if isinstance(sender, Refused) else (principal, sender)

    def _read(self, fields: Mapping[str, object], sender: Sender, names: Mapping[str, str]) -> ApplicationJob | str:
        """Return a job, or what is wrong with which of its fields; `names` are those that this interface has."""
        job = read_fields(fields, self._applications.zone_of(sender, Origin.HTTP), Origin.HTTP)
        if not isinstance(job, list):
            return job
        said = say_fields(job)
        for path, name in names.items():
            said = said.replace(path, name)
        return said


async def _fields_of(request: Request, names: tuple[str, ...]) -> dict[str, str] | _Bad:
    """Return the fields of a query and of one form together, in the charset that Content-Type or `_charset_` names."""
    header = request.headers.get("content-type", "")
    kind, found = header.partition(";")[0].strip().lower(), _CHARSET.search(header)
    charset = found[1] if found is not None else ""
    try:
        given = _read_pairs(request.scope["query_string"], "")
        if kind == _URLENCODED:
            given += _read_pairs(await request.body(), charset)
        elif kind == _MULTIPART:
            _codec_of(charset)
            given += _texts_of(await request.form(max_files=0, max_fields=_MOST_FIELDS))
        elif kind:
            return _Bad(415, f"The body is {kind[:80]}: expected {_URLENCODED} or {_MULTIPART}.")
    except HTTPException as error:
        return _Bad(error.status_code, f"The form can't be read: {error.detail}")
    except (UnicodeError, LookupError):
        expected = "UTF-8, or the charset that Content-Type or _charset_ names: ISO-8859-1, ISO-8859-15, Windows-1252"
        return _Bad(400, f"The form can't be read: expected {expected}.")
    return _one_each(given, names)


def _read_pairs(octets: bytes, charset: str) -> list[tuple[str, str]]:
    """Return the fields of a query or form. Raises UnicodeError or LookupError where it is in no charset of ours."""
    pairs = [pair.partition(b"=")[::2] for pair in octets.replace(b"+", b" ").split(b"&") if pair]
    if len(pairs) > _MOST_FIELDS:
        raise HTTPException(400, f"it has more than {_MOST_FIELDS} fields.")
    read = [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, value in pairs]
    codec = _codec_of(charset or dict(read).get(b"_charset_", b"").decode("ascii"))
    return [(name.decode(codec), value.decode(codec)) for name, value in read]


def _codec_of(charset: str) -> str:
    """Return how a named charset is read: as browsers do, who write Windows-1252 and call it ISO-8859-1."""
    return _CODECS[codecs.lookup(charset.strip() or "utf-8").name]


def _texts_of(form: FormData) -> list[tuple[str, str]]:
    return [(name, value) for name, value in form.multi_items() if not isinstance(value, UploadFile)]


def _one_each(given: list[tuple[str, str]], names: tuple[str, ...]) -> dict[str, str] | _Bad:
    """Return each of these fields, which must stand there once; others do nothing."""
    found: dict[str, str] = {}
    for name, value in given:
        if name in names and name in found:
            return _Bad(400, f"{name}: expected once, and it is there twice; several numbers are several requests.")
        found[name] = value
    missing = [name for name in names if name not in found]
    if missing:
        return _Bad(400, f"{', '.join(missing)}: expected, and missing.")
    return {name: found[name] for name in names}


async def _only_by_post(_: Request) -> Response:
    text = "An SMS is sent by POST, whose query or form has user, pass, dst and msg."
    return PlainTextResponse(f"405 {text}\n", 405, {"Allow": "POST"})


def _result_of(kept: Accepted | Refused) -> tuple[int, Mapping[str, object]]:
    """Return the status of a refusal, 0 for none, and what the answer says of the job."""
    if isinstance(kept, Accepted):
        return 0, {"jobId": kept.job_id}
    code, message = say_refusal(kept)
    return code, {"error": {"code": code, "message": message}}


def _line(value: object) -> str:
    return "" if value is None else " ".join(str(value).split())


def _plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{status} {text}\n", status, dict(headers or {}))


def _refused(refused: Refused) -> Response:
    status, text = say_refusal(refused)
    if refused.refusal is Refusal.AUTHENTICATION_REQUIRED:
        text = "user and pass: expected, a login and its password."
    return _plain(status, text, retry_after(status, refused.wait))


def _xml_error(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    from web.xml_jobs import write_error  # noqa: PLC0415

    return Response(write_error(status, text), status, dict(headers or {}), _XML)
