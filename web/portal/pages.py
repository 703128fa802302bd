"""All pages of all rooms, in the order of the menu."""

from collections.abc import Sequence
from typing import Final

from web.portal import issuer, sign_in
from web.portal.page import OpenPage, Page
from web.portal.rooms import (
    accounts,
    binds,
    charts,
    declarations,
    directory,
    documentation,
    downloads,
    home,
    inbound,
    inbound_rules,
    limits,
    logins,
    operate,
    own,
    reports,
    send,
    sender_ids,
    settings,
    stop_lists,
    support,
    templates,
    trace,
    webhooks,
)

PAGES: Final[Sequence[Page]] = (
    *operate.PAGES,
    *trace.PAGES,
    *home.PAGES,
    *send.PAGES,
    *inbound.PAGES,
    *stop_lists.PAGES,
    *inbound_rules.PAGES,
    *reports.PAGES,
    *downloads.PAGES,
    *charts.PAGES,
    *directory.PAGES,
    *settings.PAGES,
    *sender_ids.PAGES,
    *templates.PAGES,
    *logins.PAGES,
    *binds.PAGES,
    *limits.PAGES,
    *webhooks.PAGES,
    *accounts.PAGES,
    *documentation.PAGES,
    *declarations.PAGES,
    *support.PAGES,
    *own.PAGES,
    *sign_in.PAGES,
)
OPEN_PAGES: Final[Sequence[OpenPage]] = (*sign_in.OPEN_PAGES, *issuer.OPEN_PAGES)
