"""Every kind of mail beside its committed picture: desktop and phone, light and dark, in one picture each.

After a wanted change of the templates: `NEW_PICTURES=1 make test ARGS=tests/peers/test_status_mail_pictures.py`, look
at what came out in tests/peers/pictures, and commit it.
"""

import html as html_module
import os
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from sms.lifecycle import MessageState
from sms.message import Replacement
from sms.outcome import ProblemCode
from sms.report import NoticeKind
from templates.render import Rendered, Renderer
from tests.kit.directory_samples import failed, faulty, held
from tests.kit.inbound_samples import conversation, incomplete, late
from tests.kit.status_samples import everything, many, message, part, report
from tests.peers.chromium import open_page

PICTURES = Path(__file__).with_name("pictures")
WIDTHS = (1000, 390)
HEIGHT = 1100
# Blocks of eight by eight pixels, 0 to 255: letters may be drawn a little differently, nothing may move or change
# colour.
MEAN, WORST = 1.5, 90


RENDERER = Renderer()


def mails() -> dict[str, Rendered]:
    """Return a mail of each kind."""
    return {
        **{name: RENDERER.render(kind, job) for name, (kind, job) in kinds().items()},
        "inbound": RENDERER.render_inbound(*conversation()),
        "inbound-incomplete": RENDERER.render_inbound(*incomplete()),
        "inbound-late": RENDERER.render_inbound(*late()),
        "directory-held": RENDERER.render_directory(held()),
        "directory-failed": RENDERER.render_directory(failed("de")),
        "directory-faulty": RENDERER.render_directory(faulty("fr")),
    }


def kinds():
    waiting = message(MessageState.QUEUED, parts=())
    return {
        "accepted": (
            NoticeKind.ACCEPTED,
            report(waiting, message(MessageState.REJECTED, reason="stop-list"), settled_at=None),
        ),
        "result": (NoticeKind.RESULT, report()),
        "failure": (NoticeKind.RESULT, everything()),
        "shortened": (
            NoticeKind.RESULT,
            report(
                message(
                    name="Anna Keller",
                    cut=" Ein Ende, das nicht mehr passte." * 30,
                    replaced=(Replacement(index=1, old="\U0001f389", new="?"),),
                ),
                language="de",
                time_zone="Europe/Berlin",
                customer="Example GmbH",
                accent="#0a7d4b",
                contact="helpdesk@example.com",
            ),
        ),
        "several": (NoticeKind.RESULT, many(6, language="fr", customer="Example SARL", contact="+44 7700 900100")),
        "correction": (NoticeKind.CORRECTION, report(language="fr")),
        "delayed": (NoticeKind.DELAYED, report(waiting, settled_at=None, language="de")),
        "dry-run": (
            NoticeKind.DRY_RUN,
            report(
                message(
                    MessageState.CANCELLED,
                    reason=ProblemCode.DRY_RUN,
                    problem="smsc1 (standard)",
                    parts=(part(state=MessageState.CANCELLED),),
                ),
                language="es",
            ),
        ),
    }


def photograph(folder, mail):
    source = html_module.escape(mail.html)
    frames = "".join(
        f'<iframe srcdoc="{source}" style="width:{width}px;height:{HEIGHT}px;border:0;color-scheme:{scheme}"></iframe>'
        for scheme in ("light", "dark")
        for width in WIDTHS
    )
    page = folder / "page.html"
    page.write_text(
        "<!DOCTYPE html><meta charset=utf-8><body style='margin:0;white-space:nowrap;font-size:0;overflow:hidden'>"
        + frames
    )
    screenshot = (f"--screenshot={folder / 'taken.png'}", "--hide-scrollbars", "--force-device-scale-factor=0.5")
    open_page(page, *screenshot, width=2 * sum(WIDTHS), height=HEIGHT)
    return Image.open(folder / "taken.png").convert("RGB")


def worst(difference):
    """Return the largest difference of any block in any colour."""
    return max(ImageStat.Stat(channel).extrema[0][1] for channel in difference.split())


@pytest.mark.parametrize("name", mails())
def test_a_mail_looks_as_in_its_picture(name, tmp_path):
    taken = photograph(tmp_path, mails()[name])
    file = PICTURES / f"{name}.png"
    if os.environ.get("NEW_PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        taken.quantize(64).save(file, optimize=True)
    committed = Image.open(file).convert("RGB")
    assert taken.size == committed.size
    small = (taken.width // 8, taken.height // 8)
    difference = ImageChops.difference(
        taken.resize(small, Image.Resampling.BOX), committed.resize(small, Image.Resampling.BOX)
    )
    statistics = ImageStat.Stat(difference)
    assert max(statistics.mean) < MEAN
    assert worst(difference) < WORST


def test_a_mail_that_changed_does_not_pass_for_its_picture(tmp_path):
    """The comparison itself: another kind's mail must not look the same."""
    taken = photograph(tmp_path, mails()["delayed"])
    committed = Image.open(PICTURES / "result.png").convert("RGB")
    small = (taken.width // 8, taken.height // 8)
    difference = ImageChops.difference(
        taken.resize(small, Image.Resampling.BOX), committed.resize(small, Image.Resampling.BOX)
    )
    assert worst(difference) >= WORST or max(ImageStat.Stat(difference).mean) >= MEAN
