"""Texts under the rules of countries: what is found in them, what is put around them, what a cut leaves."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from addressbook.hierarchy import Constraints, LayerKey, LayerKind, Layers, layer_of
from addressbook.lists import DistributionLists
from addressbook.numbers import NumberKind, OwnNumber, OwnNumbers
from addressbook.people import Customer, Directory
from addressbook.senders import Principal, Sender
from addressbook.snapshot import Snapshot
from countries.book import Mode, OperatorRule
from countries.contents import Contents, find_hints, find_links, find_phone_number, is_shortener
from countries.findings import Effect
from countries.rules import RuleName
from gateway.admin.countries import judge_by
from gateway.plan import plan
from gateway.routing import CarrierRoute, CarrierRoutes
from gateway.submission import RecipientRequest, Submission
from inbound.words import offers_stop
from sms.esme import EsmeOrigin, EsmeRequest
from sms.message import Header, MailOrigin, Origin
from sms.number import parse_sender_id
from sms.outcome import Refusal
from sms.schedule import Blackout
from sms.settings import Unencodable, UseCase
from templates.country_words import say_finding, say_notes
from templates.words import Dictionary, find_languages
from tests.kit.effort import spend_at_most

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
CUSTOMER = Customer(key=1, name="Acme")
OTHERS = OwnNumber(key=2, digits="447700900901", kind=NumberKind.LONG, country="GB", customer_key=2)
ROUTES = CarrierRoutes([CarrierRoute(carrier="alpha")])
GREAT_BRITAIN, FRANCE, GERMANY, AMERICA = "+447700900101", "+33639980001", "+491713920001", "+12025550143"
STOP = "STOP 36111"


def book(*applied, constraints=None, off=(), **cells):
    """Return an address book with settings of the customer, and rules of all countries that are applied, or off."""
    rulings = [OperatorRule(country="*", name=RuleName(name), mode=Mode.APPLY) for name in applied]
    rulings += [OperatorRule(country="*", name=RuleName(name), mode=Mode.OFF) for name in off]
    layers = {LayerKey(LayerKind.CUSTOMER, 1): layer_of(LayerKind.CUSTOMER, cells, "manual")}
    return Snapshot(
        Directory(version=3, customers=[CUSTOMER]),
        Layers(version=3, layers=layers, constraints={} if constraints is None else {1: constraints}),
        DistributionLists(),
        numbers=OwnNumbers([OTHERS]),
        judge=judge_by(rulings),
    )


def decide(known, *wanted, text="Sale", routes=ROUTES, **fields):
    """Return the plan of a submission to numbers, or to recipients as they are."""
    sender = known.choose_sender(Principal(customer_id=1), "anna@acme.example.com")
    assert isinstance(sender, Sender)
    asked = tuple(
        RecipientRequest(given=f"{one}@sms.example.net", number=one) if isinstance(one, str) else one for one in wanted
    )
    made = Submission(
        sender=sender,
        service=Origin.MAIL,
        wanted=asked,
        text=text,
        resolved=known.resolve(sender, Origin.MAIL),
        mail=MailOrigin(reverse_path="anna@acme.example.com"),
        digest=b"a mail",
    )
    return plan(replace(made, **fields), known, routes, NOW)


def texts_of(made):
    """Return what goes out to each recipient, a refusal where nothing does."""
    return [
        message.refused.refusal if message.refused is not None else made.encoded_of(message).text
        for message in made.messages
    ]


def effects(message, name):
    return [finding.effect for finding in message.findings if finding.rule == name]


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("https://shop.example.com/x?y=1", ("shop.example.com",)),
        ("HTTP://SHOP.example.COM", ("shop.example.com",)),
        ("ftp://files.example/a", ("files.example",)),
        ("see bit.ly/abc.", ("bit.ly",)),
        ("www.example.xyz", ("www.example.xyz",)),
        ("b\u200bit\u00ad.ly/x", ("bit.ly",)),
        ("bit\uff0ely/x", ("bit.ly",)),
        ("bit\u3002ly/x", ("bit.ly",)),
        ("bit[.]ly/x or bit (dot) ly", ("bit.ly",)),
        ("xn--bcher-kva.example", ("xn--bcher-kva.example",)),
        ("https://bank.example@evil.example.com/", ("evil.example.com",)),
        ("http://192.0.2.1:8080/a", ("192.0.2.1",)),
        ("anna@example.com", ()),
        ("Dear Mr.Smith,see you at 10.30.Thanks", ()),
        ("Done.It is 3.99 e.g.here", ()),
        ("We will be.in touch", ()),
        ("it will help you heal.do this every day, says an M.Sc. in pharmacy", ()),
        ("example.org/test.And as well example.com.", ("example.org", "example.com")),
        ("xhttp://example.com", ("example.com",)),
        ("see bit.ly.Thanks", ("bit.ly",)),
        ("192.0.2.1/a or http://192.0.2.2", ("192.0.2.2", "192.0.2.1")),
        ("192.0.2.1 and 1.2.3.456/a and 1.2.3/4", ()),
        ("anna.smith@shop.example.com or bob@example.co.uk", ()),
        ("http.org", ("http.org",)),
        ("", ()),
    ],
)
def test_links_are_found_however_they_are_written_and_sentences_are_none(text, hosts):
    assert find_links(text) == hosts


@pytest.mark.parametrize("piece", ["a.", "a-", "a.a@", "://a@", "a:", "[.", "www.", "+1-", "0 ", "．a", "xn--."])
def test_no_text_is_looked_at_for_long(piece):
    text = piece * (200_000 // len(piece))

    def look():
        return find_links(text), find_phone_number(text), find_hints(text), offers_stop(text)

    spend_at_most(100, look)


def test_a_public_shortener_is_known_by_its_host():
    assert is_shortener("bit.ly")
    assert is_shortener("www.tinyurl.com")
    assert not is_shortener("notbit.ly")
    assert not is_shortener("bit.ly.example.com")


@pytest.mark.parametrize(
    "text",
    ["+60 3-0000 0000", "call 0300000000!", "1300 00 0000", "1-800-555-0123", "(202) 555-0123", "(020) 7946 0018"],
)
def test_a_telephone_number_is_found(text):
    assert find_phone_number(text)


@pytest.mark.parametrize(
    "text",
    ["code 123456", "01.12.2026", "01-12-2026", "order 20261201", "0.123456789", "DE89 3704 0044 0532 0130 00"],
)
def test_codes_dates_and_amounts_are_no_telephone_numbers(text):
    assert not find_phone_number(text)


def test_hints_are_of_the_kinds_that_are_asked_for_in_any_script():
    assert find_hints("Win at our CASINO, take a loan!") == {"loans", "gambling"}
    assert Contents("Win at our casino", offers_stop).hints("loans") == ()
    assert Contents("Win at our casino", offers_stop).hints("loans,gambling") == ("gambling",)
    assert find_hints("线上赌场") == {"gambling"}
    assert find_hints("Онлайн КАЗИНО") == {"gambling"}
    assert find_hints("Your appointment is at nine") == set()


@pytest.mark.parametrize(
    "text",
    [
        "Reply STOP to end",
        "STOPP an 12345",
        "unsubscribe: x.example",
        "拒收请回复R",
        "Odjava STOPShop na 1599",
        "STOP=end",
    ]
    + ["Sale! Text STOP 2 end", "Reply STOP to 12345", "SALE TODAY. STOP 36111"]
    + [
        "Sale! STOP2END",
        "Stop2Quit 60300",
        "Soldes STOP36111",
        "Txt STOPto60300",
        "STOP SMS 36111",
        "Rpd STOP p/ sair",
    ],
)
def test_a_text_offers_a_way_to_stop(text):
    assert offers_stop(text)


@pytest.mark.parametrize(
    "text",
    [
        "you can stop by at five",
        "Please cancel it",
        "The END",
        "取消订单",
        "",
        "STOP paying too much",
        "STOP WASTING MONEY!",
        "Park at Stop24",
        "The nonstop2go bus",
        "stop36111",
    ],
)
def test_a_word_that_is_only_said_offers_no_way_to_stop(text):
    assert not offers_stop(text)


def test_each_country_of_a_job_gets_its_own_wording_and_the_others_the_text_as_it_is():
    known = book("text_suffix", use_case=UseCase.MARKETING, opt_out_text=STOP)
    made = decide(known, GERMANY, FRANCE, GREAT_BRITAIN, FRANCE[:-1] + "2")
    assert texts_of(made) == ["Sale", f"Sale {STOP}", "Sale", f"Sale {STOP}"]
    assert effects(made.messages[1], RuleName.TEXT_SUFFIX) == [Effect.CHANGED]
    assert effects(made.messages[0], RuleName.TEXT_SUFFIX) == []
    kept = [message.encoded.text for message in made.job.messages]
    assert kept == texts_of(made)


def test_a_country_that_blocks_a_link_bars_its_own_recipients_alone():
    made = decide(book("urls"), FRANCE, GERMANY, text="bit.ly/a")
    assert texts_of(made) == [Refusal.CONTENT_NOT_ALLOWED, Refusal.CONTENT_NOT_ALLOWED]
    assert made.refused is not None
    assert made.refused.refusal is Refusal.CONTENT_NOT_ALLOWED
    some = decide(book("urls"), FRANCE, AMERICA, text="bit.ly/a")
    assert texts_of(some) == [Refusal.CONTENT_NOT_ALLOWED, "bit.ly/a"]
    assert some.job is not None
    assert [message.reason for message in some.job.messages] == ["content-not-allowed", ""]


def test_a_sender_id_that_cannot_pass_in_one_country_does_not_go_out_there_and_the_others_get_the_text():
    made = decide(book(sender_id=parse_sender_id("Shop")), AMERICA, GREAT_BRITAIN)
    assert texts_of(made) == [Refusal.SENDER_ID_IMPOSSIBLE, "Sale"]
    assert made.job is not None
    assert [(message.number is None, message.reason) for message in made.job.messages] == [
        (True, "sender-id-impossible"),
        (False, ""),
    ]


def test_a_text_is_cut_for_the_words_of_its_country_and_what_was_cut_is_told():
    known = book("text_suffix", use_case=UseCase.MARKETING, opt_out_text=STOP, max_parts=1)
    body = "a" * 140 + " end of it"
    (message,) = decide(known, FRANCE, text=body).job.messages
    assert message.encoded.text == f"{body[:149]} {STOP}"
    assert message.encoded.cut == "t"
    assert len(message.encoded.lengths) == 1


def test_a_cut_leaves_whole_what_a_reader_sees_as_one_character():
    known = book(
        "text_suffix", use_case=UseCase.MARKETING, opt_out_text=STOP, max_parts=1, unencodable=Unencodable.SWITCH
    )
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    made = decide(known, FRANCE, text="ж" * 55 + family + "ж")
    assert texts_of(made) == ["ж" * 55 + f" {STOP}"]
    assert made.encoded_of(made.messages[0]).cut == family + "ж"


def test_what_was_replaced_is_counted_in_the_text_as_it_was_given():
    known = book("text_prefix", use_case=UseCase.MARKETING, brand="Müller–Shop", unencodable=Unencodable.SMART)
    made = decide(known, "+420601000001", text="a → b")
    encoded = made.encoded_of(made.messages[0])
    assert encoded.text.startswith("OS: a ")
    assert [one.index for one in encoded.replaced] == [2]


def test_words_that_leave_no_room_refuse_the_recipient_and_say_so():
    cells = {"use_case": UseCase.MARKETING, "opt_out_text": "ж" * 60, "unencodable": Unencodable.SWITCH}
    made = decide(
        book("text_suffix", max_parts=1, **cells), FRANCE, text="\U0001f468\u200d\U0001f469\u200d\U0001f467" * 2
    )
    assert texts_of(made) == [Refusal.TOO_MANY_PARTS]
    assert "leave no room for the text" in made.refused.detail


def test_rows_are_worded_one_by_one():
    known = book("text_suffix", use_case=UseCase.MARKETING, opt_out_text=STOP)
    wanted = [
        RecipientRequest(given="a", number=FRANCE, row="1", values={"name": "Anna"}),
        RecipientRequest(given="b", number=GERMANY, row="2", values={"name": "Ben"}),
        RecipientRequest(given="c", number=FRANCE[:-1] + "2", row="3", values={"name": "STOP"}),
    ]
    made = decide(known, *wanted, text="Hi {{name}}", personalised=True)
    assert texts_of(made) == [f"Hi Anna {STOP}", "Hi Ben", "Hi STOP"]


def test_own_texts_are_worded_one_by_one_and_a_country_bars_its_own():
    known = book("urls")
    wanted = [
        RecipientRequest(given="a", number=FRANCE, text="bit.ly/a"),
        RecipientRequest(given="b", number=FRANCE, text="Hello"),
    ]
    assert texts_of(decide(known, *wanted)) == [Refusal.CONTENT_NOT_ALLOWED, "Hello"]


def test_a_text_that_its_sender_divided_is_never_changed():
    known = book("text_suffix", "urls", use_case=UseCase.MARKETING, opt_out_text=STOP)
    esme = EsmeRequest(origin=EsmeOrigin(bind="acme"), header=Header(octets=b"\x05\x00\x03\x01\x02\x01"))
    made = decide(known, FRANCE, esme=esme, mail=None, service=Origin.SMPP)
    assert texts_of(made) == ["Sale"]
    assert effects(made.messages[0], RuleName.TEXT_SUFFIX) == [Effect.NOTED]
    barred = decide(known, FRANCE, esme=esme, mail=None, service=Origin.SMPP, text="bit.ly/a")
    assert texts_of(barred) == [Refusal.CONTENT_NOT_ALLOWED]


@pytest.mark.parametrize(
    ("udh", "told"), [("0500030a0201", ["noted"]), ("06080400070201", ["noted"]), ("0500030a0101", [])]
)
def test_what_a_country_does_to_several_parts_is_told_of_a_part_that_its_sender_divided(udh, told):
    request = EsmeRequest(origin=EsmeOrigin(), header=Header(octets=bytes.fromhex(udh)))
    planned = decide(book("concatenation"), GERMANY, text="part", esme=request)
    assert [
        finding.effect for finding in planned.messages[0].findings if finding.rule is RuleName.CONCATENATION
    ] == told
    assert planned.encoded.text == "part"


def test_a_fallback_is_none_where_it_is_not_permitted_or_somebody_elses():
    fallback = parse_sender_id("12345")
    name = parse_sender_id("Shop")
    allowed = Constraints(kind=LayerKind.CUSTOMER, sender_ids=frozenset({"Shop"}))
    assert decide(book(sender_id=name, fallback_sender_id=fallback), AMERICA).job is not None
    barred = decide(book(sender_id=name, fallback_sender_id=fallback, constraints=allowed), AMERICA)
    assert barred.refused is not None
    assert barred.refused.refusal is Refusal.SENDER_ID_IMPOSSIBLE
    assert [clamped.field for clamped in barred.submission.resolved.clamped] == ["fallback_sender_id"]
    others = decide(book(sender_id=name, fallback_sender_id=OTHERS.sender_id), AMERICA)
    assert others.refused is not None
    assert others.refused.refusal is Refusal.SENDER_ID_IMPOSSIBLE


def known_validity(*rulings, **cells):
    """Return an address book under decisions about validities."""
    made = book(**cells)
    made.judge = judge_by([OperatorRule(name=RuleName.VALIDITY, **fields) for fields in rulings])
    return made


IN_FRANCE = {"country": "FR", "mode": Mode.APPLY, "value": "1h-4h"}


def test_each_message_of_a_submission_has_the_validity_of_its_country_and_goes_out_when_it_would():
    known = known_validity(IN_FRANCE, validity=timedelta(days=2))
    made = decide(known, FRANCE, GREAT_BRITAIN)
    french, british = made.messages
    assert (french.schedule.due_at, french.schedule.expires_at) == (NOW, NOW + timedelta(hours=4))
    assert effects(french, RuleName.VALIDITY) == [Effect.CHANGED]
    assert (british.schedule, british.findings) == (None, ())
    assert made.schedule.expires_at == NOW + timedelta(days=2)
    assert made.job.messages[0].schedule == french.schedule


def test_a_validity_that_is_too_short_for_a_country_is_lengthened_only_where_its_rule_is_applied():
    for mode, expected in ((Mode.APPLY, timedelta(hours=1)), (Mode.NOTE, None), (Mode.OFF, None)):
        known = known_validity({**IN_FRANCE, "mode": mode}, validity=timedelta(minutes=10))
        (message,) = decide(known, FRANCE).messages
        assert (message.schedule.expires_at - NOW if message.schedule is not None else None) == expected


def test_a_countrys_validity_counts_from_the_start_and_without_blackouts_as_any():
    known = known_validity(IN_FRANCE, validity=timedelta(days=2))
    start, hour = NOW + timedelta(days=1), timedelta(hours=1)
    blackout = Blackout(start_at=start + hour, end_at=start + 3 * hour)
    (message,) = decide(known, FRANCE, start_at=start, blackouts=(blackout,)).messages
    assert (message.schedule.due_at, message.schedule.expires_at) == (start, start + 6 * hour)


@pytest.mark.parametrize("language", find_languages())
def test_a_changed_validity_is_said_and_not_taken_for_a_changed_text(language):
    words = Dictionary().words(language)
    told = say_finding((RuleName.VALIDITY, Effect.CHANGED, "1h-4h"), "FR", words)
    assert told.endswith(words.say("country.is-changed-validity"))
    assert words.say("country.is-changed") not in told


def found_of_parts(known, text):
    return [
        (finding, message.encoded)
        for message in decide(known, GERMANY, text=text).messages
        for finding in message.findings
        if finding.rule is RuleName.CONCATENATION
    ]


@pytest.mark.parametrize("applied", [(), ("concatenation",)])
def test_that_not_every_kind_of_sender_has_its_parts_joined_is_told_of_several_parts_and_changes_nothing(applied):
    known = book(*applied)
    assert found_of_parts(known, "x" * 160) == []
    ((finding, encoded),) = found_of_parts(known, "x" * 161)
    assert (finding.effect, finding.value) == (Effect.NOTED, "by sender type")
    assert encoded is None
    assert decide(known, GERMANY, text="x" * 161).encoded.lengths == (153, 8)


def test_a_kind_of_sender_that_is_named_counts_before_one_that_is_not():
    rulings = [
        OperatorRule(country="DE", name=RuleName.CONCATENATION, mode=Mode.APPLY, value=value)
        for value in ("by sender type", "not name")
    ]
    known = Snapshot(
        Directory(version=3, customers=[CUSTOMER]),
        Layers(
            version=3,
            layers={
                LayerKey(LayerKind.CUSTOMER, 1): layer_of(
                    LayerKind.CUSTOMER, {"sender_id": parse_sender_id("Acme")}, "manual"
                )
            },
        ),
        DistributionLists(),
        judge=judge_by(rulings),
    )
    ((finding, _),) = found_of_parts(known, "x" * 161)
    assert (finding.effect, finding.value) == (Effect.CHANGED, "not name")


@pytest.mark.parametrize("language", find_languages())
def test_a_note_that_names_no_kind_of_sender_is_said_and_is_no_warning_of_a_text(language):
    words, finding = Dictionary().words(language), ("concatenation", "noted", "by sender type")
    assert "by sender type" not in say_finding(finding, "DE", words)
    assert say_notes([("DE", (finding,))], words) == ()
