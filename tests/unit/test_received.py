"""The trace field of a mail that came in says by which protocol and TLS, whatever the client says of itself."""

import asyncio

import pytest

from mta.received import received_field
from mta.smtp.server.hooks import MailSession
from tests.kit.clock import START

TLS = "TLSv1.3 TLS_AES_256_GCM_SHA384"
USING = "\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)"


async def field(*, helo="mx.example.org", peer="192.0.2.7", smtp_utf8=False, **facts) -> str:
    session = MailSession(asyncio.get_running_loop())
    session.host_name, session.peer = helo, (peer, 25)  # type: ignore[assignment]  # aiosmtpd's class declares a text
    session.extended_smtp = True
    for name, value in facts.items():
        setattr(session, name, value)
    return received_field(session, hostname="gateway.example.net", smtp_utf8=smtp_utf8, now=START).decode("ascii")


@pytest.mark.parametrize(
    ("facts", "using", "protocol"),
    [
        ({"extended_smtp": False}, "", "SMTP"),
        ({}, "", "ESMTP"),
        ({"tls": TLS}, USING, "ESMTPS"),
        ({"authenticated": True}, "", "ESMTPA"),
        ({"tls": TLS, "authenticated": True}, USING, "ESMTPSA"),
        ({"smtp_utf8": True}, "", "UTF8SMTP"),
        ({"tls": TLS, "authenticated": True, "smtp_utf8": True}, USING, "UTF8SMTPSA"),
    ],
)
async def test_the_protocol_is_named_as_the_session_was(facts, using, protocol):
    assert await field(**facts) == (
        f"Received: from mx.example.org ([192.0.2.7]){using}\r\n\tby gateway.example.net with {protocol};"
        "\r\n\tMon, 23 Nov 2026 16:00:00 +0000\r\n"
    )


@pytest.mark.parametrize(
    ("helo", "name"),
    [
        ("x) (using TLSv1.3 with cipher Y) by gateway.example.net with ESMTPSA; (", None),
        ("x\r\nReceived: from y", None),
        ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("ä(;)", "unknown"),
        ("x" * 600, "x" * 255),
        (None, "unknown"),
    ],
)
async def test_the_name_of_a_client_forges_no_part_of_it(helo, name):
    text = await field(helo=helo)
    first, *rest = text.split("\r\n\t")
    said = first.removeprefix("Received: from ").removesuffix(" ([192.0.2.7])")
    assert not set(said) & set(" ();\r\n\t")
    assert name is None or said == name
    assert rest == ["by gateway.example.net with ESMTP;", "Mon, 23 Nov 2026 16:00:00 +0000\r\n"]


async def test_an_ipv6_client_is_a_literal_without_zone():
    assert "([IPv6:fe80::1])" in await field(peer="fe80::1%eth0")
