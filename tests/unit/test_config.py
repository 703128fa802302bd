"""The operator's file: right values from right text, and for wrong text the line and what is expected there."""

import json
import re
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.carriers import CarrierKind, OnUnknown
from config.example import example_toml, render_config
from config.field_types import (
    HostPort,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
    read_secret,
)
from config.lines import line_of, locate
from config.model import BareNewlines, Config, load_config
from config.reader import ConfigProblem
from smpp.dialect.binds import BindMode
from smpp.wire.statuses import StatusVerdict
from sms.message import Priority, ReceiptState
from tls.listening import TlsMode
from tls.policy import PinKind, TlsLevel

SMALL = """\
[server]
hostname = "gateway.example.net"
domains = ["sms.example.net"]

[[listener]]
name = "in"
address = "127.0.0.1:2525"

[[carrier]]
name = "sandbox"
kind = "sandbox"
"""


def write(folder: Path, text: str) -> Path:
    """Return a config file with this text."""
    file = folder / "mail2sms.toml"
    file.write_text(text, encoding="utf-8")
    return file


def load(folder: Path, text: str) -> Config:
    """Return a config that must be right."""
    config = load_config(write(folder, text))
    assert isinstance(config, Config), "\n".join(map(str, config))
    return config


def complain(folder: Path, text: str) -> list[ConfigProblem]:
    """Return the problems of a config that must be wrong."""
    problems = load_config(write(folder, text))
    assert isinstance(problems, list), "expected problems, got a config"
    return problems


def test_the_smallest_file_gives_every_option_a_value(tmp_path):
    config = load(tmp_path, SMALL)
    assert config.server.domains == ("sms.example.net",)
    assert config.listeners[0].address == HostPort("127.0.0.1", 2525)
    assert config.listeners[0].tls is TlsMode.OFF
    assert config.listeners[0].bare_newlines is BareNewlines.REFUSE
    assert config.listeners[0].max_size == 10 * 1024 * 1024
    assert config.carriers[0].kind is CarrierKind.SANDBOX
    assert config.carriers[0].on_unknown is OnUnknown.HOLD
    assert config.mail_from == "sms@sms.example.net"
    assert config.warnings == ()


def test_values_of_every_kind_are_read(tmp_path):
    (tmp_path / "secret").write_text("s3cret\n", encoding="utf-8")
    (tmp_path / "secret").chmod(0o600)
    config = load(
        tmp_path,
        SMALL.replace('kind = "sandbox"', 'kind = "smpp"')
        + """\
host = "::1"
system_id = "acme"
password_file = "secret"
bind = "pair"
reconnect_max = "90s"
prefixes = ["44", "4479"]

[mail]
retry_after = ["1m", "1h"]
resolvers = ["127.0.0.1", "::1", "127.0.0.2:5353", "[2001:db8::53]:54"]

[[mail.route]]
domain = ".Example.ORG"
host = "relay.example.net"
tls = "verify"

[[mail.tls]]
domain = "*"
level = "fingerprint"
pins = ["spki:0f0F0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"]

[settings]
priority = "express"
max_parts = 2
delivery_receipt = true
validity = "12h"
address_prefixes = ["SMS", "FAX"]
""",
    )
    carrier = config.carriers[0]
    assert (carrier.host, carrier.bind, carrier.prefixes) == ("::1", BindMode.PAIR, ("44", "4479"))
    assert carrier.reconnect_max == timedelta(seconds=90)
    assert carrier.password_file is not None
    assert read_secret(carrier.password_file) == "s3cret"
    assert [str(server) for server in config.mail.resolvers] == [
        "127.0.0.1:53",
        "[::1]:53",
        "127.0.0.2:5353",
        "[2001:db8::53]:54",
    ]
    assert config.mail.retry_after == (timedelta(minutes=1), timedelta(hours=1))
    assert (config.mail.routes[0].domain, config.mail.routes[0].tls) == (".example.org", TlsLevel.VERIFY)
    policy = config.mail.tls_policies[0].policy
    assert policy.level is TlsLevel.FINGERPRINT
    assert (policy.pins[0].kind, policy.pins[0].digest) == (PinKind.PUBLIC_KEY, "0f" * 32)
    assert config.settings["priority"] is Priority.EXPRESS
    assert config.settings["max_parts"] == 2
    assert config.settings["delivery_receipt"] is True
    assert config.settings["validity"] == timedelta(hours=12)
    assert config.settings["address_prefixes"] == ("SMS", "FAX")


