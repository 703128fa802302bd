"""Takes the picture of the demo's page for the README: `python -m tests.demo_picture docs/pictures/demo.png`."""

import sys
import tempfile
from pathlib import Path

from tests.kit.running_demo import running_demo
from tests.peers.chromium import browser

_STORY_IS_TOLD = "document.querySelectorAll('.mail:not(.sent)').length === 3"
_FRAME_IS_SHOWN = "document.querySelector('.mail[open] iframe')?.dataset.fitted === 'yes'"


def main(file: Path) -> None:
    """Run the demo, wait until its page shows the whole story, and write the picture."""
    with running_demo("--port", "0") as demo, tempfile.TemporaryDirectory() as folder, browser(Path(folder)) as page:
        page.show(width=1200, height=900)
        page.go(demo.address)
        page.until(_STORY_IS_TOLD)
        page.until(_FRAME_IS_SHOWN)
        page.value("Promise.all(document.getAnimations().map(animation => animation.finished))")
        file.write_bytes(page.picture())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
