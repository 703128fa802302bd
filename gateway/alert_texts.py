"""What the administrator is told: one function for each thing that can go wrong, facts in, an alert out.

Not here: who notices it, and how alerts are kept and sent (gateway.alerts).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from gateway.alerts import Alert
from gateway.ports import TlsFailure
from gateway.traffic_rise import TrafficRise
from gateway.worker import Trouble
from inbound.effects import Untold
from inbound.sms import InboundSms
from sms.message import InboundFragment
from sms.number import mask_number
from sms.outcome import ProblemCode
from store.acme import Renewal
from store.carrier_links import CarrierLink
from store.inbound_mail import INBOUND_LIST, INBOUND_MAIL
from store.outbox import OutboxEnd, TakenRow
from store.outbox_views import ToldTopic
from store.queue_counts import QueueCount

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


def carrier_away(name: str, link: CarrierLink) -> Alert:
    """Return the alert of a carrier without any link."""
    return Alert(
        topic="",
        subject=f"The carrier {name} is away",
        text=f"The carrier {name} has had no link since {_at(link.since_at)} UTC.\n\n"
        f"Cause: {link.trouble or 'none is known'}. Host: {link.host}.\n\n"
        "SMS wait for it, or go by another carrier where there is one. «mail2sms health» shows what waits, "
        "«mail2sms carrier list» the links.\n",
    )


def messages_late(waiting: QueueCount) -> Alert:
    """Return the alert of SMS that wait too long for their carriers."""
    return Alert(
        topic="",
        subject=f"SMS for {waiting.name} wait",
        text=f"{waiting.late} SMS for {waiting.name} could go out and wait, the first since {_since(waiting)} UTC.\n\n"
        "«mail2sms queue list» shows which and why, «mail2sms carrier list» the links of the carriers.\n",
    )


def notices_late(waiting: Sequence[QueueCount]) -> Alert:
    """Return the alert of mails and pushes that wait though they could go out."""
    first = min(waiting, key=_since)
    return Alert(
        topic="",
        subject="Mails or pushes wait",
        text=f"{sum(item.late for item in waiting)} mails and pushes could go out and wait, the first since "
        f"{_since(first)} UTC: those for {', '.join(item.name or 'no host' for item in waiting[:20])}.\n\n"
        "«mail2sms queue list» shows which and why.\n",
    )


def directory_old(customer: str, name: str, read_at: str, recipient: str) -> Alert:
    """Return the alert of a directory that has not been read for long; its customer's administrator is told."""
    return Alert(
        topic="",
        subject=f"The directory {name} of {customer} is not read any more",
        text=f"The directory {name} of {customer} was read last at {read_at} UTC, though it is due more often.\n\n"
        "Users who came or left since then are not known. «mail2sms dirsync list» shows its state, "
        f"«mail2sms dirsync run {name} --customer {customer}» reads it now.\n",
        address=recipient,
    )


def certificate_ends(name: str, file: str, ends: datetime, now: datetime) -> Alert:
    """Return the alert of a certificate of ours that ends."""
    days = max((ends - now).days, 0)
    when = "has ended" if ends < now else f"ends in {days} {'day' if days == 1 else 'days'}"
    return Alert(
        topic="",
        subject=f"The certificate of {name} {when}",
        text=f"The certificate of {name} in {file} {'ended' if ends < now else 'ends'} at {_at(ends)} UTC.\n\n"
        "Put a new one in its place: it is taken up by itself.\n",
    )


def certificate_refused(renewal: Renewal) -> Alert:
    """Return the alert of an authority that does not give the certificate of [acme]."""
    kept = f"The one in use ends at {_at(renewal.ends_at)} UTC" if renewal.ends_at else "There is none so far"
    return Alert(
        topic="",
        subject="The certificate of [acme] is not renewed",
        text=f"Its authority does not give a certificate ({renewal.failures} attempts in a row).\n\n"
        f"Cause: {renewal.problem}\n\n{kept}. The authority is asked again by itself, ever more seldom; SIGHUP "
        "(«systemctl reload mail2sms») asks at once. «mail2sms health» shows the state.\n",
    )


def certificate_unusable(name: str, fault: str) -> Alert:
    """Return the alert of a certificate, key or authority of a listener that can't be used as its file is now."""
    return Alert(
        topic="",
        subject=f"The new certificate of {name} can't be used",
        text=f"{fault}.\n\nWhat {name} read from the files before stays in use until the process ends; then it can't "
        "start. Put a certificate with its key in their place: they are taken up by themselves.\n",
    )


def disk_full(folder: str, free: int, reserve: int) -> Alert:
    """Return the alert of a disk that is nearly full, so that no mail is taken."""
    return Alert(
        topic="",
        subject="No mail is taken: the disk is full",
        text=f"{free:,} bytes are free at {folder}. Under [limits] disk_reserve, {reserve:,}, mail is answered with "
        "452, and its senders keep it.\n\nMake room on the disk; then mail is taken again by itself.\n",
    )


def traffic_rises(rise: TrafficRise) -> Alert:
    """Return the alert that a customer sends far more by a carrier than it did within the last week."""
    return Alert(
        topic="",
        subject=f"The traffic of customer {rise.customer} to {rise.carrier} rises sharply",
        text=f"{rise.now} SMS were accepted within an hour; in the busiest hour of the week before there were "
        f'{rise.before}.\n\n«mail2sms jobs --customer "{rise.customer}"» shows the jobs, «mail2sms customer limit» '
        "bounds them, and «mail2sms customer suspend» stops new ones.\n",
    )


def over(told: ToldTopic) -> Alert:
    """Return the alert that something which was told is over."""
    return Alert(
        topic=told.topic,
        subject=f"Over: {told.subject}",
        text=f"What was told of is over: {told.subject}.\n\n«mail2sms health» shows how the gateway is.\n",
        quiet=timedelta(),
        address=told.recipient,
        over=True,
    )


def _since(waiting: QueueCount) -> str:
    return _at(waiting.oldest_at) if waiting.oldest_at is not None else ""


def _at(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S")
