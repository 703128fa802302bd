"""Placeholders: what they are, what they never are, and that a missing value is a fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.outcome import Refusal, Refused
from sms.personalise import (
    LENGTH_LIMIT,
    PLACEHOLDERS_LIMIT,
    RowFault,
    TextTemplate,
    canonical_column,
    find_placeholder,
    parse_template,
    render,
    sum_up,
)

VALUES = {"first_name": "ANNA maria", "city": "", "größe": "XL", "amount": "12,50", "trap": "{{ amount }}", "x": " y "}


def fill(text: str, values=VALUES):
    template = parse_template(text)
    assert isinstance(template, TextTemplate), template
    return render(template, "line 7", values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello", "Hello"),
        ("Hello {{ first_name }}!", "Hello ANNA maria!"),
        ("{{first-name}}{{ First Name }}{{\u00a0FIRST_NAME\u00a0}}", "ANNA mariaANNA mariaANNA maria"),
        ("{{ first_name\r\n}}", "ANNA maria"),
        ("{{ first_name|title }}", "Anna Maria"),
        ("{{ first_name|first|upper }}", "ANNA"),
        ("{{ first_name | first | lower | title }}", "Anna"),
        ("{{ Größe }}", "XL"),
        ("in {{ city|default('town') }}", "in town"),
        ("in {{ city|default(\u201etown\u201c)|upper }}", "in town"),
        ('in {{ city|default("a|b") }}', "in a|b"),
        ("in {{ city|default('') }}.", "in ."),
        ("{{ amount|default('0') }}", "12,50"),
        ("{{ x }}", "y"),
        ("}} and { } stay", "}} and { } stay"),
    ],
)
def test_placeholders_are_filled(text, expected):
    assert fill(text) == expected


def test_a_value_is_never_read_as_a_template():
    assert fill("{{ trap }}") == "{{ amount }}"
    assert fill("{{ trap|upper }}") == "{{ AMOUNT }}"


@pytest.mark.parametrize(
    "text",
    [
        "{{ 7*7 }}",
        "{{ a.b }}",
        "{{ a['b'] }}",
        "{{ a() }}",
        "{{ }}",
        "{{ a|",
        "{{ a",
        "{{ a|attr('x') }}",
        "{{ a|default }}",
        "{{ a|default(b) }}",
        "{{ {{ a }} }}",
        "{{ " + "a" * 500 + " }}",
    ],
)
def test_anything_else_between_braces_is_refused(text):
    found = parse_template(text)
    assert isinstance(found, Refused)
    assert found.refusal is Refusal.TEMPLATE_INCOMPLETE
    assert found.detail


@pytest.mark.parametrize("text", ["{{ city }}", "{{ unknown }}", "{{ city|upper }}", "{{ city|first }}"])
def test_a_value_that_is_missing_or_empty_is_a_fault_that_names_row_and_column(text):
    found = fill("Dear {{ first_name }}, " + text)
    assert isinstance(found, RowFault)
    assert str(found) in {"line 7: no value for city", "line 7: no value for unknown"}


def test_faults_are_summed_up_with_the_first_named():
    faults = [RowFault(row=f"line {n}", text="no value for a") for n in range(2, 10)]
    assert sum_up(faults[:1]) == "line 2: no value for a"
    assert sum_up(faults, named=2) == "line 2: no value for a; line 3: no value for a; 6 more rows"


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("First Name", "first_name"), (" e-mail ", "e_mail"), ("NUMMER", "nummer"), ("a.b", ""), ("", ""), ("1st", "1st")],
)
def test_columns_are_compared_without_regard_to_case_blanks_and_hyphens(name, canonical):
    assert canonical_column(name) == canonical


@given(st.text(max_size=200), st.text(max_size=50))
def test_any_text_and_value_give_a_text_or_a_refusal(text, value):
    template = parse_template(text)
    if isinstance(template, TextTemplate) and not template.columns:
        assert render(template, "line 1", {}) == text
    assert fill("<{{ a|default('d') }}>", {"a": value}) == f"<{value.strip() or 'd'}>"


@given(st.text("{}| a\"'()default", max_size=120))
def test_any_braces_give_an_answer(text):
    assert isinstance(parse_template(text), TextTemplate | Refused)


def test_a_text_of_too_many_placeholders_is_refused():
    assert isinstance(parse_template("{{ a }}" * PLACEHOLDERS_LIMIT), TextTemplate)
    refused = parse_template("{{ a }}" * (PLACEHOLDERS_LIMIT + 1))
    assert isinstance(refused, Refused)
    assert "more than 100 placeholders" in refused.detail


def test_a_row_whose_text_no_number_of_parts_holds_is_a_fault():
    template = parse_template("{{ a }}" * 3)
    assert isinstance(template, TextTemplate)
    fault = render(template, "line 7", {"a": "x" * (LENGTH_LIMIT // 3 + 1)})
    assert isinstance(fault, RowFault)
    assert str(fault) == "line 7: the text is longer than 4000 characters"


@pytest.mark.parametrize(
    "text",
    [
        "Hello {{ name }}",
        "Hello {{name}}, gate 4",
        "Hallo{{ Vorname }}",
        "{{ First Name }}",
        "{{ first-name|title }}",
        "{{ name | default('customer') }}",
        "{{\N{NO-BREAK SPACE}name\N{NO-BREAK SPACE}}}",
        "{{ größe }} {{ other }}",
        "{{ _id }}",
        "see {} and {{ name }}",
    ],
)
def test_a_placeholder_is_known_by_its_form(text):
    found = find_placeholder(text)
    assert found
    assert found in text
    assert not isinstance(parse_template(found), Refused)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "{{}}",
        "{{ }}",
        "{{",
        "}}",
        "{{ name",
        "{name}",
        "{ { name } }",
        '{"a":{"b":1}}',
        '{{"a":1}}',
        "{{1}}",
        "{{ 2 + 3 }}",
        "{{ a + b }}",
        "{{.Name}}",
        "{{ user.name }}",
        "{{ $labels.instance }}",
        "${{ secrets }}",
        "{{{ raw }}}",
        "{% if x %}",
        r"\frac{{a}}{{b}}",
        r"\mathbb{{R}}",
        "x^{{n}}}",
        "dict(a={'b': {}})",
        "{{ a\nb }}",
        "{{" * 5_000,
        "{{ a" * 5_000,
        "{{ a b c d e f g h }}",
    ],
)
def test_other_braces_are_text(text):
    assert not find_placeholder(text)
