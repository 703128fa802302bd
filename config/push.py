"""How pushes go out: the operator's half. Where they go is each customer's setting push_url, and its actions' URLs.

Not here: what a push says and how it is signed (docs/push.md, web.push).
"""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated

from config.field_types import FieldType, Positive, ReadableFile, ShortText, Wait, option


def _parse_network(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - the reader turns ValueError alone into a message
    return str(ip_network(value))


Network = Annotated[str, FieldType('a network such as "10.20.0.0/16" or "2001:db8::/32"', _parse_network)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PushAllowance:
    """Where the pushes of one customer may go besides public addresses under TLS. Repeat the table for more of them."""

    customer: ShortText = option("The customer's name.", example="Example Ltd")
    networks: tuple[Network, ...] = option(
        "Addresses that its pushes may go to though they are not public, and over plain http.",
        example=("10.20.0.0/16",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOptions:
    """The pushes that we send to customers' applications: what became of a job, and inbound SMS.

    They go to public addresses under TLS, so that no customer's URL leads into our own network.
    """

    ca_file: ReadableFile | None = option(
        "The authorities of the applications' certificates, PEM; where missing, those of the system.",
        default=None,
        example="applications-ca.pem",
    )
    timeout: Wait = option("How long one attempt may take in all.", default=timedelta(seconds=15))
    connections: Positive = option("Pushes on their way at a time, half of them to one host.", default=50)
    allowances: tuple[PushAllowance, ...] = option("", default=(), key="allow")
