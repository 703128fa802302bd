"""The process that dangerous work is done in: its bounds, its end, and that the next request gets a new one."""

import os
import resource
import select
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.child import Child, ChildEndedError, ChildLateError, ChildUnavailableError

MODULE = "tests.kit.child_at_work"
MEMORY = 64 * 2**20


def make(seconds: float = 20, memory: int = MEMORY, longest: int = 1 << 20, module: str = MODULE) -> Child:
    return Child(module, seconds=seconds, memory_bytes=memory, longest_answer=longest)


@pytest.fixture(scope="module")
def child():
    made = make()
    yield made
    made.close()


@given(request=st.binary(max_size=300), times=st.integers(1, 2000))
def test_whatever_is_asked_comes_back_whole(child, request, times):
    assert child.ask(b"." + request * times) == request * times


def test_it_has_nothing_of_our_environment_and_little_of_everything(child, monkeypatch):
    monkeypatch.setenv("MAIL2SMS_SECRET", "x")
    child.close()
    names, limits, session = eval(child.ask(b"e"))
    assert set(names) <= {"LC_CTYPE"}  # which Python itself sets where there is no locale
    (memory, _), *others = limits
    assert MEMORY < memory < MEMORY + 2**30
    assert others == [(0, 0), (32, 32), (0, 0)]
    assert session == child.pid


def test_it_serves_a_process_with_thousands_of_connections():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip("this machine allows few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        child = make()
        stack.callback(child.close)
        assert child.ask(b".again") == b"again"


def test_a_request_that_never_ends_costs_the_process_its_life(patient):
    child = make(seconds=0.4)
    child.ask(b".")
    first = child.pid
    with pytest.raises(ChildLateError):
        child.ask(b"b")
    assert child.pid is None
    assert child.ask(b".again") == b"again"
    assert child.pid != first
    child.close()


@pytest.mark.parametrize("request_", [b"x", b"m1000000000", b"l%d" % (2 << 20)], ids=["exit", "memory", "long answer"])
def test_what_breaks_the_process_breaks_no_other_request(child, request_):
    with pytest.raises(ChildEndedError):
        child.ask(request_)
    assert child.pid is None
    assert child.ask(b".again") == b"again"


def test_a_process_that_died_between_two_requests_is_replaced(child):
    child.ask(b".")
    pid = child.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert child.ask(b".again") == b"again"
    assert child.pid != pid


def test_a_process_that_gets_no_cpu_is_waited_for_longer():
    child = make(seconds=2)
    assert child.ask(b"z2.5") == b"2.5"
    child.close()


def test_a_process_that_never_gets_cpu_is_the_machines_fault_and_not_the_requests():
    child = make(seconds=0.2)
    with pytest.raises(ChildUnavailableError, match="the machine is busy"):
        child.ask(b"w")
    assert child.pid is None
    child.close()


@pytest.mark.slow
def test_a_stopped_process_that_does_not_even_read_is_no_fault_of_the_request():
    child = make(seconds=0.3)
    child.ask(b".")
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(ChildUnavailableError):
        child.ask(b"." + bytes(4 << 20))  # more than a pipe holds
    child.close()


@pytest.mark.parametrize("module", ["no.such.module", "json.tool"])
def test_a_process_that_cannot_start_says_so(module):
    with pytest.raises(ChildUnavailableError):
        make(module=module).ask(b".")


def test_many_threads_get_their_own_answers(child):
    answers = {}

    def ask(number):
        answers[number] = child.ask(b".%d" % number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: b"%d" % number for number in range(8)}


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_it_dies_with_its_parent(state):
    parent = subprocess.Popen([sys.executable, "-m", MODULE, "parent", "0.5", state], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    try:
        pid = int(parent.stdout.readline())
        watch = os.pidfd_open(pid)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    try:
        assert select.select([watch], [], [], 20)[0], "it lives on"
    finally:
        os.close(watch)
