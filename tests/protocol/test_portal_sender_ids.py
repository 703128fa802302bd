"""Registrations of sender IDs in the portal: what a country asks for is shown, and each sees only its own."""

import pytest

from addressbook.rights import Role
from countries.judge import Registration
from sms.number import parse_sender_id
from sms.settings import UseCase
from tests.kit.portal_site import portal_site, text_of
from tests.kit.testbed import make_house, open_core

PDF = b"%PDF-1.7\n%%EOF\n"
ASKED = {"country": "QA", "kind": "name", "value": "Acme", "company": "Acme plc", "samples": "Your code\n\nYour parcel"}


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


async def test_a_name_goes_from_its_request_to_its_approval(core, site):
    customer, desk = await site.signed_in(), await site.signed_in(Role.OPERATOR)
    room = f"/c/{site.customer()}/sender-ids"
    assert "No sender ID is registered" in text_of(await customer.get(room))
    page = text_of(await customer.get(f"{room}/new?country=QA"))
    assert "What is asked for in Qatar" in page
    assert "a letter of authorisation" in page
    one = location(await customer.post(f"{room}/new", ASKED))
    page = text_of(await customer.get(one))
    assert "Still missing: a letter of authorisation" in page
    answer = await customer.post(one, {"step": "submit"})
    assert answer.status_code == 422
    assert "Still missing: a letter of authorisation" in text_of(answer)
    location(await customer.upload(f"{one}/papers", {"letter": "yes"}, {"paper": ("letter.pdf", PDF)}))
    location(await customer.post(one, {"step": "submit"}))
    assert "submitted" in text_of(await customer.get(room))
    asked = f"/operator/sender-ids/{one.rpartition('/')[2]}"
    assert "acme" in text_of(await desk.get("/operator/sender-ids"))
    assert "Your parcel" in text_of(await desk.get(asked))
    answer = await desk.post(asked, {"step": "approve", "until": "yesterday"})
    assert (answer.status_code, 'href="#f-until"' in answer.text) == (422, True)
    location(await desk.post(asked, {"step": "approve", "until": "2099-12-31"}))
    page = text_of(await customer.get(one))
    assert "approved" in page
    assert "2099-12-31" in page
    found = core.book.current.registrations.find(
        site.customer(), parse_sender_id("Acme"), "QA", UseCase.TRANSACTIONAL, core.clock.now().date()
    )
    assert found is Registration.OWN
    location(await customer.post(one, {"step": "ask-renewal"}))
    assert "renewal asked for" in text_of(await desk.get("/operator/sender-ids"))
    location(await customer.post(one, {"step": "withdraw"}))
    assert "withdrawn" in text_of(await customer.get(one))


async def test_others_see_neither_a_registration_nor_its_papers(core, site):
    customer, foreign = await site.signed_in(), await site.signed_in(customer="foreign")
    one = location(await customer.post(f"/c/{site.customer()}/sender-ids/new", ASKED))
    location(await customer.upload(f"{one}/papers", {}, {"paper": ("letter.pdf", PDF)}))
    theirs = f"/c/{site.customer('foreign')}/sender-ids/{one.rpartition('/')[2]}"
    for path in (theirs, f"{theirs}/papers/letter.pdf", "/operator/sender-ids"):
        assert (await foreign.get(path)).status_code in {403, 404}
    for step in ("submit", "withdraw", "edit", "ask-renewal"):
        assert (await foreign.post(theirs, {**ASKED, "step": step})).status_code == 404
    assert (await foreign.upload(f"{theirs}/papers", {}, {"paper": ("a.pdf", PDF)})).status_code == 404
    assert (await foreign.post(f"{theirs}/papers/remove", {"name": "letter.pdf"})).status_code == 404
    assert "draft" in text_of(await customer.get(one))


async def test_a_customer_approves_nothing_itself(core, site):
    customer = await site.signed_in()
    one = location(await customer.post(f"/c/{site.customer()}/sender-ids/new", {**ASKED, "country": "ES"}))
    location(await customer.post(one, {"step": "submit"}))
    for step in ("approve", "renew", "refuse", "drop"):
        assert (await customer.post(one, {"step": step, "reason": "x"})).status_code == 404
    assert "submitted" in text_of(await customer.get(one))


async def test_a_paper_is_served_as_an_attachment_alone(core, site):
    customer = await site.signed_in()
    one = location(await customer.post(f"/c/{site.customer()}/sender-ids/new", ASKED))
    location(await customer.upload(f"{one}/papers", {}, {"paper": ("Vollmacht für Acme.pdf", PDF)}))
    answer = await customer.get(f"{one}/papers/Vollmacht%20f%C3%BCr%20Acme.pdf")
    assert answer.content == PDF
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''Vollmacht%20f%C3%BCr%20Acme.pdf"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "application/pdf"
    answer = await customer.upload(f"{one}/papers", {}, {"paper": ("page.pdf", b"<script>")})
    assert (answer.status_code, 'href="#f-paper"' in answer.text) == (422, True)


async def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_stays(core, site):
    customer = await site.signed_in()
    room = f"/c/{site.customer()}/sender-ids"
    answer = await customer.post(f"{room}/new", {**ASKED, "value": "Much too long a name"})
    assert (answer.status_code, 'href="#f-value"' in answer.text) == (422, True)
    assert "Much too long a name" in answer.text
    answer = await customer.post(f"{room}/new", {**ASKED, "volume": "many"})
    assert (answer.status_code, 'href="#f-volume"' in answer.text) == (422, True)
    reader = await site.signed_in(Role.READ_ONLY)
    assert (await reader.get(room)).status_code == 200
    assert (await reader.post(f"{room}/new", ASKED)).status_code == 403
    assert (await (await site.signed_in(Role.REPORTS)).get(room)).status_code == 403
