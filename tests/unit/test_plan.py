"""A submission decided by values alone: the same ones give the same plan, and a plan has a job or says why not."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from addressbook.hierarchy import Constraints, LayerKey, LayerKind, Layers, layer_of
from addressbook.lists import DistributionLists
from addressbook.numbers import NumberKind, OwnNumber, OwnNumbers
from addressbook.people import Customer, Directory
from addressbook.senders import Principal, Sender
from addressbook.snapshot import Snapshot
from gateway.plan import plan
from gateway.planned import JobPlan
from gateway.routing import CarrierRoute, CarrierRoutes
from gateway.submission import RecipientRequest, Submission
from sms.message import MailOrigin, Origin
from sms.number import parse_sender_id
from sms.outcome import Refusal
from sms.schedule import Blackout

NOW = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROUTES = CarrierRoutes([CarrierRoute(carrier="alpha", cost="low"), CarrierRoute(carrier="beta", prefixes=("49",))])
CUSTOMER = Customer(key=1, name="Acme")


OWN = OwnNumber(key=1, digits="447700900900", kind=NumberKind.LONG, country="GB", customer_key=1, carriers=("beta",))
OTHERS = OwnNumber(key=2, digits="447700900901", kind=NumberKind.LONG, country="GB", customer_key=2)


def snapshot(version: int = 3, constraints: Constraints | None = None, **cells: object) -> Snapshot:
    layers = {LayerKey(LayerKind.CUSTOMER, 1): layer_of(LayerKind.CUSTOMER, cells, "manual:anna")} if cells else {}
    rules = {} if constraints is None else {1: constraints}
    return Snapshot(
        Directory(version=version, customers=[CUSTOMER]),
        Layers(version=version, layers=layers, constraints=rules),
        DistributionLists(),
        numbers=OwnNumbers([OWN, OTHERS]),
    )


def submission(book: Snapshot, *numbers: str, text: str = "Hello", **fields: Any) -> Submission:
    sender = book.choose_sender(Principal(customer_id=1), "anna@acme.example.com")
    assert isinstance(sender, Sender)
    made = Submission(
        sender=sender,
        service=Origin.MAIL,
        wanted=tuple(RecipientRequest(given=f"{number}@sms.example.net", number=number) for number in numbers),
        text=text,
        resolved=book.resolve(sender, Origin.MAIL),
        mail=MailOrigin(reverse_path="anna@acme.example.com"),
        digest=b"a mail",
    )
    return replace(made, **fields)


def decide(book: Snapshot, *numbers: str, **fields: Any) -> JobPlan:
    return plan(submission(book, *numbers, **fields), book, ROUTES, NOW)


NUMBERS = st.sampled_from(["+447700900101", "+447700900102", "07700900101", "+4915112345678", "none", "+1", ""])
BLACKOUTS = st.builds(
    lambda begin, length: Blackout(start_at=NOW + begin * HOUR, end_at=NOW + (begin + length) * HOUR),
    st.integers(-5, 5),
    st.integers(1, 500),
)


@given(
    st.lists(NUMBERS, max_size=6),
    st.text(max_size=400),
    st.lists(BLACKOUTS, max_size=3),
    st.booleans(),
    st.integers(1, 5),
)
def test_a_plan_has_a_job_or_says_why_not_and_is_made_again_alike(numbers, text, blackouts, dry_run, most):
    book = snapshot(max_recipients=most)
    asked = submission(book, *numbers, text=text, blackouts=tuple(blackouts), dry_run=dry_run)
    made = plan(asked, book, ROUTES, NOW)
    assert made == plan(asked, book, ROUTES, NOW)
    assert (made.job is None) == (made.refused is not None)
    if made.job is None:
        return
    assert made.job.directory_version == book.version
    assert made.job.accepted_at == NOW <= made.job.due_at < made.job.expires_at
    kept = [message for message in made.messages if not message.duplicate_of]
    assert [message.given for message in made.job.messages] == [message.wanted.given for message in kept]
    sent = [message.number.digits for message in made.job.messages if message.number is not None]
    assert len(set(sent)) == len(sent)
    for message in made.job.messages:
        assert (message.encoded is None) == (message.number is None)
        assert bool(message.digest) == (message.number is not None)
        assert message.encoded is not None or message.reason


def test_settings_and_their_origins_are_frozen_with_the_job():
    job = decide(snapshot(max_parts=2), "+447700900101").job
    assert job is not None
    assert (job.settings, job.origins) == ('{"max_parts":2}', '{"max_parts":["customer","manual:anna"]}')


def test_a_job_is_known_again_by_its_customer_content_and_number_and_a_dry_run_apart():
    book = snapshot()
    asked = [
        decide(book, "+447700900101"),
        decide(book, "07700900101", text="other words"),
        decide(book, "+447700900102"),
        decide(book, "+447700900101", digest=b"another"),
        decide(book, "+447700900101", dry_run=True),
    ]
    (first, *others) = [made.job.messages[0].digest if made.job is not None else b"" for made in asked]
    assert [other == first for other in others] == [False, False, False, False]
    national = snapshot(default_country="GB")
    again = decide(national, "07700900101", text="other words").job
    assert again is not None
    assert again.messages[0].digest == first


def test_a_submission_without_a_digest_is_never_a_repeat_and_one_is_made_so():
    for job in (
        decide(snapshot(), "+447700900101", digest=b"").job,
        decide(snapshot(), "+447700900101").unrepeatable().job,
    ):
        assert job is not None
        assert [message.digest for message in job.messages] == [b""]


def test_a_text_is_known_as_a_duplicate_only_where_the_settings_want_it_and_never_of_a_dry_run():
    wanting = snapshot(duplicate_detection=True)
    made = [
        decide(snapshot(), "+447700900101"),
        decide(wanting, "+447700900101"),
        decide(wanting, "+447700900101", dry_run=True),
    ]
    assert [bool(one.job and one.job.messages[0].duplicate) for one in made] == [False, True, False]


def test_what_constraints_refuse_is_refused_by_number_and_without_a_job_if_nothing_is_left():
    book = snapshot(constraints=Constraints(kind=LayerKind.CUSTOMER, owner="Acme", countries=frozenset({"GB"})))
    some, none = decide(book, "+447700900101", "+4915112345678"), decide(book, "+4915112345678")
    assert some.job is not None
    assert [message.reason for message in some.job.messages] == ["", Refusal.COUNTRY_NOT_ALLOWED.value]
    assert none.job is None
    assert none.refused is not None
    assert none.refused.refusal is Refusal.COUNTRY_NOT_ALLOWED


def test_the_longest_prefix_decides_the_route():
    job = decide(snapshot(), "+447700900101", "+4915112345678").job
    assert job is not None
    assert [message.route for message in job.messages] == ["alpha", "beta"]


def test_a_number_of_ours_as_sender_id_leaves_by_its_carriers_only():
    book = snapshot(sender_id=parse_sender_id("+447700900900"))
    assert [message.route for message in decide(book, "+4915112345678").messages] == ["beta"]
    refused = decide(book, "+447700900101").refused
    assert refused is not None
    assert refused.refusal is Refusal.NO_ROUTE
    assert "beta" in refused.detail


def test_a_number_of_another_customer_is_refused_as_sender_id():
    refused = decide(snapshot(sender_id=parse_sender_id("+447700900901")), "+447700900101").refused
    assert refused is not None
    assert refused.refusal is Refusal.SENDER_ID_NOT_PERMITTED


def test_a_recipients_own_sender_id_wins_over_that_of_the_settings():
    book = snapshot(sender_id=parse_sender_id("+447700900901"))
    asked = submission(book, "+4915112345678", "+4915112345679")
    first, second = asked.wanted
    made = plan(replace(asked, wanted=(replace(first, sender_id=OWN.sender_id), second)), book, ROUTES, NOW)
    assert made.job is not None
    assert [message.route for message in made.job.messages] == ["beta", ""]
    assert [message.sender_id for message in made.job.messages] == [OWN.sender_id, None]
    assert made.job.messages[1].reason == Refusal.SENDER_ID_NOT_PERMITTED


def test_an_answer_does_not_need_the_sender_id_of_the_settings_to_be_permitted():
    rules = Constraints(kind=LayerKind.CUSTOMER, owner="Acme", sender_ids=frozenset({"Shop"}))
    book = snapshot(constraints=rules, sender_id=parse_sender_id("Pub"))
    asked = submission(book, "+4915112345678", "+4915112345679")
    answers = tuple(replace(one, sender_id=OWN.sender_id) for one in asked.wanted)
    assert plan(replace(asked, wanted=answers), book, ROUTES, NOW).refused is None
    mixed = plan(replace(asked, wanted=(answers[0], asked.wanted[1])), book, ROUTES, NOW).refused
    assert mixed is not None
    assert mixed.refusal is Refusal.SENDER_ID_NOT_PERMITTED


def test_a_job_says_why_its_sender_id_gets_no_answer():
    def why(sender_id: str) -> str:
        made = decide(snapshot(sender_id=parse_sender_id(sender_id)), "+4915112345678")
        assert made.job is not None
        return made.job.unanswerable

    assert [why(text) for text in ("+447700900900", "ACME", "+447700900999")] == ["", "name", "not-ours"]
