"""Which operator's file a command uses where none is named. Not here: reading it (config.model)."""

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE_NAME: Final = "mail2sms.toml"
SYSTEM_FILE: Final = Path("/etc/mail2sms") / FILE_NAME
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultFile:
    """The file that is used, None where there is none; `skipped` says why the one of the current folder is not."""

    file: Path | None
    skipped: str = ""


def find_default(folder: Path, *, system: Path = SYSTEM_FILE, user: int | None = None) -> DefaultFile:
    """Return the file of a folder where both are `user`'s and nobody else may write there, else `system`.

    `user` None is the caller. A file of somebody else could name his own database, so it is never used unasked.
    """
    own, skipped = folder / FILE_NAME, ""
    if os.path.lexists(own):
        own = Path(os.path.abspath(own))  # noqa: PTH100 - links stay links, so that a message names what is there
        skipped = next(_distrusted(own, os.geteuid() if user is None else user), "")
        if not skipped:
            return DefaultFile(file=own)
    return DefaultFile(file=system if _is_there(system) else None, skipped=skipped)


def _distrusted(file: Path, user: int) -> Iterator[str]:
    """Yield why a file is not the user's alone; a link must lead to what is."""
    target = Path(os.path.realpath(file))
    for place in dict.fromkeys((file.parent, target.parent, target)):
        try:
            status = place.stat()
        except OSError as error:
            yield f"{place}: {error.strerror}"
            continue
        if status.st_uid != user:
            yield f"{place} belongs to {_name_of(status.st_uid)}"
        elif status.st_mode & _OTHERS_WRITE:
            yield f"others may write to {place} (chmod go-w would mend it)"


def _is_there(file: Path) -> bool:
    """Return whether a file is there; one that may not be looked at is, so that its reader says why not."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
