"""What a customer has contracted: a set of options, asked for at one place (`Snapshot.has_option`).

Not here: who changes them (gateway.admin.options), and what each of them does.
"""

from enum import StrEnum


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
