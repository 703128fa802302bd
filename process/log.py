"""How log lines are written: one per fact, to standard error, for eyes or for machines.

What libraries log, and errors that nobody catches, are such lines too: a traceback of several lines could hold one that
a peer wrote. Under a service manager that stamps lines itself the console format leaves the time out.
"""

import logging
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from config.model import LogFormat, LogOptions

log = structlog.get_logger()

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_FIRST = ("timestamp", "level", "event")
_SAID_OTHERWISE = re.compile("True|False|None")
_PATIENCE = 1000
"""Milliseconds that the first line waits for a reader that has stopped; those behind it wait no more."""


class TimeStamper:
    """Stamps lines with the time in UTC; each job writes one, so that a second is formatted once only."""

    def __init__(self) -> None:
        self._formatted = (-1, "")

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Add the time to the microsecond."""
        second, rest = divmod(time.time_ns(), 1_000_000_000)
        known, text = self._formatted  # one value, since threads share it
        if second != known:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._formatted = (second, text)
        event["timestamp"] = f"{text}.{rest // 1000:06}Z"
        return event


def render_logfmt(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Return a line as structlog's LogfmtRenderer does, which costs three times as much: time, level and event first.

    Keys are Python names. What can't be printed is escaped, so that a line is one line on every terminal.
    """
    pairs = dict.fromkeys(filter(event.__contains__, _FIRST)) | dict(event)
    line = " ".join(map("{}={!s}".format, pairs, pairs.values()))
    return line if _is_plain(line, len(pairs)) else " ".join(_careful(pairs))


def _is_plain(line: str, pairs: int) -> bool:
    """Return whether a line of so many pairs can stay as it is: nothing to quote, to escape, or to say otherwise."""
    separated = line.count(" ") == pairs - 1 and line.count("=") == pairs and '"' not in line and line.isprintable()
    return separated and not _SAID_OTHERWISE.search(line)


def _careful(pairs: dict[str, Any]) -> Iterator[str]:
    for key, value in pairs.items():
        if value is True:
            yield key
        elif value is not None or key not in _FIRST:
            yield f"{key}={_quoted(value)}"


def _quoted(value: object) -> str:
    if value is None:
        return ""
    if value is False:
        return "false"
    text = str(value)
    odd = " " in text or "=" in text or '"' in text
    if odd and "\\" in text:
        text = text.replace("\\", "\\\\")
    text = text.replace('"', '\\"').replace("\n", "\\n")
    if not text.isprintable():
        text = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return f'"{text}"' if odd else text


def format_error(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Add the traceback of the error that a line is about; most are about none."""
    return structlog.processors.format_exc_info(logger, method, event) if "exc_info" in event else event


def log_unraisable(raised: "sys.UnraisableHookArgs") -> None:
    """Write one line for an error that nothing can take, in place of a traceback.

    Any client can cause one in the ssl module: a server name (SNI) that is not ASCII ends its handshake so.
    """
    log.warning("unraisable", cause=f"{type(raised.exc_value).__name__}: {raised.exc_value}"[:300])


class _FromLibraries(logging.Handler):
    """Writes what a library logs as a line of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, with the traceback in it."""
        structlog.get_logger().log(
            record.levelno, "library", logger=record.name, said=record.getMessage(), exc_info=record.exc_info
        )


def _tell_of_thread(error: threading.ExceptHookArgs) -> None:
    thread = error.thread.name if error.thread is not None else ""
    value = error.exc_value or error.exc_type()
    structlog.get_logger().error("thread_failed", thread=thread, exc_info=value)


def _standard_error() -> TextIO:
    """Return where lines go: nowhere, in a process that was started without."""
    return sys.stderr or Path(os.devnull).open("w")


class _Patient:
    """Standard error for the log: nobody who logs waits for a reader that has stopped, nor ends with one that is gone.

    Whoever logs is in the middle of something: an error there would end a connection or leave a mail half taken, and a
    full pipe would hold up everything. Lines that can't be written are counted, and `tell` makes the line that says so.
    """

    def __init__(self, file: TextIO, tell: Callable[[int], str]) -> None:
        self._file = file
        self._tell = tell
        self._missed = 0
        self._lock = threading.Lock()
        self._ready = select.poll()
        self._ready.register(file, select.POLLOUT)

    def write(self, line: str) -> None:
        """Write a line, or count it."""
        with self._lock:
            if not self._ready.poll(0 if self._missed else _PATIENCE):
                self._missed += 1
                return
            try:
                if self._missed:
                    self._file.write(f"{self._tell(self._missed)}\n")
                    self._missed = 0
                self._file.write(f"{line}\n")
                self._file.flush()
            except OSError:
                self._missed += 1

    debug = info = warning = error = critical = write


def configure_log(options: LogOptions) -> None:
    """Set structlog up for the process; call it once, before anything is logged."""
    root = logging.getLogger()
    if not any(isinstance(handler, _FromLibraries) for handler in root.handlers):
        root.addHandler(_FromLibraries(logging.WARNING))
    logging.captureWarnings(capture=True)
    threading.excepthook = _tell_of_thread
    processors: list[Any] = [structlog.processors.add_log_level]
    if options.format is LogFormat.JSON:
        processors += [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            format_error,
            structlog.processors.JSONRenderer(),
        ]
    else:
        if not os.environ.get("JOURNAL_STREAM"):
            processors.append(TimeStamper())
        processors += [format_error, render_logfmt]
    sys.unraisablehook = log_unraisable

    def tell(missed: int) -> str:
        line: Any = {"event": "log_lines_missed", "lines": missed}
        for processor in processors:
            line = processor(None, "warning", line)
        return str(line)

    lines = _Patient(_standard_error(), tell)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[options.level.value]),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
