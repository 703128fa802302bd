"""The values of LDAP controls, compared with octets written by hand and by servers."""

import uuid
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirsync.ber import NotBer
from dirsync.controls import (
    SyncInfo,
    SyncState,
    dirsync_request,
    dirsync_response,
    paged_cookie,
    paged_request,
    sync_done,
    sync_info,
    sync_request,
    sync_state,
)

ONE = uuid.UUID("f1f8e67b-6aaf-5d01-baa0-65009f3093a7")
TWO = uuid.UUID("63fe5888-235b-5a47-9442-ace5008942e9")


def octets(content: bytes) -> bytes:
    """Return an OCTET STRING of less than 128 octets."""
    return bytes((4, len(content))) + content


def test_a_request_for_content_synchronisation_asks_once_and_names_the_cookie():
    assert sync_request(b"") == bytes.fromhex("3003 0a0101")
    assert sync_request(b"rid=000") == bytes.fromhex("300c 0a0101 0407") + b"rid=000"


def test_an_integer_is_written_in_the_fewest_octets_that_keep_its_sign():
    for number, octets_of_it in [(1, "020101"), (127, "02017f"), (128, "02020080"), (1 << 20, "0203100000")]:
        assert dirsync_request(number, 0, b"").hex() == f"30{len(octets_of_it) // 2 + 5:02x}{octets_of_it}0201000400"


def test_a_length_over_127_octets_has_octets_of_its_own():
    for size, head in [(127, "047f"), (128, "048180"), (300, "0482012c"), (70_000, "0483011170")]:
        cookie = b"c" * size
        assert dirsync_request(1, 0, cookie).endswith(bytes.fromhex(head) + cookie)
        assert dirsync_response(dirsync_request(1, 0, cookie)) == (True, cookie)


def test_the_state_of_an_entry_is_read_with_its_uuid():
    value = bytes.fromhex("3015 0a0103 0410") + ONE.bytes
    assert sync_state(value) == (SyncState.DELETE, str(ONE))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        bytes.fromhex("30030a0103"),
        bytes.fromhex("30150a01090410") + ONE.bytes,
        bytes.fromhex("30050a01030400"),
        b"\x04\x00",
    ],
)
def test_the_state_of_an_entry_without_state_or_uuid_is_no_state(value):
    with pytest.raises(NotBer):
        sync_state(value)


def test_the_end_of_a_synchronisation_says_whether_what_is_gone_was_named():
    assert sync_done(bytes.fromhex("3000")) == (b"", False)
    assert sync_done(bytes.fromhex("30030101ff")) == (b"", True)
    assert sync_done(bytes.fromhex("3003010100")) == (b"", False)
    assert sync_done(bytes.fromhex("3008") + octets(b"abc") + bytes.fromhex("0101ff")) == (b"abc", True)


def test_a_set_of_uuids_names_what_is_gone_or_what_is_still_there():
    ids = bytes.fromhex("3124") + octets(ONE.bytes) + octets(TWO.bytes)
    both = frozenset((str(ONE), str(TWO)))
    assert sync_info(bytes.fromhex("a329 0101ff") + ids) == SyncInfo(deletes=True, anchors=both)
    assert sync_info(bytes.fromhex("a326") + ids) == SyncInfo(deletes=False, anchors=both)


@pytest.mark.parametrize("value", ["8003616263", "a100", "a2050403616263"])
def test_a_message_about_the_cookie_alone_names_no_entry(value):
    assert sync_info(bytes.fromhex(value)) == SyncInfo()


@pytest.mark.parametrize("value", ["", "3000", "a300", "a3043102" + "0400", "a30531030403aa"])
def test_a_message_that_is_not_one_is_told(value):
    with pytest.raises(NotBer):
        sync_info(bytes.fromhex(value))


@pytest.mark.parametrize(("more", "is_more"), [("020100", False), ("020101", True), ("0204ffffffff", True)])
def test_an_answer_of_dirsync_says_whether_more_is_to_come(more, is_more):
    content = bytes.fromhex(more + "020100") + octets(b"MSDS")
    assert dirsync_response(bytes((0x30, len(content))) + content) == (is_more, b"MSDS")


@given(size=st.integers(0, 2**31 - 1), cookie=st.binary(max_size=400))
def test_a_page_is_asked_for_with_the_cookie_of_the_one_before(size, cookie):
    assert paged_cookie(paged_request(size, cookie)) == cookie


@given(value=st.binary(max_size=60))
def test_any_octets_are_a_value_or_told_to_be_none(value):
    for reader in (paged_cookie, sync_state, sync_done, sync_info, dirsync_response):
        with suppress(NotBer):
            reader(value)


@given(cookie=st.binary(min_size=1, max_size=300), cut=st.integers(1, 400))
def test_a_value_that_is_cut_is_told(cookie, cut):
    value = paged_request(500, cookie)
    with pytest.raises(NotBer):
        paged_cookie(value[: max(0, len(value) - cut)])
