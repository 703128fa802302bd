"""Shows the corpus by client and language after the run, with the mails that came to something else."""

from collections import Counter

import pytest

FAILED = pytest.StashKey[Counter]()


def pytest_configure(config):
    config.stash[FAILED] = Counter()


def pytest_terminal_summary(terminalreporter):
    from tests.corpus.test_corpus import coverage_table

    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    mine = [report for report in reports if "tests/corpus/test_corpus.py" in report.nodeid]
    if not mine:
        return
    terminalreporter.section("corpus: mails by client and language")
    for line in coverage_table():
        terminalreporter.write_line(line)
    failed = sum(report.failed for report in mine)
    terminalreporter.write_line(f"{len(mine) - failed} checks passed, {failed} failed")
