"""A real OpenLDAP server of a test's own on loopback: in clear, LDAPS and StartTLS, with any number of users.

Its configuration is a slapd.conf that is written at each start, so that `restart` may change limits, access or more.
The reader may read everything, nobody else anything; the server's manager makes the changes.
"""

import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from addressbook.sources import BindMethod, LdapSource, LdapTls
from tests.benchmarks.processes import Running
from tests.kit.databases import quick_folder
from tests.kit.mail_servers import Identity, issue, make_authority
from tests.kit.peer import find_program, require_peer
from tests.kit.ports import free_port

SUFFIX = "dc=example,dc=com"
PEOPLE = f"ou=people,{SUFFIX}"
GROUPS = f"ou=groups,{SUFFIX}"
READER = f"cn=reader,{SUFFIX}"
READER_PASSWORD = "what the reader knows"
MANAGER = f"cn=manager,{SUFFIX}"
MANAGER_PASSWORD = "what the manager knows"
UNLIMITED = "size.soft=unlimited size.hard=unlimited size.pr=unlimited size.prtotal=unlimited"

_SCHEMAS = Path("/etc/ldap/schema")
_MODULES = Path("/usr/lib/ldap")
_CONFIGURATION = """\
{includes}
modulepath {modules}
moduleload back_mdb
moduleload syncprov
pidfile {folder}/slapd.pid
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
TLSCACertificateFile {folder}/authority.pem
TLSVerifyClient allow
authz-regexp "^cn=reader$" "{reader}"
{service}
database mdb
suffix "{suffix}"
rootdn "{manager}"
rootpw "{manager_password}"
directory {folder}/data
maxsize 2147483648
envflags nosync
index objectClass,entryUUID,entryCSN,uid,mail,member eq
limits dn.exact="{reader}" {limits}
{access}
access to * by dn.exact="{reader}" read by anonymous auth
overlay syncprov
syncprov-sessionlog 10000
{overlay}
"""
_TOP = f"""\
dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: {GROUPS}
objectClass: organizationalUnit
ou: groups

dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: {READER_PASSWORD}

"""


def user_dn(number: int) -> str:
    """Return the DN of one of the users that a server is filled with; the first is 1."""
    return f"uid=user{number},{PEOPLE}"


def user_anchor(number: int) -> str:
    """Return the entryUUID of one of the users that a server is filled with."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"user{number}.example.com"))


def user_entry(number: int) -> str:
    """Return one user in LDIF: three addresses, a mobile number reserved for fiction, a cost centre in departmentNumber."""
    return f"""\
dn: {user_dn(number)}
objectClass: inetOrgPerson
entryUUID: {user_anchor(number)}
uid: user{number}
cn: User {number}
sn: Number{number}
givenName: User
displayName: User Number {number}
mail: user{number}@example.com
mail: u{number}@example.com
mail: user.{number}@example.com
mobile: +44 7700 900{number % 1000:03}
telephoneNumber: +44 20 7946 0{number % 1000:03}
departmentNumber: CC{number % 50:02}

