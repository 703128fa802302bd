"""[contracts] of the operator's file, which is all of it that a command needs to show what a customer has."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from addressbook.options import Option
from config.field_types import option
from config.reader import ConfigIssue, ConfigProblem, read_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractOptions:
    """What customers have contracted; «mail2sms customer option» changes it for one of them."""

    default_options: tuple[Option, ...] = option(
        "Of every customer for whom no others are set; what is not among a customer's can't be set up or used.",
        default=tuple(Option),
    )

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: an option that stands twice."""
        if len(set(self.default_options)) < len(self.default_options):
            yield ConfigIssue("default_options", "expected each option once")


def load_contracts(path: Path) -> ContractOptions | None:
    """Return what a file says in [contracts], None where that part of it is not right; the rest is not read."""
    found = read_toml(path)
    if isinstance(found, ConfigProblem):
        return None
    reader, table = found
    contracts = table.get("contracts", {})
    options = reader.read(ContractOptions, contracts, ("contracts",)) if isinstance(contracts, dict) else None
    return options if all(problem.warning for problem in reader.problems) else None
