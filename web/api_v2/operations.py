"""The calls of REST version 2, in one table: routing, scopes and the OpenAPI description are read from it.

Each resource has its calls beside what answers them. Not here: what a call is (calls).
"""

from typing import Final

from web.api_v2.calls import Operation
from web.api_v2.cancels import CANCEL_CALLS
from web.api_v2.inbound import INBOUND_CALLS
from web.api_v2.jobs import JOB_CALLS
from web.api_v2.pushes import PUSH_CALLS
from web.api_v2.stops import STOP_CALLS
from web.api_v2.users import USER_CALLS
from web.api_v2.webhooks import WEBHOOK_CALLS

OPERATIONS: Final[tuple[Operation, ...]] = (
    *JOB_CALLS,
    *CANCEL_CALLS,
    *INBOUND_CALLS,
    *STOP_CALLS,
    *USER_CALLS,
    *WEBHOOK_CALLS,
    *PUSH_CALLS,
)
