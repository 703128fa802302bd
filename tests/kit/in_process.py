"""Cleans up after commands that a test runs in its own process."""

import os
import sys

import structlog


def undo_a_command() -> None:
    """Undo what `main` does to the process: it quietens the log for a terminal and sets the umask.

    The log goes to the process's standard error, never into the output of a command that a thread runs meanwhile.
    """
    os.umask(0o022)
    structlog.reset_defaults()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
