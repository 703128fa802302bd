"""What the command line says: a sentence for every fault and every deed of administration, and the small words.

A row is a format of the code's facts (`_Format`), or a function of them. Not here: what was decided (gateway.admin).
"""

from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from typing import Any, Final

from addressbook.changes import ChangeFault, ChangeFaultCode
from addressbook.hierarchy import LayerKind
from addressbook.options import Option
from addressbook.source_options import OptionFault, OptionFaultCode
from cli.care_words import CARE_DONE, CARE_FAULTS
from cli.directory_words import DIRECTORY_DONE, DIRECTORY_FAULTS, DOUBTS, OPTION_FAULTS
from cli.inbound_words import INBOUND_DONE, INBOUND_FAULTS
from cli.portal_words import PORTAL_DONE, PORTAL_FAULTS
from cli.printed import constraint_words, count, join
from cli.queue_words import QUEUE_DONE, QUEUE_FAULTS
from cli.registration_words import REGISTRATION_DONE, REGISTRATION_FAULTS
from cli.report_words import REPORT_DONE, REPORT_FAULTS
from cli.trust_words import TRUST_DONE, TRUST_FAULTS
from config.mail import POLICY_FAULTS
from dirsync.deltas import Doubt
from gateway.admin.edit import AuditAction, Changed
from gateway.admin.faults import AdminFault, FaultCode
from gateway.config_lint import Contradiction, Contradicts
from sms.facts import Code, Fact
from sms.message import Origin
from sms.number import NumberType
from sms.settings import FIELDS
from tls.policy import PolicyFault

Words = str | Callable[..., str]
_MOST_NAMED: Final = 20
_MOST_CONTRADICTIONS: Final = 50


class _Format(Formatter):
    """Fills `{users:user}` with a number and its noun, `{names:none}` with names or the word for none.

    `{text:none|one}` is what stands before the first bar where a text is empty or a truth is false, else what follows.
    """

    def format_field(self, value: Any, format_spec: str) -> str:
        if not format_spec:
            return join(value) if isinstance(value, tuple) else str(value)
        if isinstance(value, tuple):
            return join(value, format_spec)
        if isinstance(value, bool | str):
            no, _, yes = format_spec.partition("|")
            return yes if value else no
        return count(value, format_spec)


def fault_sentence(fault: AdminFault) -> str:
    """Return why nothing was changed, and what would help."""
    return say(FAULTS, fault.code, fault.facts)


def done_sentence(done: Changed) -> str:
    """Return what was done."""
    return say(DONE, done.action, done.facts)


def file_fault_sentence(fault: ChangeFault) -> str:
    """Return where a file of users is wrong, and what is wrong there."""
    table = FILE_FAULTS if isinstance(fault.code, ChangeFaultCode) else FAULTS
    column = f", {fault.column}" if fault.column else ""
    return f"{fault.entry or _place(fault.place)}{column}: {say(table, fault.code, fault.facts)}"


def option_fault_sentence(fault: OptionFault) -> str:
    """Return what is wrong with an option of a directory, and what would be right."""
    return say(OPTION_FAULTS, fault.code, fault.facts)


def doubt_sentence(doubt: Doubt) -> str:
    """Return why the changes of a directory cannot be read alone; begins in the middle of a sentence."""
    return say(DOUBTS, doubt.code, doubt.facts)


def contradiction_sentences(found: Sequence[Contradiction]) -> list[str]:
    """Return what stored settings and carriers say against each other, a sentence for each; of too many only some."""
    said = [say(CONTRADICTIONS, item.code, item.facts) for item in found[:_MOST_CONTRADICTIONS]]
    more = len(found) - len(said)
    return [*said, f"And {more} more of this kind."] if more else said


def say(table: Mapping[Any, Words], code: Code, facts: Mapping[str, Fact]) -> str:
    """Return the words of a code with its facts."""
    words = table[code]
    return _Format().vformat(words, (), facts) if isinstance(words, str) else words(**facts)


