"""Which binds a carrier gets: one link for both ways, or one for each. SMPP 3.4 §2.2."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from smpp.wire.bodies import Bind, BindReceiver, BindTransceiver, BindTransmitter


class BindMode(StrEnum):
    """Which binds a carrier gets. PAIR is a transmitter and a receiver, each on its own connection."""

    TRANSCEIVER = "transceiver"
    PAIR = "pair"
    TRANSMITTER = "transmitter"
    RECEIVER = "receiver"


BINDS: Mapping[BindMode, tuple[type[Bind], ...]] = MappingProxyType(
    {
        BindMode.TRANSCEIVER: (BindTransceiver,),
        BindMode.PAIR: (BindTransmitter, BindReceiver),
        BindMode.TRANSMITTER: (BindTransmitter,),
        BindMode.RECEIVER: (BindReceiver,),
    }
)
