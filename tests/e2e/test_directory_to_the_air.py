"""From an entry of a directory to the SMS on the air: its cost centre in the job, the status mail and the explanation."""

import asyncio
import json

from tests.kit.slapd import PEOPLE, READER, Slapd, user_dn

USER = "user7@example.com"
OF = ("--customer", "demo")


def options_of(slapd: Slapd) -> list[str]:
    return [
        "host=127.0.0.1",
        f"port={slapd.port}",
        "tls=none",
        f"base={PEOPLE}",
        f"bind_dn={READER}",
        f"password_file={slapd.password_file}",
        "delta=syncrepl",
        "map.cost_centre=departmentNumber",
    ]


async def test_a_cost_centre_that_changes_in_the_directory_is_on_the_air_in_the_status_mail_and_explained(site):
    with await asyncio.to_thread(Slapd, users=30) as slapd:
        await site.open()
        await site.command("customer", "set", "demo", "default_country=GB")
        await site.command("dirsync", "add", *OF, "--kind", "openldap", "office", *options_of(slapd))
        assert "departmentNumber" in await site.command("dirsync", "test", *OF, "office")
        await site.command("dirsync", "run", *OF, "office")
        await site.start()

        await site.send("Before", sender=USER)
        assert "CC07" in await site.told(1)

        await asyncio.to_thread(slapd.replace, 7, "departmentNumber", "4711")
        await site.command("dirsync", "run", *OF, "office")
        explained = json.loads(await site.command("user", "explain", "--json", USER, "cost_centre"))
        told = explained["settings"]["cost_centre"]
        assert (told["value"], told["layer"], told["origin"]) == ("4711", "user", "ldap:office:departmentNumber")

        await site.send("After", sender=USER)
        assert "4711" in await site.told(2)
        job = site.jobs()[-1]
        assert "cost_centre = 4711 by user (ldap:office:departmentNumber)" in await site.command(
            "status", job.public_id
        )
        assert [shown.text for shown in site.carrier.record.shown()] == ["Before", "After"]
        assert user_dn(7) in await site.command("dirsync", "test", *OF, "--entries=30", "office")
