"""The Message-IDs of mails of inbound SMS: `<in.…@…>` of each, and `<conv.…@…>`, the root of a conversation's thread.

Not here: who writes them (mta.sending), the address that is answered to (reply_token). RFC 5322 §3.6.4.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_ROOT: Final = re.compile(r"<conv\.([0-9]{1,19})@([^<>@]+)>", re.IGNORECASE)
_MAIL: Final = re.compile(r"<in\.([^<>@]{1,80})@([^<>@]+)>", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """What a mail answers: `roots` are keys of conversations, `mails` public ids of rows of the outbox."""

    roots: frozenset[int] = frozenset()
    mails: frozenset[str] = frozenset()


def mail_id(public_id: str, domain: str) -> str:
    """Return the Message-ID of the mail that a row of the outbox becomes."""
    return f"<in.{public_id}@{domain}>"


def root_id(conversation_key: int, domain: str) -> str:
    """Return the Message-ID that all mails of a conversation refer to."""
    return f"<conv.{conversation_key}@{domain}>"


def read_thread(message_ids: Iterable[str], domain: str) -> Thread:
    """Return what In-Reply-To and References name of ours."""
    own = [item for item in message_ids if item.lower().endswith(f"@{domain.lower()}>")]
    roots = frozenset(int(found[1]) for item in own if (found := _ROOT.fullmatch(item)))
    mails = frozenset(found[1] for item in own if (found := _MAIL.fullmatch(item)))
    return Thread(roots=roots, mails=mails)
