"""Runs mta.smtp.engine.dialogue for tests: sends everything at once, and collects the result."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mta.smtp.engine.dialogue import Dialogue
from mta.smtp.engine.events import (
    Capabilities,
    Data,
    DialogueLimits,
    DialogueState,
    Event,
    Hello,
    Noticed,
    StartTls,
)
from mta.smtp.engine.replies import AUTH_INVALID, GOODBYE, OK, READY_FOR_TLS, Reply
from mta.smtp.engine.sasl import Challenge, Credentials

HELLO = b"EHLO client.example.com\r\n"
ENVELOPE = b"MAIL FROM:<a@example.com>\r\nRCPT TO:<447700900123@sms.example.net>\r\n"
ROUTE = HELLO + ENVELOPE + b"DATA\r\n"

Answer = Callable[[Event], Reply | str]


def agree(event: Event) -> Reply | str:
    """Accept everything."""
    return READY_FOR_TLS if isinstance(event, StartTls) else OK


class ThreeQuestions:
    """A SASL mechanism of three steps; it refuses an empty answer."""

    QUESTIONS = (b"Colour?", b"Login?", b"Password?")

    def __init__(self) -> None:
        self._answers: list[bytes] = []

    def begin(self) -> Challenge:
        return Challenge(octets=self.QUESTIONS[0])

    def take(self, response: bytes) -> Challenge | Credentials | Reply:
        if not response:
            return AUTH_INVALID
        self._answers.append(response)
        if len(self._answers) < len(self.QUESTIONS):
            return Challenge(octets=self.QUESTIONS[len(self._answers)])
        colour, login, password = self._answers
        return Credentials(login=login, password=colour + b" " + password)


@dataclass
class Heard:
    """The result of a dialogue."""

    dialogue: Dialogue
    events: list[Event] = field(default_factory=list)
    output: bytes = b""

    @property
    def state(self) -> DialogueState:
        """The present state of the dialogue."""
        return self.dialogue.state

    @property
    def closed(self) -> bool:
        return self.dialogue.closed

    @property
    def codes(self) -> list[str]:
        """The codes of all replies, without the greeting."""
        lines = self.output.decode("ascii").split("\r\n")
        return [line[:3] for line in lines[:-1] if line[3:4] == " "][1:]

    @property
    def last(self) -> str:
        return self.output.decode("ascii").split("\r\n")[-2]

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]


def begin(
    *, terms: Capabilities | None = None, limits: DialogueLimits | None = None, tls: bool = False, **more
) -> Heard:
    """Return a greeted dialogue at the instant 0."""
    heard = Heard(
        Dialogue(terms or Capabilities(hostname="mx.example.net"), limits or DialogueLimits(), now=0.0, tls=tls, **more)
    )
    heard.dialogue.greet()
    return heard


def say(heard: Heard, data: bytes, answer: Answer = agree) -> Heard:
    """Send it, answer every event, and collect the result."""
    heard.dialogue.receive_data(data)
    return listen(heard, answer)


def listen(heard: Heard, answer: Answer = agree) -> Heard:
    for event in heard.dialogue.events():
        heard.events.append(event)
        if isinstance(event, Noticed):
            continue
        status = answer(event)
        if isinstance(event, Data) and status is OK:
            heard.dialogue.take_content()
        elif isinstance(event, Hello) and status is OK:
            heard.dialogue.reply(heard.dialogue.ehlo_lines() if event.extended else "250 mx.example.net")
        else:
            heard.dialogue.reply(status)
    heard.output += heard.dialogue.data_to_send()
    return heard


def talk(data: bytes, answer: Answer = agree, **more) -> Heard:
    """Begin and send everything at once."""
    return say(begin(**more), data, answer)


__all__ = ["ENVELOPE", "GOODBYE", "HELLO", "ROUTE", "Heard", "agree", "begin", "listen", "say", "talk"]
