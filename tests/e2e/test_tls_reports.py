"""TLS reports on the real process: counted with the mails, sent signed and once, and they beget no reports."""

import gzip
import json
from datetime import UTC, datetime
from email import message_from_bytes, policy

import dkim

from store.tls_tables import TlsSessionRow
from tests.kit.installation import Installation
from tests.kit.mail_servers import Peer, issue, server_context
from tests.kit.name_server import name_server

RECORDS = {
    ("example.com", "MX"): ["10 mx.example.com."],
    ("mx.example.com", "A"): ["127.0.0.1"],
    ("_smtp._tls.example.com", "TXT"): ['"v=TLSRPTv1; rua=mailto:tls@example.com"'],
}


def counted(site: Installation) -> list[tuple]:
    return [(row.domain, row.sessions) for row in site.stored(TlsSessionRow)]


async def test_reports_of_others_are_imported_listed_and_summed(tmp_path, gateway_database):
    site = Installation(tmp_path / "site", gateway_database)
    day = datetime.now(UTC).date()
    failure = {
        "result-type": "certificate-expired",
        "failed-session-count": 2,
        "receiving-mx-hostname": "mx.example.net",
    }
    told = {
        "organization-name": "Example Inc.",
        "report-id": "1",
        "date-range": {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"},
        "policies": [
            {
                "policy": {"policy-type": "sts", "policy-domain": "sms.example.net"},
                "summary": {"total-successful-session-count": 8, "total-failure-session-count": 2},
                "failure-details": [failure],
            }
        ],
    }
    file = tmp_path / "report.json.gz"
    file.write_bytes(gzip.compress(json.dumps(told).encode()))
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    try:
        await site.open()
        assert "about one of our domains" in await site.command("tls", "report-import", str(file))
        await site.command("tls", "report-import", str(file))
        assert "it has no date-range" in await site.command("tls", "report-import", str(broken), code=1)
        listed = await site.command("tls", "reports")
        assert [str(day), "sms.example.net", "Example", "Inc.", "nobody", "8", "2"] in [
            line.split() for line in listed.splitlines()
        ]
        assert (
            "sms.example.net by Example Inc.: 2 certificate-expired (sts) at mx.example.net, from an address not named"
            in listed
        )
        assert "sms.example.net 8 sessions good, 2 failed" in await site.command("tls", "list")
        (found,) = json.loads(await site.command("tls", "reports", "--json"))
        assert (found["by"], found["failures"][0]["result"]) == ("Example Inc.", "certificate-expired")
    finally:
        await site.close()


async def test_a_domain_that_asks_for_reports_gets_one_signed_report_of_a_day(tmp_path, gateway_database):
    async with Peer(server_context(issue(), tmp_path)) as peer, name_server(RECORDS) as names:
        mail = {"resolvers": [f"127.0.0.1:{names.port}"], "private_hosts": True, "port": peer.port}
        site = Installation(tmp_path / "site", gateway_database, mail=mail)
        try:
            await site.open()
            said = await site.command("dkim", "new", "--kind", "ed25519", "--selector", "s1", "sms.example.net")
            record = said.split('"')[1].encode()
            site.file.write_text(f"{site.file.read_text()}\n{said[said.index('[[mail.dkim]]') :]}")
            await site.start()
            await site.send("Pump 7 has stopped")
            await site.until(lambda: len(peer.mails) == 1)
            await site.until(lambda: counted(site) == [("example.com", 1)])
            await site.stop()
            site.execute("UPDATE tls_session SET day = day - 2")
            await site.start()
            await site.until(lambda: len(peer.mails) == 2)
            await site.until(lambda: [row.state for row in site.outbox_rows(kind="tls-report")] == ["sent"])
            assert counted(site) == []
        finally:
            await site.close()
    wire = peer.mails[1].removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
    message = message_from_bytes(wire, policy=policy.default)
    assert (message["To"], message["TLS-Report-Domain"]) == ("tls@example.com", "example.com")
    _, attached = message.iter_parts()
    (told,) = json.loads(gzip.decompress(attached.get_content()))["policies"]
    assert told["summary"] == {"total-successful-session-count": 1, "total-failure-session-count": 0}
    assert "s=s1" in message["DKIM-Signature"]
    assert "tls-report-submitter" in message["DKIM-Signature"].lower()
    assert dkim.DKIM(wire).verify(dnsfunc=lambda name, timeout=5: record)
