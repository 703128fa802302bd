"""The operator's carriers as working parts: SMPP clients, and the message centres that the sandbox plays itself."""

import math
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import random
from secrets import token_hex

from config.carriers import CarrierKind, CarrierOptions, CarrierTls
from config.field_types import HostPort, read_secret
from gateway.ports import Clock
from smpp.client.account import CarrierAccount, CarrierHost, OutbindDoor
from smpp.client.client import SmppClient
from smpp.dialect.dialect import Dialect, IdBase
from smpp.dialect.submissions import unite_ids
from smpp.session.limits import SessionLimits
from smpp.simulator.sandbox_numbers import SandboxNumbers
from smpp.simulator.script import Script
from smpp.simulator.simulator import Simulator
from sms.retry import Ladder
from tls.contexts import ClientCertificate, reloaded_client_context, verified_peer_role


def build_client(
    carrier: CarrierOptions, *, hosts: Sequence[HostPort], system_id: str, password: str, clock: Clock
) -> SmppClient:
    """Return the client of one carrier at these hosts, which for the sandbox are not the file's."""
    account = CarrierAccount(
        name=carrier.name,
        hosts=tuple(CarrierHost(each.host, each.port) for each in hosts),
        links=carrier.links,
        system_id=system_id,
        password=password,
        bind=carrier.bind,
        dialect=_dialect(carrier),
        limits=SessionLimits(
            window=carrier.window,
            response_seconds=carrier.response_timeout.total_seconds(),
            enquire_link_seconds=carrier.enquire_link.total_seconds(),
            inactivity_seconds=carrier.inactivity_timeout.total_seconds() or math.inf,
        ),
        throughput=float(carrier.throughput) or None,
        tls=_contexts(carrier),
        reconnect=Ladder.doubling(carrier.reconnect_min, carrier.reconnect_max, least=0.5),
        outbind=_door(carrier),
    )
    return SmppClient(account, clock=clock, jitter=random)


def unite_of(carriers: Iterable[CarrierOptions]) -> dict[str, Callable[[str, str], str]]:
    """Return how two ids are found to be one, for each carrier whose dialect explains its ids."""
    return {
        item.name: partial(unite_ids, dialect=item.dialect)
        for item in carriers
        if {item.dialect.id_in_response, item.dialect.id_in_receipt, item.dialect.id_in_receipt_tlv}
        - {IdBase.TEXT, None}
    }


def _dialect(carrier: CarrierOptions) -> Dialect:
    """Return the carrier's dialect; one that gives no receipts is asked for none."""
    if carrier.receipts:
        return carrier.dialect
    return replace(carrier.dialect, registered_delivery=carrier.dialect.no_registered_delivery)


def _door(carrier: CarrierOptions) -> OutbindDoor | None:
    if carrier.outbind is None:
        return None
    return OutbindDoor(
        host=carrier.outbind.address.host,
        port=carrier.outbind.address.port,
        system_id=carrier.outbind.system_id,
        password=read_secret(carrier.outbind.password_file),
    )


def _contexts(carrier: CarrierOptions) -> Callable[[], ssl.SSLContext] | None:
    if carrier.kind is CarrierKind.SANDBOX or carrier.tls is CarrierTls.OFF:
        return None
    certificate = None
    if carrier.certificate_file is not None and carrier.key_file is not None:
        certificate = ClientCertificate(certificate_file=carrier.certificate_file, key_file=carrier.key_file)
    role = verified_peer_role(
        carrier.ca_file,
        certificate,
        minimum_version=carrier.tls_minimum_version,
        ciphers=carrier.tls_ciphers,
    )
    return reloaded_client_context(role, carrier=carrier.name).current


def password_of(carrier: CarrierOptions) -> str:
    """Return our password at a carrier."""
    return read_secret(carrier.password_file) if carrier.password_file is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedCentre:
    """The message centre that we play for a sandbox carrier; once started it listens on a free port of loopback."""

    simulator: Simulator
    password: str


def build_sandboxes(carriers: Iterable[CarrierOptions], clock: Clock) -> dict[str, PlayedCentre]:
    """Return a message centre for each sandbox carrier, by its name."""
    centres = {}
    for carrier in carriers:
        if carrier.kind is CarrierKind.SANDBOX:
            delay = carrier.sandbox.receipt_delay.total_seconds()
            script = Script(receipt_delay=delay, dialect=carrier.dialect, treat=SandboxNumbers(delay))
            password = token_hex(4)
            simulator = Simulator(accounts={"sandbox": password}, clock=clock, script=script)
            centres[carrier.name] = PlayedCentre(simulator=simulator, password=password)
    return centres


def build_clients(
    carriers: Iterable[CarrierOptions], sandboxes: Mapping[str, PlayedCentre], clock: Clock
) -> dict[str, SmppClient]:
    """Return the client of each carrier by its name; those of `sandboxes`, which have been started, are at ours."""
    clients = {}
    for carrier in carriers:
        played = sandboxes.get(carrier.name)
        if played is not None:
            clients[carrier.name] = build_client(
                carrier,
                hosts=[HostPort("127.0.0.1", played.simulator.port)],
                system_id="sandbox",
                password=played.password,
                clock=clock,
            )
        else:
            clients[carrier.name] = build_client(
                carrier,
                hosts=carrier.centres,
                system_id=carrier.system_id,
                password=password_of(carrier),
                clock=clock,
            )
    return clients
