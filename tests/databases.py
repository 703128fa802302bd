"""The databases that tests run on: SQLite in a file of the test's own."""

import pytest


@pytest.fixture
def database_url(tmp_path):
    return f"sqlite:///{tmp_path}/test.db"
