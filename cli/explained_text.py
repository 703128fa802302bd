"""What would become of a mail, as text for people: the answer of `mail2sms explain` in lines, wrapped and coloured.

Not here: deciding it, and its shape as JSON (explain).
"""

import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from addressbook.hierarchy import LayerKind, Resolved
from cli.printed import DROPPED_AS, TLS_ASKED, count, join, origin_words, when
from gateway.admin.views import spoken_value
from gateway.taking_back import TakenBack
from mta.intake import Decision, Disposition
from mta.smtp.engine.replies import reply_to
from sms.alphabet import Became
from sms.message import Alphabet
from sms.number import MobileNumber, country_of, show_number
from sms.parts import room_beside
from templates.shown_text import show, show_line

View = Mapping[str, Any]

_TITLE: Final = 13
"""Columns of the titles."""
_FURTHER: Final = 2
"""So many columns further to the right a line is continued; the margin of texts is as wide."""
_NARROWEST: Final = 40
_MOST_SHOWN: Final = 30
"""So many recipients, texts and rows are shown."""
_MOST_NAMED: Final = 8
"""So many different characters are named."""
_LONGEST_CUT: Final = 120
_ALPHABETS: Final = {Alphabet.GSM7: "GSM-7", Alphabet.UCS2: "UCS-2"}
_UNITS: Final = {Alphabet.GSM7: "septets", Alphabet.UCS2: "units of 16 bits"}


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """A line before it is wrapped: `title` stands in front once, None takes no room for one.

    `verbatim` keeps blanks and line ends, for texts.
    """

    text: str
    title: str | None = None
    colour: str = ""
    verbatim: bool = False


def print_text(lines: Iterable[ExplainedLine]) -> None:
    """Print lines as wide as the terminal is, coloured where it is one and NO_COLOR is not set."""
    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    # https://no-color.org: set, and not empty.
    colour = False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        for row in lay_out(line, width):
            shown = row.encode(encoding, "backslashreplace").decode(encoding)
            click.echo(click.style(shown, fg=line.colour, bold=True) if line.colour else shown, color=colour)


def lay_out(line: ExplainedLine, width: int) -> Iterator[str]:
    """Return a line as rows of at most `width` columns; what a terminal would obey is shown by its name."""
    title = f"{line.title:<{_TITLE}}" if line.title is not None else ""
    margin = "│ " if line.verbatim else ""
    indent = len(title) + _FURTHER
    texts = show(line.text).split("\n") if line.verbatim else [show_line(line.text)]
    for text in texts:
        for row in _fold(text, width - indent):
            yield f"{title}{margin}{row}".rstrip()
            title = " " * (len(title) if line.verbatim else indent)


def _fold(text: str, width: int) -> Iterator[str]:
    """Return a text in rows of at most so many columns, broken at blanks where there are any."""
    while True:
        used = accumulate(map(_columns, text))
        fits = next((index for index, columns in enumerate(used) if columns > width), len(text))
        if fits == len(text):
            yield text
            return
        end = text.rfind(" ", 1, fits + 1)
        end = fits if end < 1 else end
        yield text[:end]
        text = text[end:].removeprefix(" ")


def _columns(char: str) -> int:
    """Return how many columns of a terminal a character takes."""
    if char.isascii():
        return 1
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def explained_lines(told: View, judgement: Decision, sender: str) -> Iterator[ExplainedLine]:
    """Return the lines for what JSON says (`told`): the verdict first, how to get the rest last."""
    yield from _verdict(told, judgement)
    yield ExplainedLine("")
    yield from _who(told, sender)
    yield from _how(told, judgement.resolved)
    yield from _recipients(told, judgement)
    yield from _rules(told["recipients"])
    yield from _texts(told["recipients"])
    yield from _limits(told["limits"])
    if judgement.resolved is not None:
        yield from _settings(judgement.resolved)
    yield ExplainedLine("")
    yield ExplainedLine("--json prints everything.")


