"""The desk from which the portal's pages ask and change: the same use cases as the command line's.

Not here: any use case (gateway.admin), who may ask what (addressbook.rights).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from addressbook.exchange import UserFile
from addressbook.runs import RunResult, RunState
from gateway.admin.actions import CheckPush
from gateway.admin.binds import EsmeDoorFacts
from gateway.admin.office import AdminOffice
from gateway.admin.registration_letters import Registrar
from gateway.admin.support import SupportDesk
from gateway.applications import Applications
from gateway.directory_sync import DirectorySync
from gateway.esme import BoundEsme
from gateway.portal.issuers import IssuerSignIn
from gateway.portal.operation import OperatorDesk
from gateway.portal.sign_in import SignIn
from gateway.portal.studio import Studio
from gateway.ports import MailAttempt
from sms.report import MessageNotice, Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk(AdminOffice):
    """What all pages share. `address` is where people reach the portal, such as https://sms.example.net.

    `data_dir` is where files of the gateway are kept.
    `read_users` reads a file of users of that name, as of an instant, with the country of its numbers; it never raises.
    `esme_doors` are where ESMEs bind, `bound` returns what is bound at this process.
    `check_push_url` raises AdminFault where pushes of the customer of a name can't go to a URL, `push_now` pushes once.
    `check_push` raises it where a push of inbound SMS can't be as it says. `simulate` says what would follow from an
    SMS (from, to, text), and waits for the database.
    `operation` is what the operator's pages need, `support` who reads support requests, `registrar` what registrations
    of sender IDs depend on.
    """

    applications: Applications
    sign_in: SignIn
    issuers: IssuerSignIn
    studio: Studio
    address: str
    data_dir: Path
    directories: DirectorySync
    read_users: Callable[[bytes, str, datetime, str], UserFile]
    check_push_url: Callable[[str, str], None]
    push_now: Callable[[Notice | MessageNotice], Awaitable[MailAttempt | None]]
    simulate: Callable[[str, str, str], Mapping[str, object]]
    check_push: CheckPush
    esme_doors: Sequence[EsmeDoorFacts] = ()
    bound: Callable[[], Sequence[BoundEsme]] = lambda: ()
    operation: OperatorDesk | None = None
    support: SupportDesk | None = None
    registrar: Registrar

    async def approve(self, digest: str, who: str) -> bool:
        """Put the run of a directory in force that waits under a digest; returns whether it was still the one."""
        result = await asyncio.to_thread(self.directories.approve, digest, who)
        await self.book.refresh()
        return isinstance(result, RunResult) and result.state is RunState.APPLIED
