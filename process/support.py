"""What the operator's desk reads put together: support requests, answers by mail, registrations of sender IDs."""

from collections.abc import Callable

from config.model import Config
from countries.judge import Judge
from gateway.admin.registration_letters import Registrar
from gateway.admin.support import SupportDesk
from gateway.support_mails import SupportMails
from process.accept_path import AcceptPath


def desk_of(config: Config) -> SupportDesk:
    """Return where the operator reads support requests, and the domain to which answers are mailed."""
    address = config.portal.support_desk or config.mail.admin_address or ""
    return SupportDesk(address=address, domain=config.server.domains[0])


def registrar_of(config: Config, judge: Judge) -> Registrar:
    """Return what registrations of sender IDs depend on; `judge` knows the rules of countries."""
    carriers = tuple(carrier.name for carrier in config.carriers)
    return Registrar(judge=judge, carriers=carriers, desk=desk_of(config), portal=config.portal_address)


def build_support_mails(config: Config, core: AcceptPath, written: Callable[[], None]) -> SupportMails:
    """Return who takes answers; `written` is called when there is a letter to send."""
    return SupportMails(database=core.database, keys=core.keys, clock=core.clock, desk=desk_of(config), written=written)