def _verdict(told: View, judgement: Decision) -> Iterator[ExplainedLine]:
    taken = [item for item in told["recipients"] if item["refusal"] is None and item["duplicate_of"] is None]
    refused = sum(item["refusal"] is not None for item in told["recipients"])
    amount = f"{len(taken)} SMS in {count(sum(len(item['parts']) for item in taken), 'part')}"
    but = f"; {count(refused, 'recipient')} refused" if refused else ""
    if judgement.refused is not None:
        yield ExplainedLine(f"Would be refused: {told['reason']}", colour="red")
        yield ExplainedLine(_reply(judgement), "SMTP reply")
    elif judgement.verdict is Disposition.CANCEL:
        yield ExplainedLine(f"Would take back the job {TakenBack(**told['cancels'])}", colour="yellow")
    elif judgement.verdict is Disposition.DROP:
        yield ExplainedLine(f"Would be accepted and not sent: it is {DROPPED_AS[told['reason']]}", colour="yellow")
        yield ExplainedLine(told["mark"], "by its field")
    elif told["dry_run"]:
        yield ExplainedLine(f"Dry run: nothing would be sent; the answer would say: {amount}{but}", colour="yellow")
    else:
        yield ExplainedLine(f"Would be sent: {amount}{but}", colour="yellow" if refused else "green")
    for fault in told["faults"][:_MOST_SHOWN]:
        yield ExplainedLine(f"{fault['row']}: {fault['text']}", "fault in row")
    yield from _rest(len(told["faults"]), "faults")


def _reply(judgement: Decision) -> str:
    assert judgement.refused is not None
    reply = reply_to(judgement.refused)
    return f"{reply.code} {reply.enhanced} {reply.text}"


def _who(told: View, sender: str) -> Iterator[ExplainedLine]:
    held = [step for step in told["proofs"] if step["held"]]
    if told["customer"] is None:
        whose = "of no customer" if not told["proofs"] else "not proven"
    elif held:
        whose = f"customer {told['customer']}, proven by {held[-1]['kind']}"
    elif told["proven"]:
        whose = f"customer {told['customer']}, taken as proven (--as)"
    else:
        whose = f"customer {told['customer']} by the address; not proven: the server demands a login first"
    yield ExplainedLine(f"<{sender}>, {whose}", "from")
    for index, step in enumerate(told["proofs"]):
        yield ExplainedLine(
            f"{step['kind']} {'held' if step['held'] else 'did not hold'}: {step['said']}", "" if index else "proofs"
        )


def _how(told: View, resolved: Resolved | None) -> Iterator[ExplainedLine]:
    if told["service"] is not None:
        yield ExplainedLine(f"{told['service']} ({told['service_by']})", "service")
    if resolved is not None:
        yield from _times(told, resolved.settings.time_zone)
    if resolved is not None and told["service"] is not None:
        chosen = resolved.settings.sender_id
        unanswerable = f"; no answer to it comes back: {told['unanswerable']}" if told["unanswerable"] else ""
        shown = "the carrier's" if chosen is None else show_number(spoken_value(chosen))
        yield ExplainedLine(f"{shown}{unanswerable}", "sender ID")
    yield from _tls(told["tls"])
    if told["text_source"] is not None:
        yield ExplainedLine(told["text_source"], "text from")
    if told["reference"]:
        yield ExplainedLine(told["reference"], "reference")
    if told["lists"]:
        yield ExplainedLine(join(told["lists"]), "lists")
    if told["options"]:
        yield ExplainedLine(
            join(f"{name}: {value}" if value else name for name, value in told["options"].items()), "options"
        )
    if told["ignored_options"]:
        yield ExplainedLine(f"{join(told['ignored_options'])}: subject_options is off", "ignored")


def _tls(tls: View) -> Iterator[ExplainedLine]:
    if tls["asked"]:
        yield ExplainedLine(TLS_ASKED[tls["asked"]], "TLS asked")
    if tls["demanded_by"]:
        yield ExplainedLine(f"{join(tls['demanded_by'])}; without TLS it is refused", "TLS by")


