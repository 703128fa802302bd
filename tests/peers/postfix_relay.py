"""A real Postfix between a sender and the gateway: takes mail on loopback, relays numbers to us, keeps mail for people."""

import contextlib
import grp
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path

import pytest

from tests.kit.installation import DOMAIN
from tests.kit.patience import PATIENCE, wait_for
from tests.kit.peer import find_program, require_peer
from tests.kit.ports import free_port

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = {group}
myhostname = relay.example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {folder}/log
maillog_file_prefixes = /tmp
alias_maps =
smtp_dns_support_level = disabled
fast_flush_domains =
smtp_tls_security_level = none
smtpd_tls_security_level = {tls}
smtpd_tls_received_header = yes
smtpd_relay_restrictions = permit_mynetworks, reject
relay_domains = {domain}
transport_maps = inline:{{ {domain}=smtp:[127.0.0.1]:{gateway} }}
virtual_mailbox_domains = {people}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_minimum_uid = 1
"""


class PostfixRelay:
    """One Postfix with a configuration, queue and mailbox of its own. `people` are the domains whose mail it keeps.

    It offers TLS with the files of a `key` and its certificate `chain`, if there are any.
    """

    def __init__(self, *people: str, key: Path | None = None, chain: Path | None = None) -> None:
        self.program = find_program("postfix")
        require_peer("postfix", self.program)
        require_peer("root, which postfix needs to start", os.geteuid() == 0)
        self.port = free_port()
        self._people = people
        self._key, self._chain = key, chain
        # Not pytest's own folder: postfix's user must be able to walk into it.
        self.folder = Path(tempfile.mkdtemp(prefix="postfix-relay-", dir="/tmp"))
        self.folder.chmod(0o755)

    def start(self, gateway: int, more: str = "") -> None:
        """Begin to relay to the gateway's port; returns when mail is taken. `more` overrides lines of main.cf."""
        owner = pwd.getpwnam("postfix")
        for name in ("queue", "data", "mail"):
            (self.folder / name).mkdir(exist_ok=True)
        for name in ("data", "mail"):
            os.chown(self.folder / name, owner.pw_uid, owner.pw_gid)
        (self.folder / "master.cf").write_text(MASTER.format(port=self.port))
        (self.folder / "main.cf").write_text(
            MAIN.format(
                folder=self.folder,
                group=grp.getgrnam("postdrop").gr_name,
                domain=DOMAIN,
                gateway=gateway,
                people=" ".join(self._people),
                uid=owner.pw_uid,
                tls="none" if self._chain is None else "may",
            )
            + ("" if self._chain is None else f"smtpd_tls_cert_file={self._chain}\nsmtpd_tls_key_file={self._key}\n")
            + more
        )
        logged = len(self.log())
        started = self._postfix("start")
        if started.returncode:
            pytest.fail(f"postfix did not start: {started.stdout}{started.stderr}")
        wait_for(lambda: "daemon started" in self.log()[logged:], "postfix does not log")
        wait_for(self._takes_mail, "postfix takes no mail")

    def halt(self) -> None:
        """End it; what it holds stays for the next start.

        `postfix stop` returns before all parts have ended. A logger that is left keeps the next one from starting, and
        what can't log stands still.
        """
        self._postfix("stop")
        wait_for(lambda: not self._parts(), "parts of postfix do not end")

    def _takes_mail(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
        except OSError:
            return False
        return True

    def _parts(self) -> list[str]:
        """Return the process ids of what runs in its queue."""
        found = []
        for place in Path("/proc").glob("[0-9]*/cwd"):
            with contextlib.suppress(OSError):
                if place.readlink().is_relative_to(self.folder):
                    found.append(place.parent.name)
        return found

    def stop(self) -> None:
        """End it and remove everything it wrote."""
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _postfix(self, word: str) -> subprocess.CompletedProcess:
        assert self.program is not None
        command = [self.program, "-c", str(self.folder), word]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def sendmail(self, content: bytes, *arguments: str) -> None:
        """Hand a mail to Postfix as programs on its machine do."""
        program = find_program("sendmail")
        require_peer("sendmail of postfix", program)
        environment = {**os.environ, "MAIL_CONFIG": str(self.folder)}
        assert program is not None
        subprocess.run([program, *arguments], input=content, env=environment, timeout=PATIENCE, check=True)

    def mails(self) -> list[EmailMessage]:
        """Return the mails that people got, oldest first."""
        files = sorted((self.folder / "mail" / "box" / "new").glob("*"), key=lambda file: file.stat().st_mtime_ns)
        return [message_from_bytes(file.read_bytes(), policy=modern) for file in files]

    def log(self) -> str:
        """Return what it logged so far."""
        log = self.folder / "log"
        return log.read_text() if log.exists() else ""

    def handed_on(self, where: str) -> list[bool]:
        """Return of each mail to an address or domain that is done with whether it was taken there."""
        line = re.compile(rf"to=<[^>]*{re.escape(where)}>.* status=(sent|bounced)")
        return [found == "sent" for found in line.findall(self.log())]
