"""The tables of what is on its way: jobs, messages, parts, receipts, notices.

The models are the source of the tables (migrations) and of the statements that write rows (engine.statements). Instants
are microseconds since 1970, UTC, in big integers. Nothing here that PostgreSQL could not hold. Not here: customers and
settings (directory_tables).
"""

# ruff: noqa: D106 - peewee's Meta is configuration, the docstring is its model's

import peewee

# Held rows are due so much later.
FAR = 1 << 62

ENDED_BADLY = "state IN ('undelivered', 'expired', 'rejected', 'failed', 'cancelled', 'unknown')"
"""Of the index `message_ended_badly` and its question: SQLite uses a partial index only for the words it has."""


class StoredRow(peewee.Model):
    """What all tables share: their indexes are named after them."""

    class Meta:
        legacy_table_names = False


class KeyedRow(StoredRow):
    """What most tables share: a big integer key that the application makes (store.engine.keys)."""

    key = peewee.BigIntegerField(primary_key=True)


class MetaRow(StoredRow):
    """Named values of the whole database, such as the directory's version."""

    name = peewee.TextField(primary_key=True)
    value = peewee.TextField()

    class Meta:
        table_name = "meta"


class JobRow(KeyedRow):
    """One accepted submission with everything needed to answer it; `settings` and `origins` are frozen JSON.

    `report` is when its result is told: never, on-failure or always; `channel` by what: mail, push or both. `past_stop`
    is an automatic answer that a stop list does not hold back. `sender` is who a search finds it by, in small letters:
    the user, else the author of its mail, else the reverse-path. `proof` is the kind of what proved the sender, with
    its `evidence`; `service_by` is what named the service. `login` gave it in where it came by no mail; then
    `reverse_path` is where its status is mailed, empty for nowhere. `tls_tag` is a sms.message.TlsTag. `esme` is JSON
    of what receipts for an ESME need. `sandbox` is what was sent with a sandbox key, and is given to no carrier.
    """

    public_id = peewee.TextField(unique=True)
    customer_key = peewee.BigIntegerField()
    customer = peewee.TextField()
    profile = peewee.TextField(default="")
    user_address = peewee.TextField(default="")
    sender = peewee.TextField(default="")
    service = peewee.TextField()
    reference = peewee.TextField(default="")
    accepted_at = peewee.BigIntegerField()
    settled_at = peewee.BigIntegerField(null=True)
    open_messages = peewee.IntegerField()
    report = peewee.TextField()
    settings = peewee.TextField()
    origins = peewee.TextField()
    from_mail = peewee.BooleanField()
    reverse_path = peewee.TextField(default="")
    header_from = peewee.TextField(default="")
    header_sender = peewee.TextField(default="")
    mail_id = peewee.TextField(default="")
    mail_references = peewee.TextField(default="")
    subject = peewee.TextField(default="")
    envid = peewee.TextField(default="")
    ret = peewee.TextField(default="")
    helo = peewee.TextField(default="")
    header = peewee.BlobField(default=b"")
    body = peewee.BlobField(null=True)
    corrected = peewee.BooleanField(default=False)
    channel = peewee.TextField(default="mail")
    push_url = peewee.TextField(default="")
    past_stop = peewee.BooleanField(default=False)
    unanswerable = peewee.TextField(default="")
    ignored_options = peewee.TextField(default="")
    proof = peewee.TextField(default="")
    evidence = peewee.TextField(default="")
    service_by = peewee.TextField(default="")
    tls_tag = peewee.TextField(default="")
    login = peewee.TextField(default="")
    esme = peewee.TextField(default="")
    sandbox = peewee.BooleanField(default=False)

    class Meta:
        table_name = "job"


# It only grows at its end. An index of Message-IDs would have a page of chance written for each mail; who asks for one
# job by its Message-ID reads this one instead, newest first, as does who searches jobs by sender or customer.
JobRow.add_index(
    JobRow.index(
        *(JobRow.accepted_at, JobRow.key, JobRow.mail_id),
        *(JobRow.customer_key, JobRow.sender),
        name="job_accepted",
    )
)


