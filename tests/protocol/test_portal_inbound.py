"""The inbox of the portal: conversations, their answers, and what nobody else may see of them."""

import re

import pytest

from addressbook.rights import Role
from tests.kit.portal_site import portal_site, text_of
from tests.kit.received import OWN, PHONE, came
from tests.kit.testbed import make_house, open_core

OTHER = "447700900456"

pytestmark = pytest.mark.usefixtures("kept_children")


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with portal_site(core) as running:
        await running.administer(f"number add +{OWN} --customer acme")
        yield running
    core.database.close()


async def test_conversations_are_listed_newest_first_and_those_of_others_are_not_there(site):
    await came(site, "first <b>words</b>")
    await came(site, "second words", OTHER)
    foreign = await came(site, "of a rival", customer="rival")
    visitor = await site.signed_in(Role.READ_ONLY)
    answer = await visitor.get(f"/c/{site.customer()}/inbound")
    shown = text_of(answer)
    assert re.findall(r"second words|first", shown) == ["second words", "first"]
    assert "first &lt;b&gt;words" in answer.text
    assert "of a rival" not in shown
    stolen = foreign.replace(str(site.customer("rival")), str(site.customer()))
    assert (await visitor.get(stolen)).status_code == 404
    found = text_of(await visitor.get(f"/c/{site.customer()}/inbound?phone=%2B{OTHER}"))
    assert "second words" in found
    assert "first" not in found
    assert (await visitor.get(f"/c/{site.customer()}/inbound?phone=pump")).status_code == 422


async def test_an_answer_goes_once_from_the_number_that_was_written_to(site):
    path = await came(site, "Are you open?")
    visitor = await site.signed_in(Role.INBOUND)
    page = await visitor.get(path)
    assert "Are you open?" in text_of(page)
    (once,) = re.findall(r'name="once" value="(\d+)"', page.text)
    for _ in range(2):
        sent = await visitor.post(path, {"text": "Until six.", "once": once})
        assert sent.headers["location"].endswith(path)
    (job,) = site.core.jobs()
    (message,) = site.core.messages()
    assert (job.service, message.number, message.sender.lstrip("+")) == ("portal", PHONE, OWN)
    thread = text_of(await visitor.get(path))
    assert thread.index("Until six.") < thread.index("Are you open?")
    assert "answered" in text_of(await visitor.get(f"/c/{site.customer()}/inbound"))


async def test_who_only_sees_the_inbox_cannot_answer(site):
    path = await came(site, "Hello")
    visitor = await site.signed_in(Role.READ_ONLY)
    assert "<textarea" not in (await visitor.get(path)).text
    assert (await visitor.post(path, {"text": "Hi"})).status_code == 403
    assert site.core.jobs() == []


async def test_what_cannot_be_answered_says_why(site):
    path, named = await came(site, "Hello"), await came(site, "Win!", "LOTTERY")
    visitor = await site.signed_in()
    assert (await visitor.post(path, {"text": " "})).status_code == 422
    assert "nobody can answer it" in text_of(await visitor.get(named))
    assert (await visitor.post(named, {"text": "Hi"})).status_code == 422
    await site.administer(f"stoplist add --customer acme +{PHONE}")
    assert "on your stop list" in text_of(await visitor.get(path))
    refused = await visitor.post(path, {"text": "Hi there"})
    assert refused.status_code == 422
    assert "Hi there</textarea>" in refused.text
    await site.administer(f"number set +{OWN} --state blocked")
    assert "does not serve you any more" in text_of(await visitor.get(path))
    assert site.core.jobs() == []


async def test_an_open_page_follows_what_comes_for_half_an_hour(site):
    await came(site, "Hello")
    visitor, path = await site.signed_in(), f"/c/{site.customer()}/inbound"
    assert "look=1" in (await visitor.get(path)).text
    assert "look=8" in (await visitor.get(f"{path}?look=7")).text
    assert "hx-trigger" not in (await visitor.get(f"{path}?look=180")).text


async def test_the_stop_list_is_kept_with_reason_and_evidence(site):
    visitor, path = await site.signed_in(Role.INBOUND), f"/c/{site.customer()}/inbound/stops"
    assert "Nobody is on the stop list" in text_of(await visitor.get(path))
    fields = {"numbers": f"+{PHONE}\n+{OTHER}", "service": "mail", "reason": "asked by <phone>"}
    assert (await visitor.post(path, fields)).status_code == 303
    shown = await visitor.get(path)
    assert "inbound.acme@example.com: asked by &lt;phone&gt;" in shown.text
    assert text_of(shown).count("by hand") == 2
    only = text_of(await visitor.get(f"{path}?phone=%2B{OTHER}"))
    assert f"+{OTHER}" in only
    assert f"+{PHONE}" not in only
    assert (await visitor.post(f"{path}/remove", {"number": f"+{PHONE}", "service": "mail"})).status_code == 303
    assert f"+{PHONE}" not in text_of(await visitor.get(path))
    assert f"+{PHONE}" in text_of(await visitor.get(f"{path}?ended=yes"))
    assert (await visitor.post(f"{path}/remove", {"number": f"+{PHONE}", "service": "mail"})).status_code == 422
    assert (await visitor.post(path, {"numbers": "pump"})).status_code == 422
    assert (await visitor.post(path, {"numbers": f"+{PHONE}", "service": "fax"})).status_code == 422


async def test_a_file_for_the_stop_list_is_looked_at_before_it_counts_and_comes_back_as_a_file(site):
    visitor, path = await site.signed_in(Role.INBOUND), f"/c/{site.customer()}/inbound/stops"
    bad = await visitor.upload(f"{path}/import", {}, {"file": ("bad.csv", b"number\npump\n")})
    assert bad.status_code == 422
    assert "pump" in text_of(bad)
    table = f"number;service\n+{PHONE};\n+{OTHER};mail\n".encode()
    seen = await visitor.upload(f"{path}/import", {}, {"file": ("<i>.csv", table)})
    assert "2 entries in the file" in text_of(seen)
    assert "Nobody is on the stop list" in text_of(await visitor.get(path))
    (content,) = re.findall(r'name="content" value="([^"]+)"', seen.text)
    kept = {"content": content, "file_name": "<i>.csv", "seen": "yes"}
    assert (await visitor.post(f"{path}/import", kept)).status_code == 303
    assert "&lt;i&gt;.csv, line 2" in (await visitor.get(path)).text
    taken = (await visitor.get(f"{path}/file/csv")).content
    again = await visitor.upload(f"{path}/import", {}, {"file": ("again.csv", taken)})
    assert "2 entries in the file" in text_of(again)
    await visitor.post(f"{path}/remove", {"number": f"+{PHONE}", "service": ""})
    taken = (await visitor.get(f"{path}/file/csv?ended=yes")).content
    assert PHONE.encode() in taken
    again = await visitor.upload(f"{path}/import", {}, {"file": ("again.csv", taken)})
    assert "1 entry in the file" in text_of(again)


async def test_who_has_contracted_no_inbound_sms_still_has_a_stop_list(site):
    await site.administer(
        "customer option acme --remove sms2mail --remove application --remove list --remove sms-to-smpp"
    )
    visitor, path = await site.signed_in(), f"/c/{site.customer()}/inbound"
    assert (await visitor.get(path)).headers["location"].endswith("/inbound/stops")
    shown = await visitor.get(f"{path}/stops")
    assert shown.status_code == 200
    assert "Conversations" not in text_of(shown)
