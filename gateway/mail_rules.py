"""The rules of outgoing mail in memory: TLS policies and customers' templates, as of one version of the database.

Read afresh before each attempt, so a rule raised by another process acts at the next one. Fails closed: while the
stored rules cannot be read or understood, `policies` raises and mail waits. Not here: changes (tls_rules,
mail_templates), what a policy demands (tls.policy).
"""

import asyncio
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import MappingProxyType

import structlog

from gateway.worker import Worker
from store.engine.database import Database, Transaction
from store.mail_rules import (
    StsToStore,
    TlsRule,
    put_sts_policies,
    read_rules_version,
    read_sts_policy,
    read_tls_rules,
)
from store.mail_templates import TemplateRef, find_graphic, graphics_of, list_templates, read_template
from templates.forms import MailForm, forms_in_order
from templates.graphics import Graphic
from tls.mtasts import CachedPolicy
from tls.policy import PolicyEntry, PolicyTable, PolicyUnavailableError, TlsLevel, TlsPolicy

log = structlog.get_logger()

_LOOK_EVERY = 1.0
_KEPT_TEMPLATES = 32
_FORMS = frozenset(map(str, MailForm))


def join_rules(operator: Iterable[PolicyEntry], rules: Iterable[TlsRule], ca_folder: Path | None = None) -> PolicyTable:
    """Return the table in force: the operator's file and the database, of two system lines for a domain the stronger.

    Writes the authorities of private-ca rules to files in the folder, where TLS reads them; OSError where it can't.
    Without a folder nothing is written, and nobody can connect by such a rule.
    """
    entries = {entry.domain.removeprefix("*"): entry for entry in operator}
    own: list[PolicyEntry] = []
    for rule in rules:
        entry = PolicyEntry(policy=policy_of(rule, ca_folder), domain=rule.domain, customer=rule.customer)
        if rule.customer:
            own.append(entry)
            continue
        before = entries.get(rule.domain)
        if before is not None and before.policy.require_tls:
            entry = replace(entry, policy=replace(entry.policy, require_tls=True))
        if before is None or entry.policy.level.strength >= before.policy.level.strength:
            entries[rule.domain] = entry
    return PolicyTable((*entries.values(), *own))


def policy_of(rule: TlsRule, ca_folder: Path | None = None) -> TlsPolicy:
    """Return what a rule demands; its authorities stand in a file named by their digest."""
    ca_file = ""
    if rule.level is TlsLevel.PRIVATE_CA:
        content = rule.authorities.encode()
        name = f"{hashlib.sha256(content).hexdigest()}.pem"
        ca_file = str(_write_once(content, ca_folder / name)) if ca_folder is not None else name
    return TlsPolicy(
        level=rule.level,
        names=rule.names,
        pins=rule.pins,
        ca_file=ca_file,
        minimum_version=rule.minimum_version,
        require_tls=rule.require_tls,
    )


def _write_once(content: bytes, file: Path) -> Path:
    try:
        if file.read_bytes() == content:
            return file
    except FileNotFoundError:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=file.parent, delete=False) as partial_file:
        partial_file.write(content)
        partial_file.flush()
        os.fsync(partial_file.fileno())
    Path(partial_file.name).replace(file)
    return file


TemplateIdentity = tuple[int, TemplateRef]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTemplate:
    """A customer's own template with its graphics; `identity` is new with each change of any rule."""

    identity: TemplateIdentity
    source: str
    graphics: Mapping[str, Graphic]


_Places = Mapping[tuple[str, str, MailForm], TemplateRef]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    version: int = -1
    table: PolicyTable = field(default_factory=PolicyTable)
    templates: _Places = field(default_factory=lambda: MappingProxyType({}))


