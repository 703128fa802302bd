"""Where Debian's Exim is found, and what it needs to run.

Debian's mail servers exclude each other as packages, so Exim may also stand unpacked in a folder of its own, which
`tests/peers/unpack_exim` fills; it then runs with a user table of its own too (nss_wrapper).
"""

import os
import shutil
from pathlib import Path

from tests.kit.peer import find_program

USER = 65000


def find_exim(folder: Path) -> tuple[str | None, dict[str, str]]:
    """Return the program and the environment that it needs."""
    installed = find_program("exim4", "exim")
    if installed:
        return installed, dict(os.environ)
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    kept = Path(cache) / "mail2sms-peers" / "exim"
    if not (kept / "usr/sbin/exim4").exists():
        return None, {}
    root = folder / "exim"  # where its own user may start it again
    shutil.copytree(kept, root, symlinks=True)
    program = root / "usr/sbin/exim4"
    program.chmod(0o755)  # a program with the right to become root would load no library of ours
    for name, line in (("passwd", f"Debian-exim:x:{USER}:{USER}::/:/bin/false"), ("group", f"Debian-exim:x:{USER}:")):
        (folder / name).write_text(Path("/etc", name).read_text() + line + "\n")
    libraries = next(root.glob("usr/lib/*-linux-gnu"))
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(libraries),
        "LD_PRELOAD": str(libraries / "libnss_wrapper.so"),
        "NSS_WRAPPER_PASSWD": str(folder / "passwd"),
        "NSS_WRAPPER_GROUP": str(folder / "group"),
    }
    return str(program), environment
