"""Papers that prove a registration, such as a letter of authorisation: added, removed, read.

Their octets say what they are, and they are served as attachments alone. Not here: registrations.
"""

import re
from typing import Final

from addressbook.registrations import RegistrationState
from gateway.admin.edit import AuditAction, Changed, Edit, Subject
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.registrations import EDITABLE, LETTER, LIVING, get_registration
from store.engine.database import Transaction
from store.engine.keys import to_stored
from store.registrations import Paper, PaperEntry, add_paper, octets_of, papers_of, read_paper, remove_paper

LARGEST_PAPER: Final = 5_000_000
_MOST_PAPERS: Final = 10
_MOST_OCTETS: Final = 100_000_000
"""Of all papers of one customer."""
_SIGNATURES: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)
_UNNAMEABLE: Final = re.compile(r"[^\w .()+-]")
_LONGEST_NAME: Final = 100
SUPPORTING: Final = "supporting"


def put_paper(  # noqa: PLR0913 - a file
    edit: Edit, registration: str, *, name: str, content: bytes, is_letter: bool = False, customer: str = ""
) -> Changed:
    """Keep a PDF, PNG or JPEG of up to 5 MB with a registration, in place of the one of its name."""
    row = get_registration(edit.tx, registration, customer, LIVING)
    shown = _shown_name(name)
    if len(content) > LARGEST_PAPER:
        raise AdminFault(FaultCode.PAPER_TOO_LARGE, name=shown, most=LARGEST_PAPER // 1_000_000)
    media_type = next((kind for start, kind in _SIGNATURES if content.startswith(start)), "")
    if not media_type or not shown:
        raise AdminFault(FaultCode.BAD_PAPER, name=shown)
    others = [paper for paper in papers_of(edit.tx, row.key) if paper.name != shown]
    if len(others) >= _MOST_PAPERS or octets_of(edit.tx, row.customer_key) + len(content) > _MOST_OCTETS:
        raise AdminFault(FaultCode.TOO_MANY_PAPERS, most=_MOST_PAPERS, most_octets=_MOST_OCTETS // 1_000_000)
    entry = PaperEntry(
        name=shown,
        kind=LETTER if is_letter else SUPPORTING,
        media_type=media_type,
        size=len(content),
        added_at=to_stored(edit.now),
        added_by=edit.who,
    )
    add_paper(edit.tx, edit.keys.take(), row, entry, content)
    about = Subject(row.public_id, row.customer_key or None, f"{shown}: {media_type}, {len(content)} octets")
    return edit.done(AuditAction.ADD_PAPER, about, registration=row.public_id, name=shown)


def drop_paper(edit: Edit, registration: str, *, name: str, customer: str = "") -> Changed:
    """Delete a paper of a registration that is not submitted."""
    row = get_registration(edit.tx, registration, customer, EDITABLE)
    if not remove_paper(edit.tx, row.key, name):
        raise AdminFault(FaultCode.NO_PAPER, registration=row.public_id, name=name)
    about = Subject(row.public_id, row.customer_key or None, name)
    return edit.done(AuditAction.REMOVE_PAPER, about, registration=row.public_id, name=name)


def open_paper(tx: Transaction, registration: str, name: str, customer: str = "") -> Paper:
    """Return a paper of a registration (of a customer). Raises AdminFault."""
    row = get_registration(tx, registration, customer, tuple(RegistrationState))
    paper = read_paper(tx, row.key, name)
    if paper is None:
        raise AdminFault(FaultCode.NO_PAPER, registration=row.public_id, name=name)
    return paper


def _shown_name(name: str) -> str:
    """Return a file's name without folders and signs that a header or a shell could read otherwise."""
    last = re.split(r"[/\\]", name)[-1]
    return " ".join(_UNNAMEABLE.sub("_", last).split())[-_LONGEST_NAME:].lstrip(".")
