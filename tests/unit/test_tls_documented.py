"""docs/tls.md promises what the tests play."""

from pathlib import Path

from tests.kit.mail_out import LEVELS, NO_TLSA
from tls.policy import TlsLevel

TEXT = (Path(__file__).parents[2] / "docs" / "tls.md").read_text("utf-8")


def rows(first_cell: str) -> list[list[str]]:
    lines = TEXT[TEXT.index(f"| {first_cell} |") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_certificates_is_the_one_that_is_tested():
    header, _, *body = rows("certificate")
    assert header[1:] == list(LEVELS)
    assert {row[0]: row[1:] for row in body} == {name: line.split() for name, line in NO_TLSA.items()}


def test_every_level_is_explained_in_order():
    _, _, *body = rows("level")
    assert [row[0].strip("`") for row in body] == [str(level) for level in TlsLevel]
