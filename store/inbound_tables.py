"""The tables of inbound SMS: our numbers, what customers want done, what came, what followed, and who wants no more.

Instants are microseconds since 1970, UTC. Not here: fragments as they arrive (tables), what is owed to others (outbox).
"""

# ruff: noqa: D106 - peewee's Meta is configuration, the docstring is its model's

import peewee

from store.tables import KeyedRow, StoredRow


class NumberRow(KeyedRow):
    """One of our numbers (addressbook.numbers). `carriers` are comma-separated; `join_seconds` bounds the joining."""

    digits = peewee.TextField()
    kind = peewee.TextField()
    country = peewee.TextField()
    state = peewee.TextField()
    sharing = peewee.TextField()
    customer_key = peewee.BigIntegerField(null=True, index=True)
    carriers = peewee.TextField(default="")
    join_seconds = peewee.IntegerField(default=600)

    class Meta:
        table_name = "own_number"
        indexes = ((("digits", "country"), True),)


class NumberShareRow(StoredRow):
    """A customer's part of a shared number; `word` is folded."""

    number_key = peewee.BigIntegerField()
    word = peewee.TextField()
    customer_key = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "number_share"
        primary_key = peewee.CompositeKey("number_key", "word")


class KeywordRow(KeyedRow):
    """A word that replaces a customer's default actions; `number_key` null for all of its numbers."""

    customer_key = peewee.BigIntegerField()
    number_key = peewee.BigIntegerField(null=True)
    word = peewee.TextField()
    folded = peewee.TextField()
    open_end = peewee.BooleanField(default=True)

    class Meta:
        table_name = "keyword"
        indexes = ((("customer_key", "folded"), False),)


class ActionRow(KeyedRow):
    """An action (inbound.actions); `settings` is JSON of its kind's, `problem` says why it is not active any more.

    A list is mailed next at `next_at`; `listed_key` is the last SMS that it had.
    """

    customer_key = peewee.BigIntegerField()
    name = peewee.TextField()
    canonical = peewee.TextField()
    kind = peewee.TextField()
    settings = peewee.TextField(default="{}")
    number_key = peewee.BigIntegerField(null=True)
    keyword_key = peewee.BigIntegerField(null=True)
    active = peewee.BooleanField(default=True)
    problem = peewee.TextField(default="")
    next_at = peewee.BigIntegerField(null=True)
    listed_key = peewee.BigIntegerField(default=0)

    class Meta:
        table_name = "inbound_action"
        indexes = ((("customer_key", "canonical"), True),)


class InboundSmsRow(KeyedRow):
    """An inbound SMS, joined. `source` and `destination` as the carrier wrote them; `phone` is the handset's digits.

    `body` is the whole text, `shown` what is left of it after a shared number's prefix. `number_key` is null where the
    number is none of ours, `customer_key` where it is nobody's; `reason` says why. `keyword` is the one that matched.
    `missing` are the places of fragments that did not come in time, comma-separated, `awaited` those of them that may
    still come: `reference` and `total` let them find it. `conversation_key` is null where there is none. `summed`: it
    stands in the sums. `part_count` are the fragments that came, 0 where that was not written down; its text
    goes at `texts_until` if that is before the rest.
    """

    public_id = peewee.TextField(unique=True)
    carrier = peewee.TextField()
    source = peewee.TextField()
    destination = peewee.TextField()
    phone = peewee.TextField()
    body = peewee.TextField()
    shown = peewee.TextField()
    number_key = peewee.BigIntegerField(null=True)
    customer_key = peewee.BigIntegerField(null=True)
    customer = peewee.TextField(default="")
    keyword = peewee.TextField(default="")
    reason = peewee.TextField(default="")
    received_at = peewee.BigIntegerField(index=True)
    handled_at = peewee.BigIntegerField()
    reference = peewee.IntegerField(null=True)
    total = peewee.SmallIntegerField(default=1)
    missing = peewee.TextField(default="")
    awaited = peewee.TextField(default="")
    late_of = peewee.BigIntegerField(null=True)
    conversation_key = peewee.BigIntegerField(null=True)
    summed = peewee.BooleanField(default=False)
    part_count = peewee.SmallIntegerField(default=0)
    texts_until = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "inbound_sms"


