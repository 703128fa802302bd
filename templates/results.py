"""What became of every recipient of a job, as a table for a spreadsheet, where a mail shows only some.

The text of the SMS is not in it. Not here: which mails have it (mta.sending.compose). RFC 4180.
"""

from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo

from addressbook.exchange import SPREADSHEET, separator_for, write_csv
from sms.report import JobReport, ReportedMessage
from templates.country_words import say_deeds
from templates.recipient_view import (
    address_of,
    delivered_at,
    explain_message,
    find_detail,
    say_state,
    show_sender,
    step_of,
)
from templates.shown_text import show_line
from templates.verdict import choose_rows
from templates.words import Words

MOST_RESULTS: Final = 20_000
"""So many recipients a table has, about 3 MB of them, those that did not get the SMS first."""

_COLUMNS: Final = ("number", "name", "state", "time", "parts", "reason")


def write_results(report: JobReport, words: Words) -> bytes:
    """Return the table, headed in the reader's language, times in the reader's zone to the second."""
    zone = report.settings.time_zone
    shown, _ = choose_rows(report.messages, MOST_RESULTS)
    heads = [words.say(f"results.{column}", zone=zone) for column in _COLUMNS]
    rows = (tuple(_cells(message, report, words, zone)) for message in shown)
    return write_csv(heads, rows, separator_for(words.language)).encode(SPREADSHEET)


def _cells(message: ReportedMessage, report: JobReport, words: Words, zone: str) -> Iterator[object]:
    yield address_of(message)
    yield show_line(message.name)
    yield say_state(message, words)
    yield f"{delivered_at(message).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"
    yield len(message.parts)
    rules = say_deeds(message.findings, message.country, words, show_sender(message.sender_id))
    step = step_of(message)
    if step is None:
        yield " ".join(rules)
        return
    sentence = explain_message(message, words, zone, settled=report.settled_at is not None)
    yield " ".join(filter(None, (sentence, find_detail(message, words), *rules, words.say(f"step.{step}"))))
