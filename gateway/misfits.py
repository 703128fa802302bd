"""Receipts that fit nothing: counted per carrier, compared with the ids that are known, said with the likely setting.

A receipt may come before the answer that makes it fit, so each is looked at again after some seconds. Not here: keeping
them and applying them later (store.receipts, store.progress).
"""

import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from functools import partial

import structlog

from sms.message import Receipt
from store.database import Database
from store.receipts import find_orphans, find_parts_named

log = structlog.get_logger()

_WAIT = 3_000_000
_MOST_WAITING = 1_000
_FEW = 3
_LONGEST = 40

_HEX_THEN_DECIMAL = 'id_in_response = "hex" and id_in_receipt = "decimal"'
_DECIMAL_THEN_HEX = 'id_in_response = "decimal" and id_in_receipt = "hex"'
_ANY_CASE = 'id_in_response and id_in_receipt = "text-any-case"'
_NUMBERS = 'id_in_response and id_in_receipt = "decimal", or "hex"'
_UNSURE = "its answers and receipts may spell ids differently (id_in_response, id_in_receipt, receipt_id_from)"
_WIDTHS = (8, 10, 12, 16, 20)


def spellings(carrier_id: str) -> Iterator[tuple[str, str]]:
    """Yield other spellings of a receipt's id that a carrier's answer may use, with the settings that unite them."""
    if len(carrier_id) > _LONGEST:
        return
    plain = carrier_id.lstrip("0") or "0"
    padded = [carrier_id.zfill(width) for width in _WIDTHS if width > len(carrier_id)]
    if carrier_id.isascii() and carrier_id.isdecimal():
        yield from _written(f"{int(carrier_id):x}", _HEX_THEN_DECIMAL)
    if re.fullmatch(r"[0-9A-Fa-f]+", carrier_id):
        yield from _written(str(int(carrier_id, 16)), _DECIMAL_THEN_HEX)
        yield from ((text, _NUMBERS) for text in (plain, *padded))
    yield from ((text, _ANY_CASE) for text in (carrier_id.lower(), carrier_id.upper()))


def _written(number: str, setting: str) -> Iterator[tuple[str, str]]:
    for text in (number, *(number.zfill(width) for width in _WIDTHS if width > len(number))):
        yield text, setting
        yield text.upper(), setting


class Misfits:
    """Notes receipts that fitted nothing when they came, and warns where they still do: few times however many come."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[tuple[int, Receipt]] = deque(maxlen=_MOST_WAITING)
        self._counts: Counter[str] = Counter()
        self._warn_at: dict[str, int] = {}
        self._known: dict[str, str] = {}

    def note(self, receipt: Receipt, at: int) -> None:
        """Take a receipt that fitted nothing; `at` is in microseconds, as everywhere here."""
        log.info("receipt_fits_nothing_yet", carrier=receipt.carrier, carrier_id=receipt.carrier_id)
        self._waiting.append((at, receipt))

    async def look(self, now: int) -> None:
        """Count those that came some seconds ago and still fit nothing."""
        lately = []
        while self._waiting and self._waiting[0][0] <= now - _WAIT:
            lately.append(self._waiting.popleft()[1])
        if not lately:
            return
        orphans = await self._database.read(partial(find_orphans, carrier_ids={item.carrier_id for item in lately}))
        left = {(orphan.carrier, orphan.carrier_id) for orphan in orphans}
        misfits = [item for item in lately if (item.carrier, item.carrier_id) in left]
        for receipt in misfits:
            self._counts[receipt.carrier] += 1
        await self._compare([item for item in misfits if item.carrier not in self._known])
        for carrier in sorted({item.carrier for item in misfits}):
            self._warn(carrier)

    async def _compare(self, misfits: Sequence[Receipt]) -> None:
        """Find out which other spelling of an id is one of a part of the carrier."""
        likely = {item: list(spellings(item.carrier_id)) for item in misfits}
        wanted = {text for texts in likely.values() for text, _ in texts}
        known = await self._database.read(partial(find_parts_named, carrier_ids=wanted)) if wanted else set()
        for item, texts in likely.items():
            for text, setting in texts:
                if (item.carrier, text) in known and text != item.carrier_id:
                    self._known.setdefault(item.carrier, f"the id {item.carrier_id} may be its {text}: set {setting}")

    def _warn(self, carrier: str) -> None:
        count, hint = self._counts[carrier], self._known.get(carrier, "")
        if count < self._warn_at.get(carrier, 1 if hint else _FEW):
            return
        self._warn_at[carrier] = count * 2
        log.warning("receipts_fit_nothing", carrier=carrier, receipts=count, hint=hint or _UNSURE)