@pytest.mark.parametrize(
    ("database", "url"),
    [
        ("sqlite:///mail2sms.db", "sqlite://{folder}/data/mail2sms.db"),
        ("sqlite:///srv/sms/a.db", "sqlite:///srv/sms/a.db"),
        ("sqlite:////srv/sms/a.db", "sqlite:///srv/sms/a.db"),
        ("postgresql://sms@db.example.net/sms", "postgresql://sms@db.example.net/sms"),
    ],
)
def test_a_database_is_found_where_its_url_says(tmp_path, database, url):
    (tmp_path / "data").mkdir()
    text = SMALL.replace("[server]\n", f'[server]\ndata_dir = "data"\ndatabase = "{database}"\n')
    assert load(tmp_path, text).server.database_url == url.format(folder=tmp_path)


def test_the_example_file_is_what_the_types_say():
    committed = Path(__file__).parents[2] / "mail2sms.example.toml"
    assert committed.read_text("utf-8") == example_toml(), "run: make example"


def test_the_example_file_is_right(tmp_path):
    text = example_toml().replace("/var/lib/mail2sms", ".")
    assert load(tmp_path, text).server.hostname == "gateway.example.net"


def test_a_data_folder_that_is_not_there_is_told_with_its_line(tmp_path):
    text = SMALL.replace("[server]\n", '[server]\ndata_dir = "nowhere/data"\n')
    (problem,) = complain(tmp_path, text)
    assert text.splitlines()[problem.line - 1].startswith("data_dir")
    assert problem.message == f"server.data_dir: expected a folder that is there, {tmp_path}/nowhere/data is none"


