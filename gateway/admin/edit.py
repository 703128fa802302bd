"""How a change is carried out: checked, audited and in force as one transaction, or not at all.

A use case is a function that takes an `Edit` first and returns what it did. Not here: any use case.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from addressbook.options import ALL_OPTIONS, Option
from addressbook.people import Customer
from countries.judge import Judge
from gateway.admin.faults import AdminFault, FaultCode
from sms.facts import Code, Fact
from sms.settings import format_setting
from store.audit import AuditLine
from store.directory_changes import DirectoryChanges
from store.engine.database import Database, Transaction
from store.engine.keys import Keys, to_stored


class AuditAction(Code):
    """What was done, as the audit names it."""

    ADD_CUSTOMER = "customer.add", "customer"
    REMOVE_CUSTOMER = "customer.remove", "customer", "users"
    ENABLE_CUSTOMER = "customer.enable", "customer"
    DISABLE_CUSTOMER = "customer.disable", "customer"
    SET_ADMIN = "customer.admin", "customer", "address"
    ADD_DOMAIN = "customer.add-domain", "customer", "domain", "outside"
    CLAIM_DOMAIN = "customer.claim-domain", "customer", "domain", "record", "value"
    VERIFY_DOMAIN = "customer.verify-domain", "customer", "domain", "outside", "strangers"
    REMOVE_DOMAIN = "customer.remove-domain", "customer", "domain"
    ADD_RANGE = "customer.add-range", "customer", "range", "shared", "tls_required"
    SET_RANGE = "customer.set-range", "customer", "range", "shared", "tls_required"
    REMOVE_RANGE = "customer.remove-range", "customer", "range"
    REQUIRE_TLS = "customer.tls-required", "customer", "required"
    SET_PROOFS = "customer.proof", "customer", "proofs"
    SET_SEALERS = "customer.arc-sealer", "customer", "sealers"
    SET_OIDC = "customer.oidc", "customer", "issuer", "audience", "claim"
    SET_OPTIONS = "customer.options", "customer", "options"
    SUSPEND = "customer.suspend", "customer", "option", "reason", "since", "until"
    RESUME = "customer.resume", "customer", "options"
    APPLY_SUSPENSIONS = "customer.apply-suspensions", "suspensions"
    ADD_DECLARATION = "declaration.add", "name", "version", "customers", "due"
    ASK_DECLARATION = "declaration.ask"
    CONFIRM_DECLARATION = "declaration.confirm", "name", "version", "customer", "by"
    FOLLOW_UP_DECLARATIONS = "declaration.follow-up", "requests"
    OPEN_REQUEST = "support.open", "request", "customer"
    ANSWER_REQUEST = "support.answer", "request", "state"
    CLOSE_REQUEST = "support.close", "request", "state"
    ASK_DOWNLOAD = "download.ask", "download", "customer"
    END_DOWNLOAD = "download.delete", "download", "customer"
    REQUEST_REGISTRATION = "registration.request", "registration", "customer", "what", "country"
    EDIT_REGISTRATION = "registration.edit", "registration", "customer", "what", "country"
    SUBMIT_REGISTRATION = "registration.submit", "registration", "what", "country"
    APPROVE_REGISTRATION = "registration.approve", "registration", "what", "country", "until"
    REFUSE_REGISTRATION = "registration.refuse", "registration", "what", "country", "reason"
    RENEW_REGISTRATION = "registration.renew", "registration", "what", "country", "until"
    ASK_RENEWAL = "registration.ask-renewal", "registration", "what", "country"
    WITHDRAW_REGISTRATION = "registration.withdraw", "registration", "what", "country"
    DROP_REGISTRATION = "registration.drop", "registration", "what", "country", "reason"
    EXPIRE_REGISTRATION = "registration.expire"
    REMIND_OF_REGISTRATION = "registration.remind"
    WARN_OF_IDLE_REGISTRATION = "registration.warn"
    FOLLOW_UP_REGISTRATIONS = "registration.follow-up", "registrations"
    ADD_PAPER = "registration.add-paper", "registration", "name"
    REMOVE_PAPER = "registration.remove-paper", "registration", "name"
    ADD_PROFILE = "profile.add", "customer", "profile", "default"
    CHOOSE_DEFAULT_PROFILE = "profile.default", "customer", "profile"
    REMOVE_PROFILE = "profile.remove", "customer", "profile"
    ADD_USER = "user.add", "address", "customer", "profile"
    ADD_APPLICATION = "application.add", "name", "customer", "profile"
    REMOVE_USER = "user.remove", "address"
    CHOOSE_PROFILE = "user.profile", "address", "profile"
    NAME_USER = "user.name", "address", "name"
    PHONE_USER = "user.phone", "address", "phone"
    ENABLE_USER = "user.enable", "address"
    DISABLE_USER = "user.disable", "address"
    SET_LOGIN = "login.set", "login", "customer", "address", "new"
    SET_CERTIFICATE = "login.certificate", "login", "customer", "address", "new"
    ADD_KEY = "login.add-key", "login", "address"
    ROTATE_KEY = "login.rotate-key", "login", "until"
    ENABLE_LOGIN = "login.enable", "login"
    DISABLE_LOGIN = "login.disable", "login"
    BIND_LOGIN = "login.bind", "login", "service", "profile"
    REMOVE_LOGIN = "login.remove", "login"
    INVITE_ACCOUNT = "account.invite", "address", "customer", "role", "link"
    SET_ROLE = "account.role", "address", "customer", "role"
    REMOVE_ROLE = "account.remove", "address", "customer"
    RESET_ACCOUNT = "account.reset", "address", "link"
    ENABLE_ACCOUNT = "account.enable", "address"
    DISABLE_ACCOUNT = "account.disable", "address"
    SIGN_IN = "account.sign-in", "address"
    SET_ACCOUNT_PASSWORD = "account.password", "address"
    SET_AUTHENTICATOR = "account.authenticator", "address", "has_one"
    SET_ACCOUNT = "account.set", "address"
    END_SESSIONS = "account.end-sessions", "address"
    SET_PORTAL_RULE = "customer.portal", "customer", "totp_required"
    SET_PORTAL_ISSUER = "customer.portal-issuer", "customer", "issuer", "client", "role", "redirect"
    JOIN_ACCOUNT = "account.join", "address", "customer", "role"
    IMPORT_USERS = "people.import", "added", "changed", "unchanged", "not_in_file", "faults"
    SET_SETTINGS = "settings.set", "kind", "name", "customer", "service", "cells", "clamped"
    SET_CONSTRAINTS = "constraints.set", "kind", "name", "customer", "service", "constraints"
    ADD_LIST = "list.add", "customer", "name", "authors"
    REMOVE_LIST = "list.remove", "customer", "name", "members"
    SET_AUTHORS = "list.authors", "customer", "name", "authors"
    IMPORT_MEMBERS = "list.import", "customer", "name", "members", "twice"
    ADD_DIRECTORY = "directory.add", "customer", "name", "kind", "minutes"
    SET_DIRECTORY = "directory.set", "customer", "name", "options", "active", "waits"
    REMOVE_DIRECTORY = "directory.remove", "customer", "name", "users", "with_users"
    ADD_NUMBER = "number.add", "number", "state", "sharing", "customer", "carriers"
    SET_NUMBER = "number.set", "number", "state", "sharing", "customer", "carriers"
    REMOVE_NUMBER = "number.remove", "number"
    SHARE_NUMBER = "number.share", "number", "customer", "word"
    UNSHARE_NUMBER = "number.unshare", "number", "word"
    ADD_KEYWORD = "keyword.add", "customer", "word", "number", "alone"
    SET_KEYWORD = "keyword.set", "customer", "word", "number", "alone"
    REMOVE_KEYWORD = "keyword.remove", "customer", "word"
    ADD_ACTION = "action.add", "customer", "name", "kind", "active"
    SET_ACTION = "action.set", "customer", "name", "kind", "active"
    REMOVE_ACTION = "action.remove", "customer", "name"
    ADD_STOPS = "stoplist.add", "customer", "service", "numbers", "messages"
    END_STOPS = "stoplist.remove", "customer", "service", "numbers"
    IMPORT_STOPS = "stoplist.import", "customer", "numbers", "known", "messages"
    ENFORCE_TLS = "tls.enforce", "domain", "customer", "before", "after", "changes", "enforced"
    LOWER_TLS = "tls.lower", "domain", "customer", "before", "after", "changes", "enforced"
    ACCEPT_TLS_RULES = "tls.accept", "rules"
    SET_TEMPLATE = "template.set", "form", "customer", "profile"
    RESET_TEMPLATE = "template.reset", "form", "customer", "profile"
    ADD_GRAPHIC = "template.graphic-add", "customer", "name"
    REMOVE_GRAPHIC = "template.graphic-remove", "customer", "name"
    SET_PUSH_KEY = "push.key", "owner"
    REMOVE_WEBHOOK = "webhook.remove", "address"
    PAUSE_WEBHOOK = "webhook.pause", "address"
    RESUME_WEBHOOK = "webhook.resume", "address", "pushes"
    REPLAY_PUSH = "push.replay", "name"
    REPLAY_FAILED_PUSHES = "push.replay-failed", "customer", "since", "pushes"
    HOLD = "queue.hold", "name", "held"
    RELEASE = "queue.release", "name", "released"
    DELETE = "queue.delete", "name", "cancelled", "dropped"
    CANCEL = "queue.cancel", "name", "cancelled", "asked"
    FLUSH = "queue.flush", "due"
    REROUTE = "queue.reroute", "to", "messages"
    ERASE = "erase", "name", "what"
    CANCEL_FOR_ERASURE = "erase.cancel", "name", "what", "cancelled", "asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What was done, with its facts; whoever shows it has the words."""

    action: AuditAction
    facts: dict[str, Fact]


