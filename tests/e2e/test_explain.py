"""`mail2sms explain`: the ten samples of real senders, trial settings, refusals and drops, in the public shape; nothing is stored."""

import hashlib
import json
import re
from pathlib import Path

import gsm0338
import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from cli.__main__ import main
from sms.settings import FIELDS
from tests.kit.in_process import undo_a_command
from tests.kit.installation import mail, write_first
from tests.kit.proving_site import DOMAIN, KEY, signed, written
from tests.kit.resolver import TableResolver
from tests.kit.signed_mail import key_record
from tests.kit.testbed import administer

SAMPLES = Path(__file__).parent / "samples"
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "explain.md"
AT = "@sms.example.net"
# Sample, reverse-path, recipient, its number, the text of the SMS, its coding and parts under «switch».
SENT = [
    (
        "s1",
        "WF-BATCH@s4p-100.erp.example.com",
        "SMS=+447700900123",
        "+447700900123",
        "Ihre Lieferung 80012345 trifft heute zwischen 14 und 16 Uhr ein. Rückfragen: +44 20 7946 0000",
        ("gsm7", 1),
    ),
    (
        "s2",
        "anna.keller@example.com",
        "+447700900101",
        "+447700900101",
        "Der Server ist wieder online. Bitte prüfen und kurz bestätigen.\n\nDanke\nAnna",
        ("gsm7", 1),
    ),
    (
        "s3",
        "priya.shah@clinic.example.com",
        "07700900102",
        "+447700900102",
        "Your appointment is moved to Tue 24 Nov, 10:30 – reply YES to confirm.",
        ("ucs2", 1),
    ),
    (
        "s4",
        "j.berg@corp.example.com",
        "IMCEASMS-+2B447700900103",
        "+447700900103",
        "Störung Pumpe 7 & Kessel 2:\nbitte zurückrufen!",
        ("gsm7", 1),
    ),
    (
        "s6",
        "marco@example.org",
        "447700900105",
        "+447700900105",
        "On my way 🚗 https://example.org/map?id=42",
        ("ucs2", 1),
    ),
    (
        "s7",
        "yamada@example.co.jp",
        "+447700900106",
        "+447700900106",
        "本日18時にシステム停止します。至急ご確認ください。",
        ("ucs2", 1),
    ),
    (
        "s8",
        "lager@corp.example.com",
        "+447700900107",
        "+447700900107",
        "Bitte Zugänge für das Lager sperren.",
        ("gsm7", 1),
    ),
    ("s9", "anna.keller@example.com", "+447700900108", "+447700900108", "Ja, 16 Uhr passt.", ("gsm7", 1)),
]


@pytest.fixture(scope="module")
def house(tmp_path_factory, module_database):
    """What `init` writes, with the customer demo."""
    return _house(tmp_path_factory.mktemp("explain") / "house", module_database)


def _house(folder: Path, database: str) -> Path:
    write_first(folder, database)
    return folder


def run(folder: Path, *arguments: object):
    given = ["explain", "--config", str(folder / "mail2sms.toml"), *map(str, arguments)]
    result = CliRunner().invoke(main, given)
    undo_a_command()
    return result


def explain(folder: Path, *arguments: object) -> dict:
    result = run(folder, *arguments)
    assert result.exit_code == 0, result.output
    told: dict = json.loads(result.stdout)
    return told


@pytest.fixture
def note(tmp_path: Path):
    """Write a plain mail with this text and return its file."""

    def write(text: str, **fields) -> Path:
        file = tmp_path / "note.eml"
        file.write_bytes(mail(text, **fields))
        return file

    return write


def decode(part: dict, coding: str) -> str:
    """Read a part's payload as a phone does, without our own code."""
    octets = bytes.fromhex(part["payload"])
    if coding == "ucs2":
        return octets.decode("utf-16-be")
    return str(gsm0338.Codec().decode(octets)[0])


@pytest.mark.parametrize("row", SENT, ids=[row[0] for row in SENT])
def test_a_sample_of_a_real_sender_becomes_its_text(row, house):
    sample, sender, to, number, text, coded = row
    told = explain(
        house, "--as", "demo", "--from", sender, "--to", to + AT, "--set", "default_country=GB", "--set", "unencodable=switch",
        SAMPLES / f"{sample}.eml",
    )  # fmt: skip
    assert (told["version"], told["verdict"], told["reason"], told["options"]) == (2, "send", None, {})
    (recipient,) = told["recipients"]
    assert (recipient["given"], recipient["number"], recipient["refusal"]) == (to + AT, number, None)
    assert recipient["text"] == text
    assert (recipient["coding"], len(recipient["parts"])) == coded
    assert "".join(decode(part, recipient["coding"]) for part in recipient["parts"]) == recipient["text"]


