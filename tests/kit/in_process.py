"""Cleans up after commands that a test runs in its own process."""

import os

import structlog


def undo_a_command() -> None:
    """Undo what `main` does to the process: it quietens the log for a terminal and sets the umask."""
    os.umask(0o022)
    structlog.reset_defaults()
