"""The numbers by which the sandbox carrier shows what can become of an SMS, through a gateway."""

import pytest

from smpp.simulator.sandbox_numbers import ANSWER, SANDBOX_NUMBERS
from tests.kit.installation import Installation

OWN = "+447700900999"
ENDS = {
    "447700900990": ("undelivered", "not-delivered"),
    "447700900991": ("expired", "validity-ended"),
    "447700900992": ("submitted", ""),
    "447700900993": ("submitted", ""),
    "447700900994": ("delivered", ""),
    "447700900995": ("failed", "number-refused"),
    "447700900996": ("delivered", ""),
    "12025550199": ("rejected", "carrier-refused"),
    "447700900123": ("delivered", ""),
}


@pytest.fixture
async def sandboxed(tmp_path, gateway_database):
    carrier = {"name": "sandbox", "kind": "sandbox", "sandbox": {"receipt_delay": "10ms"}}
    site = Installation(tmp_path / "site", gateway_database, carrier=[carrier])
    yield site
    await site.close()


@pytest.mark.slow
async def test_each_number_of_the_sandbox_ends_as_it_says(sandboxed):
    site = sandboxed
    assert ENDS.keys() >= {one.number.removeprefix("+") for one in SANDBOX_NUMBERS}
    await site.open()
    await site.command("number", "add", OWN, "--customer", "demo")
    await site.command("customer", "set", "demo", f"sender_id={OWN}")
    await site.start()
    job = await site.send("Gate 4", to=[f"+{number}" for number in ENDS])

    def seen():
        return {message.number: (message.state, message.reason) for message in site.messages(job)}

    def rest():
        return {number: end for number, end in seen().items() if ENDS[number] != end}

    await site.until(lambda: rest().keys() <= {"447700900994"})
    while rest():  # put off twice, and brought forward
        await site.command("queue", "flush")
    assert site.messages(number="447700900994")[0].attempts == 3
    await site.until(lambda: len(site.inbound_texts()) == 1)
    ((carrier, source, destination, text),) = site.inbound_texts()
    assert (carrier, source.lstrip("+"), destination, text) == ("sandbox", "447700900996", OWN.lstrip("+"), ANSWER)
