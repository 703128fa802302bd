"""Files that commands read and write; one that cannot be read or written ends the command with its name and why."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click


@contextmanager
def file_faults(consequence: str = "") -> Iterator[None]:
    """End the command where a file cannot be read or written; `consequence` says what that leaves undone."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}{consequence}") from error


def read_text(file: Path) -> str:
    """Return the text of a file in UTF-8."""
    with file_faults():
        content = file.read_bytes()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file}: it is not UTF-8 text") from error


def write_private(file: Path, content: bytes) -> None:
    """Write a file that nobody else can read, to the disk. Raises FileExistsError rather than overwrite one."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        file.unlink(missing_ok=True)
        raise
