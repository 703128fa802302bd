"""What is judged by the address book, judged anew as often as the book changes meanwhile.

A «no» for good is said by what the database holds now, never by what this process knew a moment ago. Not here: judging
(gateway.plan, mta), storing (gateway.accept), which compares the version again.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from gateway.accept import SnapshotChanged
from gateway.directory import DirectoryFollower
from sms.outcome import Refusal, Refused

J = TypeVar("J")
D = TypeVar("D")

_MOST_STALE: Final = 5


async def judge_and_do(
    book: DirectoryFollower,
    judge: Callable[[], Awaitable[J]],
    do: Callable[[J], Awaitable[D | SnapshotChanged]],
    *,
    is_no: Callable[[J], bool],
) -> D | Refused:
    """Return what `do` made of what `judge` said; INTERNAL where the book can't be confirmed or never holds still.

    `is_no` tells whether it is a «no» that nothing but a change of the book would change.
    """
    for _ in range(_MOST_STALE):
        before = book.current
        judged = await judge()
        if is_no(judged):
            if not await book.confirm():
                break
            if book.current is not before:
                continue
        done = await do(judged)
        if not isinstance(done, SnapshotChanged):
            return done
        await book.refresh()
    return Refused(refusal=Refusal.INTERNAL)