def test_every_commented_option_of_the_example_is_a_right_value(tmp_path):
    text = re.sub(r"(?m)^#(?=\S)", "", example_toml())
    for name in set(re.findall(r'(?m)^\w+_file = "([^"]+)"$', text)):
        (tmp_path / name).write_text("x", encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    problems = complain(tmp_path, text.replace("/var/lib/mail2sms", "."))
    # What is left are options that exclude each other, which only a file with all of them can hold.
    assert [problem.message for problem in problems] == [
        "server.database_password_file: expected only with a postgresql:// database",
        'http[1].proxy_from: "operator" asks for no login: a proxy would let others read it',
        'http[1].forwarded_from: "operator" asks for no login: a proxy would let others read it',
        "carrier[1].hosts: expected host or hosts, not both: put the host first among the hosts",
        'carrier[1].tls: expected "require" where there is a ca_file',
        "mail.tls[1].level: pins belong to level fingerprint, not to verify",
        "mail.tls[1].level: a CA file belongs to level private-ca, not to verify",
        "push.login[1].user: expected with basic and digest alone, and without colon",
        "push.login[1].password_file: expected with a login, and only with one",
    ]


def test_an_authority_needs_an_address_where_it_is_answered_without_tls(tmp_path):
    acme = '[acme]\ndomains = ["mx.example.net"]\n'
    http = '[[http]]\nname = "a"\naddress = "0.0.0.0:80"\nserves = ["acme"]\n'
    listener = SMALL.replace('name = "in"\n', 'name = "in"\ntls = "offer"\n')
    assert 'an [[http]] that serves "acme"' in complain(tmp_path, listener + acme)[0].message
    assert "is asked for without TLS" in complain(tmp_path, listener + acme + http + "tls = true\n")[0].message
    assert load(tmp_path, listener + acme + http).acme_file == Path("acme/certificate.pem")
    assert (
        "account_id and account_key_file together"
        in complain(tmp_path, SMALL + '[acme]\naccount_id = "x"\n')[0].message
    )


def test_a_first_file_has_exactly_the_values_it_was_made_with(tmp_path):
    values = {
        "server": {"hostname": "a.example", "domains": ["b.example", "c.example"]},
        "listener": [
            {"name": "one", "address": "[::1]:25", "timeouts": {"command": "7m"}},
            {"name": "two", "address": "127.0.0.1:26"},
        ],
        "carrier": [
            {"name": "s", "kind": "sandbox", "sandbox": {"receipt_delay": "5s"}},
            {
                "name": "t",
                "kind": "sandbox",
                "dialect": {
                    "statuses": {"0x0401": {"verdict": "retry", "code": "throttled", "text": "Slower."}},
                    "receipt_states": {"ACCEPTD": "delivered", "PARKED": "enroute"},
                },
            },
        ],
        "mail": {"sandbox": "mailbox", "tls": [{"domain": "*", "level": "encrypt"}]},
        "settings": {"max_parts": 3},
    }
    text = render_config(values)
    assert {key: value for key, value in tomllib.loads(text).items() if value} == values
    first, second = load(tmp_path, text).carriers
    assert first.sandbox.receipt_delay == timedelta(seconds=5)
    assert second.dialect.receipt_states == {"ACCEPTD": ReceiptState.DELIVERED, "PARKED": ReceiptState.ENROUTE}
    assert second.dialect.statuses[0x0401].verdict is StatusVerdict.RETRY


WRONG = {
    "a value of the wrong type": (
        "max_errors = true",
        8,
        "listener[1].max_errors: expected a whole number of 1 or more",
    ),
    "a word that is no choice": ('tls = "maybe"', 8, 'expected off, offer, require or implicit, got "maybe"'),
    "an address without a port": ('address = "127.0.0.1"', 7, "expected an address with a port such as"),
    "a duration without a unit": (
        'timeouts = { command = "5" }',
        8,
        "listener[1].timeouts.command: expected a duration",
    ),
    "a duration of no length": ('timeouts = { command = "0s" }', 8, "more than 0"),
    "a duration beyond all time": ('timeouts = { command = "99999999999d" }', 8, "expected a duration"),
    "a size in words": ('max_size = "big"', 8, 'expected a size such as "10M"'),
    "a misspelt key": ("max_recipents = 5", 8, 'unknown key, did you mean "max_recipients"?'),
    "a key from nowhere": ("zzz = 5", 8, "unknown key, expected address, auth"),
    "a file that is not there": ('certificate_file = "no.pem"', 8, "No such file or directory"),
    "a table where a value stands": ("timeouts = 5", 8, "listener[1].timeouts: expected a table, got 5"),
    "TLS without a certificate": ('tls = "offer"', 8, "TLS needs a certificate: certificate_file"),
    "half a certificate": (
        'certificate_file = "mail2sms.toml"',
        8,
        "expected certificate_file and key_file together, or neither",
    ),
    "a login that nobody could make": ('auth = "require"', 8, "nobody could log in"),
    "client certificates without TLS": ('client_certificate = "request"', 8, 'expected "none" where tls is "off"'),
    "TOML that is none": ("tls = off", 8, "expected TOML: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_line_is_named_with_what_is_expected(tmp_path, case):
    line, number, expected = WRONG[case]
    key = line.split(" ")[0]
    lines = [old for old in SMALL.splitlines() if key != "address" or not old.startswith("address ")]
    lines.insert(number - 1, line)
    problems = complain(tmp_path, "\n".join(lines))
    assert any(problem.line == number and expected in problem.message for problem in problems), problems
    assert str(problems[0]).startswith(f"{tmp_path}/mail2sms.toml:{problems[0].line}: ")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((SMALL[: SMALL.index("[[carrier]]")], 1), '"carrier" is missing: expected at least one such table'),
        ((SMALL.replace('name = "in"\n', ""), 5), 'listener[1]: "name" is missing'),
        ((SMALL + '[[carrier]]\nname = "sandbox"\nkind = "sandbox"\n', 13), '"sandbox" stands twice'),
        ((SMALL.replace('"sandbox"\n', '"smpp"\n', 2), 11), '"smpp" needs host'),
        ((SMALL.replace('["sms.example.net"]', "[]"), 3), "at least one domain"),
        ((SMALL.replace('["sms.example.net"]', '["sms..net"]'), 3), "server.domains[1]: expected a domain name"),
        ((SMALL + "[settings]\nmax_parts = 99\n", 13), "expected a number from 1 to 20, got '99'"),
        ((SMALL + "[settings]\nmax_prats = 9\n", 13), "did you mean"),
        ((SMALL + '[[mail.route]]\ndomain="*"\nhost="h.example"\nuser="u"\n', 15), "user and password_file together"),
        (
            (SMALL + '[[push.allow]]\ncustomer="demo"\nnetworks=["10.0.0.1/8"]\n', 14),
            'a network such as "10.20.0.0/16"',
        ),
        (
            (SMALL + '[mail]\nresolvers = ["dns.example.net"]\n', 13),
            'expected an address such as "192.0.2.53", "127.0.0.1:5353" or "[::1]:5353", got',
        ),
        ((SMALL + '[[mail.tls]]\ndomain="*"\nlevel="fingerprint"\n', 14), "needs at least one pin"),
        (
            (SMALL + '[[mail.tls]]\ndomain="*"\nlevel="may"\n[[mail.tls]]\ndomain="*"\nlevel="may"\n', 16),
            "stands twice",
        ),
        ((SMALL + "[limits]\nmails_per_minute = -1\n", 13), "a whole number of 0 or more, got -1"),
    ],
)
def test_what_is_missing_or_contradicts_itself_is_named(tmp_path, change, expected):
    text, line = change
    problems = complain(tmp_path, text)
    assert [problem.line for problem in problems if expected in problem.message] == [line], problems


def test_passwords_in_clear_stay_on_loopback(tmp_path):
    text = SMALL.replace('name = "in"\n', 'name = "in"\nauth_in_clear = true\n')
    load(tmp_path, text)
    problems = complain(tmp_path, text.replace("127.0.0.1", "192.0.2.1"))
    assert "loopback" in problems[0].message


def test_passwords_in_clear_do_not_stay_on_loopback_behind_a_proxy(tmp_path):
    text = SMALL.replace('name = "in"\n', 'name = "in"\nauth_in_clear = true\nproxy_from = ["127.0.0.1"]\n')
    (problem,) = complain(tmp_path, text)
    assert "auth_in_clear: expected false with proxy_from" in str(problem)


def test_proxies_are_addresses_and_networks(tmp_path):
    text = SMALL.replace('name = "in"\n', 'name = "in"\nproxy_from = ["10.0.0.0/8", "2001:db8::1"]\n')
    assert [str(one) for one in load(tmp_path, text).listeners[0].proxy_from] == ["10.0.0.0/8", "2001:db8::1/128"]
    (problem,) = complain(tmp_path, text.replace("10.0.0.0/8", "10.0.0.1/8"))
    assert 'expected an address or a network such as "192.0.2.7"' in str(problem)


def test_all_errors_come_at_once_in_the_order_of_the_file(tmp_path):
    text = (
        SMALL.replace("gateway.example.net", "not a name")
        .replace("127.0.0.1:2525", "nowhere")
        .replace('kind = "sandbox"', 'kind = "telex"\nfoo = 1')
    )
    problems = complain(tmp_path, text)
    assert [problem.line for problem in problems] == [2, 7, 11, 12]


def test_a_password_in_the_database_url_is_refused_and_not_repeated(tmp_path):
    text = SMALL.replace("[server]\n", '[server]\ndatabase = "postgresql://sms:hunter2@db/sms"\n')
    problems = complain(tmp_path, text)
    assert "database_password_file" in problems[0].message
    assert "hunter2" not in str(problems[0])


LONG_NAMES = """
[[carrier]]
name = "alpha"
kind = "smpp"
host = "smsc.example.net"
system_id = "{system_id}"
password_file = "carrier.password"
[carrier.dialect]
service_type = "{service_type}"
"""


@pytest.mark.parametrize(
    ("system_id", "password", "service_type", "told"),
    [
        ("acme", "s3cret", "CMT", []),
        ("acme", "twelve chars", "CMT", [(19, True, "the password has 12 characters")]),
        ("a-name-of-17-long", "s3cret", "CMT", [(18, True, "17 characters")]),
        ("acme", "s3cret", "PREMIUM1", [(21, True, "8 characters")]),
        ("acme", "pass€", "CMT", [(19, False, "SMPP cannot carry")]),
        ("čech", "s3cret", "CMT", [(18, False, "SMPP cannot carry")]),
    ],
)
def test_what_is_longer_than_the_standard_is_a_warning_and_what_no_pdu_can_carry_an_error(
    tmp_path, system_id, password, service_type, told
):
    (tmp_path / "carrier.password").write_text(password + "\n", "utf-8")
    (tmp_path / "carrier.password").chmod(0o600)
    text = SMALL.replace('kind = "sandbox"\n', 'kind = "sandbox"\ncustomers = ["demo"]\n')
    config = load_config(write(tmp_path, text + LONG_NAMES.format(system_id=system_id, service_type=service_type)))
    problems = config.warnings if isinstance(config, Config) else config
    found = [(problem.line, problem.warning) for problem in problems]
    assert found == [(line, warning) for line, warning, _ in told], problems
    assert all(words in problem.message for problem, (_, _, words) in zip(problems, told, strict=True)), problems
    assert not any(password in problem.message for problem in problems)


def test_a_secret_that_everybody_can_read_is_a_warning(tmp_path):
    (tmp_path / "mail1.key").write_text("x", encoding="utf-8")
    (tmp_path / "mail1.key").chmod(0o644)
    text = SMALL + '[[mail.dkim]]\ndomain = "example.net"\nselector = "mail1"\nkey_file = "mail1.key"\n'
    config = load(tmp_path, text)
    assert [(problem.line, problem.warning) for problem in config.warnings] == [(15, True)]
    assert "chmod o-rwx" in str(config.warnings[0])
    (tmp_path / "mail1.key").chmod(0o640)
    assert load(tmp_path, text).warnings == ()


def test_a_file_that_is_empty_is_no_secret(tmp_path):
    (tmp_path / "mail1.key").touch(mode=0o600)
    text = SMALL + '[[mail.dkim]]\ndomain = "example.net"\nselector = "mail1"\nkey_file = "mail1.key"\n'
    assert "is empty" in complain(tmp_path, text)[0].message


def test_relative_paths_count_from_the_file_and_not_from_here(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "gateway.pem").write_text("x", encoding="utf-8")
    (tmp_path / "etc" / "gateway.pem").chmod(0o600)
    files = 'name = "in"\ncertificate_file = "gateway.pem"\nkey_file = "gateway.pem"\n'
    file = write(tmp_path / "etc", SMALL.replace('name = "in"\n', files))
    monkeypatch.chdir(tmp_path)
    config = load_config(file.relative_to(tmp_path))
    assert isinstance(config, Config)
    assert config.listeners[0].certificate_file == tmp_path / "etc" / "gateway.pem"


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b'[server]\nhostname = "\xe9"\n', b"a = [", b"\0"])
def test_a_file_that_cannot_be_read_is_a_problem_like_any_other(tmp_path, content):
    file = tmp_path / "mail2sms.toml"
    if content is not None:
        file.write_bytes(content)
    problems = load_config(file)
    assert isinstance(problems, list)
    assert problems[0].line >= 1
    assert "expected" in problems[0].message


