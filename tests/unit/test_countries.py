"""What is known of countries: the tables keep their schema, and the commands print them with who says so."""

import json
import re
from importlib.resources import files

import phonenumbers
import pytest
from click.testing import CliRunner

from cli.__main__ import main
from config.model import Config, load_config
from countries.quiet import parse_quiet
from countries.rules import Confidence, RuleName, is_well_formed
from countries.tables import COUNTRIES, RULES, SOURCES, TableFault, read_countries
from gateway.admin.countries import changes_since_start, keep_issue, known_countries
from sms.sender_rate import parse_rate
from sms.settings import UseCase

HEADS = ["\t".join(columns) + "\n" for columns in (COUNTRIES, RULES, SOURCES)]
FRANCE = "FR\tFrance\t208\t+33"
SOURCE = "T\tTwilio\thttps://example.com/"
RULE = "FR\tquiet_hours\tMo-Sa 22:00-08:00;Su,PH all\tmarketing\t\t\tT\t2026-05\thigh"


def read(country=FRANCE, rule=RULE, source=SOURCE):
    """Return the countries of tables that have these lines."""
    return read_countries(*(head + line + "\n" for head, line in zip(HEADS, (country, rule, source), strict=True)))


def test_what_is_shipped_keeps_the_schema_and_knows_220_countries():
    countries = known_countries()
    assert len(countries) == 220
    assert list(countries) == sorted(countries)
    assert all(country.rules for country in countries.values())


def test_calling_codes_are_those_of_the_numbering_plan():
    for country in known_countries().values():
        code = phonenumbers.country_code_for_region(country.letters)
        assert country.calling_code.startswith(f"+{code}"), country.letters


def test_every_rule_has_a_source_a_month_and_a_confidence():
    for country in known_countries().values():
        for rule in country.rules:
            assert rule.sources
            assert re.fullmatch(r"20\d\d-\d\d", rule.as_of)
            assert rule.confidence in Confidence


def test_the_page_about_the_tables_describes_every_rule():
    page = (files("countries") / "data" / "README.md").read_text("utf-8")
    firsts = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", "".join(firsts))) == {*RuleName}


def test_a_date_from_which_a_rule_holds_stands_with_the_rule_that_it_is_about():
    assert [rule.name for rule in known_countries()["ES"].rules if rule.in_force_at] == [RuleName.ALPHA_REGISTRATION]
    assert [rule.name for rule in known_countries()["FR"].rules if rule.in_force_at] == [
        RuleName.ID_RULE,
        RuleName.ID_FORM,
    ]


def test_sources_that_differ_are_all_kept():
    assert {(rule.value, rule.sources[0].key) for rule in known_countries()["DE"].said(RuleName.TWO_WAY)} == {
        ("yes", "T"),
        ("long", "I"),
        ("yes", "A"),
    }


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({"country": "fr\tFrance\t208\t+33"}, "countries, line 2: «fr»: two capital letters"),
        ({"country": "FR\tFrance\t208\t33"}, "countries, line 2: «208», «33»"),
        ({"country": f"{FRANCE}\n{FRANCE}"}, "countries, line 3: «FR»"),
        ({"country": "FR\tFrance\t208"}, "countries, line 2: 3 cells; 4 are expected"),
        ({"rule": RULE.replace("FR", "DE")}, "rules, line 2: «DE» is no country"),
        ({"rule": RULE.replace("quiet_hours", "quiet")}, "rules, line 2: «quiet» is no rule"),
        ({"rule": RULE.replace("Mo-Sa 22:00-08:00", "at night")}, "rules, line 2: «at night"),
        ({"rule": RULE.replace("\tT\t", "\tT Z\t")}, "rules, line 2: «T Z»: keys of the table of sources"),
        ({"rule": RULE.replace("\tT\t2", "\t\t2")}, "rules, line 2: «»: keys of the table of sources"),
        ({"rule": RULE.replace("2026-05", "May")}, "rules, line 2: «May»: a month"),
        ({"rule": RULE.replace("high", "sure")}, "rules, line 2: «», «sure»: a day or nothing"),
        ({"rule": RULE.replace("\t\t\tT", "\t\t2026-13-01\tT")}, "rules, line 2: «2026-13-01»"),
        ({"rule": RULE.replace("marketing", "spam")}, "rules, line 2: «spam» is no use case"),
        ({"rule": RULE.replace("marketing\t", "marketing\t208")}, "rules, line 2: «208»: networks such as 26201"),
        ({"rule": f"{RULE}\n{RULE}"}, "rules, line 3: the same sources say the same"),
        ({"source": "T\tTwilio"}, "sources, line 2: 2 cells; 3 are expected"),
        ({"source": f"{SOURCE}\n\n{SOURCE}"}, "sources, line 3: 1 cells"),
    ],
)
def test_a_line_that_breaks_the_schema_is_named(lines, said):
    assert len(read()["FR"].rules) == 1
    with pytest.raises(TableFault) as fault:
        read(**lines)
    assert str(fault.value).startswith(said)


