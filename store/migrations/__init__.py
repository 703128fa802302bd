"""Numbered migrations, applied in order by store.database.migrate; each is frozen once it was released."""
