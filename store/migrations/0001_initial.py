"""The first schema. Its models are copies of that day's: whatever the program's models become, this stays as it is."""

# ruff: noqa: D101, D106 - what the tables mean is said at the program's models

from typing import Any

import peewee


class Row(peewee.Model):
    key = peewee.BigIntegerField(primary_key=True)

    class Meta:
        legacy_table_names = False


class Meta(peewee.Model):
    name = peewee.TextField(primary_key=True)
    value = peewee.TextField()

    class Meta:
        table_name = "meta"


class Job(Row):
    public_id = peewee.TextField(unique=True)
    customer_key = peewee.BigIntegerField()
    customer = peewee.TextField()
    profile = peewee.TextField(default="")
    person = peewee.TextField(default="")
    service = peewee.TextField()
    reference = peewee.TextField(default="")
    accepted_at = peewee.BigIntegerField(index=True)
    settled_at = peewee.BigIntegerField(null=True)
    open_messages = peewee.IntegerField()
    report = peewee.TextField()
    settings = peewee.TextField()
    origins = peewee.TextField()
    from_mail = peewee.BooleanField()
    reverse_path = peewee.TextField(default="")
    header_from = peewee.TextField(default="")
    mail_id = peewee.TextField(default="", index=True)
    mail_references = peewee.TextField(default="")
    subject = peewee.TextField(default="")
    envid = peewee.TextField(default="")
    ret = peewee.TextField(default="")
    helo = peewee.TextField(default="")
    header = peewee.BlobField(default=b"")
    body = peewee.BlobField(null=True)
    corrected = peewee.BooleanField(default=False)

    class Meta:
        table_name = "job"


class Message(Row):
    job_key = peewee.BigIntegerField(index=True)
    seq = peewee.IntegerField()
    public_id = peewee.TextField(unique=True)
    given = peewee.TextField()
    number = peewee.TextField()
    notify = peewee.TextField(default="")
    orcpt = peewee.TextField(default="")
    body = peewee.TextField()
    cut = peewee.TextField(default="")
    replaced = peewee.TextField(default="")
    alphabet = peewee.TextField()
    sender = peewee.TextField(default="")
    state = peewee.TextField()
    reason = peewee.TextField(default="")
    problem = peewee.TextField(default="")
    from_network = peewee.BooleanField(default=False)
    priority = peewee.SmallIntegerField()
    route = peewee.TextField()
    held = peewee.BooleanField(default=False)
    flash = peewee.BooleanField(default=False)
    receipt_wanted = peewee.BooleanField(default=False)
    parts = peewee.SmallIntegerField()
    attempts = peewee.IntegerField(default=0)
    due_at = peewee.BigIntegerField()
    expires_at = peewee.BigIntegerField()
    watch_at = peewee.BigIntegerField()
    counted = peewee.BooleanField(default=False)
    owner = peewee.TextField(default="")
    updated_at = peewee.BigIntegerField()

    class Meta:
        table_name = "message"


Message.add_index(
    Message.index(Message.route, Message.priority, Message.due_at, Message.key, name="message_queued").where(
        Message.state == "queued"
    )
)


Message.add_index(Message.index(Message.owner, name="message_submitting").where(Message.state == "submitting"))


Message.add_index(Message.index(Message.watch_at, name="message_watched").where(peewee.SQL("NOT counted")))


Message.add_index(Message.index(Message.number, Message.updated_at, name="message_number"))


class Part(Row):
    message_key = peewee.BigIntegerField(index=True)
    idx = peewee.SmallIntegerField()
    total = peewee.SmallIntegerField()
    body = peewee.TextField()
    udh = peewee.BlobField()
    payload = peewee.BlobField()
    state = peewee.TextField()
    attempt = peewee.IntegerField(default=0)
    carrier = peewee.TextField(default="")
    carrier_id = peewee.TextField(default="")
    error = peewee.TextField(default="")
    submitted_at = peewee.BigIntegerField(null=True)
    reported_at = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "part"


Part.add_index(Part.index(Part.carrier_id, Part.carrier, name="part_carrier_id").where(Part.carrier_id != ""))


class ReceiptRow(Row):
    carrier = peewee.TextField()
    carrier_id = peewee.TextField()
    state = peewee.TextField()
    error = peewee.TextField(default="")
    number = peewee.TextField(default="")
    done_at = peewee.BigIntegerField(null=True)
    received_at = peewee.BigIntegerField()
    part_key = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "receipt"


ReceiptRow.add_index(
    ReceiptRow.index(ReceiptRow.part_key, name="receipt_part").where(ReceiptRow.part_key.is_null(False))
)
ReceiptRow.add_index(
    ReceiptRow.index(ReceiptRow.carrier_id, ReceiptRow.carrier, name="receipt_orphan").where(
        ReceiptRow.part_key.is_null()
    )
)
ReceiptRow.add_index(
    ReceiptRow.index(ReceiptRow.number, ReceiptRow.carrier, name="receipt_orphan_number").where(
        ReceiptRow.part_key.is_null()
    )
)


class Seen(peewee.Model):
    digest = peewee.BlobField(primary_key=True)
    job_key = peewee.BigIntegerField()
    until = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "seen"


class NoticeRow(Row):
    public_id = peewee.TextField(unique=True)
    job_key = peewee.BigIntegerField(index=True)
    kind = peewee.TextField()
    recipient = peewee.TextField()
    state = peewee.TextField()
    attempts = peewee.IntegerField(default=0)
    due_at = peewee.BigIntegerField()
    expires_at = peewee.BigIntegerField()
    created_at = peewee.BigIntegerField()
    ended_at = peewee.BigIntegerField(null=True)
    reason = peewee.TextField(default="")
    problem = peewee.TextField(default="")
    owner = peewee.TextField(default="")

    class Meta:
        table_name = "notice"


