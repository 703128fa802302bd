"""A domain controller of a test's own: Samba as Active Directory, which answers LDAP on a loopback address of its own.

Its ports are 389 and 636, which no setting changes: it needs root, as making the domain does. Only its LDAP service runs.
"""

import base64
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from addressbook.sources import DeltaMethod, LdapSource, LdapTls
from tests.benchmarks.processes import Running
from tests.kit.databases import quick_folder
from tests.kit.mail_servers import issue, make_authority
from tests.kit.peer import find_program, require_peer

DOMAIN = "DC=ad,DC=example,DC=org"
USERS = "(&(objectCategory=person)(objectClass=user))"
READER, REPLICATOR = "reader", "replicating"
"""An account that may read as anybody may, and one that may replicate changes and see what was deleted."""

_PASSWORD = "What 2 know!"
_ENABLED, _NO_PASSWORD = 0x200, 0x20
_CONFIGURATION = """\
[global]
netbios name = DC1
realm = AD.EXAMPLE.ORG
workgroup = AD
server role = active directory domain controller
server services = ldap
dcerpc endpoint servers =
interfaces = {address}/8
bind interfaces only = yes
disable netbios = yes
private dir = {folder}/private
state directory = {folder}/state
lock directory = {folder}/lock
cache directory = {folder}/cache
pid directory = {folder}/pid
ncalrpc dir = {folder}/ncalrpc
binddns dir = {folder}/bind-dns
ntp signd socket directory = {folder}/ntp
winbindd socket directory = {folder}/winbind
tls certfile = {folder}/server.pem
tls keyfile = {folder}/server.key
tls cafile = {folder}/authority.pem
log file = {folder}/log
"""


