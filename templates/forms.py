"""The forms of mail for which a customer may have its own template, and which can replace which.

Not here: storing templates (store.mail_templates), rendering them (templates.render).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from sms.report import JobReport, NoticeKind


class MailForm(StrEnum):
    """A form of mail: what was accepted, a result, its later correction, a delay, a result with failures.

    Then the answer to a dry run, and a received SMS, which is no status mail.
    """

    ACCEPTED = "accepted"
    RESULT = "result"
    CORRECTION = "correction"
    DELAYED = "delayed"
    FAILURE = "failure"
    DRY_RUN = "dry-run"
    INBOUND = "inbound"


_SUBSTITUTES: Mapping[MailForm, tuple[MailForm, ...]] = MappingProxyType(
    {MailForm.FAILURE: (MailForm.RESULT,), MailForm.CORRECTION: (MailForm.RESULT,)}
)
_KINDS: Mapping[MailForm, NoticeKind] = MappingProxyType(
    {
        MailForm.ACCEPTED: NoticeKind.ACCEPTED,
        MailForm.RESULT: NoticeKind.RESULT,
        MailForm.CORRECTION: NoticeKind.CORRECTION,
        MailForm.DELAYED: NoticeKind.DELAYED,
        MailForm.FAILURE: NoticeKind.RESULT,
        MailForm.DRY_RUN: NoticeKind.DRY_RUN,
    }
)


def form_of(kind: NoticeKind, report: JobReport) -> MailForm:
    """Return the form of a notice: a result with any failure is a failure."""
    if kind is NoticeKind.RESULT and report.summary.failed:
        return MailForm.FAILURE
    return MailForm(kind.value)


def forms_in_order(form: MailForm) -> tuple[MailForm, ...]:
    """Return the forms whose template may be used, best first: a failure or correction also takes the result's."""
    return (form, *_SUBSTITUTES.get(form, ()))


def kind_of(form: MailForm) -> NoticeKind:
    """Return the kind of notice of a form of status mail. Raises KeyError for another."""
    return _KINDS[form]
