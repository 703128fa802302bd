"""What all doors of the gateway share: who may log in, how much is taken, and what keeps it.

Not here: the doors themselves (listeners, http), the parts that judge mail (accept_path).
"""

from time import monotonic

from config.model import Config
from gateway.accept import Acceptance
from gateway.applications import Applications
from gateway.auth.api_keys import ApiKeys
from gateway.auth.authenticator import Authenticator
from gateway.auth.tokens import IssuerKeys
from gateway.caller_limits import CallerLimits, LoginTurns
from gateway.directory_files import DirectoryFiles
from gateway.limits import DiskReserve, Rate
from process.accept_path import AcceptPath
from process.services import Service
from tls.contexts import ClientContexts, verified_peer_role
from web.issuer import IssuerFetcher


class Doors:
    """Built once; guesses of passwords and the rate of a customer are counted over all doors together."""

    def __init__(self, config: Config, core: AcceptPath, acceptance: Acceptance) -> None:
        self.acceptance = acceptance
        self.authenticator = Authenticator(
            credential_of=lambda login: core.book.current.directory.credential(login),  # noqa: PLW0108 - it is replaced
            confirm=core.book.confirm,
            workers=config.limits.argon2_workers,
            shared_key=lambda: core.conversations.secret,
        )
        contexts, role = ClientContexts(), verified_peer_role(config.server.issuer_ca_file)
        self.issuer_fetcher = IssuerFetcher(lambda: contexts.get(role))
        self.issuers = IssuerKeys(self.issuer_fetcher, monotonic)
        self.disk = DiskReserve(config.server.data_dir, config.limits.disk_reserve)
        self.rate = Rate(config.limits.mails_per_minute)
        self.caller_limits = CallerLimits(
            turns=LoginTurns(
                at_once=config.limits.http_requests_at_once, rate=Rate(config.limits.http_requests_per_minute)
            ),
            jobs=self.rate,
            database=core.database,
            book=core.book,
            clock=core.clock,
        )
        self.applications = Applications(
            book=core.book,
            routes=core.routes,
            acceptance=acceptance,
            clock=core.clock,
            disk=self.disk,
            rate=self.rate,
            metrics=core.metrics,
        )

        self.directory_files = DirectoryFiles(database=core.database, book=core.book, clock=core.clock, disk=self.disk)
        self.api_keys = ApiKeys(
            database=core.database,
            key_of=lambda digest: core.book.current.directory.api_key(digest),  # noqa: PLW0108 - it is replaced
            confirm=core.book.confirm,
            clock=core.clock,
        )

    @property
    def service(self) -> Service:
        """What begins before all doors, to remove what uploads left, and ends after them: the workers for passwords."""

        async def close(_: float) -> None:
            self.authenticator.close()

        return Service(name="doors", start=self.directory_files.sweep, stop=close)
