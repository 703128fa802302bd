"""A mail to `cancel+…`: which job its author takes back, where it is the mail of a person and about one job.

Not here: who the author is (mta.intake), whether the job is the author's and what becomes of it (gateway.taking_back).
"""

from addressbook.canonical import canonical_address
from addressbook.senders import Sender
from addressbook.snapshot import Snapshot
from gateway.taking_back import CancelMail
from mta.reading.automatic import find_automatic
from mta.reading.mime import ParsedMail
from sms.outcome import Refusal, Refused


def judge_cancel(
    job: str, mail: ParsedMail, reverse_path: str, sender: Sender, snapshot: Snapshot
) -> CancelMail | Refused:
    """Return what a proven author asks for, or why it is not done; the mail's text and options do not count.

    `job` is empty for a mail with several recipients.
    """
    if not job:
        detail = "a mail to cancel+... has no other recipient: it cancels one job"
        return Refused(refusal=Refusal.ADDRESS_MALFORMED, detail=detail)
    if mark := find_automatic(mail, reverse_path):
        return Refused(refusal=Refusal.AUTOMATIC_MAIL, detail=f"only a person cancels, and the mail has {mark}")
    return CancelMail(
        job=job,
        customer_id=sender.customer.key,
        sender=canonical_address(mail.author) or "",
        directory_version=snapshot.version,
    )
