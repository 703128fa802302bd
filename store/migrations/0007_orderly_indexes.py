"""Indexes that grow at their end. Its model is a copy of that day's: whatever the program's becomes, this stays."""

# ruff: noqa: D101, D106 - what the table means is said at the program's model

from typing import Any

import peewee


class Job(peewee.Model):
    key = peewee.BigIntegerField(primary_key=True)
    accepted_at = peewee.BigIntegerField()
    mail_id = peewee.TextField(default="")

    class Meta:
        table_name = "job"
        legacy_table_names = False


Job.add_index(Job.index(Job.accepted_at, Job.key, Job.mail_id, name="job_accepted"))


_SEEN_OF_SQLITE = (
    'DROP INDEX "seen_until"',
    'ALTER TABLE "seen" RENAME TO "seen_before"',
    """CREATE TABLE "seen" ("digest" BLOB NOT NULL PRIMARY KEY, "job_key" INTEGER NOT NULL, "until" INTEGER NOT NULL)
    WITHOUT ROWID""",
    """INSERT INTO "seen" ("digest", "job_key", "until")
    SELECT "digest", "job_key", "until" FROM seen_before ORDER BY digest""",
    'DROP TABLE "seen_before"',
    'CREATE INDEX "seen_until" ON "seen" ("until")',
)


def up(_migrator: Any, db: peewee.Database) -> None:
    """Index jobs by time with their Message-ID, and keep SQLite's digests in the one tree that finds them."""
    statements = ['DROP INDEX "job_accepted_at"', 'DROP INDEX "job_mail_id"']
    if isinstance(db, peewee.SqliteDatabase):
        statements += _SEEN_OF_SQLITE
    for statement in statements:
        db.execute_sql(statement)  # type: ignore[no-untyped-call]  # peewee has no types here
    with db.bind_ctx([Job]):
        peewee.SchemaManager(Job, db).create_indexes()
