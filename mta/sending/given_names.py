"""The names that the sender gave recipients in To and Cc: `Anna Keller <+447700900123@sms.example.net>`.

Not here: names from the address book (gateway.phone_names), which these go before.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from mta.reading.headers import MOST_FIELDS, read_addresses, read_fields
from sms.report import JobReport, ReportedMessage

_KNOWN_DIGITS = 6  # so many last digits of the number stand in an address that is the number's own


def with_given_names(report: JobReport) -> JobReport:
    """Return a report whose recipients have the names that the mail gave their addresses.

    A list's address is nobody's own, and a name that repeats the address is none.
    """
    names = dict(_names(report.mail.header)) if report.mail is not None else {}
    if not names:
        return report
    return replace(report, messages=tuple(_named(message, names) for message in report.messages))


def _names(header: bytes) -> Iterator[tuple[str, str]]:
    fields = read_fields(header, MOST_FIELDS) or {}
    for value in (*fields.get("to", ()), *fields.get("cc", ())):
        for found in read_addresses(value):
            name = found.name.strip(" '\"")
            if found.address and "@" not in name and re.search(r"[^\W\d_]{2}", name):
                yield found.address.casefold(), name


def _named(message: ReportedMessage, names: dict[str, str]) -> ReportedMessage:
    name = names.get(message.given.casefold(), "")
    is_own = message.number[-_KNOWN_DIGITS:] in re.sub(r"\D", "", message.given)
    return replace(message, name=name) if name and is_own else message
