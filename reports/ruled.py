"""What rules of countries did to the SMS that were accepted: how many each rule replaced, changed, delayed or refused.

It stands in the sums, which outlive details. What was refused as a whole was never accepted, and is not counted. Not
here: how it is counted (counting), what a rule says (countries).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from reports.archive import Month
from reports.counting import Ruled
from sms.number import is_country
from store.archive import ALL_DAYS, read_ruled_days
from store.directory_lookup import all_customers
from store.engine.database import Transaction

COLUMNS: Final = ("country", "rule", "effect", "messages")


def list_ruled(
    tx: Transaction, customer: str = "", month: str = "", country: str = "", *, by_day: bool = False
) -> list[Mapping[str, object]]:
    """Return what rules did, by customer and month or day, the newest first; empty texts ask for all.

    Raises AdminFault for an unknown customer, and for what is no month or no country.
    """
    if country and not is_country(country.upper()):
        raise AdminFault(FaultCode.BAD_COUNTRY, given=country)
    key = get_customer(tx, customer).key if customer else None
    names = {found.key: found.name for found in all_customers(tx)}
    counts = Counter[tuple[int, str, Ruled]]()
    for line in read_ruled_days(tx, key, Month.parse(month).days if month else ALL_DAYS):
        if line.country == country.upper() or not country:
            period = line.day if by_day else line.day[:7]
            counts[line.customer_key, period, Ruled(line.country, line.rule, line.effect)] += line.messages
    return [
        {"customer": names.get(owner, ""), "day" if by_day else "month": period, **ruled._asdict(), "messages": count}
        for (owner, period, ruled), count in sorted(
            counts.items(), key=lambda item: (item[0][0], _newest_first(item[0][1]), item[0][2])
        )
    ]


def read_ruled(tx: Transaction, customer_key: int, first: date, last: date) -> Sequence[tuple[str, str, str, int]]:
    """Return what rules did to a customer's SMS from one day to another, which is within: the most first (COLUMNS)."""
    counts = Counter[Ruled]()
    for line in read_ruled_days(tx, customer_key, (first.isoformat(), (last + timedelta(days=1)).isoformat())):
        counts[Ruled(line.country, line.rule, line.effect)] += line.messages
    return [(*ruled, count) for ruled, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def _newest_first(period: str) -> int:
    return -int(period.replace("-", ""))
