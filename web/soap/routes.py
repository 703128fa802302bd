"""SOAP version 4: the calls of its description, carried out as REST version 1 does.

A fault in a call that is well made is answered with 500, as SOAP 1.1 §6.2 demands and its clients expect; what is no
call, with 400. Not here: how envelopes are read and written (envelope).
"""

from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from addressbook.senders import Principal, Sender
from gateway.accept import Accepted
from gateway.application_status import ApplicationStatus
from gateway.applications import Applications
from gateway.ports import Clock
from sms.message import Origin
from sms.outcome import Refused
from web.basic import BasicLogins, is_secure
from web.problems import retry_after, say_fields, say_refusal
from web.rest_v1.answers import job_view, sms_view, version_view
from web.rest_v1.query import read_query
from web.rest_v1.request import read_fields
from web.soap.calls import Fields, SoapCall, SoapFault

PATH: Final = "/soap/v4/"
_XML: Final = "text/xml; charset=utf-8"
_REPORTED: Final = (
    "jobId", "src", "encoding", "billcode", "statusRequested", "flash", "validityMin", "customerRef", "qos",
    "receiptTs", "finishedTs",
)  # fmt: skip
_REPORTED_SMS: Final = ("smsId", "dst", "processStatus", "status", "customerRef", "reason", "sentTs", "finishedTs")


class SoapV4:
    """Its routes."""

    def __init__(
        self, *, logins: BasicLogins, applications: Applications, status: ApplicationStatus, clock: Clock
    ) -> None:
        self._logins = logins
        self._applications = applications
        self._status = status
        self._clock = clock
        self._started = clock.now()

    def routes(self) -> list[BaseRoute]:
        """Return the routes: the description by GET, calls by POST."""
        paths = (PATH, PATH.removesuffix("/"))
        return [
            *(Route(path, self._describe, methods=["GET"]) for path in paths),
            *(Route(path, self._call, methods=["POST"]) for path in paths),
        ]

    async def _describe(self, request: Request) -> Response:
        address = f"{request.url.scheme}://{request.headers.get('host', '')}{PATH}"
        from web.soap.envelope import write_description  # noqa: PLC0415  (lxml: only who is asked by SOAP needs it)

        return Response(write_description(address), media_type=_XML)

    async def _call(self, request: Request) -> Response:
        from web.soap.envelope import read_call, write_answer  # noqa: PLC0415

        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in {"text/xml", "application/xml", ""}:
            return _fault(SoapFault(code=415, message="Expected the Content-Type text/xml, as SOAP 1.1 has it."), 415)
        try:
            call = read_call(await request.body())
        except HTTPException as error:  # a body beyond the limit
            return _fault(SoapFault(code=error.status_code, message=error.detail), error.status_code)
        if isinstance(call, SoapFault):
            return _fault(call, 500 if call.kind in {"VersionMismatch", "MustUnderstand"} else 400)
        answer = await self._answer(request, call)
        if isinstance(answer, SoapFault):
            return _fault(answer, 500)
        return Response(write_answer(call.operation, answer), media_type=_XML)

    async def _answer(self, request: Request, call: SoapCall) -> Fields | SoapFault:
        if call.operation == "getVersionInfo":
            return version_view(self._started)
        principal = await self._logins.prove_login(request, call.username, call.password, "SOAP")
        if isinstance(principal, Refused):
            return _refused(principal)
        sender = await self._applications.sender_of(principal, Origin.SOAP, tls=is_secure(request))
        if isinstance(sender, Refused):
            return _refused(sender)
        match call.operation:
            case "sendJob":
                return await self._send(call, principal, sender)
            case "getAvailableJobReports":
                return await self._list_jobs(call, sender)
            case _:
                return await self._show_job(call, sender)

    async def _send(self, call: SoapCall, principal: Principal, sender: Sender) -> Fields | SoapFault:
        job = read_fields(call.fields["job"], self._applications.zone_of(sender, Origin.SOAP), Origin.SOAP)
        if isinstance(job, list):
            return SoapFault(code=400, message=say_fields(job))
        kept = await self._applications.submit(principal, job)
        return {"jobId": kept.job_id} if isinstance(kept, Accepted) else _refused(kept)

    async def _list_jobs(self, call: SoapCall, sender: Sender) -> Fields | SoapFault:
        given = {name: str(value) for name, value in call.fields.items()}
        wanted = read_query(given, self._applications.zone_of(sender, Origin.SOAP), self._clock.now())
        if isinstance(wanted, list):
            return SoapFault(code=400, message=say_fields(wanted))
        return {"jobId": await self._status.job_ids(sender, wanted)}

    async def _show_job(self, call: SoapCall, sender: Sender) -> Fields | SoapFault:
        job = await self._status.job(sender, str(call.fields["jobId"]))
        if job is None:
            return SoapFault(code=404, message="There is no job of this id.")
        report = _select(job_view(job), _REPORTED)
        report["recipient"] = [_select(sms_view(message), _REPORTED_SMS) for message in job.messages]
        return {"jobReport": report}


def _select(view: Mapping[str, object], names: tuple[str, ...]) -> dict[str, object]:
    """Return the fields in the order of the schema; `reason` is there though it is empty."""
    return {name: "" if view[name] is None and name == "reason" else view[name] for name in names}


def _refused(refused: Refused) -> SoapFault:
    code, message = say_refusal(refused)
    return SoapFault(code=code, message=message, kind="Server" if code in {429, 503} else "Client")


def _fault(fault: SoapFault, status: int) -> Response:
    from web.soap.envelope import write_fault  # noqa: PLC0415

    return Response(write_fault(fault), status, retry_after(fault.code), _XML)
