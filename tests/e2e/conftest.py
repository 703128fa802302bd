"""One installation per test that wants one."""

import pytest

from tests.e2e.site import Site


@pytest.fixture
async def site(tmp_path):
    site = Site(tmp_path / "site")
    yield site
    await site.close()
