"""What a customer has contracted: a set of options, asked for at one place (`Customer.has_option`).

Not here: who changes them (gateway.admin.options), and what each of them does.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sms.message import Origin


class Option(StrEnum):
    """One contracted option. `APPLICATION` is the push of an inbound SMS, `PUSH` the push of a status."""

    MAIL2SMS = "mail2sms"
    SAP = "sap"
    REST = "rest"
    SOAP = "soap"
    HTTP = "http"
    SMPP = "smpp"
    SMS2MAIL = "sms2mail"
    APPLICATION = "application"
    PUSH = "push"
    LIST = "list"
    SMS_TO_SMPP = "sms-to-smpp"
    DIRECTORY = "directory"
    EXPRESS = "express"


ALL_OPTIONS = frozenset(Option)

SERVICE_OPTIONS: Final[Mapping[Origin, Option]] = MappingProxyType(
    {
        Origin.MAIL: Option.MAIL2SMS,
        Origin.SAP: Option.SAP,
        Origin.REST: Option.REST,
        Origin.SOAP: Option.SOAP,
        Origin.HTTP: Option.HTTP,
        Origin.SMPP: Option.SMPP,
    }
)
"""What a customer needs for each service; automatic answers and what people send by hand (`PORTAL`) need nothing."""
