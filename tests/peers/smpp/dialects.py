"""The dialects that message centres of others are tried in, and the table of docs/smpp-dialects.md that they come from."""

import re
import tomllib

from tests.kit.installation import ROOT

LONG = "Die Pumpe 7 steht still \U0001f6d1 und läuft nicht wieder an. " * 4
IN_UDH, WIDE, IN_SAR, IN_PAYLOAD, WHOLE = "udh", "wide", "sar", "payload", "whole"

# name: options of [carrier.dialect], options of the message centre, where a part says which it is
DIALECTS: dict[str, tuple[dict, dict, str]] = {
    "plain": ({}, {}, IN_UDH),
    "16-bit": ({"wide_reference": True}, {}, WIDE),
    "sar": ({"long_messages": "sar"}, {}, IN_SAR),
    "payload": ({"long_messages": "message-payload"}, {}, IN_PAYLOAD),
    "whole": ({"long_messages": "whole"}, {}, WHOLE),
    "hex-then-decimal": (
        {"id_in_response": "hex", "id_in_receipt": "decimal"},
        {"response": "hex", "receipt": "decimal", "form": "text"},
        IN_UDH,
    ),
    "decimal-then-hex": (
        {"id_in_response": "decimal", "id_in_receipt": "hex"},
        {"response": "decimal", "receipt": "hex", "form": "text"},
        IN_UDH,
    ),
    "any-case": (
        {"id_in_response": "text-any-case", "id_in_receipt": "text-any-case"},
        {"receipt": "capitals", "form": "text"},
        IN_UDH,
    ),
    "unmarked": ({"receipts_unmarked": True}, {"form": "unmarked"}, IN_UDH),
    "parameters": ({"id_in_response": "hex"}, {"response": "hex", "form": "tlv"}, IN_UDH),
    "latin-1": ({"default_alphabet": "latin-1", "default_data_coding": 3}, {}, IN_UDH),
    "packed": ({"default_alphabet": "gsm7-packed"}, {}, IN_UDH),
    "ascii": ({"default_alphabet": "ascii", "default_data_coding": 1}, {}, IN_UDH),
    "absolute": ({"validity_format": "absolute", "service_type": "WAP", "esm_class": 3}, {}, IN_UDH),
    "no-validity": ({"validity_format": "none", "destination_form": "plus", "destination_npi": 0}, {}, IN_UDH),
    "smpp-3.3": ({"interface_version": "3.3"}, {}, IN_UDH),
    "smpp-5.0": ({"interface_version": "5.0"}, {}, IN_UDH),
    "double-zero": ({"destination_form": "00", "destination_ton": 0}, {}, IN_UDH),
    "national": (
        {
            "destination_form": "national",
            "numeric_form": "national",
            "country_code": "44",
            "destination_ton": 2,
            "numeric_ton": 2,
        },
        {},
        IN_UDH,
    ),
    "one-receipt": ({"receipt_for": "message"}, {}, IN_UDH),
    "last-part": ({"receipt_for": "message", "receipt_request": "last-part"}, {}, IN_UDH),
    "data-sm": ({"submit_with": "data-sm"}, {}, IN_PAYLOAD),
    "own-flags": ({"normal_priority_flag": 1, "express_priority_flag": 3, "registered_delivery": 17}, {}, IN_UDH),
}


def international(address: str) -> str:
    """Return a British number as E.164 without its plus, whichever way it is written."""
    digits = address.removeprefix("+").removeprefix("00")
    return f"44{digits[1:]}" if digits.startswith("0") else digits


def documented_dialects() -> list[dict]:
    """Return the rows of «A table of dialects» as the options of [carrier.dialect] that they name."""
    text = (ROOT / "docs" / "smpp-dialects.md").read_text("utf-8")
    _, _, section = text.partition("\n## A table of dialects\n")
    cells = re.findall(r"^\| .+ \| (nothing|`.+`) \|$", section.partition("\n## ")[0], re.MULTILINE)
    return [tomllib.loads("\n".join(re.findall(r"`([a-z0-9_]+ = [^`]+)`", cell))) for cell in cells]
