"""How many messages of a customer are in which state. Not here: reports."""

from sms.lifecycle import MessageState
from store.engine.database import Transaction


def count_states(tx: Transaction, customer_key: int, since: int) -> dict[MessageState, int]:
    """Return the messages of a customer's jobs accepted since an instant (microseconds), by state."""
    rows = tx.rows(
        "SELECT m.state, COUNT(*) FROM job j CROSS JOIN message m WHERE m.job_key = j.key"
        " AND j.accepted_at >= ? AND j.customer_key = ? GROUP BY m.state",
        (since, customer_key),
    )
    return {MessageState(state): int(number) for state, number in rows}
