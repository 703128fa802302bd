"""`mail2sms dirsync …`: customers' directories, what a reading of one would change, and what its runs changed.

Not here: what is allowed (gateway.admin.directories), a run (process.dirsync), when it is due (dirsync_schedule there).
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from addressbook.runs import Reason, RunLine, RunResult, RunState, RunUnderWay
from addressbook.source_options import options_of, show_options
from addressbook.sources import FolderSource, SourceKind
from cli.admin_session import (
    AdminSession,
    admin_session,
    customer_option,
    json_option,
    one_customer_option,
    print_table,
)
from cli.context import config_option
from cli.shapes import NAME, assigned
from cli.words import doubt_sentence
from dirsync.sample import SampledUser
from gateway.admin.directories import (
    DirectoryState,
    change_directory,
    directory_to_run,
    drop_directory,
    get_run,
    list_directories,
    make_directory,
    name_directory,
)
from gateway.directory_mails import DirectoryTelling, lines_as_csv
from gateway.directory_sync import DirectorySync
from sms.message import Origin
from sms.settings import Settings
from store.directories import StoredDirectory
from store.directory_runs import Run, read_lines
from store.engine.keys import to_instant, to_instant_if_set
from templates.directory_view import say_counts, say_line, say_place, say_reason
from templates.words import Dictionary, Words

HELD_CODE: Final = 3
RUNNING_CODE: Final = 4
"""Exit codes of `run` and `approve`: 0 applied or unchanged, 1 failed or stale, 3 waits for approval, 4 under way."""
_BEHIND_THE_GATEWAY: Final = 10
_SHORT: Final = 12
_MOST_LINES: Final = 1_000_000
_WAITING: Final = frozenset({RunState.HELD, RunState.DISCARDED})  # a dry run says what would wait
_ASSIGNMENTS = click.argument("assignments", nargs=-1, metavar="KEY=VALUE…")
_KINDS = click.Choice([*map(str, SourceKind)])


@click.command("list")
@config_option
@json_option
@one_customer_option
def list_all(file: Path, customer: str, *, as_json: bool) -> None:
    """List directories: their state, users, when each was last read and is read next, and what it waits for."""
    with admin_session(file) as session:
        states = session.look(lambda tx: list_directories(tx, customer))
    words, now = _words(), _now()
    print_table([_row(state, words, now) for state in states], as_json=as_json)


def _row(state: DirectoryState, words: Words, now: datetime) -> Mapping[str, object]:
    stored, last = state.stored, state.last
    waits = ""
    if state.held is not None:
        waits = f"approval of {state.held.digest[:_SHORT]}"
    elif stored.failures and last is not None and last.result().problem is not None:
        waits = _why(last.result(), words)
    synced = to_instant_if_set(stored.synced_at)
    due = state.next_at
    return {
        "directory": stored.directory.name,
        "customer": state.customer,
        "kind": stored.directory.kind.value,
        "state": _state(state),
        "users": state.users,
        "read": f"{synced:%Y-%m-%d %H:%M}" if synced is not None else "",
        "ago": _span((now - synced).total_seconds()) if synced is not None else "",
        "next": ("now" if due <= now else f"{due:%Y-%m-%d %H:%M}") if due is not None else "",
        "waits_for": waits,
    }


def _state(state: DirectoryState) -> str:
    stored = state.stored
    if state.running is not None:
        return f"being read since {to_instant(state.running.began_at):%H:%M}"
    if state.held is not None:
        return "waits"
    if stored.failures:
        return f"failed {stored.failures} times" if stored.failures > 1 else "failed once"
    if not stored.directory.active:
        return "off"
    return "in step" if stored.synced_at is not None else "never read"


def _span(seconds: float) -> str:
    minutes = int(seconds) // 60
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 2 * 1440 else f"{minutes // 1440} days"


@click.command("options")
@config_option
@json_option
@click.option("--kind", type=_KINDS, help="All options of a kind of directory.")
@click.option("--customer", default="", metavar="NAME", help="Whose it is.")
@click.argument("name", required=False)
def show_all_options(file: Path, kind: str | None, customer: str, name: str | None, *, as_json: bool) -> None:
    """Show the options in force of a directory; with --kind, what can be set, and to what it is set by default."""
    if (kind is None) == (name is None):
        raise click.UsageError("either NAME with --customer, or --kind is expected")
    if kind is not None:
        options = options_of(SourceKind(kind))
        rows = [
            {"option": item.key, "default": item.defaults[SourceKind(kind)], "what": item.help, "such_as": item.example}
            for item in options
        ]
        print_table(rows, as_json=as_json)
        return
    with admin_session(file) as session:
        found = session.look(lambda tx: name_directory(tx, customer, str(name)))
    options_in_force = show_options(found.directory.kind, found.options)
    if as_json:
        click.echo(json.dumps(options_in_force, indent=2, ensure_ascii=False))
        return
    for key, text in sorted(options_in_force.items()):
        click.echo(f"{key}={text}")


@click.command("add")
@config_option
@customer_option
@click.option("--kind", required=True, type=_KINDS, help="What it is.")
@NAME
@_ASSIGNMENTS
def add_one(*, file: Path, customer: str, kind: str, name: str, assignments: tuple[str, ...]) -> None:
    """Add a directory. «dirsync options --kind KIND» shows every KEY; a password is only ever named as a file.

    \b
    dirsync add office --customer acme --kind openldap host=ldap.example.com
        base=ou=people,dc=example,dc=com bind_dn=cn=mail2sms,dc=example,dc=com
        password_file=/etc/mail2sms/ldap.secret map.cost_centre=departmentNumber
    """  # noqa: D301 - click wants the character
    options = assigned(assignments)
    with admin_session(file) as session:
        session.change(lambda edit: make_directory(edit, customer, name, kind, options))


@click.command("set")
@config_option
@customer_option
@NAME
@_ASSIGNMENTS
def set_one(*, file: Path, customer: str, name: str, assignments: tuple[str, ...]) -> None:
    """Set options of a directory; an empty VALUE is the default again.

    Where that changes who is read, or as what, the next run waits for approval.
    """
    options = assigned(assignments)
    if not options:
        raise click.UsageError("nothing to change: give at least one KEY=VALUE")
    with admin_session(file) as session:
        session.change(lambda edit: change_directory(edit, customer, name, options))


@click.command("remove")
@config_option
@customer_option
@NAME
@click.option("--with-users", is_flag=True, help="Remove its users too, with logins and settings.")
def remove_one(*, file: Path, customer: str, name: str, with_users: bool) -> None:
    """Remove a directory. Its users stay as an administrator's, and its lists too."""
    with admin_session(file) as session:
        found = session.look(lambda tx: name_directory(tx, customer, name)).directory
        cleared = _sync(session).clear(found, session.who, with_users=with_users)
        if isinstance(cleared, RunUnderWay):
            _end_as_under_way(cleared)
        else:
            session.change(lambda edit: drop_directory(edit, customer, name, cleared, with_users=with_users))