class SambaDomain:
    """One domain with the two accounts. Use as a context manager."""

    def __init__(self) -> None:
        programs = [find_program(name) for name in ("samba", "samba-tool", "ldapmodify")]
        require_peer("samba, samba-tool and ldapmodify", all(programs))
        require_peer("root, which samba needs to start", os.geteuid() == 0)
        self._samba, self._tool, self._modify = map(str, programs)
        self.folder = Path(tempfile.mkdtemp(prefix="mail2sms-samba-", dir=quick_folder()))
        self.address = _free_address()
        self.ca_file = self.folder / "authority.pem"
        self.password_file = self.folder / "password"
        self._running: Running | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        words = ["--targetdir", str(self.folder), "--realm=AD.EXAMPLE.ORG", "--domain=AD", "--server-role=dc"]
        words += ["--dns-backend=NONE", f"--adminpass={_PASSWORD}", f"--host-ip={self.address}", "--host-name=dc1"]
        self._call([self._tool, "domain", "provision", *words])
        for name in ("lock", "cache", "pid", "ncalrpc", "ntp", "winbind"):
            (self.folder / name).mkdir(exist_ok=True)
        authority = make_authority("Domain root")
        self.ca_file.write_bytes(authority.pem)
        issue(authority, names=("dc1.ad.example.org",), addresses=(self.address,)).write(self.folder, "server")
        self.password_file.touch(0o600)
        self.password_file.write_text(_PASSWORD)
        configuration = self.folder / "smb.conf"
        configuration.write_text(_CONFIGURATION.format(address=self.address, folder=self.folder))
        command = [self._samba, "--interactive", "--model=single", "-s", str(configuration)]
        self._running = Running(command, log=self.folder / "output")
        self._running.until(lambda: _answers(self.address), 60)
        self.change(*(account(name, f"CN=Users,{DOMAIN}", password=_PASSWORD) for name in (READER, REPLICATOR)))
        self.join(f"CN=Administrators,CN=Builtin,{DOMAIN}", f"CN={REPLICATOR},CN=Users,{DOMAIN}")

    def __exit__(self, *_: object) -> None:
        if self._running is not None:
            self._running.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def change(self, *changes: str) -> None:
        """Make changes as the domain's administrator, each an LDIF record with a changetype; raises RuntimeError."""
        words = ["-x", "-H", f"ldaps://{self.address}", "-D", "administrator@ad.example.org"]
        environment = {**os.environ, "LDAPTLS_CACERT": str(self.ca_file)}
        self._call([self._modify, *words, "-y", str(self.password_file)], "\n".join(changes), environment)

    def add_unit(self, name: str, above: str = DOMAIN) -> str:
        """Add an organisational unit; return its DN."""
        self.change(f"dn: OU={name},{above}\nchangetype: add\nobjectClass: organizationalUnit\n")
        return f"OU={name},{above}"

    def set(self, dn: str, attribute: str, *values: str) -> None:
        """Give an entry other values of an attribute; none removes it."""
        lines = "".join(f"{attribute}: {value}\n" for value in values)
        self.change(f"dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{lines}-\n")

    def join(self, group: str, *members: str) -> None:
        """Make entries members of a group."""
        lines = "".join(f"member: {member}\n" for member in members)
        self.change(f"dn: {group}\nchangetype: modify\nadd: member\n{lines}-\n")

    def move(self, dn: str, name: str, unit: str) -> str:
        """Give an entry another name or place; return its new DN."""
        self.change(f"dn: {dn}\nchangetype: modrdn\nnewrdn: {name}\ndeleteoldrdn: 1\nnewsuperior: {unit}\n")
        return f"{name},{unit}"

    def delete(self, *entries: str) -> None:
        """Delete entries; the domain keeps tombstones of them."""
        self.change(*(f"dn: {dn}\nchangetype: delete\n" for dn in entries))

    def source(
        self,
        base: str,
        *,
        account: str = REPLICATOR,
        tls: LdapTls = LdapTls.LDAPS,
        search_filter: str = USERS,
        delta: DeltaMethod = DeltaMethod.NONE,
    ) -> LdapSource:
        """Return how an account reads the users of a branch."""
        return LdapSource(
            host=self.address,
            port=636 if tls is LdapTls.LDAPS else 389,
            tls=tls,
            base=base,
            filter=search_filter,
            bind_dn=f"{account}@ad.example.org",
            password_file=str(self.password_file),
            ca_file="" if tls is LdapTls.LOOPBACK_ONLY else str(self.ca_file),
            delta=delta,
        )

    def _call(self, command: list[str], text: str = "", environment: dict[str, str] | None = None) -> None:
        done = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {(done.stderr or done.stdout)[-2000:]}")


@pytest.fixture(scope="session")
def samba_domain() -> Iterator[SambaDomain]:
    """One domain for all tests of a process; each file works in a branch of its own."""
    with SambaDomain() as running:
        yield running


def account(name: str, unit: str, *, password: str = "", **attributes: str) -> str:
    """Return an enabled account in LDIF, to be added; with a password it may bind, which takes long to store."""
    lines = [f"{attribute}: {value}" for attribute, value in attributes.items()]
    if password:
        quoted = f'"{password}"'.encode("utf-16-le")
        lines.append(f"unicodePwd:: {base64.b64encode(quoted).decode()}")
    lines.append(f"userAccountControl: {_ENABLED if password else _ENABLED | _NO_PASSWORD}")
    head = f"dn: CN={name},{unit}\nchangetype: add\nobjectClass: user\nsAMAccountName: {name}"
    return "\n".join((head, f"userPrincipalName: {name}@ad.example.org", *lines, ""))


def group(name: str, unit: str, *members: str) -> str:
    """Return a group in LDIF, to be added."""
    lines = "".join(f"member: {member}\n" for member in members)
    return f"dn: CN={name},{unit}\nchangetype: add\nobjectClass: group\nsAMAccountName: {name}\n{lines}"


def _free_address() -> str:
    """Return a loopback address where nobody has the ports of LDAP, another one for each process."""
    at = os.getpid()
    while _answers(address := f"127.{1 + at // 250 % 200}.53.{1 + at % 250}"):
        at += 1
    return address


def _answers(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, 636)) == 0
