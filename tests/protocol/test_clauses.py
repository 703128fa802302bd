"""Clauses of RFC 5321 and RFC 3207 that no other test shows by itself (tests.conformance lists all)."""

import pytest

from mta.sending.compose import ComposedMail
from mta.smtp.engine.events import Capabilities, Hello, Mail
from mta.smtp.server.server import ServerSettings
from sms.outcome import Done
from tests.kit.dialogues import HELLO, talk
from tests.kit.mail_servers import Peer, make_deliverer, status_mail
from tests.kit.smtp_door import QUICK, Accepting, client_of, door

OFFERS_TLS = Capabilities(hostname="mx.example.net", starttls=True)


def test_rfc_5321_2_4_verbs_are_taken_in_any_case_and_local_parts_keep_theirs():
    heard = talk(b"eHlO client.example.com\r\nmaIl from:<Anna.K@example.com>\r\nrSeT\r\nnoop\r\n")
    assert heard.codes == ["250", "250", "250", "250"]
    assert [event.command.address for event in heard.of(Mail)] == ["Anna.K@example.com"]


def test_rfc_5321_3_2_helo_is_taken_and_offers_nothing():
    heard = talk(b"HELO client.example.com\r\nMAIL FROM:<anna@example.com>\r\n")
    assert heard.codes == ["250", "250"]
    assert heard.output.count(b"250-") == 0


@pytest.mark.parametrize("name", [b"localhost", b"[192.0.2.1]", b"nowhere.invalid", b"[IPv6:2001:db8::1]"])
def test_rfc_5321_4_1_1_1_no_mail_is_refused_for_the_name_in_ehlo_and_a_second_one_begins_anew(name):
    greeting = b"EHLO " + name + b"\r\n"
    mail = b"MAIL FROM:<anna@example.com>\r\n"
    heard = talk(greeting + mail + greeting + mail)
    assert heard.codes == ["250", "250", "250", "250"]
    assert len(heard.of(Hello)) == 2


async def test_rfc_5321_3_5_vrfy_confirms_nothing_and_expn_is_not_there():
    settings = ServerSettings(hostname="mx.example.net", connections=QUICK)
    async with door(Accepting(), settings) as listener, client_of(listener) as client:
        client.writer.write(HELLO)
        await client.lines()
        assert (await client.say(b"VRFY anna\r\n")).startswith("252")
        assert (await client.say(b"EXPN staff\r\n")).startswith("502")


async def test_rfc_5321_4_5_5_a_report_has_a_null_reverse_path():
    assert ComposedMail(recipient="anna@example.com", message=b"", message_id="").envelope_from == ""
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port)
        assert isinstance((await deliverer.deliver(status_mail())).outcome, Done)
        await deliverer.close()
    assert [line.split(" ")[1] for line in peer.in_clear if line.startswith("MAIL")] == ["FROM:<>"]
    assert peer.verbs_in_clear[-1] == "QUIT"


def test_rfc_3207_4_starttls_has_no_parameter():
    assert talk(HELLO + b"STARTTLS now\r\n", terms=OFFERS_TLS).codes[-1] == "501"


def test_rfc_3207_4_a_server_that_only_offers_tls_takes_mail_in_clear():
    assert talk(HELLO + b"MAIL FROM:<anna@example.com>\r\n", terms=OFFERS_TLS).codes[-1] == "250"
