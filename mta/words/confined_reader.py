"""Reads mails in a process of its own that has a deadline, little memory and no files, and that can be killed.

For mails that may take long or that try to: the event loop goes on meanwhile, and what a hostile file breaks is only
that process. Requests and answers are data (msgpack), never pickled, so that a broken process can't reach ours. Not
here: which mails come here (mta.reading), what reading is (mime, body, table_file).
"""

import os
import resource
import select
import signal
import struct
import subprocess
import sys
import time
from typing import IO, Any, TypeVar

import msgspec
import structlog

from mta.words.body import ExtractedText, extract_text
from mta.words.mime import Attachment, Mail, MailLimits, read_attachment, read_mail
from mta.words.table_file import FILE_LIMIT, read_table
from sms.outcome import Refusal, Refused
from sms.personalise import Table
from sms.settings import Settings

log = structlog.get_logger()

T = TypeVar("T")

_LENGTH = struct.Struct("!I")
_START_SECONDS = 30.0
_TRIES = 2
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.decode


class ReaderUnavailableError(Exception):
    """The process for reading mails cannot be started: nothing is known of the mail."""


class ConfinedReader:
    """Fulfils mta.words.reader.MailReader with one child process; used by one thread at a time."""

    def __init__(self, *, seconds: float = 2.0, memory_bytes: int = 256 * 2**20) -> None:
        """Bound each step to so many seconds, and the process to so much memory beyond what it starts with."""
        self._seconds = seconds
        self._memory = memory_bytes
        self._child: subprocess.Popen[bytes] | None = None

    def read(self, raw: bytes, limits: MailLimits) -> Mail | Refused:
        """Return the mail's facts and parts. Raises ReaderUnavailableError, as all steps do."""
        return self._ask("read", _encode((limits, raw)), Mail)

    def extract(self, mail: Mail, settings: Settings, subject: str) -> ExtractedText | Refused:
        """Return the words of its sender."""
        return self._ask("extract", _encode((mail, settings, subject)), ExtractedText)

    def table(self, raw: bytes, attachment: Attachment) -> Table | Refused:
        """Return the rows of an attached table."""
        content = read_attachment(raw, attachment, FILE_LIMIT)
        return content if isinstance(content, Refused) else self._ask("table", _encode((content,)), Table)

    def close(self) -> None:
        """End the child process."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was not yet written to a dead process is lost, as it should be

    def _ask(self, step: str, content: bytes, kind: type[T]) -> T | Refused:
        """Return the answer; what kills two processes is refused, since it would kill any other."""
        request = _encode(step) + content
        cause = ""
        for _ in range(_TRIES):
            child = self._running()
            assert child.stdin is not None
            assert child.stdout is not None
            deadline = time.monotonic() + self._seconds
            try:
                _write_until(child.stdin, _LENGTH.pack(len(request)) + request, deadline)
                (length,) = _LENGTH.unpack(_read_until(child.stdout, _LENGTH.size, deadline))
                word, answer = _decode(_read_until(child.stdout, length, deadline), type=tuple[str, msgspec.Raw])
            except TimeoutError:
                cause = f"it took more than {self._seconds:g} seconds"
            except (OSError, EOFError, msgspec.MsgspecError):
                cause = "it needs too much memory"
            else:
                if word == "done":
                    return _decode(answer, type=kind)
                return _decode(answer, type=Refused)
            self.close()
            log.warning("reader_killed", step=step, octets=len(content), cause=cause)
        return Refused(refusal=Refusal.MAIL_MALFORMED, detail=f"the mail cannot be read: {cause}")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self.close()
        # The child finds the same modules and nothing else of our environment.
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            child = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                [sys.executable, "-m", "mta.words.confined_reader", str(self._memory), str(self._seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise ReaderUnavailableError(str(error)) from error
        assert child.stdin is not None
        assert child.stdout is not None
        self._child = child
        os.set_blocking(child.stdin.fileno(), False)
        try:
            _read_until(child.stdout, 1, time.monotonic() + _START_SECONDS)
        except (OSError, EOFError) as error:
            self.close()
            raise ReaderUnavailableError("the process for reading mails did not start") from error
        return child


def _write_until(pipe: IO[bytes], data: bytes, deadline: float) -> None:
    left = memoryview(data)
    while left:
        seconds = deadline - time.monotonic()
        if seconds <= 0 or not select.select([], [pipe], [], seconds)[1]:
            raise TimeoutError
        try:
            left = left[os.write(pipe.fileno(), left) :]
        except BlockingIOError:
            continue


def _read_until(pipe: IO[bytes], size: int, deadline: float) -> bytes:
    chunks: list[bytes] = []
    while size:
        seconds = deadline - time.monotonic()
        if seconds <= 0 or not select.select([pipe], [], [], seconds)[0]:
            raise TimeoutError
        chunk = os.read(pipe.fileno(), min(size, 1 << 20))
        if not chunk:
            raise EOFError
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _answer(step: str, content: bytes) -> Any:
    if step == "read":
        limits, raw = _decode(content, type=tuple[MailLimits, bytes])
        return read_mail(raw, limits)
    if step == "extract":
        mail, settings, subject = _decode(content, type=tuple[Mail, Settings, str])
        return extract_text(mail, settings, subject=subject)
    (table,) = _decode(content, type=tuple[bytes])
    return read_table(table)


def main() -> None:
    """Answer requests on stdin until it ends; this is the child's whole life."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    warm_up()
    _renounce(int(sys.argv[1]))
    longest = 2 * float(sys.argv[2])
    answers.write(b"!")
    answers.flush()
    while len(head := requests.read(_LENGTH.size)) == _LENGTH.size:
        request = requests.read(*_LENGTH.unpack(head))
        signal.setitimer(signal.ITIMER_REAL, longest)  # ends us where the parent is no longer there to do it
        name_length = request[0] & 0x1F  # a msgpack fixstr: no step has a longer name
        found = _answer(request[1 : 1 + name_length].decode(), request[1 + name_length :])
        data = _encode(("refused" if isinstance(found, Refused) else "done", found))
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(_LENGTH.pack(len(data)) + data)
        answers.flush()


def warm_up() -> None:
    """Load the codecs that are otherwise loaded on first use, while there is memory for it."""
    for charset in ("utf-8", "cp1252", "iso2022_jp", "shift_jis", "gb18030", "koi8-r", "utf-16", "utf-7", "big5"):
        b"".decode(charset)


def _renounce(memory_bytes: int) -> None:
    """Give up the right to more memory, to write files, to open many and to start processes."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  (no import in the child that it does not need)
        in_use = int(file.read().split()[0]) * resource.getpagesize()
    for limit, value in (
        (resource.RLIMIT_AS, in_use + memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


if __name__ == "__main__":
    main()
