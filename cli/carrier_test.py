"""What `mail2sms carrier test` does: one SMS over a bind of its own, beside the gateway, and what the carrier says.

Not here: the command (carriers), SMPP (smpp).
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import click
import structlog

from config.carriers import CarrierOptions
from gateway.ports import CarrierEvents, LinkState
from process.carriers import build_client, password_of
from process.clock import SystemClock
from smpp.client.client import SmppClient
from smpp.client.troubles import UNDER_WAY
from sms.message import Alphabet, EncodedText, InboundFragment, PartToSubmit, Priority, Receipt, ReceiptState
from sms.number import MobileNumber, SenderId
from sms.outcome import Done, Outcome, Refused
from sms.parts import encode_text, payload_of
from sms.settings import Unencodable

_SILENCE_SECONDS = 1.5


def encode_test(text: str, options: CarrierOptions) -> EncodedText | Refused:
    """Return a text as one SMS, in what the carrier's alphabet has."""
    return encode_text(
        text,
        coding=Alphabet.GSM7,
        unencodable=Unencodable.SWITCH,
        max_parts=1,
        lacking=options.dialect.lacking,
    )


def is_taken(
    options: CarrierOptions, number: MobileNumber, encoded: EncodedText, sender: SenderId | None, wait: int
) -> bool:
    """Send one SMS, print what the carrier answers and, for `wait` seconds, its receipt; return whether it took it."""
    # What the log would say is said below, in one sentence.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return asyncio.run(_try(options, _part(number, encoded, sender), wait))


def _part(number: MobileNumber, encoded: EncodedText, sender: SenderId | None) -> PartToSubmit:
    return PartToSubmit(
        part_key=1,
        message_key=1,
        message_id="test",
        number=number,
        sender=sender,
        alphabet=encoded.alphabet,
        udh=b"",
        payload=payload_of(encoded.text, encoded.alphabet),
        index=1,
        total=1,
        reference=0,
        priority=Priority.EXPRESS,
        flash=False,
        receipt_wanted=True,
        expires_at=datetime.now(UTC) + timedelta(minutes=10),
    )


@dataclass(slots=True)
class _Witness(CarrierEvents):
    """Says what the carrier says."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    answer: "asyncio.Future[Outcome]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    receipted: asyncio.Event = field(default_factory=asyncio.Event)

    def answered(self, carrier: str, part_key: int, outcome: Outcome) -> None:  # noqa: ARG002 - the protocol's
        if not self.answer.done():
            self.answer.set_result(outcome)

    def answered_late(self, carrier: str, part_key: int, outcome: Outcome) -> None:
        self.answered(carrier, part_key, outcome)

    def window_changed(self, carrier: str) -> None:  # noqa: ARG002 - the protocol's
        self.changed.set()

    def link_changed(self, state: LinkState) -> None:  # noqa: ARG002 - the protocol's
        self.changed.set()

    async def reported(self, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            click.echo(f"Receipt: {receipt.state} for id {receipt.carrier_id} {receipt.error}".rstrip())
            if receipt.state is not ReceiptState.ENROUTE:
                self.receipted.set()

    async def arrived(self, fragments: Sequence[InboundFragment]) -> None:
        # Not ours to take: raising leaves it with the carrier for the gateway's own bind.
        raise RuntimeError(f"an inbound SMS for {fragments[0].destination} is left to the gateway")


async def _try(options: CarrierOptions, part: PartToSubmit, wait: int) -> bool:
    """Bind at each host, and send the SMS by the first that takes the bind; returns whether all went well."""
    parts, well = [part], True
    for host in options.centres:
        client = build_client(
            replace(options, links=1),
            hosts=[host],
            system_id=options.system_id,
            password=password_of(options),
            clock=SystemClock(),
        )
        witness = _Witness()
        await client.start(witness)
        try:
            if not await _bind(client, witness, options, f"{host} as {options.system_id}"):
                well = False
            elif parts:
                well &= await _converse(client, witness, parts, wait)
                parts = []
        finally:
            await client.stop(2.0)
    return well


async def _wait_aloud(event: asyncio.Event, words: str) -> None:
    """Wait for an event; where it takes long, say what for."""
    waiting = asyncio.get_running_loop().call_later(_SILENCE_SECONDS, click.echo, words)
    try:
        await event.wait()
    finally:
        waiting.cancel()


async def _bind(client: SmppClient, witness: _Witness, options: CarrierOptions, where: str) -> bool:
    try:
        async with asyncio.timeout(options.response_timeout.total_seconds()):
            while client.free_window() <= 0 and client.trouble == UNDER_WAY:
                witness.changed.clear()
                await _wait_aloud(witness.changed, f"Waiting for {where}: {UNDER_WAY} …")
    except TimeoutError:
        pass
    if client.free_window() <= 0:
        click.echo(f"No bind to {where}: {client.trouble}.")
        return False
    click.echo(f"Bound to {where}.")
    return True


async def _converse(client: SmppClient, witness: _Witness, parts: Sequence[PartToSubmit], wait: int) -> bool:
    client.submit(parts)
    outcome = await witness.answer
    if not isinstance(outcome, Done):
        click.echo(f"Refused: {outcome.problem.text} ({outcome.problem.cause or outcome.problem.code})")
        return False
    click.echo(f"Taken under id {outcome.reference}.")
    if wait:
        try:
            async with asyncio.timeout(wait):
                await witness.receipted.wait()
        except TimeoutError:
            click.echo(f"No receipt within {wait} s; it may still come.")
    return True
