"""Keys that only grow, and public ids that nobody guesses and no two rows share."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from store.engine.keys import PublicIds, public_id

AT = datetime(2026, 11, 23, 16, 3, 9, 512_999, tzinfo=UTC)


@given(at=st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - made aware by the strategy
def test_a_public_id_tells_its_time_to_the_millisecond(at):
    stamp = f"{at:%Y%m%d-%H%M%S}.{at.microsecond // 1000:03}"
    assert re.fullmatch(rf"J\.{stamp}-[a-km-np-z2-9]{{10}}", PublicIds().take("J", at))
    assert re.fullmatch(rf"S\.{stamp}-[a-km-np-z2-9]{{10}}", public_id("S", at))


def test_no_two_public_ids_are_alike_in_whatever_threads_they_are_taken():
    ids = PublicIds()
    with ThreadPoolExecutor(max_workers=4) as threads:
        taken = list(threads.map(lambda _: ids.take("S", AT), range(2_000)))
    assert len({*taken, *(PublicIds().take("S", AT) for _ in range(200))}) == 2_200
