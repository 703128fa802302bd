"""What the recipient addresses of a mail stand for: numbers, members of lists, rows of a table, a job to cancel.

Not here: the forms of an address (addresses), whether a number may be written to (gateway.plan).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from addressbook.lists import DistributionList, DistributionLists, ListMember
from gateway.submission import RecipientRequest
from mta.reading.addresses import RecipientKind, read_recipient
from mta.reading.body import ExtractedText
from sms.outcome import Refusal, Refused
from sms.personalise import Table, find_placeholder


class TargetKind(StrEnum):
    """What an address stands for."""

    NUMBER = "number"
    REPLY = "reply"
    LIST = "list"
    TABLE = "table"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientTarget:
    """One address understood: `name` is a number's text, a reply token, a list's name or a job's id.

    `dry_run` asks what would be sent.
    """

    kind: TargetKind
    name: str = ""
    dry_run: bool = False


OF_A_NUMBER = frozenset("+0123456789")
"""What a number begins with; lists, tables and dry runs begin with a letter, as mailboxes do."""
_MOST_READ = 10_000
TABLE_ADDRESS = "bulk"
_EXPLAIN = "explain+"


@lru_cache(_MOST_READ)
def read_target(address: str, prefixes: tuple[str, ...]) -> RecipientTarget | Refused:
    """Return what an address of our domains stands for; `bulk@` is for tables, `explain+…@` for dry runs."""
    local, _, domain = address.rpartition("@")
    asks = local[: len(_EXPLAIN)].lower() == _EXPLAIN
    if (local[len(_EXPLAIN) :] if asks else local).lower() == TABLE_ADDRESS:
        checked = read_recipient(f"0@{domain}", prefixes=prefixes)
        return checked if isinstance(checked, Refused) else RecipientTarget(kind=TargetKind.TABLE, dry_run=asks)
    recipient = read_recipient(address, prefixes=prefixes)
    if isinstance(recipient, Refused):
        return recipient
    asks = recipient.kind is RecipientKind.EXPLAIN
    if recipient.reply_token:
        return RecipientTarget(kind=TargetKind.REPLY, name=recipient.reply_token, dry_run=asks)
    if recipient.job:
        return RecipientTarget(kind=TargetKind.CANCEL, name=recipient.job)
    kind = TargetKind.LIST if recipient.list_name else TargetKind.NUMBER
    return RecipientTarget(
        kind=kind,
        name=recipient.list_name or recipient.number,
        dry_run=asks,
    )


class ParsedRecipients(Struct, frozen=True, kw_only=True):
    """All recipients of a mail as addressed, before lists and tables are opened: `(wanted, target)` each.

    A target is None where the address was refused, which `wanted` then tells.
    """

    pairs: tuple[tuple[RecipientRequest, RecipientTarget | None], ...]

    def has(self, kind: TargetKind) -> bool:
        """Return whether one of the addresses is of this kind."""
        return kind in [target.kind for _, target in self.pairs if target is not None]

    def judge_dry_run(self, asked_in_subject: bool) -> bool | Refused:  # noqa: FBT001 - one option of the subject
        """Return whether the mail is a dry run: as a whole or not at all."""
        asking = [target.dry_run for _, target in self.pairs if target is not None]
        if not (asked_in_subject or any(asking)):
            return False
        if asked_in_subject or all(asking):
            return True
        return Refused(
            refusal=Refusal.OPTION_MALFORMED,
            detail="A mail is a dry run for all its recipients (explain+...) or for none.",
        )

    def only_list(self) -> str:
        """Return the name of the list that all addresses name, empty where there are others."""
        first = self.pairs[0][1] if self.pairs else None
        if first is None or first.kind is not TargetKind.LIST:
            return ""
        names = {target.name.lower() if target and target.kind is TargetKind.LIST else "" for _, target in self.pairs}
        return names.pop() if len(names) == 1 else ""


class Recipients(Struct, frozen=True, kw_only=True):
    """Everybody whom a mail reaches; `personalised` where they bring values, `lists` names those that were opened."""

    wanted: tuple[RecipientRequest, ...]
    personalised: bool = False
    lists: tuple[str, ...] = ()


MembersOf = Callable[[int], Sequence[ListMember]]
"""Returns the members of the list of a key; it reads the database and may wait for it."""


def open_lists(
    addressed: ParsedRecipients, lists: DistributionLists, members_of: MembersOf, customer_id: int, author: str
) -> Recipients:
    """Return the recipients with every list replaced by its members; a list that is refused stays one refused line."""
    wanted: list[RecipientRequest] = []
    opened: list[str] = []
    for one, target in addressed.pairs:
        if target is None or target.kind is not TargetKind.LIST:
            wanted.append(one)
            continue
        found = lists.permitted(customer_id, target.name, author)
        members = () if isinstance(found, Refused) else members_of(found.key)
        if isinstance(found, DistributionList) and not members:
            found = Refused(refusal=Refusal.ADDRESS_UNKNOWN, detail=f"The list {found.name} has no members.")
        if isinstance(found, Refused):
            wanted.append(replace(one, refused=found))
            continue
        opened.append(found.name)
        domain = one.given.rpartition("@")[2]
        # RFC 3461 §5.2.7.2: each member of an alias is told of as the alias was to be
        wanted += [
            replace(one, given=f"+{member.number}@{domain}", number=f"+{member.number}", values=member.values)
            for member in members
        ]
    return Recipients(wanted=tuple(wanted), personalised=bool(opened), lists=tuple(opened))


def open_table(one: RecipientRequest, table: Table) -> Recipients:
    """Return the rows of a table as recipients."""
    domain = one.given.rpartition("@")[2]
    return Recipients(
        wanted=tuple(
            replace(
                one,
                given=f"{''.join(row.number.split())[:40]}@{domain}",
                number=row.number,
                values=row.values,
                row=f"line {row.line}" + (f" ({row.number[:20]})" if row.number else ""),
            )
            for row in table.rows
        ),
        personalised=True,
    )


def refuse_unfilled(extracted: ExtractedText | Refused, reached: Recipients) -> ExtractedText | Refused:
    """Return a text, or why it is not sent: it has a placeholder that nobody fills, which would reach the phone."""
    place = "" if reached.personalised or isinstance(extracted, Refused) else find_placeholder(extracted.text)
    if not place:
        return extracted
    domain = reached.wanted[0].given.rpartition("@")[2]
    detail = (
        f"{' '.join(place.split())[:60]} stands for a value, and this mail has none:"
        f" attach a table (CSV or XLSX) and write to {TABLE_ADDRESS}@{domain}, or to a list, or leave the braces out"
    )
    return Refused(refusal=Refusal.TEMPLATE_INCOMPLETE, detail=detail)
