"""Work that takes as long as a report has recipients: done where it stands, or apart where it would hold up others.

For what is made of a notice before it is told, whatever the channel. Not here: what is made (mta.sending.compose,
web.job_report), and a customer's own templates, which may take seconds and have a thread to themselves.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sms.report import JobReport

T = TypeVar("T")

# What is made of a report of this many recipients takes about a millisecond, of one with thousands tens of them.
LARGE_REPORT = 50


class LargeReports:
    """One thread for what is large, one piece after the other: the event loop goes on meanwhile."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large-reports")

    async def work(self, report: JobReport, work: Callable[[], T]) -> T:
        """Do what takes as long as the report is: here, or in the thread where it has many recipients."""
        if len(report.messages) <= LARGE_REPORT:
            return work()
        return await self.work_apart(work)

    async def work_apart(self, work: Callable[[], T]) -> T:
        """Do it in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """End the thread; what is being made is let go first."""
        self._thread.shutdown()
