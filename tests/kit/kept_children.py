"""Child processes of the portal that stay: it starts one for each look at a template and for each table, and with a new
interpreter one costs more CPU than the rest of such a test. That they are started and ended is for tests/unit/test_child.py.

A process that a request broke is replaced, as ever. For modules that name it in their `pytestmark`.
"""

from collections.abc import Iterator

import pytest

from templates.child import Child

_USERS = ("templates.confined.Child", "gateway.table_reader.Child")


class _Kept(Child):
    """A process that its user need not end."""

    def close(self) -> None:
        """Leave it for the next user."""


@pytest.fixture(scope="module")
def kept_children() -> Iterator[None]:
    """Give all who ask for the same process with the same bounds the same one, until the end of the module."""
    kept: dict[tuple[object, ...], _Kept] = {}

    def take(module: str, **bounds: float) -> Child:
        key = (module, *sorted(bounds.items()))
        if key not in kept:
            kept[key] = _Kept(module, **bounds)  # type: ignore[arg-type]
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        for user in _USERS:
            patch.setattr(user, take)
        yield
    for child in kept.values():
        Child.close(child)
