"""The states of a session as tables: who may request what, and the transitions (SMPP 3.4 §2.2, §2.3 table 2-1).

Not here: the session that follows them.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from smpp.wire.bodies import Command


class SessionRole(StrEnum):
    """Which end we are: the ESME opens connections and submits, the SMSC takes and delivers."""

    ESME = "esme"
    SMSC = "smsc"


class SessionState(StrEnum):
    """The state of a session (§2.2). UNBINDING: we asked and wait; UNBOUND: the other side asked, or answered."""

    OPEN = "open"
    BOUND_TX = "bound-tx"
    BOUND_RX = "bound-rx"
    BOUND_TRX = "bound-trx"
    UNBINDING = "unbinding"
    UNBOUND = "unbound"
    CLOSED = "closed"


class Happening(StrEnum):
    """What changes the state."""

    TRANSMITTER_BOUND = "transmitter-bound"
    RECEIVER_BOUND = "receiver-bound"
    TRANSCEIVER_BOUND = "transceiver-bound"
    UNBIND_SENT = "unbind-sent"
    UNBIND_HEARD = "unbind-heard"
    ENDED = "ended"


_LEAVING = MappingProxyType(
    {
        Happening.UNBIND_SENT: SessionState.UNBINDING,
        Happening.UNBIND_HEARD: SessionState.UNBOUND,
        Happening.ENDED: SessionState.CLOSED,
    }
)

TRANSITIONS: Mapping[SessionState, Mapping[Happening, SessionState]] = MappingProxyType(
    {
        SessionState.OPEN: MappingProxyType(
            {
                Happening.TRANSMITTER_BOUND: SessionState.BOUND_TX,
                Happening.RECEIVER_BOUND: SessionState.BOUND_RX,
                Happening.TRANSCEIVER_BOUND: SessionState.BOUND_TRX,
                Happening.ENDED: SessionState.CLOSED,
            }
        ),
        SessionState.BOUND_TX: _LEAVING,
        SessionState.BOUND_RX: _LEAVING,
        SessionState.BOUND_TRX: _LEAVING,
        SessionState.UNBINDING: MappingProxyType(
            {Happening.UNBIND_HEARD: SessionState.UNBOUND, Happening.ENDED: SessionState.CLOSED}
        ),
        SessionState.UNBOUND: MappingProxyType({Happening.ENDED: SessionState.CLOSED}),
        SessionState.CLOSED: MappingProxyType({}),
    }
)

BOUND_BY: Mapping[Command, Happening] = MappingProxyType(
    {
        Command.BIND_TRANSMITTER: Happening.TRANSMITTER_BOUND,
        Command.BIND_RECEIVER: Happening.RECEIVER_BOUND,
        Command.BIND_TRANSCEIVER: Happening.TRANSCEIVER_BOUND,
    }
)

_LINK = frozenset({Command.ENQUIRE_LINK})
_BOUND_LINK = _LINK | {Command.UNBIND}
_SUBMITTING = frozenset(
    {
        Command.SUBMIT_SM,
        Command.SUBMIT_MULTI,
        Command.QUERY_SM,
        Command.CANCEL_SM,
        Command.REPLACE_SM,
        Command.DATA_SM,
    }
)
_DELIVERING = frozenset({Command.DELIVER_SM, Command.DATA_SM, Command.ALERT_NOTIFICATION})


def _by(esme: frozenset[Command], smsc: frozenset[Command]) -> Mapping[SessionRole, frozenset[Command]]:
    return MappingProxyType({SessionRole.ESME: esme, SessionRole.SMSC: smsc})


# Table 2-1, with four extensions that peers rely on: enquire_link is answered in every state, replace_sm also from a
# transceiver, each unbind is answered if both sides unbind at once, and a transmitter takes deliver_sm: message centres
# with habits of SMPP 3.3 send receipts there (opentelecoms-org/jsmpp#157). data_sm goes both ways on every bind.
MAY_ASK: Mapping[SessionState, Mapping[SessionRole, frozenset[Command]]] = MappingProxyType(
    {
        SessionState.OPEN: _by(_LINK | frozenset(BOUND_BY), _LINK | {Command.OUTBIND}),
        SessionState.BOUND_TX: _by(_BOUND_LINK | _SUBMITTING, _BOUND_LINK | {Command.DATA_SM, Command.DELIVER_SM}),
        SessionState.BOUND_RX: _by(_BOUND_LINK | {Command.DATA_SM}, _BOUND_LINK | _DELIVERING),
        SessionState.BOUND_TRX: _by(_BOUND_LINK | _SUBMITTING, _BOUND_LINK | _DELIVERING),
        # Requests that the other side sent before it read our unbind are still taken.
        SessionState.UNBINDING: _by(_BOUND_LINK | _SUBMITTING, _BOUND_LINK | _DELIVERING),
        SessionState.UNBOUND: _by(_BOUND_LINK, _BOUND_LINK),
        SessionState.CLOSED: _by(frozenset(), frozenset()),
    }
)
BOUND_STATES = frozenset({SessionState.BOUND_TX, SessionState.BOUND_RX, SessionState.BOUND_TRX})
