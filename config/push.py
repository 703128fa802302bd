"""How pushes go out: the operator's half. Where they go is each customer's setting push_url.

Not here: what a push says and how it is signed (docs/push.md, web.push).
"""

from dataclasses import dataclass
from datetime import timedelta

from config.field_types import Positive, ReadableFile, Wait, option


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOptions:
    """The pushes that we send: job reports to the applications of customers whose status_channel says so."""

    private_hosts: bool = option(
        "Whether a push may go to a loopback or private address; if not, no customer's URL leads into our own network.",
        default=False,
    )
    ca_file: ReadableFile | None = option(
        "The authorities of the applications' certificates, PEM; where missing, those of the system.",
        default=None,
        example="applications-ca.pem",
    )
    timeout: Wait = option("How long one attempt may take in all.", default=timedelta(seconds=20))
    connections: Positive = option("Pushes on their way at a time.", default=50)
