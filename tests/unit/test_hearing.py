"""When a client has heard a reply, and when that stays in doubt."""

import pytest

from mta.smtp.hearing import Hearing


def listening(confirmed=True):
    heard = []
    hearing = Hearing(lambda: confirmed)
    hearing.expect(lambda: heard.append(1))
    return hearing, heard


def test_who_speaks_after_a_reply_has_heard_it_once():
    hearing, heard = listening()
    hearing.told(0)
    hearing.spoke()
    hearing.spoke()
    hearing.lose()
    assert heard == [1]


def test_who_speaks_before_a_reply_was_sent_has_not_heard_it():
    hearing, heard = listening()
    hearing.spoke()
    hearing.lose()
    hearing.spoke()
    assert heard == []


@pytest.mark.parametrize(("confirmed", "counts"), [(True, 1), (False, 0)])
def test_who_ends_in_order_has_heard_what_its_system_confirmed(confirmed, counts):
    hearing, heard = listening(confirmed)
    hearing.told(0)
    hearing.ended()
    assert len(heard) == counts
    assert not hearing.open(0)


def test_who_ends_before_the_reply_has_not_heard_it():
    hearing, heard = listening()
    hearing.ended()
    hearing.told(0)
    hearing.spoke()
    assert heard == []


@pytest.mark.parametrize(
    ("confirmed", "told", "now", "there"),
    [(False, False, 999, True), (False, True, 9, True), (False, True, 11, False), (True, True, 999, True)],
)
def test_a_client_is_there_until_a_reply_stays_unconfirmed(confirmed, told, now, there):
    hearing, _ = listening(confirmed)
    if told:
        hearing.told(0)
    assert hearing.open(now) is there