@dataclass(frozen=True, slots=True)
class ValueChange:
    """What a field was and is, as texts; empty where it is not set."""

    field: str
    before: str
    after: str


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> list[ValueChange]:
    """Return the fields whose values are different; None is what is not set."""
    return [
        ValueChange(name, _text(before.get(name)), _text(after.get(name)))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def _text(value: object) -> str:
    return "" if value is None else format_setting(value)


@dataclass(frozen=True, slots=True)
class Subject:
    """What an action is about, as the audit has it: a target of a customer (None: of all), with the values changed."""

    target: str
    customer_key: int | None
    detail: str = ""
    values: Sequence[ValueChange] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a use case works on, inside its transaction: the tables to read, the writer, keys, who asked, and when.

    `default_options` are what customers have contracted of whom nothing else is stored; `judge` knows the rules of
    countries.
    """

    tx: Transaction
    stored: DirectoryChanges
    keys: Keys
    who: str
    now: datetime
    default_options: frozenset[Option] = ALL_OPTIONS
    judge: Judge

    def check_option(self, customer: Customer, option: Option) -> None:
        """Raise AdminFault for an option that a customer has not contracted."""
        if not customer.has_option(option, self.default_options):
            raise AdminFault(FaultCode.NOT_CONTRACTED, customer=customer.name, option=option.value)

    def done(self, action: AuditAction, about: Subject, /, **facts: Fact) -> Changed:
        """Audit an action and return it."""
        self.note(action, about)
        return changed(action, **facts)

    def note(self, action: AuditAction, about: Subject) -> None:
        """Audit what is a part of an action: a line for each value, or one alone."""
        line = AuditLine(action=action.value, target=about.target, detail=about.detail, customer_key=about.customer_key)
        lines = [replace(line, field=item.field, before=item.before, after=item.after) for item in about.values]
        self.stored.audit(*(lines or [line]))


def changed(action: AuditAction, **facts: Fact) -> Changed:
    """Return an action with its facts, for a use case that had nothing to do."""
    action.check(facts)
    return Changed(action=action, facts=facts)


Change = Callable[[Edit], Changed]


class Administration:
    """Carries out changes in the name of `who`; one object per process and administrator.

    Without `judge` it knows no rules of countries.
    """

    def __init__(  # noqa: PLR0913 - what changes depend on
        self,
        database: Database,
        keys: Keys,
        who: str,
        now: Callable[[], datetime],
        default_options: frozenset[Option] = ALL_OPTIONS,
        *,
        judge: Judge | None = None,
    ) -> None:
        self._judge = judge or Judge()
        self._default_options = default_options
        self._database = database
        self._keys = keys
        self._now = now
        self.who = who

    async def change(self, *changes: Change) -> list[Changed]:
        """Carry out all of these changes, committed when this returns, or none. Raises AdminFault."""
        return _or_raise(await self._database.write(self._run, changes))

    def change_now(self, *changes: Change) -> list[Changed]:
        """Do the same for a caller without an event loop."""
        return _or_raise(self._database.write_now(self._run, changes))

    def _run(self, tx: Transaction, calls: list[tuple[Change, ...]]) -> list[list[Changed] | AdminFault]:
        return [self._run_one(tx, changes) for changes in calls]

    def _run_one(self, tx: Transaction, changes: Sequence[Change]) -> list[Changed] | AdminFault:
        # A fault is an ordinary result: it takes back its own call and leaves those of the same commit alone.
        tx.execute("SAVEPOINT one_change")
        now = self._now()
        stored = DirectoryChanges(tx, self._keys, self.who, to_stored(now))
        edit = Edit(
            tx=tx,
            stored=stored,
            keys=self._keys,
            who=self.who,
            now=now,
            default_options=self._default_options,
            judge=self._judge,
        )
        answer: list[Changed] | AdminFault
        try:
            answer = [change(edit) for change in changes]
            stored.finish()
        except AdminFault as fault:
            tx.execute("ROLLBACK TO SAVEPOINT one_change")
            answer = fault
        tx.execute("RELEASE SAVEPOINT one_change")
        return answer


def _or_raise(answer: list[Changed] | AdminFault) -> list[Changed]:
    if isinstance(answer, AdminFault):
        raise answer
    return answer
