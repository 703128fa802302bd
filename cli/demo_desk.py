"""What the demo's page shows and does: the sandbox carrier is the phone, the sandbox mailbox is Anna's.

Both ways take the product's own path: an SMS from the phone is a deliver_sm of the sandbox carrier, a mail goes to the
gateway's listener by SMTP. Not here: the page (web.demo), the command and its story (cli.demo).
"""

import asyncio
import secrets
import shlex
import smtplib
from collections import deque
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid
from itertools import count, starmap

from cli.setup import DOMAIN
from mta.sandbox import Sandbox, StoredMail
from smpp.simulator.record import PhoneSms, ShownMessage, join_parts
from smpp.simulator.sandbox_numbers import SANDBOX_NUMBERS
from smpp.simulator.simulator import Simulator
from sms.message import Alphabet
from sms.number import parse_number, show_number
from sms.outcome import Refused
from sms.parts import encode_text
from sms.settings import Unencodable
from web.demo import Bubble, DemoMail, DemoView, Unusable

PHONE = "+447700900123"
OWN_NUMBER = "+447700900999"
SENDER = "anna.keller@example.com"
COUNTRY = "GB"
PATIENCE = 30.0
_MOST = 50
_MOST_SUBMITS = 500
_MOST_PHONES = 20
_MOST_PARTS = 10
_ALPHABETS = {Alphabet.GSM7: "GSM-7", Alphabet.UCS2: "UCS-2"}


class DemoDesk:
    """Fulfils web.demo.Desk. It shows the newest of everything and keeps what was done here."""

    def __init__(self, *, sandbox: Simulator, box: Sandbox, port: int, password: str, portal: str = "") -> None:
        self._portal = portal
        self._sandbox = sandbox
        self._box = box
        self._port = port
        self._password = password
        self._sent: deque[DemoMail] = deque(maxlen=_MOST)
        self._numbers = count(1)
        self._run = secrets.token_hex(4)
        self._changes = 0

    def version(self) -> str:
        """Return a word that changes with everything that the page shows."""
        record = self._sandbox.record
        return f"{self._run}-{len(record.taken)}-{len(record.from_phones)}-{len(self._box.mails)}-{self._changes}"

    def view(self) -> DemoView:
        """Return what the page shows now."""
        record = self._sandbox.record
        shown = join_parts(taken.submitted for taken in record.taken[-_MOST_SUBMITS:])
        typed = list(enumerate(record.from_phones))[-_MOST:]
        bubbles = sorted([*map(_bubble, shown), *starmap(_typed, typed)], key=lambda bubble: bubble.at)[-_MOST:]
        stored = list(enumerate(self._box.mails))[-_MOST:]
        mails = sorted([*starmap(_received, stored), *self._sent], key=lambda mail: mail.at, reverse=True)
        phones = dict.fromkeys([show_number(PHONE), *(bubble.phone for bubble in reversed(bubbles))])
        return DemoView(
            bubbles=bubbles,
            mails=mails[:_MOST],
            phones=list(phones)[:_MOST_PHONES],
            own_number=show_number(OWN_NUMBER),
            commands=commands(self._port, self._password),
            sandbox_numbers=[(show_number(one.number), one.shows) for one in SANDBOX_NUMBERS],
            portal=self._portal,
        )

    async def type_sms(self, phone: str, text: str) -> None:
        """Send an SMS from a phone to our number, and return once the gateway has taken it. Raises Unusable."""
        number = parse_number(phone, COUNTRY)
        if isinstance(number, Refused):
            raise Unusable(f"The phone {phone!r} is no number: {number.detail}")
        encoded = encode_text(text, coding=Alphabet.GSM7, unencodable=Unencodable.SWITCH, max_parts=_MOST_PARTS)
        if isinstance(encoded, Refused) or encoded.cut:
            raise Unusable(f"A phone sends a text of 1 to {_MOST_PARTS} parts.")
        reference = next(self._numbers) % 256
        try:
            async with asyncio.timeout(PATIENCE):
                await self._sandbox.deliver(number.digits, OWN_NUMBER, encoded, reference=reference)
        except TimeoutError as error:
            raise Unusable(f"The gateway did not take the SMS within {PATIENCE:.0f} seconds.") from error

    async def send_mail(self, to: str, subject: str, text: str) -> None:
        """Send a mail to a number. Raises Unusable."""
        number = parse_number(to, COUNTRY)
        if isinstance(number, Refused):
            raise Unusable(f"{to!r} is no number to send to. {number.detail}")
        mail = compose_mail(f"{number.e164}@{DOMAIN}", " ".join(subject.split()), text)
        await self.send(mail)

    async def reply(self, key: str, text: str) -> None:
        """Answer a mail of the mailbox, which is named by its key. Raises Unusable."""
        stored = next((mail for number, mail in enumerate(self._box.mails) if _key_of(number) == key), None)
        if stored is None or not _takes_replies(stored.message):
            raise Unusable("There is no such mail that can be answered.")
        await self.send(compose_reply(stored.message, text))

    async def send(self, mail: EmailMessage) -> tuple[int, str]:
        """Send a mail as Anna's mail program does, show it, and return the gateway's last reply. Raises Unusable."""
        at = datetime.now(UTC)
        try:
            code, said = await asyncio.to_thread(_submit, mail, self._port, self._password)
        except (OSError, smtplib.SMTPException) as error:
            raise Unusable(f"The gateway did not answer: {error}") from error
        self._sent.append(
            DemoMail(
                key=f"sent-{next(self._numbers)}",
                sender=str(mail["From"]),
                recipients=str(mail["To"]),
                subject=str(mail["Subject"]),
                at=at.astimezone(),
                text=str(mail.get_content()).rstrip("\n"),
                answer=f"{code} {said}",
                refused=code != 250,
            )
        )
        self._changes += 1
        return code, said


