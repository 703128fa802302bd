"""A guide as its reader follows it: lines for files, commands with what they print, and conversations, all as they stand.

In what is printed and answered `…` stands for anything, a line of it alone for any lines.
"""

import re
import shlex
import socket
import ssl
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from tests.kit.installation import ROOT, Installation


class Guide:
    """One page of docs, such as `guides/sap`; `replaced` are words of the page and what stands for them here, such as an address."""

    def __init__(self, name: str, replaced: Mapping[str, str]) -> None:
        self._text = (ROOT / "docs" / f"{name}.md").read_text("utf-8")
        for word, other in replaced.items():
            assert word in self._text, f"{name}.md does not say {word}"
            self._text = self._text.replace(word, other)

    def section(self, title: str) -> str:
        """Return the section whose title begins so."""
        return self._text.partition(f"\n## {title}")[2].partition("\n## ")[0]

    def blocks(self, kind: str) -> list[str]:
        """Return the blocks of one kind, in their order."""
        return re.findall(rf"(?ms)^```{kind}\n(.*?)^```", self._text)

    def tables(self) -> dict[str, Any]:
        """Return what the page's lines for the operator's file say."""
        found: dict[str, Any] = tomllib.loads("\n".join(self.blocks("toml")))
        return found

    def doors(self) -> dict[str, dict[str, object]]:
        """Return the page's listeners by name, without their addresses."""
        without = {"name", "address"}
        return {
            door["name"]: {key: value for key, value in door.items() if key not in without}
            for door in self.tables()["listener"]
        }

    def conversation(self) -> str:
        """Return the page's conversation."""
        (found,) = [block for block in self.blocks("text") if block.startswith("S: 220")]
        return found

    def refusals(self) -> list[str]:
        """Return what the first column of the page's table of failures quotes."""
        return re.findall(r"(?m)^\| `(\d{3} [^`]*)`", self._text.partition(" When it does not work\n")[2])

    def commands(self) -> Iterator[tuple[list[str], str]]:
        """Yield each command of mail2sms with what the page says that it prints."""
        for block in self.blocks("console"):
            for words, printed in re.findall(r"(?m)^\$ mail2sms (.*)\n((?:(?!\$ ).*\n)*)", block):
                yield shlex.split(words), printed

    async def run(self, site: Installation, *names: str) -> None:
        """Run the page's commands of these names, and compare what they print."""
        ran = 0
        for words, printed in self.commands():
            if words[0] in names:
                said = await site.command(*words)
                assert alike(printed, said), f"mail2sms {shlex.join(words)} printed:\n{said}"
                ran += 1
        assert ran


def alike(expected: str, said: str) -> bool:
    """Return whether a text is what a page says."""
    lines = [
        "(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + "\n" for line in expected.splitlines()
    ]
    return re.fullmatch("".join(lines), said.rstrip("\n").replace("\r", "") + "\n") is not None


def play(conversation: str, port: int, context: ssl.SSLContext | None = None, mail: bytes = b"") -> str:
    """Say the client's lines; returns the first reply that is not the page's, "" where there is none.

    A line in brackets stands for the `mail`. `context` is of the TLS that begins after STARTTLS.
    """
    steps = re.findall(r"((?:^S: .*\n)+)|^C: (.*)\n", conversation, re.MULTILINE)
    assert "".join(found or f"C: {said}\n" for found, said in steps) == conversation
    channel: socket.socket = socket.create_connection(("127.0.0.1", port), 60)
    said = ""
    try:
        for expected, line in steps:
            if expected:
                reply = _reply(channel)
                if not alike(expected.replace("S: ", ""), reply):
                    return reply
                if said == "STARTTLS":
                    assert context is not None
                    channel = context.wrap_socket(channel, server_hostname="gateway.example.net")
            else:
                said = line
                channel.sendall(mail if line.startswith("(") else line.encode() + b"\r\n")
        return ""
    finally:
        channel.close()


def _reply(channel: socket.socket) -> str:
    """Return the next reply, octet by octet: behind it TLS may begin."""
    octets = b""
    while not re.search(rb"(?m)^\d{3} .*\r\n\Z", octets):
        octet = channel.recv(1)
        assert octet, f"the gateway closed the connection after {octets!r}"
        octets += octet
    return octets.decode()