NoticeRow.add_index(
    NoticeRow.index(NoticeRow.due_at, NoticeRow.key, name="notice_queued").where(NoticeRow.state == "queued")
)


NoticeRow.add_index(NoticeRow.index(NoticeRow.owner, name="notice_sending").where(NoticeRow.state == "sending"))


class NoticeAttempt(Row):
    notice_key = peewee.BigIntegerField(index=True)
    at = peewee.BigIntegerField()
    outcome = peewee.TextField()
    host = peewee.TextField(default="")
    address = peewee.TextField(default="")
    tls = peewee.TextField(default="")
    policy = peewee.TextField(default="")
    reply = peewee.TextField(default="")

    class Meta:
        table_name = "notice_attempt"


class InboundFragmentRow(Row):
    carrier = peewee.TextField()
    source = peewee.TextField()
    destination = peewee.TextField()
    body = peewee.TextField()
    reference = peewee.IntegerField(null=True)
    idx = peewee.SmallIntegerField()
    total = peewee.SmallIntegerField()
    received_at = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "inbound_fragment"


class NodeLease(peewee.Model):
    owner = peewee.TextField(primary_key=True)
    node = peewee.IntegerField()
    expires_at = peewee.BigIntegerField()
    ended = peewee.BooleanField(default=False)

    class Meta:
        table_name = "node_lease"


class CarrierLease(peewee.Model):
    carrier = peewee.TextField(primary_key=True)
    owner = peewee.TextField()
    expires_at = peewee.BigIntegerField()

    class Meta:
        table_name = "carrier_lease"


class WriterMark(peewee.Model):
    writer = peewee.TextField(primary_key=True)
    number = peewee.BigIntegerField()
    written_at = peewee.BigIntegerField()

    class Meta:
        table_name = "writer_mark"


class CustomerRow(Row):
    name = peewee.TextField()
    canonical = peewee.TextField(unique=True)
    default_profile_key = peewee.BigIntegerField(null=True)
    active = peewee.BooleanField(default=True)

    class Meta:
        table_name = "customer"


class CustomerDomainRow(peewee.Model):
    domain = peewee.TextField(primary_key=True)
    customer_key = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "customer_domain"


class ProfileRow(Row):
    customer_key = peewee.BigIntegerField()
    name = peewee.TextField()
    canonical = peewee.TextField()

    class Meta:
        table_name = "profile"
        indexes = ((("customer_key", "canonical"), True),)


class PersonRow(Row):
    customer_key = peewee.BigIntegerField(index=True)
    profile_key = peewee.BigIntegerField(null=True, index=True)
    address = peewee.TextField(unique=True)
    name = peewee.TextField(default="")
    active = peewee.BooleanField(default=True)
    source = peewee.TextField(default="manual")

    class Meta:
        table_name = "person"


class CredentialRow(Row):
    login = peewee.TextField(unique=True)
    customer_key = peewee.BigIntegerField(index=True)
    person_key = peewee.BigIntegerField(null=True, index=True)
    kind = peewee.TextField()
    verifier = peewee.TextField()
    active = peewee.BooleanField(default=True)

    class Meta:
        table_name = "credential"


class AddressRangeRow(peewee.Model):
    network = peewee.TextField(primary_key=True)
    customer_key = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "address_range"


class SettingRow(Row):
    scope = peewee.TextField()
    owner_key = peewee.BigIntegerField()
    service = peewee.TextField(default="")
    field = peewee.TextField()
    value = peewee.TextField()
    origin = peewee.TextField()
    set_at = peewee.BigIntegerField()
    set_by = peewee.TextField()

    class Meta:
        table_name = "setting"
        indexes = ((("owner_key", "scope", "service", "field"), True),)


class ConstraintRow(peewee.Model):
    owner_key = peewee.BigIntegerField(primary_key=True)
    locked = peewee.TextField(default="")
    sender_ids = peewee.TextField(null=True)
    max_parts = peewee.IntegerField(null=True)
    express = peewee.BooleanField(default=True)
    flash = peewee.BooleanField(default=True)
    countries = peewee.TextField(null=True)

    class Meta:
        table_name = "constraint_set"


class DirectoryChangeRow(Row):
    version = peewee.BigIntegerField(index=True)
    kind = peewee.TextField()
    target = peewee.BigIntegerField()
    name = peewee.TextField(default="")

    class Meta:
        table_name = "directory_change"


class AuditRow(Row):
    at = peewee.BigIntegerField(index=True)
    who = peewee.TextField()
    action = peewee.TextField()
    target = peewee.TextField(index=True)
    detail = peewee.TextField(default="")

    class Meta:
        table_name = "audit"


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create all tables with their indexes."""
    tables = [
        Meta,
        Job,
        Message,
        Part,
        ReceiptRow,
        Seen,
        NoticeRow,
        NoticeAttempt,
        InboundFragmentRow,
        NodeLease,
        CarrierLease,
        WriterMark,
        CustomerRow,
        CustomerDomainRow,
        ProfileRow,
        PersonRow,
        CredentialRow,
        AddressRangeRow,
        SettingRow,
        ConstraintRow,
        DirectoryChangeRow,
        AuditRow,
    ]
    with db.bind_ctx(tables):
        db.create_tables(tables)
