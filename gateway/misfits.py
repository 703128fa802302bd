"""Receipts that fit nothing: counted per carrier, compared with the ids that are known, said with the likely setting.

A receipt may come before the answer that makes it fit, so each is looked at again after some seconds. Those of a
carrier whose dialect explains its ids are tried with parts whose id was kept before it did, and at a start so are all
that are still kept. Not here: keeping them and applying them (store.receipts, store.results), what an id is (smpp).
"""

import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial

import structlog

from sms.message import Receipt
from store.engine.database import Database
from store.receipts import NamedPart, Orphan, find_orphans, find_orphans_of, find_parts_named
from store.results import Refit

log = structlog.get_logger()

_WAIT = 3_000_000
_MOST_WAITING = 1_000
_FEW = 3
_LONGEST = 40
_MOST_RECALLED = 50_000
_AT_ONCE = 500

Unite = Callable[[str, str], str]
"""Returns the one id that an answer's and a receipt's are by a carrier's dialect, empty where they are two."""

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

    def __init__(
        self, database: Database, unite: Mapping[str, Unite], refit: Callable[[list[Refit]], Awaitable[None]]
    ) -> None:
        self._database = database
        self._unite = unite
        self._refit = refit
        self._waiting: deque[tuple[int, Receipt]] = deque(maxlen=_MOST_WAITING)
        self._counts: Counter[str] = Counter()
        self._warn_at: dict[str, int] = {}
        self._known: dict[str, str] = {}

    async def recall(self, now: int) -> None:
        """Try the receipts that are kept since an earlier start: the operator may have explained the ids since."""
        if not self._unite:
            return
        find = partial(find_orphans_of, carriers=set(self._unite), most=_MOST_RECALLED)
        orphans = await self._database.read(find)
        for begin in range(0, len(orphans), _AT_ONCE):
            await self._fit(orphans[begin : begin + _AT_ONCE], now)

    async def _fit(self, orphans: Sequence[Orphan], now: int) -> set[int]:
        """Apply those that are of one part, by the carrier's dialect and the number; returns their keys."""
        tried = [orphan for orphan in orphans if orphan.carrier in self._unite and orphan.number]
        wanted = {text for orphan in tried for text, _ in spellings(orphan.carrier_id)}
        wanted |= {orphan.carrier_id for orphan in tried}
        if not tried:
            return set()
        parts: dict[tuple[str, str], list[NamedPart]] = {}
        for part in await self._database.read(partial(find_parts_named, carrier_ids=wanted)):
            parts.setdefault((part.carrier, part.number), []).append(part)
        found = []
        for orphan in tried:
            unite = self._unite[orphan.carrier]
            fitting = [
                (part.key, united)
                for part in parts.get((orphan.carrier, orphan.number), ())
                if (united := unite(part.carrier_id, orphan.carrier_id))
            ]
            if len(fitting) == 1:
                key, united = fitting[0]
                found.append(Refit(orphan=orphan, part_key=key, carrier_id=united, now=now))
        if found:
            await self._refit(found)
        return {item.orphan.key for item in found}

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
        fitted = await self._fit(orphans, now)
        left = {(orphan.carrier, orphan.carrier_id) for orphan in orphans if orphan.key not in fitted}
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
        parts = await self._database.read(partial(find_parts_named, carrier_ids=wanted)) if wanted else []
        known = {(part.carrier, part.carrier_id) for part in parts}
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
