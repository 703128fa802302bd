"""`mail2sms explain`: what would become of a mail, from the code that the server runs. Sends nothing, stores nothing.

The printed shape is public and has a version; docs/explain.md describes it.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from addressbook.hierarchy import Layer, LayerKind, Resolved, layer_of
from addressbook.senders import Principal, find_owner
from cli.admin_session import json_option
from cli.context import config_option, database_of, read_config
from cli.explained_text import explained_lines, print_text
from gateway.admin.limits import limit_row
from gateway.directory import DirectoryFollower
from gateway.plan import JobPlan, PlannedMessage, hold_back
from gateway.taking_back import TakenBack
from gateway.usage_claims import claims_of, refuse
from mta.envelope import EnvelopeRecipient, ReceivedEnvelope
from mta.intake import Decision, Disposition, MailIntake
from mta.intake_pool import is_suspect
from mta.reading.confined_reader import ConfinedReader
from mta.sending.fields import with_crlf
from mta.smtp.engine.replies import reply_to
from process.accept_path import AcceptPath
from sms.alphabet import find_strange, what_became
from sms.message import Alphabet, EncodedText
from sms.national import languages_of
from sms.number import SenderId, country_of
from sms.outcome import Refused
from sms.parts import encoded_parts, graphemes
from sms.settings import FIELDS, SettingProblem, Settings, parse_setting
from sms.usage import UsageClaim
from store.usage import find_reached, read_usage

if TYPE_CHECKING:
    from mta.verify.prover import Verdict

SHAPE_VERSION = 1


@click.command()
@config_option
@click.option("--from", "sender", required=True, metavar="ADDRESS", help="The reverse-path; «<>» for the null sender.")
@click.option(
    "--to", "recipients", required=True, multiple=True, metavar="ADDRESS", help="A recipient; may be repeated."
)
@click.option(
    "--as", "customer", metavar="CUSTOMER", help="Take this customer as proven; without it, whose the address is."
)
@click.option(
    "--client", default="", metavar="IP", help="Prove the sender as for a client of this address; DNS is asked."
)
@click.option("--helo", default="", metavar="NAME", help="How that client greets.")
@click.option("--set", "trial", multiple=True, metavar="FIELD=VALUE", help="A setting on top of all others.")
@json_option
@click.option("--text", "as_text", is_flag=True, help="Print text for people, as a terminal gets it.")
@click.argument("message", metavar="MESSAGE.eml", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def explain(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    sender: str,
    recipients: tuple[str, ...],
    customer: str | None,
    client: str,
    helo: str,
    trial: tuple[str, ...],
    message: Path,
    as_json: bool,
    as_text: bool,
) -> None:
    """Print what would become of a mail: verdict, texts, parts, settings with their origin; as JSON to a pipe."""
    if as_json and as_text:
        raise click.UsageError("--json and --text exclude each other")
    config = read_config(file)
    if config.server.sqlite_file is not None and not config.server.sqlite_file.exists():
        # Opening it would make an empty one, and this command writes nothing.
        raise click.ClickException(f"{config.server.sqlite_file} does not exist yet: «serve» makes it")
    database = database_of(config.server)
    click.get_current_context().call_on_close(database.close)
    core = AcceptPath(config, database)
    core.book.load_now()
    core.conversations.load_now()
    envelope = ReceivedEnvelope(
        reverse_path="" if sender in ("", "<>") else sender.removeprefix("<").removesuffix(">"),
        recipients=tuple(EnvelopeRecipient(address=address) for address in recipients),
        client=client,
        helo=helo,
    )
    directory = core.book.current.directory
    principal = find_owner(directory, envelope.reverse_path)
    if customer is not None:
        found = directory.customer_named(customer)
        if found is None:
            raise click.BadParameter(f"there is no customer {customer!r}", param_hint="--as")
        principal = Principal(customer_id=found.id)
    raw = with_crlf(message.read_bytes())
    asked = None
    if client and customer is None:
        from cli.proving import prove_sender

        asked = prove_sender(config, core, raw, envelope)
        principal = asked.principal
    judgement = _refuse_unproven(asked) or core.judge.judge_envelope(envelope, principal)
    judgement = judgement or judge_as_served(core.judge, raw, envelope, principal, read_trial(trial))
    judgement = hold_back_stopped(judgement, core.book)
    snapshot = core.book.current
    sending = judgement.plan.submission.sender if judgement.plan is not None else None
    if sending is None and principal is not None:
        chosen = snapshot.choose_sender(principal, envelope.reverse_path)
        sending = None if isinstance(chosen, Refused) else chosen
    now = core.clock.now()
    claims = claims_of(snapshot, sending, now) if sending is not None else ()
    used = database.read_now(lambda tx: read_usage(tx, claims, now)) if claims else {}
    judgement = hold_back_limited(judgement, claims, used, now)
    taken = core.taking_back.look_now(judgement.cancel) if judgement.cancel is not None else None
    if isinstance(taken, Refused):
        judgement = Decision(verdict=Disposition.REFUSE, refused=taken)
    cancels = asdict(taken) if isinstance(taken, TakenBack) else None
    owner = directory.customer(principal.customer_id) if principal is not None else None
    more = {
        "customer": owner.name if owner is not None else None,
        "proven": customer is not None or (asked is not None and asked.principal is not None),
        "proofs": [asdict(step) for step in asked.steps] if asked is not None else [],
        "cancels": cancels,
        "limits": [
            {**limit_row(claim, used[claim.counter]), "wanted": _wanted(claim, judgement.plan)} for claim in claims
        ],
    }
    told = shape(judgement, envelope) | more
    if as_text or (sys.stdout.isatty() and not as_json):
        print_text(explained_lines(told, judgement, envelope.reverse_path))
    else:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))


def _refuse_unproven(asked: "Verdict | None") -> Decision | None:
    if asked is None or asked.refused is None:
        return None
    return Decision(verdict=Disposition.REFUSE, refused=asked.refused)


def judge_as_served(
    judge: MailIntake, raw: bytes, envelope: ReceivedEnvelope, principal: Principal | None, trial: tuple[Layer, ...]
) -> Decision:
    """Judge a mail with the reader that the server would take: a hostile one breaks a process of its own only."""
    if not is_suspect(raw) and not judge.is_large(envelope, principal):
        return judge.judge(raw, envelope, principal, trial)
    reader = ConfinedReader()
    try:
        return judge.judge(raw, envelope, principal, trial, reader)
    finally:
        reader.close()


def hold_back_stopped(judgement: Decision, book: DirectoryFollower) -> Decision:
    """Return the judgement with whom stop lists name refused; they are read where the customer has one."""
    plan = judgement.plan
    if plan is None or not plan.submission.sender.customer.stop_listed:
        return judgement
    numbers = {message.number.digits for message in plan.messages if message.number is not None}
    plan = hold_back(plan, book.stops_now(numbers))
    if plan.refused is None or judgement.refused is not None:
        return replace(judgement, plan=plan)
    return replace(judgement, plan=plan, verdict=Disposition.REFUSE, refused=plan.refused)


def hold_back_limited(
    judgement: Decision, claims: Iterable[UsageClaim], used: Mapping[str, int], now: datetime
) -> Decision:
    """Return the judgement, refused where a limit of use lacks the room, as when its mail is accepted."""
    if judgement.verdict is not Disposition.SEND:
        return judgement
    for claim in claims:
        reached = find_reached(claim, used[claim.counter], _wanted(claim, judgement.plan), now)
        if reached is not None:
            return replace(judgement, verdict=Disposition.REFUSE, refused=refuse(reached))
    return judgement


def _wanted(claim: UsageClaim, plan: JobPlan | None) -> int:
    """Return how much a plan takes of a limit."""
    if plan is None or plan.submission.dry_run:
        return 0
    return claim.amount(
        (country_of(message.number), len(encoded.lengths))
        for message in plan.messages
        if message.number is not None and message.refused is None and not message.duplicate_of
        if (encoded := plan.encoded_of(message)) is not None
    )


def read_trial(pairs: tuple[str, ...]) -> tuple[Layer, ...]:
    """Return FIELD=VALUE texts as the layer on top; raises click.BadParameter with what is expected."""
    patch = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or name not in FIELDS:
            expected = f"FIELD=VALUE with a field of {', '.join(sorted(FIELDS))}"
            raise click.BadParameter(f"{pair!r} is not {expected}", param_hint="--set")
        value = parse_setting(name, text)
        if isinstance(value, SettingProblem):
            raise click.BadParameter(str(value), param_hint="--set")
        patch[name] = value
    return (layer_of(LayerKind.TRIAL, patch, "--set"),) if patch else ()


def shape(judgement: Decision, envelope: ReceivedEnvelope) -> dict[str, Any]:
    """Return a judgement in the public shape."""
    reason = judgement.dropped.reason if judgement.dropped else None
    if judgement.refused is not None:
        reason = judgement.refused.refusal.value
    plan = judgement.plan
    settings = _settings(judgement.resolved)
    if plan is None:
        recipients = [_bare_recipient(item.address, judgement.refused, settings) for item in envelope.recipients]
    else:
        recipients = [
            _recipient(item, plan.encoded_of(item), settings, judgement.refused, plan.submission.resolved.settings)
            for item in plan.messages
        ]
    return {
        "version": SHAPE_VERSION,
        "verdict": judgement.verdict.value,
        "reason": reason,
        "options": dict(judgement.options),
        "recipients": recipients,
        **_more(judgement),
    }


def _more(judgement: Decision) -> dict[str, Any]:
    """Return what was added to the shape: when it goes out, which way, to which lists, and what is at fault."""
    plan = judgement.plan
    schedule = plan.schedule if plan is not None else None
    messages = plan.messages if plan is not None else ()
    return {
        "ignored_options": list(plan.submission.ignored_options) if plan is not None else [],
        "dry_run": plan is not None and plan.submission.dry_run,
        "service": plan.submission.service.value if plan is not None else None,
        "service_by": plan.submission.service_by if plan is not None else None,
        "reference": plan.submission.reference if plan is not None else "",
        "text_source": judgement.extracted.source if judgement.extracted is not None else None,
        "due_at": schedule.due_at.isoformat() if schedule is not None else None,
        "expires_at": schedule.expires_at.isoformat() if schedule is not None else None,
        "blackouts": [
            {"start_at": item.start_at.isoformat(), "end_at": item.end_at.isoformat()}
            for item in (schedule.blackouts if schedule is not None else ())
        ],
        "lists": list(judgement.lists),
        "routes": [
            {
                "number": item.number.e164,
                "carriers": item.route.split(">"),
                "costs": list(item.costs),
                "parameters": dict(item.parameters),
            }
            for item in messages
            if item.number is not None
        ],
        "unanswerable": (plan.job.unanswerable or None) if plan is not None and plan.job is not None else None,
        "mark": judgement.dropped.mark if judgement.dropped else None,
        "faults": [{"row": fault.row, "text": fault.text} for fault in (plan.faults if plan is not None else ())],
    }


def _bare_recipient(given: str, refused: Refused | None, settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "given": given,
        "number": None,
        "refusal": _refusal(refused),
        "text": "",
        "coding": Alphabet.GSM7.value,
        "languages": "",
        "coding_for": [],
        "parts": [],
        "replaced": [],
        "cut": "",
        "duplicate_of": None,
        "settings": settings,
    }


def _recipient(
    message: PlannedMessage,
    encoded: EncodedText | None,
    explained: dict[str, Any],
    refused: Refused | None,
    settings: Settings,
) -> dict[str, Any]:
    own = message.wanted.sender_id
    if own is not None:
        explained = explained | {
            "sender_id": {"value": own.value, "layer": "conversation", "origin": "the SMS answered"}
        }
    shown = _bare_recipient(message.wanted.given, message.refused or refused, explained)
    shown["number"] = message.number.e164 if message.number else None
    shown["duplicate_of"] = message.duplicate_of or None
    if encoded is not None and message.refused is None:
        shown["text"] = encoded.text
        shown["coding"] = encoded.alphabet.value
        shown["languages"] = languages_of(encoded.shifts)
        if encoded.alphabet is not settings.coding:
            shown["coding_for"] = list(find_strange(graphemes(encoded.text), settings.unencodable))
        shown["parts"] = [
            {"text": part.text, "udh": part.udh.hex(), "payload": part.payload.hex()} for part in encoded_parts(encoded)
        ]
        shown["replaced"] = [
            {"index": item.index, "from": item.old, "to": item.new, "kind": what_became(item).value}
            for item in encoded.replaced
        ]
        shown["cut"] = encoded.cut
    return shown


def _refusal(refused: Refused | None) -> dict[str, Any] | None:
    if refused is None:
        return None
    reply = reply_to(refused)
    return {"code": reply.code, "enhanced": reply.enhanced, "text": reply.text}


def _settings(resolved: Resolved | None) -> dict[str, Any]:
    if resolved is None:
        return {}
    return {
        name: {"value": _plain(item.value), "layer": item.layer.value, "origin": item.origin}
        for name, item in resolved.explained.items()
    }


def _plain(value: object) -> object:
    """Return a setting's value as JSON holds it: texts, numbers and truths as they are, durations in minutes."""
    if isinstance(value, timedelta):
        return int(value.total_seconds() // 60)
    if isinstance(value, SenderId):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    return value
