"""What a customer's people do and an administrator breaks in a real slapd, and what becomes of their users here."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.test_directory import connected, run
from tests.kit.installation import Installation
from tests.kit.slapd import PEOPLE, READER, Slapd, user_dn, user_entry


@pytest.fixture
def ldap() -> Iterator[Slapd]:
    with Slapd(users=30) as server:
        yield server


async def explained(site: Installation, number: int) -> str:
    return await site.command("user", "explain", f"user{number}@example.com", "cost_centre")


async def held_for(site: Installation) -> list[tuple[str, Any]]:
    """Read the directory, which must wait for approval, and return the reasons."""
    held = json.loads(await run(site, "--json", code=3))
    assert held["state"] == "held"
    return [(reason["code"], reason["facts"].get("field")) for reason in held["held_for"]]


async def users_of(site: Installation) -> dict[str, Any]:
    rows = json.loads(await site.command("user", "list", "--customer", "demo", "--json"))
    return {row["address"]: row for row in rows}


@pytest.mark.slow
async def test_rights_that_were_taken_away_blank_and_remove_nobody(site, ldap):
    await site.open()
    await connected(site, ldap)
    await run(site)
    before = await users_of(site)

    ldap.restart(access=f'access to attrs=departmentNumber by dn.exact="{READER}" none by * none')
    assert await held_for(site) == [("blanked", "cost_centre")]
    assert "cost_centre = CC07" in await explained(site, 7)

    hidden = f'access to dn.children="{PEOPLE}" by dn.exact="{READER}" none by * none'
    ldap.restart(access=hidden)
    assert await held_for(site) == [("source-empty", None)]
    assert await users_of(site) == before

    ldap.restart(access="")
    assert json.loads(await run(site, "--json"))["state"] == "unchanged"


@pytest.mark.slow
async def test_people_who_move_swap_leave_and_come_back_are_who_they_are(site, ldap):
    await site.open()
    await connected(site, ldap, "delta=syncrepl")
    await run(site)
    for number in (1, 2, 3, 4):
        await site.command("user", "set", f"user{number}@example.com", f"max_parts={number}")

    renamed = f"dn: {user_dn(1)}\nchangetype: modrdn\nnewrdn: uid=moved\ndeleteoldrdn: 1"
    ldap.change(renamed, f"dn: uid=moved,{PEOPLE}\nchangetype: modify\nreplace: mail\nmail: moved@example.com\n-")
    ldap.replace(2, "mail", "user3@example.com")
    ldap.replace(3, "mail", "user2@example.com")
    ldap.change(f"dn: {user_dn(4)}\nchangetype: delete")
    lines = [line for line in user_entry(4).splitlines() if line and not line.startswith("entryUUID")]
    ldap.change("\n".join([lines[0], "changetype: add", *lines[1:]]))
    assert json.loads(await run(site, "--json"))["counts"] == {"change": 3, "replace": 1}

    async def pinned(address: str) -> Any:
        shown = json.loads(await site.command("user", "show", address, "--json"))
        return shown["pinned settings"].get("max_parts", {}).get("value")

    owners = {name: await pinned(f"{name}@example.com") for name in ("moved", "user2", "user3", "user4")}
    assert owners == {"moved": "1", "user2": "3", "user3": "2", "user4": None}
    assert "user1@example.com" not in await users_of(site)
