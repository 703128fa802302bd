"""Text of winmail.dat and of opaque signatures, against streams made here and, where installed, independent readers."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.reading.cms import signed_content
from mta.reading.rtf import decompress_rtf, rtf_text
from mta.reading.texts import TextSection
from mta.reading.tnef import read_tnef

RTF = rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\*\generator x;}\uc1 T\'fcr \u8364?5\line a\{b\}\par\tab c\~d \u-10179?\u-8704?}"


def stream(*attributes, level=1):
    octets = struct.pack("<IH", 0x223E9F78, 1)
    for identifier, data in attributes:
        octets += struct.pack("<BII", level, identifier, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)
    return octets


def properties(*values):
    octets = struct.pack("<I", len(values))
    for kind, identifier, data in values:
        octets += struct.pack("<HH", kind, identifier)
        octets += data if kind == 3 else struct.pack("<II", 1, len(data)) + data + bytes(-len(data) % 4)
    return octets


def compressed(rtf, *, kind=b"LZFu"):
    """Return RTF as literals only, which every reader must understand."""
    body = b"".join(b"\x00" + rtf[index : index + 8] for index in range(0, len(rtf), 8)) if kind == b"LZFu" else rtf
    return struct.pack("<II", len(body) + 12, len(rtf)) + kind + bytes(4) + body


@pytest.mark.parametrize(
    ("octets", "section"),
    [
        (stream((0x0002800C, b"plain\0")), TextSection(plain="plain")),
        (stream((0x00069007, struct.pack("<II", 1251, 0)), (0x0002800C, "Зима\0".encode("cp1251"))), TextSection(plain="Зима")),
        (stream((0x00069003, properties((0x102, 0x1013, b"<p>x</p>\0")))), TextSection(html="<p>x</p>")),
        (
            stream((0x00069003, properties((3, 0x3FDE, struct.pack("<I", 65001)), (0x102, 0x1013, "<p>é".encode())))),
            TextSection(html="<p>é"),
        ),
        (stream((0x00069003, properties((0x1F, 0x1000, "wide é\0".encode("utf-16-le"))))), TextSection(plain="wide é")),
        (stream((0x00069003, properties((0x102, 0x1009, compressed(RTF))))), TextSection(plain="Tür €5\na{b}\n\tc d 😀")),
        (stream((0x00069003, properties((0x102, 0x1009, compressed(RTF, kind=b"MELA"))))), TextSection(plain="Tür €5\na{b}\n\tc d 😀")),
        (stream((0x0002800C, b"of an attachment\0"), level=2), None),
        (stream(), None),
        (stream((0x0002800C, b"\r\n\0")), TextSection(plain="")),
        (stream((0x00069003, properties((0x102, 0x1009, compressed(rb"{\rtf1\par}"))))), TextSection(plain="")),
        (b"", None),
        (b"\x78\x9f\x3e\x22", None),
        (stream((0x00069003, b"\xff\xff\xff\xff\x02\x01\x13\x10\xff\xff\xff\xff")), None),
        (stream((0x0002800C, b"cut short"))[:-6], None),
    ],
)  # fmt: skip
def test_the_message_text_of_a_stream_is_found(octets, section):
    assert read_tnef(octets) == section


def test_html_inside_rtf_is_taken_as_html():
    rtf = (
        rb"{\rtf1\ansi\fromhtml1 {\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 a {\*\htmltag84 <b>}b{\*\htmltag92 </b>}"
        rb"\htmlrtf\par}\htmlrtf0{\*\mhtmltag64 <x>}{\*\htmltag72 </p>}}"
    )
    assert rtf_text(rtf) == TextSection(html="<p>a <b>b</b></p>")


def test_compression_agrees_with_an_independent_implementation():
    compressed_rtf = pytest.importorskip("compressed_rtf", reason="compressed-rtf is not installed")
    text = RTF * 20
    assert decompress_rtf(compressed_rtf.compress(text, compressed=True)) == text
    assert decompress_rtf(compressed_rtf.compress(text, compressed=False)) == text


def test_a_stream_agrees_with_an_independent_reader():
    tnefparse = pytest.importorskip("tnefparse", reason="tnefparse is not installed")
    octets = stream((0x0002800C, b"plain\0"), (0x00069003, properties((0x102, 0x1013, b"<p>x</p>\0"))))
    peer = tnefparse.TNEF(octets)
    found = read_tnef(octets)
    assert found is not None
    assert peer.htmlbody.decode().rstrip("\0") == found.html


@pytest.mark.parametrize(
    "octets", [b"", b"x" * 15, struct.pack("<IIII", 0, 2**32 - 1, 0x75465A4C, 0) + b"\xff" * 30, compressed(b"")]
)
def test_broken_compression_gives_what_was_read(octets):
    assert isinstance(decompress_rtf(octets), bytes)


@given(st.binary(max_size=300))
def test_any_octets_are_rtf_or_nothing(octets):
    rtf_text(b"{\\rtf1" + octets)
    decompress_rtf(struct.pack("<IIII", 0, 5000, 0x75465A4C, 0) + octets)


def der(tag, *contents):
    content = b"".join(contents)
    size = len(content)
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")) + content


SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
DATA = bytes.fromhex("06092a864886f70d010701")


def signed(content, *, indefinite=False):
    """Return a SignedData without signers, DER or the BER that streaming signers write."""
    if not indefinite:
        inner = der(0x30, DATA, der(0xA0, der(0x04, content)))
        return der(0x30, SIGNED_DATA, der(0xA0, der(0x30, b"\x02\x01\x01", der(0x31), inner)))
    pieces = b"".join(der(0x04, content[index : index + 5]) for index in range(0, len(content), 5))
    inner = b"\x30\x80" + DATA + b"\xa0\x80\x24\x80" + pieces + bytes(6)
    return b"\x30\x80" + SIGNED_DATA + b"\xa0\x80\x30\x80\x02\x01\x01" + der(0x31) + inner + bytes(6)


@pytest.mark.parametrize("indefinite", [False, True])
def test_the_entity_inside_an_opaque_signature_is_found(indefinite):
    entity = b"Content-Type: text/plain\r\n\r\nhello, this is signed\r\n"
    assert signed_content(signed(entity, indefinite=indefinite)) == entity


@pytest.mark.parametrize("cut", [1, 5, 20, 40])
def test_a_damaged_signature_holds_no_entity_that_was_not_there(cut):
    whole = signed(b"hello, this is signed", indefinite=True)
    assert signed_content(whole[:cut]) == b""
    assert signed_content(whole.replace(DATA, DATA[:-1] + b"\x03")) == b""


@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 255))
def test_any_octets_are_a_signature_or_nothing(octets, position, octet):
    signed_content(octets)
    whole = bytearray(signed(b"hello, this is signed", indefinite=True))
    whole[position % len(whole)] = octet
    signed_content(bytes(whole))
