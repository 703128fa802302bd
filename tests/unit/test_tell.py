"""Notices told by mail: mails about many recipients are made where they hold up nobody."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.mail_rules import FoundTemplate
from gateway.ports import MailAttempt
from gateway.report_pool import LARGE_REPORT, LargeReports
from mta.sending.compose import ComposedMail, MailIdentity
from mta.sending.mail_notifier import MailNotifier
from mta.sending.sign import KeyKind, Signer, new_key
from sms.outcome import Done
from sms.report import JobReport, NoticeKind
from sms.settings import ReportFormat
from templates.graphics import Graphic
from templates.render import Renderer
from tests.kit.clock import Clock
from tests.kit.effort import longest_stop
from tests.kit.patience import PATIENCE
from tests.kit.status_samples import NOW, many, notice

IDENTITY = MailIdentity(
    from_name="SMS", from_address="status@example.net", hostname="mx.example.net", message_id_domain="example.net"
)
SIGNER = Signer("example.net", "s1", new_key("example.net", "s1", KeyKind.ED25519).private_pem)


class Rules:
    """No customer has a template of its own."""

    async def refresh(self) -> None:
        """Nothing to read."""

    async def find_template(self, *_: str) -> FoundTemplate | None:
        return None

    async def find_graphic(self, *_: str) -> Graphic | None:
        return None


class Delivery:
    def __init__(self) -> None:
        self.mails: list[ComposedMail] = []

    async def deliver(self, mail: ComposedMail, *, customer: str) -> MailAttempt:
        self.mails.append(mail)
        return MailAttempt(outcome=Done())


class WatchedRenderer(Renderer):
    """Notes in which thread each mail is rendered; another than the loop's goes on only once `held` is set."""

    def __init__(self, held: threading.Event | None = None) -> None:
        super().__init__()
        self.threads: list[str] = []
        self.held = held

    def render(self, *args: Any, **options: Any) -> Any:
        self.threads.append(threading.current_thread().name)
        if self.held is not None and threading.current_thread() is not threading.main_thread():
            assert self.held.wait(PATIENCE), "the event loop stood still"
        return super().render(*args, **options)


class WatchedSigner(Signer):
    threads: list[str]

    def sign(self, *args: Any, **options: Any) -> bytes:
        self.threads.append(threading.current_thread().name)
        return SIGNER.sign(*args, **options)


@pytest.fixture
def large() -> Iterator[LargeReports]:
    reports = LargeReports()
    yield reports
    reports.close()


class Strangers:
    """Knows nobody's name."""

    async def name(self, report: JobReport) -> JobReport:
        return report


def make_teller(renderer: Renderer, delivery: Delivery, large: LargeReports, signer: Signer = SIGNER) -> MailNotifier:
    rules: Any = Rules()
    others: Any = None  # nothing here is of an inbound SMS or a directory
    strangers: Any = Strangers()
    return MailNotifier(
        identity=IDENTITY,
        renderer=renderer,
        signers=[signer],
        delivery=delivery,
        clock=Clock(NOW),
        rules=rules,
        alert=lambda _: None,
        large=large,
        readers=others,
        names=strangers,
        directories=others,
    )


@pytest.mark.parametrize(("recipients", "apart"), [(1, False), (LARGE_REPORT, False), (LARGE_REPORT + 1, True)])
async def test_only_a_large_mail_is_made_and_signed_in_a_thread(recipients, apart, large):
    renderer, delivery = WatchedRenderer(), Delivery()
    signer = WatchedSigner("example.net", "s1", new_key("example.net", "s1", KeyKind.ED25519).private_pem)
    signer.threads = []
    teller = make_teller(renderer, delivery, large, signer)
    await teller.send(notice(many(recipients)))
    teller.close()
    here = threading.current_thread().name
    assert [name != here for name in renderer.threads + signer.threads] == [apart, apart]
    assert delivery.mails[0].message.startswith(b"DKIM-Signature:")


async def test_small_mails_go_out_while_large_ones_are_made_one_after_the_other(large):
    held = threading.Event()
    renderer, delivery = WatchedRenderer(held), Delivery()
    teller = make_teller(renderer, delivery, large)
    tasks = [asyncio.create_task(teller.send(notice(many(3000), public_id=f"N.{number}"))) for number in range(3)]
    while not renderer.threads:
        await asyncio.sleep(0)
    await teller.send(notice(public_id="N.small"))
    assert [mail.message_id for mail in delivery.mails] == ["<st.N.small@example.net>"]
    assert len([name for name in renderer.threads if name.startswith("large-reports")]) == 1
    held.set()
    await asyncio.gather(*tasks)
    teller.close()
    assert len(delivery.mails) == 4
    assert len(set(renderer.threads)) == 2


@pytest.mark.parametrize("form", ReportFormat)
async def test_the_loop_lags_less_than_a_large_mail_takes(form, large):
    told = notice(many(20_000, report_format=form), NoticeKind.RESULT)
    teller = make_teller(Renderer(), Delivery(), large)
    shares = []
    for _ in range(5):  # a busy machine may stop the whole process for a while: one quiet turn proves the point
        sending = asyncio.create_task(teller.send(told))
        shares.append(await longest_stop(sending))
        if shares[-1] < 0.4:
            break
    teller.close()
    assert min(shares) < 0.4, shares
