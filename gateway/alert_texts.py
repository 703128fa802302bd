"""What the administrator is told: one function for each thing that can go wrong, facts in, an alert out.

Not here: who notices it, and how alerts are kept and sent (gateway.alerts).
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from gateway.alerts import Alert
from gateway.ports import TlsFailure
from gateway.worker import Trouble
from inbound.effects import Untold
from inbound.sms import InboundSms
from sms.message import InboundFragment
from sms.number import mask_number
from sms.outcome import ProblemCode
from store.inbound_mail import INBOUND_LIST, INBOUND_MAIL
from store.outbox import OutboxEnd, TakenRow

_REPEATED_QUIET = timedelta(hours=6)
_MAILS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        INBOUND_MAIL: (
            "mail of a received SMS",
            "Its action has no other address. The SMS is kept: «mail2sms inbound list --not-handed-over» shows it.\n",
        ),
        INBOUND_LIST: ("list of received SMS", ""),
    }
)


def mail_given_up(taken: TakenRow, end: OutboxEnd) -> Alert:
    """Return the alert of a mail that nobody got, nor anybody in its place: it had a null sender."""
    domain = taken.recipient.rpartition("@")[2]
    what, more = _MAILS.get(taken.kind, ("status mail", ""))
    return Alert(
        topic=f"given-up:{what}:{domain}",
        subject=f"A {what} to {domain} was given up",
        text=f"The {what} {taken.public_id} to {taken.recipient} was given up after {taken.attempt} "
        f"attempts.\n\n{end.problem}\nReason: {end.reason}. Policy: {end.policy or 'none'}. "
        f"Host: {end.host or 'none'}.\n"
        + more
        + (f"«mail2sms tls check {domain}» shows why.\n" if end.reason == ProblemCode.TLS_POLICY else ""),
    )


def push_given_up(taken: TakenRow, end: OutboxEnd) -> Alert:
    """Return the alert of a push that no application took, or of an application that says that it is gone."""
    if end.ends_action is not None:
        return Alert(
            topic=f"push-gone:{end.ends_action}",
            subject=f"An application at {end.host} is gone: its action takes no more SMS",
            text=f"The application answered the push {taken.public_id} with status 410, so its action was made "
            "inactive and nothing more is pushed to it. What it did not get is kept.\n\n"
            "«mail2sms action list» shows the action, «mail2sms action set --enable» takes it up again. Then «mail2sms "
            "push replay --failed --since …» sends what it missed.\n",
        )
    return Alert(
        topic=f"push-given-up:{end.host}",
        subject=f"A push to {end.host} was given up",
        text=f"The push {taken.public_id} was given up after {taken.attempt} attempts.\n\n{end.problem}\n"
        f"Reason: {end.reason}. Host: {end.host or 'none'}. Answer: {end.reply or 'none'}.\n"
        f"«mail2sms push show {taken.public_id}» shows all attempts, «mail2sms push replay» sends it again.\n",
    )


def worker_trouble(trouble: Trouble) -> Alert:
    """Return the alert of a part of the gateway that has failed for long, or that works again.

    Where one cause stops many parts, as a database that is gone does, one mail says it for all.
    """
    state = "works again" if trouble.over else "fails"
    since = f"{trouble.seconds:.0f} seconds"
    text = f"It had failed for {since}." if trouble.over else f"It has failed for {since} and is tried again."
    return Alert(
        topic=f"worker-{'over' if trouble.over else 'fails'}:{trouble.kind}",
        subject=f"The worker «{trouble.worker}» {state}",
        text=f"{text}\n\nCause: {trouble.cause}\n\nThe log has each failure as event=step_failed.\n",
    )


def tls_failing(failed: TlsFailure) -> Alert:
    """Return the alert of mail that waits since a domain's TLS is not as demanded."""
    first = failed.failures == 1
    whose = f" of the customer «{failed.customer}»" if failed.customer else ""
    count = "for the first time" if first else f"for the {failed.failures}th time in a row"
    return Alert(
        topic=f"tls-{'first' if first else 'repeated'}:{failed.domain}:{failed.customer}",
        subject=f"Mail for {failed.domain} waits: its TLS is not as demanded",
        text=f"A status mail{whose} to {failed.domain} waits {count}: no mail server of the domain offers the "
        f"TLS that is demanded.\n\nPolicy: {failed.policy}\nCause: {failed.cause}\n\n"
        f"The mail is tried again and never sent with less. «mail2sms tls check {failed.domain}» shows the "
        "whole walk.\n",
        quiet=timedelta(hours=1) if first else _REPEATED_QUIET,
    )


def rules_unreadable(cause: str) -> Alert:
    """Return the alert of TLS rules that the database does not give."""
    return Alert(
        topic="rules-unreadable",
        subject="All status mails wait: the TLS rules can't be read",
        text=f"{cause}\n\nNo status mail goes out until they can be read again.\n",
    )


def template_failing(customer: str, profile: str, form: str, mail: str, fault: str) -> Alert:
    """Return the alert of a customer's own template that failed, so that the standard one goes out."""
    whose = f"«{customer}»" + (f", profile «{profile}»" if profile else "")
    return Alert(
        topic=f"template:{customer}:{form}",
        subject=f"Template of {customer} fails: the standard one goes out",
        text=f"The own template of {whose} for the form «{form}» failed: {fault}.\n\n"
        f"Mails go out in the standard form. This mail was {mail}.\n"
        "«mail2sms template check» tries a template, «mail2sms template reset» takes it away.\n",
        quiet=_REPEATED_QUIET,
    )


_NOBODY = {
    Untold.NO_NUMBER: "it came to a number that is none of ours",
    Untold.NUMBER_BLOCKED: "its number is not active",
    Untold.NO_SHARE: "no customer's word opens it",
    Untold.NO_CONTACT: "nobody has written to its phone",
    Untold.NO_ACTION: "its customer has no action for it",
    Untold.CUSTOMER_INACTIVE: "its customer is not active",
}


def inbound_reaches_nobody(sms: InboundSms, reason: Untold) -> Alert:
    """Return the alert of an inbound SMS that nobody gets; one for all of a number within its time."""
    return Alert(
        topic=f"inbound-{reason.value}:{sms.destination}",
        subject=f"An SMS to {sms.destination} reaches nobody",
        text=f"The SMS {sms.public_id} from {mask_number(sms.source)} by {sms.carrier} reaches nobody: "
        f"{_NOBODY[reason]}.\n\nIt is kept. «mail2sms inbound show {sms.public_id}» shows it, "
        "«mail2sms inbound list» all others.\n",
    )


def inbound_fails(fragment: InboundFragment, key: int, cause: str) -> Alert:
    """Return the alert of an inbound SMS that can't be handled."""
    return Alert(
        topic=f"inbound-fails:{key}",
        subject=f"An SMS to {fragment.destination} can't be handled",
        text=f"The SMS from {mask_number(fragment.source)} by {fragment.carrier} can't be handled. It is kept and "
        f"tried again; others are not held up.\n\nCause: {cause}\n\n"
        f"The log has each failure as event=inbound_failed fragment={key}.\n",
        quiet=_REPEATED_QUIET,
    )
