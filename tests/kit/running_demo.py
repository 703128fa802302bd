"""`mail2sms demo` as a process, and what its page answers."""

import contextlib
import html
import http.client
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tests.kit.patience import PATIENCE

_ROOT = Path(__file__).parents[2]
OWN = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Page:
    status: int
    headers: dict[str, str]
    text: str


@dataclass
class RunningDemo:
    """The demo that runs; `told` is what it printed until its story was over."""

    address: str
    told: str
    process: subprocess.Popen

    def get(self, path: str = "/", **headers: str) -> Page:
        return self._ask("GET", path, None, {name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> Page:
        form = {"Content-Type": "application/x-www-form-urlencoded", **(OWN if headers is None else headers)}
        return self._ask("POST", path, urlencode(fields), form)

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Page:
        parts = urlsplit(self.address)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Page(answer.status, named, answer.read().decode())

    def wait_for(self, pattern: str) -> str:
        """Return the page once it has what the pattern names."""
        ends = time.monotonic() + PATIENCE
        while not re.search(pattern, page := self.get().text, re.DOTALL):
            assert time.monotonic() < ends, page
            time.sleep(0.05)
        return page

    def wait_until_still(self) -> str:
        """Return the page's ETag once two answers have the same: what was sent before has arrived then."""
        ends = time.monotonic() + PATIENCE
        tag = self.get().headers["etag"]
        while (answer := self.get(if_none_match=tag)).status != 304:
            assert time.monotonic() < ends, answer.text
            tag = answer.headers["etag"]
            time.sleep(0.05)
        return tag

    def mails(self) -> list[tuple[str, str]]:
        """Return key and subject of each mail of the page, the newest first."""
        found = re.findall(r'<details id="([\w-]+)".*?<bdi class="subject">(.*?)</bdi>', self.get().text, re.DOTALL)
        return [(key, html.unescape(subject)) for key, subject in found]


@contextlib.contextmanager
def running_demo(*words: str) -> Iterator[RunningDemo]:
    """Start the demo, wait until its story is told, and end it as Ctrl-C does."""
    arguments = [sys.executable, "-P", "-m", "cli", "demo", *words]
    # A shell has what it starts behind it ignore Ctrl-C; the tests too may have been started so.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        arguments,
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed,  # noqa: PLW1509
    ) as process:
        assert process.stdout is not None
        told = ""
        for line in process.stdout:
            told += line
            if line.startswith("Ctrl-C"):
                break
        address = re.search(r"http://\S+", told)
        assert address is not None, told
        try:
            yield RunningDemo(address[0], told, process)
        finally:
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
        assert process.wait(PATIENCE) == 0, rest
        assert "everything it wrote is gone" in rest