def compose_mail(to: str, subject: str, text: str) -> EmailMessage:
    """Return a mail of Anna's."""
    mail = EmailMessage()
    mail["From"] = f"Anna Keller <{SENDER}>"
    mail["To"] = to
    mail["Subject"] = subject
    mail["Message-ID"] = make_msgid(domain="example.com")
    mail.set_content(f"{text}\n")
    return mail


def compose_reply(mail: EmailMessage, text: str) -> EmailMessage:
    """Return a reply to a mail, with its text quoted below as mail programs do."""
    quoted = "\n".join(f"> {line}" for line in text_of(mail).splitlines())
    reply = compose_mail(
        str(mail["Reply-To"] or mail["From"]),
        f"Re: {mail['Subject']}",
        f"{text}\n\nOn {mail['Date']}, {mail['From']} wrote:\n{quoted}",
    )
    reply["In-Reply-To"] = mail["Message-ID"]
    reply["References"] = f"{mail['References'] or ''} {mail['Message-ID']}".strip()
    return reply


def text_of(mail: EmailMessage) -> str:
    """Return the text half of a mail."""
    return _half_of(mail, "plain")


def _half_of(mail: EmailMessage, kind: str) -> str:
    """Return the text or HTML of a mail; of a foreign one that names no charset of this world its octets as Latin-1."""
    body = mail.get_body((kind,))
    if body is None:
        return ""
    try:
        return str(body.get_content())
    except LookupError:
        octets = body.get_payload(decode=True)
        return octets.decode("latin-1") if isinstance(octets, bytes) else ""


def commands(port: int, password: str) -> list[tuple[str, str]]:
    """Return commands to copy that send a mail to the demo's phone, each with the program that it needs."""
    to = f"{PHONE.replace('+', '00')}@{DOMAIN}"  # swaks takes what begins with + for an option
    text = "Hello from a terminal"
    swaks = ["swaks", "--server", f"127.0.0.1:{port}", "--auth", "PLAIN", "--auth-user", "demo"]
    swaks += ["--auth-password", password, "--from", SENDER, "--to", to, "--body", text]
    program = (
        f'import smtplib; s = smtplib.SMTP("127.0.0.1", {port}); s.login("demo", "{password}"); '
        f's.sendmail("{SENDER}", "{to}", "From: {SENDER}\\nSubject: Hello\\n\\n{text}")'
    )
    return [("Python alone", shlex.join(["python3", "-c", program])), ("swaks", shlex.join(swaks))]


def _submit(mail: EmailMessage, port: int, password: str) -> tuple[int, str]:
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
        client.login("demo", password)
        client.mail(SENDER)
        code, answer = client.rcpt(mail["To"].addresses[0].addr_spec)
        if code == 250:
            code, answer = client.data(mail.as_bytes(policy=SMTP))
    return code, answer.decode("utf-8", "replace")


def _bubble(shown: ShownMessage) -> Bubble:
    waiting = f", {len(shown.missing)} still to come" if shown.missing else ""
    return Bubble(
        key=f"sms-{shown.nth}{'-' * len(shown.missing)}",
        phone=show_number(shown.number),
        other=show_number(shown.sender),
        text=shown.text,
        at=shown.at.astimezone(),
        about=_about(shown.parts, shown.alphabet) + waiting,
    )


def _typed(index: int, sms: PhoneSms) -> Bubble:
    return Bubble(
        key=f"typed-{index}",
        phone=show_number(sms.number),
        other=show_number(sms.recipient),
        text=sms.encoded.text,
        at=sms.at.astimezone(),
        about=_about(len(sms.encoded.lengths), sms.encoded.alphabet),
        sent_by_phone=True,
    )


def _about(parts: int, alphabet: Alphabet) -> str:
    return f"{parts} part{'s' * (parts != 1)} in {_ALPHABETS[alphabet]}"


def _key_of(number: int) -> str:
    return f"mail-{number}"


def _received(number: int, stored: StoredMail) -> DemoMail:
    mail = stored.message
    return DemoMail(
        key=_key_of(number),
        sender=str(mail["From"] or stored.envelope_from),
        recipients=", ".join(stored.recipients),
        subject=str(mail["Subject"] or ""),
        at=stored.arrived_at.astimezone(),
        text=text_of(mail).rstrip(),
        html=_half_of(mail, "html"),
        headers=_headers_of(stored.content),
        tls=f"SMTP with {stored.tls}" if stored.tls else "SMTP in clear text",
        can_reply=_takes_replies(mail),
    )


def _headers_of(content: bytes) -> str:
    return content.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").replace("\r\n", "\n")


def _takes_replies(mail: EmailMessage) -> bool:
    """Return whether an answer reaches a phone: mails of received SMS name one as their author."""
    return str(mail["From"]).rstrip(">").endswith(f"@{DOMAIN}") and mail["Auto-Submitted"] != "auto-replied"
