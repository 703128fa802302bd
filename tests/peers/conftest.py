"""What tests with real peers share: those that take long to start."""

from collections.abc import Iterator

import pytest

from tests.kit.samba import SambaDomain


@pytest.fixture(scope="session")
def samba_domain() -> Iterator[SambaDomain]:
    """One domain for all tests of a process; each works in a branch of its own."""
    with SambaDomain() as running:
        yield running
