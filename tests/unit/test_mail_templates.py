"""Customers' own status mails: judged before they are kept, found for the right mail, told with their graphics."""

import asyncio
import re
import threading
from email import message_from_bytes, policy
from itertools import count
from pathlib import Path

import dkim
import pytest

from gateway.admin.customers import add_customer, remove_customer
from gateway.admin.edit import Changed
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.mail_templates import (
    TemplateOwner,
    Workshop,
    add_graphic,
    check_source,
    drop_graphic,
    find_graphics,
    find_source,
    find_version,
    list_own_templates,
    list_versions,
    reset_template,
    set_template,
)
from gateway.admin.profiles import add_profile, remove_profile
from gateway.admin.push_templates import reset_push_template, set_push_template
from gateway.alerts import Alert
from gateway.conversations import Conversations
from gateway.directory import DirectoryFollower
from gateway.directory_mails import DirectoryMails
from gateway.inbound_mail import InboundMailReaders
from gateway.mail_rules import MailRules
from gateway.phone_names import PhoneNames
from gateway.ports import AlertMail, MailAttempt
from gateway.report_pool import LargeReports
from inbound.actions import PushForm
from mta.sending.compose import ComposedMail, CustomerTemplate, MailIdentity, compose_alert, compose_notice
from mta.sending.mail_notifier import MailNotifier
from mta.sending.sign import KeyKind, Signer, new_key
from sms.lifecycle import MessageState
from sms.outcome import Done
from sms.report import NoticeKind
from sms.settings import ReportFormat
from store.mail_rules_tables import MailGraphicRow, TemplateVersionRow
from templates.confined import ConfinedTemplates
from templates.forms import MailForm, form_of
from templates.graphics import LARGEST_GRAPHIC, Graphic, GraphicRefused, read_graphic
from templates.render import Renderer, standard_template
from templates.samples import sample_reports_of
from tests.kit.admin_harness import AdminHarness
from tests.kit.clock import Clock
from tests.kit.patience import PATIENCE
from tests.kit.readers import read
from tests.kit.status_samples import NOW, message, notice, report

pytestmark = pytest.mark.usefixtures("patient")

IDENTITY = MailIdentity(
    from_name="SMS Gateway",
    from_address="status@sms.example.net",
    hostname="mx1.sms.example.net",
    message_id_domain="sms.example.net",
)
PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"x" * 50 + b"\0\0\0\0IEND\xaeB`\x82"
GIF = b"GIF89a" + b"y" * 50 + b";"
JPEG = b"\xff\xd8\xff\xe0" + b"z" * 50 + b"\xff\xd9"
PAGE = "<!DOCTYPE html><html><head><title>x</title></head><body>{}</body></html>"
OWN = PAGE.format("<p>Own: {{ m.headline }}</p>")
PICTURE = PAGE.format('<p>{{ m.recipients[0].text }}</p><img src="cid:logo.png" alt=""><img alt="" src="cid:dot">')
SPINS = PAGE.format(
    "{% for a in m.job %}{% for b in m.footer %}{% for c in m.footer %}{% for d in m.footer %}{% for e in m.footer %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}"
)


@pytest.fixture(scope="module")
def workshop():
    made = Workshop(confined=ConfinedTemplates(seconds=1.0))
    yield made
    made.close()


