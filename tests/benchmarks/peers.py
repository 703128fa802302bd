"""The servers that ours is measured beside, each a private instance: full Postfix, smtp-sink, stock aiosmtpd."""

import grp
import os
import pwd
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.setup import DOMAIN
from tests.benchmarks.figures import MissingPeerError
from tests.benchmarks.processes import Running, answers, program, python, running
from tests.kit.ports import free_port

_SERVICES = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that takes mail on loopback; `queue` is Postfix's."""

    port: int
    process: Running
    queue: Path | None = None

    def until_idle(self, seconds: float = 60) -> None:
        """Wait until nothing is queued, so that the next side finds a quiet machine."""
        end = time.monotonic() + seconds
        while self.queue is not None and any(self._queued(self.queue)):
            if time.monotonic() > end:
                raise RuntimeError(f"{self.queue} did not become empty")
            time.sleep(0.05)

    def _queued(self, queue: Path) -> Iterator[str]:
        for name in ("incoming", "active", "maildrop", "deferred"):
            yield from (file for _, _, files in os.walk(queue / name) for file in files)


@contextmanager
def postfix(folder: Path, *, transport: str = "discard:", services: str = "") -> Iterator[Server]:
    """Run Postfix with all its daemons and its queue on disk; mail for our domain goes to `transport`.

    Its defaults stand, among them fsync of every queue file; only the client's rate limits are off.
    """
    command = program("postfix", "postfix")
    if os.geteuid() != 0:
        raise MissingPeerError("postfix starts only as root")
    port = free_port()
    owner = pwd.getpwnam("postfix")
    for name in ("queue", "data"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
    (folder / "master.cf").write_text(f"127.0.0.1:{port} inet n - n - - smtpd\n{_SERVICES}{services}")
    (folder / "main.cf").write_text(
        f"""\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = {grp.getgrnam("postdrop").gr_name}
myhostname = postfix.example.net
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {folder}/log
maillog_file_prefixes = {folder.parent}
alias_maps =
relay_domains = {DOMAIN}
relay_transport = {transport}
default_transport = {transport}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
"""
    )
    log = folder / "start.log"
    with running([command, "-c", str(folder), "start-fg"], log=log) as process:
        process.until(lambda: answers(port))
        yield Server(port, process, folder / "queue")


@contextmanager
def smtp_sink(folder: Path) -> Iterator[Server]:
    """Run Postfix's own sink: C, no queue, nothing kept."""
    port = free_port()
    words = [program("smtp-sink", "postfix"), "-u", "nobody", f"127.0.0.1:{port}", "1000"]
    if os.geteuid() != 0:
        del words[1:3]
    with running(words, log=folder / "sink.log") as process:
        process.until(lambda: answers(port))
        yield Server(port, process)


@contextmanager
def stock_aiosmtpd(folder: Path, *, rows: bool = False) -> Iterator[Server]:
    """Run aiosmtpd as it comes, with a handler that drops, or with `rows` one that keeps peewee rows."""
    words = [str(folder / "rows.db")] if rows else []
    log = folder / "aiosmtpd.log"
    with running(python("tests.benchmarks.stock_server", *words), log=log, read_output=True) as process:
        yield Server(int(process.line()), process)
