"""What the operator's file can say of a carrier's dialect that cannot be meant: each with what to write instead."""

import tomllib

import pytest

from config.carriers import CarrierOptions
from config.lines import locate
from config.reader import Reader

CARRIER = """\
name = "alpha"
kind = "smpp"
host = "smsc.example.net"
system_id = "acme"
password_file = "secret"
"""


def complaints(folder, text):
    """Return what is said of a carrier with these lines beside those that it needs, without file and line."""
    (folder / "secret").write_text("secret\n")
    (folder / "secret").chmod(0o600)
    file = folder / "mail2sms.toml"
    reader = Reader(file, locate(CARRIER + text))
    reader.read(CarrierOptions, tomllib.loads(CARRIER + text))
    return [str(problem).partition(": ")[2] for problem in reader.problems]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('dialect.interface_version = "3.3"', ['warning: bind: SMPP 3.3 has no transceiver: expected "pair"']),
        (
            'bind = "pair"\n[dialect]\ninterface_version = "3.3"\nlong_messages = "whole"\nsubmit_with = "data-sm"',
            [
                'warning: dialect.submit_with: SMPP 3.3 has no data_sm: expected "submit-sm"',
                'warning: dialect.long_messages: SMPP 3.3 has no optional parameters: expected "udh"',
            ],
        ),
        ('dialect.interface_version = "4.0"', ['dialect.interface_version: expected 3.3, 3.4 or 5.0, got "4.0"']),
        (
            'dialect.destination_form = "national"',
            ['dialect.country_code: expected the digits of a country code such as "44", got ""'],
        ),
        (
            'dialect.country_code = "44"',
            ['warning: dialect.country_code: it counts only where destination_form or numeric_form is "national"'],
        ),
        (
            '[dialect]\nnumeric_form = "national"\ncountry_code = "44"\ntrunk_prefix = "+0"',
            ['dialect.trunk_prefix: expected at most three digits, got "+0"'],
        ),
        (
            'dialect.default_alphabet = "ucs2"',
            [
                'dialect.default_alphabet: expected one of gsm7, gsm7-packed, latin-1, windows-1252, ascii, utf-8, got "ucs2"'
            ],
        ),
        ('dialect.ucs2_alphabet = "gsm7"', ["dialect.ucs2_alphabet: expected one of utf-8, ucs2, ucs2-le, got"]),
        ("dialect.inbound_alphabets.300 = 'gsm7'", ["dialect.inbound_alphabets: expected values of data_coding, 0 to"]),
        (
            '[dialect]\nnational_shift = true\nlong_messages = "whole"\ndefault_alphabet = "utf-8"',
            [
                'dialect.national_shift: it needs default_alphabet = "gsm7" or "gsm7-packed"',
                'dialect.national_shift: it needs long_messages = "udh" or "message-payload"',
            ],
        ),
        ("[dialect.parameters.pe_id]\ntag = 0x1400", []),
        (
            "[dialect.parameters.pe_id]\nvalue = '1'",
            ['dialect.parameters.pe_id: "tag" is missing: expected a whole number'],
        ),
        (
            "[dialect.parameters.text]\ntag = 0x0424",
            ["dialect.parameters.text: the tag is that of message_payload, which the gateway writes itself"],
        ),
        (
            "[dialect.parameters.port]\ntag = 0x020B",
            ['dialect.parameters.port: the tag is that of destination_port: expected form = "integer-2"'],
        ),
        (
            "[dialect.parameters]\npe_id = { tag = 0x1400 }\nentity = { tag = 0x1400 }",
            ['dialect.parameters.entity: the tag is that of "pe_id" too'],
        ),
        (
            "[dialect.parameters.kind]\ntag = 0x1402\nform = 'integer-1'\nvalue = '256'",
            ["dialect.parameters.kind: value: expected a whole number from 0 to 255"],
        ),
        (
            "[dialect.parameters.'PE ID']\ntag = 0x1400",
            ["dialect.parameters.PE ID: expected a name of small letters, digits, - and _, such as template_id"],
        ),
        (
            'dialect.receipt_request = "last-part"',
            ['dialect.receipt_request: "last-part" needs receipt_for = "message": no receipt would come'],
        ),
        ("dialect.price_tags = [0, 1, 2]", ["dialect.price_tags: expected one or two tags, such as [0x1403]"]),
        (
            "dialect.receipt_pattern = '(?P<id>.*) (?P<stat>.*) (?P<err>.*)'",
            ["dialect.receipt_pattern: A regular expression has too many * and + here that can end in many places"],
        ),
        (
            "dialect.receipt_pattern = '(?P<number>[0-9]+)'",
            ["dialect.receipt_pattern: A group is called number: expected id, stat, err, done, sub"],
        ),
        (
            "dialect.receipt_pattern = '(?P<id>[0-9]+)'",
            ["warning: dialect.receipt_pattern: it has no group (?P<stat>…): a receipt needs the parameter"],
        ),
    ],
)
def test_what_a_carrier_cannot_mean_is_said(text, said, tmp_path):
    found = complaints(tmp_path, text)
    assert [found[: len(words)] for found, words in zip(found, said, strict=True)] == said
