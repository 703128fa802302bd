"""Letters: mails to people in words of ours, about what a customer and the operator have to do with each other.

A letter is a row of the outbox, written with what it tells of. Its words are `letter.NAME-subject` and
`letter.NAME-text` of the catalogues of mails, in the language of its reader or its customer. Not here: how it looks
(mta.sending.letter).
"""

import json
from collections.abc import Mapping
from typing import Final

from gateway.ports import Letter
from gateway.postmaster import pack, unpack
from store.outbox import NewRow, TakenRow

LETTER: Final = "letter"


def letter_row(  # noqa: PLR0913 - what a letter consists of
    recipient: str,
    words: str,
    fields: Mapping[str, str],
    *,
    now: int,
    customer_key: int | None = None,
    reply_to: str = "",
    language: str = "",
    attached: str = "",
    table: bytes = b"",
    workbook: bytes = b"",
) -> NewRow:
    """Return a letter as a row in a language (empty: the customer's, else English). `now` is in microseconds.

    `table` is CSV, attached under the name `attached`; `workbook` is the same as XLSX.
    """
    return NewRow(
        kind=LETTER,
        prefix="L",
        recipient=recipient,
        now=now,
        about={
            "words": words,
            "fields": json.dumps(dict(fields)),
            "reply_to": reply_to,
            "language": language,
            "attached": attached,
            "workbook": len(workbook),
        },
        content=pack(table + workbook) if table else None,
        customer_key=customer_key,
    )


def open_letter(taken: TakenRow) -> Letter:
    """Return a taken row as the letter that it is."""
    about = json.loads(taken.about)
    files = unpack(taken.content) if taken.content else b""
    end = len(files) - about.get("workbook", 0)  # those of an earlier version have none
    return Letter(
        identity=taken.public_id,
        recipient=taken.recipient,
        customer_key=taken.customer_key or 0,
        words=about["words"],
        fields=json.loads(about["fields"]),
        reply_to=about["reply_to"],
        language=about["language"],
        attached=about["attached"],
        table=files[:end],
        workbook=files[end:],
    )
