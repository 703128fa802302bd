"""Our mails in a real browser, at desktop and phone width, light and dark: nothing overflows, hides or blends in."""

import html as html_module
import json
import re
from pathlib import Path
from typing import Any

import pytest

from sms.lifecycle import MessageState
from sms.report import NoticeKind
from templates.render import Rendered, Renderer
from tests.kit.inbound_samples import came, conversation, inbound, incomplete, late, reader, went
from tests.kit.status_samples import everything, many, message, report
from tests.peers.chromium import open_page

HOSTILE = "<script>top.hacked=1</script><img src=x onerror='top.hacked=1'> {{7*7}} \u202eevil\u202c " + "x" * 400
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2

# Runs in the frame's document: sizes, what is hidden, and the contrast of every word with the ground it stands on.
MEASURE = """
function measure(frame) {
  const doc = frame.contentDocument, win = frame.contentWindow, seen = [];
  const rgb = text => (text.match(/[0-9.]+/g) || []).map(Number);
  const luminance = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const c = rgb(win.getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const walker = doc.createTreeWalker(doc.body, NodeFilter.SHOW_TEXT);
  let lowest = 99, smallest = 99, words = '';
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || !element.offsetParent || !element.getClientRects().length) continue;
    const style = win.getComputedStyle(element);
    const [a, b] = [luminance(rgb(style.color)), luminance(ground(element))].sort((x, y) => x - y);
    lowest = Math.min(lowest, (b + .05) / (a + .05));
    smallest = Math.min(smallest, parseFloat(style.fontSize));
    words += node.data + ' ';
  }
  const card = doc.querySelector('.card').getBoundingClientRect();
  return {
    overflow: doc.documentElement.scrollWidth - doc.documentElement.clientWidth,
    outside: [...doc.querySelectorAll('.card td, .card th, .card bdi, .card span')].filter(e => e.getBoundingClientRect().right > card.right + 1)
      .map(e => e.className + ':' + e.textContent.slice(0, 40)),
    card: card.width, left: card.left, right: doc.documentElement.clientWidth - card.right,
    contrast: lowest, font: smallest, words: words.replace(/\\s+/g, ' '),
    ground: win.getComputedStyle(doc.querySelector('.card')).backgroundColor,
  };
}
addEventListener('load', () => {
  const result = {hacked: typeof hacked !== 'undefined'};
  for (const frame of document.querySelectorAll('iframe')) result[frame.id] = measure(frame);
  document.getElementById('result').textContent = JSON.stringify(result);
});
"""


def jobs() -> dict[str, tuple[NoticeKind, Any]]:
    waiting = message(MessageState.QUEUED, parts=())
    return {
        "result": (NoticeKind.RESULT, report()),
        "everything": (NoticeKind.RESULT, everything()),
        "many": (NoticeKind.RESULT, many(30, language="es")),
        "correction": (NoticeKind.CORRECTION, report(language="fr")),
        "accepted": (NoticeKind.ACCEPTED, report(waiting, message(MessageState.REJECTED, reason="stop-list"), settled_at=None)),
        "delayed": (NoticeKind.DELAYED, report(waiting, settled_at=None, language="fr")),
        "unknown": (NoticeKind.RESULT, report(message(MessageState.UNKNOWN, reason="link-lost"))),
        "hostile": (NoticeKind.RESULT, report(message(text=HOSTILE, given=HOSTILE), cost_centre=HOSTILE[:70], reference="x" * 60)),
        "long": (NoticeKind.RESULT, report(message(text=LONG_WORD), message(MessageState.FAILED, number="", given=LONG_WORD), language="de")),
    }  # fmt: skip


def mails() -> dict[str, Rendered]:
    renderer = Renderer()
    hostile = inbound(text=HOSTILE, keyword=HOSTILE, earlier=(came(HOSTILE), went(HOSTILE, by="x" * 90)))
    long = inbound(text=LONG_WORD, own_number=LONG_WORD, earlier=(went(LONG_WORD, by=LONG_WORD), came(LONG_WORD)))
    return {
        **{name: renderer.render(kind, job) for name, (kind, job) in jobs().items()},
        "inbound": renderer.render_inbound(*conversation()),
        "inbound-incomplete": renderer.render_inbound(*incomplete()),
        "inbound-late": renderer.render_inbound(*late()),
        "inbound-hostile": renderer.render_inbound(hostile, reader(name=HOSTILE)),
        "inbound-long": renderer.render_inbound(long, reader(name=LONG_WORD, language="de")),
    }


NAMES = (*jobs(), "inbound", "inbound-incomplete", "inbound-late", "inbound-hostile", "inbound-long")


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("chromium")
    frames = []
    for name, mail in mails().items():
        source = html_module.escape(mail.html)
        for width in (1000, 390):
            # A frame asks for the colours of the element that holds it.
            frames += [
                f'<iframe id="{name} {width} {scheme}" srcdoc="{source}" style="width:{width}px;height:9000px;border:0;color-scheme:{scheme}"></iframe>'
                for scheme in ("light", "dark")
            ]
    page = folder / "page.html"
    page.write_text(
        f"<!DOCTYPE html><meta charset=utf-8><script>{MEASURE}</script>{''.join(frames)}<pre id=result></pre>"
    )
    found = re.search(r'<pre id="result">(.*?)</pre>', open_page(page, "--dump-dom"), re.DOTALL)
    assert found is not None
    result: dict[str, Any] = json.loads(html_module.unescape(found[1]))
    return result


CASES = [f"{name} {width} {scheme}" for name in NAMES for width in (1000, 390) for scheme in ("light", "dark")]


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_wider_than_the_window(case, measured):
    assert (measured[case]["overflow"], measured[case]["outside"]) == (0, [])


@pytest.mark.parametrize("case", CASES)
def test_the_card_is_centred_and_as_wide_as_it_should_be(case, measured):
    one = measured[case]
    wide = "1000" in case
    assert one["card"] == pytest.approx(600 if wide else 390, abs=1)
    assert one["left"] == pytest.approx(one["right"], abs=1)


@pytest.mark.parametrize("case", CASES)
def test_every_word_can_be_read(case, measured):
    assert measured[case]["contrast"] >= 4.5
    assert measured[case]["font"] >= 12


@pytest.mark.parametrize("case", CASES)
def test_the_reader_sees_the_colours_that_the_system_asks_for(case, measured):
    assert measured[case]["ground"] == ("rgb(30, 36, 43)" if case.endswith("dark") else "rgb(255, 255, 255)")


def test_the_preview_line_is_not_seen_in_the_mail(measured):
    assert measured["result 1000 light"]["words"].count("Reported by the network") == 1


def test_what_the_text_holds_is_shown_and_does_nothing(measured):
    assert measured["hacked"] is False
    assert "<script>top.hacked=1</script>" in measured["hostile 1000 light"]["words"]
    for hostile in ("hostile 1000 light", "inbound-hostile 390 dark"):
        assert "{{7*7}} [U+202E]evil[U+202C]" in measured[hostile]["words"]
