"""Every mail of the corpus comes to what expected.toml says: recipients, text, coding, parts, drop reason or refusal.

The table by client and language is printed after the run (`pytest tests/corpus`); `python -m tests.corpus.test_corpus`
prints what each mail comes to now.
"""

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from mta.reading.addresses import read_recipient
from mta.reading.automatic import Dropped, classify, find_automatic
from mta.reading.body import ExtractedText, extract_text
from mta.reading.mime import MailLimits, ParsedMail, read_mail
from mta.reading.options import SubjectOptions, read_options
from sms.message import Alphabet, EncodedText
from sms.number import MobileNumber, parse_number
from sms.outcome import Refusal, Refused
from sms.parts import encode_text
from sms.settings import Settings, TextSource, Unencodable

HERE = Path(__file__).parent
EXPECTED = tomllib.loads((HERE / "expected.toml").read_text(encoding="utf-8"))
OWN_DOMAIN = "sms.example.net"


def read_raw(name):
    return (HERE / "mails" / f"{name}.eml").read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def is_own_message_id(message_id):
    return message_id.endswith(f"@{OWN_DOMAIN}>")


def settings_of(entry):
    given = dict(entry.get("settings", {}))
    if "text_source" in given:
        given["text_source"] = TextSource(given["text_source"])
    if "disclaimers" in given:
        given["disclaimers"] = tuple(given["disclaimers"])
    return Settings(unencodable=Unencodable.SWITCH, max_parts=20, default_country="GB", **given)


def outcome_of(name, entry):
    """Take a mail through intake: the mail, then its drop reason, its refusal, or its options and text."""
    settings = settings_of(entry)
    mail = read_mail(read_raw(name), MailLimits())
    if isinstance(mail, Refused):
        return None, mail, None
    reverse_path = entry.get("reverse_path", mail.author)
    found = classify(mail, reverse_path, own_message_id=is_own_message_id, own_domains={OWN_DOMAIN})
    if found is None and not settings.automatic_mail and (mark := find_automatic(mail, reverse_path)):
        found = Refused(refusal=Refusal.AUTOMATIC_MAIL, detail=mark)
    if found is not None:
        return mail, found, None
    options = read_options(mail.subject) if settings.subject_options else SubjectOptions(subject=mail.subject)
    if isinstance(options, Refused):
        return mail, options, None
    return mail, extract_text(mail, settings, subject=options.subject), options


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_mail_comes_to_what_is_expected(name):
    entry = EXPECTED[name]
    mail, found, options = outcome_of(name, entry)
    if "drop" in entry:
        assert isinstance(found, Dropped), found
        assert (found.reason, found.mark) == (entry["drop"], entry["mark"])
        return
    if "refused" in entry:
        assert isinstance(found, Refused)
        assert found.refusal == entry["refused"]
        assert found.detail
        return
    assert isinstance(mail, ParsedMail)
    if "author_problem" in entry:
        assert mail.author == ""
        assert entry["author_problem"] in mail.author_problem
        return
    assert isinstance(found, ExtractedText), found
    assert found.text == entry["text"]
    assert mail.author == entry.get("author", mail.author) != ""
    assert (mail.priority or "") == entry.get("priority", "")
    assert sorted(options.patch) == sorted(entry.get("patch", []))
    assert options.subject == entry.get("subject", options.subject)
    encoded = encode_text(found.text, coding=Alphabet.GSM7, unencodable=Unencodable.SWITCH, max_parts=20)
    assert isinstance(encoded, EncodedText)
    assert (encoded.alphabet, len(encoded.lengths), encoded.cut) == (entry["coding"], entry["parts"], "")


@pytest.mark.parametrize("name", sorted(name for name in EXPECTED if "numbers" in EXPECTED[name]))
def test_the_recipients_of_a_mail_are_its_numbers(name):
    entry = EXPECTED[name]
    numbers = []
    for given in entry["rcpt"]:
        address = read_recipient(given, prefixes=("SMS",))
        assert not isinstance(address, Refused), address
        number = parse_number(address.number, "GB")
        assert isinstance(number, MobileNumber), number
        numbers.append(number.e164)
    assert numbers == entry["numbers"]


def test_every_mail_of_the_folder_is_expected_and_none_is_missing():
    assert {path.stem for path in (HERE / "mails").iterdir()} == set(EXPECTED)
    assert len(EXPECTED) >= 410


def coverage_table():
    """Return the corpus as lines: one row for a client, one column for a language."""
    counts = Counter((entry["client"], entry["language"]) for entry in EXPECTED.values())
    clients = sorted({client for client, _ in counts})
    languages = sorted({language for _, language in counts})
    width = max(map(len, clients))
    yield f"{'client':{width}} " + " ".join(f"{language:>3}" for language in languages) + "  all"
    for client in clients:
        cells = [counts[client, language] for language in languages]
        yield f"{client:{width}} " + " ".join(f"{cell or '.':>3}" for cell in cells) + f" {sum(cells):>4}"
    totals = [sum(counts[client, language] for client in clients) for language in languages]
    yield f"{'all':{width}} " + " ".join(f"{total:>3}" for total in totals) + f" {sum(totals):>4}"


if __name__ == "__main__":
    for line in coverage_table():
        print(line)
    for corpus_name in sorted(EXPECTED):
        print(f"\n== {corpus_name}")
        print(outcome_of(corpus_name, EXPECTED[corpus_name])[1])
