"""A directory read whole, ours beside python-ldap, each a process of its own, on one OpenLDAP server; and its changes."""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import count

from addressbook.sources import DeltaMethod, SourceKind
from dirsync.deltas import Delta, Doubt, first_cookie, read_delta
from dirsync.ldap import LdapReader
from tests.benchmarks.figures import Effort, Figure, MissingPeerError, Sample, per_second, short
from tests.benchmarks.processes import ROOT, program, python
from tests.kit.slapd import PEOPLE, READER, Slapd, user_dn

_USERS = 50_000
_CHANGES = 100
_ATTRIBUTES = ("mail", "mobile", "telephoneNumber", "departmentNumber", "displayName", "givenName", "sn", "cn")
_SYSTEM_PYTHON = "/usr/bin/python3"


def measure_directory(effort: Effort) -> Iterator[Figure]:
    """Measure reads of 50,000 users with eight attributes, a thousand on a page, and of 100 changes of them."""
    for name in ("slapd", "slapadd"):
        program(name, "slapd")
    _require_python_ldap()
    users = effort.count(_USERS, 200)
    with ExitStack() as stack:
        server = stack.enter_context(Slapd(users=users))
        port, password_file = str(server.port), str(server.password_file)
        ours = python("tests.benchmarks.directory_read", port, password_file, *_ATTRIBUTES)
        theirs = [_SYSTEM_PYTHON, str(ROOT / "tests/benchmarks/python_ldap_read.py"), port, PEOPLE, READER]
        series = effort.alternate(
            {"ours": _reading(ours, users), "python-ldap": _reading([*theirs, password_file, *_ATTRIBUTES], users)}
        )
        delta = effort.alternate({"delta": _reading_changes(server)})["delta"]
    ours_read, theirs_read = series["ours"], series["python-ldap"]
    yield Figure(
        name="directory",
        what=f"full read of {users:,} users",
        ours=f"{per_second(ours_read)}; CPU {short(ours_read.cpu * users / 1e6)} s",
        peer=f"python-ldap {per_second(theirs_read)}; CPU {short(theirs_read.cpu * users / 1e6)} s",
        ratio=ours_read.cpu / theirs_read.cpu,
        unit="× CPU",
        goal=2.5,
        at_most=True,
    )
    yield Figure(
        name="directory",
        what=f"delta of {_CHANGES} changes among them",
        ours=f"{per_second(delta)}; CPU {short(delta.cpu * _CHANGES / 1e6)} s",
    )


def _reading(command: Sequence[str], users: int) -> Callable[[], Sample]:
    def measure() -> Sample:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command[:3]}: {done.stderr[-1500:]}")
        entries, cpu, seconds = done.stdout.split()
        if int(entries) != users:
            raise RuntimeError(f"{command[:3]} read {entries} of {users} entries")
        return Sample(rate=users / float(seconds), cpu=float(cpu) / users * 1e6)

    return measure


def _reading_changes(server: Slapd) -> Callable[[], Sample]:
    """Return what changes users and measures, in this process, a connection that reads what changed (RFC 4533)."""
    source = server.source(delta=DeltaMethod.SYNCREPL)
    turns = count()
    with LdapReader(source, SourceKind.OPENLDAP, _ATTRIBUTES) as reader:
        cookie = first_cookie(reader, source, {})
    if isinstance(cookie, Doubt):
        raise cookie

    def measure() -> Sample:
        nonlocal cookie
        value = f"T{next(turns)}"
        server.change(
            *(
                f"dn: {user_dn(number)}\nchangetype: modify\nreplace: departmentNumber\ndepartmentNumber: {value}"
                for number in range(1, _CHANGES + 1)
            )
        )
        began, cpu = time.perf_counter(), time.process_time()
        with LdapReader(source, SourceKind.OPENLDAP, _ATTRIBUTES) as reader:
            found = read_delta(reader, source, _ATTRIBUTES, {}, str(cookie))
        cpu, seconds = time.process_time() - cpu, time.perf_counter() - began
        if not isinstance(found, Delta) or len(found.entries) != _CHANGES:
            raise RuntimeError(f"{_CHANGES} changes are told as {found}"[:300])
        cookie = found.cookie
        return Sample(rate=_CHANGES / seconds, cpu=cpu / _CHANGES * 1e6)

    return measure


def _require_python_ldap() -> None:
    try:
        subprocess.run([_SYSTEM_PYTHON, "-c", "import ldap"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingPeerError("python-ldap is not installed (Debian: apt-get install python3-ldap)") from error
