"""What the command line says of directories and their runs. Not here: what was decided (addressbook)."""

from collections.abc import Callable, Mapping
from typing import Final

from addressbook.guard import HoldCode
from addressbook.source_options import OptionFault, OptionFaultCode
from cli.words import Words, say
from sms.facts import Fact


def option_fault_sentence(fault: OptionFault) -> str:
    """Return what is wrong with an option of a directory, and what would be right."""
    return say(OPTION_FAULTS, fault.code, fault.facts)


def _too_many(what: str, noun: str = "user") -> Callable[..., str]:
    """Return the words for more than may be done in 24 hours without approval."""

    def words(*, count: int, earlier: int, of: int, most: int, **facts: Fact) -> str:
        after = f", after {earlier} in the last 24 hours" if earlier else ""
        all_of_them = f"{of} {noun}" if of == 1 else f"{of} {noun}s"
        return f"{count} of {all_of_them} {what.format(**facts)}{after}; at most {most} may without approval."

    return words


HOLD_REASONS: Final[Mapping[HoldCode, Words]] = {
    HoldCode.SOURCE_EMPTY: "The source is empty, and the directory has {of:user}.",
    HoldCode.OPTIONS_CHANGED: "The directory's options were changed since its {of:user} were read.",
    HoldCode.REMOVALS: _too_many("would be missing"),
    HoldCode.DEACTIVATIONS: _too_many("would be disabled"),
    HoldCode.REPLACEMENTS: _too_many("would be replaced by other entries with the same address"),
    HoldCode.BLANKED: _too_many("would lose {field}"),
    HoldCode.CHANGED: _too_many("would get another {field}"),
    HoldCode.MEMBERS_LEFT: _too_many("of the list {list} would leave it", "member"),
}

OPTION_FAULTS: Final[Mapping[OptionFaultCode, Words]] = {
    OptionFaultCode.UNKNOWN: lambda key, near: (
        f"There is no option «{key}»; " + (f"did you mean «{near}»?" if near else "«dirsync options» names all.")
    ),
    OptionFaultCode.OF_ANOTHER_KIND: "A directory of the kind {kind} has no option «{key}».",
    OptionFaultCode.BAD_VALUE: "«{key}»: {given!r} is not {expected}.",
    OptionFaultCode.MISSING: "«{key}» is missing. {help} Such as: {example}",
    OptionFaultCode.CLEAR_TEXT: (
        "tls=none would send the password in clear text to {host}; it is for a server on this machine only."
    ),
}
