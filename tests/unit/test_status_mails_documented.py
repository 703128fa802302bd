"""docs/status-mails.md and docs/inbound-mails.md name every word that a template can use, and no other."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from sms.settings import FIELDS
from templates.brand import BrandView
from templates.customers import html_environment
from templates.forms import MailForm
from templates.graphics import LARGEST_GRAPHIC, LARGEST_IN_ALL
from templates.inbound_view import ExchangedView, InboundView
from templates.render import LARGEST_HTML, LARGEST_SOURCE
from templates.view import Fact, PartView, RecipientView, ReplacedView, StatusView

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "status-mails.md").read_text("utf-8")
INBOUND = (DOCS / "inbound-mails.md").read_text("utf-8")


def names_below(heading: str, text: str = TEXT) -> list[str]:
    section = text[text.index(f"\n{heading}") + 1 :].partition("\n#")[0]
    return re.findall(r"(?m)^\| `([a-z_-]+)` \| \S", section)


@pytest.mark.parametrize("view", [StatusView, RecipientView, PartView, ReplacedView, Fact, BrandView])
def test_every_name_that_a_template_sees_is_explained_in_order(view):
    assert names_below(f"### {view.__name__}:") == [each.name for each in fields(view)]


@pytest.mark.parametrize("view", [InboundView, ExchangedView, Fact])
def test_every_name_that_the_template_of_a_received_sms_sees_is_explained_in_order(view):
    assert names_below(f"### {view.__name__}:", INBOUND) == [each.name for each in fields(view)]


def test_the_settings_of_mails_of_received_sms_are_explained():
    explained = names_below("## Settings", INBOUND)
    assert {name for name in FIELDS if name.startswith("inbound_")} <= set(explained) <= set(FIELDS)


def test_every_form_is_explained():
    assert names_below("## The forms") == [str(form) for form in MailForm]


def test_every_filter_is_named():
    (listed,) = re.findall(r"Filters: (.*?)\. `lines` keeps", TEXT, re.DOTALL)
    assert re.findall(r"`(\w+)`", listed) == sorted(html_environment().filters)


def test_the_limits_are_those_of_the_code():
    assert f"{LARGEST_SOURCE:,} characters at most" in TEXT
    assert f"a mail of {LARGEST_HTML:,} octets" in TEXT
    assert f"{LARGEST_GRAPHIC // 1024} KB each and {LARGEST_IN_ALL // 1024} KB for all" in TEXT
