"""DKIM signatures, checked by dkimpy over any message that can leave us."""

from base64 import b64decode
from datetime import UTC, datetime

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from mta.sending.fields import with_crlf
from mta.sending.sign import KeyKind, NewKey, Signer, canonical_body, new_key

DOMAIN = "sms.example.net"


@pytest.fixture(scope="session")
def keys() -> dict[KeyKind, NewKey]:
    return {kind: new_key(DOMAIN, f"{kind}-2026", kind) for kind in KeyKind}


def verified(message: bytes, key: NewKey) -> bool:
    def record(name: bytes, timeout: int = 5) -> bytes:
        assert name.rstrip(b".").decode() == key.record_name
        return key.record_text.encode()

    return bool(dkim.verify(message, dnsfunc=record))


def signer_of(key: NewKey) -> Signer:
    return Signer(DOMAIN, key.record_name.split(".", 1)[0], key.private_pem)


PLAIN = (
    b"From: SMS Gateway <status@sms.example.net>\r\nTo: anna@example.com\r\nSubject: Re: Lunch\r\n"
    b"Date: Mon, 23 Nov 2026 07:15:21 +0000\r\nMessage-ID: <st.1@sms.example.net>\r\n\r\nDelivered.\r\n"
)

_line = st.text(
    st.characters(codec="ascii", min_codepoint=9, exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x1f"), max_size=300
)
_body = st.lists(_line, max_size=12).map("\r\n".join)
_word = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
_fold = st.sampled_from([" ", "  ", "\t", "\r\n ", "\r\n\t", " \r\n  "])
_value = st.lists(st.tuples(_fold, _word), min_size=1, max_size=6).map(lambda words: "".join(map("".join, words)))
_name = st.sampled_from(
    ["To", "Subject", "SUBJECT", "Date", "Message-ID", "References", "X-Other", "Content-Type", "Auto-Submitted"]
)
_headers = st.lists(st.tuples(_name, _value), max_size=8)


@pytest.mark.slow
@settings(max_examples=2 * settings().max_examples)
@given(headers=_headers, body=_body, blank_lines=st.integers(0, 3), kind=st.sampled_from(KeyKind))
def test_dkimpy_verifies_the_signature_over_any_message(keys, headers, body, blank_lines, kind):
    text = "".join(f"{name}:{value}\r\n" for name, value in [("From", " a@sms.example.net"), *headers])
    message = (text + "\r\n" + body + "\r\n" * blank_lines).encode()
    assert verified(signer_of(keys[kind]).sign(message), keys[kind])


@given(body=_body, blank_lines=st.integers(0, 3))
def test_the_relaxed_body_is_the_one_that_dkimpy_computes(body, blank_lines):
    data = (body + "\r\n" * blank_lines).encode()
    assert canonical_body(data) == dkim.canonicalization.Relaxed.canonicalize_body(data)


@pytest.mark.parametrize("kind", KeyKind)
@pytest.mark.parametrize(
    "message",
    [
        pytest.param(PLAIN, id="plain"),
        pytest.param(PLAIN.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", id="no body"),
        pytest.param(PLAIN + b"\r\n\r\n\r\n", id="trailing blank lines"),
        pytest.param(PLAIN + b" \t \r\n\t\r\n", id="trailing lines of blanks"),
        pytest.param(PLAIN + b"x" * 3000, id="long last line without an end"),
        pytest.param(PLAIN + b"two  blanks\tand a tab \t \r\nend", id="runs of blanks"),
        pytest.param(PLAIN.replace(b"Lunch", b"Lunch\r\n\t  with\r\n Anna  "), id="odd folds"),
        pytest.param(PLAIN.replace(b"To: ", b"To:\r\n "), id="value begins with a fold"),
        pytest.param(b"Subject: second\r\n" + PLAIN, id="a header twice"),
    ],
)
def test_shapes_that_break_signatures_elsewhere_verify(keys, message, kind):
    assert verified(signer_of(keys[kind]).sign(message), keys[kind])


def test_both_kinds_of_key_may_sign_one_mail(keys):
    once = signer_of(keys[KeyKind.RSA]).sign(PLAIN)
    twice = signer_of(keys[KeyKind.ED25519]).sign(once)
    verifier = dkim.DKIM(twice)
    texts = {key.record_name.encode() + b".": key.record_text.encode() for key in keys.values()}
    assert [verifier.verify(idx=index, dnsfunc=lambda name, timeout=5: texts[name]) for index in (0, 1)] == [True, True]


@pytest.mark.parametrize("name", ["From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "Content-Type"])
def test_a_header_added_later_breaks_the_signature(keys, name):
    signed = signer_of(keys[KeyKind.RSA]).sign(PLAIN)
    assert verified(b"X-Other: added\r\n" + signed, keys[KeyKind.RSA])
    assert not verified(f"{name}: added@example.org\r\n".encode() + signed, keys[KeyKind.RSA])


def test_text_added_to_the_end_breaks_the_signature(keys):
    signed = signer_of(keys[KeyKind.RSA]).sign(PLAIN)
    assert not verified(signed + b"More.\r\n", keys[KeyKind.RSA])
    assert b"l=" not in signed.partition(b"bh=")[0].partition(b"DKIM-Signature")[2].replace(b"rel", b"")


def test_a_mail_with_lone_line_ends_verifies_once_they_are_crlf(keys):
    signed = signer_of(keys[KeyKind.RSA]).sign(with_crlf(PLAIN.replace(b"\r\n", b"\n") + b"old Mac\rline\n"))
    assert signed.count(b"\n") == signed.count(b"\r\n") == signed.count(b"\r")
    assert verified(signed, keys[KeyKind.RSA])


def test_the_moment_of_signing_is_named_when_it_is_given(keys):
    signed = signer_of(keys[KeyKind.RSA]).sign(PLAIN, signed_at=datetime(2026, 11, 23, 7, 15, 21, tzinfo=UTC))
    assert b" t=1795418121;" in signed
    assert verified(signed, keys[KeyKind.RSA])


def test_no_line_of_the_signature_is_longer_than_78_octets(keys):
    signed = signer_of(keys[KeyKind.RSA]).sign(PLAIN)
    field = signed[: signed.index(b"\r\nFrom:")]
    assert max(map(len, field.split(b"\r\n"))) <= 78


def test_a_new_key_comes_with_the_record_that_fits_it():
    rsa, ed25519 = (new_key("example.com", "s1", kind) for kind in KeyKind)
    assert rsa.record_name == "s1._domainkey.example.com"
    assert rsa.record_text.startswith("v=DKIM1; k=rsa; p=")
    assert len(b64decode(ed25519.record_text.removeprefix("v=DKIM1; k=ed25519; p="))) == 32
    assert Signer("example.com", "s1", rsa.private_pem).record_text == rsa.record_text


def test_the_zone_line_has_no_string_longer_than_255_octets(keys):
    line = keys[KeyKind.RSA].zone_line
    strings = line.split('"')[1::2]
    assert max(map(len, strings)) <= 255
    assert "".join(strings) == keys[KeyKind.RSA].record_text


@pytest.mark.parametrize("name", ["", "exa mple.com", "a\r\nb", "-", "a..b", "x" * 254])
def test_names_that_dns_cannot_hold_are_refused(name):
    with pytest.raises(ValueError, match="DNS"):
        new_key(name, "s1", KeyKind.ED25519)


def _pem(key: object) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (b"", "PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "PEM"),
        (_pem(ec.generate_private_key(ec.SECP256R1())), "neither RSA nor Ed25519"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_with_a_sentence(pem, words):
    with pytest.raises(ValueError, match=words):
        Signer(DOMAIN, "s1", pem)


def test_a_key_of_4096_bits_signs_too():
    pem = _pem(generate_private_key(public_exponent=65537, key_size=4096))
    signer = Signer(DOMAIN, "big", pem)
    assert dkim.verify(signer.sign(PLAIN), dnsfunc=lambda name, timeout=5: signer.record_text.encode())
