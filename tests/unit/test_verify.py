"""Signatures beside other software's, hostile input, and what verifying costs."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import dkim
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import example, given
from hypothesis import strategies as st

from mta.sending.sign import KeyKind, Signer, new_key
from mta.verify.arc import read_chain
from mta.verify.keys import DomainKey, NoProof, read_key
from mta.verify.signatures import Signature, SignedMail, check_signature, read_signature, read_signed
from tests.kit.effort import spend_at_most
from tests.kit.proving_site import DOMAIN, KEY, signed, written
from tests.kit.signed_mail import dkim_signed, key_record, rsa_key


def read(raw: bytes) -> SignedMail:
    mail = read_signed(raw)
    assert isinstance(mail, SignedMail)
    return mail


def judge(raw: bytes, record: str, now: datetime | None = None) -> NoProof | None:
    mail = read(raw)
    signature = read_signature(mail, mail.named(b"dkim-signature")[0], now or datetime.now(UTC))
    if isinstance(signature, NoProof):
        return signature
    key = read_key([record])
    return key if isinstance(key, NoProof) else check_signature(mail, signature, key)


@pytest.mark.parametrize("forms", [(b"simple", b"simple"), (b"relaxed", b"relaxed"), (b"relaxed", b"simple")])
@pytest.mark.parametrize("body", ["", "\r\n\r\n", "Hello  \t\r\n world\r\n\r\n", " \t \r\n", "no end of line"])
def test_what_dkimpy_signs_holds(forms, body):
    raw = written(body.removesuffix("\r\n"), subject=" A  long\r\n\tsubject ")
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    mine = dkim.sign(raw, b"s1", DOMAIN.encode(), pem, canonicalize=forms) + raw
    assert judge(mine, key_record(KEY)) is None
    assert judge(mine + b"x\r\n", key_record(KEY)) == NoProof(why="the body was changed")


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_what_we_sign_ourselves_holds_also_where_a_field_ends_in_a_form_feed(kind):
    made = new_key(DOMAIN, "s1", KeyKind(kind))
    raw = Signer(DOMAIN, "s1", made.private_pem).sign(written(subject="Status \x0c"), signed_at=datetime.now(UTC))
    assert judge(raw, made.record_text) is None


AS_OTHERS_WRITE = {
    "From folded at once": (written(author="\r\n\t=?utf-8?q?Anna?=\r\n\t<anna@acme.example.com>"), {}),
    "a form feed and blanks in the body": (written("page \x0c \r\n \t\r\nend "), {}),
    "raw umlauts": (written(author='"M\xfcller" <anna@acme.example.com>'), {}),
    "no body and no empty line": (written("").partition(b"\r\n\r\n")[0] + b"\r\n", {}),
    "h= with blanks, twice and in other case": (
        written(),
        {"h": "From \r\n\t: to:Subject : SUBJECT: date:FROM", "covered": ("from", "to", "subject", "date")},
    ),
    "fields that are not there": (written(), {"covered": ("from", "to", "subject", "x-none", "date", "x-none")}),
    "c= of the header alone": (written("a  b"), {"forms": "relaxed/simple", "c": "relaxed"}),
    "no c=": (written("a  b"), {"forms": "simple/simple", "c": ""}),
    "a selector and domain in capitals": (written(), {"s": "S1", "d": DOMAIN.upper()}),
    "tags that nobody knows": (written(), {"z": "From:x|To:y", "q": "dns/txt"}),
}


@pytest.mark.parametrize(("raw", "changes"), AS_OTHERS_WRITE.values(), ids=AS_OTHERS_WRITE)
def test_what_other_software_writes_holds(raw, changes):
    assert judge(signed(raw, **changes), key_record(KEY)) is None


@pytest.mark.parametrize(
    "record",
    [
        key_record(KEY).replace("v=DKIM1; ", ""),
        key_record(KEY).replace("k=rsa; ", "") + "; ",
        key_record(KEY).replace("p=", "n=a note; p = ") + " ",
        key_record(KEY)[:100] + " \t" + key_record(KEY)[100:],
        key_record(KEY, "t=s; s=email:other; h=sha1:sha256; "),
    ],
)
def test_a_key_record_may_be_written_in_many_ways(record):
    assert judge(signed(), record) is None


def test_a_record_with_two_values_of_a_tag_is_none():
    assert judge(signed(), key_record(KEY) + "; p=AAAA") == NoProof(why="there is no key record")


def test_times_are_kept_to_the_second():
    now = datetime.now(UTC).replace(microsecond=0)
    at = {name: str(int((now + timedelta(seconds=after)).timestamp())) for name, after in (("t", -60), ("x", 60))}
    raw = signed(written(), **at)
    assert judge(raw, key_record(KEY), now + timedelta(seconds=59)) is None
    assert judge(raw, key_record(KEY), now + timedelta(seconds=60)) == NoProof(why="it has expired (x=)")


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"From", b"DKIM-Signature", b"ARC-Seal", b"ARC-Message-Signature", b"Date", b"Subject"]),
            st.lists(
                st.sampled_from(
                    [b"v=1", b"a=rsa-sha256", b"d=a.example", b"s=s", b"h=from:subject", b"b=AAAA", b"bh=AAAA", b"i=1"]
                    + [b"t=1", b"x=99999999999999999999", b"cv=none", b"c=relaxed", b"l=0", b"i=@", b"i=a", b"=", b""]
                    + [b"d=\xff", b"s=", b"t=" + b"9" * 5000, b"i=99999", b"h=:", b"b=A", b"\r\n b=AAAA"]
                ),
                max_size=9,
            ).map(b"; ".join),
        ),
        max_size=8,
    ),
    st.binary(max_size=40),
)
@example([(b"DKIM-Signature", b"v=1; a=rsa-sha256; b=AAAA; bh=AAAA; d=a.example; h=from; s=s; i=a.example")], b"")
def test_hostile_input_is_judged_and_never_raises(fields, body):
    raw = b"".join(name + b": " + value + b"\r\n" for name, value in fields) + b"\r\n" + body
    mail = read_signed(raw)
    if isinstance(mail, NoProof):
        return
    now = datetime.now(UTC)
    key = DomainKey(public=KEY.public_key())
    for field in mail.named(b"dkim-signature"):
        signature = read_signature(mail, field, now)
        if isinstance(signature, Signature):
            assert check_signature(mail, signature, key) is not None
    chain = read_chain(mail, now)
    if not isinstance(chain, NoProof):
        keys = dict.fromkeys(chain.first_keys | chain.other_keys, key)
        assert chain.check_newest(keys) is not None
        assert chain.check(keys) is not None


@given(st.lists(st.text(max_size=60), max_size=3))
def test_any_record_is_a_key_or_none(records):
    read_key(records)


@pytest.mark.parametrize(
    "raw",
    [
        signed(written(more="X: " + "\r\n \t" * 20_000 + "x\r\n")),
        signed(written(" " * 200_000)),
        signed(written(" \r\n" * 60_000)),
        b"DKIM-Signature: v=1; b=" + b"\r\n " * 2_700 + b"!; d=a\r\n" + signed(),
        b"DKIM-Signature: v=1; h=" + b"a:" * 4_000 + b"a; d=a\r\n" + signed(),
    ],
    ids=["blank lines in a header", "blanks in a body", "blank lines in a body", "blanks in b=", "a long h="],
)
def test_no_input_takes_long(raw):
    def work():
        mail = read(raw)
        for field in mail.named(b"dkim-signature"):
            found = read_signature(mail, field, datetime.now(UTC))
            if isinstance(found, Signature):
                check_signature(mail, found, DomainKey(public=KEY.public_key()))

    spend_at_most(20, work)


def test_a_body_is_hashed_once_for_each_form():
    raw = written("Hello")
    for number in range(5):
        raw = dkim_signed(raw, KEY, domain=DOMAIN, selector=f"s{number}", covered=("from", "subject", "to"))
    mail = read(raw)
    first = mail.body_hash(b"relaxed")
    assert mail.body_hash(b"relaxed") is first
    assert b64encode(first) in raw
    assert key_record(rsa_key("other")) != key_record(KEY)
