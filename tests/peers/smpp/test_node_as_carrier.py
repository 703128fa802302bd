"""Node's smpp as the carriers of the real process, plain and under TLS: every dialect of docs/smpp-dialects.md.

What a part says, and which it is, is read by node's smpp; what a receipt says is written by it.
"""

import re

import pytest
import pytest_asyncio

from tests.kit.installation import Installation
from tests.peers.smpp.dialects import DIALECTS, IN_PAYLOAD, IN_SAR, LONG, WHOLE, WIDE, international
from tests.peers.smpp.node import Fact, Facts, centres
from tests.peers.smpp.tls import Authority

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLAIN_AND_TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
CARRIERS = {f"{name}-{'tls' if tls else 'tcp'}": (name, tls) for tls in (False, True) for name in DIALECTS}


def carrier_of(name: str, tls: bool) -> str:
    return f"{name}-{'tls' if tls else 'tcp'}"


def numbers_of(carrier: str) -> tuple[str, str]:
    """Return the number of the carrier that its SMS reach, and the one that they do not."""
    stem = f"447700900{list(CARRIERS).index(carrier):02}"
    return f"{stem}1", f"{stem}5"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory, module_database):
    """Return the site and what its carriers are told."""
    folder = tmp_path_factory.mktemp("node")
    authority = Authority(folder / "certificates")
    key, certificate = map(str, authority.files())
    secure = {"key": key, "certificate": certificate}
    wanted = [
        {"name": carrier, **DIALECTS[name][1], **(secure if tls else {})} for carrier, (name, tls) in CARRIERS.items()
    ]
    async with centres(*wanted) as (facts, ports):
        site = Installation(folder / "site", module_database)
        site.more_carriers = [
            {
                "name": carrier,
                "host": "localhost",
                "port": ports[carrier],
                "prefixes": [numbers_of(carrier)[0][:-1]],
                "dialect": DIALECTS[name][0],
                **({"tls": "require", "ca_file": str(authority.file)} if tls else {}),
            }
            for carrier, (name, tls) in CARRIERS.items()
        ]
        await site.open()
        try:
            await site.command("customer", "set", "demo", "delivery_receipt=on", "unencodable=switch", "max_parts=10")
            await site.start()
            await facts.until(lambda: len(facts.those("bound")) == len(CARRIERS))
            yield site, facts
        finally:
            await site.close()


def submitted_since(place: int, facts: Facts) -> list[Fact]:
    return [fact for fact in facts.all[place:] if "submitted" in fact]


@PLAIN_AND_TLS
@pytest.mark.parametrize("name", list(DIALECTS))
async def test_a_long_text_in_ucs2_ends_as_its_receipts_say_in_each_dialect(name, tls, world):
    site, facts = world
    carrier, place = carrier_of(name, tls), DIALECTS[name][2]
    arrived, lost = numbers_of(carrier)
    before = len(facts.all)
    job = await site.send(LONG, to=(f"+{arrived}", f"+{lost}"))
    await site.until(lambda: site.state(job) == {arrived: "delivered", lost: "undelivered"})
    submits = 2 if place == WHOLE else 8
    await facts.until(lambda: len(submitted_since(before, facts)) >= submits)
    for number in (arrived, lost):
        parts = [fact for fact in submitted_since(before, facts) if international(fact["destination"][2]) == number]
        assert {part["centre"] for part in parts} == {carrier}
        assert "".join(part["submitted"] for part in parts) == LONG.strip()
        assert {part["data_coding"] for part in parts} == {8}
        for index, part in enumerate(parts, 1):
            (said,) = part["udh"] or [""]
            assert part["payload"] is (place in {IN_PAYLOAD, WHOLE})
            if place == IN_SAR:
                assert (said, part["sar"][1:]) == ("", [4, index])
            elif place == WHOLE:
                assert (said, part["sar"]) == ("", None)
            else:
                head = "0804[0-9a-f]{4}" if place == WIDE else "0003[0-9a-f]{2}"
                assert re.fullmatch(f"{head}040{index}", said)
                assert part["sar"] is None
    await facts.until(lambda: len(facts.those("receipt_taken", centre=carrier)) >= submits)
    assert {fact["receipt_taken"] for fact in facts.those("receipt_taken", centre=carrier)} == {0}


@PLAIN_AND_TLS
@pytest.mark.parametrize("name", ["plain", "sar", "latin-1", "ascii"])
async def test_a_short_text_in_the_default_alphabet_is_read_as_it_was_sent(name, tls, world):
    site, facts = world
    number = numbers_of(carrier_of(name, tls))[0]
    text = "Pump 7 stopped" if name == "ascii" else "Pumpe 7 läuft für 5 £"
    before = len(facts.all)
    job = await site.send(text, to=(f"+{number}",))
    await site.until(lambda: site.state(job) == {number: "delivered"})
    await facts.until(lambda: bool(submitted_since(before, facts)))
    assert [fact["submitted"] for fact in submitted_since(before, facts)] == [text]


@PLAIN_AND_TLS
async def test_a_long_inbound_sms_is_kept_before_it_is_acknowledged(tls, world):
    site, facts = world
    carrier = carrier_of("plain", tls)
    texts = ["Grüße ✓ aus ", "der Werkhalle \U0001f6e0"]
    await facts.tell(deliver=carrier, source="447700900777", destination="12345", texts=texts)
    await facts.until(lambda: len(facts.those("inbound_taken", centre=carrier)) == 2)
    assert [fact["inbound_taken"] for fact in facts.those("inbound_taken", centre=carrier)] == [0, 0]
    await site.until(lambda: site.inbound_texts(carrier) == [(carrier, "+447700900777", "12345", "".join(texts))])
    (joined,) = site.inbound_sms(carrier=carrier)
    assert (joined.reference, joined.total, joined.missing) == (77, 2, "")


async def test_tls_is_what_was_spoken_where_it_was_asked_for(world):
    _, facts = world
    spoken = {fact["centre"]: fact["protocol"] for fact in facts.those("bound")}
    assert spoken == {carrier: "TLSv1.3" if tls else None for carrier, (_, tls) in CARRIERS.items()}
