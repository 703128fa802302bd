"""What sums, archives and forgets what was sent and received, built from the parts that all share.

Not here: what each does (reports).
"""

from collections.abc import Callable, Sequence

from config.model import Config
from process.accept_path import AcceptPath
from process.services import Service, service_of
from reports.download_writer import DownloadWriter
from reports.monthly import Monthly
from reports.retention import Retention
from reports.summing import Summing


def report_services(config: Config, core: AcceptPath, written: Callable[[], None]) -> tuple[Service, ...]:
    """Return the workers of reports; `written` is called when there are mails to send."""
    monthly = Monthly(database=core.database, keys=core.keys, book=core.book, clock=core.clock, written=written)
    return (
        service_of("sums", Summing(database=core.database, book=core.book, clock=core.clock).worker),
        service_of("retention", Retention(database=core.database, clock=core.clock).worker),
        service_of("months", monthly.worker),
        service_of("downloads", downloads_of(config, core, written)),
    )


def downloads_of(config: Config, core: AcceptPath, written: Callable[[], None]) -> DownloadWriter:
    """Return the worker that writes long tables; it leaves the disk twice what mails are refused for the want of."""
    return DownloadWriter(
        database=core.database,
        keys=core.keys,
        clock=core.clock,
        node=config.server.node,
        data_dir=config.server.data_dir,
        reserve=config.limits.disk_reserve * 2,
        address=config.portal_address,
        heads=_heads,
        written=written,
    )


def _heads(language: str, columns: Sequence[str]) -> Sequence[str]:
    from templates.portal_pages import PortalPages  # noqa: PLC0415 - a gateway that writes no long table needs none

    return [PortalPages().say(language, f"reports.columns.{column}") for column in columns]
