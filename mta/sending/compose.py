"""Notice and texts → the bytes of a mail: a status mail for people, or with mta.sending.dsn a DSN for machines.

Not here: the text of the mail (templates), DKIM (mta.sending.sign), delivery (mta.sending.deliver). RFC 5322, RFC 2046,
RFC 3834. The mail is built by hand: it has one form, and the stdlib's generator costs more than the signature.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from msgspec import structs

from gateway.ports import AlertMail
from mta.reading.options import read_options
from mta.sending.dsn import write_dsn
from mta.sending.fields import (
    attached_csv,
    base64_lines,
    date,
    mailbox,
    multipart,
    part,
    quoted_printable,
    thread,
    unstructured,
)
from mta.sending.given_names import with_given_names
from mta.sending.outlook_thread import outlook_thread
from sms.message import TlsTag
from sms.outcome import Refused
from sms.report import JobReport, Notice, NoticeKind
from sms.settings import ReportFormat
from templates.graphics import Graphic, point_graphics, shown_graphics
from templates.render import Rendered, Renderer
from templates.results import write_results
from templates.view import Tone

_UNFIT_FOR_ID = re.compile(r"[^A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailIdentity:
    """The author: From, and the names in message ids and DSNs (A-labels).

    `number_domain` is that of addresses which stand for numbers, where it is not the one of message ids.
    """

    from_name: str
    from_address: str
    hostname: str
    message_id_domain: str
    number_domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposedMail:
    """A mail ready to be signed. `envelope_from` is the null sender (RFC 3834 §3.3, RFC 3464 §2).

    `smtputf8` says that an address has letters beyond ASCII, so that the next hop must offer SMTPUTF8 (RFC 6531 §3.1).
    `fallback` says why a customer's own template was not used; else empty. `author_domain` is that of From where it may
    differ from the one of our other mails. `tls_tag` is what the sender of the mail that this is about asked of TLS.
    """

    envelope_from: str = ""
    recipient: str
    message: bytes
    message_id: str
    smtputf8: bool = False
    fallback: str = ""
    author_domain: str = ""
    tls_tag: TlsTag = TlsTag.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerTemplate:
    """A customer's own template with its graphics by name."""

    source: str
    graphics: Mapping[str, Graphic] = field(default_factory=lambda: MappingProxyType({}))


def compose_notice(  # noqa: PLR0913 - what a mail is made of, by name
    notice: Notice,
    *,
    identity: MailIdentity,
    renderer: Renderer,
    now: datetime,
    template: CustomerTemplate | None = None,
    logo: Graphic | None = None,
) -> ComposedMail | None:
    """Return the mail of this notice; None if the sender asked for a DSN and this event has none.

    A second call for the same notice gives the same Message-ID, so that receivers recognise a repeated mail.
    """
    report = with_given_names(_without_options(notice.report))
    smtputf8 = not (notice.recipient.isascii() and identity.from_address.isascii())
    # A person asked for a dry run, whatever the report format; and a DSN is about a mail.
    wants_dsn = notice.report.settings.report_format is ReportFormat.DSN and notice.report.mail is not None
    if wants_dsn and notice.kind is not NoticeKind.DRY_RUN:
        return _compose_dsn(notice, identity, renderer, now, smtputf8=smtputf8)
    rendered = renderer.render(notice.kind, report, override=template.source if template else None, logo=logo)
    message_id = notice_message_id("st", notice.public_id, identity.message_id_domain)
    boundary = boundary_of(notice.public_id)
    header = "".join(
        (
            _opening(notice, identity, message_id, now),
            unstructured("Subject", rendered.subject),
            _conversation(notice),
            "X-Auto-Response-Suppress: All\r\n",  # honoured by Exchange (MS-OXCMAIL §2.1.3.2.20)
            f"Content-Language: {rendered.language}\r\n",
        )
    )
    body = alternatives(rendered, graphics_of(template, logo), boundary, message_id)
    return ComposedMail(
        recipient=notice.recipient,
        message=header.encode() + with_files(body, boundary, _results(report, renderer) if rendered.shortened else ()),
        message_id=message_id,
        smtputf8=smtputf8,
        fallback=rendered.fallback,
        tls_tag=_tag_of(report),
    )


def _without_options(report: JobReport) -> JobReport:
    """Return a report whose mail's subject has no options, whether they were heeded or not."""
    mail = report.mail
    if mail is None or "[" not in mail.subject:
        return report
    read = read_options(mail.subject)
    return report if isinstance(read, Refused) else replace(report, mail=structs.replace(mail, subject=read.subject))


def _conversation(notice: Notice) -> str:
    mail = notice.report.mail
    if mail is None:
        return ""
    return outlook_thread(mail, notice.report.accepted_at, notice.created_at, notice.public_id)


def notice_message_id(prefix: str, public_id: str, domain: str) -> str:
    """Return the Message-ID of a notice: `<st.PUBLIC-ID@domain>` for status mails, `dsn` in front for DSNs."""
    return f"<{prefix}.{_UNFIT_FOR_ID.sub('-', public_id)}@{domain}>"


def _compose_dsn(
    notice: Notice, identity: MailIdentity, renderer: Renderer, now: datetime, *, smtputf8: bool
) -> ComposedMail | None:
    words = renderer.words(notice.report.settings.language)
    written = write_dsn(notice.kind, notice.report, hostname=identity.hostname, words=words, smtputf8=smtputf8)
    if written is None:
        return None
    message_id = notice_message_id("dsn", notice.public_id, identity.message_id_domain)
    header = "".join(
        (
            _opening(notice, identity, message_id, now),
            unstructured("Subject", written.subject),
            f"Content-Language: {words.language}\r\n",
            f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{written.boundary}"\r\n\r\n',
        )
    )
    return ComposedMail(
        recipient=notice.recipient,
        message=header.encode() + multipart(written.boundary, written.parts),
        message_id=message_id,
        smtputf8=smtputf8,
        tls_tag=_tag_of(notice.report),
    )