@click.command("run")
@config_option
@json_option
@customer_option
@click.option("--full", is_flag=True, help="Read every entry, not only what changed.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--scheduled", is_flag=True, hidden=True)
@NAME
def run_one(  # noqa: PLR0913 - the options of the command
    *, file: Path, customer: str, name: str, full: bool, dry_run: bool, scheduled: bool, as_json: bool
) -> None:
    """Read a directory now, and put in force what changed.

    The exit code is 0 where it was applied or nothing changed, 3 where it waits for approval, 4 where the directory is
    being read already, and 1 where it failed.
    """
    from process.dirsync import RunRequest, run_directory

    if scheduled:
        os.nice(_BEHIND_THE_GATEWAY)
    with admin_session(file) as session:
        stored = session.look(lambda tx: directory_to_run(tx, customer, name, session.default_options))
        request = RunRequest(
            stored=stored,
            asked_by="schedule" if scheduled else session.who,
            settings=_settings(session, stored),
            full=full,
            dry_run=dry_run,
            is_scheduled=scheduled,
        )
        result = run_directory(_sync(session), request, _now)
    if result is None:
        click.echo(json.dumps(None) if as_json else "The folder has no file that is read now.")
        return
    if isinstance(result, RunResult) and dry_run and not as_json:
        print_lines(result.lines, _words())
    _end(result, as_json=as_json, is_dry=dry_run)


