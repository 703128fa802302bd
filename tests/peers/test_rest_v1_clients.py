"""The Python client of the service that REST version 1 stands in for works unchanged against ours."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.kit.peer import require_peer
from tests.kit.rest_site import LOGIN, PASSWORD, rest_site
from tests.kit.testbed import make_house, open_core

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
PYTHON = CACHE / "mail2sms-peers" / "retarus" / "bin" / "python"
SCRIPT = Path(__file__).parent / "retarus" / "client.py"


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with rest_site(core) as site:
        yield site
    core.database.close()


async def test_the_python_client_sends_asks_and_lists(site):
    require_peer("retarus-sms (tests/peers/make_retarus)", PYTHON.exists())
    process = await asyncio.create_subprocess_exec(
        *(PYTHON, SCRIPT, f"http://127.0.0.1:{site.port}", LOGIN, PASSWORD),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    told = json.loads(said.splitlines()[-1])
    ids = [job["jobId"] for job in told["jobs"]]
    report = told["report"]
    assert (report["jobId"], report["customerRef"], report["statusRequested"]) == (ids[0], "order 7", True)
    assert (report["validityMin"], report["qos"]) == (60, "EXPRESS")
    assert told["unknown"] is False
    assert [job["jobId"] for job in told["listed"]] == ids
    assert "majorVersion" in told["version"]
    assert [(message.number, message.customer_ref, message.body) for message in site.core.messages()] == [
        ("447700900101", "Anna", "Grüße"),
        ("447700900102", "", "Hello"),
    ]
