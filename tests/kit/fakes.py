"""What tests of the use cases share: a carrier and a mailbox that the test controls."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from gateway.ports import Item, MailAttempt
from sms.message import PartToSubmit
from sms.outcome import Done
from tests.kit.patience import PATIENCE


class FakeCarrier:
    """Keeps the given parts; `window` is how many it takes before they are answered."""

    def __init__(self, name: str = "alpha", window: int = 10) -> None:
        self.name = name
        self.window = window
        self.given: list[PartToSubmit] = []
        self.before_submit: Callable[[Sequence[PartToSubmit]], None] = lambda _: None
        self.came = asyncio.Event()

    def free_window(self) -> int:
        return self.window

    def submit(self, parts: Sequence[PartToSubmit]) -> None:
        assert len(parts) <= self.window
        self.before_submit(parts)
        self.window -= len(parts)
        self.given += parts
        self.came.set()

    async def start(self, events) -> None:
        raise NotImplementedError

    async def stop(self, grace_seconds: float) -> None:
        raise NotImplementedError

    async def has(self, count: int) -> list[PartToSubmit]:
        """Wait until it has this many parts."""
        async with asyncio.timeout(PATIENCE):
            while len(self.given) < count:
                self.came.clear()
                await self.came.wait()
        return self.given


class FakeMailbox:
    """Answers each notice by `answer`, which may raise; `gate` holds all notices back while it is not set."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.answer: Callable[[Any], MailAttempt | None] = lambda _: MailAttempt(outcome=Done(), host="mx.example.com")
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = self.most_at_once = 0

    async def send(self, item: Item) -> MailAttempt | None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            self.told.append(item)
            return self.answer(item)
        finally:
            self.at_once -= 1


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that another task or thread fulfils."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)
