"""Runs customers' templates in a child process that has little memory, no files, and can be killed.

Jinja's sandbox keeps a template from Python but not from endless loops, so it runs in a child (templates.child). We
pickle requests; answers are JSON, since data that a template touched is never unpickled. Not here: what a template may
do, and the child's side (templates.customers, templates.push_sandbox).
"""

import json
import pickle
from collections.abc import Mapping

from inbound.actions import PushForm
from templates.child import Child, ChildEndedError, ChildLateError, ChildMemoryError, ChildUnavailableError
from templates.render import LARGEST_HTML, TemplateBroken, View

_LONGEST_ANSWER = 16 * LARGEST_HTML
_LONGEST_PUSH = 16 * 2**20


class _Confined:
    """One child process with the templates of one `module`, started on first use."""

    def __init__(self, module: str, *, seconds: float, memory_bytes: int, longest_answer: int) -> None:
        self._seconds = seconds
        self.child = Child(module, seconds=seconds, memory_bytes=memory_bytes, longest_answer=longest_answer)

    def _ask(self, *request: object) -> str:
        try:
            answer = _read_answer(self.child.ask(pickle.dumps(request)))
        except ChildLateError:
            raise TemplateBroken(f"it did not end within {self._seconds:g} seconds") from None
        except ChildMemoryError as error:
            raise TemplateBroken(str(error)) from None
        except (ChildUnavailableError, ChildEndedError) as error:
            raise TemplateBroken(f"the template was not run; of the process for templates: {error}") from error
        except ValueError as error:
            self.child.replace()
            raise TemplateBroken(f"the process for templates gave an answer that is none: {error}") from error
        if "text" in answer:
            return answer["text"]
        raise TemplateBroken(answer.get("problem", "it gave no answer"))

    def close(self) -> None:
        """End the child process."""
        self.child.close()


class ConfinedTemplates(_Confined):
    """Fulfils templates.render.Confinement with one child process, started on first use."""

    def __init__(self, *, seconds: float = 2.0, memory_bytes: int = 256 * 2**20) -> None:
        """Bound the CPU seconds of each template, and the memory of the process beyond that at its start."""
        super().__init__(
            "templates.customers", seconds=seconds, memory_bytes=memory_bytes, longest_answer=_LONGEST_ANSWER
        )

    def run(self, source: str, view: View) -> str:
        """Return the HTML of a customer's template. Raises TemplateBroken for every failure."""
        return self._ask(source, view)


class ConfinedPushes(_Confined):
    """Customers' templates of pushes, in a child process of their own."""

    def __init__(self, *, seconds: float = 2.0, memory_bytes: int = 256 * 2**20) -> None:
        """Bound the CPU seconds of each template, and the memory of the process beyond that at its start."""
        super().__init__(
            "templates.push_sandbox", seconds=seconds, memory_bytes=memory_bytes, longest_answer=_LONGEST_PUSH
        )

    def run(self, form: PushForm, source: str, fields: Mapping[str, object]) -> str:
        """Return the body that a customer's template makes of these fields. Raises TemplateBroken for every failure."""
        return self._ask(form, source, dict(fields))


def _read_answer(data: bytes) -> dict[str, str]:
    answer = json.loads(data)
    if not isinstance(answer, dict):
        raise ValueError("the answer of the process for templates is none")  # noqa: TRY004  (as for any other nonsense)
    return answer
