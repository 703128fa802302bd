"""Reads a table of recipients that somebody uploads, in a child process that has little time and memory.

A hostile file can only break that process, which ends with its answer. Not here: reading itself
(addressbook.table_file), the process (templates.child), tables of mails, whose process stays
(mta.reading.confined_reader).
"""

from typing import Any

import msgspec
import structlog

from addressbook.table_file import MAIL_ROWS_LIMIT, read_table
from sms.outcome import Refusal, Refused
from sms.personalise import Table
from templates.child import Child, ChildEndedError, ChildLateError, ChildMemoryError, ChildUnavailableError, serve

log = structlog.get_logger()

_SECONDS = 2.0
_MEMORY = 256 * 2**20


def read_confined(content: bytes) -> Table | Refused:
    """Return the rows of a table, or what is wrong with it; takes up to seconds, so it belongs in a thread."""
    child = Child("gateway.table_reader", seconds=_SECONDS, memory_bytes=_MEMORY, longest_answer=_MEMORY)
    try:
        refused, answer = msgspec.msgpack.decode(child.ask(content), type=tuple[bool, msgspec.Raw])
        kind: Any = Refused if refused else Table
        found: Table | Refused = msgspec.msgpack.decode(answer, type=kind)
    except (ChildLateError, ChildMemoryError, ChildEndedError, ChildUnavailableError, msgspec.MsgspecError) as error:
        log.warning("table_not_read", octets=len(content), cause=str(error)[:300])
        return Refused(
            refusal=Refusal.TEMPLATE_INCOMPLETE, detail="the table: it takes too long or too much to read it"
        )
    finally:
        child.close()
    return found


def main() -> None:
    """Answer requests to read tables until the parent ends."""
    serve(_answer)


def _answer(content: bytes) -> bytes:
    found = read_table(content, rows_limit=MAIL_ROWS_LIMIT)
    return msgspec.msgpack.encode((isinstance(found, Refused), found))


if __name__ == "__main__":
    main()
