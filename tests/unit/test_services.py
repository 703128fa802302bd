"""What runs is started in order and stopped in reverse, within one bound, whatever goes wrong."""

import asyncio

import pytest
import structlog

from process.services import Service, running, service_of
from tests.kit.patience import PATIENCE


class Recorder:
    """Makes services that note what happens to them."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.graces: list[float] = []

    def service(self, name: str, *, fails: bool = False, stuck: bool = False, until: asyncio.Event | None = None):
        async def start() -> None:
            self.happened.append(f"+{name}")
            if fails:
                raise OSError(f"{name} cannot start")

        async def stop(grace: float) -> None:
            self.graces.append(grace)
            self.happened.append(f"-{name}")
            if until is not None:
                await until.wait()
            if stuck:
                await asyncio.Event().wait()

        return Service(name=name, start=start, stop=stop)


@pytest.fixture
def recorder():
    return Recorder()


async def test_services_start_in_order_and_stop_in_reverse(recorder):
    stages = [[recorder.service("database")], [recorder.service("queue")], [recorder.service("door")]]
    async with running(stages, 1):
        recorder.happened.append("runs")
    assert recorder.happened == ["+database", "+queue", "+door", "runs", "-door", "-queue", "-database"]


async def test_what_was_started_is_stopped_where_another_cannot_start(recorder):
    stages = [[recorder.service("database")], [recorder.service("door", fails=True)], [recorder.service("never")]]
    with pytest.raises(OSError, match="door cannot start"):
        async with running(stages, 1):
            recorder.happened.append("runs")
    assert recorder.happened == ["+database", "+door", "-door", "-database"]


async def test_the_services_of_a_stage_stop_side_by_side(recorder):
    both = asyncio.Event()

    async def stop_last(_grace: float) -> None:
        both.set()

    last = Service(name="last", start=lambda: None, stop=stop_last)
    async with asyncio.timeout(PATIENCE), running([[recorder.service("first", until=both), last]], 60):
        pass
    assert both.is_set()


async def test_a_stop_has_one_bound_and_names_what_did_not_end(recorder, monkeypatch):
    monkeypatch.setattr("process.services._LAST_RECORDS", 0.0)
    stages = [[recorder.service("inner")], [recorder.service("stuck", stuck=True)]]
    with structlog.testing.capture_logs() as log:
        async with running(stages, 0.01):
            pass
    assert recorder.happened[-2:] == ["-stuck", "-inner"]
    assert recorder.graces[0] <= 0.01
    assert recorder.graces[1] == 0
    assert {"event": "stop_impatient", "service": "stuck", "log_level": "warning"} in log


async def test_a_service_that_fails_to_stop_keeps_no_other_from_stopping(recorder):
    async def fail(_grace: float) -> None:
        raise OSError("the disk is full")

    stages = [[recorder.service("inner")], [Service(name="outer", start=lambda: None, stop=fail)]]
    with structlog.testing.capture_logs() as log:
        async with running(stages, 1):
            pass
    assert recorder.happened == ["+inner", "-inner"]
    assert [line["service"] for line in log if line["event"] == "stop_failed"] == ["outer"]


async def test_a_part_that_waits_for_no_peer_is_a_service():
    happened = []

    class Part:
        def start(self) -> None:
            happened.append("start")

        async def stop(self) -> None:
            happened.append("stop")

    async with running([[service_of("part", Part())]], 1):
        assert happened == ["start"]
    assert happened == ["start", "stop"]
