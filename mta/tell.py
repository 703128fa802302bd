"""A notice told by mail: composed, signed with the From domain's key, handed to delivery or the sandbox's folder.

Not here: how the mail looks (compose, templates), how it travels (deliver), when it is tried again (gateway.notify).
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from gateway.ports import Clock, MailAttempt
from mta.compose import ComposedMail, MailIdentity, compose_notice
from mta.sign import Signer
from sms.outcome import Done, Problem, ProblemCode, Retry
from sms.report import Notice
from templates.render import Renderer


class Delivery(Protocol):
    """What takes a composed mail to its recipient."""

    async def deliver(self, mail: ComposedMail, *, customer: str) -> MailAttempt:
        """Attempt it once, under the TLS that recipient's domain and customer demand."""


class FolderDelivery:
    """The sandbox's way: each mail becomes an .eml file, complete before it has its name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def deliver(self, mail: ComposedMail, *, customer: str) -> MailAttempt:  # noqa: ARG002 - the protocol's
        """Write the mail; a second attempt writes the same file again."""
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._write, mail)
        except OSError as error:
            problem = Problem(
                code=ProblemCode.MAIL_DEFERRED, text="The sandbox mailbox could not be written.", cause=str(error)
            )
            return MailAttempt(outcome=Retry(problem=problem), host="sandbox folder")
        return MailAttempt(outcome=Done(), host="sandbox folder", policy="none (sandbox)", reply="written")

    def _write(self, mail: ComposedMail) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = "".join(char if char.isalnum() or char in ".-@" else "_" for char in mail.message_id.strip("<>"))
        partial = self._folder / f".{name}.part"
        with partial.open("wb") as file:
            file.write(mail.message)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self._folder / f"{name}.eml")


class MailTeller:
    """Fulfils gateway.ports.NoticeSender; `signers` are by From domain, mails of other domains go unsigned."""

    def __init__(
        self,
        *,
        identity: MailIdentity,
        renderer: Renderer,
        signers: Mapping[str, Signer],
        delivery: Delivery,
        clock: Clock,
    ) -> None:
        self._identity = identity
        self._renderer = renderer
        self._signer = signers.get(identity.from_address.rpartition("@")[2].lower())
        self._delivery = delivery
        self._clock = clock

    async def send(self, notice: Notice) -> MailAttempt | None:
        """Tell one notice once; None where its sender asked not to be told of it."""
        now = self._clock.now()
        mail = compose_notice(notice, identity=self._identity, renderer=self._renderer, now=now)
        if mail is None:
            return None
        if self._signer is not None:
            mail = replace(mail, message=self._signer.sign(mail.message, signed_at=now))
        return await self._delivery.deliver(mail, customer=notice.report.customer)
