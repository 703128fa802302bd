"""What attackers try at the portal beyond what the tests of each room play; docs/trust.md lists all of it."""

import csv
import io
import re
import zipfile
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from addressbook.rights import Role
from store.engine.statements import Insert
from store.inbound_tables import ConversationRow, InboundSmsRow
from tests.kit.portal_site import portal_site, text_of
from tests.kit.testbed import judge, make_house, open_core
from web.portal.page import CUSTOMER
from web.portal.pages import PAGES

SCRIPT = '<script>alert("x")</script>'
TRAP = f"\"'>{SCRIPT}{{{{ 7 * 191 }}}}${{7*191}}"
"""Markup, the ends of attributes, and what template languages would count as 1337."""
FORMULA = "=HYPERLINK(1+1)"
PHONE, OWN = "447700900123", "447700900999"
pytestmark = pytest.mark.usefixtures("kept_children")

_CONVERSATIONS, _SMS = Insert(ConversationRow), Insert(InboundSmsRow)


@pytest.fixture
def core(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    yield core
    core.database.close()


@pytest.fixture
async def site(core):
    async with portal_site(core) as running:
        yield running


async def fill_with(site, visitor, text):
    """Put a text wherever somebody may write one: by mail, by a phone, by forms and by the operator's commands."""
    at, core = f"/c/{site.customer()}", site.core
    await core.acceptance.keep(judge(core, "acme", f"Body {text}", subject=f"Subject {text}").plan)
    key, now = core.keys.take(), int(core.clock.now().timestamp() * 1_000_000)
    shared = {"phone": PHONE, "customer_key": site.customer()}
    facts = {"carrier": "alpha", "source": f"+{PHONE}", "destination": f"+{OWN}"}
    conversation = _CONVERSATIONS.row(key=key, own_number=OWN, used_at=now, **shared)
    sms = _SMS.row(
        key=core.keys.take(),
        public_id="I.attack",
        received_at=now,
        handled_at=now,
        conversation_key=key,
        body=f"SMS {text}",
        shown=f"SMS {text}",
        **facts,
        **shared,
    )

    def write(tx, rows):
        tx.insert(_CONVERSATIONS, [conversation])
        tx.insert(_SMS, [sms])
        return rows

    await core.database.write(write, None)
    for path, fields in (
        ("/accounts", {"address": "eve@example.com", "name": f"Name {text}", "role": "reports"}),
        ("/directory/users", {"address": "eve@acme.example.com", "name": f"Name {text}"}),
        ("/directory/profiles", {"name": f"Profile {text}"[:60]}),
        ("/interfaces/logins", {"login": f"login-{text}"[:60], "profile": "", "user": ""}),
        ("/support/new", {"subject": f"Help {text}", "text": f"Words {text}"}),
        ("/settings/-/cost_centre", {"say": "value", "value": text[:30], "seen": "yes"}),
        ("/inbound/stops", {"numbers": "+447700900456", "reason": f"Reason {text}"}),
        ("/send", {"numbers": f"+{PHONE}", "text": f"By hand {text}", "reference": f"Reference {text}"}),
    ):
        answer = await visitor.post(f"{at}{path}", fields)
        assert answer.status_code in {303, 422}, (path, answer.status_code)
        assert SCRIPT not in answer.text, path
        if location := answer.headers.get("location", ""):
            assert SCRIPT not in (await visitor.get(location.removeprefix("/portal"))).text
    table = b"number,name\n+447700900123,Ann\n"
    answer = await visitor.upload(f"{at}/send/table", {"text": "Hi"}, {"table": (f"file {text}.csv", table)})
    assert SCRIPT not in (await visitor.get(answer.headers["location"].removeprefix("/portal"))).text
    return key


async def test_markup_and_template_code_in_names_texts_subjects_and_file_names_stay_text_on_every_page(core, site):
    visitor, operator = await site.signed_in(), await site.signed_in(Role.OPERATOR)
    conversation = await fill_with(site, visitor, TRAP)
    at = f"/c/{site.customer()}"
    paths = [page.path.replace(CUSTOMER, at) for page in PAGES if page.methods == ("GET",)]
    paths = [path for path in paths if "{" not in path]
    (job,), (message,) = core.jobs(), core.messages()
    account = site.core.database.read_now(lambda tx: tx.value("SELECT max(account_key) FROM portal_membership"))
    request = site.core.database.read_now(lambda tx: tx.value("SELECT public_id FROM support_request"))
    user = core.book.current.directory.user("eve@acme.example.com")
    paths += [
        f"{at}/inbound/conversations/{conversation}",
        f"{at}/reports/job/{job.public_id}",
        f"{at}/reports/job/{message.public_id}",
        f"{at}/reports/received/I.attack",
        f"{at}/support/{request}",
        f"{at}/accounts/{account}",
        f"{at}/directory/users/{user.key}",
        f"{at}/settings/user/{user.key}",
        f"{at}/reports?user={TRAP}",
        f"{at}/directory?q={TRAP}",
        f"{at}/settings?user={TRAP}",
        f"{at}/interfaces?login={TRAP}",
    ]
    shown = 0
    for who in (visitor, operator):
        for path in paths:
            answer = await who.get(path)
            assert answer.status_code in {200, 303, 403, 404, 422}, path
            assert SCRIPT not in answer.text, path
            assert "1337" not in re.sub(r"\d{5,}", "", answer.text), path
            shown += "&lt;script&gt;" in answer.text
    assert shown > 12, "the text was shown where it was written"


async def test_a_file_of_users_stop_list_or_reports_has_no_formula(core, site):
    visitor = await site.signed_in()
    await fill_with(site, visitor, FORMULA)
    at = f"/c/{site.customer()}"
    for path in ("/reports/sent", "/reports/received/file", "/inbound/stops/file"):
        answer = await visitor.get(f"{at}{path}/csv?since=2020-01-01")
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
        assert len(rows) == 2, path
        assert not [cell for row in rows for cell in row if cell[:1] in "=+-@\t\r" and cell], path
        book = zipfile.ZipFile(io.BytesIO((await visitor.get(f"{at}{path}/xlsx?since=2020-01-01")).content))
        assert "<f>" not in book.read("xl/worksheets/sheet1.xml").decode(), path


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"number\n" + b"+" * 5_000_000, id="one line of five million characters"),
        pytest.param(b"number," + b"c," * 200_000 + b"\n", id="two hundred thousand columns"),
        pytest.param(b"PK\x03\x04" + b"\0" * 100_000, id="a broken archive"),
        pytest.param(b'number\n"' + b"\n" * 1_000_000, id="a quote that never ends"),
        pytest.param(b"number\n" + b"+447700900123\n" * 300_000, id="three hundred thousand rows"),
    ],
)
@pytest.mark.parametrize("path", ["/send/table", "/directory/import", "/inbound/stops/import"])
async def test_a_file_that_is_a_burden_is_answered_with_what_is_wrong(core, site, path, content):
    visitor = await site.signed_in()
    field = "table" if path == "/send/table" else "file"
    answer = await visitor.upload(f"/c/{site.customer()}{path}", {"text": "Hi"}, {field: ("a.csv", content)})
    assert answer.status_code in {200, 413, 422}
    assert core.jobs() == []
    assert (await visitor.get("/account")).status_code == 200


