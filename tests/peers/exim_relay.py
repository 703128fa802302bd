"""A real Exim between a sender and the gateway: takes mail on loopback, relays numbers to us, and keeps nothing else."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.kit.installation import DOMAIN
from tests.kit.patience import PATIENCE
from tests.kit.peer import require_peer
from tests.kit.ports import free_port
from tests.peers.exim import USER, find_exim

CONFIG = """\
exim_user = {user}
exim_group = {user}
primary_hostname = exim.example.com
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s
pid_file_path = {folder}/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
tls_advertise_hosts =
smtp_enforce_sync = false
smtp_accept_max = 0
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
exim_path = {program}
keep_environment = LD_LIBRARY_PATH : ^LD_PRELOAD : ^NSS_
acl_smtp_rcpt = everybody
begin acl
everybody:
  accept
begin routers
gateway:
  driver = manualroute
  route_list = {domain} localhost::{gateway} byname
  self = send
  transport = gateway
people:
  driver = redirect
  data = :blackhole:
begin transports
gateway:
  driver = smtp
"""


class EximRelay:
    """One Exim with a configuration and queue of its own, which takes as much for an end of data as it can."""

    def __init__(self) -> None:
        self.port = free_port()
        # Not pytest's own folder: exim's user must be able to walk into it.
        self.folder = Path(tempfile.mkdtemp(prefix="exim-relay-", dir="/tmp"))
        self.folder.chmod(0o755)
        self._process: subprocess.Popen | None = None
        program, self._environment = find_exim(self.folder)
        try:
            require_peer("exim (tests/peers/unpack_exim)", program)
            require_peer("root, which exim needs to start", os.geteuid() == 0)
        except BaseException:
            self.stop()
            raise
        self._program = str(program)

    def start(self, gateway: int) -> None:
        """Begin to relay to the gateway's port; returns when mail is taken."""
        for name in ("spool", "log"):
            (self.folder / name).mkdir()
            os.chown(self.folder / name, USER, USER)
        places = {"folder": self.folder, "port": self.port, "domain": DOMAIN, "gateway": gateway}
        config = self.folder / "exim.conf"
        config.write_text(CONFIG.format(program=self._program, user=USER, **places))
        with (self.folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [self._program, "-C", str(config), "-bdf"],
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
            except OSError:
                if time.monotonic() > ends or self._process.poll() is not None:
                    pytest.fail(f"exim did not start: {(self.folder / 'output').read_text()}")
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it and remove everything it wrote."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)  # its own group: the daemon and whoever still talks
            self._process.wait(PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)

    def handed_on(self, where: str) -> list[bool]:
        """Return of each mail to an address or domain that is done with whether it was taken there."""
        log = (self.folder / "log" / "main").read_text()
        line = re.compile(rf" (=>|\*\*) (?:\S+ <)?[^ >]*{re.escape(where)}[>:]* ")
        return [found == "=>" for found in line.findall(log)]