class Studio(AdminHarness):
    """With the customer demo and its profile standard."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.do(add_customer, "demo")
        self.do(add_profile, "demo", "standard")

    def own(self, form: MailForm, source: str = OWN, profile: str = "", customer: str = "demo") -> Changed:
        return self.do(set_template, TemplateOwner(customer, profile), form, source, {})


@pytest.fixture
def office(database_url):
    made = Studio(database_url)
    yield made
    made.database.close()


# Graphics


@pytest.mark.parametrize(("content", "kind"), [(PNG, "image/png"), (GIF, "image/gif"), (JPEG, "image/jpeg")])
def test_a_graphic_is_known_by_its_octets(content, kind):
    assert read_graphic("any.name", content).media_type == kind


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("logo", b"<svg onload='x'/>", "neither PNG nor JPEG nor GIF"),
        ("logo", PNG[:-4], "cut off"),
        ("logo", PNG + b"<script>", "something follows"),
        ("logo", PNG[:8] + b"x" * LARGEST_GRAPHIC, "are allowed"),
        ('lo"go', PNG, "cannot name"),
        ("lo\r\ngo", PNG, "cannot name"),
        ("", PNG, "cannot name"),
        ("x" * 65, PNG, "cannot name"),
    ],
)
def test_a_graphic_that_is_none_is_refused(name, content, said):
    with pytest.raises(GraphicRefused, match=said):
        read_graphic(name, content)


def test_graphics_of_a_customer_are_bounded_together(office):
    big = PNG[:8] + b"x" * (LARGEST_GRAPHIC - 60) + PNG[-12:]
    for name in ("a", "b", "c"):
        office.do(add_graphic, "demo", name, big)
    office.do(add_graphic, "demo", "c", big)
    code, facts = office.refuse(add_graphic, "demo", "d", big)
    assert code is FaultCode.BAD_GRAPHIC
    assert "all graphics together" in facts["cause"]
    assert list(office.look(find_graphics, TemplateOwner("demo"))) == ["a", "b", "c"]


def test_a_graphic_that_a_template_shows_stays(office):
    for name in ("logo.png", "dot"):
        office.do(add_graphic, "demo", name, PNG)
    office.own(MailForm.RESULT, PICTURE)
    dot = {"customer": "demo", "name": "dot"}
    assert office.refuse(drop_graphic, "demo", "dot") == (FaultCode.GRAPHIC_IN_USE, dot)
    office.do(reset_template, TemplateOwner("demo"), MailForm.RESULT)
    office.do(drop_graphic, "demo", "dot")
    assert office.refuse(drop_graphic, "demo", "dot") == (FaultCode.NO_GRAPHIC, dot)


def compose_with(source: str, graphics: dict[str, Graphic], confined, **changes) -> ComposedMail:
    template = CustomerTemplate(source=source, graphics=graphics)
    renderer = Renderer(confinement=confined)
    told = notice(report(message(text='An SMS that says src="cid:logo.png"', **changes)))
    mail = compose_notice(told, identity=IDENTITY, renderer=renderer, now=NOW, template=template)
    assert mail is not None
    return mail


def test_graphics_travel_as_inline_parts_that_the_html_points_to(workshop):
    logo = Graphic(name="logo.png", media_type="image/png", content=PNG)
    other = Graphic(name="other", media_type="image/gif", content=GIF)
    dot = Graphic(name="dot", media_type="image/gif", content=GIF)
    graphics = {"logo.png": logo, "other": other, "dot": dot}
    composed = compose_with(PICTURE, graphics, workshop.confined)
    mail = message_from_bytes(composed.message, policy=policy.default)
    assert [part.defects for part in mail.walk()] == [[] for _ in mail.walk()]
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png", "image/gif"]
    html, *shown = list(mail.walk())[3:]
    ids = [str(part["Content-ID"]).strip("<>") for part in shown]
    assert re.findall(r'src="cid:([^"]+)"', html.get_content()) == ids
    assert "An SMS that says src=&#34;cid:logo.png&#34;" in html.get_content()
    assert [part.get_content() for part in shown] == [PNG, GIF]
    assert [part.get_content_disposition() for part in shown] == ["inline", "inline"]
    assert all("@sms.example.net" in each for each in ids)
    assert composed.message.isascii()
    assert max(map(len, composed.message.split(b"\r\n"))) <= 120


def test_a_mail_with_graphics_verifies_when_signed_with_both_keys(workshop):
    graphics = {name: Graphic(name=name, media_type="image/png", content=PNG) for name in ("logo.png", "dot")}
    mail = compose_with(PICTURE, graphics, workshop.confined).message
    keys = {kind: new_key("sms.example.net", kind.value, kind) for kind in KeyKind}
    for kind, key in keys.items():
        mail = Signer("sms.example.net", kind.value, key.private_pem).sign(mail, signed_at=NOW)
    records = {key.record_name: key.record_text.encode() for key in keys.values()}
    verifier = dkim.DKIM(mail)
    for index in range(2):
        assert verifier.verify(idx=index, dnsfunc=lambda name, timeout=5: records[name.decode().rstrip(".")])


def test_an_alert_is_a_mail_to_the_administrator():
    alert = AlertMail(
        identity="A.1",
        recipient="admin@example.net",
        subject="Müller waits\r\nBcc: x@example.com",
        text="Text «x»\nSecond line\n",
    )
    composed = compose_alert(alert, identity=IDENTITY, renderer=Renderer(), now=NOW)
    mail = message_from_bytes(composed.message, policy=policy.default)
    assert (mail["To"], mail["Bcc"], composed.envelope_from) == ("admin@example.net", None, "")
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = mail.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == "Text «x»\nSecond line\n"
    assert "Text «x»<br>Second line" in html.get_content()


# Templates in the database


@pytest.mark.slow
def test_the_standard_template_is_a_good_start_for_every_form(workshop):
    for form in (MailForm.RESULT, MailForm.INBOUND):
        assert check_source(standard_template(form), form, {}, workshop) == []


def test_a_template_of_one_kind_of_mail_is_refused_for_the_other(workshop):
    assert "did you mean" in check_source(standard_template(MailForm.INBOUND), MailForm.RESULT, {}, workshop)[0]
    assert "nothing is called" in check_source(standard_template(), MailForm.INBOUND, {}, workshop)[0]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (PAGE.format("{{ m.nothing }}"), "nothing"),
        (PAGE.format("{% if %}"), "line 1"),
        (PAGE.format("<p>{{ m.job }}</p><script>x</script>"), "<script> has no place"),
        (PAGE.format("<p>{{ m.job }}</p><img src='https://example.com/x.png'>"), "travels with the mail"),
        (PAGE.format("<p>{{ m.job }}</p><img src='cid:missing'>"), "cid:missing shows a graphic that is not there"),
        (SPINS, "did not end"),
        ("x" * 70_000, "are allowed"),
        (PAGE.format("{{ ''.__class__ }}"), "unsafe"),
    ],
)
def test_a_broken_template_is_refused_with_a_sentence_for_its_author(workshop, source, said):
    faults = check_source(source, MailForm.RESULT, {}, workshop)
    assert any(said in fault for fault in faults), faults


def test_samples_of_a_form_are_told_in_that_form():
    for form in set(MailForm) - {MailForm.INBOUND}:
        kinds = {
            form_of(NoticeKind(form.value if form is not MailForm.FAILURE else "result"), each)
            for each in sample_reports_of(form)
        }
        assert kinds == {form}


async def find(office, form: MailForm, profile: str = "", customer: str = "demo") -> str | None:
    rules = MailRules(office.database, (), Path("unused"))
    await rules.refresh()
    found = await rules.find_template(customer, profile, form)
    return found.source if found is not None else None


async def test_the_profiles_template_comes_before_the_customers_and_the_forms_own_before_the_results(office):
    office.own(MailForm.RESULT, "customer result")
    office.own(MailForm.FAILURE, "customer failure")
    office.own(MailForm.RESULT, "profile result", "standard")
    assert await find(office, MailForm.RESULT) == "customer result"
    assert await find(office, MailForm.FAILURE) == "customer failure"
    assert await find(office, MailForm.CORRECTION) == "customer result"
    assert await find(office, MailForm.DELAYED) is None
    assert await find(office, MailForm.FAILURE, "standard") == "profile result"
    assert await find(office, MailForm.FAILURE, "another") == "customer failure"
    assert await find(office, MailForm.RESULT, customer="other") is None


async def test_a_template_goes_with_its_profile_and_its_customer(office):
    office.own(MailForm.RESULT, "profile result", "standard")
    office.own(MailForm.DELAYED, "customer delay")
    office.do(add_graphic, "demo", "logo", PNG)
    office.do(remove_profile, "demo", "standard")
    assert await find(office, MailForm.RESULT, "standard") is None
    office.do(remove_customer, "demo")
    assert await find(office, MailForm.DELAYED) is None
    assert office.look(lambda tx: read(tx.rows, MailGraphicRow)) == []


def test_templates_are_listed_shown_and_audited(office):
    facts = {"form": "delayed", "customer": "demo", "profile": "standard"}
    assert office.own(MailForm.DELAYED, OWN, "standard").facts == facts
    (row,) = office.look(list_own_templates, "DEMO")
    assert (row["customer"], row["profile"], row["form"], row["set_by"]) == ("demo", "standard", "delayed", "anna")
    owner = TemplateOwner("demo", "standard")
    assert office.look(find_source, owner, MailForm.DELAYED) == OWN
    with pytest.raises(AdminFault) as caught:
        office.look(find_source, owner, MailForm.RESULT)
    assert (caught.value.code, caught.value.facts) == (FaultCode.NO_OWN_TEMPLATE, facts | {"form": "result"})
    office.do(reset_template, owner, MailForm.DELAYED)
    assert office.refuse(reset_template, owner, MailForm.DELAYED) == (FaultCode.NO_TEMPLATE_TO_RESET, facts)
    actions = [(done["action"], done["target"]) for done in office.audit(2)]
    assert actions == [("template.reset", "demo/standard"), ("template.set", "demo/standard")]


OWNER = TemplateOwner("demo")


def versions(office, form=MailForm.RESULT, owner=OWNER):
    """Return number and source of each version, the latest first."""
    rows = office.look(list_versions, owner, form)
    return [(row["number"], office.look(find_version, owner, form, row["number"]).source) for row in rows]


def test_what_a_template_was_stays_as_versions_and_so_does_that_there_was_none(office):
    office.own(MailForm.RESULT, "one")
    office.own(MailForm.RESULT, "two")
    office.own(MailForm.DELAYED, "another form")
    office.do(reset_template, OWNER, MailForm.RESULT)
    office.own(MailForm.RESULT, "three")
    assert versions(office) == [(4, "three"), (3, ""), (2, "two"), (1, "one")]
    assert versions(office, owner=TemplateOwner("demo", "standard")) == []
    with pytest.raises(AdminFault) as caught:
        office.look(find_version, OWNER, MailForm.RESULT, 5)
    assert caught.value.code is FaultCode.NO_TEMPLATE_VERSION


def test_a_template_of_before_versions_becomes_the_first_one(office):
    office.own(MailForm.RESULT, "of before")
    office.execute("DELETE FROM template_version")
    office.own(MailForm.RESULT, "new")
    assert versions(office) == [(2, "new"), (1, "of before")]


def test_the_oldest_versions_go(office):
    for number in range(55):
        office.own(MailForm.RESULT, f"version {number}")
    assert [number for number, _ in versions(office)] == list(range(55, 5, -1))


def test_versions_of_pushes_have_one_order_whatever_their_form(office):
    office.do(set_push_template, OWNER, PushForm.JSON, '{"a": 1}')
    office.do(set_push_template, OWNER, PushForm.XML, "<a/>")
    office.do(reset_push_template, OWNER)
    rows = office.look(list_versions, OWNER, "push")
    assert [(row["number"], row["form"], row["characters"]) for row in rows] == [
        (3, "push", 0),
        (2, "push-xml", 4),
        (1, "push-json", 8),
    ]


def test_versions_go_with_their_profile_and_customer(office):
    office.own(MailForm.RESULT, "profile's", "standard")
    office.own(MailForm.RESULT, "customer's")
    office.do(remove_profile, "demo", "standard")
    assert office.look(lambda tx: [row.source for row in read(tx.rows, TemplateVersionRow)]) == ["customer's"]
    office.do(remove_customer, "demo")
    assert office.look(lambda tx: read(tx.rows, TemplateVersionRow)) == []


def test_nobody_else_has_templates(office):
    code, _ = office.refuse(set_template, TemplateOwner("nobody"), MailForm.RESULT, OWN, {})
    assert code is FaultCode.NO_CUSTOMER
    code, _ = office.refuse(set_template, TemplateOwner("demo", "x"), MailForm.RESULT, OWN, {})
    assert code is FaultCode.NO_PROFILE


# Told


class Delivery:
    def __init__(self) -> None:
        self.mails: list[ComposedMail] = []

    async def deliver(self, mail: ComposedMail, *, customer: str) -> MailAttempt:
        self.mails.append(mail)
        return MailAttempt(outcome=Done())

    @property
    def html(self) -> str:
        mail = message_from_bytes(self.mails[-1].message, policy=policy.default)
        return next(str(part.get_content()) for part in mail.walk() if part.get_content_type() == "text/html")


class Telling:
    def __init__(self, office: Studio, confined, signers=(), seconds=lambda: 0.0) -> None:
        self.delivery = Delivery()
        self.alerts: list[Alert] = []
        self.rules = MailRules(office.database, (), Path("unused"))
        self.teller = MailNotifier(
            large=LargeReports(),
            identity=IDENTITY,
            renderer=Renderer(confinement=confined),
            signers=signers,
            delivery=self.delivery,
            clock=Clock(),
            rules=self.rules,
            alert=self.alerts.append,
            directories=DirectoryMails(
                book=DirectoryFollower(office.database, {}), database=office.database, config_file=""
            ),
            names=PhoneNames(DirectoryFollower(office.database, {}), office.database),
            readers=InboundMailReaders(
                book=DirectoryFollower(office.database, {}),
                names=PhoneNames(DirectoryFollower(office.database, {}), office.database),
                conversations=Conversations(office.database, "sms.example.net"),
                domain="sms.example.net",
            ),
            monotonic=seconds,
        )


async def test_a_customers_own_template_is_in_the_next_mail_and_gone_after_its_reset(office, workshop):
    telling = Telling(office, workshop.confined)
    office.own(MailForm.RESULT)
    await telling.teller.send(notice())
    assert "<p>Own: Delivered" in telling.delivery.html
    office.do(reset_template, TemplateOwner("demo"), MailForm.RESULT)
    await telling.teller.send(notice())
    assert "Own:" not in telling.delivery.html
    assert telling.alerts == []
    telling.teller.close()


async def test_a_logo_is_in_the_next_mail_once_its_graphic_is_there(office, workshop):
    telling = Telling(office, workshop.confined)
    told = notice(report(logo="logo"))
    await telling.teller.send(told)
    assert "cid:" not in telling.delivery.html
    office.do(add_graphic, "demo", "logo", PNG)
    await telling.teller.send(told)
    assert 'src="cid:logo.' in telling.delivery.html
    office.do(drop_graphic, "demo", "logo")
    await telling.teller.send(told)
    assert "cid:" not in telling.delivery.html
    telling.teller.close()


async def test_a_failure_has_its_own_form(office, workshop):
    telling = Telling(office, workshop.confined)
    office.own(MailForm.FAILURE, PAGE.format("<p>Sorry: {{ m.headline }}</p>"))
    await telling.teller.send(notice(report(message(MessageState.UNDELIVERED))))
    assert "<p>Sorry: " in telling.delivery.html
    await telling.teller.send(notice())
    assert "Sorry" not in telling.delivery.html
    telling.teller.close()


async def test_a_template_that_fails_at_run_time_is_replaced_by_the_standard_one_with_one_alert(office, workshop):
    seconds = count(0, 300)
    telling = Telling(office, workshop.confined, seconds=lambda: float(next(seconds)))
    office.own(MailForm.RESULT, PAGE.format("{{ m.nothing }}"))
    await telling.teller.send(notice())
    assert "What was sent" in telling.delivery.html or "Reported by the network" in telling.delivery.html
    (alert,) = telling.alerts
    assert alert.topic == "template:demo:result"
    assert "nothing" in alert.text
    telling.teller.close()


@pytest.mark.slow
async def test_a_template_that_just_failed_rests_until_it_is_changed_or_ten_minutes_are_over(office, workshop):
    at = 0.0
    telling = Telling(office, workshop.confined, seconds=lambda: at)
    office.own(MailForm.RESULT, SPINS)
    for _ in range(3):
        await telling.teller.send(notice())
    assert len(telling.alerts) == 1
    at = 601.0
    await telling.teller.send(notice())
    assert len(telling.alerts) == 2
    office.own(MailForm.RESULT)
    await telling.teller.send(notice())
    assert "Own:" in telling.delivery.html
    telling.teller.close()


async def test_a_slow_template_never_holds_the_event_loop(office):
    entered, go_on = threading.Event(), threading.Event()

    class Slow:
        def run(self, source, view):
            entered.set()
            assert go_on.wait(PATIENCE)
            return OWN

    telling = Telling(office, Slow())
    office.own(MailForm.RESULT)
    sending = asyncio.create_task(telling.teller.send(notice()))
    await asyncio.to_thread(entered.wait, 20)
    await telling.teller.send(notice(report(customer="other")))  # meanwhile
    assert len(telling.delivery.mails) == 1
    go_on.set()
    await sending
    assert len(telling.delivery.mails) == 2
    telling.teller.close()


async def test_a_machine_is_told_in_its_own_way_whatever_templates_there_are(office, workshop):
    telling = Telling(office, workshop.confined)
    office.own(MailForm.RESULT)
    job = report(message(notify="SUCCESS"), report_format=ReportFormat.DSN)
    await telling.teller.send(notice(job))
    assert b"multipart/report" in telling.delivery.mails[-1].message
    telling.teller.close()


async def test_mail_and_alerts_carry_a_signature_of_every_key(office, workshop):
    keys = [
        new_key("sms.example.net", f"s{number}", kind)
        for number, kind in enumerate((KeyKind.RSA, KeyKind.RSA, KeyKind.ED25519))
    ]
    signers = [Signer("sms.example.net", key.record_name.partition(".")[0], key.private_pem) for key in keys]
    telling = Telling(office, workshop.confined, signers)
    await telling.teller.send(notice())
    await telling.teller.send(AlertMail(identity="A.1", recipient="admin@example.net", subject="x", text="y"))
    records = {key.record_name: key.record_text.encode() for key in keys}
    for mail in telling.delivery.mails:
        assert mail.message.count(b"DKIM-Signature: ") == 3
        for index in range(3):
            assert dkim.DKIM(mail.message).verify(
                idx=index, dnsfunc=lambda name, timeout=5: records[name.decode().rstrip(".")]
            )
    telling.teller.close()
