"""Users in the portal: by hand, by a file that is looked at first, and what a directory waits to change."""

import asyncio
import re
from dataclasses import replace

import pytest

from addressbook.changes import Reading
from addressbook.rights import Role
from addressbook.runs import RunMode, RunState
from addressbook.source_options import read_options
from addressbook.sources import CustomerDirectory, SourceKind
from gateway.directory_sync import DirectorySync, SyncRun
from store.directories import add_directory
from tests.kit.portal_site import portal_site, text_of
from tests.kit.sync_harness import OPTIONS, entry
from tests.kit.testbed import make_house, open_core

HOST = "@acme.example.com"


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    try:
        async with portal_site(core) as running:
            yield running
    finally:
        core.database.close()


async def test_a_user_is_added_changed_and_removed_by_hand(site):
    await site.administer("profile add crew --customer acme")
    visitor, at = await site.signed_in(Role.DIRECTORY), f"/c/{site.customer()}/directory"
    fields = {"address": f"dora{HOST}", "name": "Dora", "phone": "07700 900123", "profile": "crew"}
    assert (await visitor.post(f"{at}/users", fields)).status_code == 303
    user = site.core.book.current.directory.user(f"dora{HOST}")
    assert (user.name, user.phone, user.active) == ("Dora", "447700900123", True)
    assert f"dora{HOST} Dora +447700900123 crew may send" in text_of(await visitor.get(f"{at}?q=DORA"))

    changed = {"name": "Dora D.", "phone": "", "profile": ""}
    assert (await visitor.post(f"{at}/users/{user.key}", changed)).status_code == 303
    user = site.core.book.current.directory.user(f"dora{HOST}")
    assert (user.name, user.phone, user.active, user.profile_id) == ("Dora D.", "", False, None)
    assert (await visitor.post(f"{at}/users/{user.key}/remove")).status_code == 303
    assert site.core.book.current.directory.user(f"dora{HOST}") is None
    assert "No user has «dora»" in text_of(await visitor.get(f"{at}?q=dora"))


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"address": "nobody"}, "address", "is no e-mail address"),
        ({"address": "x@elsewhere.example"}, "address", "is outside the domains of acme"),
        ({"address": f"anna{HOST}"}, "address", "is a user already"),
        ({"address": f"new{HOST}", "phone": "none"}, "phone", "«none» is no phone number"),
        ({"address": f"new{HOST}", "profile": "none"}, "profile", "There is no profile «none»"),
    ],
)
async def test_what_is_wrong_with_a_user_is_told_at_its_field(site, fields, field, said):
    visitor, at = await site.signed_in(), f"/c/{site.customer()}/directory"
    answer = await visitor.post(f"{at}/users", fields)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert f'id="e-{field}"' in answer.text
    assert site.core.book.current.directory.user(f"new{HOST}") is None


async def test_a_file_is_taken_over_after_a_look_at_what_it_changes(site):
    visitor, at = await site.signed_in(), f"/c/{site.customer()}/directory"
    rows = f"e-mail,name,max-parts\nfile.one{HOST},File One,2\nfile.two{HOST},File Two,many\n"
    looked = await visitor.upload(f"{at}/import", {}, {"file": ("people.csv", rows.encode())})
    assert "What people.csv changes" in text_of(looked)
    assert f"file.one{HOST}" in looked.text
    assert "is no value for it" in text_of(looked)
    assert site.core.book.current.directory.user(f"file.one{HOST}") is None

    kept = dict(re.findall(r'name="(file_name|content|seen)" value="([^"]*)"', looked.text))
    refused = await visitor.post(f"{at}/import", kept)
    assert (refused.status_code, "The file has faults" in text_of(refused)) == (422, True)
    assert (await visitor.post(f"{at}/import", {**kept, "skip": "yes"})).status_code == 303
    directory = site.core.book.current.directory
    assert directory.user(f"file.one{HOST}").name == "File One"
    assert directory.user(f"file.two{HOST}") is None


async def hold_a_difference(site, names):
    """Read the directory «office» twice: users come, and all are switched off, which waits for approval."""
    core, customer = site.core, site.customer()
    directory = read_options(SourceKind.OPENLDAP, OPTIONS, key=7, customer_id=customer, name="office")
    assert isinstance(directory, CustomerDirectory)

    def keep(tx, items):
        add_directory(tx, directory, OPTIONS, 0)
        return items

    await core.database.write(keep, None)
    sync = DirectorySync(core.database, core.keys, core.clock.now, pause=lambda _: None)

    def read(*, active):
        changes = tuple(replace(entry(name, active=active), address=f"{name}{HOST}") for name in names)
        begun = sync.begin(directory, RunMode.FULL, "timer")
        assert isinstance(begun, SyncRun)
        with begun as run:
            return run.apply(Reading(source="ldap:office", complete=True, changes=changes))

    await asyncio.to_thread(read, active=True)
    result = await asyncio.to_thread(read, active=False)
    await core.book.refresh()
    assert result.state is RunState.HELD


async def test_exactly_the_difference_that_was_looked_at_is_approved(site):
    await hold_a_difference(site, [f"d{number}" for number in range(20)])
    at, visitor = f"/c/{site.customer()}/directory/sources", await site.signed_in()
    assert "office openldap 20 waits for your approval" in text_of(await visitor.get(at))
    looked = await visitor.get(f"{at}/7")
    assert f"d19{HOST}" in looked.text
    assert "20 of 20 users would be switched off" in text_of(looked)
    (digest,) = re.findall(r'name="digest" value="([^"]+)"', looked.text)
    assert (await visitor.post(f"{at}/7/approve", {"digest": digest[::-1]})).status_code == 422
    assert site.core.book.current.directory.user(f"d19{HOST}").may_send
    assert (await visitor.post(f"{at}/7/approve", {"digest": digest})).status_code == 303
    stopped = site.core.book.current.directory.user(f"d19{HOST}")
    assert not stopped.may_send
    listed = await visitor.get(f"/c/{site.customer()}/directory?q=d19")
    assert "switched off by its directory" in text_of(listed)
    assert "Only the directory can change that" in text_of(
        await visitor.get(f"/c/{site.customer()}/directory/users/{stopped.key}")
    )
    assert (await visitor.get(f"{at}/7")).status_code == 404


async def test_a_profile_that_is_the_default_cannot_be_removed_and_says_why(site):
    visitor, at = await site.signed_in(), f"/c/{site.customer()}/directory/profiles"
    assert "ops default" in text_of(await visitor.get(at))
    assert "is the default profile" in text_of(await visitor.post(f"{at}/remove", {"name": "ops"}))
    assert (await visitor.post(at, {"name": "night"})).status_code == 303
    assert (await visitor.post(f"{at}/default", {"name": "night"})).status_code == 303
    assert (await visitor.post(f"{at}/remove", {"name": "ops"})).status_code == 303
    assert "night default" in text_of(await visitor.get(at))


async def test_users_of_another_customer_are_not_there(site):
    await site.administer("customer add foreign --domain f.example", "user add x@f.example --customer foreign")
    visitor, at = await site.signed_in(), f"/c/{site.customer()}/directory"
    theirs = site.core.book.current.directory.user("x@f.example")
    for path in (f"users/{theirs.key}", f"users/{theirs.key}/remove"):
        assert (await visitor.post(f"{at}/{path}", {"name": "taken"})).status_code == 404
    assert site.core.book.current.directory.user("x@f.example").name == ""