@pytest.mark.parametrize(
    ("sample", "to", "reason"),
    [("s5", "+447700900104", "auto-reply"), ("s10", "status", "receipt"), ("s10", "+447700900104", "receipt")],
)
def test_a_sample_that_no_person_wrote_is_dropped_and_why(sample, to, reason, house):
    told = explain(house, "--as", "demo", "--from", "<>", "--to", to + AT, SAMPLES / f"{sample}.eml")
    assert (told["verdict"], told["reason"]) == ("drop", reason)
    assert told["mark"].startswith(
        ("In-Reply-To", "Content-Type: multipart/report; report-type=disposition-notification")
    )
    assert [(item["text"], item["parts"], item["refusal"]) for item in told["recipients"]] == [("", [], None)]


def test_the_shape_is_exactly_the_public_one(house, note):
    told = explain(house, "--as", "demo", "--from", "a@example.com", "--to", "+447700900101" + AT, note("Hello – you"))
    assert list(told)[:6] == ["version", "verdict", "reason", "refusal", "recipients", "settings"]
    (recipient,) = told["recipients"]
    assert list(recipient) == [
        "given", "number", "refusal", "text", "coding", "languages", "coding_for", "parts", "replaced", "cut", "duplicate_of", "settings", "rules", "due_at",
    ]  # fmt: skip
    assert [list(part) for part in recipient["parts"]] == [["text", "udh", "payload"]]
    assert recipient["replaced"] == [{"index": 6, "from": "–", "to": "-", "kind": "relative"}]
    assert (recipient["cut"], recipient["duplicate_of"]) == ("", None)
    assert recipient["settings"] == {}
    assert set(told["settings"]) == set(FIELDS)
    assert all(list(item) == ["value", "layer", "origin"] for item in told["settings"].values())
    assert told["settings"]["max_parts"] == {"value": 4, "layer": "built-in", "origin": "built-in"}


def test_each_rule_of_a_country_is_named_with_its_mode_its_source_and_who_decided(house, note):
    asked = ("--as", "demo", "--from", "a@example.com", "--to", "+447700900101" + AT, "--set", "sender_id=INFO")
    told = explain(house, *asked, note("Hello"))
    [rule] = [rule for rule in told["recipients"][0]["rules"] if rule["rule"] == "generic_id"]
    assert (rule["country"], rule["effect"], rule["mode"], rule["decided_by"]) == ("GB", "noted", "note", "")
    assert rule["says"] == "United Kingdom: general names such as INFO do not pass."
    assert rule["sources"]
    assert rule["as_of"] == "2026-05"
    assert told["verdict"] == "send"


def test_a_text_of_many_parts_is_cut_after_the_last_that_is_allowed(house, note):
    words = " ".join(f"Zeile{n}" for n in range(400))
    told = explain(
        house,
        "--as",
        "demo",
        "--from",
        "a@example.com",
        "--to",
        "+447700900101" + AT,
        "--set",
        "max_parts=16",
        note(words),
    )
    (recipient,) = told["recipients"]
    parts = recipient["parts"]
    assert len(parts) == 16
    assert [part["udh"] for part in parts] == [f"05000300{16:02x}{index:02x}" for index in range(1, 17)]
    assert [decode(part, "gsm7") for part in parts] == [part["text"] for part in parts]
    assert max(len(bytes.fromhex(part["payload"])) for part in parts) == 153
    assert recipient["text"] == "".join(part["text"] for part in parts)
    assert recipient["text"] + recipient["cut"] == words
    assert recipient["cut"]


