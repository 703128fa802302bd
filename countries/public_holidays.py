"""Public holidays of a country, which some quiet hours name. The only user of `holidays`."""

from datetime import date
from functools import cache
from typing import Any


def is_public_holiday(country: str, day: date) -> bool:
    """Return whether a day is a holiday in the whole of a country (ISO 3166 letters); never where none are known."""
    return day in _holidays_of(country)


@cache
def _holidays_of(country: str) -> Any:
    import holidays  # noqa: PLC0415 - large, and needed for few countries

    return holidays.country_holidays(country) if country in holidays.list_supported_countries() else frozenset()
