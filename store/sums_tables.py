"""The tables of sums: what was sent and received by customer and day, and what of each job stands in them.

Not here: what is counted (reports.counting), the statements (sums).
"""

# ruff: noqa: D106 - peewee's Meta is configuration, the docstring is its model's

import peewee

from store.tables import StoredRow


class JobSumRow(StoredRow):
    """A job whose messages have all ended, and what of it stands in the sums.

    `changes` counts what moved since it was summed, first of all its end; `counted` is JSON of what was added, empty
    before. `closed_at` is when its last message ended; its texts go at `texts_until` if that is before its details.
    """

    job_key = peewee.BigIntegerField(primary_key=True)
    customer_key = peewee.BigIntegerField()
    closed_at = peewee.BigIntegerField()
    changes = peewee.IntegerField(default=0)
    counted = peewee.TextField(default="")
    texts_until = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "job_sum"


JobSumRow.add_index(JobSumRow.index(JobSumRow.job_key, name="job_sum_due").where(peewee.SQL("changes > 0")))
JobSumRow.add_index(JobSumRow.index(JobSumRow.closed_at, name="job_sum_closed"))
JobSumRow.add_index(
    JobSumRow.index(JobSumRow.texts_until, name="job_sum_texts").where(peewee.SQL("texts_until IS NOT NULL"))
)


class TrafficSumRow(StoredRow):
    """What a customer sent or received on one day of its time zone `zone`, of what is alike in all else.

    `day` and `corrected_on` are ISO dates; the second is empty except for what changed after its job was summed: such
    a row has differences, which may be negative. `parts` are those of the texts, `billed` those that the carrier took,
    `unanswered` those that it may have taken, since their answer was lost. In SQLite it is WITHOUT ROWID.
    """

    customer_key = peewee.BigIntegerField()
    day = peewee.TextField()
    zone = peewee.TextField()
    direction = peewee.TextField()
    service = peewee.TextField()
    cost_centre = peewee.TextField()
    user_address = peewee.TextField()
    country = peewee.TextField()
    carrier = peewee.TextField()
    state = peewee.TextField()
    corrected_on = peewee.TextField()
    messages = peewee.IntegerField()
    parts = peewee.IntegerField()
    billed = peewee.IntegerField()
    unanswered = peewee.IntegerField()

    class Meta:
        table_name = "traffic_sum"
        primary_key = peewee.CompositeKey(
            *("customer_key", "day", "zone", "direction", "service", "cost_centre", "user_address", "country"),
            *("carrier", "state", "corrected_on"),
        )


class RulingSumRow(StoredRow):
    """How many messages that a customer's day counts were replaced, changed, delayed or refused by a rule of a country.

    `day` is that of their job in the sums. What rules did is decided when a job is accepted, and never corrected.
    """

    customer_key = peewee.BigIntegerField()
    day = peewee.TextField()
    country = peewee.TextField()
    rule = peewee.TextField()
    effect = peewee.TextField()
    messages = peewee.IntegerField()

    class Meta:
        table_name = "ruling_sum"
        primary_key = peewee.CompositeKey("customer_key", "day", "country", "rule", "effect")


class ArchiveMonthRow(StoredRow):
    """A month of a customer whose summary is made: `month` such as 2026-11, `zone` the time zone that it ended in."""

    customer_key = peewee.BigIntegerField()
    month = peewee.TextField()
    zone = peewee.TextField()
    closed_at = peewee.BigIntegerField()

    class Meta:
        table_name = "archive_month"
        primary_key = peewee.CompositeKey("customer_key", "month")
