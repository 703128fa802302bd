"""An administrator with an own database: carries out use cases, expects refusals, looks at the result."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from addressbook.hierarchy import Layers
from addressbook.people import Directory
from countries.book import OperatorRule
from gateway.admin.audit import list_audit
from gateway.admin.countries import judge_by
from gateway.admin.edit import Administration, Changed
from gateway.admin.faults import AdminFault, FaultCode
from sms.facts import Fact
from store.directory import load_directory, read_version
from store.engine.database import Database, Transaction
from store.engine.keys import Keys
from tests.kit.readers import readers_of

NOW = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
UseCase = Callable[..., Changed]


class AdminHarness:
    """An administrator called anna at 16:00 on 23 November 2026, with an empty database."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.database.open()
        self.tables = readers_of(self.database)
        self.keys = Keys(1, NOW.timestamp)
        self.rule_countries()

    def rule_countries(self, *rulings: OperatorRule) -> None:
        """Have the shipped rules of countries in force, with decisions of the operator over them."""
        self.admin = Administration(self.database, self.keys, "anna", lambda: NOW, judge=judge_by(rulings))

    def do(self, use_case: UseCase, *words: Any, **more: Any) -> Changed:
        """Carry out a use case that must succeed."""
        (done,) = self.admin.change_now(lambda edit: use_case(edit, *words, **more))
        return done

    def refuse(self, use_case: UseCase, *words: Any, **more: Any) -> tuple[FaultCode, dict[str, Fact]]:
        """Carry out a use case that must be refused and leave nothing; returns the fault's code and facts."""
        before = self.version, self.audit()
        with pytest.raises(AdminFault) as caught:
            self.do(use_case, *words, **more)
        assert (self.version, self.audit()) == before
        return caught.value.code, caught.value.facts

    def look(self, query: Callable[..., Any], *words: Any) -> Any:
        """Return the result of a query."""
        return self.database.read_now(lambda tx: query(tx, *words))

    @property
    def version(self) -> int:
        return self.database.read_now(read_version)

    def audit(self, most: int = 1000, **wanted: Any) -> list[Mapping[str, object]]:
        return self.database.read_now(lambda tx: list_audit(tx, limit=most, **wanted))

    def load(self) -> tuple[Directory, Layers]:
        return self.database.read_now(load_directory)

    def execute(self, sql: str) -> None:
        """Change the database behind the back of the use cases."""

        def run(tx: Transaction, items: list[None]) -> list[int]:
            return [tx.execute(sql) for _ in items]

        self.database.write_now(run, None)

    def close(self) -> None:
        self.database.close()
