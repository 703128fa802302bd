"""Settings that a job froze are read again exactly."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.message import Priority, Replacement
from sms.number import SenderId, SenderKind
from sms.serialise import freeze_settings, thaw_settings
from sms.settings import FIELDS, ReportFormat, Settings, TextSource
from store.serialise import freeze_replaced, thaw_replaced

SAMPLES = {
    "sender_id": SenderId(value="4477009", kind=SenderKind.NUMERIC),
    "priority": Priority.EXPRESS,
    "report_format": ReportFormat.DSN,
    "text_source": TextSource.SUBJECT,
    "validity": timedelta(hours=3),
    "disclaimers": ("This message is confidential", "Best regards"),
    "address_prefixes": ("FAX", "SMS"),
    "default_country": "GB",
    "language": "es",
    "max_parts": 9,
    "end_marker": "--",
}


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_field_thaws_as_it_froze(name):
    built_in = getattr(Settings(), name)
    value: Any = SAMPLES.get(name, not built_in if isinstance(built_in, bool) else FIELDS[name].neutral)
    changed: dict[str, Any] = {name: value}
    settings = Settings(**changed)
    assert thaw_settings(freeze_settings(settings)) == settings


@pytest.mark.parametrize("kind", list(SenderKind))
def test_a_sender_id_stays_of_its_kind(kind):
    value = {"numeric": "4477009", "short-code": "4477009", "short_code": "4477009"}.get(kind.value, "Example Ltd")
    settings = Settings(sender_id=SenderId(value=value, kind=kind))
    assert thaw_settings(freeze_settings(settings)) == settings


def test_a_field_that_a_later_version_knows_is_passed_over():
    assert thaw_settings('{"not_yet_invented": 1, "max_parts": 2}') == Settings(max_parts=2)


@given(st.lists(st.builds(Replacement, index=st.integers(0, 999), old=st.text(max_size=3), new=st.text(max_size=3))))
def test_replacements_thaw_as_they_froze(replaced):
    assert thaw_replaced(freeze_replaced(tuple(replaced))) == tuple(replaced)
