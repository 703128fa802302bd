"""The database itself: one writer, group commit, statements, migrations, keys."""
