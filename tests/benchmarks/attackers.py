"""Those who attack a gateway in a benchmark, each in a process of its own: `slow PORT CONNECTIONS` and `guess PORT CLIENTS`.

Both print a line when they are at work and stop when they are ended. Nobody knows them: slow connections come from
127.1/16, guesses from 127.2/16, each from an address of its own, as a botnet's do.
"""

import asyncio
import itertools
import random
import resource
import sys
from base64 import b64encode
from collections.abc import Callable, Coroutine, Mapping

_PER_ADDRESS = 40
_EVERY = 5.0
_GUESSES_OF_A_CONNECTION = 4
_CHANCE = random.Random(1)


async def _open(port: int, network: int, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    source = f"127.{network}.{number // 200 % 256}.{number % 200 + 1}"
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0), limit=2**14)


async def _be_slow(port: int, number: int, started: Callable[[], None]) -> None:
    """Be slow in one of four ways, again and again: silent, in drips of a command, deaf, or with half a command left."""
    way = number % 4
    while True:
        try:
            reader, writer = await _open(port, 1, number // _PER_ADDRESS)
            await reader.readline()
            started()
            if way == 1:
                writer.write(b"EHLO slow.example.org\r\n")
            elif way == 2:
                writer.write(b"NOOP\r\n" * 90)
            while not reader.at_eof():
                await asyncio.sleep(_EVERY * (0.5 + _CHANCE.random()))
                if way == 1:
                    writer.write(b"M")
                elif way == 3:
                    writer.write(b"EHLO x" if _CHANCE.random() < 0.2 else b"x")
                await writer.drain()
                if way != 2 and reader._buffer:  # type: ignore[attr-defined]
                    await reader.readline()
            writer.close()
        except OSError:
            await asyncio.sleep(_EVERY * _CHANCE.random())


async def _guess(port: int, number: int, started: Callable[[], None]) -> None:
    """Guess without end, each time another login and password, from another address on each connection."""
    for turn in itertools.count(number, 1000):
        try:
            reader, writer = await _open(port, 2, turn)
            await reader.readline()
            writer.write(b"EHLO guess.example.org\r\n")
            while (await reader.readline())[3:4] == b"-":
                pass
            for guess in range(_GUESSES_OF_A_CONNECTION):
                word = b64encode(f"\0user{turn}.{guess}\0password{guess}".encode())
                writer.write(b"AUTH PLAIN " + word + b"\r\n")
                if not await reader.readline():
                    break
                started()
            writer.close()
        except OSError:
            await asyncio.sleep(0.1)


_WAYS: Mapping[str, Callable[[int, int, Callable[[], None]], Coroutine[None, None, None]]] = {
    "slow": _be_slow,
    "guess": _guess,
}


async def _attack(way: str, port: int, count: int) -> None:
    begun: set[int] = set()
    all_begun = asyncio.Event()

    def starting(number: int) -> Callable[[], None]:
        def started() -> None:
            begun.add(number)
            if len(begun) == count:
                all_begun.set()

        return started

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(_WAYS[way](port, number, starting(number)))
            if number % 50 == 49:
                await asyncio.sleep(0.02)  # the listener's backlog is finite
        await all_begun.wait()
        print("at work", flush=True)


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(_attack(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
