"""cli.words: every fault, every deed and every fault of a file of users has its sentence, made of exactly its facts."""

from collections.abc import Mapping
from typing import Any

import pytest

from addressbook.changes import ChangeFault, ChangeFaultCode
from addressbook.hierarchy import Constraints, LayerKind
from addressbook.overruled import OVERRULED, Overrules
from addressbook.source_options import OptionFaultCode
from cli.directory_words import DOUBTS, OPTION_FAULTS
from cli.printed import constraint_words
from cli.words import (
    CONTRADICTIONS,
    DONE,
    FAULTS,
    FILE_FAULTS,
    Words,
    done_sentence,
    fault_sentence,
    file_fault_sentence,
    say,
)
from dirsync.deltas import DoubtCode
from gateway.admin.edit import AuditAction, changed
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.views import restrictions
from gateway.config_lint import Contradicts
from sms.facts import Code

TABLES: list[tuple[type[Code], Mapping[Any, Words]]] = [
    (FaultCode, FAULTS),
    (AuditAction, DONE),
    (ChangeFaultCode, FILE_FAULTS),
    (OptionFaultCode, OPTION_FAULTS),
    (DoubtCode, DOUBTS),
    (Contradicts, CONTRADICTIONS),
    (Overrules, OVERRULED),
]
# Facts that are not a text: a number, a truth, or several.
SAMPLES: dict[str, Any] = {
    "carriers": ("alpha", "beta"),
    **dict.fromkeys(
        ("users", "faults", "rules", "added", "changed", "unchanged", "not_in_file", "twice", "minutes"), 7
    ),
    **dict.fromkeys(("held", "released", "cancelled", "dropped", "asked", "due"), 7),
    **dict.fromkeys(("place", "least", "width", "uses", "shares", "numbers", "messages"), 7),
    **dict.fromkeys(("default", "new", "changes", "enforced", "active", "alone"), True),
    **dict.fromkeys(("allowed", "encodings", "columns", "groups", "lines", "languages", "sources"), ("one", "two")),
    "constraints": (("max_parts", 3),),
    "kind": "profile",
    "field": "max_parts",
    "cells": (("language", "de"), ("flash", "")),
    "clamped": (("max_parts", "3", "customer Example allows 3 parts at most"),),
}
SAMPLES_OF: dict[Code, dict[str, Any]] = {
    FaultCode.TLS_RULE_UNUSABLE: {"fault": "bad-host-name"},
    FaultCode.BAD_MEMBERS: {"rows": ((2, "12", "too short"),)},
    FaultCode.BAD_STOPS: {"rows": ((2, "12", "too short"),)},
    FaultCode.BAD_DIRECTORY: {
        "faults": (("unknown-directory-option", ("key", "hots"), ("near", "host"), ("known", ("host",))),)
    },
    AuditAction.SET_DIRECTORY: {"options": ("every",)},
    FaultCode.NO_STOP: {"numbers": ("+447700900101",)},
    AuditAction.ADD_NUMBER: {"carriers": ("alpha",)},
    AuditAction.SET_NUMBER: {"carriers": ()},
    AuditAction.REMOVE_LIST: {"members": 7},
    AuditAction.IMPORT_MEMBERS: {"members": 7},
    AuditAction.ADD_LIST: {"authors": ("anna@example.com",)},
    AuditAction.SET_AUTHORS: {"authors": ("anna@example.com",)},
}


@pytest.mark.parametrize(("codes", "table"), TABLES)
def test_every_code_has_words_and_no_words_are_left_over(codes: type[Code], table: Mapping[Any, Words]) -> None:
    assert set(table) == set(codes)


@pytest.mark.parametrize("code", [code for codes, _ in TABLES for code in codes], ids=repr)
def test_the_words_of_every_code_are_made_of_its_facts(code: Code) -> None:
    table = next(table for codes, table in TABLES if isinstance(code, codes))
    samples = SAMPLES | SAMPLES_OF.get(code, {})
    sentence = say(table, code, {name: samples.get(name, f"<{name}>") for name in code.facts})
    assert sentence
    assert "{" not in sentence
    assert "None" not in sentence
    assert isinstance(code, ChangeFaultCode | Overrules) or sentence[-1] in ".?>"


def fault(code: FaultCode, **facts: Any) -> str:
    return fault_sentence(AdminFault(code, **facts))


def done(action: AuditAction, **facts: Any) -> str:
    return done_sentence(changed(action, **facts))


def test_a_count_of_one_is_one() -> None:
    assert fault(FaultCode.CUSTOMER_HAS_USERS, customer="Example", users=1) == (
        "The customer «Example» has 1 user; --with-users removes them too."
    )
    assert done(AuditAction.REMOVE_CUSTOMER, customer="Example", users=2) == (
        "The customer «Example» was removed with 2 users."
    )
    assert done(AuditAction.REMOVE_CUSTOMER, customer="Example", users=0) == "The customer «Example» was removed."


def test_names_with_braces_and_bars_are_said_as_they_are() -> None:
    odd = "a|b {0} {name}"
    assert done(AuditAction.CHOOSE_DEFAULT_PROFILE, customer=odd, profile=odd) == (
        f"The default profile of «{odd}» is now «{odd}»."
    )
    assert done(AuditAction.ADD_PROFILE, customer=odd, profile=odd, default=False) == (
        f"The profile «{odd}» of «{odd}» was added."
    )


