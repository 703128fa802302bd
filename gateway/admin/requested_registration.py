"""What somebody requests to be registered, and whether anything can be made of it.

Not here: what a country asks for beyond that (countries.registering), the changes themselves (registrations).
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from addressbook.registrations import RegistrationKind
from gateway.admin.faults import AdminFault, FaultCode
from sms.number import SenderKind, is_country, parse_sender_id
from sms.settings import UseCase

_LONGEST: Final = 200
LONGEST_SAMPLE: Final = 1000
MOST_SAMPLES: Final = 10
_MOST_A_MONTH: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedRegistration:
    """What somebody asks to be registered. `carrier` and `use_case` empty: for each; `volume` is SMS in a month."""

    country: str
    kind: str = RegistrationKind.NAME.value
    value: str = ""
    carrier: str = ""
    use_case: str = ""
    company: str = ""
    local_entity: str = ""
    volume: int = 0
    samples: Sequence[str] = ()


def check_requested(requested: RequestedRegistration, carriers: Collection[str]) -> dict[str, Any]:
    """Return the columns of its registration. Raises AdminFault for what nothing can be made of."""
    country = requested.country.strip().upper()
    if not is_country(country):
        raise AdminFault(FaultCode.BAD_COUNTRY, given=requested.country)
    value = requested.value.strip()
    if requested.kind == RegistrationKind.NAME:
        sender = parse_sender_id(value)
        if sender is None or sender.kind is not SenderKind.ALPHANUMERIC:
            raise AdminFault(FaultCode.BAD_REGISTERED_NAME, given=requested.value)
        value = sender.value
    elif value:
        raise AdminFault(FaultCode.BAD_REGISTERED_NAME, given=requested.value)
    if requested.carrier and requested.carrier not in carriers:
        raise AdminFault(FaultCode.NO_CARRIER, name=requested.carrier, known=tuple(sorted(carriers)))
    if requested.use_case and requested.use_case not in set(UseCase):
        raise AdminFault(FaultCode.NO_USE_CASE, given=requested.use_case, known=tuple(map(str, UseCase)))
    samples = _checked_samples(requested)
    return {
        "value": value,
        "country": country,
        "carrier": requested.carrier,
        "use_case": requested.use_case,
        "company": requested.company.strip(),
        "local_entity": requested.local_entity.strip(),
        "volume": requested.volume,
        "samples": json.dumps(samples, ensure_ascii=False),
    }


def _checked_samples(requested: RequestedRegistration) -> list[str]:
    """Return the sample texts; raises AdminFault for those, and other texts and numbers, that are too large."""
    samples = [text.strip() for text in requested.samples if text.strip()]
    if len(samples) > MOST_SAMPLES or any(len(text) > LONGEST_SAMPLE for text in samples):
        raise AdminFault(FaultCode.BAD_REGISTRATION_TEXT, field="samples", most=LONGEST_SAMPLE)
    for field in ("company", "local_entity"):
        if len(getattr(requested, field)) > _LONGEST:
            raise AdminFault(FaultCode.BAD_REGISTRATION_TEXT, field=field, most=_LONGEST)
    if not 0 <= requested.volume <= _MOST_A_MONTH:
        raise AdminFault(FaultCode.BAD_REGISTRATION_TEXT, field="volume", most=_MOST_A_MONTH)
    return samples
