"""Which waiting message may go by another route, and why one may not.

Not here: which ones are asked for (gateway.admin.rerouting).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sms.facts import Code
from sms.message import Alphabet
from sms.number import MobileNumber, parse_sender_id
from sms.outcome import Refused
from sms.parameters import thaw_parameters
from sms.route import SEPARATOR

if TYPE_CHECKING:
    from addressbook.numbers import OwnNumbers
    from gateway.routing import CarrierRoutes
    from store.rerouting import QueuedMessage


class Keeps(Code):
    """Why a message keeps its route."""

    ON_IT = ("on-it",)
    BEGUN = ("begun",)
    NOT_SERVED = ("not-served",)
    PINNED = ("pinned",)
    GIVEN_BACK = ("given-back",)
    UNFIT = ("unfit",)
    IN_FLIGHT = ("in-flight",)


@dataclass(frozen=True, slots=True)
class NewRouteRules:
    """What a message must agree with to go by `route`."""

    route: str
    routes: "CarrierRoutes"
    numbers: "OwnNumbers"

    def judge(self, message: "QueuedMessage") -> Keeps | None:
        """Return why a message keeps its route, None where it may go by the new one."""
        carriers = self.route.split(SEPARATOR)
        number, customer = MobileNumber(digits=message.number), message.customer
        if message.route == self.route:
            return Keeps.ON_IT
        if message.is_begun:
            return Keeps.BEGUN
        if not all(self.routes.serves(name, number, customer) for name in carriers):
            return Keeps.NOT_SERVED
        among = self.numbers.carriers_for(parse_sender_id(message.sender), message.customer_key, number)
        if isinstance(among, Refused) or (among and not set(carriers) <= set(among)):
            return Keeps.PINNED
        if not set(carriers).isdisjoint(message.tried.split(SEPARATOR)):
            return Keeps.GIVEN_BACK
        return None if self._bears(message, carriers) else Keeps.UNFIT

    def _bears(self, message: "QueuedMessage", carriers: list[str]) -> bool:
        """Return whether all carriers can say a text as it was encoded, and take what goes beside it."""
        lacking, national = self.routes.repertoire_of(self.route)
        if message.divided and not self.routes.dividing.issuperset(carriers):
            return False
        if (message.locking_shift or message.single_shift) and not national:
            return False
        if message.alphabet is Alphabet.GSM7 and not lacking.isdisjoint(message.body):
            return False
        parameters = thaw_parameters(message.parameters) if message.parameters else ()
        return not self.routes.find_parameter_fault(self.route, parameters)
