"""Passwords that cost next to nothing to keep and to prove: in service one costs a fifth of a second of CPU, more than
most tests do. What it costs there is for tests/unit/test_identify.py.
"""

from collections.abc import Iterator
from functools import partial

import pytest
from argon2 import PasswordHasher

cheap_hasher = partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
"""Returns a hasher of the least cost that argon2 has."""


@pytest.fixture(autouse=True, scope="session")
def cheap_passwords() -> Iterator[None]:
    """Have whatever keeps a password in this process keep it so, and whatever proves one feign strangers at that cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.auth.authenticator.PasswordHasher", cheap_hasher)
        yield