@click.command("test")
@config_option
@json_option
@customer_option
@click.option("--entries", default=10, show_default=True, metavar="N", help="So many.")
@NAME
def test_one(*, file: Path, customer: str, name: str, entries: int, as_json: bool) -> None:
    """Bind to a directory, read some entries and show each as the user that it would be; nothing is changed."""
    from dirsync.reading import read_sample
    from dirsync.source import ReadFault

    with admin_session(file) as session:
        stored = session.look(lambda tx: name_directory(tx, customer, name))
        country = _settings(session, stored).default_country
    if isinstance(stored.directory.source, FolderSource):
        raise click.UsageError("a folder is tried with a file: «dirsync run --dry-run» shows what one would change")
    try:
        found = read_sample(stored.directory, now=_now(), country=country, most=entries)
    except ReadFault as fault:
        reason = Reason(section="read", code=fault.code, facts=fault.facts)
        raise click.ClickException(say_reason(reason, _words())) from None
    if as_json:
        click.echo(json.dumps([asdict(user) for user in found.users], indent=2, ensure_ascii=False))
        return
    words = _words()
    for user in found.users:
        _print_user(user, words)
    for group in sorted(found.too_deep):
        click.echo(f"! The group {group} is too deep within others: its members are left out.")
    if found.doubt:
        click.echo(f"! Changes cannot be read alone, so that each reading is complete: {doubt_sentence(found.doubt)}")
    click.echo(f"Entries read: {len(found.users)}. Nothing was changed." if found.users else _NOBODY)


def _print_user(user: SampledUser, words: Words) -> None:
    click.echo(user.entry)
    for field, text in user.values.items():
        origin = f"   ({user.origins[field]})" if user.origins.get(field) else ""
        click.echo(f"  {field} = {text}{origin}")
    for field, attribute in user.missing.items():
        click.echo(f"  {field} is missing: the entry has no {attribute}")
    for listed in user.lists:
        click.echo(f"  in the list {listed}")
    for wrong in user.faults:
        reason = Reason(section="row", code=wrong.code, facts=wrong.facts)
        click.echo(f"  ! {wrong.column}: {say_reason(reason, words)}")


_NOBODY: Final = "The directory was read and shows nobody: check base, filter and what the reading account may see."


def _settings(session: AdminSession, stored: StoredDirectory) -> Settings:
    """Return the settings of a directory's customer."""
    _, layers = session.in_force()
    return layers.resolve(stored.directory.customer_id, Origin.MAIL.value).settings


@click.command("approve")
@config_option
@json_option
@click.argument("digest")
def approve(*, file: Path, digest: str, as_json: bool) -> None:
    """Put exactly the changes in force that wait under a digest; eight digits of it are enough."""
    with admin_session(file) as session:
        run = session.look(lambda tx: get_run(tx, digest))
        result = _sync(session).approve(run.digest, session.who)
    if result is None or (isinstance(result, RunResult) and result.state is RunState.DISCARDED):
        raise click.ClickException("These changes do not wait any more: a later run took their place.")
    _end(result, as_json=as_json)


