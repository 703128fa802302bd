"""`mail2sms senderid`: a registration from its request to its withdrawal, as an operator types it."""

import json

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from tests.kit.testbed import make_house

PDF = b"%PDF-1.7\n%%EOF\n"


@pytest.fixture
def run(tmp_path, gateway_database):
    config = make_house(tmp_path / "house", gateway_database)
    runner = CliRunner()

    def give(*words, ok=True):
        file = str(config.server.data_dir / "mail2sms.toml")
        result = runner.invoke(main, ["senderid", *words, "--config", file])
        assert (result.exit_code == 0) is ok, result.output
        return result.output

    return give


def test_a_registration_is_requested_completed_approved_renewed_and_withdrawn(run, tmp_path):
    letter = tmp_path / "letter.pdf"
    letter.write_bytes(PDF)
    told = run("request", "--customer", "acme", "--country", "QA", "--name", "Acme")
    one = told.split()[2]
    assert told == f"The draft {one} of a customer is for «Acme» in QA.\n"
    assert "QA asks for more: company, samples, letter." in run("submit", one, ok=False)
    run("edit", one, "--country", "QA", "--name", "Acme", "--company", "Acme plc", "--sample", "Your parcel")
    assert "has the paper «letter.pdf»" in run("evidence", one, "--add", str(letter), "--letter")
    run("submit", one)
    assert run("approve", one, "--until", "2099-06-30") == (f"{one} is approved: «Acme» in QA, last day: 2099-06-30.\n")
    (row,) = json.loads(run("list", "--customer", "acme", "--json"))
    assert (row["registration"], row["what"], row["state"], row["until"]) == (one, "Acme", "approved", "2099-06-30")
    shown = json.loads(run("show", one, "--json"))
    assert (shown["samples"], shown["missing"], list(shown["papers"])) == (["Your parcel"], [], ["letter.pdf"])
    assert len(shown["history"]) == 5
    assert "company, letter, samples" in run("show", one)
    run("evidence", one, "--save", "letter.pdf", "--output", str(tmp_path / "saved.pdf"))
    assert (tmp_path / "saved.pdf").read_bytes() == PDF
    run("renew", one)
    assert "is withdrawn" in run("withdraw", one)
    assert run("list") == ""
    assert one in run("list", "--ended")


def test_a_step_that_does_not_fit_says_what_it_is_for(run):
    one = run("request", "--country", "ES", "--name", "Parcels").split()[2]
    told = run("approve", one, ok=False)
    assert f"The registration {one} is draft; this is for one that is submitted." in told
    assert "one of --add, --remove" in run("evidence", one, ok=False)
    assert "is no day such as" in run("approve", one, "--until", "soon", ok=False)
    assert "There is no registration G.1" in run("refuse", "G.1", "--reason", "no", ok=False)
