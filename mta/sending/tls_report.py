"""Our TLS report of a day → the bytes of a mail to whom a domain names.

Not here: the report itself (tls.report). RFC 8460 §5.3, RFC 6522.
"""

import re
from datetime import UTC, datetime, timedelta

from gateway.ports import TlsReport
from gateway.tls_reports import TLS_REPORT_TYPE
from mta.sending.compose import ComposedMail, MailIdentity, boundary_of, notice_message_id
from mta.sending.fields import base64_lines, date, mailbox, multipart, part, quoted_printable, unstructured
from sms.message import TlsTag

_UNFIT_FOR_FILE = re.compile(r"[^A-Za-z0-9.!_-]+")


def compose_tls_report(report: TlsReport, *, identity: MailIdentity) -> ComposedMail:
    """Return the mail; the same at every attempt."""
    message_id = notice_message_id("tr", report.identity, identity.message_id_domain)
    boundary = boundary_of(report.identity)
    subject = f"Report Domain: {report.domain} Submitter: {report.submitter} Report-ID: <{report.report_id}>"
    header = "".join(
        (
            mailbox("From", identity.from_name, identity.from_address),
            mailbox("To", "", report.recipient),
            f"Date: {date(report.created_at)}\r\n",
            f"Message-ID: {message_id}\r\n",
            unstructured("Subject", subject),
            f"TLS-Report-Domain: {report.domain}\r\n",
            f"TLS-Report-Submitter: {report.submitter}\r\n",
            "TLS-Required: No\r\n",  # RFC 8460 §3, RFC 8689 §3: what fails must not keep its report away
            "Auto-Submitted: auto-generated\r\n",  # RFC 3834 §5.1
            "MIME-Version: 1.0\r\n",
            f'Content-Type: multipart/report; report-type="tlsrpt";\r\n boundary="{boundary}"\r\n\r\n',
        )
    )
    words = (
        f"This is an aggregate TLS report from {report.submitter} about {report.domain}\n"
        f"for {report.day} (UTC). The attached file is JSON in gzip (RFC 8460).\n"
    )
    file = _file_name(report)
    parts = (
        part("text/plain; charset=us-ascii", "quoted-printable", quoted_printable(words)),
        part(
            TLS_REPORT_TYPE,
            "base64",
            base64_lines(report.content),
            f'Content-Disposition: attachment;\r\n filename="{file}"',  # RFC 2183 §2.1
        ),
    )
    return ComposedMail(
        recipient=report.recipient,
        message=header.encode() + multipart(boundary, parts),
        message_id=message_id,
        tls_tag=TlsTag.OPTIONAL,
    )


def _file_name(report: TlsReport) -> str:
    """Return `submitter!domain!begin!end!id.json.gz` (RFC 8460 §5.1)."""
    began = datetime.fromisoformat(report.day).replace(tzinfo=UTC)
    ended = began + timedelta(days=1, seconds=-1)
    name = f"{report.submitter}!{report.domain}!{int(began.timestamp())}!{int(ended.timestamp())}!{report.identity}"
    return f"{_UNFIT_FOR_FILE.sub('-', name)}.json.gz"
