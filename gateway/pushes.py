"""What each push is made of: its fields and body, where it goes, its login and the key that signs it.

Read afresh for each attempt, so that what an administrator mended counts for what waits. Not here: how it travels
(web.push), when again (outbox), the templates (templates.pushes).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from addressbook.canonical import canonical_name
from addressbook.hierarchy import LayerKind
from gateway.ports import InboundPush, Item, MailAttempt, PushCredential, PushNetworks, PushRequest, TlsReport
from gateway.report_pool import LargeReports
from gateway.tls_reports import TLS_REPORT_TYPE
from inbound.actions import InboundRules, PushAction, PushForm, PushLogin
from sms.outcome import Failed, Problem, ProblemCode, Retry
from sms.report import MessageNotice, Notice
from store.push_keys import PushTerms
from templates.confined import ConfinedPushes
from templates.push_fields import inbound_fields, status_fields
from templates.pushes import CONTENT_TYPES, standard_body
from templates.render import TemplateBroken

TemplateOf = Callable[[str, str], Awaitable[tuple[PushForm, str]]]
TermsOf = Callable[[str, str], Awaitable[PushTerms]]
_LONGEST_PASSWORD = 1_000
_LOOK_AFTER_PAUSE = timedelta(minutes=15)
_OF_USER = frozenset({LayerKind.USER, LayerKind.PINNED})
# SOAP 1.1 §6.1.1: the header must be there, an empty one says that the URL is meant.
_SOAP_ACTION = {"SOAPAction": '""'}


class Pushes:
    """Makes requests of items that go by push.

    `rules` returns the actions in force, None while nobody knows them; `template_of` form and source of the template
    for the status pushes of a customer and profile by their names (no source: the standard one). `terms_of` returns the
    keys that sign for a customer by its name, or for its user where the push is to the user's own URL: without one a
    push is unsigned. `allowances_of` and `credentials_of` are the
    operator's, by the customers' canonical names. `large` makes pushes about many recipients; its creator closes it.
    """

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        rules: Callable[[], Awaitable[InboundRules | None]],
        template_of: TemplateOf,
        terms_of: TermsOf,
        allowances_of: Mapping[str, tuple[PushNetworks, ...]],
        credentials_of: Mapping[str, tuple[PushCredential, ...]],
        large: LargeReports,
    ) -> None:
        self._rules = rules
        self._template_of = template_of
        self._terms_of = terms_of
        self._allowances_of = allowances_of
        self._credentials_of = credentials_of
        self._large = large
        self._confined = ConfinedPushes()
        self._of_templates = ThreadPoolExecutor(max_workers=1, thread_name_prefix="push-templates")

    async def request_of(self, item: Item) -> PushRequest | MailAttempt | None:
        """Return the request, or what the attempt comes to where nobody can be called; None where nobody is to be."""
        match item:
            case Notice() | MessageNotice():
                return await self._status(item)
            case InboundPush():
                return await self._inbound(item)
            case TlsReport(identity=identity, recipient=url, content=content):
                return PushRequest(identity=event_id(identity), url=url, content=content, content_type=TLS_REPORT_TYPE)
            case _:
                raise TypeError(f"{type(item).__name__} does not go by push")

    def close(self) -> None:
        """End the process and the thread that customers' templates run in."""
        self._confined.close()
        self._of_templates.shutdown()

    async def _status(self, notice: Notice | MessageNotice) -> PushRequest | MailAttempt | None:
        report, customer = notice.report, notice.report.customer
        layer, _ = report.origins.get("push_url", ("", ""))
        terms = await self._terms_of(customer, report.user if layer in _OF_USER else "")
        if terms.url == "":
            return None
        if terms.paused:
            return _not_called(f"The webhook of {report.user} is paused.", after=_LOOK_AFTER_PAUSE)
        form, source = await self._template_of(customer, report.profile)
        fields = partial(status_fields, notice)
        try:
            if source:
                content = await self._own_body(form, source, fields)
            else:
                content = await self._large.work(report, lambda: standard_body(form, "status", fields()))
        except TemplateBroken as broken:
            return _not_called(f"The own template of «{customer}» for pushes failed: {broken}.")
        request = PushRequest(
            identity=event_id(notice.public_id),
            url=terms.url or notice.recipient,
            content=content,
            content_type=CONTENT_TYPES[form],
            headers=headers_of(form),
        )
        return await self._with_customers(request, customer, terms)

    async def _inbound(self, push: InboundPush) -> PushRequest | MailAttempt:
        rules = await self._rules()
        if rules is None:
            return _not_called("Its action can't be read now.")
        action = rules.with_key(push.action_key)
        if action is None or not isinstance(action.settings, PushAction):
            return _failed("Its action is not there any more.")
        if not action.active:
            return _failed(f"Its action «{action.name}» is not active.")
        settings, customer = action.settings, push.report.customer
        try:
            content = await self._inbound_body(settings, push)
            password = await _password(settings)
        except TemplateBroken as broken:
            return _not_called(f"The template of its action «{action.name}» failed: {broken}.")
        except (OSError, UnicodeError) as error:
            return _not_called(f"The password of its action «{action.name}» can't be read.", str(error))
        request = PushRequest(
            identity=event_id(push.identity),
            url=settings.url,
            content=content,
            content_type=CONTENT_TYPES[settings.form],
            method=settings.method,
            headers={**headers_of(settings.form), **settings.headers},
            login=settings.login,
            user=settings.user,
            password=password,
        )
        return await self._with_customers(request, customer, await self._terms_of(customer, ""))

    async def _inbound_body(self, settings: PushAction, push: InboundPush) -> bytes:
        fields = partial(inbound_fields, push.report, event_id(push.identity))
        if settings.template:
            return await self._own_body(settings.form, settings.template, fields)
        return standard_body(settings.form, "inbound", fields())

    async def _own_body(self, form: PushForm, source: str, fields: Callable[[], Mapping[str, object]]) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._of_templates, lambda: self._confined.run(form, source, fields()).encode()
        )

    async def _with_customers(self, request: PushRequest, customer: str, terms: PushTerms) -> PushRequest | MailAttempt:
        """Return the request with what the customer and the operator's file add to it."""
        name = canonical_name(customer)
        credential = find_credential(self._credentials_of.get(name, ()), request.url)
        if credential is not None and request.login is PushLogin.NONE and credential.password_file is not None:
            try:
                password = await asyncio.to_thread(_first_line, credential.password_file)
            except (OSError, UnicodeError) as error:
                return _not_called(
                    f"The password of the [[push.login]] for {credential.url} can't be read.", str(error)
                )
            request = replace(request, login=credential.login, user=credential.user, password=password)
        return replace(
            request,
            certificate=credential.certificate if credential is not None else None,
            keys=terms.keys,
            allowances=self._allowances_of.get(name, ()),
        )


