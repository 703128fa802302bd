"""`python -m tests.kit.killed_at MODULE:FUNCTION WORDS`: the command line, ended by SIGKILL when it calls a function.

`MODULE:FUNCTION@2` lets it be called once.
"""

import importlib
import os
import signal
import sys
import threading
from itertools import count
from operator import attrgetter
from types import CodeType, FrameType


def kill_at(code: CodeType, times: int = 1) -> None:
    """End this process when its threads call the function of this code so many times."""
    calls = count(1)

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is code and next(calls) == times:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(look)
    sys.setprofile(look)


def code_of(place: str) -> CodeType:
    """Return the code of `MODULE:FUNCTION`."""
    module, _, function = place.partition(":")
    found: CodeType = attrgetter(function)(importlib.import_module(module)).__code__
    return found


if __name__ == "__main__":
    place, _, times = sys.argv.pop(1).partition("@")
    kill_at(code_of(place), int(times or 1))
    importlib.import_module("cli.__main__").main()