def test_a_table_without_its_header_is_refused():
    with pytest.raises(TableFault, match="countries, line 1: the header"):
        read_countries(FRANCE, HEADS[1], HEADS[2])


@pytest.mark.parametrize("value", ["", " ", "maybe"])
def test_unknown_is_no_value(value):
    assert not is_well_formed(RuleName.ALPHA, value)


def test_a_country_is_shown_with_what_each_rule_does_who_decided_it_and_its_sources():
    done = CliRunner().invoke(main, ["country", "show", "es"])
    assert done.exit_code == 0
    applied = (
        "alpha_registration: required   [applied by the product]   (from 2026-09-15, T B I C1 C2 C3, 2026-06, high)"
    )
    assert applied in done.output
    assert "[a note by the product]" in done.output
    assert "C1: CNMC" in done.output
    shown = json.loads(CliRunner().invoke(main, ["country", "show", "ES", "--json"]).output)
    every = [rule for rule in known_countries()["ES"].rules if rule.use_case in (None, UseCase.TRANSACTIONAL)]
    assert len(shown["rules"]) == len(every)


@pytest.fixture
def operator(tmp_path):
    """Return an operator's file that names a file of rules."""
    assert CliRunner().invoke(main, ["init", str(tmp_path / "house")]).exit_code == 0
    file = tmp_path / "house" / "mail2sms.toml"
    text = file.read_text("utf-8").replace("#rules_file =", "rules_file =")
    file.write_text(text, "utf-8")
    return file


def write_rules(operator, text):
    (operator.parent / "countries.toml").write_text(text, "utf-8")


def data_dir(operator):
    config = load_config(operator)
    assert isinstance(config, Config)
    return config.server.data_dir


def run(*words):
    done = CliRunner().invoke(main, [*map(str, words)])
    return done.output


def test_the_operator_decides_in_a_file_of_its_own_and_show_says_so(operator):
    write_rules(
        operator,
        '[[rule]]\ncountry = "BE"\nrule = "alpha"\nmode = "apply"\nreason = "letter of the regulator"\n'
        '[[rule]]\ncountry = "BE"\nrule = "text_suffix"\nvalue = "STOP {opt_out}"\nuse_case = "marketing"\n',
    )
    shown = run("country", "show", "--config", operator, "BE")
    assert "alpha: none   [applied by countries.toml, line 1: letter of the regulator]" in shown
    assert "text_suffix" not in shown
    marketing = run("country", "show", "--config", operator, "--use-case", "marketing", "BE")
    assert "text_suffix: STOP {opt_out}   [applied by countries.toml, line 6]" in marketing


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('country = "XX"\nrule = "alpha"', 'countries.toml:2: rule[1].country: "XX" is no country'),
        ('country = "BE"\nrule = "alfa"', "countries.toml:3: rule[1].rule: expected"),
        ('country = "BE"\nrule = "alpha"\nvalue = "maybe"', '"maybe" is nothing that alpha can say'),
        ('country = "BE"\nrule = "alpha"\ncarrier = "sandbx"', 'did you mean "sandbox"?'),
        ('country = "BE"\nrule = "alpha"\nfrom = 2026-12-01', "expected a value with networks or from"),
        ('country = "BE"\nrule = "rate"\nvalue = "name 1/86400s"', "such as name 200/1d"),
        ('country = "BE"\nrule = "urls"\nvalue = "some"', "expected any, no-shorteners, allow-list, forbidden"),
        ('country = "BE"\nrule = "quiet_hours"\nvalue = "Mo-Su all"', '"Mo-Su all" leaves no time at all'),
        ('country = "BE"\nrule = "notes"\nvalue = " "', "expected a sentence"),
        (
            'country = "BE"\nrule = "alpha"\n[[rule]]\ncountry = "BE"\nrule = "alpha"\nmode = "off"',
            'countries.toml:4: rule[2]: mode "off" contradicts rule[1], which has mode "apply" of alpha',
        ),
        (
            'country = "BE"\nrule = "ucs2"\nvalue = "no"\n[[rule]]\ncountry = "BE"\nrule = "ucs2"\nvalue = "yes"',
            '"yes" (apply) contradicts rule[1], which has "no" (apply) of ucs2',
        ),
        ('country = "BE"\nrule = "alpha"\nnetworks = ["262"]', 'a network as MCC and MNC, such as "26201"'),
    ],
)
def test_what_the_file_of_rules_cannot_mean_is_told_at_its_line(operator, rule, said):
    write_rules(operator, f"[[rule]]\n{rule}\n")
    assert said in " ".join(run("check", "--config", operator).split())


