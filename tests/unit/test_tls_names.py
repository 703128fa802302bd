"""One spelling per domain; a certificate's names against what is expected (RFC 9525)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tls.names import matches_any, matches_name, matches_pattern, parse_domain

DOMAINS = [
    ("Example.COM.", "example.com"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("BÜCHER.example", "xn--bcher-kva.example"),
    ("_dmarc.example.com", "_dmarc.example.com"),
    ("straße.example", None),
    ("", None),
    (".", None),
    ("a..b", None),
    (".example.com", None),
    ("exa mple.com", None),
    ("a\r\nb.example", None),
    ("a\0.example", None),
    ("-a.example", None),
    ("a-.example", None),
    ("a" * 64 + ".example", None),
    (".".join(["a" * 60] * 5), None),
    ("[127.0.0.1]", None),
    ("*.example.com", None),
]


@pytest.mark.parametrize(("text", "domain"), DOMAINS)
def test_a_domain_has_one_spelling_or_is_none(text, domain):
    assert parse_domain(text) == domain


@given(st.text(max_size=80))
def test_what_is_taken_as_a_domain_is_stable_and_safe_on_a_command_line(text):
    domain = parse_domain(text)
    if domain is not None:
        assert parse_domain(domain) == domain
        assert set(domain) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")


NAMES = [
    ("mx.example.com", "mx.example.com", True),
    ("MX.Example.com.", "mx.example.com", True),
    ("*.example.com", "mx.example.com", True),
    ("*.example.com", "a.mx.example.com", False),
    ("*.example.com", "example.com", False),
    ("*.com", "example.com", False),
    ("*", "example", False),
    ("*.*.com", "mx.example.com", False),
    ("m*.example.com", "mx.example.com", False),
    ("mx.*.com", "mx.example.com", False),
    ("*.example.com", "*.example.com", False),
    ("mx.example.com\0.evil.example", "mx.example.com", False),
    ("", "", False),
    ("127.0.0.1", "127.0.0.1", True),
]


@pytest.mark.parametrize(("presented", "reference", "same"), NAMES)
def test_a_wildcard_stands_for_exactly_one_left_label(presented, reference, same):
    assert matches_name(presented, reference) is same


PATTERNS = [
    ("mx.example.com", ".example.com", True),
    ("a.b.example.com", ".example.com", True),
    ("*.example.com", ".example.com", True),
    ("*.b.example.com", ".example.com", True),
    ("example.com", ".example.com", False),
    ("notexample.com", ".example.com", False),
    (".example.com", ".example.com", False),
    ("*.com", ".com", False),
    ("a.*.example.com", ".example.com", False),
    ("evil\0.example.com", ".example.com", False),
]


@pytest.mark.parametrize(("presented", "pattern", "same"), PATTERNS)
def test_a_dotted_pattern_covers_everything_below(presented, pattern, same):
    assert matches_pattern(presented, pattern) is same


def test_one_of_several_names_suffices_and_none_never_does():
    assert matches_any(("a.example", "mx.example.com"), ("mx.example.com",))
    assert not matches_any((), ("mx.example.com",))
    assert not matches_any(("mx.example.com",), ())
