"""How long a peer may take, how many commands it may send and how many faults it may make.

Not here: the reply to a peer beyond its limits (mta.smtp.engine.dialogue). RFC 5321 §4.5.3.2.
"""

from mta.smtp.engine.events import (
    ContentReceived,
    Data,
    DialogueLimits,
    Event,
    Incident,
    Login,
    Mail,
    Rcpt,
)

_OUT_OF_SEQUENCE = 503


class Timeouts:
    """The timers of one connection. `now` is set from outside: seconds of any clock that never goes back.

    `waiting_since` is when the last command was answered.
    """

    __slots__ = (
        "_block_since",
        "_content_since",
        "_limits",
        "_rate_received",
        "_rate_since",
        "_started_at",
        "now",
        "waiting_since",
    )

    def __init__(self, limits: DialogueLimits, now: float) -> None:
        self._limits = limits
        self.now = self._started_at = self.waiting_since = now
        self._content_since = self._block_since = self._rate_since = now
        self._rate_received = 0

    def wait_for_command(self) -> None:
        """Start the timer of the next command; only a reply restarts it, not its octets."""
        self.waiting_since = self.now

    def wait_for_content(self) -> None:
        """Start the timers of a content."""
        self.waiting_since = self._content_since = self._block_since = self._rate_since = self.now
        self._rate_received = 0

    def heard(self) -> None:
        """Start the timer of the next silence inside a content."""
        self._block_since = self.now

    def exhausted_by_command(self) -> bool:
        """Return whether the peer took too long for a command or for the session."""
        limits, now = self._limits, self.now
        return now - self.waiting_since > limits.command or now - self._started_at > limits.session

    def exhausted_by_content(self, received: int) -> Incident | None:
        """Return what is wrong with the speed of a content after `received` octets."""
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
    """Counts the commands and faults of one connection.

    Temporary refusals are our fault and do not count, nor does what a client had sent behind one (RFC 2920 §3.1) and
    which is out of sequence for that reason.
    """

    __slots__ = (
        "_commands",
        "_errors",
        "_excused",
        "_failed_logins",
        "_idle_commands",
        "_limits",
        "_refused_recipients",
    )

    def __init__(self, limits: DialogueLimits) -> None:
        self._limits = limits
        self._failed_logins = 0
        self._excused = 0
        self._forgive()

    def command(self) -> str | None:
        """Count a command, well-formed or not; returns the limit that it is beyond, or None."""
        self._commands += 1
        if self._commands <= self._limits.commands:
            return None
        return f"at most {self._limits.commands} before a mail is taken"

    def idle_command(self) -> str | None:
        """Count a command that advances no mail; returns the limit that it is beyond, or None."""
        self._idle_commands += 1
        most = self._limits.idle_commands
        return f"at most {most} that advance no mail" if self._idle_commands > most else None

    def answered(self, event: Event | None, code: int) -> str | None:
        """Count an answer; `event` is None for a command without event. Returns the limit reached, or None."""
        if code < 400:
            self._excused = 0
            if isinstance(event, ContentReceived):
                self._forgive()
            return None
        if self._is_excused(event, code):
            return None
        limits = self._limits
        match event:
            case Rcpt():
                self._refused_recipients += 1
                if self._refused_recipients > limits.refused_recipients:
                    return f"at most {limits.refused_recipients} refused recipients"
            case Login():
                self._failed_logins += 1
                if self._failed_logins >= limits.failed_logins:
                    return f"at most {limits.failed_logins} failed logins"
            case None | Mail() | Data() | ContentReceived():
                self._errors += 1
                if self._errors >= limits.errors:
                    return f"at most {limits.errors} refused commands"
        return None

    def _is_excused(self, event: Event | None, code: int) -> bool:
        if code < 500:
            self._excused = self._limits.idle_commands
            return True
        excused = event is None and code == _OUT_OF_SEQUENCE and self._excused > 0
        self._excused -= excused
        return excused

    def _forgive(self) -> None:
        """Restart the counts after an accepted mail, except failed logins."""
        self._commands = self._errors = self._idle_commands = self._refused_recipients = 0
