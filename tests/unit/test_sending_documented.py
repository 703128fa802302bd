"""docs/sending.md says what the program says: refusals word for word, options all of them, and both forms of a reply."""

import re
from pathlib import Path

import pytest

from gateway.taking_back import TakenBack
from mta.intake import Disposition
from mta.reading.options import OPTION_NAMES
from mta.smtp.engine.replies import reply_to
from tests.kit.testbed import ANNA, judge, open_core

PAGE = (Path(__file__).parents[2] / "docs" / "sending.md").read_text("utf-8")
FLAT = " ".join(PAGE.split())


@pytest.fixture(scope="module")
def core(module_house):
    core = open_core(module_house)
    yield core
    core.database.close()


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("[JOBPERIODE:2026-12-01T08:00] Gate", "Gate 4"),
        ("[VALIDITY:200] Gate", "Gate 4"),
        ("Gate", "Hello {{ name }}, gate 4"),
        ("", " "),
    ],
)
def test_a_refusal_stands_there_as_it_is_said(subject, text, core):
    judged = judge(core, "acme", text, subject=subject, sender=ANNA)
    assert judged.verdict is Disposition.REFUSE
    assert " ".join(str(reply_to(judged.refused)).split()) in FLAT


def test_every_option_stands_there():
    assert {name for name in OPTION_NAMES if not re.search(rf"`\[{name}[\]:]", PAGE)} == set()


@pytest.mark.parametrize("counts", [{"cancelled": 1}, {"cancelled": 1, "late": 2}, {"asked": 1}, {"before": 1}])
def test_every_answer_to_a_cancelling_stands_there(counts):
    assert str(TakenBack(job="J.…", **counts)) in PAGE
