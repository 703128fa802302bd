"""[acme] of the operator's file: a certificate that an authority gives, and that is renewed by itself.

Not here: how (tls.acme), when (gateway.certificate_renewal).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from config.field_types import Domain, MailAddress, PrivateFile, ReadableFile, ShortText, option, text_like
from config.reader import ConfigIssue

HttpsUrl = Annotated[
    str, text_like(r"https://[^\s\x00-\x1f\x7f]{1,500}", 'a URL such as "https://ca.example.net/acme"')
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmeOptions:
    """A certificate from an authority that speaks ACME, shown like a [[certificate]] and renewed by itself.

    It needs mail2sms[acme], and an [[http]] that serves "acme" where the authority looks: on port 80 of each domain.
    """

    domains: tuple[Domain, ...] = option(
        "The names that it is for; where missing, none is asked for.", default=(), example=("mx.example.net",)
    )
    directory: HttpsUrl = option(
        "Where the authority speaks ACME. To use it is to agree to its terms.",
        default="https://acme-v02.api.letsencrypt.org/directory",
    )
    contact: MailAddress | None = option(
        "Whom the authority writes to.", default=None, example="hostmaster@example.net"
    )
    ca_file: ReadableFile | None = option(
        "The authorities of the directory's own certificate, PEM, in place of the system's.",
        default=None,
        example="acme-ca.pem",
    )
    account_id: ShortText = option(
        "The id of an account that was made at the authority before (external account binding).",
        default="",
        example="our-id",
    )
    account_key_file: PrivateFile | None = option(
        "Holds the key that the authority gave with that id, in base64url.", default=None, example="acme-account.key"
    )

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: half an account; a name that stands twice."""
        if bool(self.account_id) != (self.account_key_file is not None):
            given = "account_id" if self.account_id else "account_key_file"
            yield ConfigIssue(given, "expected account_id and account_key_file together, or neither")
        for name in dict.fromkeys(self.domains):
            if self.domains.count(name) > 1:
                yield ConfigIssue("domains", f'"{name}" stands twice')
