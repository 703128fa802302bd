"""`mail2sms explain`: what would become of a mail, from the code that the server runs. Sends nothing, stores nothing.

The printed shape is public and has a version; docs/explain.md describes it, gateway.explaining
builds it for every door.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from addressbook.hierarchy import Layer, LayerKind, layer_of
from addressbook.senders import Principal, find_owner
from cli.admin_session import json_option
from cli.context import config_option, database_of, read_config
from cli.explained_text import explained_lines, print_text
from countries.book import RuleBook
from gateway.directory import DirectoryFollower
from gateway.explaining import explain_limits, explain_outcome, refuse_spent
from gateway.plan import hold_back
from gateway.scheduling import keep_rates, rates_of
from gateway.taking_back import TakenBack
from gateway.usage_claims import claims_of
from mta.envelope import EnvelopeRecipient, ReceivedEnvelope
from mta.intake import Decision, Disposition, MailIntake
from mta.intake_pool import is_suspect
from mta.reading.confined_reader import ConfinedReader
from mta.sending.fields import with_crlf
from mta.smtp.engine.replies import reply_to
from process.accept_path import AcceptPath
from sms.outcome import Refused
from sms.settings import FIELDS, SettingProblem, parse_setting
from sms.usage import UsageClaim
from store.engine.database import Database
from store.usage import read_free, read_usage

if TYPE_CHECKING:
    from mta.verify.prover import Verdict


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
@click.option("--requiretls", "require_tls", is_flag=True, help="It comes with REQUIRETLS (RFC 8689).")
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
    require_tls: bool,
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
        require_tls=require_tls,
    )
    directory = core.book.current.directory
    principal = find_owner(directory, envelope.reverse_path)
    if customer is not None:
        found = directory.customer_named(customer)
        if found is None:
            raise click.BadParameter(f"there is no customer {customer!r}", param_hint="--as")
        principal = Principal(customer_id=found.key)
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
    judgement = wait_for_turns(judgement, database)
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
        "limits": explain_limits(claims, used, judgement.plan),
    }
    told = shape(judgement, envelope, snapshot.judge.book, snapshot.find_tls_demands(principal, client)) | more
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


def wait_for_turns(judgement: Decision, database: Database) -> Decision:
    """Return the judgement with when each message would go, after what its sender ID has under way now."""
    plan = judgement.plan
    counters = rates_of(plan) if plan is not None else []
    if plan is None or not counters:
        return judgement
    free_at = database.read_now(lambda tx: read_free(tx, counters))
    return replace(judgement, plan=keep_rates(plan, free_at))


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
    judgement: Decision, claims: Sequence[UsageClaim], used: Mapping[str, int], now: datetime
) -> Decision:
    """Return the judgement, refused where a limit of use lacks the room, as when its mail is accepted."""
    if judgement.verdict is not Disposition.SEND:
        return judgement
    refused = refuse_spent(judgement.plan, claims, used, now)
    return judgement if refused is None else replace(judgement, verdict=Disposition.REFUSE, refused=refused)


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


def shape(
    judgement: Decision, envelope: ReceivedEnvelope, rules: RuleBook, tls_demands: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a judgement in the public shape."""
    dropped, plan = judgement.dropped, judgement.plan
    told = explain_outcome(
        verdict=judgement.verdict.value,
        reason=dropped.reason if dropped is not None else None,
        refused=judgement.refused,
        resolved=judgement.resolved,
        plan=plan,
        given=[item.address for item in envelope.recipients],
        tls_demands=tls_demands,
        rules=rules,
        words=_reply,
    )
    return told | {
        "options": dict(judgement.options),
        "text_source": judgement.extracted.source if judgement.extracted is not None else None,
        "lists": list(judgement.lists),
        "routes": [
            {
                "number": item.number.e164,
                "carriers": item.route.split(">"),
                "costs": list(item.costs),
                "parameters": dict(item.parameters),
            }
            for item in (plan.messages if plan is not None else ())
            if item.number is not None
        ],
        "mark": dropped.mark if dropped is not None else None,
    }


def _reply(refused: Refused) -> dict[str, Any]:
    reply = reply_to(refused)
    return {"code": reply.code, "enhanced": reply.enhanced, "text": reply.text}
