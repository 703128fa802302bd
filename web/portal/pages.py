"""All pages of all rooms, in the order of the menu."""

from collections.abc import Sequence
from typing import Final

from web.portal.page import Page
from web.portal.rooms import accounts, charts, documentation, home, reports, send, settings

PAGES: Final[Sequence[Page]] = (
    *home.PAGES,
    *send.PAGES,
    *reports.PAGES,
    *charts.PAGES,
    *settings.PAGES,
    *accounts.PAGES,
    *documentation.PAGES,
)