class MailRules:
    """The rules in force. `operator` are the lines of the operator's file; `damaged` is told why reading fails."""

    def __init__(
        self,
        database: Database,
        operator: Iterable[PolicyEntry],
        ca_folder: Path,
        *,
        damaged: Callable[[str], None] | None = None,
    ) -> None:
        self._database = database
        self._operator = tuple(operator)
        self._ca_folder = ca_folder
        self._damaged = damaged
        self._snapshot = _Snapshot()
        self._fault = "not read yet"
        self._kept: OrderedDict[TemplateIdentity, FoundTemplate | None] = OrderedDict()
        self._graphics: OrderedDict[tuple[int, str, str], Graphic | None] = OrderedDict()
        self._refreshing = asyncio.Lock()
        self._asked = 0
        self._answered = 0
        self.worker = Worker("mail-rules", self._look, look_every=_LOOK_EVERY)

    def policies(self) -> PolicyTable:
        """Return the TLS policies. Raises PolicyUnavailableError while nobody knows them."""
        if self._fault:
            raise PolicyUnavailableError(self._fault)
        return self._snapshot.table

    def read_now(self) -> PolicyTable:
        """Read and return the policies, for a caller without an event loop. Raises what reading raises."""
        self._snapshot, self._fault = self._database.read_now(self._read), ""
        return self._snapshot.table

    async def refresh(self) -> None:
        """Catch up with the database; one read serves all who ask before it begins. Never raises."""
        self._asked += 1
        mine = self._asked
        async with self._refreshing:
            if self._answered >= mine:
                return
            covered = self._asked
            try:
                snapshot = await self._database.read(self._read)
            except Exception as error:  # noqa: BLE001 - whatever is wrong, nothing may be guessed
                self._lose(str(error))
            else:
                if self._fault and self._snapshot.version >= 0:
                    log.warning("mail_rules_readable_again")
                self._snapshot, self._fault = snapshot, ""
            self._answered = covered

    def _lose(self, cause: str) -> None:
        news = self._fault != cause
        self._fault = cause
        if news:
            log.error("mail_rules_unreadable", cause=cause[:300])
            if self._damaged is not None:
                self._damaged(cause)

    async def _look(self) -> bool:
        await self.refresh()
        return False

    def _read(self, tx: Transaction) -> _Snapshot:
        version = read_rules_version(tx)
        if version == self._snapshot.version and not self._fault:
            return self._snapshot
        table = join_rules(self._operator, read_tls_rules(tx), self._ca_folder)
        templates = {
            (found.customer, found.profile, MailForm(found.ref.form)): found.ref
            for found in list_templates(tx)
            if found.ref.form in _FORMS
        }
        return _Snapshot(version, table, MappingProxyType(templates))

    async def find_graphic(self, customer: str, name: str) -> Graphic | None:
        """Return a customer's graphic; None where it has none of this name."""
        if not name:
            return None
        wanted = (self._snapshot.version, customer, name)
        if wanted not in self._graphics:
            self._graphics[wanted] = await self._database.read(partial(_load_graphic, customer=customer, name=name))
            while len(self._graphics) > _KEPT_TEMPLATES:
                self._graphics.popitem(last=False)
        return self._graphics[wanted]

    async def find_template(self, customer: str, profile: str, form: MailForm) -> FoundTemplate | None:
        """Return the template for a form of mail: the profile's before the customer's, within each the form's own."""
        places = self._snapshot.templates
        owners = (profile, "") if profile else ("",)
        wanted = ((customer, owner, each) for owner in owners for each in forms_in_order(form))
        ref = next((places[place] for place in wanted if place in places), None)
        if ref is None:
            return None
        identity = (self._snapshot.version, ref)
        if identity not in self._kept:
            self._kept[identity] = await self._database.read(partial(_load_template, identity=identity))
            while len(self._kept) > _KEPT_TEMPLATES:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(identity)
        return self._kept[identity]


def _load_graphic(tx: Transaction, customer: str, name: str) -> Graphic | None:
    found = find_graphic(tx, customer, name)
    return Graphic(name=found.name, media_type=found.media_type, content=found.content) if found else None


def _load_template(tx: Transaction, identity: TemplateIdentity) -> FoundTemplate | None:
    ref = identity[1]
    source = read_template(tx, ref)
    if source is None:
        return None
    graphics = {
        found.name: Graphic(name=found.name, media_type=found.media_type, content=found.content)
        for found in graphics_of(tx, ref.customer_key)
    }
    return FoundTemplate(identity=identity, source=source, graphics=MappingProxyType(graphics))


class StoredStsCache:
    """Fulfils tls.mtasts.StsCache: a policy once seen is in force after a restart too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, domain: str) -> CachedPolicy | None:
        """Return what was last put for the domain, however old."""
        return await self._database.read(partial(read_sts_policy, domain=domain))

    async def put(self, domain: str, cached: CachedPolicy) -> None:
        """Keep this policy for the domain."""
        await self._database.write(put_sts_policies, StsToStore(domain=domain, cached=cached))
