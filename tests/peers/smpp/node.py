"""Node's smpp: message centres and an ESME in processes of their own, which tell what they are told (tests/peers/node_smpp)."""

import asyncio
import json
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer

FOLDER = Path(__file__).parents[1] / "node_smpp"
NEEDED = "node with smpp (npm ci --omit=dev in tests/peers/node_smpp)"

Fact = dict[str, Any]


def node_program() -> str:
    """Return the path of node; skips where it or its library is missing."""
    node = find_program("node")
    require_peer(NEEDED, node and (FOLDER / "node_modules" / "smpp").is_dir())
    assert node is not None
    return node


class Facts:
    """What a script says, in order, as JSON lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.all: list[Fact] = []
        self._process = process
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.all.append(json.loads(line))
            self._news.set()

    def those(self, key: str, **more: object) -> list[Fact]:
        """Return the facts that have the key, and these values."""
        return [
            fact for fact in self.all if key in fact and all(fact.get(name) == value for name, value in more.items())
        ]

    async def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Return once the condition holds; it is tried after every fact."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def tell(self, **command: object) -> None:
        """Give the script a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()

    def kill(self) -> None:
        """Kill the script."""
        self._process.kill()

    async def ended(self) -> int:
        """Return the exit code once the script has ended, and all of its facts are here."""
        assert self._process.stdin is not None
        await asyncio.wait_for(self._reading, PATIENCE)
        self._process.stdin.close()
        return await asyncio.wait_for(self._process.wait(), PATIENCE)


@asynccontextmanager
async def node(script: str, *arguments: str):
    """Run a script of node_smpp and give its facts; it ends when its input does."""
    process = await asyncio.create_subprocess_exec(
        *(node_program(), script, *arguments),
        cwd=FOLDER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    facts = Facts(process)
    try:
        yield facts
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await facts.ended()


@asynccontextmanager
async def centres(*wanted: dict[str, str]):
    """Run message centres in one process, and give its facts and the ports by name; node_smpp/smsc.js has the options."""
    plain = {"response": "text", "receipt": "text", "form": "both"}
    async with node("smsc.js", json.dumps([{**plain, **options} for options in wanted])) as facts:
        await facts.until(lambda: bool(facts.those("ports")))
        yield facts, facts.all[0]["ports"]
