"""Sending by hand in the portal: written, previewed by row, confirmed once, watched; by forms alone."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from addressbook.rights import Role
from tests.kit.portal_site import portal_site, text_of
from tests.kit.testbed import ANNA, make_house, open_core

ONE, TWO = "+447700900101", "+447700900102"
TODAY = datetime.now(UTC).date()


def next_change(month):
    """Return the next day of March or October on which the clocks of Europe change, within a year."""
    days = (TODAY + timedelta(days=ahead) for ahead in range(2, 367))
    return next(day for day in days if day.month == month and day.day > 24 and day.isoweekday() == 7)


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


def send(site):
    return f"/c/{site.customer()}/send"


async def written(visitor, path, **fields):
    """Return the path of the draft that a form became."""
    answer = await visitor.post(path, {"way": "numbers", **fields})
    assert answer.status_code == 303, text_of(answer)
    return answer.headers["location"].removeprefix("/portal")


async def test_a_text_is_previewed_confirmed_and_watched(core, site):
    visitor = await site.signed_in(address=ANNA)
    draft = await written(visitor, send(site), numbers=f"{ONE}\n{TWO}, 12", text="Hello {}", reference="order 7")
    shown = text_of(await visitor.get(draft))
    assert "2 of 3 would be sent" in shown
    assert "too short" in shown
    assert "order 7" in shown
    assert core.jobs() == []
    sent = await visitor.post(draft)
    (job,) = core.jobs()
    assert sent.headers["location"].endswith(f"/send/jobs/{job.public_id}")
    assert (job.service, job.user_address, job.reference) == ("portal", ANNA, "order 7")
    watched = await visitor.get(f"{send(site)}/jobs/{job.public_id}")
    assert 'hx-trigger="every 2s"' in watched.text
    assert "2 SMS are still on their way" in text_of(watched)
    state = await visitor.get(f"{send(site)}/jobs/{job.public_id}/state")
    assert state.text.lstrip().startswith('<div id="state"')


async def test_a_number_that_was_copied_with_what_cannot_be_seen_is_a_number(core, site):
    visitor = await site.signed_in(address=ANNA)
    copied = "\u202a+44\u00a07700\u00a0900101\u202c; 07700-900102\u200b,"
    await visitor.post(await written(visitor, send(site), numbers=copied, text="Hello"))
    assert [message.number for message in core.messages()] == ["447700900101", "447700900102"]


async def test_a_page_that_is_sent_again_sends_nothing_again(core, site):
    visitor = await site.signed_in(address=ANNA)
    draft = await written(visitor, send(site), numbers=ONE, text="Hello")
    ways = {(await visitor.post(draft)).headers["location"] for _ in range(3)}
    assert (len(ways), len(core.jobs())) == (1, 1)
    assert (await visitor.get(draft)).headers["location"] in ways


async def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_is_kept(core, site):
    visitor = await site.signed_in()
    fields = {"way": "numbers", "text": "Hi {{ name }}", "max_parts": "<b>", "start_at": "soon", "reference": "kept"}
    answer = await visitor.post(send(site), fields)
    assert answer.status_code == 422
    assert {"#f-text", "#f-max_parts", "#f-start_at", "#f-numbers"} <= set(re.findall(r'href="(#f-\w+)"', answer.text))
    assert "{{ name }} stands for a value" in text_of(answer)
    assert 'value="&lt;b&gt;"' in answer.text
    assert 'value="kept"' in answer.text
    assert core.jobs() == []


async def test_a_draft_can_be_changed(site):
    visitor = await site.signed_in()
    draft = await written(visitor, send(site), numbers=ONE, text="Helo", priority="express")
    form = (await visitor.get(f"{send(site)}?draft={draft.rpartition('/')[2]}")).text
    assert ">\nHelo</textarea>" in form
    assert ONE in form
    assert '<option value="express" selected>' in form


async def test_nobody_sees_the_draft_of_somebody_else(site):
    visitor, other = await site.signed_in(), await site.signed_in(address="other@example.com")
    draft = await written(visitor, send(site), numbers=ONE, text="secret words")
    assert (await other.get(draft)).status_code == 404
    assert (await other.post(draft)).status_code == 404
    assert "secret words" not in (await other.get(f"{send(site)}?draft={draft.rpartition('/')[2]}")).text
    for strange in ("9" * 30, "0"):
        assert (await visitor.get(f"{send(site)}/drafts/{strange}")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"text": "Hello"}, ["standard (GSM-7)", "1 part", "5 characters"]),
        ({"text": "x" * 161}, ["2 parts", "161 characters"]),
        ({"text": "a → b"}, ["1 character replaced:"]),
        ({"text": "日本"}, ["Unicode", "1 part"]),
        ({"text": "x" * 500, "max_parts": "1"}, ["1 part", "characters cut:"]),
        ({"text": "日本", "unencodable": "reject"}, ["characters that the SMS alphabet lacks"]),
        ({"text": " "}, []),
        ({"text": "a\r\nb"}, ["3 characters"]),
        ({"text": "\u20ac" * 81}, ["2 parts"]),
    ],
)
async def test_the_counter_is_the_plan_of_the_text_as_it_stands(core, site, fields, said):
    visitor = await site.signed_in()
    answer = await visitor.post(f"{send(site)}/count", {"way": "numbers", "numbers": ONE, **fields})
    assert answer.status_code == 200
    for words in said:
        assert words in text_of(answer)
    alone = await visitor.post(f"{send(site)}/count", {"way": "numbers", **fields})
    assert text_of(alone) == text_of(answer)  # before anybody is named
    assert bool(text_of(answer)) == bool(said)
    assert core.jobs() == []


TABLE = b"number;name\n07700900101;<img src=x onerror=alert(1)>\n07700900102;Bob\n"


async def upload(visitor, path, content, name="people.csv", **fields):
    return await visitor.upload(path, {"way": "table", "text": "Hi {{ name }}", **fields}, {"table": (name, content)})


async def test_a_table_is_previewed_by_row_and_kept_for_a_change(core, site):
    visitor = await site.signed_in(address=ANNA)
    answer = await upload(visitor, f"{send(site)}/table", TABLE, name='"><script>.csv')
    draft = answer.headers["location"].removeprefix("/portal")
    shown = await visitor.get(draft)
    assert "Hi &lt;img src=x onerror=alert(1)&gt;" in shown.text
    assert "<img" not in shown.text
    assert "<script>" not in shown.text
    assert "Hi Bob" in text_of(shown)
    key = draft.rpartition("/")[2]
    again = await visitor.post(f"{send(site)}/table", {"way": "table", "text": "Dear {{ name }}", "draft": key})
    second = again.headers["location"].removeprefix("/portal")
    assert "Dear Bob" in text_of(await visitor.get(second))
    await visitor.post(second)
    assert [message.body for message in core.messages()] == ["Dear <img src=x onerror=alert(1)>", "Dear Bob"]


async def test_a_row_without_a_value_holds_back_the_table_and_is_named(core, site):
    visitor = await site.signed_in(address=ANNA)
    answer = await upload(visitor, f"{send(site)}/table", b"number;name\n07700900101;Ann\n07700900102;\n")
    shown = await visitor.get(answer.headers["location"].removeprefix("/portal"))
    assert shown.status_code == 422
    assert "Hi Ann" in text_of(shown)
    assert "no value for name" in text_of(shown)
    assert "nothing of this can be sent" in text_of(shown)
    assert "Send 2 SMS" not in text_of(shown)
    await visitor.post(answer.headers["location"].removeprefix("/portal"))
    assert core.jobs() == []


@pytest.mark.parametrize("content", [b"", b"\0\1\2", b"PK\x03\x04 no workbook", b"x" * 5_500_000])
async def test_a_file_that_is_no_table_is_refused_at_its_field(site, content):
    visitor = await site.signed_in()
    answer = await upload(visitor, f"{send(site)}/table", content)
    assert answer.status_code == 422
    assert 'id="e-table"' in answer.text


async def test_too_large_a_file_is_refused_before_it_is_read(site):
    visitor = await site.signed_in()
    assert (await upload(visitor, f"{send(site)}/table", b"x" * 7_000_000)).status_code == 413


async def test_a_list_is_for_its_authors(core, site, tmp_path):
    members = tmp_path / "members.csv"
    members.write_text("number,name\n07700900101,Ann\n", "utf-8")
    await site.administer(
        f"list add crew --customer acme --author {ANNA}", f"list import crew {members} --customer acme"
    )
    other = await site.signed_in()
    assert "There is no list that you may write to" in text_of(await other.get(f"{send(site)}/list"))
    fields = {"way": "list", "list": "crew", "text": "Hi {{ name }}"}
    assert "none of the authors" in text_of(await other.post(f"{send(site)}/list", fields))
    anna = await site.signed_in(address=ANNA)
    assert "crew" in (await anna.get(f"{send(site)}/list")).text
    draft = await written(anna, f"{send(site)}/list", **fields)
    await anna.post(draft)
    assert [message.body for message in core.messages()] == ["Hi Ann"]


async def test_a_job_of_another_door_is_for_who_may_see_reports(core, site):
    visitor = await site.signed_in(address=ANNA)
    await visitor.post(await written(visitor, send(site), numbers=ONE, text="Hello"))
    (job,) = core.jobs()
    path = f"{send(site)}/jobs/{job.public_id}"
    sender = await site.signed_in(Role.SETTINGS)
    assert (await sender.get(path)).status_code == 200
    core.database.write_now(lambda tx, _: [tx.execute("UPDATE job SET service = 'rest'")], None)
    assert (await sender.get(path)).status_code == 404
    assert (await visitor.get(path)).status_code == 200
    await site.administer("customer add foreign")
    foreign = f"/c/{site.customer('foreign')}/send/jobs/{job.public_id}"
    assert (await (await site.signed_in(customer="foreign")).get(foreign)).status_code == 404


async def test_who_went_back_and_writes_the_same_again_is_warned_before_it_goes_twice(core, site):
    visitor = await site.signed_in(address=ANNA)
    fields = {"numbers": f"12\n{ONE}", "text": "Pump 7 stands"}
    first = await written(visitor, send(site), **fields)
    assert "The same text went to" not in text_of(await visitor.get(first))
    job = (await visitor.post(first)).headers["location"]
    again = await visitor.get(await written(visitor, send(site), **fields))
    assert f"The same text went to {ONE}" in text_of(again)
    assert f'href="{job}"' in again.text
    other = await visitor.get(await written(visitor, send(site), numbers=ONE, text="Pump 7 runs"))
    assert "The same text went to" not in text_of(other)
    core.database.write_now(lambda tx, _: [tx.execute("UPDATE job SET accepted_at = accepted_at - 3600000000")], None)
    later = await visitor.get(await written(visitor, send(site), **fields))
    assert "The same text went to" not in text_of(later)


@pytest.mark.parametrize(
    ("start_at", "said"),
    [
        ("2020-01-01T10:00", "This time is over"),
        (f"{next_change(3)}T02:30", "The clocks skip this time"),
        (f"{next_change(10)}T02:30", ""),
        (f"{next_change(3)}T03:30", ""),
    ],
)
async def test_a_start_that_is_over_or_that_the_clocks_skip_is_told_at_its_field(site, start_at, said):
    visitor = await site.signed_in(address=ANNA)
    await visitor.post("/account", {"name": "Anna", "language": "en", "zone": "Europe/Berlin"})
    answer = await visitor.post(send(site), {"way": "numbers", "numbers": ONE, "text": "Hi", "start_at": start_at})
    assert (answer.status_code, said in text_of(answer)) == (422 if said else 303, True)
    assert ('href="#f-start_at"' in answer.text) == bool(said)


async def test_a_table_that_cannot_be_read_says_so_without_speaking_of_fields(site):
    visitor = await site.signed_in(address=ANNA)
    files = {"table": ("x.csv", f"{ONE}\n{TWO}\n".encode())}
    answer = await visitor.upload(f"{send(site)}/table", {"way": "table", "text": "Hi"}, files)
    assert "The table can’t be read: line 1 holds a phone number" in text_of(answer)


@pytest.mark.parametrize("head", ["Tel.", "Handy-Nr.", "Mobil-Nr.", "N° de portable", "Móvil", "Phone (no.)"])
async def test_a_column_of_numbers_is_known_by_the_heads_that_people_write(site, head):
    visitor = await site.signed_in(address=ANNA)
    content = f'PLZ/Ort;Name;{head}\r\n"53111; Bonn";"Anna ""A."" Keller";{ONE}\r\n'.encode("utf-16")
    fields = {"way": "table", "text": "Hi {{ name }} in {{ plz_ort }}"}
    answer = await visitor.upload(f"{send(site)}/table", fields, {"table": ("x.csv", content)})
    shown = await visitor.get(answer.headers["location"].removeprefix("/portal"))
    assert "Hi Anna &#34;A.&#34; Keller in 53111; Bonn" in shown.text


async def test_a_time_is_that_of_the_visitors_zone(core, site):
    visitor, soon = await site.signed_in(address=ANNA), TODAY + timedelta(days=24)
    draft = await written(visitor, send(site), numbers=ONE, text="Hello", start_at=f"{soon}T08:30")
    shown = await visitor.get(draft)
    assert (shown.status_code, f"{soon.day} " in text_of(shown)) == (200, True)
    form = (await visitor.get(f"{send(site)}?draft={draft.rpartition('/')[2]}")).text
    assert f'value="{soon}T08:30"' in form
