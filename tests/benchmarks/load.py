"""What sends mail in a benchmark: Debian's smtp-source, and a client of our own where it lacks something.

Each returns a Sample: mails (or recipients) per second as the client saw them answered, and the server's CPU.
"""

import io
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from itertools import count

from cli.setup import DOMAIN
from tests.benchmarks.figures import Sample
from tests.benchmarks.gateway import RECIPIENT, SENDER
from tests.benchmarks.processes import Running, program

_runs = count(1)


def smtp_source(
    port: int, server: Running, mails: int, *, per_connection: bool = False, octets: int = 1000, sessions: int = 20
) -> Sample:
    """Send mails of `octets` of text on `sessions` connections at a time; `per_connection` takes a new one for each."""
    words = [program("smtp-source", "postfix"), "-s", str(sessions), "-m", str(mails), "-l", str(octets)]
    words += ["-f", SENDER, "-t", RECIPIENT, "-M", "client.example.net", f"127.0.0.1:{port}"]
    if not per_connection:
        words.insert(1, "-d")
    cpu, began = server.cpu(), time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    taken = time.monotonic() - began
    if done.returncode:
        raise RuntimeError(f"smtp-source: {done.stderr.strip()[-500:]}")
    return Sample(rate=mails / taken, cpu=(server.cpu() - cpu) * 1e6 / mails)


def many_recipients(port: int, server: Running, mails: int, recipients: int) -> Sample:
    """Send mails with many recipients each on one connection, the RCPTs pipelined; figures are per recipient."""
    run = next(_runs)
    cpu, began = server.cpu(), time.monotonic()
    with connected(port) as (connection, replies):
        for number in range(mails):
            send_one(connection, replies, f"{run}.{number}", recipients)
    taken = time.monotonic() - began
    total = mails * recipients
    return Sample(rate=total / taken, cpu=(server.cpu() - cpu) * 1e6 / total)


@contextmanager
def connected(port: int) -> Iterator[tuple[socket.socket, io.BufferedReader]]:
    """Give a connection that has said EHLO, with what reads its replies."""
    with socket.create_connection(("127.0.0.1", port), 120) as connection, connection.makefile("rb") as replies:
        _expect(replies, b"220")
        _say(connection, replies, b"EHLO client.example.net\r\n", b"250")
        yield connection, replies
        _say(connection, replies, b"QUIT\r\n", b"221")


def send_one(connection: socket.socket, replies: io.BufferedReader, identity: str, recipients: int) -> None:
    """Send one mail to so many numbers and wait for the 250."""
    commands = [f"MAIL FROM:<{SENDER}>\r\n"]
    commands += [f"RCPT TO:<+447700900{number:03}@{DOMAIN}>\r\n" for number in range(recipients)]
    # aiosmtpd offers no PIPELINING but copes with it; both servers are given the same bytes.
    connection.sendall("".join(commands).encode())
    for _ in commands:
        _expect(replies, b"250")
    _say(connection, replies, b"DATA\r\n", b"354")
    content = plain_mail(f"<{identity}.{time.monotonic_ns()}@client.example.net>")
    _say(connection, replies, content + b".\r\n", b"250")


def plain_mail(message_id: str, text: str = "Your delivery 80012345 arrives today between 14:00 and 16:00.") -> bytes:
    """Return a plain mail whose text is one SMS."""
    return (
        f"From: Anna <{SENDER}>\r\nTo: <{RECIPIENT}>\r\nSubject: Delivery\r\nDate: {formatdate()}\r\n"
        f"Message-ID: {message_id}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()


def _say(connection: socket.socket, replies, octets: bytes, code: bytes) -> None:
    connection.sendall(octets)
    _expect(replies, code)


def _expect(replies, code: bytes) -> None:
    while True:
        line = replies.readline()
        if not line.startswith(code):
            raise RuntimeError(f"{code.decode()} was expected, {line!r} came")
        if line[3:4] != b"-":
            return
