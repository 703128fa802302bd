"""A message moves only along the table, ends once, and is corrected only by the named exceptions."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.lifecycle import (
    FAULTS,
    OPEN,
    REPORT_OF,
    SUCCESS,
    THROTTLES,
    TRANSITIONS,
    Event,
    MessageState,
    advance,
    fold_parts,
    is_final,
    summarise,
)
from sms.message import ReceiptState
from sms.retry import chance_of

STATES = st.sampled_from(list(MessageState))
EVENTS = st.sampled_from(list(Event))

# What a message may still become after it ended: the network corrects itself, or at last says what was not known.
CORRECTIONS = {
    (MessageState.EXPIRED, Event.REPORT_DELIVERED): MessageState.DELIVERED,
    (MessageState.UNDELIVERED, Event.REPORT_DELIVERED): MessageState.DELIVERED,
    (MessageState.UNKNOWN, Event.REPORT_DELIVERED): MessageState.DELIVERED,
    (MessageState.UNKNOWN, Event.REPORT_UNDELIVERED): MessageState.UNDELIVERED,
    (MessageState.UNKNOWN, Event.REPORT_EXPIRED): MessageState.EXPIRED,
    (MessageState.UNKNOWN, Event.REPORT_REJECTED): MessageState.REJECTED,
    # The answer came late.
    (MessageState.UNKNOWN, Event.ACCEPT): MessageState.SUBMITTED,
    (MessageState.UNKNOWN, Event.FAIL): MessageState.FAILED,
}


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], MessageState.QUEUED),
        ([Event.SUBMIT], MessageState.SUBMITTING),
        ([Event.SUBMIT, Event.ACCEPT], MessageState.SUBMITTED),
        ([Event.SUBMIT, Event.ACCEPT, Event.REPORT_DELIVERED], MessageState.DELIVERED),
        ([Event.SUBMIT, Event.ACCEPT, Event.REPORT_UNDELIVERED], MessageState.UNDELIVERED),
        ([Event.SUBMIT, Event.ACCEPT, Event.REPORT_EXPIRED], MessageState.EXPIRED),
        ([Event.SUBMIT, Event.ACCEPT, Event.REPORT_REJECTED], MessageState.REJECTED),
        ([Event.SUBMIT, Event.ACCEPT, Event.GIVE_UP_ON_RECEIPT], MessageState.UNKNOWN),
        ([Event.SUBMIT, Event.DEFER], MessageState.QUEUED),
        ([Event.SUBMIT, Event.DEFER, Event.SUBMIT, Event.ACCEPT], MessageState.SUBMITTED),
        ([Event.SUBMIT, Event.FAIL], MessageState.FAILED),
        ([Event.SUBMIT, Event.LOSE], MessageState.UNKNOWN),
        ([Event.SUBMIT, Event.LOSE, Event.REPORT_DELIVERED], MessageState.DELIVERED),
        ([Event.SUBMIT, Event.RESEND], MessageState.QUEUED),
        ([Event.EXPIRE], MessageState.EXPIRED),
        ([Event.CANCEL], MessageState.CANCELLED),
        ([Event.STOP], MessageState.REJECTED),
        ([Event.FAIL], MessageState.FAILED),
        ([Event.SUBMIT, Event.CANCEL], MessageState.SUBMITTING),
        ([Event.SUBMIT, Event.ACCEPT, Event.CANCEL], MessageState.SUBMITTED),
        ([Event.CANCEL, Event.SUBMIT], MessageState.CANCELLED),
        ([Event.SUBMIT, Event.LOSE, Event.RESEND], MessageState.UNKNOWN),
        ([Event.SUBMIT, Event.ACCEPT, Event.REPORT_DELIVERED, Event.REPORT_UNDELIVERED], MessageState.DELIVERED),
        ([Event.SUBMIT, Event.ACCEPT, Event.REPORT_EXPIRED, Event.REPORT_DELIVERED], MessageState.DELIVERED),
        ([Event.SUBMIT, Event.ACCEPT, Event.REPORT_REJECTED, Event.REPORT_DELIVERED], MessageState.REJECTED),
    ],
)
def test_a_message_lives_as_the_design_says(events, state):
    now = MessageState.QUEUED
    for event in events:
        now = advance(now, event)
    assert now is state


@pytest.mark.parametrize("state", [state for state in MessageState if is_final(state, receipt_expected=True)])
@pytest.mark.parametrize("event", list(Event))
def test_no_event_leaves_a_final_state_but_the_named_corrections(state, event):
    assert advance(state, event) is CORRECTIONS.get((state, event), state)


@given(st.lists(EVENTS, max_size=30))
def test_a_message_that_ended_never_goes_out_again(events):
    state, ended = MessageState.QUEUED, False
    for event in events:
        state = advance(state, event)
        ended = ended or is_final(state, receipt_expected=True)
        assert not (ended and state in OPEN)


@given(STATES, EVENTS)
def test_the_same_news_twice_changes_nothing_more(state, event):
    once = advance(state, event)
    assert advance(once, event) is once


def test_every_state_has_a_row_and_can_be_reached():
    assert set(TRANSITIONS) == set(MessageState)
    assert {after for row in TRANSITIONS.values() for after in row.values()} == set(MessageState)


def test_every_event_leads_somewhere():
    assert {event for row in TRANSITIONS.values() for event in row} == set(Event)


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        TRANSITIONS[MessageState.DELIVERED][Event.CANCEL] = MessageState.CANCELLED  # type: ignore[index]


@pytest.mark.parametrize("state", list(ReceiptState))
def test_every_receipt_means_an_event_or_nothing_yet(state):
    event = REPORT_OF[state]
    if event is None:
        assert state in {ReceiptState.ENROUTE, ReceiptState.ACCEPTED, ReceiptState.OTHER}
    else:
        assert advance(MessageState.SUBMITTED, event) not in OPEN | {MessageState.SUBMITTED}


@pytest.mark.parametrize("state", list(MessageState))
def test_submitted_is_final_only_where_no_receipt_will_come(state):
    assert is_final(state, receipt_expected=False) is (state not in OPEN)
    assert is_final(state, receipt_expected=True) is (state not in OPEN | {MessageState.SUBMITTED})


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([MessageState.DELIVERED], MessageState.DELIVERED),
        ([MessageState.DELIVERED, MessageState.DELIVERED], MessageState.DELIVERED),
        ([MessageState.DELIVERED, MessageState.SUBMITTED], MessageState.SUBMITTED),
        ([MessageState.SUBMITTED, MessageState.QUEUED], MessageState.QUEUED),
        ([MessageState.SUBMITTED, MessageState.SUBMITTING, MessageState.QUEUED], MessageState.SUBMITTING),
        ([MessageState.FAILED, MessageState.QUEUED], MessageState.QUEUED),
        ([MessageState.DELIVERED, MessageState.FAILED], MessageState.FAILED),
        ([MessageState.SUBMITTED, MessageState.FAILED], MessageState.FAILED),
        ([MessageState.DELIVERED, MessageState.UNDELIVERED], MessageState.UNDELIVERED),
        ([MessageState.DELIVERED, MessageState.UNKNOWN], MessageState.UNKNOWN),
        ([MessageState.DELIVERED, MessageState.EXPIRED], MessageState.EXPIRED),
        ([MessageState.UNKNOWN, MessageState.REJECTED], MessageState.REJECTED),
    ],
)
def test_a_message_is_where_its_worst_part_is(parts, message):
    assert fold_parts(parts) is message
    assert fold_parts(reversed(parts)) is message


@given(st.lists(STATES, min_size=1, max_size=20))
def test_a_message_is_where_one_of_its_parts_is_and_done_only_when_all_are(parts):
    message = fold_parts(parts)
    assert message in parts
    assert (message in OPEN) is any(part in OPEN for part in parts)
    assert (message in SUCCESS) is all(part in SUCCESS for part in parts)
    assert (message is MessageState.DELIVERED) is all(part is MessageState.DELIVERED for part in parts)


@given(st.lists(STATES, max_size=50))
def test_a_summary_counts_every_message_once(states):
    summary = summarise(iter(states))
    assert summary.total == len(states)
    assert summary.total == summary.delivered + summary.submitted + summary.failed + summary.unknown + summary.open
    assert summary.open == sum(state in OPEN for state in states)
    assert summary.failed == sum(
        state
        in {
            MessageState.UNDELIVERED,
            MessageState.EXPIRED,
            MessageState.REJECTED,
            MessageState.FAILED,
            MessageState.CANCELLED,
        }
        for state in states
    )


@given(st.integers(1, 50), st.integers(0, 10**12), st.one_of(st.none(), st.integers(0, 7200)))
def test_a_refused_part_waits_longer_each_time_but_never_less_than_asked(attempts, spread, seconds):
    pause = None if seconds is None else timedelta(seconds=seconds)
    delay = FAULTS.wait(attempts, chance_of(spread), at_least=pause)
    assert delay >= max(timedelta(seconds=5), pause or timedelta(0))
    assert delay <= max(timedelta(minutes=30), pause or timedelta(0)) * 1.25
    assert delay <= FAULTS.wait(attempts + 1, chance_of(spread), at_least=pause)


def test_a_throttled_part_waits_seconds_where_a_fault_would_cost_it_minutes():
    waits = [THROTTLES.wait(times, at_least=timedelta(seconds=1)) for times in range(1, 20)]
    assert waits == sorted(waits)
    assert waits[2] < timedelta(seconds=5)
    assert waits[-1] == timedelta(minutes=1)


def test_messages_refused_together_do_not_come_back_together():
    assert len({FAULTS.wait(1, chance_of(key)) for key in range(101)}) == 101
