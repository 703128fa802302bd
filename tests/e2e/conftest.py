"""One installation per test that wants one, on each kind of database."""

import pytest

from tests.kit.installation import Installation


@pytest.fixture
async def site(tmp_path, gateway_database):
    site = Installation(tmp_path / "site", gateway_database)
    yield site
    await site.close()
