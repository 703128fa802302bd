"""Requests by HTTP under load, as a program: `python -m tests.benchmarks.http_load v1|v2|kannel PORT COUNT CREDENTIALS`.

Twenty connections that stay open, one request at a time on each; the credentials are LOGIN:PASSWORD, or for `v2` an API
key. Prints JSON: requests per second as they were answered, and what half and nearly all of the answers took, in seconds.
"""

import asyncio
import base64
import json
import sys
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from cli.serve import run, tune_gc
from tests.benchmarks.figures import percentile

_CONNECTIONS = 20
_TEXT = "Your delivery 80012345 arrives today between 14:00 and 16:00."
_NUMBER = "+447700900123"


def _post(path: str, authorization: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {authorization}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def _v1(credentials: str) -> bytes:
    token = base64.b64encode(credentials.encode()).decode()
    body = {"messages": [{"text": _TEXT, "recipients": [{"dst": _NUMBER}]}]}
    return _post("/rest/v1/jobs", f"Basic {token}", body)


def _v2(key: str) -> bytes:
    body = {"messages": [{"text": _TEXT, "recipients": [{"to": _NUMBER}]}]}
    return _post("/api/v2/jobs", f"Bearer {key}", body)


def _kannel(credentials: str) -> bytes:
    login, _, password = credentials.partition(":")
    query = urlencode({"username": login, "password": password, "from": "447700900999", "to": _NUMBER, "text": _TEXT})
    return f"GET /cgi-bin/sendsms?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


_REQUESTS: Mapping[str, tuple[Callable[[str], bytes], bytes]] = {
    "v1": (_v1, b"201"),
    "v2": (_v2, b"201"),
    "kannel": (_kannel, b"202"),
}
"""How each is asked, and the status that says «kept»."""


async def _load(port: int, count: int, request: bytes, status: bytes) -> None:
    answers: list[float] = []
    left = count

    async def send() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left > 0:
            left -= 1
            began = time.monotonic()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            body = await reader.readexactly(int(length.partition(b":")[2]))
            answers.append(time.monotonic() - began)
            assert head.split(None, 2)[1] == status, (head, body)
        writer.close()

    began = time.monotonic()
    await asyncio.gather(*(send() for _ in range(_CONNECTIONS)))
    taken = time.monotonic() - began
    print(json.dumps({"rate": count / taken, "p50": percentile(answers, 50), "p99": percentile(answers, 99)}))


def _main(which: str, port: int, count: int, credentials: str) -> None:
    write, status = _REQUESTS[which]
    tune_gc()
    run(_load(port, count, write(credentials), status))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
