"""What an LDAP server says is cut and read alike, however it arrives; what is not LDAP is told from it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.protocol.rfc4511 import SearchResultEntry
from ldap3.utils.asn1 import decoder, encode

from dirsync.ber import (
    ENUMERATED,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    NotBer,
    element,
    elements,
    integer,
    read_integer,
)
from dirsync.ldap_messages import (
    LONGEST_MESSAGE,
    LdapMessageKind,
    MessageCutter,
    read_entry,
    read_intermediate,
    read_message,
    read_reference,
    read_result,
)

values = st.lists(st.binary(max_size=300), max_size=3)
entries = st.tuples(st.text(max_size=40), st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), values))


def text(value):
    return element(OCTET_STRING, value.encode() if isinstance(value, str) else value)


def entry(dn, attributes):
    """Return an entry as a server writes it."""
    listed = (
        element(SEQUENCE, text(name), element(SET, *(text(value) for value in found)))
        for name, found in attributes.items()
    )
    return element(LdapMessageKind.ENTRY, text(dn), element(SEQUENCE, *listed))


def message(number, operation, controls=b""):
    return element(SEQUENCE, integer(number), operation, controls)


def inside(octets):
    """Return a message as the inbox gives it."""
    inbox = MessageCutter()
    inbox.add(octets)
    found = inbox.next()
    assert inbox.is_empty
    return found


@given(st.integers())
def test_an_integer_that_is_written_is_read(number):
    ((tag, start, end),) = elements(integer(number))
    assert (tag, read_integer(integer(number), start, end)) == (INTEGER, number)


@given(entries)
def test_an_entry_is_read_as_ldap3_reads_it(written):
    dn, attributes = written
    octets = entry(dn, attributes)
    theirs, rest = decoder.decode(octets, asn1Spec=SearchResultEntry())
    assert not rest
    oracle = {str(part["type"]): tuple(bytes(value) for value in part["vals"]) for part in theirs["attributes"]}
    assert (
        read_entry(inside(message(7, octets)))
        == (str(theirs["object"]), oracle)
        == (
            dn,
            {name: tuple(found) for name, found in attributes.items()},
        )
    )
    assert encode(theirs) == octets


@given(st.lists(entries, max_size=4), st.data())
def test_messages_are_the_same_in_any_chunks(written, data):
    octets = b"".join(message(number, entry(*one)) for number, one in enumerate(written))
    cuts = data.draw(st.lists(st.integers(0, len(octets)), max_size=8).map(sorted))
    inbox, came = MessageCutter(), []
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        inbox.add(octets[start:end])
        while (found := inbox.next()) is not None:
            came.append(read_entry(found))
    assert inbox.is_empty
    assert came == [(dn, {name: tuple(each) for name, each in values.items()}) for dn, values in written]


@given(st.binary(max_size=60))
def test_octets_of_chance_are_a_message_or_not_ldap(octets):
    inbox = MessageCutter()
    inbox.add(octets)
    with suppress(NotBer):
        inbox.next()


@given(entries, st.data())
def test_a_message_with_a_wrong_octet_is_read_or_refused(written, data):
    octets = bytearray(entry(*written))
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    with suppress(NotBer):
        found = read_message(integer(1) + bytes(octets))
        for read in (read_entry, read_result, read_reference, read_intermediate):
            with suppress(NotBer):
                read(found)


def test_the_names_of_attributes_are_in_lower_case_with_their_options():
    octets = message(1, entry("cn=all", {"Member;Range=0-1499": [b"cn=one"]}))
    assert read_entry(inside(octets))[1] == {"member;range=0-1499": (b"cn=one",)}


def test_a_result_has_its_words_its_referrals_and_its_controls():
    referral = element(0xA3, text("ldap://one.example.com/"), text("ldap://two.example.com/"))
    operation = element(LdapMessageKind.DONE, integer(10, ENUMERATED), text(""), text("elsewhere"), referral)
    control = element(SEQUENCE, text("1.2.3"), element(0x01, b"\xff"), text(b"value"))
    found = inside(message(3, operation, element(0xA0, control, element(SEQUENCE, text("1.2.4")))))
    result = read_result(found)
    assert found.ends_the_answer
    assert (result.code, result.said) == (10, "elsewhere")
    assert result.referrals == ("ldap://one.example.com/", "ldap://two.example.com/")
    assert result.controls == {"1.2.3": b"value", "1.2.4": b""}


def test_an_extended_result_has_a_name_and_a_value():
    operation = element(
        LdapMessageKind.EXTENDED,
        integer(0, ENUMERATED),
        text(""),
        text(""),
        element(0x8A, b"1.3.6.1.4.1.1466.20037"),
        element(0x8B, b"dn:cn=reader"),
    )
    result = read_result(inside(message(3, operation)))
    assert (result.name, result.value) == ("1.3.6.1.4.1.1466.20037", b"dn:cn=reader")


def test_an_intermediate_message_has_a_name_and_a_value_and_ends_nothing():
    found = inside(message(3, element(LdapMessageKind.INTERMEDIATE, element(0x80, b"1.2.3"), element(0x81, b"value"))))
    assert read_intermediate(found) == ("1.2.3", b"value")
    assert not found.ends_the_answer


def test_a_message_that_is_too_long_is_refused_before_it_has_come():
    inbox = MessageCutter()
    inbox.add(bytes((SEQUENCE, 0x84)) + (LONGEST_MESSAGE + 1).to_bytes(4))
    with pytest.raises(NotBer, match="octets"):
        inbox.next()
