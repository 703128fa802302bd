"""Our full read of a directory, as a program: `python -m tests.benchmarks.directory_read PORT PASSWORD_FILE ATTRIBUTE…`.

Prints how many entries there were, and the seconds of CPU and of wall time that reading them took, bind included.
"""

import sys
import time
from pathlib import Path

from addressbook.sources import LdapSource, LdapTls, SourceKind
from dirsync.ldap import LdapReader
from tests.kit.slapd import PEOPLE, READER


def read(port: int, password_file: Path, attributes: list[str]) -> int:
    """Return how many entries a reading gives; none is kept."""
    source = LdapSource(
        host="127.0.0.1",
        port=port,
        tls=LdapTls.LOOPBACK_ONLY,
        base=PEOPLE,
        filter="(objectClass=inetOrgPerson)",
        bind_dn=READER,
        password_file=str(password_file),
        page_size=1000,
    )
    with LdapReader(source, SourceKind.OPENLDAP, attributes) as reader:
        return sum(len(page) for page in reader.read_all())


if __name__ == "__main__":
    began, cpu = time.perf_counter(), time.process_time()
    entries = read(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
    print(entries, time.process_time() - cpu, time.perf_counter() - began)
