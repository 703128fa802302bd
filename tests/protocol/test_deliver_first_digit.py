"""Mail servers as they are: odd codes, odd replies, odd logins, dead addresses; each mail arrives, and arrives once."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.sending.routes import RelayLogin, Route
from sms.outcome import Done, Failed, Retry
from tests.kit.mail_servers import (
    CUT,
    DRIP,
    ENDLESS,
    PATIENT,
    Peer,
    issue,
    make_deliverer,
    one_host,
    server_context,
    status_mail,
)
from tls.mx import AddressGuard
from tls.policy import TlsLevel

EVERYTHING = AddressGuard(allowed=("127.0.0.0/8", "::/0"))
IMPATIENT = replace(PATIENT, rest=0.2)
EXTENSIONS = pytest.mark.parametrize("extensions", [(), ("PIPELINING",)], ids=["in turn", "pipelined"])


async def deliver(peer: Peer, *levels: TlsLevel, times: int = 1):
    deliverer = make_deliverer(peer.port, *levels, patience=IMPATIENT)
    attempts = [await deliverer.deliver(status_mail()) for _ in range(times)]
    await deliverer.close()
    return attempts[-1]


@EXTENSIONS
@pytest.mark.parametrize(
    "answer",
    [
        "200 Message accepted",
        "251 forwarded",
        "299",
        "250",
        "250-first\r\n250 last",
        "250-first\r\n200 last",
        "250-first\r\nand more\r\n250 last",
        "250-first\r\n450 last",
        "150 wait\r\n250 kept",
        "2.0.0 kept",
        "\r\n250 kept",
        "\r\n \r\n\t250-first\r\n\r\n250 last",
        "250 " + "x" * 100_000,
        "\r\n".join(["250-again"] * 5_000 + ["250 last"]),
        ENDLESS,
        DRIP,
        "250 kept\r\n421 4.4.2 idle for too long",
        "250 bekommen, Gr\u00fc\u00dfe",
    ],
    ids=lambda answer: repr(answer)[:30],
)
async def test_a_first_digit_2_after_the_dot_means_that_the_mail_was_taken(answer, extensions):
    async with Peer(extensions=extensions, answers={"DOT": answer}) as peer:
        attempt = await deliver(peer)
        assert isinstance(attempt.outcome, Done)
        assert len(attempt.reply) <= 304
        assert len(peer.mails) == 1


class Ending(Peer):
    """Says its last word and goes."""

    last = "250 2.0.0 kept\r\n"

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secure: bool) -> None:
        self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
        writer.write(self.last.encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@EXTENSIONS
@pytest.mark.parametrize("last", ["250 2.0.0 kept\r\n", "250 2.0.0 ke", "250-2.0.0 kept\r\n", "2"])
async def test_a_server_that_goes_right_after_its_yes_has_taken_the_mail(last, extensions):
    async with Ending(extensions=extensions) as peer:
        peer.last = last
        assert isinstance((await deliver(peer, times=2)).outcome, Done)
        assert len(peer.mails) == 2


@given(
    code=st.integers(200, 299),
    separator=st.sampled_from([" ", "-", "", "\t"]),
    words=st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=60),
    extensions=st.sampled_from([(), ("PIPELINING",)]),
)
async def test_whatever_a_server_says_after_the_dot_with_a_first_digit_2_the_mail_is_sent_once(
    code, separator, words, extensions
):
    answer = f"{code}{separator}{words}"
    async with Peer(extensions=extensions, answers={"DOT": answer}) as peer:
        deliverer = make_deliverer(peer.port, patience=replace(PATIENT, rest=0.05))
        assert isinstance((await deliverer.deliver(status_mail())).outcome, Done)
        await deliverer.close()
        assert len(peer.mails) == 1


@EXTENSIONS
@pytest.mark.parametrize(
    "answers",
    [
        {"GREETING": "200 hello"},
        {"GREETING": "220-one\r\n220-two\r\n220 three"},
        {"GREETING": "220"},
        {"GREETING": "\r\n220 hello"},
        {"EHLO": "252-mx\r\n252 PIPELINING"},
        {"MAIL": "251 sender fine"},
        {"RCPT": "252 2.1.5 cannot verify, will try"},
        {"RCPT": "200 ok"},
        {"DATA": "350 go on"},
        {"DATA": "354"},
        {"MAIL": "250-a\r\nstray line\r\n250 b"},
        {"MAIL": "250 " + "x" * 40_000},
        {"MAIL": "150 wait\r\n250 fine"},
        {"QUIT": "451 not now"},
        {"QUIT": CUT},
    ],
    ids=repr,
)
async def test_the_first_digit_decides_at_each_command(answers, extensions):
    async with Peer(extensions=extensions, answers=answers) as peer:
        assert isinstance((await deliver(peer)).outcome, Done)
        assert len(peer.mails) == 1


@pytest.mark.parametrize("code", [500, 501, 502, 503, 504, 550, 554])
async def test_a_server_that_refuses_ehlo_for_ever_is_greeted_with_helo(code):
    async with Peer(answers={"EHLO": f"{code} no"}) as peer:
        assert isinstance((await deliver(peer)).outcome, Done)
        assert peer.verbs_in_clear[:3] == ["EHLO", "HELO", "MAIL"]
        waits = await deliver(peer, TlsLevel.ENCRYPT)
        assert isinstance(waits.outcome, Retry)


@pytest.mark.parametrize("helo", ["550 5.7.1 go away", CUT])
async def test_a_server_that_refuses_both_greetings_is_asked_again_later(helo):
    async with Peer(answers={"EHLO": "550 5.7.1 who are you?", "HELO": helo}) as peer:
        attempt = await deliver(peer)
        assert isinstance(attempt.outcome, Retry)
        assert attempt.reply == "550 5.7.1 who are you?"


@pytest.mark.parametrize("code", [421, 450, 454])
async def test_a_server_that_has_no_time_for_ehlo_is_not_asked_by_helo(code):
    async with Peer(answers={"EHLO": f"{code} later"}) as peer:
        assert isinstance((await deliver(peer)).outcome, Retry)
        assert "HELO" not in peer.verbs_in_clear


async def test_a_first_digit_2_at_starttls_begins_tls(tmp_path):
    async with Peer(server_context(issue(), tmp_path), starttls="250 begin") as peer:
        attempt = await deliver(peer, TlsLevel.ENCRYPT)
        assert isinstance(attempt.outcome, Done)
        assert attempt.tls


async def test_inside_tls_a_server_that_knows_no_ehlo_is_greeted_with_helo(tmp_path):
    async with Peer(server_context(issue(), tmp_path), answers={"tls:EHLO": "502 once is enough"}) as peer:
        assert isinstance((await deliver(peer, TlsLevel.ENCRYPT)).outcome, Done)


# --- logins of routes --------------------------------------------------------------------------------------------


class Exchange(Peer):
    """Asks for user and password one by one; `dialogue` is what it says to each line after AUTH."""

    dialogue = ("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 2.7.0 in")

    async def say(self, writer: asyncio.StreamWriter, text: str) -> None:
        said = self.in_tls[-1] if self.in_tls else ""
        if said.startswith("AUTH"):
            self.step = 0
        if said.startswith("AUTH LOGIN") or said in ("Z2F0ZXdheQ==", "a8Okc2U="):
            text, self.step = self.dialogue[self.step], self.step + 1
        await super().say(writer, text)


async def log_in(peer: Peer, tmp_path, user: str = "gateway"):
    secret = tmp_path / "password"
    secret.write_text("k\u00e4se\n")
    login = RelayLogin(user=user, password_file=secret)
    route = Route(domain="*", host="127.0.0.1", port=peer.port, login=login)
    deliverer = make_deliverer(1, routes=(route,), patience=IMPATIENT)
    attempt = await deliverer.deliver(status_mail())
    await deliverer.close()
    return attempt


@pytest.mark.parametrize("offer", ["AUTH GSSAPI NTLM LOGIN", "AUTH=LOGIN", "AUTH LOGIN XOAUTH2", "auth login"])
async def test_a_server_that_offers_only_login_is_logged_in_to(offer, tmp_path):
    async with Exchange(server_context(issue(), tmp_path), extensions=(offer,)) as peer:
        assert isinstance((await log_in(peer, tmp_path)).outcome, Done)
        assert "a8Okc2U=" in peer.in_tls
        assert len(peer.mails) == 1


@pytest.mark.parametrize("dialogue", [("334 ", "334 Passwort:", "200 in"), ("300 user", "399 password", "299 in")])
async def test_what_a_server_writes_into_its_questions_does_not_matter(dialogue, tmp_path):
    async with Exchange(server_context(issue(), tmp_path), extensions=("AUTH LOGIN",)) as peer:
        peer.dialogue = dialogue
        assert isinstance((await log_in(peer, tmp_path)).outcome, Done)


async def test_a_mechanism_that_is_offered_and_not_known_leads_to_the_other(tmp_path):
    class Liar(Exchange):
        async def say(self, writer: asyncio.StreamWriter, text: str) -> None:
            plain = self.in_tls and self.in_tls[-1].startswith("AUTH PLAIN")
            await super().say(writer, "504 5.5.4 not here" if plain else text)

    async with Liar(server_context(issue(), tmp_path), extensions=("AUTH PLAIN LOGIN",)) as peer:
        assert isinstance((await log_in(peer, tmp_path)).outcome, Done)


async def test_a_wrong_password_is_not_tried_by_another_mechanism(tmp_path):
    answers = {"AUTH": "535 5.7.8 wrong"}
    async with Peer(server_context(issue(), tmp_path), extensions=("AUTH PLAIN LOGIN",), answers=answers) as peer:
        attempt = await log_in(peer, tmp_path)
        assert isinstance(attempt.outcome, Retry)
        assert sum(line.startswith("AUTH") for line in peer.in_tls) == 1


async def test_mechanisms_that_we_do_not_know_are_named(tmp_path):
    async with Peer(server_context(issue(), tmp_path), extensions=("AUTH GSSAPI NTLM",)) as peer:
        attempt = await log_in(peer, tmp_path)
        assert isinstance(attempt.outcome, Retry)
        assert "AUTH GSSAPI NTLM" in attempt.reply


# --- families of addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dead", [1, 4, 8])
async def test_addresses_of_a_family_that_does_not_work_leave_room_for_the_other(dead):
    six = tuple(f"::1:{n:x}" for n in range(1, dead + 1))
    async with Peer() as peer:
        deliverer = make_deliverer(
            peer.port, resolver=one_host(*six, "127.0.0.1"), guard=EVERYTHING, patience=IMPATIENT
        )
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
        assert isinstance(attempt.outcome, Done)
        assert attempt.address == "127.0.0.1"


async def test_a_552_for_a_recipient_is_for_now_and_at_the_end_for_ever():
    async with Peer(answers={"RCPT": "552 too many"}) as peer:  # RFC 5321 §4.5.3.1.10
        assert isinstance((await deliver(peer)).outcome, Retry)
    async with Peer(answers={"DOT": "552 too large"}) as peer:
        assert isinstance((await deliver(peer)).outcome, Failed)
