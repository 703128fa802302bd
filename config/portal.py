"""[portal] of the operator's file: where people reach the portal. Not here: where it listens (http)."""

from dataclasses import dataclass
from typing import Annotated

from config.field_types import MailAddress, option, text_like

Address = Annotated[
    str,
    text_like(
        r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?|https?://\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?",
        "an address such as https://sms.example.net",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalOptions:
    """The pages on which people of customers and of the operator help themselves."""

    support_desk: MailAddress | None = option(
        "Who reads the support requests of customers; where missing, admin_address of [mail].",
        default=None,
        example="support@example.net",
    )
    address: Address | None = option(
        "How the links in mails and of commands begin; where missing, as the first [[http]] that serves it.",
        default=None,
        example="https://sms.example.net",
    )
