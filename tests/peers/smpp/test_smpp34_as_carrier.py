"""smpp34 (Rust, from the Python index) as the carriers of the real process, plain and behind a relay that ends TLS."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio
import smpp34

from tests.kit.installation import Installation
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port
from tests.peers.smpp.dialects import DIALECTS, LONG, international
from tests.peers.smpp.tls import Authority, relay

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Its server hands on submit_sm and nothing else.
SPOKEN = [name for name, (dialect, _, _) in DIALECTS.items() if "submit_with" not in dialect]
CARRIERS = {f"{name}-{transport}": (name, transport == "tls") for transport in ("tcp", "tls") for name in SPOKEN}
UDH, PAYLOAD, SAR, RECEIPTED_ID, MESSAGE_STATE = 0x40, 0x0424, 0x020F, 0x001E, 0x0427  # SMPP 3.4 §5.2.12, §5.3.2
WRITTEN: dict[str, Callable[[int], str]] = {
    "text": "id-{}".format,
    "capitals": "ID-{}".format,
    "hex": "{:x}".format,
    "decimal": "{:010}".format,
}
STATES = {False: ("DELIVRD", 2), True: ("UNDELIV", 5)}


def numbers_of(carrier: str) -> tuple[str, str]:
    """Return the number of the carrier that its SMS reach, and the one that they do not."""
    stem = f"447700900{list(CARRIERS).index(carrier):02}"
    return f"{stem}1", f"{stem}5"


class Centre:
    """A message centre of smpp34: takes everything, and reports it undeliverable where the number ends in 5.

    `response` and `receipt` are how ids are written, `form` is where a receipt says what it says, as in smsc.js.
    """

    def __init__(
        self, server: smpp34.Server, *, response: str = "text", receipt: str = "text", form: str = "both"
    ) -> None:
        self.taken: dict[str, dict[int, bytes]] = {}
        self.bound = asyncio.Event()
        self._server = server
        self._response, self._receipt, self._form = WRITTEN[response], WRITTEN[receipt], form
        self._count = 0x1000
        self._esme: smpp34.Esme | None = None
        self._tasks = {asyncio.create_task(self._serve())}

    async def _serve(self) -> None:
        while True:
            event = await self._server.next()
            if isinstance(event, smpp34.Esme):
                self._esme = event
                self.bound.set()
            elif isinstance(event, smpp34.SubmitSmEvent):
                self._count += 1
                self._keep(event)
                event.accept(self._response(self._count))
                self._tasks.add(asyncio.create_task(self._report(event, self._count)))

    def _keep(self, event: smpp34.SubmitSmEvent) -> None:
        tlvs = {tlv.tag: tlv for tlv in event.tlvs}
        message = tlvs[PAYLOAD].value if PAYLOAD in tlvs else event.short_message
        header = 1 + message[0] if event.esm_class & UDH else 0
        index = tlvs[SAR].as_int() if SAR in tlvs else message[header - 1] if header else 1
        self.taken.setdefault(international(event.destination_addr), {})[index or 0] = message[header:]

    async def _report(self, event: smpp34.SubmitSmEvent, number: int) -> None:
        assert self._esme is not None
        word, state = STATES[event.destination_addr.endswith("5")]
        text, tlvs = b"", []
        if self._form != "tlv":
            dates = "submit date:2611231600 done date:2611231601"
            text = f"id:{self._receipt(number)} sub:001 dlvrd:001 {dates} stat:{word} err:000 text:".encode()
        if self._form in ("tlv", "both"):
            carrier_id = self._response(number).encode() + b"\0"
            tlvs = [smpp34.Tlv(RECEIPTED_ID, carrier_id), smpp34.Tlv(MESSAGE_STATE, bytes((state,)))]
        await self._esme.deliver_sm(
            event.source_addr,
            text,
            source_addr=event.destination_addr,
            esm_class=0 if self._form == "unmarked" else 4,
            tlvs=tlvs,
        )

    async def deliver(self, source: str, destination: str, message: bytes, **fields) -> int:
        """Bring an inbound SMS and return the status with which it was taken."""
        assert self._esme is not None
        answer = await self._esme.deliver_sm(destination, message, source_addr=source, **fields)
        return int(answer.command_status)

    async def stop(self) -> None:
        """End everything; a receipt that was on its way when the gateway ended may have failed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.stop()


@asynccontextmanager
async def centre(options: dict[str, str]):
    port = free_port()
    server = smpp34.Server("127.0.0.1", port)
    await server.start()
    running = Centre(server, **options)
    try:
        yield running, port
    finally:
        await running.stop()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory, module_database):
    """Return the site and its carriers by name."""
    folder = tmp_path_factory.mktemp("smpp34")
    authority = Authority(folder / "certificates")
    site = Installation(folder / "site", module_database)
    async with AsyncExitStack() as stack:
        centres = {}
        for carrier, (name, tls) in CARRIERS.items():
            centres[carrier], port = await stack.enter_async_context(centre(DIALECTS[name][1]))
            secure: dict[str, object] = {}
            if tls:
                port = await stack.enter_async_context(relay(authority.server_context(), port))
                secure = {"tls": "require", "ca_file": str(authority.file)}
            stem = numbers_of(carrier)[0][:-1]
            dialect = DIALECTS[name][0]
            site.more_carriers.append(
                {"name": carrier, "host": "localhost", "port": port, "prefixes": [stem], "dialect": dialect, **secure}
            )
        stack.push_async_callback(site.close)
        await site.open()
        await site.command("customer", "set", "demo", "delivery_receipt=on", "unencodable=switch", "max_parts=10")
        await site.start()
        for running in centres.values():
            await asyncio.wait_for(running.bound.wait(), PATIENCE)
        yield site, centres


@pytest.mark.parametrize("carrier", list(CARRIERS))
async def test_a_long_text_in_ucs2_ends_as_its_receipts_say(carrier, world):
    site, centres = world
    arrived, lost = numbers_of(carrier)
    job = await site.send(LONG, to=(f"+{arrived}", f"+{lost}"))
    await site.until(lambda: site.state(job) == {arrived: "delivered", lost: "undelivered"})
    for number in (arrived, lost):
        parts = centres[carrier].taken[number]
        assert sorted(parts) == ([1] if carrier.startswith("whole") else [1, 2, 3, 4])
        assert b"".join(parts[index] for index in sorted(parts)).decode("utf-16-be") == LONG.strip()


@pytest.mark.parametrize("carrier", ["plain-tcp", "plain-tls"])
async def test_an_inbound_sms_is_kept_before_it_is_acknowledged(carrier, world):
    site, centres = world
    message = "Grüße ✓ \U0001f6e0".encode("utf-16-be")
    assert (
        await centres[carrier].deliver(
            "447700900777", "12345", message, source_addr_ton=1, dest_addr_ton=0, data_coding=8
        )
        == 0
    )
    assert site.inbound_texts(carrier) == [(carrier, "+447700900777", "12345", "Grüße ✓ \U0001f6e0")]
