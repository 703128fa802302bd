"""Reads mails in a child process that has a deadline, little memory and no files, and that can be killed.

For mails that may take long, perhaps on purpose: the event loop keeps running, and a hostile file can only break that
process. Requests and answers are data (msgpack), never pickled, so that a broken process cannot reach ours. Not here:
which mails come here (mta.intake_pool), reading itself (mime, body, addressbook.table_file), the process
(templates.child).
"""

from typing import Any, TypeVar

import msgspec
import structlog

from addressbook.table_file import FILE_LIMIT, MAIL_ROWS_LIMIT, read_table
from mta.reading.body import ExtractedText, extract_text
from mta.reading.mime import Attachment, MailLimits, ParsedMail, read_attachment, read_mail
from sms.outcome import Refusal, Refused
from sms.personalise import Table
from sms.settings import Settings
from templates.child import Child, ChildEndedError, ChildLateError, ChildMemoryError, ChildUnavailableError, serve

log = structlog.get_logger()

T = TypeVar("T")

_TRIES = 2
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.decode


class ReaderUnavailableError(Exception):
    """The process for reading mails cannot start; the mail is not at fault."""


class ConfinedReader:
    """Fulfils mta.reading.reader.MailReader with one child process; used by one thread at a time."""

    def __init__(self, *, seconds: float = 2.0, memory_bytes: int = 256 * 2**20) -> None:
        """Bound the CPU seconds of each step, and the memory of the process beyond that at its start."""
        # No answer is larger than the memory of the process.
        self.child = Child(
            "mta.reading.confined_reader", seconds=seconds, memory_bytes=memory_bytes, longest_answer=memory_bytes
        )

    def read(self, raw: bytes, limits: MailLimits) -> ParsedMail | Refused:
        """Return the mail's facts and parts. Raises ReaderUnavailableError, as all steps do."""
        return self._ask("read", ParsedMail, _encode(limits), raw)

    def extract(
        self, mail: ParsedMail, settings: Settings, subject: str, *, answers: bool = False
    ) -> ExtractedText | Refused:
        """Return the text of its sender."""
        return self._ask("extract", ExtractedText, _encode((mail, settings, subject, answers)))

    def table(self, raw: bytes, attachment: Attachment) -> Table | Refused:
        """Return the rows of an attached table."""
        content = read_attachment(raw, attachment, FILE_LIMIT)
        return content if isinstance(content, Refused) else self._ask("table", Table, content)

    def warm(self) -> None:
        """Start the child process early, and each replacement too."""
        self.child.warm()

    def close(self) -> None:
        """End the child process."""
        self.child.close()

    def _ask(self, step: str, kind: type[T], *pieces: bytes) -> T | Refused:
        """Return the answer; a mail that kills two processes is refused, since it would kill any other."""
        cause = ""
        for number in range(1, _TRIES + 1):
            try:
                word, answer = _decode(self.child.ask(step.encode(), *pieces), type=tuple[str, msgspec.Raw])
                return _decode(answer, type=kind) if word == "done" else _decode(answer, type=Refused)
            except ChildUnavailableError as error:
                if number == _TRIES:
                    raise ReaderUnavailableError(str(error)) from error
                cause = str(error)
            except ChildLateError as error:
                cause = str(error)
            except ChildMemoryError:
                cause = "it needs too much memory"
            except ChildEndedError as error:
                cause = f"the process that reads it broke: {error}"
            except msgspec.MsgspecError as error:
                cause = f"the process that reads it gave an answer that is none: {error}"
                self.child.replace()
            log.warning("reader_killed", step=step, octets=sum(map(len, pieces)), cause=cause)
        return Refused(refusal=Refusal.MAIL_MALFORMED, detail=f"the mail cannot be read: {cause}")


def _answer(step: bytes, content: bytes, raw: bytes = b"") -> Any:
    if step == b"read":
        return read_mail(raw, _decode(content, type=MailLimits))
    if step == b"extract":
        mail, settings, subject, answers = _decode(content, type=tuple[ParsedMail, Settings, str, bool])
        return extract_text(mail, settings, subject=subject, answers=answers)
    return read_table(content, rows_limit=MAIL_ROWS_LIMIT)


def main() -> None:
    """Answer requests to read mails until the parent ends."""
    warm_up()
    serve(_answer_in_words)


def _answer_in_words(step: bytes, *pieces: bytes) -> bytes:
    found = _answer(step, *pieces)
    return _encode(("refused" if isinstance(found, Refused) else "done", found))


def warm_up() -> None:
    """Load the codecs that would be loaded on first use, while there is memory for them."""
    for charset in ("utf-8", "cp1252", "iso2022_jp", "shift_jis", "gb18030", "koi8-r", "utf-16", "utf-7", "big5"):
        b"".decode(charset)


if __name__ == "__main__":
    main()
