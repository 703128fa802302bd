"""sslscan on every kind of listener: which versions and ciphers it finds, and none of the holes that it knows."""

import asyncio
import re
import subprocess
from xml.etree import ElementTree as ET

import pytest
import pytest_asyncio

from tests.kit.databases import SQLITE_IN_ITS_FOLDER
from tests.kit.installation import Installation
from tests.kit.mail_servers import issue, make_authority
from tests.kit.peer import find_program, require_peer
from tests.kit.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

SSLSCAN = find_program("sslscan")
LISTENERS = {"starttls": ["--starttls-smtp"], "implicit": [], "https": [], "smpp": []}
FORWARD_SECRET_AEAD = re.compile(
    r"TLS_(AES|CHACHA20)_.+|ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)"
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def ports(tmp_path_factory):
    require_peer("sslscan", SSLSCAN)
    folder = tmp_path_factory.mktemp("sslscan")
    authority = make_authority()
    files = []
    for name, bits in (("ecdsa", 0), ("rsa", 2048)):
        chain, key = issue(authority, names=("mx.example.net",), rsa_bits=bits).write(folder, name)
        files.append({"certificate_file": str(chain), "key_file": str(key)})
    http, smpp = free_port(), free_port()
    site = Installation(
        folder / "site",
        SQLITE_IN_ITS_FOLDER,
        doors={"starttls": {"tls": "offer"}, "implicit": {"tls": "implicit"}},
        certificate=files,
        http=[{"name": "https", "address": f"127.0.0.1:{http}", "serves": ["operator"], "tls": True}],
        smpp_server=[{"name": "smpp", "address": f"127.0.0.1:{smpp}", "tls": True}],
    )
    await site.open()
    await site.start()
    yield {**site.ports, "https": http, "smpp": smpp}
    await site.close()


@pytest.mark.parametrize("listener", LISTENERS)
async def test_a_listener_speaks_new_versions_with_forward_secrecy_and_aead_alone(ports, listener):
    program = await asyncio.create_subprocess_exec(
        str(SSLSCAN), "--xml=-", *LISTENERS[listener], f"127.0.0.1:{ports[listener]}", stdout=subprocess.PIPE
    )
    found = ET.fromstring((await program.communicate())[0]).find("ssltest")
    assert found is not None
    spoken = {
        f"{each.get('type')} {each.get('version')}" for each in found.iter("protocol") if each.get("enabled") == "1"
    }
    assert spoken == {"tls 1.2", "tls 1.3"}
    ciphers = {str(each.get("cipher")) for each in found.iter("cipher")}
    assert [cipher for cipher in ciphers if not FORWARD_SECRET_AEAD.fullmatch(cipher)] == []
    for offered in ("TLS_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"):
        assert offered in ciphers
    assert {each.get("supported") for each in found.iter("renegotiation")} == {"0"}
    assert {each.get("vulnerable") for each in found.iter("heartbleed")} == {"0"}
    assert {each.get("supported") for each in found.iter("compression")} <= {"0"}
