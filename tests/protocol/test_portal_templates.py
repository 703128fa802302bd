"""The template editor of the portal: seen in frames that may do nothing, refused with a line, kept in versions."""

import json
import re
from xml.etree import ElementTree as ET

import pytest

from addressbook.rights import Role
from store.inbound_tables import ActionRow
from store.mail_rules_tables import TemplateVersionRow
from tests.kit.portal_site import portal_site, text_of
from tests.kit.received import came
from tests.kit.testbed import ANNA, make_house, open_core

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"x" * 50 + b"\0\0\0\0IEND\xaeB`\x82"
PAGE = "<!DOCTYPE html><html><head><title>x</title></head><body>{}</body></html>"
OWN = PAGE.format("<p>Ours: {{ m.headline }}</p>")

pytestmark = pytest.mark.usefixtures("kept_children")


@pytest.fixture
def core(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    yield core
    core.database.close()


@pytest.fixture
async def site(core):
    async with portal_site(core) as running:
        yield running


def room(site):
    return f"/c/{site.customer()}/templates"


async def work(visitor, path, source, do="preview", **fields):
    return await visitor.post(path, {"source": source, "do": do, **fields})


def frame_of(answer):
    """Return the address of the first frame of a page."""
    return re.findall(r'<iframe [^>]*src="/portal([^"]+)"', answer.text)[0].replace("&amp;", "&")


async def test_a_draft_is_seen_before_it_is_kept_and_changes_nothing(site):
    visitor = await site.signed_in()
    kept = await work(visitor, f"{room(site)}/result", OWN, language="de", sample="2")
    path = kept.headers["location"].removeprefix("/portal")
    page = await visitor.get(path)
    assert "not saved" in text_of(page)
    assert page.text.count("<iframe ") == page.text.count(" sandbox ") == 3
    frame = await visitor.get(frame_of(page))
    assert frame.text.startswith(PAGE[:15])
    assert "Ours: " in frame.text
    assert "Ours: " not in (await visitor.get(f"{room(site)}/result/frame")).text


async def test_a_frame_may_do_nothing(site):
    visitor = await site.signed_in()
    policy = (await visitor.get(f"{room(site)}/result/frame")).headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none';")
    assert "script" not in policy
    assert "frame-ancestors 'self'" in policy


@pytest.mark.parametrize("kind", ["accepted", "result", "correction", "delayed", "failure", "dry-run", "inbound"])
async def test_every_kind_is_shown_in_light_and_dark_and_in_another_language(site, kind):
    visitor = await site.signed_in()
    path = f"{room(site)}/{kind}/frame"
    english, german = await visitor.get(f"{path}?language=en"), await visitor.get(f"{path}?language=de")
    assert 'lang="de"' in german.text
    assert english.text != german.text
    dark = await visitor.get(f"{path}?language=en&dark=1")
    assert "prefers-color-scheme" not in english.text + dark.text
    assert "@media (max-width:0)" in english.text
    assert "@media (min-width:0)" in dark.text


async def test_a_template_is_saved_reset_and_put_back(site):
    visitor = await site.signed_in()
    path = f"{room(site)}/result"
    assert (await work(visitor, path, OWN, "save")).status_code == 303
    assert "Ours: " in (await visitor.get(f"{path}/frame")).text
    assert "own" in text_of(await visitor.get(room(site)))
    await visitor.post(f"{path}/reset")
    assert "Ours: " not in (await visitor.get(f"{path}/frame")).text
    assert (await visitor.post(f"{path}/restore", {"number": "1"})).status_code == 303
    assert "Ours: " in (await visitor.get(f"{path}/frame")).text
    assert text_of(await visitor.get(path)).count("Put back") == 2
    await visitor.post(f"{path}/restore", {"number": "2"})
    assert "Ours: " not in (await visitor.get(f"{path}/frame")).text
    assert (await visitor.post(f"{path}/restore", {"number": "x"})).status_code == 404


ATTACKS = {
    "unsafe": "<p>{{ ''.__class__.__mro__ }}</p>",
    "nothing is called": "<p>{{ config }}</p>",
    "line 3": "<p>\n\n{% if %}</p>",
    "<script> has no place": "<p>{{ m.job }}</p><script>alert(1)</script>",
    "travels with the mail": "<p>{{ m.job }}</p><img src='https://example.com/x.png' alt=''>",
    "cid:missing shows a graphic that is not there": "<p>{{ m.job }}</p><img src='cid:missing' alt=''>",
}


@pytest.mark.parametrize("said", ATTACKS)
async def test_what_a_template_must_not_do_is_refused_at_its_field_with_what_was_written_kept(site, said):
    visitor = await site.signed_in()
    source = PAGE.format(ATTACKS[said])
    answer = await work(visitor, f"{room(site)}/result", source, "save")
    assert answer.status_code == 422
    assert 'href="#f-source"' in answer.text
    assert said in text_of(answer).replace("&lt;", "<").replace("&gt;", ">")
    assert "<script>alert" not in answer.text
    assert (await visitor.get(room(site))).text.count(">own<") == 0


async def test_a_draft_that_is_broken_says_so_in_its_frame_as_text(site):
    visitor = await site.signed_in()
    kept = await work(visitor, f"{room(site)}/result", PAGE.format("{{ ''.__class__ }}<script>"))
    frame = await visitor.get(frame_of(await visitor.get(kept.headers["location"].removeprefix("/portal"))))
    assert frame.headers["content-type"].startswith("text/plain")


async def test_nobody_sees_the_draft_of_somebody_else(site):
    visitor, other = await site.signed_in(), await site.signed_in(address="other@example.com")
    kept = await work(visitor, f"{room(site)}/result", PAGE.format("<p>secret {{ m.job }}</p>"))
    path = kept.headers["location"].removeprefix("/portal")
    assert "secret" in (await visitor.get(path)).text
    assert "secret" not in (await other.get(path)).text


async def test_a_real_job_is_shown_to_who_may_see_reports(core, site):
    visitor = await site.signed_in(address=ANNA)
    answer = await visitor.post(
        f"/c/{site.customer()}/send", {"way": "numbers", "numbers": "+447700900101", "text": "real words"}
    )
    await visitor.post(answer.headers["location"].removeprefix("/portal"))
    (job,) = core.jobs()
    path = f"{room(site)}/accepted/frame?job={job.public_id}"
    assert "real words" in (await visitor.get(path)).text
    assert "real words" not in (await (await site.signed_in(Role.SETTINGS)).get(path)).text
    await site.administer("customer add foreign")
    foreign = f"/c/{site.customer('foreign')}/templates/accepted/frame?job={job.public_id}"
    assert "real words" not in (await (await site.signed_in(customer="foreign")).get(foreign)).text
    assert "no job of this id" in text_of(await visitor.get(f"{room(site)}/accepted?job=J.nothing"))


async def test_the_look_changes_without_code(site):
    visitor = await site.signed_in()
    await visitor.upload(f"{room(site)}/graphics", {"name": ""}, {"graphic": ("C:\\logo.png", PNG)})
    answer = await visitor.post(f"{room(site)}/look", {"logo": "logo.png", "accent": "#0a7d4b", "contact": "Desk"})
    assert answer.status_code == 303
    shown = (await visitor.get(f"{room(site)}/result/frame")).text
    assert "Desk" in shown
    assert "#0a7d4b" in shown
    wrong = await visitor.post(f"{room(site)}/look", {"accent": '"><script>'})
    assert wrong.status_code == 422
    assert 'id="e-accent"' in wrong.text
    assert "<script>&" not in wrong.text


async def test_a_graphic_that_is_none_is_refused_and_one_that_is_shown_stays(site):
    visitor = await site.signed_in()
    svg = await visitor.upload(f"{room(site)}/graphics", {}, {"graphic": ("x.svg", b"<svg onload='x'/>")})
    assert "it must be a whole PNG, JPEG or GIF" in text_of(svg)
    await visitor.upload(f"{room(site)}/graphics", {"name": "dot"}, {"graphic": ("dot.png", PNG)})
    picture = PAGE.format('<p>{{ m.job }}</p><img src="cid:dot" alt="">')
    assert (await work(visitor, f"{room(site)}/result", picture, "save")).status_code == 303
    assert "data:image/png;base64," in (await visitor.get(f"{room(site)}/result/frame")).text
    assert "change that first" in text_of(await visitor.post(f"{room(site)}/graphics/remove", {"name": "dot"}))


async def test_a_push_is_written_with_its_form_and_seen_as_text(site):
    visitor = await site.signed_in()
    path = f"{room(site)}/push"
    frame = await visitor.get(f"{path}/frame")
    assert frame.headers["content-type"].startswith("text/plain")
    assert frame.text.startswith("POST …\nContent-Type: application/json\n")
    begun = await work(visitor, path, "", "standard", push_form="xml")
    assert "&lt;?xml" in (await visitor.get(begun.headers["location"].removeprefix("/portal"))).text
    broken = await work(visitor, path, "{{ jobId", "save", push_form="json")
    assert broken.status_code == 422
    assert (await work(visitor, path, '{"job": {{ jobId }}}', "save", push_form="json")).status_code == 303
    assert '{"job": "J.' in (await visitor.get(f"{path}/frame")).text
    assert (await work(visitor, path, "x", push_form="exe")).status_code == 400


async def test_what_is_not_contracted_and_whose_profile_there_is_not_are_not_there(site):
    visitor = await site.signed_in()
    assert (await visitor.get(f"{room(site)}/inbound?profile=ops")).status_code == 200
    assert (await visitor.get(f"{room(site)}/inbound?profile=nobody")).status_code == 404
    assert (await visitor.get(f"{room(site)}/alert")).status_code == 404
    await site.administer("customer option acme --remove sms2mail --remove push")
    for kind in ("inbound", "push"):
        assert (await visitor.get(f"{room(site)}/{kind}")).status_code == 404
        assert (await visitor.get(f"{room(site)}/{kind}/frame")).status_code == 404


LOUD = '{"from": {{ src }}, "said": {{ text }}, "by": {{ pushId }}}'


async def acted(site, *more):
    """Have an action push inbound SMS; returns the path of its template, and its query."""
    await site.administer(
        "customer option acme --add application",
        "action add orders --customer acme --kind push url=https://app.example.com/sms?key=s3cret",
        *more,
    )
    return f"{room(site)}/inbound-push", "of_action=orders"


async def test_the_push_of_an_action_is_seen_as_it_goes_out_without_its_secrets(site):
    path, whose = await acted(
        site, "action set orders --customer acme form=soap header.x-key=s3cret header.content-type=text/s3cret"
    )
    visitor = await site.signed_in(Role.READ_ONLY)
    assert f"/inbound-push?{whose}" in (await visitor.get(room(site))).text
    frame = await visitor.get(frame_of(await visitor.get(f"{path}?{whose}")))
    assert frame.headers["content-type"].startswith("text/plain")
    head, _, body = frame.text.partition("\n\n")
    first, *headers = head.splitlines()
    assert first == "POST https://app.example.com/sms?…"
    assert sorted(headers) == [
        'SOAPAction: ""',
        "content-type: …",
        "webhook-id: …",
        "webhook-signature: …",
        "webhook-timestamp: …",
        "x-key: …",
    ]
    assert "Envelope" in body
    assert "s3cret" not in (await visitor.get(f"{path}?{whose}")).text
    assert (await visitor.post(path, {"of_action": "orders", "source": LOUD, "do": "save"})).status_code == 403


async def test_the_push_of_an_action_is_written_with_its_form_refused_with_a_line_and_put_back(core, site):
    path, whose = await acted(site, "action set orders --customer acme method=PUT header.x-key=s3cret")
    visitor = await site.signed_in()
    mine = {"of_action": "orders"}

    async def shown():
        return (await visitor.get(f"{path}/frame?{whose}")).text

    begun = await work(visitor, path, "", "standard", push_form="json", **mine)
    assert "smsId" in (await visitor.get(begun.headers["location"].removeprefix("/portal"))).text
    assert "<smsId>" in (before := await shown())
    broken = await work(visitor, path, '{"a": 1,\n"b": {{ nothing }}}', "save", push_form="json", **mine)
    assert broken.status_code == 422
    assert "line 2" in text_of(broken)
    assert (await work(visitor, path, LOUD, "save", push_form="json", **mine)).status_code == 303
    assert "Content-Type: application/json" in await shown()
    assert '{"from": "+447700900123", "said": ' in await shown()
    (kept,) = core.stored(ActionRow)
    assert '"form":"json"' in kept.settings
    page = text_of(await visitor.get(f"{path}?{whose}"))
    assert page.count("Put back") == 1
    assert (await visitor.post(f"{path}/restore", {"number": "1", **mine})).status_code == 303
    assert await shown() == before
    assert (await visitor.post(f"{path}/restore", {"number": "2", **mine})).status_code == 303
    await visitor.post(f"{path}/reset", mine)
    assert "Content-Type: application/json" in await shown()
    assert '{"from": ' not in await shown()
    assert (await shown()).startswith("PUT https://app.example.com/sms")
    assert "x-key: " in await shown()
    assert text_of(await visitor.get(f"{path}?{whose}")).count("Put back") == 4


async def test_the_form_of_a_push_with_an_own_template_changes_with_its_template_alone(site):
    path, _ = await acted(site)
    visitor, rules = await site.signed_in(), f"/c/{site.customer()}/inbound/rules/action"
    assert 'name="form"' in (await visitor.get(f"{rules}?name=orders")).text
    await work(visitor, path, LOUD, "save", push_form="json", of_action="orders")
    shown = await visitor.get(f"{rules}?name=orders")
    assert 'name="form"' not in shown.text
    assert "/inbound-push?of_action=orders" in shown.text
    await visitor.post(rules, {"before": "orders", "form": "xml", "active": "yes", "number": "all"})
    assert '{"from": ' in (await visitor.get(f"{path}/frame?of_action=orders")).text


async def test_only_the_own_actions_that_push_have_templates_of_pushes(site):
    path, whose = await acted(site)
    await site.administer("action add noted --customer acme --kind mail addresses=anna@example.com")
    await site.administer("customer add foreign", "customer option foreign --add application")
    visitor, foreign = await site.signed_in(), await site.signed_in(customer="foreign")
    for name in ("", "noted", "nobody", "Stop"):
        assert (await visitor.get(f"{path}?of_action={name}")).status_code == 404
    assert (await visitor.get(f"{path}?{whose}&profile=ops")).status_code == 404
    elsewhere = path.replace(str(site.customer()), str(site.customer("foreign")))
    for place in (f"{elsewhere}?{whose}", f"{elsewhere}/frame?{whose}"):
        assert (await foreign.get(place)).status_code == 404
    await site.administer("action remove orders --customer acme")
    assert (await visitor.get(f"{path}?{whose}")).status_code == 404
    await site.administer("customer option acme --remove application")
    assert (await visitor.get(f"{path}?{whose}")).status_code == 404


async def test_versions_of_an_action_are_those_that_commands_made_too_and_go_with_it(core, site, tmp_path):
    own = tmp_path / "own"
    own.write_text(LOUD)
    path, whose = await acted(site, f"action set orders --customer acme form=json --template-file {own}")
    visitor = await site.signed_in()
    assert text_of(await visitor.get(f"{path}?{whose}")).count("Put back") == 1
    await site.administer("action set orders --customer acme method=PUT")
    assert text_of(await visitor.get(f"{path}?{whose}")).count("Put back") == 1
    assert len(core.stored(TemplateVersionRow)) == 2
    await site.administer("action remove orders --customer acme")
    assert core.stored(TemplateVersionRow) == []


async def sms(site, text, **more):
    """Store an SMS that came; returns its id."""
    return "I." + (await came(site, text, **more)).rpartition("/")[2]


NASTY = 'real "words"\n</text>]]> & {{ src }} \\'


async def test_a_received_sms_is_shown_in_its_mail_and_its_push_as_they_would_be(site):
    path, whose = await acted(site)
    visitor, name = await site.signed_in(), await sms(site, NASTY)
    page = await visitor.get(f"{room(site)}/inbound")
    assert f'value="{name}"' in page.text
    mail = await visitor.get(f"{room(site)}/inbound/frame?sms={name}&language=de")
    assert "real &#34;words&#34;" in mail.text
    assert "{{ src }}" in mail.text
    assert 'lang="de"' in mail.text
    kept = await work(visitor, path, LOUD, push_form="json", of_action="orders", sms=name)
    page = await visitor.get(kept.headers["location"].removeprefix("/portal"))
    assert f'value="{name}" selected' in page.text
    push = await visitor.get(frame_of(page))
    assert json.loads(push.text.partition("\n\n")[2]) == {"from": "+447700900123", "said": NASTY, "by": "IP_1"}
    standard = (await visitor.get(f"{path}/frame?{whose}&sms={name}")).text.partition("\n\n")[2]
    assert ET.fromstring(standard).findtext("text") == NASTY


async def test_a_received_sms_is_shown_to_nobody_who_may_not_see_it(site):
    path, whose = await acted(site)
    await site.administer("customer add foreign")
    mine, foreign = await sms(site, "real words"), await sms(site, "of a stranger", customer="foreign")
    reader, author = await site.signed_in(), await site.signed_in(Role.SETTINGS)
    for place in (f"{room(site)}/inbound?", f"{room(site)}/inbound/frame?", f"{path}?{whose}", f"{path}/frame?{whose}"):
        assert (await reader.get(f"{place}&sms={mine}")).status_code == 200
        assert (await author.get(f"{place}&sms={mine}")).status_code == 404
        assert (await reader.get(f"{place}&sms={foreign}")).status_code == 404
        assert (await reader.get(f"{place}&sms=I.nothing")).status_code == 404
    shown = (await author.get(f"{room(site)}/inbound")).text
    assert mine not in shown
    assert 'name="sms"' not in shown
    assert foreign not in (await reader.get(f"{room(site)}/inbound")).text
    # Status mails have none.
    assert "real words" not in (await reader.get(f"{room(site)}/result/frame?sms={mine}")).text
