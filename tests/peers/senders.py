"""Programs of others that send a mail to the gateway, in the way that they are told: TLS, login, certificate.

Each says what became of the mail. Those with a queue of their own are in tests.peers.queueing_senders.
"""

import json
import re
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Protocol

from tests.kit.installation import SENDER
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer

HOST = "gateway.example.net"
NODE_FOLDER = Path(__file__).parent / "node_mail"


class Fate(StrEnum):
    """What a program makes of a mail."""

    SENT = "sent"
    WAITS = "waits"  # it tries again, or tells its caller to
    FAILED = "failed"  # it tells the sender


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to reach the gateway: a login where there is a mechanism, a certificate where there is one.

    `certificate` is a file with certificate and key, `authority` that of the gateway's certificate.
    """

    port: int
    authority: Path
    implicit: bool = False
    mechanism: str = ""
    login: str = ""
    password: str = ""
    certificate: Path | None = None


class Program(Protocol):
    """A program that sends mail."""

    mechanisms: ClassVar[tuple[str, ...]]

    def send(self, way: Way, raw: bytes, to: str) -> tuple[Fate, str]:
        """Give a mail to the gateway; returns what became of it, and the words of program and gateway."""

    def again(self, way: Way) -> tuple[Fate, str]:
        """Try the same mail again."""


class _Once:
    """A program without a queue: its caller tries again."""

    _last: tuple[bytes, str]

    def send(self, way: Way, raw: bytes, to: str) -> tuple[Fate, str]:
        self._last = raw, to
        return self._run(way, raw, to)

    def again(self, way: Way) -> tuple[Fate, str]:
        return self._run(way, *self._last)

    def _run(self, way: Way, raw: bytes, to: str) -> tuple[Fate, str]:
        raise NotImplementedError


class Swaks(_Once):
    """swaks, on Perl's OpenSSL."""

    mechanisms: ClassVar[tuple[str, ...]] = ("PLAIN", "LOGIN")

    def __init__(self, folder: Path) -> None:
        self._program = find_program("swaks")
        require_peer("swaks", self._program)
        self._file = folder / "swaks.eml"

    def _run(self, way: Way, raw: bytes, to: str) -> tuple[Fate, str]:
        self._file.write_bytes(raw.replace(b"\r\n", b"\n"))
        words = [str(self._program), "--server", f"127.0.0.1:{way.port}", "--from", SENDER]
        words += [
            "--to",
            to.removeprefix("+"),
            "--data",
            f"@{self._file}",
            "--tls-on-connect" if way.implicit else "--tls",
        ]
        words += ["--tls-verify", "--tls-ca-path", str(way.authority)]
        if way.mechanism:
            words += ["--auth", way.mechanism, "--auth-user", way.login, "--auth-password", way.password]
        if way.certificate is not None:
            words += ["--tls-cert", str(way.certificate), "--tls-key", str(way.certificate)]
        code, said = run(words)
        refused = re.findall(r"^<.\*\s+([45])\d\d", said, re.MULTILINE)
        return (Fate.SENT if code == 0 else Fate.WAITS if refused[-1:] == ["4"] else Fate.FAILED), said


class Msmtp(_Once):
    """msmtp, on GnuTLS and GNU SASL."""

    mechanisms: ClassVar[tuple[str, ...]] = ("PLAIN", "LOGIN", "SCRAM-SHA-256", "EXTERNAL")

    def __init__(self, folder: Path) -> None:
        self._program = find_program("msmtp")
        require_peer("msmtp", self._program)
        self._file = folder / "msmtprc"

    def _run(self, way: Way, raw: bytes, to: str) -> tuple[Fate, str]:
        options = {
            "host": "127.0.0.1",
            "port": way.port,
            "tls": "on",
            "tls_starttls": "off" if way.implicit else "on",
            "tls_trust_file": way.authority,
            "tls_host_override": HOST,
            "auth": way.mechanism.lower() or "off",
            "from": SENDER,
        }
        options |= {name: word for name, word in (("user", way.login), ("password", way.password)) if word}
        if way.certificate is not None:
            options |= {"tls_cert_file": way.certificate, "tls_key_file": way.certificate}
        self._file.write_text("account default\n" + "".join(f"{name} {value}\n" for name, value in options.items()))
        self._file.chmod(0o600)
        code, said = run([str(self._program), f"--file={self._file}", "--debug", to], raw.replace(b"\r\n", b"\n"))
        # Its exit code does not tell a 4xx at the end of a mail from a 5xx.
        return (Fate.SENT if code == 0 else Fate.WAITS if "server message: 4" in said else Fate.FAILED), said


class Nodemailer(_Once):
    """nodemailer, on Node's OpenSSL."""

    mechanisms: ClassVar[tuple[str, ...]] = ("PLAIN", "LOGIN")

    def __init__(self, _folder: Path) -> None:
        self._program = find_program("node", "nodejs")
        require_peer("node nodemailer", self._program and (NODE_FOLDER / "node_modules" / "nodemailer").is_dir())

    def _run(self, way: Way, raw: bytes, to: str) -> tuple[Fate, str]:
        tls = {"ca": way.authority.read_text(), "servername": HOST}
        transport: dict[str, object] = {"host": "127.0.0.1", "port": way.port, "tls": tls}
        transport |= {"secure": way.implicit, "requireTLS": not way.implicit}
        if way.mechanism:
            transport |= {"authMethod": way.mechanism, "auth": {"user": way.login, "pass": way.password}}
        if way.certificate is not None:
            tls |= dict.fromkeys(("cert", "key"), way.certificate.read_text())
        mail = {"envelope": {"from": SENDER, "to": to}, "raw": raw.decode()}
        given = json.dumps({"transport": transport, "mails": [mail]}).encode()
        code, said = run([str(self._program), str(NODE_FOLDER / "send.js")], given)
        assert code == 0, said
        (came,) = json.loads(said)
        refused = str(came.get("responseCode", ""))
        return (Fate.SENT if came.get("accepted") else Fate.WAITS if refused[:1] == "4" else Fate.FAILED), said


def run(words: list[str], given: bytes = b"", environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a program to its end; returns its exit code and all that it said."""
    done = subprocess.run(words, input=given, capture_output=True, timeout=PATIENCE, check=False, env=environment)
    return done.returncode, done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace")