class MessageRow(KeyedRow):
    """One recipient of a job. `priority` is 0 for express, 1 for normal; `route` names the carriers that may take it.

    `ended` is false until the message's end was subtracted from its job; `watch_at` is when silence ends it; `owner`
    is the process that is submitting it. `blackouts` are the periods ahead in which it may not go out, as JSON. Of its
    `attempts`, `throttled` only came too fast for the carrier. `id_missing` says that the carrier owes the id of a part
    which it has, or may have. Of a text of several parts, `part_lengths` are their characters, joined by commas, and
    `reference` is what joins them, of which a header that is not wide has 8 bits. `parameters` are what its carrier
    gets beside the text, as `NAME=VALUE, …`. The shifts are national language identifiers, 0 for the default alphabet.
    `cause` is the carrier's answer that put it off last, `repeats` how often that came in a row. `tried` are the
    carriers that gave it back (part_attempt), as a route. `customer_ref` is what its customer calls it. `udh` is the
    header, in hexadecimal, of a part of a text that its sender divided; `registered` is registered_delivery of what an
    ESME submitted. `push_states` are those at which it is pushed by itself, joined by commas. `ruling` is the digest of
    what rules of its country did (store.rulings), empty where they did nothing.
    """

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
    part_count = peewee.SmallIntegerField()
    part_lengths = peewee.TextField(default="")
    reference = peewee.IntegerField(default=0)
    wide_reference = peewee.BooleanField(default=False)
    attempts = peewee.IntegerField(default=0)
    due_at = peewee.BigIntegerField()
    expires_at = peewee.BigIntegerField()
    watch_at = peewee.BigIntegerField()
    ended = peewee.BooleanField(default=False)
    owner = peewee.TextField(default="")
    updated_at = peewee.BigIntegerField()
    blackouts = peewee.TextField(null=True)
    throttled = peewee.IntegerField(default=0)
    id_missing = peewee.BooleanField(default=False)
    parameters = peewee.TextField(default="")
    locking_shift = peewee.SmallIntegerField(default=0)
    single_shift = peewee.SmallIntegerField(default=0)
    cause = peewee.TextField(default="")
    repeats = peewee.IntegerField(default=0)
    tried = peewee.TextField(default="")
    customer_ref = peewee.TextField(default="")
    udh = peewee.TextField(default="")
    registered = peewee.SmallIntegerField(default=0)
    push_states = peewee.TextField(default="")
    ruling = peewee.TextField(default="")

    class Meta:
        table_name = "message"


# What is claimed next, whatever else is queued: one narrow index, so a claim costs the same with ten or a million rows.
MessageRow.add_index(
    MessageRow.index(
        MessageRow.route, MessageRow.priority, MessageRow.due_at, MessageRow.key, name="message_queued"
    ).where(MessageRow.state == "queued")
)
# Who wrote to a handset lately, and every question about a number.
MessageRow.add_index(MessageRow.index(MessageRow.number, MessageRow.key, name="message_number"))
# Who looks for what went wrong. A message that goes well never enters it.
MessageRow.add_index(
    MessageRow.index(MessageRow.state, MessageRow.key, name="message_ended_badly").where(peewee.SQL(ENDED_BADLY))
)
MessageRow.add_index(
    MessageRow.index(MessageRow.owner, name="message_submitting").where(MessageRow.state == "submitting")
)
# Written as the sweep writes it: SQLite uses a partial index only for the words that it was declared with.
MessageRow.add_index(MessageRow.index(MessageRow.watch_at, name="message_watched").where(peewee.SQL("NOT ended")))
# A message that goes well never enters it. The query has the same words.
MessageRow.add_index(
    MessageRow.index(MessageRow.number, MessageRow.updated_at, name="message_id_missing").where(
        peewee.SQL("id_missing")
    )
)


