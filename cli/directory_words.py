"""What the command line says of directories: rows of the tables in cli.words, and of an option's faults.

Why a directory could not be read and why a run waits is said as in the mails to its administrator: the catalogues of
templates have these sentences.
"""

from collections.abc import Callable, Mapping
from typing import Final

from addressbook.source_options import OptionFaultCode
from dirsync.deltas import DoubtCode
from gateway.admin.edit import AuditAction
from gateway.admin.faults import FaultCode

OPTION_FAULTS: Final[Mapping[OptionFaultCode, str | Callable[..., str]]] = {
    OptionFaultCode.UNKNOWN: lambda key, near, known: (
        f"There is no option «{key}»; "
        + (f"did you mean «{near}»?" if near else f"the options are {', '.join(known)}.")
    ),
    OptionFaultCode.OF_ANOTHER_KIND: "A directory of the kind {kind} has no option «{key}».",
    OptionFaultCode.BAD_VALUE: "«{key}»: {given!r} is not {expected}.",
    OptionFaultCode.BAD_EXPRESSION: "«{key}»: {given!r} cannot be read. {cause}",
    OptionFaultCode.MISSING: "«{key}» is missing. {help} Such as: {example}",
    OptionFaultCode.CLEAR_TEXT: (
        "tls=none would send the password in clear text to {host}; it is for a server on this machine only."
    ),
}

DIRECTORY_FAULTS: Final[Mapping[FaultCode, str | Callable[..., str]]] = {
    FaultCode.NO_DIRECTORY: "The customer «{customer}» has no directory «{name}»; «dirsync list» names all.",
    FaultCode.NO_RUN: "There is no run «{name}»: its number, or eight digits of its digest, are expected.",
    FaultCode.BAD_DIRECTORY_NAME: (
        "«{name}» cannot be a directory's name: up to 51 letters, digits, '.', '_' and '-' are expected."
    ),
    FaultCode.DIRECTORY_EXISTS: "The customer «{customer}» already has a directory «{name}».",
}

DIRECTORY_DONE: Final[Mapping[AuditAction, str | Callable[..., str]]] = {
    AuditAction.ADD_DIRECTORY: (
        "The directory «{name}» of «{customer}» was added; it is first read in {minutes:minute}, or by «dirsync run»."
        " «dirsync test» shows what is read."
    ),
    AuditAction.SET_DIRECTORY: lambda customer, name, options, active, waits: (
        f"Set for the directory «{name}» of «{customer}»: {', '.join(options)}."
        + ("" if active else " It is not read on schedule.")
        + (" Who is read, or as what, is different now: what the next run changes waits for approval." if waits else "")
    ),
    AuditAction.REMOVE_DIRECTORY: lambda customer, name, users, with_users: (
        f"The directory «{name}» of «{customer}» was removed"
        + (" with its users: " if with_users else "; its users stay as an administrator's: ")
        + f"{users}."
    ),
}

DOUBTS: Final[Mapping[DoubtCode, str | Callable[..., str]]] = {
    DoubtCode.NO_COOKIE: "nothing is known of an earlier reading.",
    DoubtCode.OTHER_METHOD: "they were read with delta={was} before.",
    DoubtCode.OTHER_SERVER: "this is another server than before, or one restored from a backup: {now}, not {was}.",
    DoubtCode.NOT_OFFERED: (
        "the server does not offer what «delta» asks for ({result}). OpenLDAP needs the overlay syncprov;"
        " dirsync and usn are Active Directory's."
    ),
    DoubtCode.REFUSED: "the server refuses to tell them: {result}",
    DoubtCode.ALL_AGAIN: "the server does not know any more what is gone since the last reading.",
    DoubtCode.TOO_MANY: "there are more than {most}, or than the server's size limit for the reading account.",
    DoubtCode.WENT_BACK: "the server's highest number is {now} and was {was}.",
    DoubtCode.ENDLESS: "the server never ends its answer.",
    DoubtCode.BRANCH_CHANGED: "the branch {dn} changed, and the entries below it do not say so.",
    DoubtCode.GROUPS_CHANGED: "members of a group changed: {groups}.",
    DoubtCode.BACK_LINK: (
        "{attribute} changes without a change of the entry that has it. Give profiles by profile.1, lists by list.NAME."
    ),
}
"""Why changes alone cannot be read; begins in the middle of a sentence."""
