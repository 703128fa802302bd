"""The demo's page in a real browser: it shows, sends and takes over what is new; at each width and in each colour."""

import asyncio
import smtplib

import pytest

from cli.demo_desk import DemoDesk
from mta.sandbox import Sandbox
from smpp.simulator.simulator import Simulator
from templates.pages import Pages
from tests.kit.clock import Clock
from tests.kit.patience import PATIENCE
from tests.kit.running_demo import running_demo
from tests.peers.chromium import browser
from web.demo import demo_routes
from web.server import HttpServer

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3


@pytest.fixture(scope="module")
def demo():
    with running_demo("--port", "0") as running:
        running.post("/sms", phone="+447700900123", text=LONG)
        yield running


@pytest.fixture(scope="module")
def page(demo, tmp_path_factory):
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def test_an_sms_typed_on_the_page_comes_back_as_a_mail_without_a_reload(demo, page):
    page.show(width=1200, height=900)
    page.go(demo.address)
    page.value("window.same = true")
    page.until("document.querySelector('#sms').innerText.includes('Pump 7 in hall 2')")
    page.until("document.querySelector('.mail.sent .answer').textContent.startsWith('250')")
    page.value("document.querySelector('#sms-text').value = 'From the browser <b>'")
    page.value("document.querySelector('.typing button').click()")
    page.until("document.querySelector('#sms li:last-child .bubble').textContent === 'From the browser <b>'")
    page.until(
        "document.querySelector('.mail[open] iframe')?.contentDocument?.body?.innerText.includes('From the browser <b>')"
    )
    assert page.value("window.same")
    assert page.value("document.querySelector('#sms-text').value") == ""


def test_a_mail_written_on_the_page_is_seen_on_the_phone_and_its_status_beside_it(demo, page):
    page.show(width=1200, height=900)
    page.go(demo.address)
    page.value("document.querySelector('#mail-text').value = 'From the form'")
    page.value("document.querySelector('form[action=\"/mails\"] button').click()")
    page.until("[...document.querySelectorAll('.bubble')].some(bubble => bubble.textContent === 'From the form')")
    page.until(
        "document.querySelector('.mail[open] iframe')?.contentDocument?.body?.innerText.includes('From the form')"
    )


def test_what_is_refused_is_said_beside_the_button(demo, page):
    page.show(width=1200, height=900)
    page.go(demo.address)
    page.value(
        "document.querySelector('#to').value = 'nobody'; document.querySelector('form[action=\"/mails\"] button').click()"
    )
    page.until(
        "document.querySelector('form[action=\"/mails\"] output').textContent.includes('is no number to send to')"
    )


@pytest.mark.slow
def test_the_page_works_without_scripts_by_reload(demo, page):
    page.show(width=1200, height=900, scripts=False)
    page.go(demo.address)
    assert "Pump 7 in hall 2" in demo.get().text
    page.show(width=1200, height=900)
    page.value("document.querySelector('#sms-text').value = 'Without a script'")
    page.value("HTMLFormElement.prototype.submit.call(document.querySelector('.typing'))")
    page.until("document.readyState === 'complete' && document.body.innerText.includes('Without a script')")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_is_wider_than_the_window_and_every_word_can_be_read(width, dark, demo, page):
    page.show(width=width, height=850, dark=dark)
    page.go(demo.address)
    page.until("document.querySelectorAll('.mail iframe').length > 0")
    page.value("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert page.value(LOWEST_CONTRAST) >= 4.5
    frame = "document.querySelector('.mail iframe').contentDocument.body"
    assert page.value(f"getComputedStyle({frame}).backgroundColor") == (
        "rgb(20, 24, 29)" if dark else "rgb(242, 244, 247)"
    )


def test_nothing_of_it_all_broke_the_content_policy_or_a_script(demo, page):
    page.show(width=1200, height=900)
    page.go(demo.address)
    page.until("document.querySelectorAll('.mail iframe').length > 0")
    assert [line for line in page.console if demo.address in line and "422" not in line] == []


LOWEST_CONTRAST = """(() => {
  const rgb = text => (text.match(/[0-9.]+/g) || []).map(Number);
  const luminance = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return rgb(getComputedStyle(document.body).backgroundColor);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let lowest = 99;
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || !element.offsetParent) continue;
    const [a, b] = [luminance(rgb(getComputedStyle(element).color)), luminance(ground(element))].sort((x, y) => x - y);
    lowest = Math.min(lowest, (b + .05) / (a + .05));
  }
  return lowest;
})()"""


async def test_the_html_of_a_foreign_mail_runs_nothing_loads_nothing_and_leads_nowhere(page):
    asked: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def listen(reader, writer) -> None:
        writers.append(writer)
        asked.append(await reader.read(100))  # empty where Chromium connects in advance and then may not ask
        writer.close()

    outside = await asyncio.start_server(listen, "127.0.0.1")
    there = f"http://127.0.0.1:{outside.sockets[0].getsockname()[1]}/"
    html = HOSTILE_HTML.replace("THERE", there)
    with Sandbox(offer_tls=False) as box:
        desk = DemoDesk(sandbox=Simulator(accounts={}, clock=Clock()), box=box, port=0, password="")
        server = HttpServer(demo_routes(desk, Pages().render, Pages().read))
        await server.start()
        with smtplib.SMTP(box.host, box.port, timeout=PATIENCE) as client:
            client.sendmail(
                "x@example.com", ["anna@example.com"], f"Subject: x\r\nContent-Type: text/html\r\n\r\n{html}"
            )

        def look() -> None:
            page.show(width=1200, height=900)
            page.go(f"http://127.0.0.1:{server.port}/")
            page.until("document.querySelector('iframe')?.contentDocument?.body?.innerText.includes('The last words')")
            assert page.value("typeof window.hacked === 'undefined' && typeof frames[0].hacked === 'undefined'")
            for clicked in ("button", "a"):
                page.value(f"document.querySelector('iframe').contentDocument.querySelector('{clicked}').click()")
            page.value("fetch('/').then(answer => answer.text())")  # what was begun before has reached the network
            assert page.value("location.pathname") == "/"
            page.go("about:blank#done")

        await asyncio.to_thread(look)
        await server.stop(0)
    outside.close()
    for writer in writers:
        writer.close()
    assert set(asked) <= {b""}


HOSTILE_HTML = """<html><head><meta http-equiv="refresh" content="0;url=THERE"><link rel="stylesheet" href="THERE">
<link rel="preload" as="image" href="THERE"><base href="THERE"><style>body { background: url(THERE) } @import 'THERE';</style></head>
<body onload="top.hacked=1"><script>top.hacked=1</script><img src="THERE" onerror="top.hacked=1"><iframe src="THERE"></iframe>
<svg><script>top.hacked=1</script></svg><object data="THERE"></object><video src="THERE" autoplay></video>
<a href="THERE" target="_top">go</a><form action="THERE"><button>send</button></form><p>The last words</p></body></html>"""
