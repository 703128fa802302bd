"""When a client has heard a reply, and when that stays in doubt."""

import pytest

from mta.smtp.engine.delivered_replies import DeliveredReplies


def listening(confirmed=True):
    heard = []
    delivered_replies = DeliveredReplies(lambda: confirmed)
    delivered_replies.expect(lambda: heard.append(1))
    return delivered_replies, heard


def test_who_speaks_after_a_reply_has_heard_it_once():
    delivered_replies, heard = listening()
    delivered_replies.told(0)
    delivered_replies.spoke()
    delivered_replies.spoke()
    delivered_replies.lose()
    assert heard == [1]


def test_who_speaks_before_a_reply_was_sent_has_not_heard_it():
    delivered_replies, heard = listening()
    delivered_replies.spoke()
    delivered_replies.lose()
    delivered_replies.spoke()
    assert heard == []


@pytest.mark.parametrize(("confirmed", "counts"), [(True, 1), (False, 0)])
def test_who_ends_in_order_has_heard_what_its_system_confirmed(confirmed, counts):
    delivered_replies, heard = listening(confirmed)
    delivered_replies.told(0)
    delivered_replies.ended()
    assert len(heard) == counts
    assert not delivered_replies.open(0)


@pytest.mark.parametrize(("confirmed", "counts"), [(True, 1), (False, 0)])
def test_who_ends_before_the_reply_has_heard_it_only_once_its_system_confirms_it(confirmed, counts):
    delivered_replies, heard = listening(confirmed)
    delivered_replies.ended()
    delivered_replies.told(0)
    assert delivered_replies.in_doubt
    assert heard == []
    delivered_replies.ended()
    delivered_replies.lose()
    assert len(heard) == counts
    assert not delivered_replies.in_doubt


@pytest.mark.parametrize(
    ("confirmed", "told", "now", "there"),
    [(False, False, 999, True), (False, True, 9, True), (False, True, 11, False), (True, True, 999, True)],
)
def test_a_client_is_there_until_a_reply_stays_unconfirmed(confirmed, told, now, there):
    delivered_replies, _ = listening(confirmed)
    if told:
        delivered_replies.told(0)
    assert delivered_replies.open(now) is there
