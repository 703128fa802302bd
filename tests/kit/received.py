"""SMS that came to a customer of a portal, each with its conversation."""

from store.engine.statements import Insert
from store.inbound_tables import ConversationRow, InboundSmsRow
from tests.kit.portal_site import PortalSite

PHONE, OWN = "447700900123", "447700900999"
_CONVERSATIONS, _SMS = Insert(ConversationRow), Insert(InboundSmsRow)


async def came(site: PortalSite, text: str, phone: str = PHONE, customer: str = "acme") -> str:
    """Store an SMS that came and the conversation that it opens; return the path of this.

    The SMS has the number at the path's end in its id: I.NUMBER.
    """
    core = site.core
    key, now = core.keys.take(), int(core.clock.now().timestamp() * 1_000_000)
    where = {"phone": phone, "customer_key": site.customer(customer)}
    conversation = _CONVERSATIONS.row(key=key, own_number=OWN, used_at=now, **where)
    facts = {"carrier": "alpha", "source": f"+{phone}", "destination": f"+{OWN}", "body": text, "shown": text}
    sms = _SMS.row(
        key=core.keys.take(),
        public_id=f"I.{key}",
        received_at=now,
        handled_at=now,
        conversation_key=key,
        **where,
        **facts,
    )

    def write(tx, rows):
        tx.insert(_CONVERSATIONS, [conversation])
        tx.insert(_SMS, [sms])
        return rows

    await core.database.write(write, None)
    return f"/c/{site.customer(customer)}/inbound/conversations/{key}"