class PartRow(KeyedRow):
    """One part that a carrier was offered, and what it said of it. Each accepted one is billed.

    Its text and payload are made from its message (sms.parts). A part that was never offered has no row: it waits, or
    it ended as its message did; only where another part of it was offered does it get one when it ends.
    `cost_label` is the operator's word for what the carrier cost when it was offered the part; empty before. `resends`
    counts how often it was queued again because its answer was lost. `network` are the digits of MCC and MNC,
    `price` is an amount with its currency, as the carrier says them; empty where it does not.
    """

    message_key = peewee.BigIntegerField(index=True)
    idx = peewee.SmallIntegerField()
    state = peewee.TextField()
    carrier = peewee.TextField(default="")
    carrier_id = peewee.TextField(default="")
    error = peewee.TextField(default="")
    submitted_at = peewee.BigIntegerField(null=True)
    reported_at = peewee.BigIntegerField(null=True)
    cost_label = peewee.TextField(default="")
    resends = peewee.SmallIntegerField(default=0)
    network = peewee.TextField(default="")
    price = peewee.TextField(default="")

    class Meta:
        table_name = "part"


PartRow.add_index(PartRow.index(PartRow.carrier_id, name="part_carrier_id").where(PartRow.carrier_id != ""))


class PartAttemptRow(KeyedRow):
    """How a part ended at a carrier that gave it back, before the next one got it; one with an id was billed.

    `state` is failed, undelivered or rejected.
    """

    part_key = peewee.BigIntegerField(index=True)
    carrier = peewee.TextField()
    carrier_id = peewee.TextField()
    state = peewee.TextField()
    error = peewee.TextField()
    cost_label = peewee.TextField()
    network = peewee.TextField()
    price = peewee.TextField()
    submitted_at = peewee.BigIntegerField(null=True)
    ended_at = peewee.BigIntegerField()

    class Meta:
        table_name = "part_attempt"


PartAttemptRow.add_index(
    PartAttemptRow.index(PartAttemptRow.carrier_id, name="part_attempt_carrier_id").where(
        PartAttemptRow.carrier_id != ""
    )
)


class ReceiptRow(KeyedRow):
    """Every receipt that came, as it came; `part_key` is null while nothing fits it (an orphan, kept 48 hours).

    `word` is what the carrier itself calls the state, empty where it only gave its number.
    """

    carrier = peewee.TextField()
    carrier_id = peewee.TextField()
    state = peewee.TextField()
    error = peewee.TextField(default="")
    number = peewee.TextField(default="")
    done_at = peewee.BigIntegerField(null=True)
    received_at = peewee.BigIntegerField()
    part_key = peewee.BigIntegerField(null=True)
    word = peewee.TextField(default="")
    network = peewee.TextField(default="")
    price = peewee.TextField(default="")

    class Meta:
        table_name = "receipt"


# Not of every row: SQLite would look for orphans (IS NULL) through this one, and read them all.
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


class ConcatenationRow(StoredRow):
    """The last reference that joined the parts of a long text to a number, 0 to 65535; kept until `until`."""

    number = peewee.TextField(primary_key=True)
    reference = peewee.IntegerField()
    until = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "concatenation"


class SeenRow(StoredRow):
    """Digests of what was accepted, so that a repeat is recognised; kept until `until`.

    What makes them lets those of one mail begin alike: they stand on few pages, whatever number of recipients it has.
    In SQLite the table is WITHOUT ROWID, which a model cannot say for one database alone: the migration does.
    """

    digest = peewee.BlobField(primary_key=True)
    job_key = peewee.BigIntegerField()
    until = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "seen"


class OutboxRow(KeyedRow):
    """One thing to send to one mail address, or by push to one URL: of a job, of an inbound SMS, or of neither.

    `destination` is what shares places with it: the mail's domain, the push's host. `about` is JSON of what its kind
    needs, `content` what it brings as it is stored, null once it is sent. Rows of a `topic` are written now and then.
    Those of one `sequence` go one after the other, in the order of their keys. `customer_key` is set where it belongs
    to a customer but to no job. The time of one that was sent again counts from `replayed_at`.
    """

    public_id = peewee.TextField(unique=True)
    kind = peewee.TextField()
    channel = peewee.TextField()
    destination = peewee.TextField()
    recipient = peewee.TextField()
    job_key = peewee.BigIntegerField(null=True)
    topic = peewee.TextField(default="")
    about = peewee.TextField(default="")
    content = peewee.BlobField(null=True)
    state = peewee.TextField()
    owner = peewee.TextField(default="")
    attempts = peewee.IntegerField(default=0)
    due_at = peewee.BigIntegerField()
    created_at = peewee.BigIntegerField()
    ended_at = peewee.BigIntegerField(null=True)
    reason = peewee.TextField(default="")
    problem = peewee.TextField(default="")
    sms_key = peewee.BigIntegerField(null=True)
    customer_key = peewee.BigIntegerField(null=True)
    sequence = peewee.TextField(default="")
    replayed_at = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "outbox"


