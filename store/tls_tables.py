"""The tables of TLS reporting (RFC 8460): our sessions of each day, and the reports of others about our domains.

Not here: counting and reading them (tls_reports), TLS rules (mail_rules_tables).
"""

import peewee

from store.tables import KeyedRow, StoredRow


class TlsSessionRow(StoredRow):
    """So many sessions of one day (since 1970, UTC) with a domain that went alike; `told` is what was alike, as JSON.

    `digest` is SHA-256 of `told` in hex.
    """

    day = peewee.IntegerField()
    domain = peewee.TextField()
    digest = peewee.TextField()
    told = peewee.TextField()
    sessions = peewee.BigIntegerField()

    class Meta:  # noqa: D106 - configuration, the docstring is the model's
        table_name = "tls_session"
        primary_key = peewee.CompositeKey("day", "domain", "digest")


class TlsReportRow(KeyedRow):
    """What somebody reported of one of our domains: sessions that were `good` and `failed`, the latter's `details`.

    Instants are microseconds. `source` is who brought it: an address, or a file's name. `signed_by` names the domains
    whose DKIM signature proved the mail, separated by blanks. `details` is JSON.
    """

    domain = peewee.TextField()
    submitter = peewee.TextField()
    report_id = peewee.TextField()
    contact = peewee.TextField()
    begins_at = peewee.BigIntegerField()
    ends_at = peewee.BigIntegerField()
    received_at = peewee.BigIntegerField(index=True)
    source = peewee.TextField()
    signed_by = peewee.TextField()
    good = peewee.BigIntegerField()
    failed = peewee.BigIntegerField()
    details = peewee.TextField()

    class Meta:  # noqa: D106 - configuration, the docstring is the model's
        table_name = "tls_report"


TlsReportRow.add_index(
    TlsReportRow.index(
        TlsReportRow.domain, TlsReportRow.submitter, TlsReportRow.report_id, unique=True, name="tls_report_once"
    )
)
