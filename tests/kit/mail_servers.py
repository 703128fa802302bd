"""What the tests of mail out share: certificates of every quality, SMTP peers of every kind, a deliverer."""

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from mta.sending.attempts import Deliverer
from mta.sending.compose import ComposedMail
from mta.sending.connections import PoolLimits
from mta.sending.deliver import deliverer_of
from mta.sending.outgoing import ClientTimeouts, DeliverySettings
from mta.sending.routes import Route, RouteTable
from sms.retry import BreakerRule, Ladder
from tests.kit.resolver import TableResolver
from tls.contexts import ClientContexts
from tls.mx import AddressGuard
from tls.policy import PolicyEntry, PolicyTable, TlsLevel, TlsPolicy
from tls.resolver import Resolver

DOMAIN = "example.com"
HOST = "mx.example.com"
LOOPBACK = AddressGuard(allowed=("127.0.0.0/8", "::1/128"))
# A busy machine is late with every answer. Only a test whose server never ends an answer shortens the time for that one.
PATIENT = ClientTimeouts(connect=60.0, handshake=60.0, command=60.0, content=60.0, rest=60.0, attempt=300.0)


MESSAGE = b"From: <sms@sms.example.net>\r\nSubject: status\r\n\r\nIt is done.\r\n.leading dot\r\n"


def status_mail(
    recipient: str = f"anna@{DOMAIN}", *, envelope_from: str = "", message: bytes = MESSAGE
) -> ComposedMail:
    return ComposedMail(
        envelope_from=envelope_from, recipient=recipient, message=message, message_id="<1@sms.example.net>"
    )


@dataclass(frozen=True)
class Identity:
    """A certificate with its key and the intermediate certificates to send."""

    certificate: x509.Certificate
    key: Any
    above: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def spki(self) -> bytes:
        return self.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def write(self, folder: Path, name: str = "peer") -> tuple[Path, Path]:
        folder.mkdir(parents=True, exist_ok=True)
        chain, key = folder / f"{name}.pem", folder / f"{name}.key"
        chain.write_bytes(self.pem + b"".join(each.public_bytes(Encoding.PEM) for each in self.above))
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        key.chmod(0o600)
        return chain, key