def _times(told: View, zone: str) -> Iterator[ExplainedLine]:
    if told["due_at"] is not None and told["verdict"] == Disposition.SEND:
        at_once = datetime.fromisoformat(told["due_at"]) <= datetime.now(UTC)
        due = "at once" if at_once else f"at {_local(told['due_at'], zone)}"
        yield ExplainedLine(f"{due}, valid until {_local(told['expires_at'], zone)} ({zone})", "goes out")
        for period in told["blackouts"]:
            yield ExplainedLine(f"from {_local(period['start_at'], zone)} to {_local(period['end_at'], zone)}", "not")


def _local(instant: str, zone: str) -> str:
    return when(datetime.fromisoformat(instant).astimezone(ZoneInfo(zone)))


def _recipients(told: View, judgement: Decision) -> Iterator[ExplainedLine]:
    whole = _reply(judgement) if judgement.refused is not None else ""
    routes = {route["number"]: route for route in told["routes"]}
    for index, item in enumerate(told["recipients"][:_MOST_SHOWN]):
        number = item["number"]
        name = (
            f"{show_number(number)} ({country_of(MobileNumber(digits=number[1:])) or 'no country'})" if number else ""
        )
        refusal, sender = item["refusal"], item["settings"].get("sender_id", {})
        reply = f"{refusal['code']} {refusal['enhanced']} {refusal['text']}" if refusal else ""
        said = [f"{name}, given as {item['given']}" if name else item["given"]]
        if reply and reply != whole:
            said.append(f"refused: {reply}")
        elif item["duplicate_of"] is not None:
            said.append(f"not sent again: it is the number of {item['duplicate_of']}")
        elif not reply and number in routes:
            said.append(_way(routes[number]))
            if item["due_at"] is not None and judgement.resolved is not None:
                zone = judgement.resolved.settings.time_zone
                said.append(f"goes out at {_local(item['due_at'], zone)} ({zone})")
        if sender.get("layer") == "conversation":
            said.append(f"sender ID {show_number(sender['value'])}, which {sender['origin']} came to")
        yield ExplainedLine("; ".join(said), "" if index else "to")
    yield from _rest(len(told["recipients"]), "recipients")


def _rules(recipients: Sequence[View]) -> Iterator[ExplainedLine]:
    """Return what rules of countries would do, each once, with how many recipients it is about where not all."""
    met = dict[str, int]()
    for item in recipients:
        for rule in item["rules"]:
            line = f"{rule['says']} {_why(rule)}"
            met[line] = met.get(line, 0) + 1
    for index, (line, times) in enumerate(list(met.items())[:_MOST_SHOWN]):
        whom = f" For {count(times, 'recipient')}." if times < len(recipients) else ""
        yield ExplainedLine(f"{line}{whom}", "" if index else "rules")
    yield from _rest(len(met), "rules")


def _why(rule: View) -> str:
    """Return the name of a rule with what it did, its mode, and who says so."""
    begins = f", from {rule['in_force_at']}" if rule["in_force_at"] else ""
    who = f"decided by {rule['decided_by']}" if rule["decided_by"] else f"built in, {rule['confidence']} confidence"
    sources = f"; {join(rule['sources'])}, {rule['as_of']}" if rule["sources"] else ""
    return f"({rule['rule']}: {rule['effect']}; mode {rule['mode'] or 'gone'}, {who}{begins}{sources})"


def _way(route: View) -> str:
    ways = [
        f"{carrier} (cost {cost})" if cost else carrier
        for carrier, cost in zip(route["carriers"], route["costs"], strict=True)
    ]
    more = [f"{name}={value}" for name, value in route["parameters"].items()]
    return f"by {', else '.join(ways)}" + (f" with {join(more)}" if more else "")


