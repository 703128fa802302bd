"""What a source says of users, whatever it is, and what is wrong with it: a file's row today.

Not here: reading a source (exchange), what it changes in what is stored (import_plan), words for faults (cli.words).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sms.facts import Code, Fact

ADDRESS: Final = "e-mail"
PROFILE: Final = "profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChange:
    """What a source says of one user; `place` is where, counted from 1: a file's line.

    `cells` has field → value, NONE or UNSET; `columns` has what the source calls each field. `profile`, `name` and
    `active` are None where the source does not speak of them; no profile, the empty text, is the customer's default
    one. `pinned` names the fields whose cells are an administrator's.
    """

    place: int
    address: str
    cells: Mapping[str, object]
    columns: Mapping[str, str]
    profile: str | None = None
    name: str | None = None
    active: bool | None = None
    pinned: frozenset[str] = frozenset()


class ChangeFaultCode(Code):
    """What is wrong with a source of users, or with what it says of one."""

    NUL_CHARACTERS = ("nul-characters",)
    NOT_TEXT = "not-text", "encodings"
    NOT_CSV = "not-csv", "cause"
    CUT = "cut", "end_marker"
    EMPTY = ("empty",)
    RAGGED = "ragged", "lines", "width", "delimiter", "fits"
    UNEXPECTED_HEADER = ("unexpected-header",)
    NO_HEADER = ("no-header",)
    UNKNOWN_COLUMNS = "unknown-columns", "columns"
    COLUMNS_TWICE = "columns-twice", "columns"
    NO_COLUMN = "no-column", "column"

    BAD_ADDRESS = "bad-address", "given"
    ADDRESS_TWICE = "address-twice", "address", "rows"
    FOREIGN_ADDRESS = "foreign-address", "address"
    ANOTHER_CUSTOMER = "another-customer", "number", "above"
    BAD_VALUE = "bad-value", "given", "expected"
    NO_SETTING = "no-setting", "name"
    PINNED_WITHOUT_VALUE = "pinned-without-value", "name"
    NO_PROFILE = "no-profile", "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFault:
    """A fault at a place of a source, 0 for the source as a whole, and there in a column, if it is of one.

    The code is a `ChangeFaultCode`, or that of whoever bars a value.
    """

    place: int
    code: Code
    facts: Mapping[str, Fact]
    column: str = ""

    def __post_init__(self) -> None:
        self.code.check(self.facts)
