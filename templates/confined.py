"""Runs customers' templates in a process of their own that has little memory, no files, and can be killed.

Jinja's sandbox keeps a template from Python but not from looping for ever, so the clock is outside: an answer that is
late costs the process its life, and the next template gets a new one. Requests are pickled by us; answers are JSON,
since nothing that a template touched is unpickled here.
Not here: what a template may do (templates.render).
"""

import json
import os
import pickle
import resource
import select
import signal
import struct
import subprocess
import sys
import time
from threading import Lock
from typing import IO, Any

from lxml import etree
from lxml import html as lxml_html

from sms.report import NoticeKind
from templates.render import LARGEST_HTML, CustomerTemplates, Renderer, TemplateBroken
from templates.samples import sample_reports
from templates.view import StatusView

_LENGTH = struct.Struct("!I")
_LARGEST_HTML = 2 * LARGEST_HTML
_FORBIDDEN_ELEMENTS = frozenset(
    {"applet", "audio", "base", "embed", "form", "frame", "iframe", "input", "link", "object", "script", "svg", "video"}
)
_LINK_SCHEMES = ("https:", "http:", "mailto:", "tel:", "#")


class ConfinedTemplates:
    """Fulfils templates.render.Confinement with one child process, started when it is first needed."""

    def __init__(self, *, seconds: float = 2.0, memory_bytes: int = 256 * 2**20) -> None:
        """Bound each template to so many seconds, and the process to so much memory beyond what it starts with."""
        self._seconds = seconds
        self._memory = memory_bytes
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    def run(self, source: str, view: StatusView) -> str:
        """Return the HTML of a customer's template. Raises TemplateBroken for every way in which it can fail."""
        with self._lock:
            answer = self._ask(pickle.dumps((source, view)))
        if "html" in answer:
            return answer["html"]
        raise TemplateBroken(answer.get("problem", "it gave no answer"))

    def close(self) -> None:
        """End the child process."""
        with self._lock:
            self._kill()

    def _ask(self, request: bytes) -> dict[str, str]:
        child = self._running()
        assert child.stdin is not None
        assert child.stdout is not None
        deadline = time.monotonic() + self._seconds
        try:
            child.stdin.write(_LENGTH.pack(len(request)) + request)
            child.stdin.flush()
            (length,) = _LENGTH.unpack(_read_until(child.stdout, _LENGTH.size, deadline))
            # The child is trusted no more than what it runs: a length beyond all bounds is read no further.
            answer: dict[str, str] = json.loads(_read_until(child.stdout, min(length, 8 * _LARGEST_HTML), deadline))
        except TimeoutError:
            self._kill()
            raise TemplateBroken(f"it did not end within {self._seconds:g} seconds") from None
        except (OSError, EOFError, ValueError):
            self._kill()
            raise TemplateBroken("it used more memory than is allowed, or ended its process") from None
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._kill()
        # The child finds the same modules and nothing else of our environment.
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}
        child = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-m", "templates.confined", str(self._memory), str(self._seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        assert child.stdout is not None
        self._child = child
        try:
            _read_until(child.stdout, 1, time.monotonic() + 30)  # its start is not the template's fault
        except (OSError, EOFError) as error:
            self._kill()
            raise TemplateBroken("the process for templates did not start") from error
        return child

    def _kill(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was not yet written to a dead process is lost, as it should be


def _read_until(pipe: IO[bytes], size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            raise TimeoutError
        chunk = os.read(pipe.fileno(), size - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def check_template(source: str, renderer: Renderer, confined: ConfinedTemplates) -> list[str]:
    """Return what is wrong with a customer's template, each as a sentence for its author; empty where nothing is.

    It is tried with every kind of notice, so that a name that is missing in a rare state is found before it matters.
    """
    problems: dict[str, None] = {}
    for kind in NoticeKind:
        for report in sample_reports(kind):
            try:
                html = confined.run(source, renderer.view(kind, report))
            except TemplateBroken as broken:
                return [*problems, str(broken)]
            problems.update(dict.fromkeys(find_unfit(html)))
    return list(problems)


def find_unfit(html: str) -> list[str]:
    """Return what a mail must not have: elements that act, handlers, and anything a client would fetch."""
    if not html.strip():
        return ["it makes an empty mail"]
    tree: Any = lxml_html.document_fromstring(html)
    found: list[str] = []
    for element in tree.iter(etree.Element):
        if element.tag in _FORBIDDEN_ELEMENTS:
            found.append(f"<{element.tag}> has no place in a mail")
        for name, value in element.attrib.items():
            found.extend(_unfit_attribute(str(name).lower(), " ".join(str(value).split()).lower()))
        if element.tag == "style" and ("url(" in (element.text or "").lower() or "@import" in (element.text or "")):
            found.append("a style sheet fetches something")
    if not tree.text_content().strip():
        found.append("it makes an empty mail")
    return list(dict.fromkeys(found))


def _unfit_attribute(name: str, value: str) -> list[str]:
    if name.startswith("on"):
        return [f"the attribute {name} runs a script"]
    if name in {"src", "background", "poster", "srcset"} and not value.startswith("cid:"):
        return [f"{name}={value[:60]!r}: a graphic travels with the mail (cid:), it is not fetched"]
    if name == "href" and not value.startswith(_LINK_SCHEMES):
        return [f"href={value[:60]!r}: a link begins with one of {', '.join(_LINK_SCHEMES)}"]
    if name == "style" and "url(" in value:
        return ["a style fetches something with url()"]
    return []


def main() -> None:
    """Answer requests on stdin until it ends; this is the child's whole life."""
    templates = CustomerTemplates(largest=_LARGEST_HTML)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    _renounce(int(sys.argv[1]))
    longest = 2 * float(sys.argv[2])
    answers.write(b"!")
    answers.flush()
    while len(head := requests.read(_LENGTH.size)) == _LENGTH.size:
        source, view = pickle.loads(requests.read(*_LENGTH.unpack(head)))  # noqa: S301  (our parent wrote it)
        signal.setitimer(signal.ITIMER_REAL, longest)  # ends us where the parent is no longer there to do it
        try:
            answer = {"html": templates.html(source, view)}
        except TemplateBroken as broken:
            answer = {"problem": str(broken)}
        except Exception as error:  # noqa: BLE001  (parsers of HTML and CSS fail in many ways on what customers write)
            answer = {"problem": f"its HTML or CSS can't be read ({type(error).__name__})"}
        signal.setitimer(signal.ITIMER_REAL, 0)
        data = json.dumps(answer).encode()
        answers.write(_LENGTH.pack(len(data)) + data)
        answers.flush()


def _renounce(memory_bytes: int) -> None:
    """Give up the right to more memory, to write files, to open many and to start processes."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  (no import in the child that it does not need)
        in_use = int(file.read().split()[0]) * resource.getpagesize()
    for limit, value in (
        (resource.RLIMIT_AS, in_use + memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


if __name__ == "__main__":
    main()
