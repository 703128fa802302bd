"""Lines of the log that hold words of a peer: each is one bounded line of printable ASCII, whatever the peer wrote."""

from typing import Final

import structlog

_LOGGED: Final = 200


def for_log(text: str) -> str:
    """Return a peer's text as one bounded line of printable ASCII, the rest escaped."""
    return text[:_LOGGED].encode("unicode_escape").decode("ascii")[:_LOGGED]


def log_login(log: structlog.stdlib.BoundLogger, *, succeeded: bool, login: str, client: str, mechanism: str) -> None:
    """Write the one line of a login, at every door the same; packaging/fail2ban reads those that failed."""
    facts = {"user": for_log(login) or "-", "rip": client, "mechanism": mechanism}
    if succeeded:
        log.info("auth_succeeded", **facts)
    else:
        log.warning("auth_failed", **facts)
