"""Customers' own templates of pushes: tried with samples before they are kept.

One for status pushes is kept here, one for inbound SMS with its action (actions). Not here: how templates run
(templates.push_sandbox), which one a push takes (gateway.pushes).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from addressbook.hierarchy import LayerKind
from gateway.admin.edit import AuditAction, Changed, Edit, Subject
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.mail_templates import TemplateOwner, find_owner
from inbound.actions import PushForm
from inbound.report import InboundReport
from sms.report import Channel, JobReport, MessageNotice, Notice, NoticeKind
from store.mail_templates import put_push_template, remove_push_template
from templates.confined import ConfinedPushes
from templates.push_fields import inbound_fields, status_fields
from templates.pushes import stored_form
from templates.render import TemplateBroken
from templates.samples import sample_inbound, sample_reports

_IDENTITY = "IP_1"
_AT = datetime(2026, 11, 23, 7, 15, 19, tzinfo=UTC)


class PushTopic(StrEnum):
    """What a push is of: an inbound SMS, or what became of a job."""

    INBOUND = "inbound"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class PushWorkshop:
    """What templates of pushes are tried with."""

    confined: ConfinedPushes = field(default_factory=ConfinedPushes)

    def find_faults(self, form: PushForm, source: str, topic: PushTopic = PushTopic.INBOUND) -> list[str]:
        """Return what is wrong with a template, in sentences for its author; empty where nothing is."""
        try:
            for _ in self.preview(form, source, topic):
                pass
        except TemplateBroken as broken:
            return [str(broken)]
        return []

    def preview(self, form: PushForm, source: str, topic: PushTopic = PushTopic.INBOUND) -> Iterator[str]:
        """Yield what the template makes of each sample. Raises TemplateBroken."""
        for fields in _samples(topic):
            yield self.confined.run(form, source, fields)

    def preview_of(self, form: PushForm, source: str, received: InboundReport) -> str:
        """Return what the template makes of an SMS. Raises TemplateBroken."""
        return self.confined.run(form, source, inbound_fields(received, _IDENTITY))

    def close(self) -> None:
        """End the process that templates run in."""
        self.confined.close()


def _samples(topic: PushTopic) -> Iterator[Mapping[str, object]]:
    if topic is PushTopic.INBOUND:
        yield from (inbound_fields(received, _IDENTITY) for received, _ in sample_inbound())
        return
    for kind in NoticeKind:
        for report in sample_reports(kind):
            yield status_fields(
                Notice(
                    key=1,
                    public_id="N.1",
                    kind=kind,
                    recipient="https://app.example.com/sms",
                    report=report,
                    created_at=_AT,
                    attempt=1,
                    channel=Channel.PUSH,
                )
            )
    for report in sample_reports(NoticeKind.RESULT):
        if len(report.messages) == 1:
            yield status_fields(_told_alone(report, "N.1", "https://app.example.com/sms"))


def _told_alone(report: JobReport, identity: str, url: str) -> MessageNotice:
    return MessageNotice(public_id=identity, recipient=url, report=replace(report, settled_at=None), ended=True)


def set_push_template(edit: Edit, owner: TemplateOwner, form: PushForm, source: str) -> Changed:
    """Keep a template for status pushes that was found good: from now on they have its form."""
    found, word = find_owner(edit.tx, owner), stored_form(form)
    put_push_template(edit.tx, found.ref(word), source, edit.who)
    detail = f"{word}, {len(source)} characters"
    whose = found.customer.key
    return edit.done(AuditAction.SET_TEMPLATE, Subject(found.target, whose, detail), form=word, **found.facts)


def reset_push_template(edit: Edit, owner: TemplateOwner) -> Changed:
    """Take a template for status pushes away, so that the next weaker or the standard one goes out."""
    found = find_owner(edit.tx, owner)
    if not remove_push_template(edit.tx, found.ref("push"), edit.who):
        raise AdminFault(FaultCode.NO_TEMPLATE_TO_RESET, form="push", **found.facts)
    whose = found.customer.key
    return edit.done(AuditAction.RESET_TEMPLATE, Subject(found.target, whose, "push"), form="push", **found.facts)


def sample_push(customer: str, url: str, now: datetime, *, of_message: bool, user: str = "") -> Notice | MessageNotice:
    """Return a push to try an application with: an invented result, of a job whose id says that it is none.

    It is that of the job, or of one of its messages; with a `user` it is to the webhook of that user.
    """
    report = replace(next(iter(sample_reports(NoticeKind.RESULT))), customer=customer, public_id="J.test")
    if user:
        report = replace(report, user=user, origins={"push_url": (LayerKind.PINNED, "")})
    identity = f"N.{now:%Y%m%dT%H%M%S}Ztest"
    if of_message:
        return _told_alone(report, identity, url)
    return Notice(
        key=0,
        public_id=identity,
        kind=NoticeKind.RESULT,
        recipient=url,
        report=report,
        created_at=now,
        attempt=1,
        channel=Channel.PUSH,
    )
