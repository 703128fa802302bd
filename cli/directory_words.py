"""What the command line says of directories and their runs. Not here: what was decided (addressbook)."""

from collections.abc import Mapping
from typing import Final

from addressbook.source_options import OptionFault, OptionFaultCode
from cli.words import Words, join, say


def option_fault_sentence(fault: OptionFault) -> str:
    """Return what is wrong with an option of a directory, and what would be right."""
    return say(OPTION_FAULTS, fault.code, fault.facts)


OPTION_FAULTS: Final[Mapping[OptionFaultCode, Words]] = {
    OptionFaultCode.UNKNOWN: lambda key, near, known: (
        f"There is no option «{key}»; " + (f"did you mean «{near}»?" if near else f"the options are {join(known)}.")
    ),
    OptionFaultCode.OF_ANOTHER_KIND: "A directory of the kind {kind} has no option «{key}».",
    OptionFaultCode.BAD_VALUE: "«{key}»: {given!r} is not {expected}.",
    OptionFaultCode.MISSING: "«{key}» is missing. {help} Such as: {example}",
    OptionFaultCode.CLEAR_TEXT: (
        "tls=none would send the password in clear text to {host}; it is for a server on this machine only."
    ),
}