def older_issue(folder, line):
    """Write the shipped tables with one line of the rules taken out."""
    folder.mkdir(parents=True)
    for name in ("countries", "rules", "sources"):
        text = (files("countries") / "data" / f"{name}.tsv").read_text("utf-8")
        assert name != "rules" or line in text
        (folder / f"{name}.tsv").write_text(text.replace(line, ""), "utf-8")


APPLIED = "AE\talpha_registration\trequired\t\t\t\tT B I\t2026-05\thigh\n"


def test_a_new_issue_that_refuses_more_is_named_before_the_gateway_starts_with_it(operator):
    write_rules(operator, "# none")
    older_issue(data_dir(operator) / "countries", APPLIED)
    named = "AE: alpha_registration: nothing → «required» [applied]; it is applied from now on"
    assert named in run("check", "--config", operator)
    assert named in run("country", "check", "--config", operator)
    assert "1 differences, 1 of them applied anew." in run("country", "diff", data_dir(operator) / "countries")
    assert [change.country for change in keep_issue(data_dir(operator))] == ["AE"]
    assert changes_since_start(data_dir(operator)) == []
    assert named not in run("check", "--config", operator)


def test_tables_that_are_no_text_are_named_and_keep_nothing_from_starting(operator):
    write_rules(operator, "# none")
    older_issue(data_dir(operator) / "countries", APPLIED)
    rules = data_dir(operator) / "countries" / "rules.tsv"
    rules.write_bytes(rules.read_bytes().replace(b"AD\t", b"A\xff\t", 1))
    said = run("country", "diff", rules.parent)
    assert "can't be read: rules, line 2: text in UTF-8 is expected" in said
    assert keep_issue(data_dir(operator)) == []
    assert "0 differences" in run("country", "diff", rules.parent)


def test_a_mode_for_a_rule_that_is_not_shipped_is_named(operator):
    write_rules(operator, '[[rule]]\ncountry = "BE"\nrule = "validity"\nmode = "off"\n')
    assert "countries.toml, line 1: no rule validity is shipped for BE" in run("country", "check", "--config", operator)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('rule = "alpha"\ncustomer = "Demo"', "there is no customer «Demo»: the rule does nothing"),
        ('rule = "ucs2"\nvalue = "no"\nnetworks = ["26201"]', "not all of the networks 26201 are of BE"),
        ('rule = "ucs2"\nvalue = "no"\nnetworks = ["20601"]', "no carrier has one of the networks 20601"),
        ('rule = "validity"', "no rule validity is shipped for BE"),
        ('rule = "alpha"\ncustomer = "demo"', ""),
    ],
)
def test_a_rule_that_does_nothing_is_warned_of(operator, more, said):
    write_rules(operator, f'[[rule]]\ncountry = "BE"\n{more}\n')
    told = run("check", "--config", operator)
    assert told.endswith("ok\n")
    assert (said in told) if said else "countries.toml, line" not in told


def test_countries_are_listed():
    listed = json.loads(CliRunner().invoke(main, ["country", "list", "--json"]).output)
    assert len(listed) == 220
    assert next(row for row in listed if row["country"] == "US")["alpha"] == "none"


