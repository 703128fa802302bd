"""The modules of gateway.admin, each loaded when one of its functions is called: `from cli.use_cases import customers`.

A command that asks for customers then loads nothing of what changes them. Not here: what they do.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.admin import (
        account_links,
        accounts,
        customers,
        declarations,
        domain_proof,
        domains,
        drift,
        explained,
        keywords,
        lists,
        logins,
        numbers,
        options,
        portal_issuer,
        profiles,
        push_keys,
        queue,
        ranges,
        registration_papers,
        registration_views,
        registrations,
        settings,
        stop_list,
        support,
        suspensions,
        users,
        views,
    )

    __all__ = [
        "account_links",
        "accounts",
        "customers",
        "declarations",
        "domain_proof",
        "domains",
        "drift",
        "explained",
        "keywords",
        "lists",
        "logins",
        "numbers",
        "options",
        "portal_issuer",
        "profiles",
        "push_keys",
        "queue",
        "ranges",
        "registration_papers",
        "registration_views",
        "registrations",
        "settings",
        "stop_list",
        "support",
        "suspensions",
        "users",
        "views",
    ]
else:

    class _Deferred:
        """A module whose functions can be named before it is loaded."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, function: str) -> Callable[..., Any]:
            def call(*given: Any, **named: Any) -> Any:
                return getattr(import_module(self._name), function)(*given, **named)

            return call

    def __getattr__(module: str) -> _Deferred:
        return _Deferred(f"gateway.admin.{module}")
