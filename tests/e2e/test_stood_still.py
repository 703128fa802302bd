"""A gateway whose process stands still for longer than its carrier has for an answer, as in a paused virtual machine."""

import asyncio
import signal

import pytest

NUMBER = "447700900123"
STILL = 3.5


@pytest.mark.slow
async def test_an_answer_that_came_while_the_process_stood_still_counts_and_nothing_goes_out_twice(site):
    await site.open(response_timeout="2s", on_unknown="resend")
    await site.start()
    record = site.carrier.record
    take = record.add

    def take_and_stop(taken) -> None:
        record.add = take
        site.send_signal(signal.SIGSTOP)
        asyncio.get_running_loop().call_later(STILL, site.send_signal, signal.SIGCONT)
        take(taken)

    record.add = take_and_stop
    job = await site.send("Once")
    await site.until(lambda: site.state(job) == {NUMBER: "delivered"})
    assert not [line for line in site.log if "smpp_part_answered_late" in line]
    assert len(record.taken) == 1
