"""Stock aiosmtpd on asyncio, as a program: `python -m tests.benchmarks.stock_server [DATABASE]` prints its port.

Without a database its handler drops every mail. With one it does what ours must, the obvious way: stdlib parser,
phonenumbers, a GSM-7 check, one peewee row per job and per recipient in one transaction with synchronous=FULL.
"""

import asyncio
import email
import signal
import sys
from datetime import UTC, datetime
from email.policy import default
from itertools import count

import peewee
import phonenumbers
from aiosmtpd.smtp import SMTP, Envelope

from sms.message import Alphabet
from sms.outcome import Refused
from sms.parts import encode_text, encoded_parts
from sms.settings import Unencodable


class Dropping:
    """Takes everything and keeps nothing."""

    async def handle_DATA(self, _server, _session, _envelope) -> str:  # noqa: N802 - aiosmtpd's hook
        return "250 OK"


class Job(peewee.Model):
    public_id = peewee.TextField(unique=True)
    reverse_path = peewee.TextField()
    header = peewee.BlobField()
    subject = peewee.TextField()
    accepted_at = peewee.DateTimeField(index=True)


class Message(peewee.Model):
    job = peewee.ForeignKeyField(Job, backref="messages")
    number = peewee.TextField(index=True)
    body = peewee.TextField()
    state = peewee.TextField()
    due_at = peewee.DateTimeField(index=True)


class Part(peewee.Model):
    message = peewee.ForeignKeyField(Message, backref="parts")
    idx = peewee.IntegerField()
    payload = peewee.BlobField()
    state = peewee.TextField()


_MODELS = (Job, Message, Part)


class Keeping:
    """Keeps a job with its messages and parts as rows, through the ORM."""

    def __init__(self, path: str) -> None:
        self._database = peewee.SqliteDatabase(path, pragmas={"journal_mode": "wal", "synchronous": "full"})
        self._database.bind(_MODELS)
        self._database.create_tables(_MODELS)
        self._numbers = count()

    async def handle_DATA(self, _server, _session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's hook
        content = envelope.content
        assert isinstance(content, bytes)
        mail = email.message_from_bytes(content, policy=default)
        body = mail.get_body(preferencelist=("plain",))
        assert body is not None
        numbers = [phonenumbers.parse(address.partition("@")[0], "GB") for address in envelope.rcpt_tos]
        encoded = encode_text(
            body.get_content().strip(), coding=Alphabet.GSM7, unencodable=Unencodable.SMART, max_parts=4
        )
        assert not isinstance(encoded, Refused)
        now = datetime.now(UTC)
        with self._database.atomic():
            job = Job.create(
                public_id=f"J.{next(self._numbers)}",
                reverse_path=envelope.mail_from,
                header=content.partition(b"\r\n\r\n")[0],
                subject=mail["subject"] or "",
                accepted_at=now,
            )
            for number in numbers:
                message = Message.create(
                    job=job,
                    number=phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
                    body=encoded.text,
                    state="queued",
                    due_at=now,
                )
                for index, part in enumerate(encoded_parts(encoded), start=1):
                    Part.create(message=message, idx=index, payload=part.payload, state="queued")
        return "250 OK"


async def _run(database: str) -> None:
    handler = Keeping(database) if database else Dropping()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="aiosmtpd.example.net", loop=loop), "127.0.0.1", 0, backlog=1000
    )
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1] if len(sys.argv) > 1 else ""))
