"""Pages are made ready outside of the loop's thread: what compiles there holds up every mail.

Not here: what there is to do (look), when it is done without anybody asking for a page (process).
"""

import asyncio

from web.portal.look import Look


class Preparation:
    """Has the steps of `look` done in another thread, one after the other."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._turn = asyncio.Lock()
        self._is_ready = False

    async def step(self) -> bool:
        """Do the next step; returns whether there may be another one."""
        async with self._turn:
            if not self._is_ready:
                self._is_ready = not await asyncio.to_thread(self._look.prepare_next)
        return not self._is_ready

    async def until_ready(self) -> None:
        """Return once a page can be shown without any of it being done, doing what is left without a rest."""
        while not self._is_ready:
            await self.step()
