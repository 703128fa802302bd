"""The first schema."""

from typing import Any

import peewee

from store.directory_tables import DIRECTORY
from store.tables import OUTBOUND


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create all tables with their indexes."""
    with db.bind_ctx([*OUTBOUND, *DIRECTORY]):
        db.create_tables([*OUTBOUND, *DIRECTORY])