def test_an_unknown_setting_is_told_the_nearest_or_all() -> None:
    assert fault(FaultCode.NO_SETTING, name="max_part", near="max_parts") == (
        "There is no setting «max_part»; did you mean «max_parts»?"
    )
    assert "the settings are sender_id, " in fault(FaultCode.NO_SETTING, name="xyzzy", near="")


def test_a_login_is_said_to_be_whose_it_is_and_what_is_new() -> None:
    assert done(AuditAction.SET_LOGIN, login="desk", customer="Example", address="", new=True) == (
        "The login «desk» of «Example» was added."
    )
    assert done(AuditAction.SET_LOGIN, login="anna", customer="", address="anna@example.com", new=False) == (
        "The login «anna» of anna@example.com has a new password."
    )


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        ({"kind": "system"}, "the system"),
        ({"kind": "customer", "name": "Example"}, "the customer «Example»"),
        ({"kind": "service", "name": "Example", "service": "sap"}, "the customer «Example» for sap"),
        ({"kind": "profile", "name": "Alarm", "customer": "Example"}, "the profile «Alarm» of «Example»"),
        ({"kind": "list", "name": "board", "customer": "Example"}, "the list «board» of «Example»"),
        ({"kind": "pinned", "name": "anna@example.com"}, "the user anna@example.com"),
    ],
)
def test_settings_are_said_to_be_whose_they_are(owner: dict[str, str], words: str) -> None:
    owner = {"name": "", "customer": "", "service": "", **owner}
    cells, clamped = (("max_parts", "9"), ("flash", "")), (("max_parts", "3", "customer Example allows 3 parts"),)
    assert done(AuditAction.SET_SETTINGS, cells=cells, clamped=clamped, **owner) == (
        f"Set for {words}: max_parts = 9, flash unset. But customer Example allows 3 parts: max_parts = 3 is in force."
    )
    assert done(AuditAction.SET_CONSTRAINTS, constraints=(), **owner) == f"Constraints of {words}: none."
    assert fault(FaultCode.NO_CONSTRAINTS, **owner) == (
        f"These constraints can't be set for {words}: only the system and customers decide what settings may say, and "
        "services and lists have none at all."
    )


def test_every_constraint_has_its_words() -> None:
    narrow = Constraints(
        kind=LayerKind.SYSTEM,
        locked=frozenset({"flash", "language"}),
        sender_ids=frozenset({"Shop"}),
        max_parts=1,
        express=False,
        flash=False,
        countries=frozenset(),
    )
    assert constraint_words(restrictions(narrow)) == (
        "locked flash, language; sender IDs Shop; one part at most; no express; no flash; countries none"
    )
    assert constraint_words({"max_parts": 3}) == "3 parts at most"
    assert constraint_words(restrictions(Constraints(kind=LayerKind.SYSTEM))) == "none"


@pytest.mark.parametrize(
    ("domain", "customer", "mail"),
    [
        ("", "", "all other domains"),
        (".example.com", "", "all domains below example.com"),
        ("example.com", "Example", "example.com of the customer «Example»"),
    ],
)
def test_a_tls_rule_is_said_to_be_for_which_mail(domain: str, customer: str, mail: str) -> None:
    levels = {"before": "may (system)", "after": "secure (domain example.com)"}
    place = {"domain": domain, "customer": customer}
    assert done(AuditAction.ENFORCE_TLS, **place, **levels, changes=True, enforced=True).startswith(
        f"For {mail}: may (system) became secure (domain example.com). Mail waits where"
    )
    assert done(AuditAction.LOWER_TLS, **place, **levels, changes=True, enforced=False).endswith(
        "Mail may travel in clear."
    )
    assert done(AuditAction.ENFORCE_TLS, **place, **levels, changes=False, enforced=True) == (
        f"For {mail} nothing changes: secure (domain example.com) stays in force."
    )
    assert fault(FaultCode.TLS_LOWERED, **place, **levels) == (
        f"That lowers {mail} from may (system) to secure (domain example.com); --lower does it all the same."
    )


def test_of_many_bad_rows_twenty_are_named_and_all_are_counted() -> None:
    rows = tuple((line, "12", "it is too short") for line in range(2, 27))
    lines = fault(FaultCode.BAD_MEMBERS, rows=rows).splitlines()
    assert lines[0] == "line 2: «12»: it is too short"
    assert lines[19:] == [
        "line 21: «12»: it is too short",
        "5 more rows",
        "25 rows at fault; nothing was changed.",
    ]


def test_a_file_of_users_says_what_it_changed() -> None:
    counts = {"added": 1, "changed": 0, "unchanged": 2, "not_in_file": 3}
    told = "1 user added, 0 changed, 2 unchanged, 3 not in the file and left alone"
    assert done(AuditAction.IMPORT_USERS, faults=0, **counts) == f"{told}."
    assert done(AuditAction.IMPORT_USERS, faults=1, **counts) == f"{told}; rows left out for 1 fault."


def test_a_fault_of_a_file_says_where_it_is_even_if_somebody_else_bars_the_value() -> None:
    locked = ChangeFault(
        place=2, column="language", code=FaultCode.LOCKED, facts={"field": "language", "by": "the system"}
    )
    assert file_fault_sentence(locked) == "line 2, language: The setting language is locked by the system."
    empty = ChangeFault(place=0, code=ChangeFaultCode.EMPTY, facts={})
    assert file_fault_sentence(empty) == "the file: it is empty"
