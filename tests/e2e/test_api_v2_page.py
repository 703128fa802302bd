"""docs/api-v2.md as a new integrator follows it: its commands, one after the other, print what the page says."""

import asyncio
import json
import re
import shlex

import pytest

from tests.kit.installation import ROOT, Installation
from tests.kit.peer import find_program, require_peer
from tests.kit.ports import free_port

PAGE = (ROOT / "docs" / "api-v2.md").read_text("utf-8")
PRINTED_ID = r"J\.[0-9]{8}-[0-9.]+-[a-z0-9]+"


def commands_of(title: str) -> list[tuple[str, str]]:
    """Return the commands of a section, each with what the page says that it prints."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"(?ms)^```console\n(.*?)^```", section)
    return re.findall(r"(?m)^\$ (.*)\n((?:(?!\$ ).*\n)*)", block)


@pytest.fixture
async def site(tmp_path, gateway_database):
    port = free_port()
    http = [{"name": "local", "address": f"127.0.0.1:{port}", "serves": ["api"]}]
    made = Installation(tmp_path / "site", gateway_database, http=http)
    made.ports["http"] = port
    await made.open()
    yield made
    await made.close()


async def test_the_examples_of_the_page_print_what_it_says(site):
    require_peer("curl", find_program("curl"))
    await site.start()
    job_id = ""

    async def play(command: str) -> str:
        if command.startswith("mail2sms "):
            words = shlex.split(command)[1:]
            of_files = {"erp.password", "erp.key", "office.key"}
            return str(await site.command(*(str(site.folder / word) if word in of_files else word for word in words)))
        told = re.sub(PRINTED_ID, job_id, command.replace(":8080", f":{site.ports['http']}"))
        process = await asyncio.create_subprocess_shell(told, cwd=site.folder, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        assert process.returncode == 0
        return said.decode()

    *setup, (send, _), (ask, _) = commands_of("The first SMS")
    for command, _ in setup:
        await play(command)
    job_id = json.loads(await play(send))["id"]
    assert re.fullmatch(PRINTED_ID, job_id)
    assert json.loads(await play(ask))["id"] == job_id
    await site.until(lambda: site.unfinished() == 0)
    for command, shown in commands_of("An example of each"):
        said = await play(command)
        if shown:
            pattern = ".*".join(map(re.escape, shown.strip().split("…")))
            assert re.match(pattern, said, re.DOTALL), (command, said)
