"""Support requests, declarations and the operator's room in the portal: who sees them, and what follows from a form."""

import os
import re

import pytest

from addressbook.rights import Role
from store.leases import Leases, NodeLeaseRequest
from tests.kit.portal_site import portal_site, text_of
from tests.kit.testbed import judge, make_house, open_core

TEXT = "# Consent of staff\n\nThe works council <b>agrees</b>."


@pytest.fixture
def core(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    yield core
    core.database.close()


@pytest.fixture
async def site(core):
    async with portal_site(core) as running:
        await running.administer("customer add foreign")
        yield running


def location(answer):
    assert answer.status_code == 303, text_of(answer)
    return answer.headers["location"].removeprefix("/portal")


async def test_a_request_is_opened_answered_by_the_desk_and_seen_by_no_other_customer(core, site):
    kept = await core.acceptance.keep(judge(core, "acme", "Secret words").plan)
    customer, desk = await site.signed_in(), await site.signed_in(Role.OPERATOR)
    room = f"/c/{site.customer()}/support"
    assert "Nobody has asked for help yet" in text_of(await customer.get(room))
    asked = {"subject": "<i>No</i> SMS", "text": "Nothing\narrives.", "job": kept.job_id}
    one = location(await customer.post(f"{room}/new", asked))
    page = await customer.get(one)
    assert "&lt;i&gt;No&lt;/i&gt; SMS" in page.text
    assert kept.job_id in text_of(page)
    request = one.rpartition("/")[2]
    foreign = await site.signed_in(customer="foreign")
    assert (await foreign.get(f"/c/{site.customer('foreign')}/support/{request}")).status_code == 404
    answer = {"text": "Which number?"}
    assert (await foreign.post(f"/c/{site.customer('foreign')}/support/{request}", answer)).status_code == 404
    assert "acme" in text_of(await desk.get("/operator/support"))
    location(await desk.post(f"/operator/support/{request}", answer))
    page = text_of(await customer.get(one))
    assert "Which number?" in page
    assert "waits for the customer" in page
    location(await customer.post(f"{one}/close", {"state": "closed"}))
    assert "closed" in text_of(await customer.get(room))
    assert (await customer.post(one, {"text": "Again"})).status_code == 422


async def test_a_request_without_words_or_about_the_job_of_others_is_told_at_its_field(core, site):
    kept = await core.acceptance.keep(judge(core, "acme").plan)
    foreign = await site.signed_in(customer="foreign")
    path = f"/c/{site.customer('foreign')}/support/new"
    answer = await foreign.post(path, {"subject": "", "text": "Help"})
    assert (answer.status_code, 'href="#f-subject"' in answer.text) == (422, True)
    answer = await foreign.post(path, {"subject": "Mine", "text": "Help", "job": kept.job_id})
    assert (answer.status_code, 'href="#f-job"' in answer.text) == (422, True)
    assert "Help" in answer.text


async def test_a_declaration_is_confirmed_by_an_administrator_who_ticks_the_box(core, site, tmp_path):
    file = tmp_path / "consent.md"
    file.write_text(TEXT, "utf-8")
    await site.administer(f"declaration add consent --text en={file} --customer acme --suspend")
    administrator, reader = await site.signed_in(), await site.signed_in(Role.REPORTS)
    room = f"/c/{site.customer()}/declarations"
    assert (await reader.get(room)).status_code == 403
    page = await administrator.get(room)
    assert "Consent of staff" in text_of(page)
    one = page.text.partition(f'href="/portal{room}/')[2].partition('"')[0]
    page = await administrator.get(f"{room}/{one}")
    assert "The works council &lt;b&gt;agrees&lt;/b&gt;." in page.text
    assert (await administrator.post(f"{room}/{one}")).status_code == 422
    assert location(await administrator.post(f"{room}/{one}", {"agreed": "yes"})) == room
    page = text_of(await administrator.get(room))
    assert "Consent of staff confirmed" in page
    assert "administrator.acme@example.com ," in page
    foreign = await site.signed_in(customer="foreign")
    assert (await foreign.get(f"/c/{site.customer('foreign')}/declarations/{one}")).status_code == 404


async def test_the_health_page_says_who_serves_where_it_listens_and_what_each_directory_was_read_for(
    core, site, tmp_path
):
    folder = tmp_path / "staff"
    folder.mkdir()
    (folder / "staff-20261101.csv").write_text("e-mail,name\nkim@acme.example.com,Kim\nlou@acme.example.com,Lou\n")
    operator = await site.signed_in(Role.OPERATOR)
    await site.administer(f"dirsync add staff --customer acme --kind folder folder={folder} every=60")
    assert "acme staff 0 never read" in text_of(await operator.get("/operator"))
    await site.administer("dirsync run staff --customer acme")
    page = text_of(await operator.get("/operator"))
    assert re.search(r"acme staff 2 applied [^/]+ 2 users added .*\b20\d\d", page)
    await site.administer("dirsync set staff --customer acme active=off")
    (folder / "staff-20261102.csv").write_text("e-mail,name\nkim@acme.example.com,Kim\nlou@foreign.example,Lou\n")
    await site.administer("dirsync run staff --customer acme")
    page = text_of(await operator.get("/operator"))
    assert "1 entry left out switched off" in page
    (listener,) = core.config.listeners
    assert f"{listener.name} SMTP {listener.address} none" in page
    assert "127.0.0.1:8080" in page
    assert f"This page comes from process {os.getpid()}" in page
    assert "this process alone" in page


async def test_the_health_page_names_each_node_that_shares_the_database(core, site):
    lease = NodeLeaseRequest(owner="two.example.net/2/1a2b3c4d", node=2)
    assert await core.database.write(Leases().acquire, lease)
    page = text_of(await (await site.signed_in(Role.OPERATOR)).get("/operator"))
    assert "Node 2 two.example.net/2/1a2b3c4d" in page
    assert "this process alone" not in page


async def test_the_operator_holds_and_ends_a_whole_job_by_its_id_and_sees_how_many_are_not_shown(core, site):
    numbers = [f"+447700900{at:03}" for at in range(101)]
    kept = await core.acceptance.keep(judge(core, "acme", to=numbers).plan)
    operator = await site.signed_in(Role.OPERATOR)
    page = text_of(await operator.get("/operator/queue"))
    assert "The first 100 are shown" in page
    assert page.count(kept.job_id) == 100
    location(await operator.post("/operator/queue", {"act": "hold", "name": kept.job_id}))
    assert {message.held for message in core.messages()} == {True}
    location(await operator.post("/operator/queue", {"act": "delete", "name": f" {kept.job_id} "}))
    assert {message.state for message in core.messages()} == {"cancelled"}


async def test_the_operator_sees_what_waits_and_why_and_holds_and_releases_it(core, site):
    await core.acceptance.keep(judge(core, "acme").plan)
    operator = await site.signed_in(Role.OPERATOR)
    health = text_of(await operator.get("/operator"))
    assert "How the gateway is" in health
    assert "1 SMS wait" in health
    page = await operator.get("/operator/queue")
    assert "until a carrier takes it" in text_of(page)
    assert "+447700…01" in text_of(page)
    message = re.findall(r'name="name" value="(S[^"]+)"', page.text)[0]
    location(await operator.post("/operator/queue", {"act": "hold", "name": message}))
    assert "held" in text_of(await operator.get("/operator/queue"))
    location(await operator.post("/operator/queue", {"act": "release", "name": message}))
    location(await operator.post("/operator/queue", {"act": "delete", "name": message}))
    assert "No SMS waits." in text_of(await operator.get("/operator/queue"))
    assert (await operator.post("/operator/queue", {"act": "hold", "name": "nothing"})).status_code == 422
    assert (await operator.post("/operator/queue", {"act": "drop", "name": message})).status_code == 400


async def test_the_operator_looks_first_and_then_gives_what_waits_to_another_carrier(core, site):
    kept = await core.acceptance.keep(judge(core, "acme", to=("+447700900101", "+447700900102")).plan)
    strand = "UPDATE message SET route = CASE number WHEN '447700900101' THEN 'gone' ELSE '-' END"
    await core.database.write(lambda tx, _: [tx.execute(strand)], None)
    operator = await site.signed_in(Role.OPERATOR)
    assert 'href="/portal/operator/queue/reroute"' in (await operator.get("/operator/queue")).text
    (carrier,) = (one.name for one in core.config.carriers)
    asked = f"/operator/queue/reroute?to={carrier}"
    assert "Choose which SMS" in text_of(await operator.get(asked))
    assert "There is no customer “nobody”." in text_of(await operator.get(f"{asked}&customer=nobody"))
    assert "No such SMS waits." in text_of(await operator.get(f"{asked}&country=FR"))
    looked = text_of(await operator.get(f"{asked}&customer=acme"))
    assert f"1 SMS of gone go by {carrier}." in looked
    assert f"1 SMS of - go by {carrier}." in looked
    assert f"Give 2 SMS to {carrier}" in looked
    assert {row.route for row in core.messages()} == {"gone", "-"}
    assert (await operator.post("/operator/queue/reroute", {"to": carrier, "country": "XX"})).status_code == 422
    assert location(await operator.post("/operator/queue/reroute", {"to": carrier, "customer": "acme"})) == (
        "/operator/queue"
    )
    assert {row.route for row in core.messages()} == {carrier}
    looked = text_of(await operator.get(f"{asked}&name={kept.job_id}"))
    assert "2 SMS stay: they are on this route already." in looked
    customer = await site.signed_in()
    told = text_of(await customer.get(f"/c/{site.customer()}/reports/job/{kept.job_id}"))
    assert "given to another carrier" in told
    assert "gone" not in told


async def test_the_operator_suspends_a_customer_with_a_reason_and_resumes_it(core, site):
    operator = await site.signed_in(Role.OPERATOR)
    one = f"/operator/customers/{site.customer()}"
    assert (await operator.post(f"{one}/suspend", {"reason": ""})).status_code == 422
    assert (await operator.post(f"{one}/suspend", {"reason": "unpaid", "hours": "soon"})).status_code == 422
    assert judge(core, "acme").refused is None
    location(await operator.post(f"{one}/suspend", {"reason": "unpaid", "hours": "2"}))
    assert "unpaid" in judge(core, "acme").refused.detail
    assert "suspended" in text_of(await operator.get("/operator/customers"))
    own = await site.signed_in()
    assert "since you are suspended: unpaid" in text_of(await own.get(f"/c/{site.customer()}"))
    assert "everything since" in text_of(await operator.get(one))
    location(await operator.post(f"{one}/resume"))
    assert judge(core, "acme").refused is None
    assert (await operator.post(f"{one}/resume")).status_code == 422


async def test_every_page_of_the_operator_speaks_every_language(core, site):
    await core.acceptance.keep(judge(core, "acme").plan)
    operator = await site.signed_in(Role.OPERATOR)
    for language in ("en", "de", "fr", "es"):
        for path in ("", "/queue", "/customers", f"/customers/{site.customer()}", "/support"):
            answer = await operator.get(f"/operator{path}", Accept_Language=language)
            assert answer.status_code == 200, (path, language)
            assert f'<html lang="{language}">' in answer.text
