"""Mail servers as senders: they take a mail into a queue of their own, try again, and return it to its sender."""

import os
import re
import shutil
import smtplib
import tempfile
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path
from typing import ClassVar

from tests.kit.installation import DOMAIN, SENDER
from tests.kit.patience import PATIENCE, wait_for
from tests.kit.peer import find_program, require_peer
from tests.peers.exim import USER, find_exim
from tests.peers.postfix_relay import PostfixRelay
from tests.peers.senders import HOST, Fate, Way, run

PEOPLE = SENDER.partition("@")[2]


class Postfix:
    """Postfix, on OpenSSL and Cyrus SASL."""

    mechanisms: ClassVar[tuple[str, ...]] = ("PLAIN", "LOGIN", "SCRAM-SHA-256")
    _FATES: ClassVar = {"sent": Fate.SENT, "deferred": Fate.WAITS, "bounced": Fate.FAILED}

    def __init__(self, _folder: Path) -> None:
        self._relay = PostfixRelay(PEOPLE)
        self._main = ""

    def send(self, way: Way, raw: bytes, to: str) -> tuple[Fate, str]:
        self._configure(way)
        before = self._ends()
        with smtplib.SMTP("127.0.0.1", self._relay.port, timeout=PATIENCE) as client:
            client.sendmail(SENDER, [to], raw)
        return self._told(before)

    def again(self, way: Way) -> tuple[Fate, str]:
        self._configure(way)
        before = self._ends()
        run([str(find_program("postqueue")), "-c", str(self._relay.folder), "-f"])
        return self._told(before)

    def close(self) -> None:
        self._relay.stop()

    def _configure(self, way: Way) -> None:
        main = {
            "smtp_tls_security_level": "secure",
            "smtp_tls_secure_cert_match": HOST,
            "smtp_tls_CAfile": way.authority,
            "smtp_tls_wrappermode": "yes" if way.implicit else "no",
            "smtp_sasl_auth_enable": "yes" if way.mechanism else "no",
            "smtp_sasl_mechanism_filter": way.mechanism,
            "smtp_sasl_security_options": "noanonymous",
            "smtp_sasl_password_maps": f"static:{way.login}:{way.password}",
            "smtp_tls_cert_file": way.certificate or "",
            "smtp_tls_key_file": way.certificate or "",
        }
        text = "".join(f"{name} = {value}\n" for name, value in main.items())
        if text == self._main:
            return
        if self._main:
            self._relay.halt()
        self._main = text
        self._relay.start(way.port, text)

    def _ends(self) -> list[str]:
        """Return what became of the mails to the gateway so far, one line of the log each."""
        return re.findall(rf"(?m)^.* to=<\S+@{re.escape(DOMAIN)}>,.* status=.*$", self._relay.log())

    def _told(self, before: list[str]) -> tuple[Fate, str]:
        returned = len(self._relay.mails())
        wait_for(lambda: len(self._ends()) > len(before), "postfix did nothing with the mail")
        line = self._ends()[-1]
        fate = self._FATES[line.partition(" status=")[2].partition(" ")[0]]
        if fate is not Fate.FAILED:
            return fate, line
        wait_for(lambda: len(self._relay.mails()) > returned, "postfix did not return the mail")
        return fate, line + bounce_of(self._relay.mails()[-1])


