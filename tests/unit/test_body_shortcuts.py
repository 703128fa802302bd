"""What is skipped for speed in finding the author's words changes nothing: held equal to the plain way."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.reading import automatic, body, headers, history, quotes, signatures
from mta.reading.automatic import classify, find_automatic
from mta.reading.html import QUOTE_MARK
from mta.reading.mime import MailLimits, ParsedMail, read_mail
from sms.settings import Settings

_LINES = st.sampled_from(
    [
        *(
            "",
            " ",
            "\t",
            "Hello Peter",
            "See you at 14:00.",
            "X" * 78,
            "a b",
            "\u3000\u2003",
            QUOTE_MARK,
            f" {QUOTE_MARK} ",
        ),
        *("> quoted", ">", "On 23.11.2026 at 10:00 Bob <bob@example.com> wrote:", "Am 1.2.2026 schrieb Bob:", "wrote:"),
        *(
            "-----Original Message-----",
            "---------- Forwarded message ----------",
            "____________",
            "-- ",
            "--",
            "—",
            "|-------->",
        ),
        *(
            "From: Bob",
            "Sent: Monday",
            "To: Anna",
            "Subject: Hi",
            "Von：Bob",
            "| From: Bob",
            "________________________________",
        ),
        *("Sent from my iPhone", "Gesendet von meinem Handy", "Von meinem iPhone gesendet", "发自我的iPhone", "iPhone"),
        *(
            "Get Outlook for iOS<https://aka.ms/o0ukef>",
            "Sent from Outlook for Android",
            "SENTFROMMYIPHONE",
            "https://x.example",
        ),
        *(
            "Kind regards",
            "Mit freundlichen Grüßen,",
            "regards" + " " * 60 + ",",
            "Best",
            "cheers\t!",
            "Com os melhores cumprimentos .",
        ),
        *("Anna Keller", "Tel: +44 7700 900123", "anna@example.com", "www.example.com", "Example Ltd", "12345 Berlin"),
        *(
            "This e-mail is confidential and intended solely for its recipient.",
            "Disclaimer: nothing in here is binding at all",
        ),
    ]
)
_TEXTS = st.lists(st.one_of(_LINES, st.text("ab -—:>|\t\n\u2003", max_size=12)), max_size=25).map("\n".join)
_SHORTCUTS = (
    (history, "_may_hold_history"),
    (history, "_may_begin_history"),
    (quotes, "_may_quote"),
    (signatures, "_may_sign"),
    (signatures, "_may_be_footer"),
)


@given(text=_TEXTS, is_reply=st.booleans(), disclaimers=st.sampled_from([(), ("disclaimer",), ("hello * peter",)]))
def test_a_line_that_is_not_looked_at_closer_would_have_stayed(text, is_reply, disclaimers):
    quick = quotes.own_words(text, is_reply=is_reply, disclaimers=disclaimers)
    with pytest.MonkeyPatch.context() as patch:
        for module, name in _SHORTCUTS:
            patch.setattr(module, name, lambda _text: True)
        patch.setattr(signatures, "_CLOSING_LETTERS", 10**9)
        assert quotes.own_words(text, is_reply=is_reply, disclaimers=disclaimers) == quick


@given(text=_TEXTS)
def test_a_tidy_text_is_what_tidying_makes_of_it(text):
    quick = quotes.tidy(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quotes, "_is_tidy", lambda _text: False)
        assert quotes.tidy(text) == quick


@given(text=_TEXTS)
def test_one_section_needs_no_second_tidying(text):
    mail = read_mail(f"From: a@example.com\nContent-Type: text/plain; charset=utf-8\n\n{text}".encode(), MailLimits())
    assert isinstance(mail, ParsedMail)
    found = body.extract_text(mail, Settings(), subject="")
    if isinstance(found, body.ExtractedText) and found.source == "plain text":
        assert found.text == quotes.tidy(found.text)


@given(
    value=st.text("ab.,;:<>()\"'@ =?_-é\t\\", max_size=40)
    | st.from_regex(headers._USUAL_ADDRESS.pattern, fullmatch=True)
)
def test_a_usual_address_is_read_as_any_other(value):
    octets = value.encode()
    quick = headers.read_addresses(octets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(headers, "_USUAL_ADDRESS", re.compile("(?!)"))
        assert headers.read_addresses(octets) == quick


_FIELDS = st.lists(
    st.tuples(
        st.sampled_from([*sorted(automatic._MARKING_FIELDS), "subject", "in-reply-to", "x-mailer"]),
        st.sampled_from(
            [
                "",
                "no",
                "auto-replied",
                "auto-generated",
                "bulk",
                "list",
                "auto_reply",
                "Automatic reply: x",
                "<mo.1@sms.example.net>",
            ]
        ),
    ),
    max_size=5,
).map(lambda pairs: "".join(f"{name}: {value}\r\n" for name, value in pairs))


@given(fields=_FIELDS, reverse_path=st.sampled_from(["", "a@example.com"]))
def test_mail_without_marks_of_machines_is_judged_as_if_each_were_looked_for(fields, reverse_path):
    mail = read_mail(f"From: a@example.com\r\n{fields}\r\nHello".encode(), MailLimits())
    assert isinstance(mail, ParsedMail)

    def judged():
        found = classify(mail, reverse_path, own_message_id=lambda text: "mo.1" in text)
        return found, find_automatic(mail, reverse_path)

    quick = judged()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(automatic, "_is_marked", lambda _mail: True)
        assert judged() == quick
