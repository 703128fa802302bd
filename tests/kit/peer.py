"""Programs and libraries of others that tests run against: required with `PEERS=required`, listed if missing.

A missing peer skips its tests with `peer missing: NAME`; the closing summary of a run lists them (tests/conftest.py).
"""

import os
import shutil

import pytest

MISSING = "peer missing: "
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/libexec/postfix:/usr/lib/postfix/sbin"


def require_peer(name: str, present: object) -> None:
    """Skip the calling test if the peer is not present (falsy); fail it with PEERS=required in the environment."""
    if present:
        return
    if os.environ.get("PEERS") == "required":
        pytest.fail(f"{MISSING}{name} (PEERS=required)", pytrace=False)
    pytest.skip(f"{MISSING}{name}")


def find_program(*names: str) -> str | None:
    """Return the path of the first of these programs that is installed; system folders count even if not in PATH."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), _SYSTEM_FOLDERS))
    return next((found for name in names if (found := shutil.which(name, path=path))), None)