@click.command("show")
@config_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print the difference as CSV, safe for spreadsheets.")
@click.argument("run")
def show_run(*, file: Path, run: str, as_json: bool, as_csv: bool) -> None:
    """Show what a run changed or would change, by its number or eight digits of its digest."""
    with admin_session(file) as session:
        found = session.look(lambda tx: get_run(tx, run))
        lines = session.look(lambda tx: read_lines(tx, found.key, _MOST_LINES))
    if as_csv:
        sys.stdout.buffer.write(lines_as_csv(lines))
    elif as_json:
        click.echo(json.dumps({**_as_plain(found.result()), "lines": [asdict(line) for line in lines]}, indent=2))
    else:
        _print_run(found)
        print_lines(lines, _words())


def _print_run(run: Run) -> None:
    began = f"{to_instant(run.began_at):%Y-%m-%d %H:%M}"
    click.echo(f"Run {run.key}, {run.mode}, asked for by {run.asked_by}, began {began} UTC: {run.state}.")
    print_result(run.result(), _words())


def print_result(result: RunResult, words: Words) -> None:
    """Print what came of a run, in sentences."""
    if result.problem is not None:
        click.echo(say_reason(result.problem, words))
    if result.counts:
        click.echo(f"{say_counts(result.counts, words)}.")
    for reason in result.held_for if result.state in _WAITING else ():
        click.echo(f"Waits: {say_reason(reason, words)}")
    for left in result.faults:
        click.echo(f"Left as it was: {say_place(left, words)}: {say_reason(left.reason, words).removesuffix('.')}.")
    if result.state is RunState.HELD:
        click.echo(f"Nothing was changed. «mail2sms dirsync show {result.key}» shows the difference,")
        click.echo(f"«mail2sms dirsync approve {result.digest[:_SHORT]}» puts it in force.")


def print_lines(lines: Sequence[RunLine], words: Words) -> None:
    """Print a difference, a line for each."""
    for line in lines:
        click.echo(f"{line.target}  {say_line(line, words)}")


def _why(result: RunResult, words: Words) -> str:
    """Return why a run failed, in one sentence; how it is mended stands with the run."""
    return say_reason(result.problem, words).partition(". ")[0] if result.problem is not None else ""


def _as_plain(result: RunResult) -> dict[str, object]:
    plain = asdict(result)
    plain.pop("lines")
    return plain


def _end(result: RunResult | RunUnderWay, *, as_json: bool, is_dry: bool = False) -> None:
    """Print what came of a run and end the command with its exit code."""
    if isinstance(result, RunUnderWay):
        _end_as_under_way(result)
        return
    if as_json:
        click.echo(json.dumps(_as_plain(result)))
    else:
        click.echo("Dry run, nothing was changed." if is_dry else f"Run {result.key}: {result.state}.")
        print_result(result, _words())
    sys.exit(HELD_CODE if result.held_for and is_dry else EXIT_CODES[result.state])


EXIT_CODES: Final = {
    **dict.fromkeys(RunState, 1),
    RunState.APPLIED: 0,
    RunState.UNCHANGED: 0,
    RunState.DISCARDED: 0,
    RunState.HELD: HELD_CODE,
}


def _end_as_under_way(run: RunUnderWay) -> None:
    click.echo(f"The directory is being read since {run.began_at:%H:%M} UTC, asked for by {run.asked_by}.", err=True)
    sys.exit(RUNNING_CODE)


def _sync(session: AdminSession) -> DirectorySync:
    telling = DirectoryTelling(session.keys, session.config.mail.admin_address or "")
    return DirectorySync(session.database, session.keys, _now, tell=telling.tell)


def _now() -> datetime:
    return datetime.now(UTC)


def _words() -> Words:
    return Dictionary().words("en")


dirsync = click.Group(
    "dirsync",
    help="Handle customers' directories: LDAP servers and watched folders that say who may send, and how.",
    commands=[list_all, show_all_options, add_one, set_one, remove_one, test_one, run_one, show_run, approve],
)
