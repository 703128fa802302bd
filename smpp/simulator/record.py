"""The exact record of what the sandbox carrier accepted: every submit, and the messages as phones show them.

It is in memory, and also in a file, if one is given: each line is appended before the submit is answered, so it
survives the process. Not here: deciding what is accepted (script).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TextIO

from smpp.dialect.fragments import read_message
from smpp.simulator.script import Submitted
from smpp.wire.bodies import DataSm, SubmitSm
from smpp.wire.tlv import Tag, Tlv
from sms.message import Alphabet, EncodedText, ReceiptState

_UCS2 = 0x08  # §5.2.19


class Taken(NamedTuple):
    """One accepted submit; `key` is its normalised message id, made from `id_number`."""

    submitted: Submitted
    id_number: int
    message_id: str
    key: str

    def as_json(self) -> str:
        """Return the line of the record's file, without its end."""
        submitted, body = self.submitted, self.submitted.body
        text, place = read_message(submitted.pdu, submitted.dialect)
        return json.dumps(
            {
                "nth": submitted.nth,
                "at": submitted.at.isoformat(),
                "system_id": submitted.system_id,
                "id": self.message_id,
                "number": submitted.number,
                "sender": submitted.sender,
                "text": text,
                "udh": submitted.udh.hex(),
                "reference": place.reference,
                "index": place.index,
                "total": place.total,
                "data_coding": body.data_coding,
                "registered_delivery": body.registered_delivery,
                "priority": body.priority_flag if isinstance(body, SubmitSm) else 0,
            },
            ensure_ascii=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMessage:
    """A message as the phone shows it: joined from its `parts`; `missing` has the indexes that never came.

    `nth` and `at` are those of the submit of its first part.
    """

    number: str
    sender: str
    text: str
    nth: int
    at: datetime
    alphabet: Alphabet
    parts: int = 1
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSms:
    """An SMS that a phone has sent to an ESME; whether that has taken it is not said."""

    number: str
    recipient: str
    encoded: EncodedText
    at: datetime


class Record:
    """All accepted submits and all SMS of phones, in order. `states` is the state of each key for queries."""

    def __init__(self, path: Path | None = None) -> None:
        self.taken: list[Taken] = []
        self.from_phones: list[PhoneSms] = []
        self.states: dict[str, ReceiptState] = {}
        self._places: dict[str, int] = {}
        self._file: TextIO | None = path.open("a", encoding="utf-8") if path is not None else None

    def add(self, taken: Taken) -> None:
        """Remember a submit; the operating system has its line when this returns."""
        self._places[taken.key] = len(self.taken)
        self.taken.append(taken)
        self.states[taken.key] = ReceiptState.ENROUTE
        if self._file is not None:
            self._file.write(taken.as_json() + "\n")
            self._file.flush()

    def find(self, key: str) -> Taken | None:
        """Return the submit with the key."""
        place = self._places.get(key)
        return None if place is None else self.taken[place]

    def replace(self, taken: Taken, message: bytes) -> None:
        """Replace the text of a submit; the file keeps its line."""
        submitted = taken.submitted
        body = submitted.body
        if isinstance(body, DataSm):
            tlvs = tuple(tlv for tlv in submitted.pdu.tlvs if tlv.tag != Tag.MESSAGE_PAYLOAD)
            pdu = submitted.pdu._replace(tlvs=(*tlvs, Tlv(Tag.MESSAGE_PAYLOAD, message)))
        else:
            pdu = submitted.pdu._replace(body=body._replace(short_message=message))
        self.taken[self._places[taken.key]] = taken._replace(submitted=submitted._replace(pdu=pdu))

    def shown(self) -> list[ShownMessage]:
        """Return the messages as phones show them, in the order of their first parts.

        A part that comes twice begins a second message, so that no repeated send is hidden.
        """
        return join_parts(taken.submitted for taken in self.taken)

    def close(self) -> None:
        """Close the file, if any."""
        if self._file is not None:
            self._file.close()
            self._file = None


def join_parts(submits: Iterable[Submitted]) -> list[ShownMessage]:
    """Return the messages of these submits; incomplete ones name their missing parts."""
    begun: list[tuple[Submitted, int, dict[int, str]]] = []
    unfinished: dict[tuple[str, str, int | None, int], list[dict[int, str]]] = {}
    for submitted in submits:
        text, place = read_message(submitted.pdu, submitted.dialect)
        waiting = unfinished.setdefault((submitted.number, submitted.sender, place.reference, place.total), [])
        texts = next((texts for texts in waiting if place.index not in texts), None)
        if texts is None:
            texts = {}
            waiting.append(texts)
            begun.append((submitted, place.total, texts))
        texts[place.index] = text
        if len(texts) == place.total:
            waiting.remove(texts)
    return [
        ShownMessage(
            number=submitted.number,
            sender=submitted.sender,
            text="".join(texts[index] for index in sorted(texts)),
            nth=submitted.nth,
            at=submitted.at,
            alphabet=Alphabet.UCS2 if submitted.body.data_coding == _UCS2 else Alphabet.GSM7,
            parts=total,
            missing=tuple(index for index in range(1, total + 1) if index not in texts),
        )
        for submitted, total, texts in begun
    ]
