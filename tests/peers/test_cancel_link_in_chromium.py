"""The link that takes a scheduled SMS back, as a browser reads it out of a status mail."""

import re
from datetime import timedelta
from urllib.parse import unquote

from sms.lifecycle import MessageState
from sms.report import NoticeKind
from templates.render import Renderer
from tests.kit.status_samples import ACCEPTED_AT, message, part, report
from tests.peers.chromium import open_page


def test_a_browser_reads_the_link_as_it_was_written(tmp_path):
    waiting = message(
        MessageState.QUEUED, parts=(part(state=MessageState.QUEUED),), due_at=ACCEPTED_AT + timedelta(days=1)
    )
    job = report(waiting, settled_at=None)
    mail = Renderer().render(NoticeKind.ACCEPTED, job)
    read = "<script>for (const a of document.links) document.body.append('READ ' + a.protocol + ' ' + a.href + ' END')</script>"
    page = tmp_path / "mail.html"
    page.write_text(mail.html.replace("</body>", f"{read}</body>"), "utf-8")
    (found,) = re.findall(r"READ (\S+) (\S+) END", open_page(page, "--dump-dom").split("</script>")[-1])
    protocol, link = found
    address, _, subject = link.removeprefix("mailto:").partition("?")
    assert protocol == "mailto:"
    assert unquote(address) == job.cancel_address
    assert "+" not in link  # some programs take it for a blank
    assert unquote(subject) == f"subject=cancel {job.public_id}"
