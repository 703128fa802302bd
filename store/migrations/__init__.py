"""Numbered migrations, applied in order by store.engine.database.migrate; each is frozen once it was released."""
