"""Mail out into a real Postfix: the table of certificates and levels, DSN-ready envelopes, what the mailbox holds."""

import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mta.sending.routes import Route
from sms.outcome import Done, Failed, ProblemCode, Retry
from tests.kit.mail_out import LEVELS, NO_TLSA, REASONS, World, make_world, policies_of
from tests.kit.mail_servers import DOMAIN, HOST, make_deliverer, one_host, status_mail
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer
from tests.kit.ports import free_port
from tests.kit.resolver import TableResolver
from tls.policy import TlsLevel

MASTER = """\
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
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    ports: dict[str, int]
    mailbox: Path
    world: World

    def mails(self) -> list[bytes]:
        return [file.read_bytes() for file in sorted((self.mailbox / "box" / "new").glob("*"))]


@pytest.fixture(scope="module")
def postfix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postfix]:
    program = find_program("postfix")
    require_peer("postfix", program)
    require_peer("root, which postfix needs to start", os.geteuid() == 0)
    assert program is not None
    # Not pytest's own folder: postfix's user must be able to walk into it.
    folder = Path(tempfile.mkdtemp(prefix="postfix-", dir="/tmp"))
    folder.chmod(0o755)
    owner = pwd.getpwnam("postfix")
    names = [*NO_TLSA, "TLS 1.0 only", "no STARTTLS"]
    ports = {name: free_port() for name in names}
    world = make_world(tmp_path_factory.mktemp("world"))
    for name in ("queue", "data", "mail"):
        (folder / name).mkdir()
    for name in ("data", "mail"):
        os.chown(folder / name, owner.pw_uid, owner.pw_gid)
    services = []
    for index, (name, port) in enumerate(ports.items()):
        certificate, key = world.peers.get(name, world.peers["good"]).write(folder / "keys", f"peer{index}")
        options = f" -o smtpd_tls_cert_file={certificate} -o smtpd_tls_key_file={key}"
        if name == "no STARTTLS":
            options += " -o smtpd_tls_security_level=none"
        if name == "TLS 1.0 only":
            options += " -o smtpd_tls_protocols=TLSv1 -o tls_medium_cipherlist=ALL:@SECLEVEL=0"
        services.append(f"127.0.0.1:{port} inet n - n - - smtpd{options}\n")
    (folder / "master.cf").write_text("".join(services) + MASTER)
    (folder / "main.cf").write_text(
        f"""\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = {grp.getgrnam("postdrop").gr_name}
myhostname = {HOST}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {folder}/log
maillog_file_prefixes = /tmp
alias_maps =
smtpd_tls_security_level = may
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/access, permit
smtpd_tls_received_header = yes
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{owner.pw_uid}
virtual_gid_maps = static:{owner.pw_gid}
virtual_minimum_uid = 1
"""
    )
    (folder / "access").write_text(
        f"greylisted@{DOMAIN} 450 4.2.0 come back later\nunknown@{DOMAIN} 550 5.1.1 nobody of that name\n"
    )
    try:
        run = subprocess.run(
            [program, "-c", str(folder), "start"], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        if run.returncode:
            pytest.fail(f"postfix did not start: {run.stdout}{run.stderr}")
        wait_for(ports["good"])
        yield Postfix(ports=ports, mailbox=folder / "mail", world=world)
    finally:
        subprocess.run([program, "-c", str(folder), "stop"], capture_output=True, timeout=PATIENCE, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(port: int) -> None:
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            assert time.monotonic() < ends
            time.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("quality", NO_TLSA)
async def test_case_29_the_table_holds_against_postfix(quality, postfix):
    got, reasons = {}, {}
    for level, policy in policies_of(postfix.world).items():
        if level not in LEVELS:
            continue
        deliverer = make_deliverer(
            postfix.ports[quality], policy, resolver=one_host(authentic=True), ca_file=postfix.world.roots
        )
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
        got[level] = "d" if isinstance(attempt.outcome, Done) else "w"
        if isinstance(attempt.outcome, Retry):
            reasons[level] = attempt.outcome.problem.cause
        else:
            assert bool(attempt.tls) is (level != "none")
    assert got == dict(zip(LEVELS, NO_TLSA[quality].split(), strict=True))
    for level in {"verify", "secure"} & set(reasons):
        assert REASONS[quality] in reasons[level]


@pytest.mark.parametrize(
    ("port", "level", "delivered"),
    [
        ("no STARTTLS", "may", True),
        ("no STARTTLS", "encrypt", False),
        ("no STARTTLS", "secure", False),
        ("TLS 1.0 only", "none", True),
        ("TLS 1.0 only", "may", False),
        ("TLS 1.0 only", "encrypt", False),
        ("TLS 1.0 only", "secure", False),
    ],
)
async def test_case_30_a_postfix_without_tls_or_with_old_tls(port, level, delivered, postfix):
    deliverer = make_deliverer(postfix.ports[port], policies_of(postfix.world)[level], ca_file=postfix.world.roots)
    attempt = await deliverer.deliver(status_mail())
    await deliverer.close()
    assert isinstance(attempt.outcome, Done) is delivered
    if not delivered:
        assert isinstance(attempt.outcome, Retry)
        assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY


async def test_what_postfix_keeps_is_what_was_sent(postfix):
    marked = b"From: <sms@sms.example.net>\r\nSubject: marked one\r\n\r\n.dot\r\n..two\r\nend\r\n"
    deliverer = make_deliverer(postfix.ports["good"], TlsLevel.ENCRYPT)
    attempt = await deliverer.deliver(status_mail(message=marked))
    await deliverer.close()
    assert isinstance(attempt.outcome, Done)
    assert "queued as" in attempt.reply
    ends = time.monotonic() + PATIENCE
    while not (found := [mail for mail in postfix.mails() if b"marked one" in mail]):
        assert time.monotonic() < ends
        time.sleep(0.02)
    assert b"Return-Path: <>\n" in found[0]
    assert b"using TLSv1.3" in found[0]
    assert found[0].endswith(b"\n\n.dot\n..two\nend\n")


async def test_postfix_refusals_and_deferrals_have_their_meaning(postfix):
    deliverer = make_deliverer(postfix.ports["good"])
    later = await deliverer.deliver(status_mail(recipient=f"greylisted@{DOMAIN}"))
    never = await deliverer.deliver(status_mail(recipient=f"unknown@{DOMAIN}"))
    elsewhere = await deliverer.deliver(status_mail())
    await deliverer.close()
    assert isinstance(later.outcome, Retry)
    assert later.outcome.problem.code is ProblemCode.MAIL_DEFERRED
    assert isinstance(never.outcome, Failed)
    assert never.reply.startswith("550 5.1.1")
    assert isinstance(elsewhere.outcome, Done)


async def test_a_route_leads_to_postfix_under_its_own_level(postfix):
    resolver = TableResolver(hosts={HOST: ["127.0.0.1"]})
    route = Route(domain=DOMAIN, host=f"[{HOST}]", port=postfix.ports["good"], tls=policies_of(postfix.world)["secure"])
    deliverer = make_deliverer(1, resolver=resolver, routes=(route,), ca_file=postfix.world.roots)
    attempt = await deliverer.deliver(status_mail())
    await deliverer.close()
    assert isinstance(attempt.outcome, Done)
    assert attempt.policy == f"secure (route of {DOMAIN})"