InboundSmsRow.add_index(InboundSmsRow.index(InboundSmsRow.phone, InboundSmsRow.key, name="inbound_sms_phone"))
InboundSmsRow.add_index(
    InboundSmsRow.index(InboundSmsRow.handled_at, name="inbound_sms_awaited").where(InboundSmsRow.awaited != "")
)
InboundSmsRow.add_index(
    InboundSmsRow.index(
        InboundSmsRow.customer_key, InboundSmsRow.received_at, InboundSmsRow.key, name="inbound_sms_customer"
    )
)
InboundSmsRow.add_index(
    InboundSmsRow.index(InboundSmsRow.key, name="inbound_sms_unsummed").where(peewee.SQL("NOT summed"))
)
InboundSmsRow.add_index(
    InboundSmsRow.index(InboundSmsRow.texts_until, name="inbound_sms_texts").where(
        peewee.SQL("texts_until IS NOT NULL")
    )
)


class InboundEffectRow(KeyedRow):
    """One effect of an inbound SMS: `kind` is an action's, `target` an address, URL, number or list.

    What it made is named by `outbox_key` or `job_id` (a public id). `note` says what was decided, such as why there is
    no answer.
    """

    sms_key = peewee.BigIntegerField(index=True)
    action_key = peewee.BigIntegerField(null=True)
    kind = peewee.TextField()
    target = peewee.TextField(default="")
    note = peewee.TextField(default="")
    outbox_key = peewee.BigIntegerField(null=True)
    job_id = peewee.TextField(default="")

    class Meta:
        table_name = "inbound_effect"


InboundEffectRow.add_index(
    InboundEffectRow.index(InboundEffectRow.action_key, InboundEffectRow.sms_key, name="inbound_effect_list").where(
        InboundEffectRow.kind == "list"
    )
)


class ConversationRow(KeyedRow):
    """A customer's conversation with a handset by one sender ID: its mails form one thread. `used_at`: the last SMS."""

    customer_key = peewee.BigIntegerField()
    phone = peewee.TextField()
    own_number = peewee.TextField()
    last_mail_id = peewee.TextField(default="")
    used_at = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "conversation"
        indexes = ((("phone", "customer_key", "own_number"), True),)


ConversationRow.add_index(
    ConversationRow.index(
        ConversationRow.customer_key, ConversationRow.used_at, ConversationRow.key, name="conversation_newest"
    )
)


class StopEntryRow(KeyedRow):
    """A handset that wants no more SMS of a customer's `service`, of all where that is empty, until `ended_at`.

    `origin` is sms, admin or import; `evidence` the SMS or who it was, `word` what it said. Ended ones are kept.
    """

    customer_key = peewee.BigIntegerField()
    service = peewee.TextField(default="")
    number = peewee.TextField()
    added_at = peewee.BigIntegerField()
    origin = peewee.TextField()
    evidence = peewee.TextField(default="")
    word = peewee.TextField(default="")
    ended_at = peewee.BigIntegerField(null=True)
    ended_by = peewee.TextField(default="")

    class Meta:
        table_name = "stop_entry"


StopEntryRow.add_index(
    StopEntryRow.index(
        StopEntryRow.number, StopEntryRow.customer_key, StopEntryRow.service, name="stop_entry_in_force", unique=True
    ).where(StopEntryRow.ended_at.is_null())
)
StopEntryRow.add_index(StopEntryRow.index(StopEntryRow.customer_key, StopEntryRow.number, name="stop_entry_customer"))


class AutomaticAnswerRow(KeyedRow):
    """An automatic answer to a handset, so that two robots can't keep each other busy; kept for a day."""

    phone = peewee.TextField()
    customer_key = peewee.BigIntegerField()
    kind = peewee.TextField()
    at = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "automatic_answer"


AutomaticAnswerRow.add_index(
    AutomaticAnswerRow.index(AutomaticAnswerRow.phone, AutomaticAnswerRow.at, name="automatic_answer_phone")
)
