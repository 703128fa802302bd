"""Chromium without a window, with the fonts of this folder and none of the machine's: a page looks the same everywhere."""

import os
import subprocess
from pathlib import Path

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
    "--virtual-time-budget=20000",
)


def open_page(page: Path, *flags: str, width: int = 1100, height: int = 900) -> str:
    """Open a page in a window of this size and return what Chromium writes. Its profile is kept beside the page."""
    program = find_program("chromium", "chromium-browser", "google-chrome")
    require_peer("chromium", program)
    assert program is not None
    profile = page.with_name("profile")
    done = subprocess.run(
        [program, *_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", *flags, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env={**os.environ, "FONTCONFIG_FILE": str(FONTS / "fonts.conf"), "XDG_CACHE_HOME": str(profile / "cache")},
    )
    return done.stdout