def _tag_of(report: JobReport) -> TlsTag:
    return report.mail.tls_tag if report.mail is not None else TlsTag.NONE


def _opening(notice: Notice, identity: MailIdentity, message_id: str, now: datetime) -> str:
    """Return the fields of every mail of ours."""
    mail = notice.report.mail
    return "".join(
        (
            mailbox("From", identity.from_name, identity.from_address),
            mailbox("To", "", notice.recipient),
            f"Date: {date(now)}\r\n",
            f"Message-ID: {message_id}\r\n",
            thread(mail.message_id, mail.references) if mail is not None else "",
            "Auto-Submitted: auto-replied\r\n",  # RFC 3834 §5.1
            unstructured("X-Mail2SMS-Notice", notice.public_id),
            "MIME-Version: 1.0\r\n",
        )
    )


def _results(report: JobReport, renderer: Renderer) -> tuple[bytes, ...]:
    words = renderer.words(report.settings.language)
    return (attached_csv(words.say("results.file"), report.accepted_at, write_results(report, words)),)


def with_files(body: bytes, boundary: str, files: Sequence[bytes]) -> bytes:
    """Return the type and the body of a mail: its alternatives, and after them the attached files if there are any."""
    kind = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'.encode()
    if not files:
        return kind + body
    outer = f"{boundary}_mixed"
    mixed = f'Content-Type: multipart/mixed; boundary="{outer}"\r\n\r\n'.encode()
    return mixed + multipart(outer, (kind + body, *files))


def graphics_of(template: CustomerTemplate | None, logo: Graphic | None) -> Mapping[str, Graphic]:
    """Return the graphics that a mail may show, by name."""
    return {**(template.graphics if template else {}), **({logo.name: logo} if logo else {})}


def boundary_of(public_id: str) -> str:
    """Return what separates the parts of a mail; the same at every attempt."""
    return f"=_{_UNFIT_FOR_ID.sub('', public_id)[:60]}"


def alternatives(rendered: Rendered, known: Mapping[str, Graphic], boundary: str, message_id: str) -> bytes:
    """Return a mail's body: its text, and its HTML with those of the known graphics that it shows."""
    # Looking for them in a mail costs as much as writing it.
    shown = shown_graphics(rendered.html) if known else ()
    graphics = tuple(known[name] for name in shown if name in known)
    # «=_» never occurs in quoted-printable text or base64, so the boundary cannot (RFC 2045 §6.7). Text stays readable
    # in the queue; base64 keeps relays from the long lines of HTML, and is cheapest to sign.
    text = part("text/plain; charset=utf-8", "quoted-printable", quoted_printable(rendered.text))
    if not graphics:
        html = part("text/html; charset=utf-8", "base64", base64_lines(rendered.html))
        return multipart(boundary, (text, html))
    # RFC 2387, RFC 2392 §2: HTML and its graphics, each under a globally unique id
    ids = {graphic.name: f"{graphic.name}.{message_id.strip('<>')}" for graphic in graphics}
    pointed = point_graphics(rendered.html, lambda name: f"cid:{ids.get(name, name)}")
    inner = f"{boundary}_related"
    related = multipart(
        inner,
        (
            part("text/html; charset=utf-8", "base64", base64_lines(pointed)),
            *(_graphic(graphic, ids[graphic.name]) for graphic in graphics),
        ),
    )
    header = f'Content-Type: multipart/related; type="text/html";\r\n boundary="{inner}"\r\n\r\n'
    return multipart(boundary, (text, header.encode() + related))


def _graphic(graphic: Graphic, content_id: str) -> bytes:
    name = f'"{graphic.name}"'
    return part(
        f"{graphic.media_type};\r\n name={name}",
        "base64",
        base64_lines(graphic.content),
        f"Content-ID: <{content_id}>",
        f"Content-Disposition: inline;\r\n filename={name}",  # RFC 2183 §2.1
    )


def compose_alert(alert: AlertMail, *, identity: MailIdentity, renderer: Renderer, now: datetime) -> ComposedMail:
    """Return a mail that tells the administrator of an alert."""
    message_id = notice_message_id("al", alert.identity, identity.message_id_domain)
    boundary = boundary_of(alert.identity)
    header = "".join(
        (
            mailbox("From", identity.from_name, identity.from_address),
            mailbox("To", "", alert.recipient),
            f"Date: {date(now)}\r\n",
            f"Message-ID: {message_id}\r\n",
            unstructured("Subject", alert.subject),
            "Auto-Submitted: auto-generated\r\n",  # RFC 3834 §5.1
            "X-Auto-Response-Suppress: All\r\n",
            "MIME-Version: 1.0\r\n",
            f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n',
        )
    )
    html = renderer.render_alert(alert.subject, alert.text, Tone.GOOD if alert.over else Tone.BAD)
    rendered = Rendered(subject=alert.subject, html=html, text=alert.text, language="en")
    return ComposedMail(
        recipient=alert.recipient,
        message=header.encode() + alternatives(rendered, {}, boundary, message_id),
        message_id=message_id,
        smtputf8=not (alert.recipient.isascii() and identity.from_address.isascii()),
    )
