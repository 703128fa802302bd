"""Carries out what was planned about customers when its time has come.

Suspensions begin and end; declarations that nobody confirmed, and registrations of sender IDs, are followed up.
Not here: the changes themselves (gateway.admin).
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from countries.judge import Judge
from gateway.admin.declarations import follow_up
from gateway.admin.edit import Administration
from gateway.admin.registration_letters import Registrar
from gateway.admin.registration_watch import follow_up as follow_up_registrations
from gateway.admin.suspensions import apply_due
from gateway.ports import Clock
from gateway.worker import Worker
from store.declarations import requests_due
from store.engine.database import Database
from store.engine.keys import Keys, to_stored
from store.registrations import registrations_due
from store.suspensions import suspensions_due

log = structlog.get_logger()

_LOOK_EVERY: Final = 5.0
WHO: Final = "mail2sms"
"""Whose the audit says it was."""


class CareWatch:
    """Looks every few seconds; costs three small queries where nothing is due.

    `registrar` has the address of the portal, the rules of countries and the operator's desk; `written` is called when
    there is a letter to send.
    """

    def __init__(
        self,
        *,
        database: Database,
        keys: Keys,
        clock: Clock,
        registrar: Registrar | None = None,
        written: Callable[[], None] = lambda: None,
    ) -> None:
        self._registrar = registrar or Registrar(judge=Judge())
        self._written = written
        self._database = database
        self._clock = clock
        self._administration = Administration(database, keys, WHO, clock.now)
        self.worker = Worker("care", self.step, look_every=_LOOK_EVERY)

    async def step(self) -> bool:
        """Look once."""
        now = to_stored(self._clock.now())
        due, asked, registered = await self._database.read(
            lambda tx: (suspensions_due(tx, now), requests_due(tx, now), registrations_due(tx, now))
        )
        if due:
            await self._administration.change(apply_due)
            log.info("suspensions_applied", suspensions=len(due))
        if asked:
            await self._administration.change(partial(follow_up, portal=self._registrar.portal))
            self._written()
            log.info("declarations_followed_up", requests=len(asked))
        if registered:
            await self._administration.change(partial(follow_up_registrations, registrar=self._registrar))
            self._written()
            log.info("registrations_followed_up", registrations=len(registered))
        return False
