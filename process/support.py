"""Support requests put together: who reads them, and who takes answers by mail."""

from collections.abc import Callable

from config.model import Config
from gateway.admin.support import SupportDesk
from gateway.support_mails import SupportMails
from process.accept_path import AcceptPath


def desk_of(config: Config) -> SupportDesk:
    """Return where the operator reads support requests, and the domain to which answers are mailed."""
    address = config.portal.support_desk or config.mail.admin_address or ""
    return SupportDesk(address=address, domain=config.server.domains[0])


def build_support_mails(config: Config, core: AcceptPath, written: Callable[[], None]) -> SupportMails:
    """Return who takes answers; `written` is called when there is a letter to send."""
    return SupportMails(database=core.database, keys=core.keys, clock=core.clock, desk=desk_of(config), written=written)
