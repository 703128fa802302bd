"""docs/api.md as a new integrator follows it: its commands, one after the other, send the first SMS."""

import asyncio
import json
import re
import shlex

import pytest

from tests.kit.installation import ROOT, Installation
from tests.kit.peer import find_program, require_peer
from tests.kit.ports import free_port

PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")
COMMANDS = re.findall(r"^\$ (.*)$", PAGE.partition("## The first SMS")[2].partition("\n## ")[0], re.MULTILINE)
PRINTED_ID = r"J\.[0-9.-]+-[a-z0-9]+"


@pytest.fixture
async def site(tmp_path, gateway_database):
    port = free_port()
    http = [{"name": "local", "address": f"127.0.0.1:{port}", "serves": ["api"]}]
    made = Installation(tmp_path / "site", gateway_database, http=http)
    made.ports["http"] = port
    await made.open()
    yield made
    await made.close()


async def test_the_first_sms_is_sent_by_the_commands_of_the_page(site):
    require_peer("curl", find_program("curl"))
    await site.start()
    job_id = ""

    async def play(command: str) -> str:
        if command.startswith("mail2sms "):
            words = [str(site.folder / word) if word == "erp.password" else word for word in shlex.split(command)[1:]]
            return str(await site.command(*words))
        told = re.sub(PRINTED_ID, job_id, command.replace(":8080", f":{site.ports['http']}"))
        process = await asyncio.create_subprocess_shell(told, cwd=site.folder, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        assert process.returncode == 0
        return said.decode()

    *setup, send, ask = COMMANDS
    for command in setup:
        await play(command)
    job_id = json.loads(await play(send))["jobId"]
    assert re.fullmatch(PRINTED_ID, job_id)
    await site.until(lambda: site.unfinished() == 0)
    (sms,) = json.loads(await play(ask))
    (shown,) = json.loads(next(line for line in PAGE.splitlines() if line.startswith('[{"smsId"')))
    assert list(sms) == list(shown)
    told = {name for name in shown if name in ("dst", "processStatus", "status", "customerRef", "reason", "parts")}
    assert {name: sms[name] for name in told} == {name: shown[name] for name in told}