class Exim:
    """Exim, on GnuTLS, with its own client of each mechanism."""

    mechanisms: ClassVar[tuple[str, ...]] = ("PLAIN", "LOGIN", "EXTERNAL")
    _FATES: ClassVar = {"=>": Fate.SENT, "==": Fate.WAITS, "**": Fate.FAILED}

    def __init__(self, _folder: Path) -> None:
        # Not pytest's own folder: exim's user must be able to walk into it.
        self._folder = Path(tempfile.mkdtemp(prefix="exim-", dir="/tmp"))
        self._folder.chmod(0o755)
        program, self._environment = find_exim(self._folder)
        try:
            require_peer("exim (tests/peers/unpack_exim)", program)
            require_peer("root, which exim needs to start", os.geteuid() == 0)
        except BaseException:
            self.close()
            raise
        self._words = [str(program), "-C", str(self._folder / "exim.conf")]
        for name in ("spool", "log", "mail"):
            (self._folder / name).mkdir()
            os.chown(self._folder / name, USER, USER)

    def send(self, way: Way, raw: bytes, to: str) -> tuple[Fate, str]:
        return self._do(way, ["-odf", "-f", SENDER, to], raw.replace(b"\r\n", b"\n"))

    def again(self, way: Way) -> tuple[Fate, str]:
        return self._do(way, ["-qff"])

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _do(self, way: Way, words: list[str], given: bytes = b"") -> tuple[Fate, str]:
        self._configure(way)
        before, returned = len(self._ends()), len(self._mails())
        _, said = run([*self._words, *words], given, self._environment)
        wait_for(lambda: len(self._ends()) > before, f"exim did nothing with the mail: {said}")
        line = self._ends()[-1]
        fate = next(fate for mark, fate in self._FATES.items() if f" {mark} " in line)
        if fate is not Fate.FAILED:
            return fate, line
        wait_for(lambda: len(self._mails()) > returned, "exim did not return the mail")
        return fate, line + bounce_of(self._mails()[-1])

    def _configure(self, way: Way) -> None:
        pair = f"tls_certificate = {self._readable(way.certificate)}" if way.certificate is not None else ""
        # Each authenticator of the client (exim's specification, chapters 34 and 40).
        secrets = {
            "PLAIN": f"driver = plaintext\n  client_send = ^{way.login}^{way.password}",
            "LOGIN": f"driver = plaintext\n  client_send = : {way.login} : {way.password}",
            "EXTERNAL": f"driver = external\n  client_send = {way.login}",
        }
        mechanism = f"only:\n  public_name = {way.mechanism}\n  {secrets[way.mechanism]}\n" if way.mechanism else ""
        (self._folder / "exim.conf").write_text(
            f"""\
exim_user = {USER}
exim_group = {USER}
primary_hostname = relay.example.com
spool_directory = {self._folder}/spool
log_file_path = {self._folder}/log/%s
pid_file_path = {self._folder}/exim.pid
log_selector = +smtp_confirmation
exim_path = {self._words[0]}
keep_environment = LD_LIBRARY_PATH : ^LD_PRELOAD : ^NSS_
begin routers
people:
  driver = accept
  domains = {PEOPLE}
  transport = box
gateway:
  driver = manualroute
  route_list = {DOMAIN} localhost::{way.port} byname
  self = send
  transport = gateway
begin transports
box:
  driver = appendfile
  directory = {self._folder}/mail
  maildir_format
  return_path_add
gateway:
  driver = smtp
  protocol = {"smtps" if way.implicit else "smtp"}
  hosts_require_tls = *
  tls_verify_hosts = *
  tls_verify_certificates = {self._readable(way.authority)}
  {"hosts_require_auth = *" if way.mechanism else ""}
  {pair}
begin retry
* * F,2h,1m
begin authenticators
{mechanism}"""
        )

    def _readable(self, file: Path) -> Path:
        """Return a copy of a file that exim's own user may read."""
        copy = self._folder / file.name
        if not copy.exists():
            shutil.copy(file, copy)
            os.chown(copy, USER, USER)
        return copy

    def _ends(self) -> list[str]:
        """Return what became of the mails to the gateway so far, one line of the log each."""
        log = self._folder / "log" / "main"
        text = log.read_text() if log.exists() else ""
        return re.findall(rf"(?m)^.* (?:=>|==|\*\*) \S+@{re.escape(DOMAIN)} .*$", text)

    def _mails(self) -> list[EmailMessage]:
        files = sorted((self._folder / "mail" / "new").glob("*"), key=lambda file: file.stat().st_mtime_ns)
        return [message_from_bytes(file.read_bytes(), policy=modern) for file in files]


def bounce_of(mail: EmailMessage) -> str:
    """Return the words of a mail that a server returned."""
    assert mail["Return-Path"] == "<>"
    assert mail["To"] == SENDER
    return f"\n{mail.as_string()}"