"""


class Slapd:
    """One server with data of its own. Use as a context manager, or `start` and `stop` it.

    `entries` is LDIF beside the users; `limits` are the reader's (slapd.conf(5)), `access` are rules before the usual
    one, `service` is any more of the global configuration, and `schemas` are files of /etc/ldap/schema beside the usual.
    """

    def __init__(
        self,
        *,
        users: int = 0,
        entries: str = "",
        limits: str = UNLIMITED,
        access: str = "",
        service: str = "",
        schemas: Sequence[str] = (),
    ) -> None:
        self._program = find_program("slapd")
        require_peer("slapd", self._program)
        self.folder = Path(tempfile.mkdtemp(prefix="mail2sms-slapd-", dir=quick_folder()))
        self._options = {"limits": limits, "access": access, "service": service, "overlay": ""}
        self._schemas = ("core", "cosine", "inetorgperson", *schemas)
        self.port, self.tls_port = free_port(), free_port()
        self.authority = make_authority("Directory root")
        self.identity: Identity = issue(self.authority, names=("localhost",), addresses=("127.0.0.1",))
        self.ca_file = self.folder / "authority.pem"
        self.ca_file.write_bytes(self.authority.pem)
        self.password_file = self._secret("reader.password", READER_PASSWORD)
        self._manager_file = self._secret("manager.password", MANAGER_PASSWORD)
        self.certificate_file, self.key_file = issue(self.authority, names=(), common_name="reader").write(
            self.folder, "reader"
        )
        self._running: Running | None = None
        (self.folder / "data").mkdir()
        self._configure()
        self._fill(_TOP, *(user_entry(number) for number in range(1, users + 1)), entries)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def process(self) -> Running:
        assert self._running is not None, "it is not started"
        return self._running

    def start(self) -> None:
        """Start it and wait until it answers."""
        addresses = f"ldap://127.0.0.1:{self.port}/ ldaps://127.0.0.1:{self.tls_port}/"
        command = [str(self._program), "-f", str(self.folder / "slapd.conf"), "-h", addresses, "-d", "0"]
        self._running = Running(command, log=self.folder / "log")
        self._running.until(lambda: _answers(self.port) and _answers(self.tls_port), 60)

    def stop(self) -> None:
        """End it; its data stays."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def restart(self, *, identity: Identity | None = None, **options: str) -> None:
        """Start it again with other `limits`, `access`, `service` or `overlay`, or another certificate; the rest stays."""
        self.stop()
        self.identity = identity or self.identity
        self._options |= options
        self._configure()
        self.start()

    def change(self, *changes: str) -> None:
        """Make changes, each an LDIF record with a changetype; raises RuntimeError with what ldapmodify says."""
        words = [find_program("ldapmodify"), "-x", "-H", f"ldap://127.0.0.1:{self.port}", "-D", MANAGER]
        require_peer("ldapmodify", words[0])
        self._call([*map(str, words), "-y", str(self._manager_file)], "\n\n".join(changes))

    def replace(self, number: int, attribute: str, *values: str) -> None:
        """Give one user other values of an attribute; none removes it."""
        lines = "".join(f"{attribute}: {value}\n" for value in values)
        self.change(f"dn: {user_dn(number)}\nchangetype: modify\nreplace: {attribute}\n{lines}-\n")

    def source(self, tls: LdapTls = LdapTls.LOOPBACK_ONLY, **changes: object) -> LdapSource:
        """Return how the reader reads all users of this server."""
        usual: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.tls_port if tls is LdapTls.LDAPS else self.port,
            "tls": tls,
            "base": PEOPLE,
            "filter": "(objectClass=inetOrgPerson)",
            "bind": BindMethod.SIMPLE,
            "bind_dn": READER,
            "password_file": str(self.password_file),
            "ca_file": "" if tls is LdapTls.LOOPBACK_ONLY else str(self.ca_file),
        }
        return LdapSource(**(usual | changes))  # type: ignore[arg-type]

    def _configure(self) -> None:
        self.identity.write(self.folder, "server")
        text = _CONFIGURATION.format(
            includes="\n".join(f"include {_SCHEMAS / name}.schema" for name in self._schemas),
            modules=_MODULES,
            folder=self.folder,
            suffix=SUFFIX,
            reader=READER,
            manager=MANAGER,
            manager_password=MANAGER_PASSWORD,
            **self._options,
        )
        (self.folder / "slapd.conf").write_text(text)

    def _fill(self, *entries: str) -> None:
        words = ["slapadd", "-q", "-f", str(self.folder / "slapd.conf")]
        program = find_program(words[0])
        require_peer("slapadd", program)
        self._call([str(program), *words[1:]], _records(entries))

    def _call(self, command: Sequence[str], text: str) -> None:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr[-2000:] or done.stdout[-2000:]}")

    def _secret(self, name: str, secret: str) -> Path:
        file = self.folder / name
        file.touch(0o600)
        file.write_text(secret)
        return file


def _records(entries: Iterable[str]) -> str:
    return "\n".join(entry.strip("\n") + "\n" for entry in entries if entry)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
