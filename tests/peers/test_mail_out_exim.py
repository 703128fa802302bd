"""Mail out into a real Exim, whose TLS is GnuTLS: the same table of certificates and levels as against Postfix."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sms.outcome import Done, ProblemCode, Retry
from tests.kit.mail_out import LEVELS, NO_TLSA, REASONS, World, make_world, policies_of
from tests.kit.mail_servers import HOST, make_deliverer, one_host, status_mail
from tests.kit.patience import PATIENCE
from tests.kit.peer import require_peer
from tests.kit.ports import free_port
from tests.peers.exim import USER, find_exim


@dataclass(frozen=True)
class Exim:
    ports: dict[str, int]
    world: World


@pytest.fixture(scope="module")
def exim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exim]:
    folder = Path(tempfile.mkdtemp(prefix="exim-", dir="/tmp"))  # its user must be able to walk into it
    folder.chmod(0o755)
    process = None
    try:
        program, environment = find_exim(folder)
        require_peer("exim (tests/peers/unpack_exim)", program)
        require_peer("root, which exim needs to start", os.geteuid() == 0)
        assert program is not None
        world = make_world(tmp_path_factory.mktemp("world"))
        names = [*NO_TLSA, "TLS 1.0 only", "no STARTTLS"]
        ports = {name: free_port() for name in names}
        for name, port in ports.items():
            for file in world.peers.get(name, world.peers["good"]).write(folder / "keys", str(port)):
                os.chown(file, USER, USER)
        for name in ("spool", "log"):
            (folder / name).mkdir()
            os.chown(folder / name, USER, USER)
        config = folder / "exim.conf"
        config.write_text(
            f"""\
exim_user = {USER}
exim_group = {USER}
primary_hostname = {HOST}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s
pid_file_path = {folder}/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {" : ".join(str(port) for port in ports.values())}
queue_only = true
acl_smtp_rcpt = everybody
tls_advertise_hosts = ${{if eq{{$received_port}}{{{ports["no STARTTLS"]}}}{{}}{{*}}}}
tls_certificate = {folder}/keys/$received_port.pem
tls_privatekey = {folder}/keys/$received_port.key
tls_require_ciphers = ${{if eq{{$received_port}}{{{ports["TLS 1.0 only"]}}}{{NORMAL:-VERS-ALL:+VERS-TLS1.0}}{{NORMAL}}}}
begin acl
everybody:
  accept
"""
        )
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [program, "-C", str(config), "-bdf"],
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        ends = time.monotonic() + PATIENCE
        for port in ports.values():
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 0.2).close()
                    break
                except OSError:
                    if time.monotonic() > ends or process.poll() is not None:
                        pytest.fail(f"exim did not start: {(folder / 'output').read_text()}")
                    time.sleep(0.05)
        yield Exim(ports=ports, world=world)
    finally:
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)  # its own group: the daemon and whoever still talks
            process.wait(PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("quality", NO_TLSA)
async def test_case_29_the_table_holds_against_exim(quality, exim):
    got, reasons = {}, {}
    for level, policy in policies_of(exim.world).items():
        if level not in LEVELS:
            continue
        deliverer = make_deliverer(
            exim.ports[quality], policy, resolver=one_host(authentic=True), ca_file=exim.world.roots
        )
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
        got[level] = "d" if isinstance(attempt.outcome, Done) else "w"
        if isinstance(attempt.outcome, Retry):
            reasons[level] = attempt.outcome.problem.cause
    assert got == dict(zip(LEVELS, NO_TLSA[quality].split(), strict=True))
    for level in {"verify", "secure"} & set(reasons):
        assert REASONS[quality] in reasons[level]


@pytest.mark.parametrize(
    ("port", "level", "delivered"),
    [
        ("no STARTTLS", "may", True),
        ("no STARTTLS", "encrypt", False),
        ("TLS 1.0 only", "none", True),
        ("TLS 1.0 only", "may", False),
        ("TLS 1.0 only", "encrypt", False),
        ("TLS 1.0 only", "secure", False),
    ],
)
async def test_case_30_an_exim_without_tls_or_with_old_tls(port, level, delivered, exim):
    deliverer = make_deliverer(exim.ports[port], policies_of(exim.world)[level], ca_file=exim.world.roots)
    attempt = await deliverer.deliver(status_mail())
    await deliverer.close()
    assert isinstance(attempt.outcome, Done) is delivered
    if not delivered:
        assert isinstance(attempt.outcome, Retry)
        assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY
