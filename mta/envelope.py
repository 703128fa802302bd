"""What the dialogue learned of a mail before its content.

Not here: how it was learned (mta.smtp), what is made of it (intake).
"""

from msgspec import Struct

from sms.job import FirstUse


class EnvelopeRecipient(Struct, frozen=True, kw_only=True):
    """One RCPT: the address as given, with NOTIFY and ORCPT decoded (RFC 3461 §4.1, §4.2)."""

    address: str
    notify: str = ""
    orcpt: str = ""


class ReceivedEnvelope(Struct, frozen=True, kw_only=True):
    """What the dialogue learned. An empty `reverse_path` is `<>`; ENVID and RET are decoded; `helo` names the peer.

    `client` is its login, else its address; `tls` says whether it came under TLS, `require_tls` that all
    about it must travel so (RFC 8689 §4.1). `identity` names a mail that its
    signature proves, `first_use` is what its first use binds (mta.verify.replay).
    """

    reverse_path: str
    recipients: tuple[EnvelopeRecipient, ...]
    envid: str = ""
    ret: str = ""
    helo: str = ""
    client: str = ""
    tls: bool = True
    require_tls: bool = False
    identity: bytes = b""
    first_use: FirstUse | None = None