OutboxRow.add_index(
    OutboxRow.index(OutboxRow.channel, OutboxRow.due_at, OutboxRow.key, name="outbox_queued").where(
        OutboxRow.state == "queued"
    )
)
# Through it the next destination is found, whatever waits for those before it.
OutboxRow.add_index(
    OutboxRow.index(
        OutboxRow.channel, OutboxRow.destination, OutboxRow.due_at, OutboxRow.key, name="outbox_destination"
    ).where(OutboxRow.state == "queued")
)
OutboxRow.add_index(OutboxRow.index(OutboxRow.owner, name="outbox_sending").where(OutboxRow.state == "sending"))
OutboxRow.add_index(
    OutboxRow.index(OutboxRow.sequence, OutboxRow.key, name="outbox_sequence").where(
        (OutboxRow.sequence != "") & OutboxRow.ended_at.is_null()
    )
)
OutboxRow.add_index(OutboxRow.index(OutboxRow.key, name="outbox_push").where(OutboxRow.channel == "push"))
OutboxRow.add_index(
    OutboxRow.index(OutboxRow.topic, OutboxRow.created_at, name="outbox_topic").where(OutboxRow.topic != "")
)
OutboxRow.add_index(OutboxRow.index(OutboxRow.job_key, name="outbox_job").where(OutboxRow.job_key.is_null(False)))
OutboxRow.add_index(OutboxRow.index(OutboxRow.sms_key, name="outbox_sms").where(OutboxRow.sms_key.is_null(False)))
OutboxRow.add_index(
    OutboxRow.index(OutboxRow.ended_at, OutboxRow.kind, OutboxRow.key, name="outbox_of_nobody").where(
        OutboxRow.job_key.is_null() & OutboxRow.sms_key.is_null()
    )
)


class OutboxAttemptRow(KeyedRow):
    """One attempt to send a row of the outbox: what the other side was, said and proved."""

    outbox_key = peewee.BigIntegerField(index=True)
    at = peewee.BigIntegerField()
    outcome = peewee.TextField()
    host = peewee.TextField(default="")
    address = peewee.TextField(default="")
    tls = peewee.TextField(default="")
    policy = peewee.TextField(default="")
    reply = peewee.TextField(default="")

    class Meta:
        table_name = "outbox_attempt"


class InboundFragmentRow(KeyedRow):
    """One fragment of an inbound SMS, kept before the carrier is answered; joined and routed by what reads it."""

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


# The fragments of one text, whichever link each came by.
InboundFragmentRow.add_index(
    InboundFragmentRow.index(
        InboundFragmentRow.source,
        InboundFragmentRow.destination,
        InboundFragmentRow.reference,
        name="inbound_fragment_text",
    )
)


class NodeLeaseRow(StoredRow):
    """A process that submits and sends. `ended` once it stopped or another declared it dead: it takes nothing more."""

    owner = peewee.TextField(primary_key=True)
    node = peewee.IntegerField()
    expires_at = peewee.BigIntegerField()
    ended = peewee.BooleanField(default=False)

    class Meta:
        table_name = "node_lease"


class LeaseRow(StoredRow):
    """The one process that holds the link to a carrier, or reads a directory, until `expires_at`."""

    name = peewee.TextField(primary_key=True)
    owner = peewee.TextField()
    expires_at = peewee.BigIntegerField()

    class Meta:
        table_name = "lease"


class WriterMarkRow(StoredRow):
    """The number of a writer's last committed transaction (PostgreSQL): read when the answer to COMMIT was lost."""

    writer = peewee.TextField(primary_key=True)
    number = peewee.BigIntegerField()
    written_at = peewee.BigIntegerField()

    class Meta:
        table_name = "writer_mark"