@pytest.mark.parametrize(
    "more",
    [
        'rule = "alpha"\ncustomer = "Acme"\nmode = "off"',
        'rule = "max_parts"\nvalue = "3"\n[[rule]]\ncountry = "BE"\nrule = "max_parts"\nvalue = "short 1"',
        'rule = "alpha"\nvalue = "dynamic"\nfrom = 2027-01-01',
    ],
)
def test_rules_that_count_beside_each_other_contradict_nothing(operator, more):
    write_rules(operator, f'[[rule]]\ncountry = "BE"\nrule = "alpha"\n[[rule]]\ncountry = "BE"\n{more}\n')
    assert run("check", "--config", operator).endswith("ok\n")


def test_a_rule_of_the_operators_is_shown_with_its_reason_its_networks_and_its_days(operator):
    write_rules(
        operator,
        '[[rule]]\ncountry = "BE"\nrule = "rate"\nvalue = "name 9/1h"\nreason = "contract"\n'
        '[[rule]]\ncountry = "BE"\nrule = "rate"\nvalue = "name 5/1h"\nfrom = 2999-01-01\n'
        '[[rule]]\ncountry = "BE"\nrule = "ucs2"\nvalue = "no"\nnetworks = ["20601"]\n',
    )
    shown = run("country", "show", "--config", operator, "BE")
    assert "rate: name 9/1h   [applied by countries.toml, line 1: contract]   (until 2999-01-01)\n" in shown
    assert "rate: name 5/1h   [applied by countries.toml, line 6]   (from 2999-01-01)\n" in shown
    assert "ucs2: no   [applied by countries.toml, line 11]   (on 20601)\n" in shown


@pytest.mark.parametrize("given", ["Germany", "deutschland", "Alemania", "+49", "49"])
def test_the_name_or_calling_code_of_a_country_leads_to_its_letters(given):
    assert "Germany is «DE»." in run("country", "show", given)


def test_letters_that_people_use_for_a_country_lead_to_its_own():
    assert "United Kingdom is «GB»." in run("country", "show", "UK")


@pytest.mark.parametrize(
    ("rule", "value", "is_good"),
    [
        (RuleName.QUIET_HOURS, "Mo-Su 20:00-24:00", True),
        (RuleName.QUIET_HOURS, "Mo-Su 25:00-08:00", False),
        (RuleName.QUIET_HOURS, "Mo-Su 24:00-08:00", False),
        (RuleName.QUIET_HOURS, "Mo-PH 20:00-08:00", False),
        (RuleName.QUIET_HOURS, "Mo-Fr,PH all;Sa,Su 12:00-09:00", True),
        (RuleName.ALPHA_MAX, "11-3", False),
        (RuleName.ALPHA_MAX, "3-11", True),
        (RuleName.RATE, "long 1/9999d", True),
        (RuleName.RATE, "long 1/99999d", False),
        (RuleName.TEXT_PREFIX, "{brand}: ({opt_out})", True),
        (RuleName.TEXT_PREFIX, "{brnd}:", False),
        (RuleName.TEXT_SUFFIX, "{}", False),
    ],
)
def test_a_value_that_passes_is_one_that_can_be_carried_out(rule, value, is_good):
    assert is_well_formed(rule, value) is is_good
    if is_good and rule is RuleName.QUIET_HOURS:
        assert parse_quiet(value)
    if is_good and rule is RuleName.RATE:
        assert parse_rate("counter", value).period.days == 9999


def test_a_country_of_which_nothing_is_known_is_named():
    done = CliRunner().invoke(main, ["country", "show", "QQ"])
    assert done.exit_code == 1
    assert "Nothing is known of «QQ»; «country list» names all countries" in done.output


@pytest.mark.parametrize(
    ("value", "is_good"),
    [
        ("1m-48h", True),
        ("60s-1m", True),
        ("48h-1m", False),
        ("61s-1m", False),
        ("1m-9999999d", False),
        ("0m-1h", False),
    ],
)
def test_a_validity_of_a_country_begins_before_it_ends(value, is_good):
    assert is_well_formed(RuleName.VALIDITY, value) is is_good
