"""The operator's carriers as working parts: SMPP clients, and the message centres that the sandbox plays itself."""

import math
import ssl
from collections.abc import Iterable
from random import random

from gateway.ports import Clock
from gateway.routing import CarrierRoute, CarrierRoutes
from mta.config.carriers import CarrierKind, CarrierOptions, CarrierTls, OnUnknown
from mta.config.shapes import read_secret
from smpp.account import BindMode, CarrierAccount, OutbindDoor
from smpp.client import SmppClient
from smpp.script import Script
from smpp.session import Limits
from smpp.simulator import Simulator
from store.progress import Rules
from tls.contexts import ClientCertificate, ClientContexts, ClientRole


def routes_of(carriers: Iterable[CarrierOptions]) -> CarrierRoutes:
    """Return which carrier serves which numbers; one that only brings us SMS and receipts serves none."""
    return CarrierRoutes(
        CarrierRoute(
            carrier=carrier.name,
            prefixes=carrier.prefixes,
            customers=carrier.customers,
            priority=carrier.priority,
            cost=carrier.cost,
            wide_reference=carrier.dialect.wide_reference,
        )
        for carrier in carriers
        if carrier.bind is not BindMode.RECEIVER
    )


def rules_of(carriers: Iterable[CarrierOptions]) -> Rules:
    """Return what progress must know of the carriers."""
    listed = tuple(carriers)
    return Rules(
        resend_unknown=frozenset(item.name for item in listed if item.on_unknown is OnUnknown.RESEND),
        receipt_grace={item.name: item.receipt_grace for item in listed},
        without_receipts=frozenset(item.name for item in listed if not item.receipts),
    )


def build_client(  # noqa: PLR0913 - all by name
    carrier: CarrierOptions, *, host: str, port: int, system_id: str, password: str, clock: Clock
) -> SmppClient:
    """Return the client of one carrier at an address, which for the sandbox is not the file's."""
    account = CarrierAccount(
        name=carrier.name,
        host=host,
        port=port,
        system_id=system_id,
        password=password,
        bind=carrier.bind,
        dialect=carrier.dialect,
        limits=Limits(
            window=carrier.window,
            response_seconds=carrier.response_timeout.total_seconds(),
            enquire_link_seconds=carrier.enquire_link.total_seconds(),
            inactivity_seconds=carrier.inactivity_timeout.total_seconds() or math.inf,
        ),
        throughput=float(carrier.throughput) or None,
        tls=_context(carrier),
        server_hostname=carrier.host or "",
        reconnect_least=carrier.reconnect_min.total_seconds(),
        reconnect_most=carrier.reconnect_max.total_seconds(),
        outbind=_door(carrier),
    )
    return SmppClient(account, clock=clock, jitter=random)


def _door(carrier: CarrierOptions) -> OutbindDoor | None:
    if carrier.outbind is None:
        return None
    return OutbindDoor(
        host=carrier.outbind.address.host,
        port=carrier.outbind.address.port,
        system_id=carrier.outbind.system_id,
        password=read_secret(carrier.outbind.password_file),
    )


def _context(carrier: CarrierOptions) -> ssl.SSLContext | None:
    if carrier.kind is CarrierKind.SANDBOX or carrier.tls is CarrierTls.OFF:
        return None
    certificate = None
    if carrier.certificate_file is not None and carrier.key_file is not None:
        certificate = ClientCertificate(certificate_file=carrier.certificate_file, key_file=carrier.key_file)
    role = ClientRole(verify=True, ca_file=carrier.ca_file, check_hostname=True, certificate=certificate)
    return ClientContexts().get(role)


def password_of(carrier: CarrierOptions) -> str:
    """Return our password at a carrier."""
    return read_secret(carrier.password_file) if carrier.password_file is not None else ""


async def start_sandbox(carrier: CarrierOptions, password: str, clock: Clock) -> Simulator:
    """Start the message centre that we play for a sandbox carrier, on a free port of loopback."""
    script = Script(receipt_delay=carrier.sandbox.receipt_delay.total_seconds(), dialect=carrier.dialect)
    simulator = Simulator(accounts={"sandbox": password}, clock=clock, script=script)
    await simulator.start()
    return simulator
