"""How long a peer may take and how often it may err: time per command, silence, content and session, rate, counts.

Not here: what is said to a peer that went too far (mta.smtp.engine.dialogue). RFC 5321 §4.5.3.2.
"""

from mta.smtp.engine.events import (
    Auth,
    AuthAnswer,
    ContentReceived,
    Data,
    DialogueLimits,
    Event,
    Incident,
    Login,
    Mail,
    Rcpt,
)


class Timeouts:
    """The stop watches of one connection. `now` is set from outside: seconds of any clock that never goes back."""

    __slots__ = (
        "_block_since",
        "_content_since",
        "_limits",
        "_rate_received",
        "_rate_since",
        "_started_at",
        "_waiting_since",
        "now",
    )

    def __init__(self, limits: DialogueLimits, now: float) -> None:
        self._limits = limits
        self.now = self._started_at = self._waiting_since = now
        self._content_since = self._block_since = self._rate_since = now
        self._rate_received = 0

    def wait_for_command(self) -> None:
        """Start the watch of the next command; its octets do not start it again, only a reply does."""
        self._waiting_since = self.now

    def wait_for_content(self) -> None:
        """Start the watches of a content."""
        self._content_since = self._block_since = self._rate_since = self.now
        self._rate_received = 0

    def heard(self) -> None:
        """Start the watch of the next silence."""
        self._block_since = self.now

    def exhausted_by_command(self) -> bool:
        """Whether the peer took too long for a command, or for everything."""
        limits, now = self._limits, self.now
        return now - self._waiting_since > limits.command or now - self._started_at > limits.session

    def exhausted_by_content(self, received: int) -> Incident | None:
        """Return what is wrong with the speed of a content of which `received` octets have come."""
        limits, now = self._limits, self.now
        if now - self._block_since > limits.block or now - self._content_since > limits.data:
            return Incident.TIMED_OUT
        elapsed = now - self._rate_since
        if elapsed < limits.rate_window:
            return None
        grown = received - self._rate_received
        self._rate_since, self._rate_received = now, received
        return Incident.TOO_SLOW if grown < limits.rate * elapsed else None


class ErrorBudget:
    """The counts of one connection: what it did wrong. What is refused for now is our fault and counts as nothing."""

    __slots__ = ("_errors", "_failed_logins", "_idle_commands", "_limits", "_refused_recipients")

    def __init__(self, limits: DialogueLimits) -> None:
        self._limits = limits
        self._failed_logins = 0
        self._forgive()

    def idle_command(self) -> bool:
        """Count a command that brings no mail forward; tell whether that was too many."""
        self._idle_commands += 1
        return self._idle_commands > self._limits.idle_commands

    def answered(self, event: Event | None, code: int) -> str | None:
        """Count what was answered, None being a command that no event came of; return what was too much, or None."""
        if code < 400:
            if isinstance(event, ContentReceived):
                self._forgive()
            return None
        if code < 500:
            return None
        match event:
            case Rcpt():
                self._refused_recipients += 1
                return "refused recipients" if self._refused_recipients > self._limits.refused_recipients else None
            case Login() | Auth() | AuthAnswer():
                self._failed_logins += 1
                return "failed logins" if self._failed_logins >= self._limits.failed_logins else None
            case None | Mail() | Data() | ContentReceived():
                self._errors += 1
                return "errors" if self._errors >= self._limits.errors else None
        return None

    def _forgive(self) -> None:
        """Start again after an accepted mail; failed logins stay."""
        self._errors = self._idle_commands = self._refused_recipients = 0
