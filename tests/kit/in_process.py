"""Commands that a test runs in its own process, and what they leave behind there."""

import os

import structlog


def undo_a_command() -> None:
    """Undo what `main` did to the process: it quietens the log for a terminal and lets nobody else read files."""
    os.umask(0o022)
    structlog.reset_defaults()
