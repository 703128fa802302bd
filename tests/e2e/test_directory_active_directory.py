"""A customer's Active Directory, Samba's, from nothing to users who come, change, are switched off and go."""

import json
from itertools import count

import pytest

from tests.kit.installation import Installation
from tests.kit.samba import REPLICATOR, SambaDomain, account, group

_NUMBERS = count(1)


@pytest.fixture
def office(samba_domain: SambaDomain) -> str:
    """Return a branch with a user whose name is in proxyAddresses, one in a group, and a disabled one."""
    number = next(_NUMBERS)
    unit = samba_domain.add_unit(f"Office {number}")
    anna = account(f"anna{number}", unit, displayName="Anna Doe", mobile="+44 7700 900101", department="4711")
    samba_domain.change(
        f"{anna}proxyAddresses: smtp:a.doe@example.com\nproxyAddresses: SMTP:Anna.Doe@Example.com\n",
        account(f"ben{number}", unit, mail="ben@example.com", mobile="+44 7700 900102"),
        account(f"carl{number}", unit, mail="carl@example.com"),
    )
    samba_domain.change(
        group(f"night{number}", unit, f"CN=ben{number},{unit}"),
        group(f"all{number}", unit, f"CN=night{number},{unit}"),
    )
    return unit


@pytest.mark.slow
@pytest.mark.parametrize("delta", ["usn", "dirsync"])
async def test_accounts_of_a_domain_become_users_and_follow_it(
    site: Installation, samba_domain: SambaDomain, office: str, delta: str
):
    def dn(name: str) -> str:
        return f"CN={name}{office.partition(',')[0].rpartition(' ')[2]},{office}"

    async def run(*words: str) -> str:
        return await site.command("dirsync", "run", "domain", "--customer", "demo", *words)

    async def users() -> dict[str, dict[str, object]]:
        listed = json.loads(await site.command("user", "list", "--customer", "demo", "--json"))
        return {user["address"]: user for user in listed}

    await site.open()
    await site.command("customer", "add-domain", "demo", "example.com")
    await site.command("profile", "add", "Night", "--customer", "demo")
    options = {
        "host": samba_domain.address,
        "base": office,
        "bind_dn": f"{REPLICATOR}@ad.example.org",
        "password_file": samba_domain.password_file,
        "ca_file": samba_domain.ca_file,
        "delta": delta,
        "map.cost_centre": "department",
        "profile.1": f"{dn('all')} => Night",
    }
    words = [f"{key}={value}" for key, value in options.items()]
    await site.command("dirsync", "add", "domain", "--customer", "demo", "--kind", "active-directory", *words)
    look = await site.command("dirsync", "test", "domain", "--customer", "demo")
    assert "address = anna.doe@example.com   (proxyAddresses)" in look
    assert "profile = Night" in look
    assert "Changes cannot be read alone" not in look

    assert "3 users added" in await run()
    assert {address: user["profile"] for address, user in (await users()).items()} == {
        "anna.doe@example.com": "",
        "ben@example.com": "Night",
        "carl@example.com": "",
    }
    samba_domain.set(dn("anna"), "department", "0815")
    samba_domain.set(dn("ben"), "userAccountControl", "546")
    samba_domain.delete(dn("carl"))
    said = await run()
    assert all(part in said for part in ("1 user switched off", "1 user changed", "1 user gone"))
    assert {address: user["in_directory"] for address, user in (await users()).items()} == {
        "anna.doe@example.com": "yes",
        "ben@example.com": "off",
        "carl@example.com": "gone",
    }
    explained = await site.command("user", "explain", "anna.doe@example.com", "cost_centre")
    assert "cost_centre = 0815" in explained
    assert "ldap:domain:department" in explained
