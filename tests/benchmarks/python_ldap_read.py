"""The same read by python-ldap (C on libldap), run by the system's python3 as a file: it imports nothing of ours."""

import sys
import time
from pathlib import Path

import ldap
from ldap.controls import SimplePagedResultsControl


def read(port: str, base: str, name: str, password: str, attributes: list[str]) -> int:
    """Return how many entries a reading gives; none is kept."""
    connection = ldap.initialize(f"ldap://127.0.0.1:{port}")
    connection.simple_bind_s(name, password)
    paging = SimplePagedResultsControl(True, size=1000, cookie=b"")
    entries = 0
    while True:
        number = connection.search_ext(
            base, ldap.SCOPE_SUBTREE, "(objectClass=inetOrgPerson)", [*attributes, "entryUUID"], serverctrls=[paging]
        )
        _, page, _, controls = connection.result3(number)
        entries += len(page)
        paging.cookie = next(one.cookie for one in controls if one.controlType == paging.controlType)
        if not paging.cookie:
            connection.unbind_s()
            return entries


if __name__ == "__main__":
    port, base, name, password_file = sys.argv[1:5]
    password = Path(password_file).read_text()
    began, cpu = time.perf_counter(), time.process_time()
    entries = read(port, base, name, password, sys.argv[5:])
    print(entries, time.process_time() - cpu, time.perf_counter() - began)
