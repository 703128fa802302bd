"""A call of SOAP, and why one came to nothing: values only. Not here: how they are read and written (envelope)."""

from collections.abc import Mapping
from dataclasses import dataclass

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapCall:
    """One call: the operation, whose login, and its fields."""

    operation: str
    username: str
    password: str
    fields: Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapFault:
    """Why a call is none, or came to nothing. `code` is the status that REST v1 would give.

    `kind` is the SOAP fault code: `Client`, `Server`, `VersionMismatch` or `MustUnderstand` (SOAP 1.1 §4.4.1).
    """

    code: int
    message: str
    kind: str = "Client"