@given(st.integers(min_value=0, max_value=10**12))
def test_durations_survive_being_written(milliseconds):
    value = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(value)) == value


@given(st.integers(min_value=0, max_value=1 << 50))
def test_sizes_survive_being_written(octets):
    assert parse_size(format_size(octets)) == octets


KEYS = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), max_size=6
)
LEAVES = st.integers(-9, 99) | st.booleans() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


def toml_value(value: object, newline: str) -> str:
    """Return a value as TOML, over several lines and with misleading comments where a newline is given."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml_value(item, '')}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        comma = f", # ] }}{newline}" if newline else ","
        return f"[{newline}{comma.join(toml_value(item, '') for item in value)}{newline}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.isprintable() and "'" not in value and len(value) % 2:
        return f"'''\n{value}'''" if newline else f"'{value}'"
    return json.dumps(value).replace("\x7f", "\\u007f")


def paths_of(value: object, path: tuple = ()) -> set:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path}.union(*(paths_of(item, (*path, key)) for key, item in inner))


@given(
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3),
    st.lists(st.dictionaries(KEYS, VALUES, max_size=2), max_size=3),
    st.booleans(),
)
def test_every_place_of_a_toml_document_has_a_line_and_no_other_has(top, tables, array, spread):
    lines = [f"{json.dumps(key)} = {toml_value(value, chr(10) if spread else '')} # = [" for key, value in top.items()]
    for name, table in tables.items():
        if name in top:
            continue
        lines += [
            f"[ {json.dumps(name)} ]",
            *(f"{json.dumps(key)}={toml_value(item, '')}" for key, item in table.items()),
        ]
    for table in array:
        lines += [
            "[[a . 'the array']]",
            *(f"{json.dumps(key)} = {toml_value(item, '')}" for key, item in table.items()),
        ]
    text = "\n".join(lines).replace("\x7f", "\\u007f")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(locate(text)) == paths_of(document) - {()}


def test_a_place_without_a_line_of_its_own_gets_that_of_the_table_around_it():
    lines = locate("a = 1\n\n[b]\nc = 2\n")
    assert line_of(lines, ("b", "missing", "deeper")) == 3
    assert line_of(lines, ("nowhere",)) == 1


PUSH_LOGIN = SMALL + '[[push.login]]\ncustomer="demo"\nurl="https://app.example.com/sms"\n'


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "expected basic, digest, bearer, or a certificate_file"),
        ('login="bearer"', "push.login[1].password_file: expected with a login"),
        (
            'password_file="secret"\ncertificate_file="some.pem"\nkey_file="secret"',
            "password_file: expected with a login",
        ),
        ('login="basic"\npassword_file="secret"', "user: expected with basic and digest alone"),
        ('login="basic"\nuser="a:b"\npassword_file="secret"', "and without colon"),
        ('login="bearer"\nuser="a"\npassword_file="secret"', "user: expected with basic and digest alone"),
        ('certificate_file="some.pem"', "key_file"),
        ('url="ftp://app.example.com/"\nlogin="bearer"', "push.login"),
    ],
)
def test_half_a_login_of_pushes_is_an_error_that_says_what_is_missing(tmp_path, lines, said):
    (tmp_path / "secret").write_text("token")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "some.pem").write_text("x")
    file = tmp_path / "mail2sms.toml"
    head = PUSH_LOGIN.replace('url="https://app.example.com/sms"\n', "") if "url=" in lines else PUSH_LOGIN
    file.write_text(f"{head}{lines}\n")
    problems = load_config(file)
    assert not isinstance(problems, Config)
    assert any(said in str(problem) for problem in problems), problems
