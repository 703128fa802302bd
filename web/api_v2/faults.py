"""What REST version 2 answers to a fault of administration: the problem that it is, or the field that is to blame.

Not here: what is at fault (gateway.admin).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from starlette.responses import Response

from gateway.admin.faults import AdminFault, FaultCode
from sms.outcome import Refusal, Refused
from sms.settings import SettingProblem, parse_setting
from web.api_v2.answers import problem, refuse, refuse_fields
from web.api_v2.problem_types import HttpProblem
from web.problems import BadField

_ABSENT: Final[Mapping[FaultCode, str]] = MappingProxyType(
    {
        FaultCode.NO_USER: "There is no user {address}.",
        FaultCode.NO_PROFILE: "There is no profile «{name}».",
        FaultCode.NO_WEBHOOK: "There is no webhook of {address}, or it has no key.",
        FaultCode.NO_PUSH: "There is no push {name}.",
        FaultCode.NO_STOP: "The stop list has no entry in force for {numbers}.",
    }
)
_REFUSED: Final[Mapping[FaultCode, tuple[Refusal, str]]] = MappingProxyType(
    {
        FaultCode.LOCKED: (Refusal.SETTING_NOT_PERMITTED, "The setting {field} is locked by {by}."),
        FaultCode.SENDER_ID_BARRED: (
            Refusal.SENDER_ID_NOT_PERMITTED,
            "The sender ID {sender_id} is not among those that {by} permits.",
        ),
        FaultCode.SENDER_ID_DEDICATED: (
            Refusal.SENDER_ID_NOT_PERMITTED,
            "The sender ID {sender_id} is a number of somebody else.",
        ),
        FaultCode.NOT_CONTRACTED: (Refusal.NOT_CONTRACTED, "The customer has not the option {option}."),
    }
)
_MALFORMED: Final[Mapping[FaultCode, tuple[str, str]]] = MappingProxyType(
    {
        FaultCode.NO_SERVICE: ("service", "the name of a service, such as mail or rest"),
        FaultCode.NO_SETTING: ("settings", "names of settings; there is no {name}"),
        FaultCode.BAD_PUSH: ("url", "a URL that may be pushed to: {cause}"),
        FaultCode.BAD_HANDSET: ("numbers", "numbers of phones; «{given}» is none ({cause})"),
    }
)
_CONFLICTS: Final[Mapping[FaultCode, tuple[HttpProblem, str]]] = MappingProxyType(
    {
        FaultCode.WEBHOOK_EXISTS: (HttpProblem.WEBHOOK_EXISTS, "There is a webhook of {address} already."),
        FaultCode.PUSH_NOT_OVER: (HttpProblem.PUSH_NOT_OVER, "The push {name} is {state}."),
    }
)


def refuse_fault(fault: AdminFault) -> Response:
    """Return the answer to a fault. Raises it again where none of the calls can cause it."""
    facts = {name: ", ".join(map(str, fact)) if isinstance(fact, tuple) else fact for name, fact in fault.facts.items()}
    if fault.code is FaultCode.BAD_VALUE:
        name, given = str(facts["field"]), str(facts["given"])
        found = parse_setting(name, given)
        expected = found.expected if isinstance(found, SettingProblem) else "another value"
        return refuse_fields([BadField(field=f"settings.{name}", expected=expected)])
    if fault.code in _ABSENT:
        return problem(HttpProblem.NOT_FOUND, _ABSENT[fault.code].format(**facts))
    if fault.code in _REFUSED:
        refusal, said = _REFUSED[fault.code]
        return refuse(Refused(refusal=refusal, detail=said.format(**facts)))
    if fault.code in _CONFLICTS:
        kind, said = _CONFLICTS[fault.code]
        return problem(kind, said.format(**facts))
    if fault.code in _MALFORMED:
        name, expected = _MALFORMED[fault.code]
        return refuse_fields([BadField(field=name, expected=expected.format(**facts))])
    raise fault