def _texts(recipients: Sequence[View]) -> Iterator[ExplainedLine]:
    texts = dict[tuple[str, str, str], list[View]]()
    for item in recipients:
        if item["parts"] and item["duplicate_of"] is None:
            texts.setdefault((item["text"], item["coding"], item["cut"]), []).append(item)
    for same in list(texts.values())[:_MOST_SHOWN]:
        first = same[0]
        whom = f" for {show_number(first['number'])}" if len(texts) > 1 else ""
        whom += f" and {len(same) - 1} more" if whom and len(same) > 1 else ""
        yield ExplainedLine("")
        yield from _text(first, whom)
    yield from _rest(len(texts), "texts")


def _text(item: View, whom: str) -> Iterator[ExplainedLine]:
    alphabet, parts = Alphabet(item["coding"]), item["parts"]
    national = f" with the national tables of {item['languages']}" if item["languages"] else ""
    why = f", for {_some(map(_named, item['coding_for']))}" if item["coding_for"] else ""
    yield ExplainedLine(f"{count(len(parts), 'part')}{whom}, {_ALPHABETS[alphabet]}{national}{why}", "text")
    for index, part in enumerate(parts, 1):
        size = 1 if alphabet is Alphabet.GSM7 else 2
        used = len(part["payload"]) // 2 // size
        room = room_beside(len(part["udh"]) // 2, alphabet) // size
        counted = f"{count(len(part['text']), 'character')}, {used} of {room} {_UNITS[alphabet]}"
        yield ExplainedLine(counted, f"part {index}/{len(parts)}")
        yield ExplainedLine(part["text"], "", verbatim=True)
    if item["replaced"]:
        yield ExplainedLine(_some(map(_replacement, item["replaced"])), "replaced")
    if item["cut"]:
        cut = item["cut"]
        shown = f"{cut[:_LONGEST_CUT]}…" if len(cut) > _LONGEST_CUT else cut
        yield ExplainedLine(f"{count(len(cut), 'character')} would not be sent:", "cut", "red")
        yield ExplainedLine(shown, "", verbatim=True)


def _replacement(item: View) -> str:
    became = Became(item["kind"])
    if became is Became.LEFT_OUT:
        return f"{_named(item['from'])} is left out"
    return f"{_named(item['from'])} becomes {'a blank' if became is Became.BLANK else '«' + item['to'] + '»'}"


def _named(cluster: str) -> str:
    return f"«{cluster}» ({' '.join(f'U+{ord(char):04X}' for char in cluster)})"


def _some(words: Iterable[str]) -> str:
    """Return words, equal ones once with their number, and how many more there are."""
    counts = dict[str, int]()
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    shown = [f"{word}, {times} times" if times > 1 else word for word, times in counts.items()]
    more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
    return "; ".join(shown[:_MOST_NAMED]) + more


def _limits(limits: Sequence[View]) -> Iterator[ExplainedLine]:
    if limits:
        yield ExplainedLine("")
    for index, item in enumerate(limits):
        told = f"{item['limit']} of {item['of']}: {item['used']} of {item['most']} used, {item['left']} left"
        told += f", this mail asks for {item['wanted']}" if item["wanted"] else ""
        told += f"; begins anew {item['begins_anew']}" if item["begins_anew"] else ""
        yield ExplainedLine(told, "" if index else "limits", "red" if item["wanted"] > item["left"] else "")


def _settings(resolved: Resolved) -> Iterator[ExplainedLine]:
    own = {name: item for name, item in resolved.explained.items() if item.layer is not LayerKind.BUILT_IN}
    yield ExplainedLine("")
    if not own:
        yield ExplainedLine("all are built-in", "settings")
    for index, (name, item) in enumerate(own.items()):
        ended = ", which stops inheritance" if item.ended else ""
        value = spoken_value(item.value) or "(empty)"
        yield ExplainedLine(f"{name} = {value} from {origin_words(item)}{ended}", "" if index else "settings")


def _rest(all_of_them: int, what: str) -> Iterator[ExplainedLine]:
    if all_of_them > _MOST_SHOWN:
        yield ExplainedLine(f"… and {all_of_them - _MOST_SHOWN} more {what}", "")
