"""Chromium without a window, with the fonts of this folder and none of the machine's: a page looks the same everywhere."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer

FONTS = Path(__file__).with_name("fonts")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _program() -> str:
    program = find_program("chromium", "chromium-browser", "google-chrome")
    require_peer("chromium", program)
    assert program is not None
    return program


def _environment(profile: Path) -> dict[str, str]:
    return {**os.environ, "FONTCONFIG_FILE": str(FONTS / "fonts.conf"), "XDG_CACHE_HOME": str(profile / "cache")}


def open_page(page: Path, *flags: str, width: int = 1100, height: int = 900) -> str:
    """Open a page in a window of this size and return what Chromium writes. Its profile is kept beside the page."""
    profile = page.with_name("profile")
    done = subprocess.run(
        [
            _program(),
            *_FLAGS,
            "--virtual-time-budget=20000",
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            *flags,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env=_environment(profile),
    )
    return done.stdout


class Browser:
    """One page of a Chromium that is told what to do over the DevTools protocol, through a pipe."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = os.fdopen(reading, "rb")
        self._writing = os.fdopen(writing, "wb", buffering=0)
        self._last = 0
        self._session = ""
        self.console: list[str] = []

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result; what the page tells meanwhile is kept in `console`."""
        self._last += 1
        command = {"id": self._last, "method": method, "params": params}
        if self._session:
            command["sessionId"] = self._session
        self._writing.write(json.dumps(command).encode() + b"\0")
        while True:
            told = json.loads(self._next())
            if told.get("id") == self._last:
                assert "error" not in told, told["error"]
                result: dict[str, Any] = told["result"]
                return result
            if told.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"}:
                self.console.append(json.dumps(told["params"]))

    def _next(self) -> bytes:
        octets = bytearray()
        while (octet := self._reading.read(1)) not in {b"\0", b""}:
            octets += octet
        return bytes(octets)

    def begin(self) -> None:
        """Open an empty page, of which all further commands are."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def show(self, *, width: int, height: int, dark: bool = False, scripts: bool = True) -> None:
        """Set the window, the colours that the reader prefers, and whether scripts run."""
        mobile = width < 500
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Emulation.setScriptExecutionDisabled", value=not scripts)

    def go(self, address: str) -> None:
        """Open an address and return once its document is there."""
        self.ask("Page.navigate", url=address)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def value(self, expression: str) -> Any:
        """Return what an expression of JavaScript gives, awaited where it is a promise."""
        told = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, expression: str) -> None:
        """Return once the expression is true; it is asked for a minute."""
        ends = time.monotonic() + PATIENCE
        while not self.value(expression):
            assert time.monotonic() < ends, f"never true: {expression}\n{self.value('document.body.innerText')}"
            time.sleep(0.05)

    def close(self) -> None:
        """Close the pipes."""
        self._reading.close()
        self._writing.close()

    def picture(self) -> bytes:
        """Return what the window shows, as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Start Chromium with its profile in a folder, and end it."""
    program = _program()
    ours, theirs = os.pipe(), os.pipe()
    arguments = [program, *_FLAGS, f"--user-data-dir={folder / 'profile'}", "--remote-debugging-pipe", "about:blank"]
    actions = [
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, ours[0], 3),
        (os.POSIX_SPAWN_DUP2, theirs[1], 4),
    ]
    process = os.posix_spawn(program, arguments, _environment(folder / "profile"), file_actions=actions)
    os.close(ours[0])
    os.close(theirs[1])
    page = Browser(theirs[0], ours[1])
    try:
        page.begin()
        yield page
    finally:
        os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)
        page.close()
