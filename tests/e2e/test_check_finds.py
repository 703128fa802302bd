"""`mail2sms check` finds what would make `serve` fail: each broken configuration is tried with both."""

import asyncio
import re
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from cli.setup import write_configuration
from tests.kit.forked_program import ForkedProgram
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port
from tls.selfsigned import make_self_signed

TLS = 'tls = "offer"\ncertificate_file = "{cert}"\nkey_file = "{key}"'


@pytest.fixture
def folder(tmp_path):
    write_configuration(tmp_path / "gw", f"127.0.0.1:{free_port()}")
    return tmp_path / "gw"


def check(folder):
    result = CliRunner().invoke(main, ["check", "--config", str(folder / "mail2sms.toml")])
    return result.exit_code, result.output


async def serve(folder) -> str:
    """Return what `serve` says when it can't start."""
    program = ForkedProgram("cli", "serve", "--config", str(folder / "mail2sms.toml"))
    code, said = await asyncio.wait_for(program.communicate(), PATIENCE)
    assert code == 1, said
    assert "Traceback" not in said
    return said


def change(folder, old, new):
    file = folder / "mail2sms.toml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def private(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)


def certificate(folder, name: str, valid_from: datetime | None = None) -> None:
    made = make_self_signed("gateway.example.net", valid_from=valid_from)
    private(folder / f"{name}.pem", made.certificate.decode())
    private(folder / f"{name}.key", made.key.decode())


def no_certificate(folder):
    private(folder / "a.pem", "nothing\n")
    private(folder / "a.key", "nothing\n")
    change(folder, 'tls = "off"', TLS.format(cert="a.pem", key="a.key"))


def foreign_key(folder):
    for name in ("a", "b"):
        certificate(folder, name)
    change(folder, 'tls = "off"', TLS.format(cert="a.pem", key="b.key"))


def no_data_folder(folder):
    change(folder, 'data_dir = "."', 'data_dir = "/nonexistent/x"')


def no_database_folder(folder):
    change(folder, "sqlite:///mail2sms.db", "sqlite:////nonexistent/x/mail2sms.db")


def no_database(folder):
    (folder / "mail2sms.db").write_bytes(b"no database at all" * 100)


def no_server(folder):
    change(folder, "sqlite:///mail2sms.db", f"postgresql://nobody@127.0.0.1:{free_port()}/x")


def bad_signing_key(folder):
    private(folder / "dkim.key", "nothing\n")
    change(folder, "[log]", '[[mail.dkim]]\ndomain = "sms.example.net"\nselector = "s1"\nkey_file = "dkim.key"\n[log]')


def bad_carrier_authority(folder):
    private(folder / "ca.pem", "nothing\n")
    private(folder / "pw", "x\n")
    carrier = '[[carrier]]\nname = "telco"\nkind = "smpp"\nhost = "127.0.0.1"\nsystem_id = "x"\npassword_file = "pw"\ntls = "require"\n'
    change(folder, "[[carrier]]", f'{carrier}ca_file = "ca.pem"\n[[carrier]]')


@pytest.mark.slow
@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (no_certificate, "a.pem holds no certificate"),
        (foreign_key, "a.pem with "),
        (no_data_folder, "/nonexistent/x"),
        (no_database_folder, "/nonexistent/x"),
        (no_database, "[server] database"),
        (no_server, "[server] database"),
        (bad_signing_key, "dkim.key"),
        (bad_carrier_authority, "ca.pem"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_what_makes_serve_fail_is_found_by_check_with_its_line(break_it, said, folder):
    break_it(folder)
    code, printed = check(folder)
    assert code == 1, printed
    (line,) = [line for line in printed.splitlines() if "warning" not in line]
    assert said in line
    assert re.match(rf"{re.escape(str(folder))}/mail2sms\.toml:[0-9]+: ", line), line
    assert await serve(folder)


@pytest.mark.slow
async def test_a_port_in_use_is_found_by_check(folder):
    text = (folder / "mail2sms.toml").read_text("utf-8")
    port = int(text.split('address = "127.0.0.1:')[1].split('"')[0])
    assert check(folder)[0] == 0
    with socket.create_server(("127.0.0.1", port)):
        code, printed = check(folder)
        assert code == 1
        assert f"[[listener]] loopback: 127.0.0.1:{port} can't be listened at" in printed
        assert str(port) in await serve(folder)


def test_a_certificate_that_has_ended_is_a_warning(folder):
    certificate(folder, "a", datetime.now(UTC) - timedelta(days=400))
    change(folder, 'tls = "off"', TLS.format(cert="a.pem", key="a.key"))
    code, printed = check(folder)
    assert code == 0
    assert "loopback: the certificate in" in printed
    assert "renew it" in printed
