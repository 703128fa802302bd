"""What is counted: every metric is in the table of docs/metrics.md, its text is what Prometheus reads, its series are bounded."""

import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from gateway.measuring import MeasuredSender
from gateway.metrics import BUCKETS, Metric, MetricKind, Metrics
from gateway.ports import AlertMail, MailAttempt
from sms.message import Origin, ReceiptState
from sms.outcome import Done, Problem, ProblemCode, Refusal, Retry
from sms.report import Channel
from web.operator import OperatorPages

_ALERT = AlertMail(identity="A.1", recipient="ops@example.com", subject="s", text="t")
PAGE = Path(__file__).parents[2] / "docs/metrics.md"
_SAMPLE = re.compile(r'([a-z0-9_]+)(\{([a-z]+="([^"\\\n]|\\["\\n])*"(,(?=[a-z])|))+\})? -?[0-9.e+-]+')


def test_the_table_of_the_documentation_is_the_table_of_the_program():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == [(metric, metric.kind, ", ".join(metric.labels), metric.text) for metric in Metric]


def test_names_follow_the_conventions_of_prometheus():
    for metric in Metric:
        assert re.fullmatch(r"mail2sms_[a-z_]+", metric)
        assert metric.endswith("_total") == (metric.kind is MetricKind.COUNTER)
        assert not {"customer", "user", "number", "address", "host"} & set(metric.labels)


def test_a_series_is_there_before_its_first_event():
    text = Metrics(["alpha"]).render([])
    assert 'mail2sms_receipts_total{carrier="alpha",state="delivered"} 0\n' in text
    assert f'mail2sms_accepted_jobs_total{{service="{Origin.REST}"}} 0\n' in text
    assert 'mail2sms_carrier_answer_seconds_bucket{carrier="alpha",le="+Inf"} 0\n' in text
    assert "mail2sms_refused_total" not in text


def test_what_is_not_known_makes_no_series_of_its_own():
    metrics = Metrics(["alpha"])
    before = len(metrics.render([]).splitlines())
    for number in range(1000):
        metrics.count(Metric.RECEIPTS, f"carrier-{number}", ReceiptState.DELIVERED)
        metrics.count(Metric.HTTP, f"METHOD{number}", "2xx")
    assert metrics.value(Metric.RECEIPTS, "other", "delivered") == 1000
    assert len(metrics.render([]).splitlines()) == before + 1


def test_the_buckets_of_a_histogram_count_all_that_took_no_longer():
    metrics = Metrics()
    for seconds in (0.001, 0.005, 0.02, 29.0, 31.0, -1.0):
        metrics.observe(Metric.ACCEPT_SECONDS, seconds)
    text = metrics.render([])
    shown = [int(found) for found in re.findall(r'accept_seconds_bucket\{le="[^"]+"\} (\d+)', text)]
    assert shown == [3, 3, *[4] * (len(BUCKETS) - 3), 5, 6]
    assert "mail2sms_accept_seconds_count 6\n" in text
    (seconds_in_all,) = re.findall(r"accept_seconds_sum (\S+)", text)
    assert float(seconds_in_all) == pytest.approx(60.026)


@pytest.mark.parametrize("openmetrics", [False, True])
def test_every_line_is_one_that_the_format_allows(openmetrics):
    metrics = Metrics(["alpha"])
    metrics.count(Metric.REFUSED, Origin.MAIL, Refusal.STOP_LIST)
    gauges = [(Metric.QUEUED, ('a"b\\c\nd',), 3), (Metric.QUEUED_AGE, ("x",), 0.25), (Metric.DATABASE, (), True)]
    *lines, last = metrics.render(gauges, openmetrics=openmetrics).splitlines()
    assert (last == "# EOF") is openmetrics
    assert r'mail2sms_queued_messages{route="a\"b\\c\nd"} 3' in lines
    assert all(line.startswith(("# HELP mail2sms_", "# TYPE mail2sms_")) or _SAMPLE.fullmatch(line) for line in lines)
    family = "mail2sms_refused" if openmetrics else "mail2sms_refused_total"
    assert f"# TYPE {family} counter" in lines
    assert 'mail2sms_refused_total{service="mail",reason="stop-list"} 1' in lines
    assert len([line for line in lines if line.startswith("# TYPE")]) == len(
        set(filter(re.compile("# TYPE").match, lines))
    )


class _Sender:
    def __init__(self, *attempts):
        self._attempts = list(attempts)

    async def send(self, item):
        return self._attempts.pop(0)


async def test_an_attempt_counts_by_what_came_of_it_and_a_rest_is_none():
    metrics, now = Metrics(), iter([0.0, 2.0, 2.0, 3.0, 3.5])
    deferred = Retry(problem=Problem(code=ProblemCode.PUSH_DEFERRED, text="Later."))
    sender = MeasuredSender(
        _Sender(MailAttempt(outcome=Done()), MailAttempt(outcome=deferred, called=False), None),
        Channel.PUSH,
        metrics,
        lambda: next(now),
    )
    for _ in range(3):
        await sender.send(_ALERT)
    assert [metrics.value(Metric.ATTEMPTS, "push", word) for word in ("done", "retry", "skipped")] == [1, 0, 1]
    assert 'mail2sms_outbox_attempt_seconds_sum{channel="push"} 2.5' in metrics.render([])


def test_a_scrape_succeeds_where_the_database_does_not_answer():
    async def report():
        raise OSError("gone")

    metrics = Metrics()
    pages = OperatorPages(
        report, lambda found, wanted: metrics.render([(Metric.DATABASE, (), found is not None)], openmetrics=wanted)
    )
    client = TestClient(Starlette(routes=pages.routes()))
    plain = client.get("/metrics")
    assert (plain.status_code, plain.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "\nmail2sms_database_up 0\n" in plain.text
    asked = client.get("/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
    assert asked.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert asked.text.endswith("\n# EOF\n")
    assert client.get("/ready").status_code == 503