@cache
def bomb():
    """Return a workbook of 120 MB that is small when it is packed."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", b"<Types/>")
        book.writestr("xl/workbook.xml", b"<workbook/>")
        book.writestr("xl/worksheets/sheet1.xml", b" " * 120_000_000)
    return made.getvalue()


@pytest.mark.parametrize("path", ["/send/table", "/directory/import", "/inbound/stops/import"])
async def test_a_workbook_that_unpacks_to_more_than_is_taken_is_refused(site, path):
    visitor = await site.signed_in()
    field = "table" if path == "/send/table" else "file"
    answer = await visitor.upload(f"/c/{site.customer()}{path}", {"text": "Hi"}, {field: ("a.xlsx", bomb())})
    assert answer.status_code in {200, 422}
    assert re.search("too large when it is unpacked|is damaged", text_of(answer))


async def test_more_fields_than_a_form_has_are_refused(site):
    visitor = await site.signed_in()
    fields = {f"field{number}": "x" for number in range(5000)}
    answer = await visitor.post(f"/c/{site.customer()}/accounts", fields)
    assert answer.status_code in {400, 413}
    assert "Traceback" not in answer.text


async def test_a_page_may_run_no_script_but_ours_and_stands_in_no_frame(site):
    visitor = await site.signed_in()
    for path in ("/sign-in", f"/c/{site.customer()}/send", "/nothing"):
        headers = (await visitor.get(path)).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";") if part)
        assert policy["default-src"] == "'self'" or policy["default-src"] == "'none'", path
        assert "unsafe" not in headers["content-security-policy"], path
        assert policy["frame-ancestors"] in {"'none'", "'self'"}, path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


async def test_a_form_in_an_odd_coding_is_refused_and_nothing_breaks(site):
    visitor = await site.signed_in()
    path = f"/c/{site.customer()}/accounts"
    answer = await visitor.upload(path, {"address": "x@example.com"}, {"role": ("a" * 5000, b"\0\xff")})
    assert answer.status_code in {400, 422}
    for content_type in ("text/plain", "application/json", "multipart/form-data", "multipart/form-data; boundary="):
        answer = await visitor.post(path, {"address": "x@example.com"}, Content_Type=content_type)
        assert answer.status_code in {400, 415}, content_type
        assert "Traceback" not in text_of(answer)


NAMES = (
    "after",
    "before",
    "draft",
    "from",
    "look",
    "number",
    "page",
    "phone",
    "reference",
    "secret",
    "since",
    "user",
    "volume",
)


@pytest.mark.parametrize("value", ["9" * 19, "9" * 4400, "\0", "\u00b2"])
async def test_what_no_key_number_or_text_can_be_breaks_no_page(site, value):
    visitor = await site.signed_in(Role.OPERATOR)
    broken = []
    for page in PAGES:
        path = re.sub(r"\{\w+(:\w+)?\}", quote(value), page.path.replace("{customer:int}", str(site.customer())))
        fields = {name: value for name in NAMES if len(value) < 1000 or name in {"after", "from", "volume"}}
        asked = await (
            visitor.post(path, fields) if "POST" in page.methods else visitor.get(f"{path}?{urlencode(fields)}")
        )
        if asked.status_code >= 500:
            broken.append((page.path, page.methods, asked.status_code))
        visitor = await site.signed_in(Role.OPERATOR) if page.path == "/sign-out" else visitor
    assert broken == []


def test_each_attack_of_the_list_names_a_test_that_there_is():
    tests = Path(__file__).parents[1]
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", (tests.parent / "docs/portal.md").read_text("utf-8"))
    assert len(named) > 30
    for file, name in named:
        (found,) = tests.rglob(file)
        assert re.search(rf"^(async )?def {name}\(", found.read_text("utf-8"), re.MULTILINE), (file, name)
