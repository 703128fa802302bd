"""What keeps an answer in Outlook's conversation although its subject says the result: Thread-Topic and Thread-Index.

Outlook and Exchange group by the conversation index and by the topic, not by the subject of an answer (MS-OXOMSG
§2.2.1.2, §2.2.1.3). The index is a header of 22 bytes, with a block of five bytes for each answer. Not here:
References, by which other programs group (fields.thread).
"""

import binascii
import hashlib
import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import Final

from mta.reading.headers import MOST_FIELDS, decoded_text, field_text, read_fields
from mta.sending.fields import message_ids, unstructured
from sms.message import MailOrigin

_HEADER: Final = 22
_CHILD: Final = 5
_MOST_CHILDREN: Final = 40
_GUID: Final = slice(6, 22)
_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)
_STEP: Final = 18  # a child's time counts 2**18 steps of 100 ns, from the level above it
_LONG_STEP: Final = 23  # the same, from 1.7 years on
_LONG: Final = 1 << 31
# Up to three characters that are no digits, then a colon and a blank (MS-OXCMSG §2.2.1.9): «RE: », «AW: », «WG: ».
_PREFIXES: Final = re.compile(r"(?:[^\d\s:]{1,3}:\s+)+")


def topic_of(subject: str) -> str:
    """Return a subject as Outlook keeps it for a conversation: without the prefixes of answers and forwarded mails."""
    topic = _PREFIXES.sub("", f"{subject} ", 1) if _PREFIXES.match(f"{subject} ") else subject
    return topic.strip()


def outlook_thread(mail: MailOrigin, accepted_at: datetime, told_at: datetime, identity: str) -> str:
    """Return the fields of an answer to this mail, told at an instant; the same for the same notice.

    The index continues that of the mail. Where that has none, or none that can be read, all answers to one thread get a
    common one.
    """
    fields = read_fields(mail.header, MOST_FIELDS) or {}
    topic = decoded_text(fields, "thread-topic") or topic_of(mail.subject)
    index = _read_index(field_text(fields, "thread-index")) or _new_index(mail, accepted_at)
    answer = index_of_answer(index, told_at, identity)
    return f"{unstructured('Thread-Topic', topic) if topic else ''}Thread-Index: {answer}\r\n"


def _read_index(text: str) -> bytes:
    try:
        index = b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
    children, rest = divmod(len(index) - _HEADER, _CHILD)
    return index if 0 <= children <= _MOST_CHILDREN and not rest and index[0] == 1 else b""


def _new_index(mail: MailOrigin, accepted_at: datetime) -> bytes:
    return first_index([*message_ids(mail.references), *message_ids(mail.message_id), mail.subject][0], accepted_at)


def first_index(root: str, began_at: datetime) -> bytes:
    """Return the index of a conversation's first mail; the same for the same root and instant."""
    guid = hashlib.sha256(root.encode("utf-8", "replace")).digest()[:16]
    return (_filetime(began_at) >> 16).to_bytes(6, "big") + guid


def index_of_answer(index: bytes, told_at: datetime, identity: str) -> str:
    """Return the index of an answer in base64; one that is as long as may be grows no more."""
    if len(index) == _HEADER + _MOST_CHILDREN * _CHILD:
        return b64encode(index).decode()
    now = _filetime(told_at)
    # Exchange writes times of answers that lie in the future by this reading; then the first time counts.
    since = next((now - last for last in (_last_time(index), _last_time(index[:_HEADER])) if last <= now), 0)
    is_long = since >> _STEP >= _LONG
    delta = (since >> (_LONG_STEP if is_long else _STEP)) % _LONG
    mark = hashlib.sha256(identity.encode("utf-8", "replace")).digest()[:1]
    return b64encode(index + (delta | (_LONG if is_long else 0)).to_bytes(4, "big") + mark).decode()


def _last_time(index: bytes) -> int:
    """Return when the last mail of an index was written; newer programs write one byte less of the first time."""
    is_newer = index[1] == 1
    time = int.from_bytes(index[1:6], "big") << 24 if is_newer else int.from_bytes(index[:6], "big") << 16
    for start in range(_HEADER, len(index), _CHILD):
        delta = int.from_bytes(index[start : start + 4], "big")
        time += delta % _LONG << (_LONG_STEP if delta >= _LONG else _STEP)
    return time


def _filetime(instant: datetime) -> int:
    """Return an instant in steps of 100 ns from 1601 on (MS-DTYP §2.3.3)."""
    return (instant - _EPOCH) // timedelta(microseconds=1) * 10
