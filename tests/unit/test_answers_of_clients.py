"""Answers of many mail clients to the mail of an inbound SMS: only their new words become the SMS.

Each is an answer of the corpus in which the mail that it quotes is replaced by ours, in the language of the client.
"""

import re
import tomllib
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from pathlib import Path

import pytest

from mta.reading.body import ExtractedText, extract_text
from mta.reading.mime import MailLimits, ParsedMail, read_mail
from sms.settings import Settings
from templates.render import Rendered, Renderer
from tests.kit.inbound_samples import conversation

CORPUS = Path(__file__).parents[1] / "corpus"
EXPECTED = tomllib.loads((CORPUS / "expected.toml").read_text("utf-8"))
QUESTIONS = re.compile(
    r"Wann kommt der LKW\?|When will the truck arrive\?|¿Cuándo llega el camión\?|Quand arrive le camion \?"
)
FORMS = sorted(
    path.stem for path in (CORPUS / "mails").glob("*-reply-*.eml") if path.stem[-2:] in {"de", "en", "es", "fr"}
)


WROTE = {
    "de": ("Am 23.11.2026 um 08:20 schrieb", ":", "Von", "Gesendet", "An", "Betreff", "Von meinem Telefon gesendet"),
    "en": ("On 23/11/2026 08:20,", "wrote:", "From", "Sent", "To", "Subject", "Get Outlook for iOS"),
    "es": ("El 23/11/2026 a las 8:20,", "escribió:", "De", "Enviado", "Para", "Asunto", "Obtener Outlook para iOS"),
    "fr": ("Le 23/11/2026 à 08:20,", "a écrit :", "De", "Envoyé", "À", "Objet", "Obtenir Outlook pour iOS"),
}
WHO = "SMS +44 7700 900123 &lt;447700900123@sms.example.net&gt;"
OURS = "<!--ours-->"
CLIENTS = {
    "thunderbird": (
        '<p>{words}</p><div class="moz-cite-prefix">{on} ' + WHO + " {wrote}<br></div>"
        '<blockquote type="cite" cite="mid:in.IN.1@sms.example.net">' + OURS + "</blockquote>"
        '<pre class="moz-signature">-- \nAnna Keller</pre>'
    ),
    "thunderbird below": (
        '<div class="moz-cite-prefix">{on} '
        + WHO
        + ' {wrote}<br></div><blockquote type="cite">'
        + OURS
        + "</blockquote>"
        "<p>{words}</p>"
    ),
    "outlook mobile": (
        '<div dir="auto">{words}</div><div id="ms-outlook-mobile-signature"><div>{phone}</div></div><hr>'
        '<div id="divRplyFwdMsg"><b>{by}:</b> ' + WHO + "<br><b>{sent}:</b> 23.11.2026 08:20<br><b>{to}:</b> Anna<br>"
        "<b>{title}:</b> SMS</div>" + OURS
    ),
    "word": (
        '<div class="WordSection1"><p class="MsoNormal">{words}<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p>'
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal">'
        "<b>{by}:</b> "
        + WHO
        + "<br><b>{sent}:</b> 23.11.2026 08:20<br><b>{to}:</b> Anna<br><b>{title}:</b> SMS</p></div>"
        + OURS
        + "</div>"
    ),
}


@cache
def our_mail(language: str) -> Rendered:
    report, reader = conversation()
    return Renderer().render_inbound(report, replace(reader, settings=replace(reader.settings, language=language)))


def body_of(language: str) -> str:
    return our_mail(language).html.partition("<body")[2].partition(">")[2].rpartition("</body>")[0]


def with_our_mail(name: str) -> bytes | None:
    """Return an answer that quotes our mail in place of the corpus', None where that is another one."""
    mail = message_from_bytes((CORPUS / "mails" / f"{name}.eml").read_bytes(), policy=policy.default)
    ours, quotes = our_mail(name[-2:]), False
    for part in mail.walk():
        if not isinstance(part, EmailMessage) or part.get_content_maintype() != "text":
            continue
        content = part.get_content()
        found = QUESTIONS.search(content)
        if found is None:
            continue
        if part.get_content_subtype() == "html":
            content = content.replace(found[0], body_of(name[-2:]))
        else:
            before = content[: found.start()].rpartition("\n")[2]
            mark = "> " if before.startswith(">") else ""
            content = content.replace(before + found[0], "\n".join(mark + line for line in ours.text.splitlines()))
        quotes = True
        flowed = {"format": "flowed"} if part.get_param("format") == "flowed" else {}
        part.set_content(content, subtype=part.get_content_subtype(), charset="utf-8", params=flowed)
    return mail.as_bytes(policy=policy.SMTP) if quotes else None


ANSWERS = {name: raw for name in FORMS if (raw := with_our_mail(name)) is not None}


def answer(raw: bytes) -> str:
    mail = read_mail(raw, MailLimits())
    assert isinstance(mail, ParsedMail)
    found = extract_text(mail, Settings(), subject=mail.subject, answers=True)
    assert isinstance(found, ExtractedText), found
    return found.text


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_only_the_new_words_of_an_answer_of_the_corpus_are_sent(name):
    assert answer(ANSWERS[name]) == EXPECTED[name]["text"]


@pytest.mark.parametrize("language", sorted(WROTE))
@pytest.mark.parametrize("client", sorted(CLIENTS))
def test_only_the_new_words_are_sent_from_html_around_our_mail(client, language):
    names = dict(zip(("on", "wrote", "by", "sent", "to", "title", "phone"), WROTE[language], strict=True))
    body = CLIENTS[client].format(words="Ja, um 16 Uhr.", **names).replace(OURS, body_of(language))
    header = "From: anna@example.com\r\nSubject: AW: SMS\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    assert answer(f"{header}<html><body>{body}</body></html>".encode()) == "Ja, um 16 Uhr."


def test_answers_of_the_usual_clients_are_among_them():
    clients = {name.partition("-reply-")[0] for name in ANSWERS}
    assert {"outlook", "outlook-plain", "owa", "gmail", "applemail", "thunderbird", "iphone", "notes"} <= clients
    assert len(ANSWERS) >= 25
