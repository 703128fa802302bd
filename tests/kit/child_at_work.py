"""The child in the tests of templates.child: the first octet of each request says what to do."""

import os
import resource
import sys
import time
from contextlib import suppress

from templates.child import serve

LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)


def answer(request: bytes) -> bytes:
    """Echo, wait, compute for ever, end in many ways, grow, describe the environment, complain, or answer at length."""
    what, rest = request[:1], request[1:]
    if what == b"w":
        while True:
            time.sleep(60)
    if what == b"z":
        time.sleep(float(rest))
    if what == b"b":
        while True:
            pass
    if what == b"x":
        os._exit(3)
    if what == b"m":
        return b"%d" % len(b"x" * int(rest))
    if what == b"k":
        os.kill(os.getpid(), int(rest))
    if what == b"r":
        raise ValueError(rest.decode())
    if what == b"c":
        os.closerange(3, 32)  # including the copy of our standard output for answers
        os.close(1)
        time.sleep(60)
    if what == b"s":
        for _ in range(int(rest) // 1000):
            with suppress(BlockingIOError):
                os.write(2, b"x" * 1000)
        return b"said"
    if what == b"e":
        return repr((sorted(os.environ), [resource.getrlimit(limit) for limit in LIMITS], os.getsid(0))).encode()
    if what == b"l":
        return b"l" * int(rest)
    return rest


def parent() -> None:
    """Act as a parent that asks a child and prints its id and its state; the test then kills it."""
    from templates.child import Child  # only the parent's side

    child = Child(__spec__.name if __spec__ else "", seconds=float(sys.argv[2]), memory_bytes=2**26, longest_answer=9)
    child.ask(b".hello")
    print(child.pid, flush=True)
    if sys.argv[3] == "busy":
        child.ask(b"w")
    time.sleep(60)


if __name__ == "__main__":
    if sys.argv[1] == "parent":
        parent()
    serve(answer)
