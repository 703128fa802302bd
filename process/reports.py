"""What sums, archives and forgets what was sent and received, built from the parts that all share.

Not here: what each does (reports).
"""

from collections.abc import Callable

from process.accept_path import AcceptPath
from process.services import Service, service_of
from reports.monthly import Monthly
from reports.retention import Retention
from reports.summing import Summing


def report_services(core: AcceptPath, written: Callable[[], None]) -> tuple[Service, ...]:
    """Return the workers of reports; `written` is called when there are mails to send."""
    monthly = Monthly(database=core.database, keys=core.keys, book=core.book, clock=core.clock, written=written)
    return (
        service_of("sums", Summing(database=core.database, book=core.book, clock=core.clock)),
        service_of("retention", Retention(database=core.database, clock=core.clock)),
        service_of("months", monthly),
    )