def _place(line: int) -> str:
    return f"line {line}" if line else "the file"


def _whose(kind: str, name: str, customer: str, service: str) -> str:
    """Name the owner of settings or constraints."""
    match kind:
        case LayerKind.SYSTEM:
            return "the system"
        case LayerKind.PINNED:
            return f"the user {name}"
        case LayerKind.PROFILE | LayerKind.LIST:
            return f"the {kind} «{name}» of «{customer}»"
    return f"the customer «{name}»" + (f" for {service}" if service else "")


def _mail_to(domain: str, customer: str) -> str:
    """Name the mail that a TLS rule is for."""
    where = {"": "all other domains", ".": f"all domains below {domain[1:]}"}.get(domain[:1], domain)
    return where + (f" of the customer «{customer}»" if customer else "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _no_setting(name: str, near: str) -> str:
    advice = f"did you mean «{near}»?" if near else f"the settings are {join(FIELDS)}."
    return f"There is no setting «{name}»; {advice}"


def _no_value(field: str, given: str) -> str:
    return f"{given!r} is not {FIELDS[field].expected}"


def _bad_rows(rows: tuple[tuple[int, str, str], ...]) -> str:
    lines = [f"line {line}: «{number}»: {why}" for line, number, why in rows[:_MOST_NAMED]]
    if len(rows) > _MOST_NAMED:
        lines.append(f"{len(rows) - _MOST_NAMED} more rows")
    return "\n".join([*lines, f"{count(len(rows), 'row')} at fault; nothing was changed."])


def _bad_directory(faults: tuple[tuple[str, *tuple[tuple[str, Fact], ...]], ...]) -> str:
    said = [OptionFault(OptionFaultCode(code), dict(facts)) for code, *facts in faults]
    return "\n".join(map(option_fault_sentence, said))


_TEMPLATE: Final = "The form «{form}» of {profile:|the profile «{profile}» of }the customer «{customer}»"

FAULTS: Final[Mapping[FaultCode, Words]] = {
    FaultCode.NO_CUSTOMER: "There is no customer «{name}»; «customer list» names all.",
    FaultCode.NO_PROFILE: "The customer «{customer}» has no profile «{name}»; «profile list» names all.",
    FaultCode.NO_USER: "There is no user {address}; «user list» names all.",
    FaultCode.NO_LIST: "The customer «{customer}» has no list «{name}»; «list show» names all.",
    FaultCode.NO_SERVICE: f"There is no service «{{service}}»; the services are {join(Origin)}.",
    FaultCode.NO_SETTING: _no_setting,
    FaultCode.NO_OPTION: f"There is no option «{{name}}»; the options are {join(Option)}.",
    FaultCode.NOT_CONTRACTED: (
        "The customer «{customer}» has not contracted the option {option}; «customer option» adds it."
    ),
    FaultCode.BAD_CUSTOMER_NAME: "«{name}» cannot be a customer's name: 1 to 100 visible characters are expected.",
    FaultCode.CUSTOMER_EXISTS: "There is already a customer «{name}».",
    FaultCode.CUSTOMER_HAS_USERS: "The customer «{customer}» has {users:user}; --with-users removes them too.",
    FaultCode.BAD_DOMAIN: "«{domain}» is not a domain such as example.com.",
    FaultCode.DOMAIN_TAKEN: "The domain {domain} already belongs to the customer «{owner}».",
    FaultCode.DOMAIN_HAS_STRANGERS: (
        "The domain {domain} is in the address of {users:user} of other customers; move them."
    ),
    FaultCode.DOMAIN_NOT_OWNED: "The customer «{customer}» does not have the domain {domain}.",
    FaultCode.NO_CLAIM: "The customer «{customer}» does not claim the domain {domain}; «customer claim-domain» first.",
    FaultCode.NOT_PROVED: lambda domain, record, value, found: (
        f"The domain {domain} is not proved: {record} has no TXT record «{value}», "
        + (f"but «{join(found)}»." if found else "and no other.")
        + " A new record can take hours until it is seen everywhere."
    ),
    FaultCode.PROOF_BY_ALIAS: (
        "The domain {domain} is not proved: {record} is an alias of {alias}; the TXT record must stand at {record}."
    ),
    FaultCode.PROOF_UNKNOWN: (
        "Whether the domain {domain} is proved is not known: {cause}. Nothing was changed; try again later."
    ),
    FaultCode.BAD_PROFILE_NAME: "«{name}» cannot be a profile's name: 1 to 100 visible characters are expected.",
    FaultCode.PROFILE_EXISTS: "The customer «{customer}» already has a profile «{name}».",
    FaultCode.PROFILE_HAS_USERS: "The profile «{name}» is that of {users:user}; give them another one.",
    FaultCode.PROFILE_HAS_ACTIONS: "The profile «{name}» is that of the actions {actions}; give them another one.",
    FaultCode.PROFILE_IS_DEFAULT: "«{name}» is the default profile of «{customer}»; choose another first.",
    FaultCode.BAD_ADDRESS: "«{address}» is not a mail address.",
    FaultCode.USER_EXISTS: "There is already a user {address}, of «{owner}».",
    FaultCode.ADDRESS_AWAITED: (
        "A run of a directory is to make the user {address}: wait until it is in force, or approve or discard it."
    ),
    FaultCode.DOMAIN_OF_ANOTHER: "The domain {domain} belongs to the customer «{owner}», not to «{customer}».",
    FaultCode.OUTSIDE_DOMAINS: (
        "{address} is outside the domains of «{customer}» ({domains}), so that nothing could be sent from it;"
        " «customer add-domain» or «customer claim-domain» adds its domain."
    ),
    FaultCode.FILE_FAULTY: lambda faults, place: (
        f"Nothing was imported: {count(faults, 'fault')}, the first in {_place(place)}."
    ),
    FaultCode.BAD_VALUE: lambda field, given: f"{field}: {_no_value(field, given)}.",
    FaultCode.LOCKED: "The setting {field} is locked by {by}.",
    FaultCode.SENDER_ID_BARRED: "The sender ID {sender_id} is not among those that {by} permits ({allowed}).",
    FaultCode.SENDER_ID_DEDICATED: "The sender ID {sender_id} is a dedicated number, which only its owner may have.",
    FaultCode.NO_CONSTRAINTS: lambda **owner: (
        f"These constraints can't be set for {_whose(**owner)}: only the "
        "system and customers decide what settings may say, and services and lists have none at all."
    ),
    FaultCode.BAD_SENDER_ID: f"«{{given}}» cannot be a sender ID: {FIELDS['sender_id'].expected} is expected.",
    FaultCode.BAD_MAX_PARTS: "«{given}» is not a number from 1 to 20, or «any».",
    FaultCode.BAD_NUMBER_TYPE: f"«{{given}}» is not a type of number: one of {', '.join(NumberType)}, or «any».",
    FaultCode.BAD_LIMIT: "«{given}» is no limit: expected such as sms/day=500, parts/month=10000, sms/minute=30, "
    "sms/day@FR=20, sms/day:alpha=900 or agreed:sms/month=90000, where «any» lifts it. A minute is of no carrier, and "
    "never agreed.",
    FaultCode.BAD_COUNTRY: f"«{{given}}» is not {FIELDS['default_country'].expected}.",
    FaultCode.BAD_LIST_NAME: (
        "«{name}» cannot be a list's name: up to 51 letters, digits, '.', '_' and '-' are expected."
    ),
    FaultCode.LIST_EXISTS: "The customer «{customer}» already has a list «{name}».",
    FaultCode.BAD_AUTHOR: "«{given}» is no author: an address, @domain or * is expected.",
    FaultCode.NOT_AN_AUTHOR: "{author} is no author of the list «{name}».",
    FaultCode.BAD_MEMBERS: _bad_rows,
    FaultCode.BAD_STOPS: _bad_rows,
    **CARE_FAULTS,
    **REGISTRATION_FAULTS,
    **TRUST_FAULTS,
    **PORTAL_FAULTS,
    **INBOUND_FAULTS,
    **REPORT_FAULTS,
    **QUEUE_FAULTS,
    **DIRECTORY_FAULTS,
    FaultCode.BAD_DIRECTORY: _bad_directory,
    FaultCode.TLS_RULE_UNUSABLE: lambda fault, **facts: (
        f"{_capital(POLICY_FAULTS[PolicyFault(fault)].format(**facts))}."
    ),
    FaultCode.TLS_BELOW_OPERATOR: lambda level, **mail: (
        f"The operator's file demands {level} for {_mail_to(**mail)}; what it demands is lowered there only."
    ),
    FaultCode.TLS_LOWERED: lambda before, after, **mail: (
        f"That lowers {_mail_to(**mail)} from {before} to {after}; --lower does it all the same."
    ),
    FaultCode.NO_TLS_RULE: lambda **mail: f"There is no rule for {_mail_to(**mail)}; «tls list» names all.",
    FaultCode.TLS_RULES_DAMAGED: (
        "The TLS rules in the database were changed or lost outside of «mail2sms tls»: all mail waits."
        " «tls accept» takes what is left."
    ),
    FaultCode.TLS_RULES_LOST: lambda domain: (
        f"The rule for {_mail_to(domain, '')} cannot be understood: restore the table tls_rule from a backup first."
    ),
    FaultCode.TLS_RULES_INTACT: "The TLS rules are as they were set; there is nothing to accept.",
    FaultCode.BAD_PUSH: "This can't be pushed: {cause}.",
    FaultCode.NO_PUSH: "There is no push {name}; «push list» names all.",
    FaultCode.NO_WEBHOOK: "{address} has no webhook: no push_url of its own, or no key («push key»).",
    FaultCode.WEBHOOK_EXISTS: "{address} has a webhook already.",
    FaultCode.PUSH_NOT_OVER: "The push {name} is {state}: only one that has ended is sent again.",
    FaultCode.GRAPHIC_REMOVED_MEANWHILE: "A graphic was removed while the template was checked; try again.",
    FaultCode.NO_OWN_TEMPLATE: "There is no own template for the form «{form}»; the standard one goes out.",
    FaultCode.NO_TEMPLATE_VERSION: f"{_TEMPLATE} has no version {{number}}; «template versions» lists them.",
    FaultCode.NO_TEMPLATE_TO_RESET: f"{_TEMPLATE} has no template of its own.",
    FaultCode.BAD_GRAPHIC: "The graphic is refused: {cause}.",
    FaultCode.GRAPHIC_IN_USE: "A template of «{customer}» shows cid:{name}; change that first.",
    FaultCode.NO_GRAPHIC: "The customer «{customer}» has no graphic «{name}».",
}


def _named(lines: Sequence[int]) -> str:
    return join(lines[:_MOST_NAMED]) + (" …" if len(lines) > _MOST_NAMED else "")


def _in_lines(lines: Sequence[int]) -> str:
    return f", in lines {_named(lines)}" if lines else ""


def _ragged(lines: tuple[int, ...], width: int, delimiter: str, fits: str) -> str:
    named = _named(lines)
    advice = f"; divided by {fits!r} instead of {delimiter!r} they would fit" if fits else ""
    return f"{width} columns are expected, and these lines have another number: {named}{advice}"


FILE_FAULTS: Final[Mapping[ChangeFaultCode, Words]] = {
    ChangeFaultCode.NUL_CHARACTERS: lambda lines: f"it contains NUL characters and is no text{_in_lines(lines)}",
    ChangeFaultCode.NOT_TEXT: lambda encodings, lines: (
        f"it is not text in {' or '.join(encodings)}{_in_lines(lines)}; save it as UTF-8"
    ),
    ChangeFaultCode.MIXED_ENCODINGS: lambda encoding, lines: (
        f"some of it is UTF-8 and some {encoding}{_in_lines(lines)}; save it as UTF-8"
    ),
    ChangeFaultCode.OLD_WORKBOOK: "this kind of Excel file (.xls) is not read; save it as .xlsx or CSV",
    ChangeFaultCode.WORKBOOK_DAMAGED: "the workbook is damaged ({cause}); save it again as .xlsx",
    ChangeFaultCode.WORKBOOK_TOO_LARGE: "the workbook is larger than {megabytes} MB when it is unpacked",
    ChangeFaultCode.TOO_LARGE: "it has more than {rows} rows, {columns} columns or {cells} cells",
    ChangeFaultCode.ANOTHER_FORM: "it is not of the declared form «{form}»",
    ChangeFaultCode.NOT_ENDED: "what begins here has no {end}, so the file may be cut",
    ChangeFaultCode.NO_VCARD: "{given!r} is nothing of a vCard",
    ChangeFaultCode.UNKNOWN_VERSION: "{given!r} is no known version: vCards of 2.1, 3.0 and 4.0 are read, LDIF of 1",
    ChangeFaultCode.NO_LDIF: "{given!r} is nothing of LDIF",
    ChangeFaultCode.LDIF_CHANGE: "it is a change ({changetype}); a file of whole entries is expected",
    ChangeFaultCode.LDIF_URL: "{attribute} is the address of a file, which is not read: write the value itself",
    ChangeFaultCode.SEARCH_INCOMPLETE: "the search that wrote it ended early: {result}",
    ChangeFaultCode.BAD_LIST_NAME: "{given!r} cannot be a list's name: letters, digits, '.', '_' and '-' are expected",
    ChangeFaultCode.NO_MEMBER: "the member {given!r} has no card in the file",
    ChangeFaultCode.BAD_TABLE: "{cause}",
    ChangeFaultCode.NO_FILE: "it is {kind}; a file of its own is expected",
    ChangeFaultCode.CHECKSUM: "its SHA-256 is not {told!r}, as the file beside it says: send both again",
    ChangeFaultCode.FILE_TOO_LARGE: "it is larger than {megabytes} MB",
    ChangeFaultCode.OLDER_FILE: (
        "it is older than {last!r}, which was read last: by the times or numbers in their names, or as they were"
        " written"
    ),
    ChangeFaultCode.NOT_CSV: "it cannot be read as CSV: {cause}",
    ChangeFaultCode.CUT: "the last line is not {end_marker!r}, so the file may be cut",
    ChangeFaultCode.EMPTY: "it is empty",
    ChangeFaultCode.RAGGED: _ragged,
    ChangeFaultCode.UNEXPECTED_HEADER: "it is a header, but a file of 15 columns was declared, which has none",
    ChangeFaultCode.NO_HEADER: "it has a mail address where the header must be: is it a file of 15 columns?",
    ChangeFaultCode.UNKNOWN_COLUMNS: lambda columns: f"unknown columns: {join(map(repr, columns))}",
    ChangeFaultCode.COLUMNS_TWICE: "columns given twice: {columns}",
    ChangeFaultCode.NO_COLUMN: "the column {column} is missing",
    ChangeFaultCode.BAD_ADDRESS: "{given!r} is not a mail address",
    ChangeFaultCode.ADDRESS_TWICE: "{address} stands in {rows} rows",
    ChangeFaultCode.ADDRESS_TAKEN: "{address} belongs to another user, who keeps it",
    ChangeFaultCode.OF_DIRECTORY: "{address} is a user of another directory, which alone can change it",
    ChangeFaultCode.FOREIGN_ADDRESS: "{address} belongs to another customer",
    ChangeFaultCode.OUTSIDE_DOMAINS: (
        "{address} is outside the customer's domains; «customer claim-domain» and «customer verify-domain» add its own"
    ),
    ChangeFaultCode.ANOTHER_CUSTOMER: "{number!r} is another customer than {above!r} above",
    ChangeFaultCode.BAD_NUMBER: "{given!r} is no number of a handset: {cause}",
    ChangeFaultCode.BAD_VALUE: _no_value,
    ChangeFaultCode.NOT_ON_OR_OFF: "{given!r} is not on or off",
    ChangeFaultCode.NO_COUNTRY: "{given!r} is not a country or its dialling code",
    ChangeFaultCode.NO_SETTING: "there is no setting {name!r}",
    ChangeFaultCode.PINNED_WITHOUT_VALUE: "{name} is pinned without a value",
    ChangeFaultCode.NO_PROFILE: "there is no profile {name!r}",
    ChangeFaultCode.LIST_TAKEN: "the list {name} exists and is not of this directory",
    ChangeFaultCode.NO_ADDRESS: "it has no mail address",
    ChangeFaultCode.NO_ATTRIBUTE: "it is absent, or the login may not read it",
    ChangeFaultCode.NOT_UTF8: "the value is not text in UTF-8",
    ChangeFaultCode.CONTROL_CHARACTERS: "the value contains control characters",
    ChangeFaultCode.TOO_LONG: "the value has more than {most} characters",
    ChangeFaultCode.NOT_LISTED: "{given!r} is not among the values that «map» lists; «*=» would stand for all others",
    ChangeFaultCode.UNREADABLE: "«{transform}» cannot read {given!r}",
}


def _some(customers: Sequence[str]) -> str:
    """Name customers, of very many only some."""
    named, more = customers[:_MOST_NAMED], len(customers) - _MOST_NAMED
    return join(f"«{name}»" for name in named) + (f" and {more} more" if more > 0 else "")


def _of(kind: str, name: str, customer: str, service: str) -> str:
    """Name the owner of a setting behind its value."""
    return f"of {_whose(kind, name, customer, service).removeprefix('the ')}"


CONTRADICTIONS: Final[Mapping[Contradicts, Words]] = {
    Contradicts.UNKNOWN_CUSTOMER: "A carrier is for the customer «{name}», whom there is not: nobody's SMS go by it.",
    Contradicts.SUSPENDED: "{cause}.",
    Contradicts.NUMBER_WITHOUT_CARRIER: lambda number, carriers: (
        f"No carrier of the number {number} ({join(carriers)}) sends: no SMS can have it as its sender ID,"
        " and nobody can answer what comes to it."
    ),
    Contradicts.SENDER_ID_REFUSED: lambda cause, **owner: f"Every SMS {_of(**owner)} is refused: {cause}",
    Contradicts.WITHOUT_EFFECT: lambda field, wanted, value, by, **owner: (
        f"{field} = {wanted} {_of(**owner)} is without effect, {value} is in force: {by}."
    ),
    Contradicts.NO_PUSH_URL: lambda channel, **owner: (
        f"status_channel = {channel} {_of(**owner)} is without effect, all is told by mail: push_url is not set."
    ),
    Contradicts.NO_PUSHES: lambda **owner: (
        f"push_states {_of(**owner)} is without effect, all is told by mail: status_channel is mail, not push or both."
    ),
    Contradicts.LANGUAGE_WITHOUT_WORDS: lambda language, spoken, languages, **owner: (
        f"language = {language} {_of(**owner)} has no words: status mails are in {spoken}. There are {join(languages)}."
    ),
    Contradicts.NUMBER_OF_NOBODY: (
        "The number {number} ({state}) is nobody's: «number set --customer» gives it an owner, «number remove» ends it."
    ),
    Contradicts.NUMBER_OF_UNKNOWN_CARRIER: (
        "The number {number} is served by {carriers}, which the operator's file does not have."
    ),
    Contradicts.HELP_WITHOUT_CONTACT: lambda number, country, customers: (
        f"{country} demands that HELP is answered on the number {number}, and the answer of"
        f" {_some(customers)} names nobody to ask: «action set help text=…» says whom, or"
        " «action add» has SMS mailed to an address, which the answer then names."
    ),
    Contradicts.KEYWORD_TAKES_HELP: (
        "{country} demands that HELP is answered on the number {number}, and the keyword «{word}» of «{customer}» takes"
        " it: «keyword remove» gives it back, or the rules file decides otherwise for {country} (rule {rule};"
        " {sources})."
    ),
    Contradicts.PARAMETER_OF_NO_CARRIER: lambda cause, **owner: f"Every SMS {_of(**owner)} is refused: {cause}.",
    Contradicts.VALIDITY_TOO_SHORT: lambda validity, route, minutes, **owner: (
        f"validity = {validity} {_of(**owner)} can end before {_open_again(route, minutes)}."
    ),
    Contradicts.VALIDITY_SHORTENED: lambda validity, kept, countries, route, minutes, **owner: (
        f"validity = {validity} {_of(**owner)} becomes {kept} in {_some(countries)} by the country's rule,"
        f" and can end before {_open_again(route, minutes)}."
    ),
}


def _open_again(route: str, minutes: int) -> str:
    return f"any carrier of {route} is used again: they are closed for {minutes // 60} h {minutes % 60} min"


def import_words(  # noqa: PLR0913 - the facts
    *, added: int, changed: int, unchanged: int, not_in_file: int, faults: int, would: str = ""
) -> str:
    """Return what a file of users changed or, with `would be ` before each verb, would change."""
    told = f"{count(added, 'user')} {would}added, {changed} {would}changed, "
    told += f"{unchanged} unchanged, {not_in_file} not in the file and left alone"
    return told + (f"; rows left out for {count(faults, 'fault')}." if faults else ".")


def _settings(cells: tuple[tuple[str, str], ...], clamped: tuple[tuple[str, str, str], ...], **owner: str) -> str:
    told = join(f"{name} = {text}" if text else f"{name} unset" for name, text in cells)
    notes = [f" But {by}: {name} = {text} is in force." for name, text, by in clamped]
    return f"Set for {_whose(**owner)}: {told}." + "".join(notes)


def _tls(before: str, after: str, *, changes: bool, enforced: bool, **mail: str) -> str:
    if not changes:
        return f"For {_mail_to(**mail)} nothing changes: {after} stays in force."
    effect = (
        "Mail waits where that cannot be had; waiting mail too is sent under it from its next attempt on."
        if enforced
        else "Mail may travel in clear."
    )
    return f"For {_mail_to(**mail)}: {before} became {after}. {effect}"


def _domain_added(customer: str, domain: str, outside: int, strangers: int = 0) -> str:
    told = f"The domain {domain} now belongs to «{customer}»."
    if outside:
        told += f" {count(outside, 'user')} of «{customer}» outside of its domains can send no longer: add theirs too."
    if strangers:
        told += f" {count(strangers, 'user')} of other customers in it can send no longer: remove them."
    return told


DONE: Final[Mapping[AuditAction, Words]] = {
    AuditAction.ADD_CUSTOMER: "The customer «{customer}» was added.",
    AuditAction.REMOVE_CUSTOMER: lambda customer, users: (
        f"The customer «{customer}» was removed" + (f" with {count(users, 'user')}." if users else ".")
    ),
    AuditAction.ENABLE_CUSTOMER: "The customer «{customer}» was enabled.",
    AuditAction.DISABLE_CUSTOMER: "The customer «{customer}» was disabled.",
    AuditAction.SET_ADMIN: "What concerns «{customer}» is told {address:the operator|{address}}.",
    AuditAction.ADD_DOMAIN: _domain_added,
    AuditAction.CLAIM_DOMAIN: (
        "The domain {domain} is claimed by «{customer}». Publish this record:\n"
        '{record}. IN TXT "{value}"\n'
        "Then call «customer verify-domain»."
    ),
    AuditAction.VERIFY_DOMAIN: _domain_added,
    AuditAction.REMOVE_DOMAIN: "The domain {domain} no longer belongs to «{customer}».",
    AuditAction.SET_OPTIONS: "The customer «{customer}» has contracted: {options:none}.",
    AuditAction.ADD_PROFILE: "The profile «{profile}» of «{customer}» was added{default:| as its default}.",
    AuditAction.CHOOSE_DEFAULT_PROFILE: "The default profile of «{customer}» is now {profile:none|«{profile}»}.",
    AuditAction.REMOVE_PROFILE: "The profile «{profile}» of «{customer}» was removed.",
    AuditAction.ADD_USER: "The user {address} of «{customer}» was added{profile:| with the profile «{profile}»}.",
    AuditAction.REMOVE_USER: "The user {address} was removed.",
    AuditAction.CHOOSE_PROFILE: "The profile of {address} is now {profile:the customer's default|«{profile}»}.",
    AuditAction.NAME_USER: "{address} is now called {name:nobody|«{name}»}.",
    AuditAction.PHONE_USER: "The phone of {address} is now {phone:none|{phone}}.",
    AuditAction.ENABLE_USER: "The user {address} was enabled.",
    AuditAction.DISABLE_USER: "The user {address} was disabled.",
    AuditAction.IMPORT_USERS: import_words,
    AuditAction.SET_SETTINGS: _settings,
    AuditAction.SET_CONSTRAINTS: lambda constraints, **owner: (
        f"Constraints of {_whose(**owner)}: {constraint_words(dict(constraints))}."
    ),
    AuditAction.ADD_LIST: "The list «{name}» of «{customer}» was added; {authors:nobody yet} may write to it.",
    AuditAction.REMOVE_LIST: "The list «{name}» of «{customer}» was removed with {members:member}.",
    AuditAction.SET_AUTHORS: "To the list «{name}» of «{customer}» may write: {authors:nobody}.",
    AuditAction.IMPORT_MEMBERS: lambda customer, name, members, twice: (
        f"The list «{name}» of «{customer}» now has {count(members, 'member')}"
        + (f", {count(twice, 'row')} with a number twice." if twice else ".")
    ),
    **CARE_DONE,
    **REGISTRATION_DONE,
    **TRUST_DONE,
    **PORTAL_DONE,
    **INBOUND_DONE,
    **REPORT_DONE,
    **QUEUE_DONE,
    **DIRECTORY_DONE,
    AuditAction.ENFORCE_TLS: _tls,
    AuditAction.LOWER_TLS: _tls,
    AuditAction.ACCEPT_TLS_RULES: "The TLS rules are taken as they stand: {rules:rule}.",
    AuditAction.SET_TEMPLATE: f"{_TEMPLATE} now has its own template.",
    AuditAction.RESET_TEMPLATE: f"{_TEMPLATE} no longer has a template of its own.",
    AuditAction.ADD_GRAPHIC: "Templates of «{customer}» can now show the graphic as cid:{name}.",
    AuditAction.REMOVE_GRAPHIC: "The graphic «{name}» of «{customer}» was removed.",
    AuditAction.SET_PUSH_KEY: "«{owner}» has a new key for its pushes.",
    AuditAction.REMOVE_WEBHOOK: "{address} has no webhook any more: what is still to be told is not pushed.",
    AuditAction.PAUSE_WEBHOOK: "Pushes to the webhook of {address} wait.",
    AuditAction.RESUME_WEBHOOK: "Pushes to the webhook of {address} go out again; {pushes} waited.",
    AuditAction.REPLAY_PUSH: "The push {name} is sent again.",
    AuditAction.REPLAY_FAILED_PUSHES: lambda customer, since, pushes: (
        f"Pushes{f' of «{customer}»' if customer else ''} that failed since {since} and are sent again: {pushes}."
    ),
}