def test_several_trial_settings_lie_on_top_of_all_others_and_say_so(house, note):
    told = explain(
        house, "--as", "demo", "--from", "a@example.com", "--to", "07700900101" + AT,
        "--set", "coding=ucs2", "--set", "text_source=both", "--set", "default_country=GB", "--set", "sender_id=Example",
        "--set", "max_parts=2", note("👍🏽" * 60, subject="Alarm"),
    )  # fmt: skip
    (recipient,) = told["recipients"]
    assert (told["verdict"], recipient["number"], recipient["coding"], len(recipient["parts"])) == (
        "send",
        "+447700900101",
        "ucs2",
        2,
    )
    assert recipient["text"].startswith("Alarm\n👍🏽")
    texts = [decode(part, "ucs2") for part in recipient["parts"]]
    assert "".join(texts) == recipient["text"]
    assert all(text.removeprefix("Alarm\n").replace("👍🏽", "") == "" for text in texts)
    assert (recipient["text"] + recipient["cut"]).count("👍🏽") == 60
    for name, value in {"coding": "ucs2", "text_source": "both", "sender_id": "Example", "max_parts": 2}.items():
        assert told["settings"][name] == {"value": value, "layer": "trial", "origin": "--set"}
    assert told["settings"]["delivery_receipt"]["layer"] == "customer"


def test_options_of_the_subject_are_taken_where_they_are_switched_on(house, note):
    given = ("--as", "demo", "--from", "a@example.com", "--to", "+447700900101" + AT)
    file = note("Hello", subject="[MAXPARTS:2] [VALIDITY:4] Alarm")
    off = explain(house, *given, file)
    assert (off["options"], off["settings"]["max_parts"]["value"]) == ({}, 4)
    on = explain(house, *given, "--set", "subject_options=on", file)
    assert set(on["options"]) == {"MAXPARTS", "VALIDITY"}
    assert on["settings"]["validity"]["value"] == 240
    assert on["settings"]["max_parts"] == {"value": 2, "layer": "message", "origin": "subject"}
    bad = explain(house, *given, "--set", "subject_options=on", note("Hello", subject="[MAXPARTS:many]"))
    assert (bad["verdict"], bad["reason"], bad["recipients"][0]["refusal"]["enhanced"]) == (
        "refuse",
        "option-malformed",
        "5.5.4",
    )


def test_each_recipient_has_its_own_answer(house, note):
    numbers = ["+447700900101", "00447700900101", "+4930123456", "12", "+447700900102"]
    given = [argument for number in numbers for argument in ("--to", number + AT)]
    told = explain(house, "--as", "demo", "--from", "a@example.com", *given, "--to", "x@example.org", note("Hello"))
    assert told["verdict"] == "send"
    assert [item["number"] for item in told["recipients"]] == [
        "+447700900101",
        "+447700900101",
        None,
        None,
        "+447700900102",
        None,
    ]
    assert [item["duplicate_of"] for item in told["recipients"]][:2] == [None, "+447700900101" + AT]
    refusals = [
        item["refusal"] and (item["refusal"]["code"], item["refusal"]["enhanced"]) for item in told["recipients"]
    ]
    assert refusals == [None, None, (550, "5.1.1"), (550, "5.1.3"), None, (550, "5.7.1")]
    assert all(not item["parts"] for item in told["recipients"] if item["refusal"])


@pytest.mark.parametrize(
    ("arguments", "text", "expected"),
    [
        (("--from", "a@example.com"), "Hello", ("authentication-required", 530)),
        (("--as", "demo", "--from", "a@example.com"), " ", ("no-text", 554)),
        (
            ("--as", "demo", "--from", "a@example.com", "--set", "overlong=refuse", "--set", "max_parts=1"),
            "x" * 161,
            ("too-many-parts", 552),
        ),
    ],
)
def test_what_would_be_refused_says_the_reply(arguments, text, expected, house, note):
    reason, code = expected
    told = explain(house, *arguments, "--to", "+447700900101" + AT, note(text))
    assert (told["verdict"], told["reason"]) == ("refuse", reason)
    (recipient,) = told["recipients"]
    assert recipient["refusal"]["code"] == code
    assert recipient["refusal"]["text"]
    assert recipient["parts"] == []


