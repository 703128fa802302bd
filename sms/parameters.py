"""What a carrier gets beside a text, such as the ids of India's DLT: parameters by name, as the setting says them.

`pe_id=1101…, template_id=1107…` are for every SMS; `template_id@ACMEBK=1108…` is for those with the sender ID ACMEBK.
Not here: how a carrier writes a parameter (smpp.dialect.parameters).
"""

import re
from collections.abc import Iterable
from typing import Final

from sms.number import SenderId

EXPECTED: Final = "NAME=VALUE or NAME@SENDER=VALUE, separated by commas, such as pe_id=1101, template_id@ACMEBK=1107"
_PARAMETER: Final = re.compile(
    r"\s*([A-Za-z][A-Za-z0-9_-]{0,30})(?:\s*@\s*(\+?[A-Za-z0-9][^=,@]{0,15}?))?\s*=\s*([!-+\--~][ -+\--~]{0,254}?)\s*"
)

Parameters = tuple[tuple[str, str], ...]
"""The parameters of one SMS: names and values, in the order of the names."""


def parse_parameter(text: str) -> str:
    """Return one parameter of the setting in its plain form; ValueError for anything else."""
    match = _PARAMETER.fullmatch(text)
    if match is None:
        raise ValueError
    sender = f"@{match[2]}" if match[2] else ""
    return f"{match[1].lower()}{sender}={match[3]}"


def _split(parameter: str) -> tuple[str, str, str]:
    """Return name, sender ID (empty for every one) and value."""
    key, _, value = parameter.partition("=")
    name, _, sender = key.partition("@")
    return name, sender, value


def names_and_values(parameters: Iterable[str]) -> Parameters:
    """Return all parameters of a setting, those for single sender IDs among them."""
    return tuple((name, value) for name, _, value in map(_split, parameters))


def merge_parameters(weaker: Iterable[str], stronger: Iterable[str]) -> tuple[str, ...]:
    """Return the parameters of two layers; what the stronger one says of a name is in place of what the weaker says.

    Said for one sender ID it leaves those for others; said for every one it leaves none of that name.
    """
    own = tuple(stronger)
    said = {_split(item)[:2] for item in own}
    kept = [item for item in weaker if (_split(item)[0], "") not in said and _split(item)[:2] not in said]
    return tuple(sorted({*kept, *own}))


def choose_parameters(parameters: Iterable[str], sender: SenderId | None) -> Parameters:
    """Return what is in force for a sender ID: of each name what is for it alone, else what is for every one."""
    own = "" if sender is None else sender.value.casefold()
    split = [_split(item) for item in parameters]
    chosen = {name: value for name, wanted, value in split if not wanted}
    chosen |= {name: value for name, wanted, value in split if wanted and wanted.removeprefix("+").casefold() == own}
    return tuple(sorted(chosen.items()))


def freeze_parameters(parameters: Parameters) -> str:
    """Return the parameters of one SMS as they are kept with it."""
    return ", ".join(f"{name}={value}" for name, value in parameters)


def thaw_parameters(frozen: str) -> Parameters:
    """Return what `freeze_parameters` wrote."""
    return tuple((name, value) for name, _, value in (item.partition("=") for item in frozen.split(", ") if item))
