"""Draws the picture of one message's life in docs/architecture.md from `sms.lifecycle.TRANSITIONS`.

`python -m tests.lifecycle_picture FILE` (make example) rewrites the picture in the file; a test keeps the two equal.
"""

import re
import sys
from pathlib import Path

from sms.lifecycle import TRANSITIONS, MessageState

_PICTURE = re.compile(r"(?s)(?<=<!-- lifecycle: drawn by «make example» -->\n).*?(?=<!-- end of lifecycle -->)")


def draw_lifecycle() -> str:
    """Return the table of transitions as a Mermaid state diagram; states that no event leaves end it."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {MessageState.QUEUED}"]
    for state, row in TRANSITIONS.items():
        targets: dict[MessageState, list[str]] = {}
        for event, target in row.items():
            targets.setdefault(target, []).append(str(event))
        lines += [f"    {state} --> {target}: {', '.join(events)}" for target, events in targets.items()]
        if not row:
            lines.append(f"    {state} --> [*]")
    return "\n".join([*lines, "```", ""])


def picture_in(text: str) -> str:
    """Return the picture that a document holds, empty where it holds none."""
    found = _PICTURE.search(text)
    return found[0] if found else ""


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(_PICTURE.sub(lambda _: draw_lifecycle(), file.read_text("utf-8")), encoding="utf-8")