def test_a_mail_is_refused_for_its_characters_only_where_the_operator_allows_it(house, note):
    asked = ("--as", "demo", "--from", "a@example.com", "--set", "unencodable=reject", "--to", "+447700900101" + AT)
    told = explain(house, *asked, note("漢字"))
    assert told["verdict"] == "send"
    assert told["settings"]["unencodable"]["value"] == "smart"
    assert told["settings"]["unencodable"]["origin"] == "constraint of the system"
    file = house / "mail2sms.toml"
    file.write_text(file.read_text("utf-8").replace("[mail]\n", "[mail]\nallow_reject = true\n"), "utf-8")
    told = explain(house, *asked, note("漢字"))
    assert (told["verdict"], told["reason"]) == ("refuse", "not-encodable")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--as", "nobody"), "there is no customer 'nobody'"),
        (("--as", "demo", "--set", "colour=red"), "'colour=red' is not FIELD=VALUE with a field of"),
        (("--as", "demo", "--set", "max_parts"), "'max_parts' is not FIELD=VALUE"),
        (("--as", "demo", "--set", "max_parts=many"), "a number from 1 to 20"),
    ],
)
def test_a_mistake_in_the_question_is_said(arguments, said, house, note):
    result = run(house, *arguments, "--from", "a@example.com", "--to", "+447700900101" + AT, note("Hello"))
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_a_client_without_a_login_is_proven_step_by_step(house, tmp_path, monkeypatch):
    administer(house, "customer add acme --domain acme.example.com --address-range 192.0.2.0/24")
    administer(house, "user add anna@acme.example.com --customer acme")
    record = {f"s1._domainkey.{DOMAIN}": [key_record(KEY)], DOMAIN: ["v=spf1 -all"]}
    monkeypatch.setattr("cli.proving.build_resolver", lambda config: TableResolver(texts=record))
    given = ("--from", "anna@acme.example.com", "--to", "+447700900101" + AT, "--client")

    def ask(client: str, raw: bytes) -> dict:
        (tmp_path / "asked.eml").write_bytes(raw)
        return explain(house, *given, client, tmp_path / "asked.eml")

    told = ask("192.0.2.1", written())
    assert (told["verdict"], told["proven"], told["customer"]) == ("send", True, "acme")
    assert told["proofs"] == [{"kind": "range", "held": True, "said": "192.0.2.0/24"}]
    assert (told["service"], told["service_by"]) == ("mail", "nothing else: it is a mail")
    administer(house, "customer set-range acme 192.0.2.0/24 --service sap")
    told = ask("192.0.2.1", written())
    assert (told["service"], told["service_by"]) == ("sap", "address range 192.0.2.0/24")
    told = ask("198.51.100.1", signed())
    assert (told["verdict"], told["proven"]) == ("send", True)
    assert [(step["kind"], step["held"]) for step in told["proofs"]] == [("range", False), ("dkim", True)]
    told = ask("198.51.100.1", written())
    assert (told["verdict"], told["proven"], told["reason"]) == ("refuse", False, "sender-not-authorised")
    assert [(step["kind"], step["held"], step["said"]) for step in told["proofs"]] == [
        ("range", False, "198.51.100.1 is in no range that proves alone"),
        ("dkim", False, "the mail is not signed"),
        ("spf", False, "it says fail"),
        ("arc", False, "no sealer is trusted"),
    ]


def test_before_the_first_start_there_is_nobody_to_ask_about(tmp_path, house, note):
    text = (house / "mail2sms.toml").read_text().replace("sqlite:///mail2sms.db", "sqlite:///none.db")
    (tmp_path / "mail2sms.toml").write_text(text)
    (tmp_path / "mailbox").mkdir()
    result = run(tmp_path, "--as", "demo", "--from", "a@example.com", "--to", "+447700900101" + AT, note("Hello"))
    assert result.exit_code == 1
    assert "none.db" in result.output
    assert not (tmp_path / "none.db").exists()


def test_nothing_is_stored(house, note, module_database):
    def files():
        kept = [file for file in house.iterdir() if file.is_file() and not file.name.endswith(("-wal", "-shm"))]
        return {file.name: (file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest()) for file in kept}

    def rows():
        if not module_database.startswith("postgresql:"):
            return []
        with psycopg.connect(module_database) as connection:
            found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            names = [sql.Identifier(name) for (name,) in found]
            return [connection.execute(sql.SQL("SELECT * FROM {}").format(name)).fetchall() for name in names]

    before = files(), rows()
    for text in ("Hello", "Good bye"):
        explain(house, "--as", "demo", "--from", "a@example.com", "--to", "+447700900101" + AT, note(text))
    assert (files(), rows()) == before


