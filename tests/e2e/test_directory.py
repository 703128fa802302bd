"""A customer's directory from its LDAP server to the SMS on the air: a real slapd, the gateway, its commands and mails."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.installation import Installation
from tests.kit.patience import PATIENCE
from tests.kit.slapd import PEOPLE, READER, Slapd, user_dn

ADMIN = "it@example.com"


@pytest.fixture
def ldap() -> Iterator[Slapd]:
    with Slapd(users=30) as server:
        yield server


async def connected(site: Installation, ldap: Slapd, *options: str) -> None:
    """Give the customer demo the domain of the directory, and the directory."""
    await site.command("customer", "add-domain", "demo", "example.com")
    await site.command("customer", "admin", "demo", ADMIN)
    usual = {
        "host": "localhost",
        "port": str(ldap.tls_port),
        "base": PEOPLE,
        "bind_dn": READER,
        "password_file": str(ldap.password_file),
        "ca_file": str(ldap.ca_file),
        "map.cost_centre": "departmentNumber",
    }
    words = [f"{key}={value}" for key, value in usual.items()]
    await site.command("dirsync", "add", "office", "--customer", "demo", "--kind", "openldap", *words, *options)


async def run(site: Installation, *words: str, code: int = 0) -> str:
    return await site.command("dirsync", "run", "office", "--customer", "demo", *words, code=code)


async def listed(site: Installation) -> dict[str, Any]:
    (row,) = json.loads(await site.command("dirsync", "list", "--json"))
    return dict(row)


async def told(site: Installation, subject: str, count: int) -> str:
    """Return the text of the mail with this subject once there are `count` mails."""
    mails = await site.box.wait_for_mails(count, PATIENCE)
    (found,) = [mail.message for mail in mails if subject in str(mail.message["Subject"])]
    return str(found.get_body(("plain",)).get_content())  # type: ignore[union-attr]


async def test_a_cost_centre_goes_from_the_directory_to_the_job_and_its_status_mail(site, ldap):
    await site.open()
    await connected(site, ldap, "delta=syncrepl")
    assert "30 users added" in await run(site)
    users = json.loads(await site.command("user", "list", "--customer", "demo", "--json"))
    assert "user7@example.com" in {user["address"] for user in users}
    await site.start()
    job = await site.send("Hello", sender="user7@example.com")
    told = await site.told()
    assert "Cost centre: CC07" in told
    assert "ldap:" not in told  # employees read words

    ldap.replace(7, "departmentNumber", "CC99")
    assert "1 user changed" in await run(site)
    explained = await site.command("user", "explain", "user7@example.com", "cost_centre")
    assert "cost_centre = CC99" in explained
    assert "ldap:office:departmentNumber" in explained
    later = await site.send("Hello again", sender="user7@example.com")
    assert "Cost centre: CC99" in await site.told(2)
    assert "cost_centre = CC07 by user (ldap:office:departmentNumber)" in await site.command("status", job)
    assert "cost_centre = CC99 by user (ldap:office:departmentNumber)" in await site.command("status", later)


@pytest.mark.slow
async def test_the_gateway_reads_a_directory_on_schedule_and_tells_its_administrator_what_waits(site, ldap):
    await site.open()
    await connected(site, ldap)
    await site.start()
    await due(site)
    await site.until(lambda: any("event=directory_read" in line and "state=applied" in line for line in site.log))
    assert not any("@example.com" in line or "447700900" in line for line in site.log if "directory" in line)
    row = await listed(site)
    assert (row["state"], row["users"], row["waits_for"]) == ("in step", 30, "")

    for number in range(1, 20):
        ldap.change(f"dn: {user_dn(number)}\nchangetype: delete")
    await due(site)  # once is not enough to be gone
    await site.until(lambda: sum("event=directory_read" in line for line in site.log) == 2)
    await due(site)
    mail = await told(site, "changes wait for your approval", 1)
    assert "19 of 30 users would be gone" in mail
    assert "user19@example.com" in mail
    command = next(line for line in mail.splitlines() if "dirsync approve" in line).split()
    assert (await listed(site))["state"] == "waits"
    await site.command(*command[1:4])
    users = json.loads(await site.command("user", "list", "--customer", "demo", "--json"))
    assert len(users) == 30
    assert (await listed(site))["state"] == "in step"


async def due(site: Installation) -> None:
    site.execute("UPDATE directory SET due_at = 1")


@pytest.mark.slow
async def test_a_directory_that_cannot_be_read_is_told_once_and_again_when_it_is_over(site, ldap):
    await site.open()
    await connected(site, ldap)
    await run(site)
    await site.command("dirsync", "set", "office", "--customer", "demo", "bind_dn=cn=nobody,dc=example,dc=com")
    for _ in range(3):
        assert "Check bind_dn and the password in password_file" in await run(site, code=1)
    assert (await listed(site))["state"] == "failed 3 times"
    await site.start()
    mail = await told(site, "it cannot be read", 1)
    assert "refuses cn=nobody,dc=example,dc=com: 49 invalidCredentials" in mail
    await site.command("dirsync", "set", "office", "--customer", "demo", f"bind_dn={READER}")
    await run(site)
    assert "What was wrong is mended" in await told(site, "it is read again", 2)
    assert (await listed(site))["state"] == "in step"


async def test_a_look_shows_entries_as_users_with_what_is_missing(site, ldap):
    await site.open()
    ldap.replace(1, "departmentNumber")
    ldap.replace(2, "mobile", "no number")
    await connected(site, ldap)
    said = await site.command("dirsync", "test", "office", "--customer", "demo", "--entries", "3")
    assert "user3@example.com" in said
    assert "cost_centre = CC03   (departmentNumber)" in said
    assert "cost_centre is missing: the entry has no departmentNumber" in said
    assert "! mobile: «no number»" in said
    assert "Entries read: 3. Nothing was changed." in said
    assert json.loads(await site.command("user", "list", "--customer", "demo", "--json")) == []


async def test_a_dry_run_says_what_would_change_and_changes_nothing(site, ldap):
    await site.open()
    await connected(site, ldap)
    said = await run(site, "--dry-run")
    assert "user7@example.com  new: name User Number 7" in said
    assert "Dry run, nothing was changed." in said
    assert json.loads(await site.command("user", "list", "--customer", "demo", "--json")) == []


async def test_a_changed_mapping_waits_shows_its_difference_and_is_approved(site, ldap):
    await site.open()
    await connected(site, ldap)
    await run(site)
    said = await site.command("dirsync", "set", "office", "--customer", "demo", "map.cost_centre=uid")
    assert "what the next run changes waits for approval" in said
    held = json.loads(await run(site, "--json", code=3))
    shown = await site.command("dirsync", "show", str(held["key"]))
    assert "user7@example.com  cost_centre: CC07 → user7" in shown
    table = await site.command("dirsync", "show", held["digest"][:8], "--csv")
    assert "sync.change,user7@example.com,cost_centre,CC07,user7" in table
    assert "applied" in await site.command("dirsync", "approve", held["digest"][:8])
    assert "cost_centre = user7" in await site.command("user", "explain", "user7@example.com", "cost_centre")
    assert "There is no run" in await site.command("dirsync", "approve", "00000000", code=1)


async def test_a_directory_is_only_for_customers_that_contracted_it(site, ldap):
    await site.open()
    await site.command("customer", "option", "demo", "--remove", "directory")
    said = await site.command(
        "dirsync", "add", "office", "--customer", "demo", "--kind", "openldap", "host=localhost", code=1
    )
    assert "has not contracted the option directory" in said


async def test_a_rule_names_a_profile_that_there_is(site, ldap):
    await site.open()
    await connected(site, ldap)
    words = ("dirsync", "set", "office", "--customer", "demo", "profile.1=cn=crew,dc=example,dc=com => Alarm")
    assert "The customer «demo» has no profile «Alarm»" in await site.command(*words, code=1)
    await site.command("profile", "add", "--customer", "demo", "Alarm")
    await site.command(*words)


async def test_users_of_a_removed_directory_stay_as_an_administrators(site, ldap):
    await site.open()
    await connected(site, ldap)
    await run(site)
    assert "its users stay as an administrator's: 30" in await site.command(
        "dirsync", "remove", "office", "--customer", "demo"
    )
    assert len(json.loads(await site.command("user", "list", "--customer", "demo", "--json"))) == 30
    assert await site.command("dirsync", "list") == ""


@pytest.mark.slow
async def test_files_of_a_folder_are_taken_or_refused_whole_and_each_result_is_told(site):
    await site.open()
    await site.command("customer", "add-domain", "demo", "example.com")
    await site.command("customer", "admin", "demo", ADMIN)
    folder = site.folder / "in"
    folder.mkdir()
    options = (f"folder={folder}", "end_marker=#END#")
    await site.command("dirsync", "add", "files", "--customer", "demo", "--kind", "folder", *options)
    await site.command("dirsync", "run", "files", "--customer", "demo")
    (folder / "people.csv").write_text("e-mail,cost-centre\nanna@example.com,4711\nben@example.com,4712\n#END#\n")
    assert "2 users added" in await site.command("dirsync", "run", "files", "--customer", "demo")
    assert not list(folder.glob("*.csv"))
    (folder / "people-2.csv").write_text("e-mail,cost-centre\nanna@example.com,4711,too much\n#END#\n")
    said = await site.command("dirsync", "run", "files", "--customer", "demo", code=1)
    assert "these lines have another number: 2" in said
    (why,) = (folder / "refused").glob("*.txt")
    assert "these lines have another number: 2" in why.read_text()
    await site.start()
    assert "people.csv" in await told(site, "the file was taken over", 2)
    refused = await told(site, "the file was refused", 2)
    assert "people-2.csv" in refused
    assert "Nothing of it was taken over" in refused
