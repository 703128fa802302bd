"""Options in the subject: typed settings, what is malformed, what stays text."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mta.reading.options import SubjectOptions, leave_options, read_options
from sms.message import Alphabet, Priority
from sms.number import SenderId, SenderKind
from sms.outcome import Refusal, Refused
from sms.schedule import Blackout
from sms.settings import FIELDS, StatusReport, Unencodable, UseCase


def options_of(subject, **given):
    found = read_options(subject, **given)
    assert isinstance(found, SubjectOptions), found
    return found


@pytest.mark.parametrize(
    ("option", "patch"),
    [
        ("[DN:ON]", {"delivery_receipt": True, "status_report": StatusReport.ALWAYS}),
        ("[DN:OFF]", {"delivery_receipt": False}),
        ("[dn: on ]", {"delivery_receipt": True, "status_report": StatusReport.ALWAYS}),
        ("[VALIDITY:4]", {"validity": timedelta(hours=4)}),
        ("[VALIDITY:9]", {"validity": timedelta(hours=9)}),
        ("[VALIDITY:168]", {"validity": timedelta(days=7)}),
        ("[VALIDITY:0]", {}),
        ("[QOS:EXPRESS]", {"priority": Priority.EXPRESS}),
        ("[QOS:normal]", {"priority": Priority.NORMAL}),
        ("[DUPLICATEDETECTION:ON]", {"duplicate_detection": True}),
        ("[SRC:Retail]", {"sender_id": SenderId(value="Retail", kind=SenderKind.ALPHANUMERIC)}),
        ("[FLASH:ON]", {"flash": True}),
        ("[BC:4711]", {"cost_centre": "4711"}),
        ("[CODING:UCS2]", {"coding": Alphabet.UCS2}),
        ("[CODING:GSM7]", {"coding": Alphabet.GSM7}),
        ("[UNENCODABLE:reject]", {"unencodable": Unencodable.REJECT}),
        ("[UNENCODABLE:TRANSLITERATE]", {"unencodable": Unencodable.SMART}),
        ("[USECASE:ONETIMECODE]", {"use_case": UseCase.ONE_TIME_CODE}),
        ("[UseCase:one-time-code]", {"use_case": UseCase.ONE_TIME_CODE}),
        ("[USECASE:marketing]", {"use_case": UseCase.MARKETING}),
        ("[MAXPARTS:20]", {"max_parts": 20}),
        ("[PARAMETERS:Template_ID = 1107]", {"parameters": ("template_id=1107",)}),
        ("[PARAMETERS:a=1, b@ACME=2 x]", {"parameters": ("a=1", "b@ACME=2 x")}),
        ("[MAXPARTS\N{FULLWIDTH COLON}20]", {"max_parts": 20}),
    ],
)
def test_an_option_is_a_setting_that_a_message_may_have(option, patch):
    found = read_options(f"Alert {option} now")
    assert isinstance(found, SubjectOptions), found
    assert found.patch == patch
    assert found.subject == "Alert now"
    assert all(FIELDS[name].message_may_set for name in found.patch)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("[DN:MAYBE]", "ON or OFF"),
        ("[DN:]", "ON or OFF"),
        ("[VALIDITY:169]", "0 to 168"),
        ("[VALIDITY:-1]", "0 to 168"),
        ("[VALIDITY:٤]", "0 to 168"),
        ("[VALIDITY:4h]", "0 to 168"),
        ("[QOS:FAST]", "EXPRESS or NORMAL"),
        ("[USECASE:MARKETNG]", "TRANSACTIONAL, MARKETING or ONETIMECODE"),
        ("[JOBPERIOD:tomorrow]", "an instant such as"),
        ("[JOBPERIOD:0001-01-01T00:00:00+14:00]", "an instant such as"),
        ("[SRC:far too long a name]", "up to 11 letters"),
        ("[BLACKOUTPERIODS:2026-11-23T10:00Z]", "start/end"),
        ("[BLACKOUTPERIODS:2026-11-23T10:00Z/2026-11-23T09:00Z]", "the end later"),
        ("[FLASH:YES]", "ON or OFF"),
        ("[BC:]", "1 to 70"),
        ("[CUSTOMERREF:" + "x" * 71 + "]", "1 to 70"),
        ("[CODING:LATIN1]", "GSM7 or UCS2"),
        ("[UNENCODABLE:DROP]", "SMART, SIMPLE"),
        ("[MAXPARTS:0]", "1 to 20"),
        ("[PARAMETERS:1107]", "NAME=VALUE"),
        ("[MAXPARTS:21]", "1 to 20"),
        ("[DRYRUN:MAYBE]", "ON or OFF"),
        ("[VALIDITY:4] [VALIDITY:5]", "already given"),
        ("[VALIDITY:5", "closing ]"),
        ("[JOBPERIOD:2026-12-01T08:00Z [FLASH:ON]", "closing ]"),
        ("[SRC:A[B]]", "closing ]"),
        ("[CUSTOMERREF:" + "x" * 5_000 + "]", "1 to 70"),
    ],
)
def test_a_malformed_option_says_what_is_wrong_and_what_it_takes(option, expected):
    found = read_options(f"Alert {option}")
    assert isinstance(found, Refused)
    assert found.refusal is Refusal.OPTION_MALFORMED
    assert expected in found.detail
    assert found.detail.startswith("[")


@pytest.mark.parametrize(
    ("subject", "meant"),
    [
        ("[JOBPERIODE:2026-12-01T08:00:00Z] Gate", "[JOBPERIOD:2026-12-01T08:00:00Z]"),
        ("[JOBPERIODE:tomorrow] Gate", "[JOBPERIOD:tomorrow]"),
        ("Gate [JOBPERIODE:2026-12-01T08:00:00Z", "[JOBPERIOD:2026-12-01T08:00:00Z]"),
        ("[JOBPEROID:2026-12-01] Gate", "[JOBPERIOD:2026-12-01]"),
        ("[Job-Period: 2026-12-01] Gate", "[JOBPERIOD:2026-12-01]"),
        ("[job period:2026-12-01] Gate", "[JOBPERIOD:2026-12-01]"),
        ("[JOB_PERIOD:2026-12-01] Gate", "[JOBPERIOD:2026-12-01]"),
        ("[JOBPERIOD=2026-12-01] Gate", "[JOBPERIOD:2026-12-01]"),
        ("[MAXPART:1] Gate", "[MAXPARTS:1]"),
        ("[MAXPRATS:1] Gate", "[MAXPARTS:1]"),
        ("[MAX PARTS:1] Gate", "[MAXPARTS:1]"),
        ("[VALDITY:4] Gate", "[VALIDITY:4]"),
        ("[VALIDITE:4] Gate", "[VALIDITY:4]"),
        ("[FLAS:ON] Gate", "[FLASH:ON]"),
        ("[QOS=EXPRESS] Gate", "[QOS:EXPRESS]"),
        ("[BLACKOUTPERIOD:2026-11-23T22:00Z/2026-11-24T06:00Z] Gate", "[BLACKOUTPERIODS:"),
        ("[DUPLICATDETECTION:ON] Gate", "[DUPLICATEDETECTION:ON]"),
        ("[CUSTOMER-REF:4711] Gate", "[CUSTOMERREF:4711]"),
        ("[UNENCODEABLE:REJECT] Gate", "[UNENCODABLE:REJECT]"),
        ("[DRY-RUN] Gate", "[DRYRUN]"),
        ("[dry run] Gate", "[DRYRUN]"),
        ("[DRYRUNS] Gate [FLASH:ON]", "[DRYRUN]"),
    ],
)
def test_what_is_nearly_an_option_is_refused_with_the_option_that_is_meant(subject, meant):
    found = read_options(subject)
    assert isinstance(found, Refused)
    assert found.refusal is Refusal.OPTION_MALFORMED
    assert f"did you mean {meant}" in found.detail


REAL_TAGS = """
    [EXTERN] [EXTERNAL] [EXT] [EXT:] [Extern: Mail von außen] [EXTERNAL EMAIL] [External Sender: CAUTION] [EXTERNE] [EXTERNO]
    [SPAM] [SPAM?] [*****SPAM*****] [SUSPECTED SPAM] [Spam-Verdacht] [SPAM: 7.3] [VIRUS] [PHISHING] [BULK] [Newsletter]
    [Ticket#12] [Ticket: 12] [Ticket#: 20261123] [Ticket-ID:4711] [Ref: 00D2x.500] [ref:_00D20Xyz._5002:ref] [REF=12] [Case:123]
    [JIRA] [JIRA:OPS-12] [ABC-123] [#4711] [Issue: 12] [Bug 4711] [Bug: 4711] [BUG=12] [PR: 12] [Redmine - Bug #12] [RT #12]
    [DNS: down] [DN=100] [DHCP:ON] [SRV:web01] [SRCE:Retail] [BCC:anna] [BC=12] [QS:NORMAL] [POS: 4] [QA:ON] [CC: x]
    [FIRING:1] [RESOLVED] [FIRING:2, RESOLVED:1] [CRITICAL] [CRITICAL: db1] [WARNING: db1] [OK: db1] [ALERT=12] [PROBLEM: disk]
    [INFO] [INFO: Wartung] [URGENT] [URGENT: Rückruf] [Wichtig] [WICHTIG: bitte] [Dringend: Gate] [IMPORTANT: x] [Urgente: x]
    [Flash-Info: Stau] [FLASHNEWS: x] [Flash info] [Flasche: leer] [Lash: x] [Flashback: 1999] [FLASK:ON]
    [Code: 123] [Código: 123] [Codigo: 123] [Encoding: utf-8] [Coding] [Coding guidelines] [Coding-Dojo: Freitag] [Coaching: Freitag]
    [Validité: 31/12] [VALIDITE: 31/12] [Validità: 31/12] [Gültigkeit: 4] [Valid: 4] [Validation: 4] [Invalidity: 4] [Validez: 4]
    [Kunde: Müller] [Customer: Miller] [Customer-ID: 12] [CustomerNr: 12] [Customers: all] [Customer Service: open] [Cliente: 12]
    [Period: 2026-12-01] [Periode: 2026-12-01] [Job: 2026-12-01] [JobTicket: 2026-12-01] [Jobs: 3] [Job offer: welder] [Stelle: x]
    [Duplicate: 12] [DUPLICATE] [Duplikat: 12] [Blackout: 23:00] [Blackout] [Parts: 3] [Part 1/3] [Part: 1] [Max: 3] [Maxi: 3]
    [Trial run] [Dry] [Dry: 3] [Probelauf] [Test] [TEST: 1] [Essai: 1] [Prueba: 1] [DRY CLEANING] [Run: 3]
    [priority: express] [Prio:1] [SMS] [SMS:+44] [MMS: 1] [] [:] [=] [x] [1] [12:30] [2026-12-01] [https://example.com/?a=b]
    [Sender: Gate] [Von: Anna] [De: Ana] [Objet: x] [AW: Gate] [RE: Gate] [WG:] [TR: x] [RV: x] [Fwd: x] [Betreff: x]
    [List-Name] [dev-list] [Debian-user] [all@example.com] [Confidential] [Vertraulich: intern] [Confidentiel: interne]
"""


def _real_tags():
    return sorted({tag.strip() + "]" for line in REAL_TAGS.splitlines() for tag in line.split("]") if tag.strip()})


@pytest.mark.parametrize("tag", _real_tags())
def test_an_ordinary_tag_of_a_subject_is_text(tag):
    tag = tag if tag.startswith("[") else tag[tag.index("[") :]
    found = options_of(f"{tag} Gate 4 {tag}")
    assert (found.subject, found.patch, found.given) == (f"{tag} Gate 4 {tag}", {}, {})


@pytest.mark.parametrize(
    "subject",
    [
        "[INFO] disk",
        "[FIRING:1] InstanceDown",
        "[EXT] [x] [1]",
        "[FLASH] news",
        "[INFO: half",
        "VALIDITY:5]",
        "[SMS:+44]",
        "[]",
        "[:]",
    ],
)
def test_what_only_looks_like_an_option_stays_text(subject):
    found = options_of(subject)
    assert (found.subject, found.patch, found.given) == (subject, {}, {})


@pytest.mark.parametrize(
    ("subject", "ignored"),
    [
        ("[JOBPERIOD:tomorrow] Gate [maxparts: 1]", ("[JOBPERIOD:tomorrow]", "[MAXPARTS:1]")),
        ("[DRYRUN] Gate", ("[DRYRUN]",)),
        ("[FLASH:ON][FLASH:ON] Gate", ("[FLASH:ON]",)),
        ("[VALIDITY:4] [DN:ON] [BC:4711]", ("[VALIDITY:4]", "[DN:ON]", "[BC:4711]")),
        ("[Validity: until May] [DN:100 mm] [Flash: news] [FLASH]", ()),
        ("[EXTERN] [Ticket#12] [JOBPERIODE:tomorrow] Gate", ()),
        ("[CUSTOMERREF:" + "x" * 90 + "\n y]", ("[CUSTOMERREF:" + "x" * 60 + "]",)),
        ("".join(f"[CUSTOMERREF:{n}]" for n in range(9)), tuple(f"[CUSTOMERREF:{n}]" for n in range(5))),
    ],
)
def test_a_subject_that_is_not_read_for_options_says_which_it_has(subject, ignored):
    found = leave_options(subject)
    assert (found.subject, found.ignored, found.patch) == (subject, ignored, {})


def test_a_start_has_an_offset_or_takes_the_zone():
    plain = options_of("[JOBPERIOD: 2026-05-20T17:42:00+02:00]")
    zoned = options_of("[JOBPERIOD:2026-05-20 17:42]", zone=ZoneInfo("Europe/Madrid"))
    assert plain.start_at == zoned.start_at == datetime(2026, 5, 20, 15, 42, tzinfo=UTC)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-03-28T09:00", (28, 8, 0)),
        ("2026-03-29T09:00", (29, 7, 0)),
        ("2026-03-29T01:59", (29, 0, 59)),
        ("2026-03-29T02:30", (29, 1, 30)),  # nobody's clock shows it: an hour later
    ],
)
def test_a_start_on_the_day_on_which_clocks_change_is_as_clocks_show_it(local, utc):
    day, hour, minute = utc
    found = options_of(f"[JOBPERIOD:{local}]", zone=ZoneInfo("Europe/Berlin"))
    assert found.start_at == datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_a_blackout_under_an_hour_is_widened_from_its_start():
    found = options_of(
        "[BLACKOUTPERIODS:2026-11-23T10:00:00.000Z/2026-11-23T10:10Z, 2026-11-23T22:00+01:00/2026-11-24T06:00+01:00]"
    )
    assert found.blackouts == (
        Blackout(start_at=datetime(2026, 11, 23, 10, tzinfo=UTC), end_at=datetime(2026, 11, 23, 11, tzinfo=UTC)),
        Blackout(start_at=datetime(2026, 11, 23, 21, tzinfo=UTC), end_at=datetime(2026, 11, 24, 5, tzinfo=UTC)),
    )


def test_reference_dry_run_and_everything_given_are_kept():
    found = options_of("[DRYRUN] Hi [CUSTOMERREF:order 4711][MAXPARTS:2]")
    assert (found.reference, found.dry_run, found.subject) == ("order 4711", True, "Hi")
    assert found.given == {"DRYRUN": "", "CUSTOMERREF": "order 4711", "MAXPARTS": "2"}
    assert not options_of("[DRYRUN:OFF] Hi").dry_run


def test_the_same_option_twice_with_one_value_is_one_option():
    assert options_of("[FLASH:ON] [FLASH:ON]").patch == {"flash": True}