def issue(
    issuer: Identity | None = None,
    *,
    names: tuple[str, ...] = (HOST,),
    common_name: str = "test",
    addresses: tuple[str, ...] = (),
    authority: bool = False,
    start: timedelta = timedelta(days=-1),
    end: timedelta = timedelta(days=30),
    rsa_bits: int = 0,
    send_issuer: bool = True,
) -> Identity:
    """Make a certificate, self-signed without an issuer."""
    key: Any = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + start)
        .not_valid_after(now + end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if alternatives and not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    above = (issuer.certificate, *issuer.above) if issuer and issuer.above and send_issuer else ()
    return Identity(certificate, key, above)


def make_authority(common_name: str = "Root") -> Identity:
    return issue(names=(), common_name=common_name, authority=True)


def make_intermediate(root: Identity) -> Identity:
    made = issue(root, names=(), common_name="Intermediate", authority=True)
    return Identity(made.certificate, made.key, (root.certificate,))


def server_context(identity: Identity, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(*identity.write(folder))
    return context


CUT, SILENT, ENDLESS, DRIP, GARBAGE = "<cut>", "<silent>", "<endless>", "<drip>", "\x00\x01 what?\r\n"


@dataclass
class Peer:
    """An SMTP server on loopback with given answers. `answers` is by verb, or `tls:VERB` once TLS is on."""

    context: ssl.SSLContext | None = None
    extensions: tuple[str, ...] = ("8BITMIME", "SIZE 1000000")
    answers: dict[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"
    port: int = 0
    offers_tls: bool | None = None
    starttls: str = "220 go ahead"
    injected: bytes = b""
    instead_of_hello: bytes = b""
    implicit: bool = False
    in_clear: list[str] = field(default_factory=list)
    in_tls: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    connections: int = 0
    handshakes: list[str] = field(default_factory=list)
    resumed: list[bool] = field(default_factory=list)
    clients: list[Any] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, self.host, self.port, ssl=self.context if self.implicit else None, limit=1 << 20
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def verbs_in_clear(self) -> list[str]:
        return [line.split(" ")[0].upper() for line in self.in_clear]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, RuntimeError):
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def say(self, writer: asyncio.StreamWriter, text: str) -> None:
        if text == CUT:
            raise ConnectionResetError
        if text == SILENT:
            await asyncio.Event().wait()
        if text == ENDLESS:
            while True:
                writer.write(b"250-and on\r\n" * 100)
                await writer.drain()
        if text == DRIP:
            while True:
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(0.05)
        if text == GARBAGE:
            writer.write(text.encode())
        else:
            writer.write(f"{text}\r\n".encode())
        await writer.drain()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secure = self.implicit
        await self.say(writer, self.answers.get("GREETING", "220 mx.example.com ESMTP"))
        while line := await reader.readline():
            if line.startswith(b"\x16\x03"):  # a ClientHello after a false reply to STARTTLS
                await self.say(writer, "500 5.5.2 what is this?")
                return
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            (self.in_tls if secure else self.in_clear).append(text)
            verb = text.split(" ")[0].upper()
            told = self.answers.get(f"tls:{verb}" if secure else verb, self.answers.get(verb))
            if verb == "STARTTLS":
                if told is not None:
                    await self.say(writer, told)
                    continue
                writer.write(f"{self.starttls}\r\n".encode() + self.injected)
                await writer.drain()
                if self.instead_of_hello:
                    await reader.read(1)
                    writer.write(self.instead_of_hello)
                    await asyncio.Event().wait()
                assert self.context is not None
                await writer.start_tls(self.context)
                secure = True
                tls = writer.get_extra_info("ssl_object")
                self.handshakes.append(tls.version())
                self.resumed.append(bool(tls.session_reused))
                self.clients.append(tls.getpeercert(True))
            elif told is not None:
                await self.say(writer, told)
                if verb == "DATA" and told.startswith("3"):
                    await self._take(reader, writer, secure)
            elif verb == "EHLO":
                offers = self.context is not None and not self.implicit if self.offers_tls is None else self.offers_tls
                lines = ["mx.example.com", *self.extensions, *(["STARTTLS"] if offers and not secure else [])]
                await self.say(writer, "\r\n".join([*(f"250-{each}" for each in lines[:-1]), f"250 {lines[-1]}"]))
            elif verb == "DATA":
                await self.say(writer, "354 go on")
                await self._take(reader, writer, secure)
            elif verb == "AUTH":
                await self.say(writer, "235 2.7.0 welcome")
            elif verb == "QUIT":
                await self.say(writer, "221 bye")
                return
            else:
                await self.say(writer, "250 2.0.0 fine")

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secure: bool) -> None:
        lines = [await reader.readline()]
        while lines[-1] != b".\r\n":
            if not lines[-1]:
                raise ConnectionResetError
            lines.append(await reader.readline())
        if len(lines) > 1:
            self.mails.append(b"".join(lines))
        await self.say(writer, self.answers.get("DOT", "250 2.0.0 kept"))


def table_of(*entries: PolicyEntry | TlsPolicy | TlsLevel) -> PolicyTable:
    made = []
    for entry in entries:
        policy = TlsPolicy(level=entry) if isinstance(entry, TlsLevel) else entry
        made.append(PolicyEntry(policy=policy) if isinstance(policy, TlsPolicy) else policy)
    return PolicyTable(tuple(made))


def one_host(*addresses: str, authentic: bool = False, **more: Any) -> TableResolver:
    return TableResolver(
        mx_records={DOMAIN: [(10, HOST)]},
        hosts={HOST: addresses or ("127.0.0.1",), **more.pop("hosts", {})},
        authentic=frozenset({DOMAIN, HOST, *more.pop("authentic_names", ())}) if authentic else frozenset(),
        **more,
    )


NEVER_OPENS = BreakerRule(failures=1000, rests=Ladder.of_seconds(60))


def make_deliverer(
    port: int,
    *entries: PolicyEntry | TlsPolicy | TlsLevel,
    resolver: Resolver | None = None,
    routes: tuple[Route, ...] = (),
    ca_file: Path | None = None,
    guard: AddressGuard = LOOPBACK,
    patience: ClientTimeouts = PATIENT,
    pool: PoolLimits | None = None,
    breaker: BreakerRule = NEVER_OPENS,
    source_address: str = "",
    **more: Any,
) -> Deliverer:
    settings = DeliverySettings(
        helo="gateway.example.net",
        port=port,
        source_address=source_address,
        patience=patience,
        pool=pool or PoolLimits(),
        breaker=breaker,
        counts_sessions=more.pop("counts_sessions", True),
    )
    table = table_of(*entries)
    return deliverer_of(
        settings,
        resolver=resolver or one_host(),
        policies=more.pop("policies", lambda: table),
        routes=RouteTable(routes),
        contexts=ClientContexts(ca_file),
        guard=guard,
        shuffle=more.pop("shuffle", lambda _: None),
        **more,
    )
