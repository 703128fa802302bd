"""The operator's HTTP listener beside the real process: /health and /ready, a taken port, a file that asks for too much."""

import json
import socket
from contextlib import suppress
from http.client import HTTPConnection

import pytest

from config.model import Config, load_config
from tests.kit.installation import Installation
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port


@pytest.fixture
async def site(tmp_path, gateway_database):
    port = free_port()
    http = [{"name": "local", "address": f"127.0.0.1:{port}", "serves": ["operator"]}]
    made = Installation(tmp_path / "site", gateway_database, http=http)
    made.ports["http"] = port
    await made.open()
    yield made
    await made.close()


def ask(port: int, path: str) -> tuple[int, dict]:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    told = answer.status, json.loads(answer.read())
    connection.close()
    return told


async def test_a_gateway_that_takes_mail_is_ready_and_says_what_needs_a_hand(site):
    await site.start()
    port = site.ports["http"]
    assert ask(port, "/health") == (200, {"status": "ok"})
    status, said = ask(port, "/ready")
    assert (status, said["status"], said["database"], said["concerns"]) == (200, "ready", "ok", [])
    await site.until(
        lambda: [(one["carrier"], one["up"]) for one in ask(port, "/ready")[1]["links"]] == [("alpha", True)]
    )
    await site.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(port, "/health")


async def test_what_was_accepted_refused_sent_and_reported_is_counted(site):
    await site.start()
    await site.send("hello", to=("+447700900123", "+447700900124"))
    await site.until_all_told()
    with site.client() as client:
        client.mail("anna@example.com")
        assert client.rcpt("nobody@sms.example.net")[0] == 550
    connection = HTTPConnection("127.0.0.1", site.ports["http"], timeout=PATIENCE)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    lines = answer.read().decode().splitlines()
    connection.close()
    assert answer.status == 200
    for line in (
        'mail2sms_accepted_jobs_total{service="mail"} 1',
        'mail2sms_accepted_messages_total{service="mail"} 2',
        'mail2sms_refused_total{service="mail",reason="address-unknown"} 1',
        "mail2sms_accept_seconds_count 1",
        'mail2sms_carrier_answers_total{carrier="alpha",outcome="done"} 2',
        'mail2sms_carrier_answer_seconds_count{carrier="alpha"} 2',
        'mail2sms_outbox_attempts_total{channel="mail",outcome="done"} 1',
        "mail2sms_database_up 1",
        'mail2sms_concerns{concern="link-down"} 0',
    ):
        assert line in lines, [found for found in lines if found.startswith(line.partition("{")[0])]
    assert any(line.startswith('mail2sms_link_up{carrier="alpha",link="') and line.endswith("} 1") for line in lines)


async def test_a_gateway_whose_disk_is_full_lives_and_is_not_ready(site):
    text = site.file.read_text("utf-8")
    site.file.write_text(text.replace("\n[limits]\n", '\n[limits]\ndisk_reserve = "900000G"\n'), "utf-8")
    await site.start()
    port = site.ports["http"]
    assert ask(port, "/health") == (200, {"status": "ok"})
    status, said = ask(port, "/ready")
    assert (status, said["status"]) == (503, "not-ready")
    assert [concern["code"] for concern in said["concerns"]] == ["disk-full"]


async def test_where_its_port_is_taken_check_and_serve_say_so_and_nothing_starts(site):
    with socket.create_server(("127.0.0.1", site.ports["http"])):
        said = await site.command("check", code=1)
        assert f"[[http]] local: 127.0.0.1:{site.ports['http']} can't be listened at: Address already in use" in said
        with pytest.raises(RuntimeError) as caught:
            await site.start()
    assert (
        f"cannot start: [[http]] local can't listen at 127.0.0.1:{site.ports['http']}: Address already in use"
        in str(caught.value)
    )


BASE = """
[server]
hostname = "gateway.example.net"
domains = ["sms.example.net"]
[[listener]]
name = "plain"
address = "127.0.0.1:2525"
[[carrier]]
name = "sandbox"
kind = "sandbox"
[[http]]
name = "one"
address = "127.0.0.1:8080"
serves = ["operator"]
"""
WRONG = {
    "others could read it": ('"127.0.0.1:8080"', '"0.0.0.0:8080"', 'http[1].address: "operator" asks for no login'),
    "it serves nothing": ('["operator"]', "[]", 'http[1].serves: expected "acme", "api", "operator" or "portal"'),
    "nobody serves that": ('["operator"]', '["gopher"]', "http[1].serves"),
    "two of one address": ('serves = ["operator"]', 'serves = ["operator"]\n[[http]]\nname = "two"\naddress = "127.0.0.1:8080"\nserves = ["operator"]', "http[2].address"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), WRONG.values(), ids=WRONG)
def test_a_listener_that_makes_no_sense_is_an_error_that_says_why(old, new, said, tmp_path):
    file = tmp_path / "mail2sms.toml"
    file.write_text(BASE)
    config = load_config(file)
    assert isinstance(config, Config)
    assert [one.name for one in config.http] == ["one"]
    file.write_text(BASE.replace(old, new))
    problems = load_config(file)
    assert not isinstance(problems, Config)
    assert any(said in str(problem) for problem in problems), problems


async def test_a_sqlite_file_is_not_served_by_http_alone(tmp_path):
    site = Installation(tmp_path / "site", server={"local_http": True})
    await site.open()
    with pytest.raises(RuntimeError, match="HTTP alone needs a postgresql:// database"):
        await site.start(only="http")
    await site.close()


async def test_where_the_file_names_no_listener_a_port_in_use_costs_no_mail(tmp_path, gateway_database):
    site = Installation(tmp_path / "site", gateway_database, server={"local_http": True})
    await site.open()
    with suppress(OSError), socket.create_server(("127.0.0.1", 8080)):  # else another program has it
        assert "warning: HTTP would not be served to this machine: 127.0.0.1:8080 " in await site.command("check")
        await site.start()
        assert (await site.send("hello")).startswith("J.")
        await site.until(
            lambda: any("http_not_served" in line and "Address already in use" in line for line in site.log)
        )
    await site.close()
