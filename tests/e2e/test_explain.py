"""`mail2sms explain`: the ten samples of real senders, trial settings, refusals and drops, in the public shape; nothing is stored."""

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mta.__main__ import main
from mta.commands.setup import write_configuration
from sms.settings import FIELDS
from tests.e2e.site import mail

SAMPLES = Path(__file__).parent / "samples"
AT = "@sms.example.net"
# Sample, reverse-path, recipient, its number, the text of the SMS, its coding and parts under «switch».
SENT = [
    (
        "s1",
        "WF-BATCH@s4p-100.erp.example.com",
        "SMS=+447700900123",
        "+447700900123",
        "Ihre Lieferung 80012345 trifft heute zwischen 14 und 16 Uhr ein. Rückfragen: +44 20 7946 0000",
        ("gsm7", 1),
    ),
    (
        "s2",
        "anna.keller@example.com",
        "+447700900101",
        "+447700900101",
        "Der Server ist wieder online. Bitte prüfen und kurz bestätigen.\n\nDanke\nAnna",
        ("ucs2", 2),
    ),
    (
        "s3",
        "priya.shah@clinic.example.com",
        "07700900102",
        "+447700900102",
        "Your appointment is on Mon 30 Nov, 14:30 – please bring your passport.",
        ("ucs2", 1),
    ),
    ("s4", "j.berg@corp.example.com", "IMCEASMS-+2B447700900103", "+447700900103", None, None),
    (
        "s6",
        "marco@example.org",
        "447700900105",
        "+447700900105",
        "On my way 🚗 https://example.org/map?id=42",
        ("ucs2", 1),
    ),
    (
        "s7",
        "yamada@example.co.jp",
        "+447700900106",
        "+447700900106",
        "本日18時にシステム停止します。至急ご確認ください。",
        ("ucs2", 1),
    ),
    ("s8", "lager@corp.example.com", "+447700900107", "+447700900107", "Bitte Zugänge für das Lager sperren.", ("gsm7", 1)),
    ("s9", "anna.keller@example.com", "+447700900108", "+447700900108", "Ja, 16 Uhr passt.", ("gsm7", 1)),
]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """What `init` writes, with the customer demo."""
    folder = tmp_path_factory.mktemp("explain") / "house"
    write_configuration(folder, "127.0.0.1:2525")
    return folder


def run(folder: Path, *arguments: object):
    given = ["explain", "--config", str(folder / "mail2sms.toml"), *map(str, arguments)]
    return CliRunner().invoke(main, given)


def explain(folder: Path, *arguments: object) -> dict:
    result = run(folder, *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def note(tmp_path):
    """Write a plain mail with this text and return its file."""

    def write(text: str, **fields) -> Path:
        file = tmp_path / "note.eml"
        file.write_bytes(mail(text, **fields))
        return file

    return write


def decode(part: dict, coding: str) -> str:
    """Read a part's payload as a phone does, without our own code."""
    octets = bytes.fromhex(part["payload"])
    if coding == "ucs2":
        return octets.decode("utf-16-be")
    import gsm0338

    return octets.decode(gsm0338.Codec.NAME) if hasattr(gsm0338.Codec, "NAME") else gsm0338.Codec().decode(octets)[0]


@pytest.mark.parametrize(("sample", "sender", "to", "number", "text", "coded"), SENT, ids=[row[0] for row in SENT])
def test_a_sample_of_a_real_sender_becomes_its_text(sample, sender, to, number, text, coded, house):
    told = explain(
        house, "--as", "demo", "--from", sender, "--to", to + AT, "--set", "default_country=GB", "--set", "unencodable=switch",
        SAMPLES / f"{sample}.eml",
    )  # fmt: skip
    assert (told["version"], told["verdict"], told["reason"], told["options"]) == (1, "send", None, {})
    (recipient,) = told["recipients"]
    assert (recipient["given"], recipient["number"], recipient["refusal"]) == (to + AT, number, None)
    if text is not None:
        assert recipient["text"] == text
        assert (recipient["coding"], len(recipient["parts"])) == coded
    assert "".join(decode(part, recipient["coding"]) for part in recipient["parts"]) == recipient["text"]
