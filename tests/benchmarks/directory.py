"""A directory read whole: ours beside python-ldap, each a process of its own, on one OpenLDAP server in the same run."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from tests.benchmarks.figures import Effort, Figure, MissingPeerError, Sample, per_second, short
from tests.benchmarks.processes import ROOT, program, python
from tests.kit.slapd import PEOPLE, READER, Slapd

_USERS = 50_000
_ATTRIBUTES = ("mail", "mobile", "telephoneNumber", "departmentNumber", "displayName", "givenName", "sn", "cn")
_SYSTEM_PYTHON = "/usr/bin/python3"


def measure_directory(effort: Effort) -> Iterator[Figure]:
    """Measure full reads of 50,000 users with eight attributes, a thousand on a page; nothing is kept of them."""
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


def _require_python_ldap() -> None:
    try:
        subprocess.run([_SYSTEM_PYTHON, "-c", "import ldap"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingPeerError("python-ldap is not installed (Debian: apt-get install python3-ldap)") from error
