"""A certificate from an authority that speaks ACME: an order in two steps, between which its challenges are published.

Both steps block for as long as the authority takes, at most some minutes. Not here: when one is ordered, and where what
came of it is kept (gateway.certificate_renewal). RFC 8555; of its challenges http-01 (§8.3).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tls.contexts import ContextError

if TYPE_CHECKING:
    from acme.client import ClientV2
    from acme.messages import ChallengeBody, OrderResource
    from josepy.jwk import JWK

T = TypeVar("T")

_LONGEST_PROBLEM = 500


class AcmeError(Exception):
    """The authority gives no certificate; the message says why in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmeAccount:
    """Who orders where. `key_file` is made where it is missing; `binding` is an account made before: its id and key."""

    directory: str
    key_file: Path
    contact: str | None = None
    ca_file: Path | None = None
    binding: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class AcmeOrder:
    """An order under way: the authority will ask for the `answers`, by token."""

    answers: Mapping[str, str]
    resource: "OrderResource"
    challenges: Sequence["ChallengeBody"]
    key_pem: bytes


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate: its key and its chain in PEM, and its time."""

    pem: str
    begins_at: datetime
    ends_at: datetime


def check_available() -> None:
    """Raise ContextError where the extra is not installed."""
    if find_spec("acme") is None or find_spec("josepy") is None:
        raise ContextError("[acme] needs an extra: install mail2sms[acme]")


class AcmeClient:
    """Orders certificates of one account. Its methods block, and raise AcmeError where the authority refuses."""

    def __init__(self, account: AcmeAccount) -> None:
        self._account = account
        self._key = load_account_key(account.key_file)

    def begin(self, domains: Sequence[str]) -> AcmeOrder:
        """Order a certificate for these names, with a new key."""
        return _in_words(lambda: self._begin(domains))

    def finish(self, order: AcmeOrder) -> IssuedCertificate:
        """Let the authority ask for the answers, and return what it issues."""
        return _in_words(lambda: self._finish(order))

    def _begin(self, domains: Sequence[str]) -> AcmeOrder:
        from acme import challenges, crypto_util  # noqa: PLC0415 - an extra, and costly to load

        key = _make_key()
        resource = self._connect().new_order(crypto_util.make_csr(key, list(domains)))
        offered: list[ChallengeBody] = []
        for authorization in resource.authorizations:
            found = [one for one in authorization.body.challenges if isinstance(one.chall, challenges.HTTP01)]
            if not found:
                raise AcmeError(f"the authority offers no http-01 for {authorization.body.identifier.value}")
            offered += [] if authorization.body.status.name == "valid" else found[:1]
        answers = {one.chall.encode("token"): one.chall.validation(self._jwk()) for one in offered}
        return AcmeOrder(answers, resource, offered, key)

    def _finish(self, order: AcmeOrder) -> IssuedCertificate:
        client = self._connect()
        for one in order.challenges:
            client.answer_challenge(one, one.chall.response(self._jwk()))
        chain = client.poll_and_finalize(order.resource).fullchain_pem
        leaf = x509.load_pem_x509_certificate(chain.encode())
        return IssuedCertificate(order.key_pem.decode() + chain, leaf.not_valid_before_utc, leaf.not_valid_after_utc)

    def _connect(self) -> "ClientV2":
        """Return a client that is logged in to the account, which is made where there is none (RFC 8555 §7.3)."""
        from acme import errors, messages  # noqa: PLC0415
        from acme.client import ClientNetwork, ClientV2  # noqa: PLC0415
        from josepy.jwa import ES256  # noqa: PLC0415

        account = self._account
        trusted = str(account.ca_file) if account.ca_file is not None else True
        network = ClientNetwork(self._jwk(), alg=ES256, verify_ssl=trusted, user_agent="mail2sms")  # type: ignore[arg-type]
        client = ClientV2(ClientV2.get_directory(account.directory, network), network)
        bound = None
        if account.binding is not None:
            name, secret = account.binding
            bound = messages.ExternalAccountBinding.from_data(self._jwk().public_key(), name, secret, client.directory)
        elif client.external_account_required():
            raise AcmeError("the authority knows no new accounts: name account_id and account_key_file in [acme]")
        registration = messages.NewRegistration.from_data(
            email=account.contact, terms_of_service_agreed=True, external_account_binding=bound
        )
        try:
            client.new_account(registration)
        except errors.ConflictError as known:
            network.account = messages.RegistrationResource(uri=known.location, body=messages.Registration())
        return client

    def _jwk(self) -> "JWK":
        from josepy.jwk import JWKEC  # noqa: PLC0415

        return JWKEC(key=self._key)


def load_account_key(file: Path) -> ec.EllipticCurvePrivateKey:
    """Return the key of our account; where there is none it is made, readable by its owner alone."""
    try:
        if not file.exists():
            write_private(file, _make_key())
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise AcmeError(f"{file} can't be used: {error}; without the file a new account is made") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AcmeError(f"{file} holds another kind of key; without the file a new account is made")
    return key


def write_private(file: Path, content: bytes) -> None:
    """Put a file in place, whole or not at all, readable by its owner alone. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    beside.replace(file)


def _make_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _in_words(call: Callable[[], T]) -> T:
    """Call, and turn what the library raises into AcmeError with one line for people."""
    from acme import errors, messages  # noqa: PLC0415

    try:
        return call()
    except errors.ValidationError as error:
        said = "; ".join(
            f"{each.body.identifier.value}: {challenge.error.detail or challenge.error.typ}"
            for each in error.failed_authzrs
            for challenge in each.body.challenges
            if challenge.error is not None
        )
    except errors.TimeoutError:
        said = "the authority did not end the order in time"
    except messages.Error as error:
        said = f"{error.detail or error.title or error.typ} ({error.code or error.typ})"
    except (errors.Error, OSError, ValueError, KeyError, AttributeError) as error:  # what a strange answer leads to
        said = f"{type(error).__name__}: {error}"
    raise AcmeError(" ".join(said.split())[:_LONGEST_PROBLEM])