def test_what_a_mail_asks_of_tls_is_told(house, note, tmp_path):
    given = ("--as", "demo", "--from", "a@example.com", "--to", "+447700900101" + AT)
    asked = tmp_path / "asked.eml"
    asked.write_bytes(b"TLS-Required: No\r\n" + note("Hello").read_bytes())
    assert explain(house, *given, note("Hello"))["tls"] == {"asked": "", "demanded_by": []}
    assert explain(house, *given, asked)["tls"]["asked"] == "optional"
    assert explain(house, *given, "--requiretls", asked)["tls"]["asked"] == "required"
    assert "TLS asked    REQUIRETLS, so that" in run(house, *given, "--requiretls", "--text", asked).output


def test_the_documentation_names_every_field_and_its_example_is_true(house, note):
    page = DOCUMENTATION.read_text("utf-8")
    documented = set(re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE))
    names = {name for cell in documented for name in re.findall(r"`(\w+)`", cell)}
    told = explain(
        house, "--as", "demo", "--from", "anna@example.com", "--to", "+447700900101" + AT, note("Gate 4 – 5 €")
    )
    assert names == {*told, *told["recipients"][0]}
    example = json.loads(page.partition("```json")[2].partition("```")[0])
    (shown,), (real,) = example["recipients"], told["recipients"]
    told["settings"] = {name: told["settings"][name] for name in example["settings"]}
    assert shown == real
    assert {name: told[name] for name in example} == example


def test_limits_of_the_customer_hold_for_trial_settings_too(gateway_database, note, tmp_path):
    house = _house(tmp_path / "house", gateway_database)
    limited = CliRunner().invoke(
        main, ["customer", "limit", "demo", "--max-parts", "2", "--config", str(house / "mail2sms.toml")]
    )
    undo_a_command()
    assert limited.exit_code == 0, limited.output
    told = explain(
        house,
        "--as",
        "demo",
        "--from",
        "a@example.com",
        "--to",
        "+447700900101" + AT,
        "--set",
        "max_parts=5",
        note("x" * 900),
    )
    (recipient,) = told["recipients"]
    assert len(recipient["parts"]) == 2
    assert told["settings"]["max_parts"]["value"] == 2
    assert told["settings"]["max_parts"]["layer"] == "constraint"


async def test_it_answers_beside_a_running_gateway_and_a_change_of_settings_is_seen_at_once(site, note):
    await site.open()
    await site.start()
    given = (
        "explain",
        "--as",
        "demo",
        "--from",
        "a@example.com",
        "--to",
        "+447700900101" + AT,
        str(note("Grüße – bald")),
    )
    assert json.loads(await site.command(*given))["recipients"][0]["coding"] == "gsm7"
    await site.command("customer", "set", "demo", "unencodable=switch")
    told = json.loads(await site.command(*given))
    (recipient,) = told["recipients"]
    assert (recipient["coding"], recipient["text"]) == ("ucs2", "Grüße – bald")
    assert told["settings"]["unencodable"]["layer"] == "customer"
    assert site.jobs() == []
    # The server comes to the same once it has seen the change.
    await site.send("Grüße – bald")
    await site.told()
    (shown,) = site.carrier.record.shown()
    assert shown.text == "Grüße – bald"


def test_a_sender_id_that_gets_no_answer_is_told(house, note):
    def told(*trial):
        envelope = ("--as", "demo", "--from", "anna@example.com", "--to", "+447700900101" + AT)
        return explain(house, *envelope, *trial, note("Hello"))["unanswerable"]

    assert told() is None
    assert told("--set", "sender_id=ACME") == "name"
    assert told("--set", "sender_id=+447700900999") == "not-ours"


def test_whom_a_stop_list_names_is_refused_as_the_server_does(gateway_database, note, tmp_path):
    house = _house(tmp_path / "house", gateway_database)
    stops = ["stoplist", "add", "+447700900101", "--customer", "demo", "--config", str(house / "mail2sms.toml")]
    assert CliRunner().invoke(main, stops).exit_code == 0
    undo_a_command()
    envelope = ("--as", "demo", "--from", "a@example.com", "--to", "+447700900101" + AT)
    alone = explain(house, *envelope, note("Hello"))
    assert (alone["verdict"], alone["reason"]) == ("refuse", "stop-list")
    told = explain(house, *envelope, "--to", "+447700900102" + AT, note("Hello"))
    assert told["verdict"] == "send"
    refusals = [item["refusal"] for item in told["recipients"]]
    assert "BLOCKED" in refusals[0]["text"]
    assert refusals[1] is None