def headers_of(form: PushForm) -> Mapping[str, str]:
    """Return what a body of this form needs beside its content type."""
    return _SOAP_ACTION if form is PushForm.SOAP else {}


def find_credential(credentials: Iterable[PushCredential], url: str) -> PushCredential | None:
    """Return how a push to a URL logs in: by the longest one that is this URL, or above it on the same server."""
    fitting = (each for each in credentials if _is_below(urlsplit(url), urlsplit(each.url)))
    return max(fitting, key=lambda each: len(each.url), default=None)


def _is_below(url: SplitResult, above: SplitResult) -> bool:
    if (url.scheme, url.hostname, _port(url)) != (above.scheme, above.hostname, _port(above)):
        return False
    # A server reads `/a/../b` and `/a/%2e%2e/b` as `/b`: what goes up is below nothing.
    if any(unquote(step) == ".." for step in url.path.split("/")):
        return False
    return url.path == above.path or url.path.startswith(f"{above.path.rstrip('/')}/")


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def event_id(public_id: str) -> str:
    """Return the id of a push as its receiver sees it: in Standard Webhooks the dot parts what is signed."""
    return public_id.replace(".", "_")


async def _password(settings: PushAction) -> str:
    """Return the first line of the operator's file, nothing where there is no login."""
    if settings.login is PushLogin.NONE:
        return ""
    return await asyncio.to_thread(_first_line, Path(settings.password_file))


def _first_line(name: Path) -> str:
    with name.open(encoding="utf-8") as file:
        return file.readline(_LONGEST_PASSWORD).rstrip("\r\n")


def _failed(text: str) -> MailAttempt:
    return MailAttempt(outcome=Failed(problem=Problem(code=ProblemCode.PUSH_REFUSED, text=text)))


def _not_called(text: str, cause: str = "", after: timedelta | None = None) -> MailAttempt:
    problem = Problem(code=ProblemCode.PUSH_DEFERRED, text=text, cause=cause)
    return MailAttempt(outcome=Retry(problem=problem, after=after), called=False)
