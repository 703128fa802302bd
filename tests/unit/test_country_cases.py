"""Situations of countries, played through a plan with the rules as shipped; cases/countries.tsv has one in each line.

Its columns, all but `check`, `source` and `to` may be empty:

- `check` is what the line is about, `source` the lines of the rules that it was checked against, by hand;
- `to`: the letters of the country, for its example of a mobile number; `networks`: all that the carrier delivers to;
- `sender`, `use_case` and `at`: as asked, 2026-11-30 12:00 UTC where there is none; `registered`: `own` or `shared`;
- `settings`: `name=value`, with `;` between; `decided`: the modes that the operator sets, `rule=apply;rule=off`;
- `text`: `Hello` where it is empty, `{a*170}` is 170 times an a;
- `out`: the text that goes out, as given where empty, or the refusal in brackets; `shown`: the sender, as asked where
  empty; `parts`: how many; `pace`: how fast; `due`: when it may go, at once where empty;
- `told`: rules and what they did, complete but for notes; `-rule`: not a word of it.
"""

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import phonenumbers
import pytest

from addressbook.hierarchy import LayerKey, LayerKind, Layers, layer_of
from addressbook.lists import DistributionLists
from addressbook.people import Customer, Directory
from addressbook.registrations import RegisteredId, Registrations
from addressbook.senders import Principal, Sender
from addressbook.snapshot import Snapshot
from countries.book import Mode, OperatorRule
from countries.findings import Effect
from countries.judge import Judge
from countries.rules import RuleName
from gateway.admin.countries import judge_by
from gateway.plan import plan
from gateway.planned import JobPlan
from gateway.routing import CarrierRoute, CarrierRoutes
from gateway.submission import RecipientRequest, Submission
from sms.message import MailOrigin, Origin
from sms.number import parse_sender_id
from sms.settings import parse_setting

TABLE = Path(__file__).parent / "cases" / "countries.tsv"
CUSTOMER = Customer(key=1, name="Acme")
NOON = "2026-11-30 12:00"


@dataclass(frozen=True, kw_only=True)
class Situation:
    check: str
    source: str
    to: str
    networks: str
    sender: str
    use_case: str
    at: str
    registered: str
    settings: str
    decided: str
    text: str
    out: str
    shown: str
    parts: str
    pace: str
    due: str
    told: str


def situations():
    """Return the lines of the table."""
    header, *lines = TABLE.read_text("utf-8").splitlines()
    assert header.split("\t") == [field.name for field in fields(Situation)]
    rows = [line.split("\t") for line in lines]
    assert all(len(row) == len(fields(Situation)) for row in rows)
    return [Situation(**dict(zip(header.split("\t"), row, strict=True))) for row in rows]


@cache
def judge_with(decided: str) -> Judge:
    """Return the judge of the shipped rules with decisions of the operator such as `max_parts=apply`."""
    pairs = [pair.split("=") for pair in decided.split(";") if pair]
    return judge_by([OperatorRule(country="*", name=RuleName(name), mode=Mode(mode)) for name, mode in pairs])


def spelled_out(text: str) -> str:
    """Return a text with its repetitions: `{a*3}b` is aaab."""
    return re.sub(r"\{(.)\*(\d+)\}", lambda found: found[1] * int(found[2]), text)


def instant(text: str) -> datetime:
    """Return an instant in UTC."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def number_of(country: str) -> str:
    """Return the example of a mobile number of a country."""
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    assert example is not None
    return phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)


def decide(situation: Situation) -> JobPlan:
    """Return the plan of a submission to one recipient in a situation."""
    texts = dict(pair.split("=", 1) for pair in situation.settings.split(";") if pair)
    texts |= {
        name: value for name, value in (("sender_id", situation.sender), ("use_case", situation.use_case)) if value
    }
    cells = {name: parse_setting(name, value) for name, value in texts.items()}
    owner = {"own": CUSTOMER.key, "shared": 0}.get(situation.registered)
    registered = (
        () if owner is None else [RegisteredId(customer_key=owner, country=situation.to, value=situation.sender)]
    )
    book = Snapshot(
        Directory(version=3, customers=[CUSTOMER]),
        Layers(version=3, layers={LayerKey(LayerKind.CUSTOMER, 1): layer_of(LayerKind.CUSTOMER, cells, "manual")}),
        DistributionLists(),
        judge=judge_with(situation.decided),
        registrations=Registrations(registered),
    )
    sender = book.choose_sender(Principal(customer_id=1), "anna@acme.example.com")
    assert isinstance(sender, Sender)
    number = number_of(situation.to)
    return plan(
        Submission(
            sender=sender,
            service=Origin.MAIL,
            wanted=(RecipientRequest(given=f"{number}@sms.example.net", number=number),),
            text=spelled_out(situation.text or "Hello"),
            resolved=book.resolve(sender, Origin.MAIL),
            mail=MailOrigin(reverse_path="anna@acme.example.com"),
            digest=b"a mail",
        ),
        book,
        CarrierRoutes([CarrierRoute(carrier="alpha", networks=frozenset(situation.networks.split()))]),
        instant(situation.at or NOON),
    )


def test_every_check_has_two_countries_and_there_are_120_situations():
    lines = situations()
    assert len(lines) >= 120
    assert len(set(lines)) == len(lines)
    countries: dict[str, set[str]] = {}
    for line in lines:
        countries.setdefault(line.check, set()).add(line.source.split()[0])
    assert {check for check, found in countries.items() if len(found) < 2} == set()


@pytest.mark.parametrize("situation", situations(), ids=lambda situation: f"{situation.check} {situation.source}"[:70])
def test_a_situation_ends_as_its_sources_say(situation):
    made = decide(situation)
    (message,) = made.messages
    if situation.out.startswith("["):
        assert message.refused is not None
        assert f"[{message.refused.refusal}]" == situation.out
        assert situation.source.split()[0] in message.refused.detail
    else:
        assert made.refused is None
        encoded = made.encoded_of(message)
        assert encoded is not None
        assert encoded.text == spelled_out(situation.out or situation.text or "Hello")
        assert len(encoded.lengths) == int(situation.parts or 1)
        assert made.job is not None
        (kept,) = made.job.messages
        pace = kept.rate
        assert (f"{pace.parts}/{pace.period.total_seconds():.0f}s" if pace is not None else "") == situation.pace
        due_at = kept.schedule.due_at if kept.schedule is not None else made.job.due_at
        assert due_at == instant(situation.due or situation.at or NOON)
        assert kept.sender_id == (parse_sender_id(situation.shown) if situation.shown else None)
        assert kept.findings == message.findings
    found = {f"{finding.rule}:{finding.effect}" for finding in message.findings}
    wanted = {one for one in situation.told.split(";") if one and not one.startswith("-")}
    unwanted = {one.removeprefix("-") for one in situation.told.split(";") if one.startswith("-")}
    assert wanted <= found
    assert {one for one in found if not one.endswith(f":{Effect.NOTED}")} <= wanted
    assert unwanted.isdisjoint(finding.rule for finding in message.findings)
