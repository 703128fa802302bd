"""What was replaced in a text, and when a message may go out, as columns and back.

Not here: settings (sms.serialise).
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from sms.message import Replacement
from sms.schedule import Blackout, Schedule
from store.engine.keys import to_stored


def freeze_replaced(replaced: tuple[Replacement, ...]) -> str:
    """Return replacements as JSON triples; empty text for none."""
    if not replaced:
        return ""
    return msgspec.json.encode([(item.index, item.old, item.new) for item in replaced]).decode()


def thaw_replaced(frozen: str) -> tuple[Replacement, ...]:
    """Return what `freeze_replaced` wrote."""
    if not frozen:
        return ()
    triples = msgspec.json.decode(frozen, type=list[tuple[int, str, str]])
    return tuple(Replacement(index=index, old=old, new=new) for index, old, new in triples)


def freeze_blackouts(blackouts: tuple[Blackout, ...]) -> str | None:
    """Return periods as JSON pairs of stored instants; None for none."""
    if not blackouts:
        return None
    return msgspec.json.encode([(to_stored(item.start_at), to_stored(item.end_at)) for item in blackouts]).decode()


def schedule_columns(schedule: Schedule) -> dict[str, Any]:
    """Return the columns of a message that say when it is due."""
    expires_at = to_stored(schedule.expires_at)
    return {
        "due_at": to_stored(schedule.due_at),
        "expires_at": expires_at,
        "watch_at": expires_at,
        "blackouts": freeze_blackouts(schedule.blackouts),
    }


def end_of_blackout(frozen: str, now: int) -> int | None:
    """Return when the period that holds `now` ends, None outside of all; instants as stored, without a detour."""
    return next((end for start, end in thaw_blackouts(frozen) if start <= now < end), None)


def thaw_blackouts(frozen: str) -> list[tuple[int, int]]:
    """Return the start and end of each period, as stored."""
    return msgspec.json.decode(frozen, type=list[tuple[int, int]])


def freeze_lengths(lengths: Sequence[int]) -> str:
    """Return how many characters each part has, with commas; empty text for one part."""
    return ",".join(map(str, lengths)) if len(lengths) > 1 else ""


def thaw_lengths(text: str, frozen: str) -> list[int]:
    """Return what `freeze_lengths` wrote of a text."""
    return [int(length) for length in frozen.split(",")] if frozen else [len(text)]
