"""Support requests: who has to do something, and who writes. Not here: the requests themselves (gateway.admin)."""

from enum import StrEnum


class RequestState(StrEnum):
    """Who has to do something: OPEN the desk, WAITING the customer, SOLVED and CLOSED nobody. None follows CLOSED."""

    OPEN = "open"
    WAITING = "waiting"
    SOLVED = "solved"
    CLOSED = "closed"


class Side(StrEnum):
    """Who writes."""

    CUSTOMER = "customer"
    DESK = "desk"
