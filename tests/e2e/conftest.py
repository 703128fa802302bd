"""One installation per test that wants one, on each kind of database."""

import pytest

from tests.e2e.site import Site


@pytest.fixture
async def site(tmp_path, gateway_database):
    site = Site(tmp_path / "site", gateway_database)
    yield site
    await site.close()
