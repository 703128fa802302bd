"""What the SMS says: own words by line and by HTML structure, what stands in for none, and what is never sent."""

import pytest

from mta.reading.body import TEXT_LIMIT, ExtractedText, extract_text
from mta.reading.client_phrases import separator_kind, strip_subject
from mta.reading.html import html_text
from mta.reading.html_bounds import bounded_html
from mta.reading.mime import MailLimits, ParsedMail, read_mail
from mta.reading.quotes import own_words, unflow
from sms.outcome import Refusal, Refused
from sms.settings import Settings, TextSource
from tests.kit.effort import spend_at_most


def extracted(body, *, header="", settings=None, content_type="text/plain; charset=utf-8", subject=None):
    raw = f"From: a@example.com\r\n{header}Content-Type: {content_type}\r\n\r\n{body}".encode()
    mail = read_mail(raw, MailLimits())
    assert isinstance(mail, ParsedMail)
    return extract_text(mail, settings or Settings(), subject=mail.subject if subject is None else subject)


def text_of(*args, **kwargs):
    found = extracted(*args, **kwargs)
    assert isinstance(found, ExtractedText), found
    return found.text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<p class=MsoNormal>a</p><p class=MsoNormal>&nbsp;</p><p class=MsoNormal>b</p>", "a\n\nb"),
        ("<style>P {margin-top:0;margin-bottom:0;}</style><p>a</p><p>b</p>", "a\nb"),
        ("<p style='margin: 0'>a</p><p style='margin:0cm'>b</p>", "a\nb"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("a<br>b<br/><br>c", "a\nb\n\nc"),
        ("a&nbsp;&nbsp; b\n c", "a b c"),
        ("<ul><li>a<li>b</ul><ol start=9><li>c<li>d</ol>", "- a\n- b\n9. c\n10. d"),
        ("<table><tr><th>Host<td>web01<tr><td>State:<td>down</table>", "Host: web01\nState: down"),
        ("<table><tr><td>a<td>b<td>c<tr><td><td>e<td>f</table>", "a; b; c\ne: f"),
        ("<table><tr><td><p>one</p><p>two</p></td></tr></table>", "one\n\ntwo"),
        ("<a href='https://example.com/x'>here</a>", "here https://example.com/x"),
        ("<a href='https://www.example.com/'>example.com</a>", "example.com"),
        ("<a href='mailto:a@example.com'>write</a> <a href='#x'>x</a> <a href='javascript:y'>y</a>", "write x y"),
        ("<a href='https://example.com/" + "x" * 400 + "'>long</a>", "long"),
        ("<pre>a\n  b\nc</pre>", "a\nb\nc"),
        ("a<span style='display: none'>x</span><span hidden>y</span><p style='font-size:0px'>z</p>b", "ab"),
        ("a<span style='font-size:0.9em;opacity:0.9'>b</span>", "ab"),
        ("<style>.pre {display:none}</style><div class='pre'>x</div>a", "a"),
        ("<script>x</script><title>y</title><!-- z -->a<svg><text>s</text></svg>", "a"),
        ("a<img src='https://t.example.com/p.gif'><img alt='🎉' src=x><img alt='Logo' src=y>", "a🎉"),
        ("1 &lt; 2 &amp; 3 &#13;&#10; &#0; x", "1 < 2 & 3 \N{REPLACEMENT CHARACTER} x"),
        ("a<blockquote style='margin:0 0 0 40px'>b</blockquote>", "a\nb"),
        ("<b>a</b><i>b</i> <u>c</u>", "ab c"),
        ("a\ue000b<pre>\ue000</pre>&#xe000;c", "ab\nc"),
    ],
)
def test_html_becomes_readable_text(html, text):
    assert text_of(html, content_type="text/html; charset=utf-8") == text


@pytest.mark.parametrize(
    "history",
    [
        "<blockquote type=cite>x</blockquote>",
        "<blockquote style='border-left: 2px solid'>x</blockquote>",
        "<div id=divRplyFwdMsg>x</div>x",
        "<div id=x_divRplyFwdMsg>x</div>x",
        "<div id=appendonsend></div><hr>x",
        "<hr id=zwchr>x",
        "<div class='x_yahoo_quoted'>x</div>",
        "<div class=protonmail_quote>x</div>",
        "<div class=moz-cite-prefix>x wrote:</div><blockquote cite='mid:1'>x</blockquote>",
        "<div class=gmail_quote><div class=gmail_attr>x</div><blockquote class=gmail_quote>x</blockquote></div>",
        "<div id=Signature>x</div>",
        "<div class='gmail_signature'>x</div>",
        "<pre class=moz-signature>-- <br>x</pre>",
        "<p><a name='_MailAutoSig'>x</a></p><p>x</p>",
        "<div class='company-disclaimer'>x</div>",
    ],
)
@pytest.mark.parametrize("filler", ["", "<!-- " + "y" * 41_000 + " -->"])
def test_structure_of_clients_is_not_text(history, filler):
    assert (
        text_of(
            f"<body><div>own</div>{filler}{history}</body>", content_type="text/html", header="In-Reply-To: <1@x>\r\n"
        )
        == "own"
    )


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        ("<b onclick='x'>a", "<span>a"),
        ("<A HREF='https://x/' x=1>a</A>", '<x-a href="https://x/">a</x-a>'),
        ("<div id=a class='b c' data-x=1 style=\"d\">", '<div id="a" class="b c" style="d">'),
        ("<div title='a > b' id=c>x", '<div id="c">x'),
        ("a < b <!-- c --> <? d ?> </ e>f", "a &lt; b   f"),
        ("<script>if (a < b) '</div>'</script >x", "x"),
        ("<div hidden>x", "<div hidden>x"),
        ('<p id="a&quot;b">', '<p id="a&quot;b">'),
    ],
)
def test_large_html_is_written_anew_with_what_is_read(html, kept):
    filler = "<br>" * 601
    assert bounded_html(filler + html) == filler + kept
    assert bounded_html(html) == html


def test_large_html_reads_like_small_html():
    small = "<p>a <b>b</b> <a href='https://example.com/'>c</a></p><ul><li>d</ul>"
    large = "<span></span>" * 1000 + small
    assert html_text(large).text == html_text(small).text == "a b c https://example.com/\n\n- d"


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("a\n\nOn 23 Nov 2026 at 13:30 Ops <ops@example.org>\nwrote:\n\n> b", "a"),
        ("a\n\nOn Mon, 23 Nov 2026 at\n13:30 Ops <ops@example.org> wrote:\n> b", "a"),
        ("a\n\nOn 23 Nov 2026 at 13:30 Ops <ops@example.org> wrote:\nb without marks", "a"),
        ("> b\n\nmy answer", "my answer"),
        ("one\n> b\ntwo\n> c\nthree", "one\n\ntwo\n\nthree"),
        (
            "a\n________________________________\nFrom: Ops <ops@example.org>\nSent: Monday\nTo: me\nSubject: x\n\nb",
            "a",
        ),
        ("a\nSubject: x\nDate: 23.11.2026\nFrom: Ops <ops@example.org>\nTo: me\n\nb", "a"),
        ("a\n*From:* Ops <ops@example.org>\n*Sent:* Monday\n*To:* me;\n you; them\n*Subject:* x\nb", "a"),
        ("> From: Ops <ops@example.org>\n> To: me\n> Subject: x\n>\n> b\n\nmy answer", "my answer"),
        ("> -----Original Message-----\n> b\n\nmy answer", "my answer"),
        ("a\n---- On Mon, 23 Nov 2026 13:30:00 +0100 Ops wrote ----\nb", "a"),
        ("a\n-- \nsig\n\nmore sig", "a"),
        ("a\n--\nAnna\n+44 20 7946 0000", "a"),
        ("a\n\nSent from my Galaxy S24, please excuse typos", "a"),
        ("a\n\nGet Outlook for iOS <https://aka.ms/o0ukef>", "a"),
        ("a\n\nThis email is confidential\nand for you only.\n\nb", "a\n\nb"),
        ("a\n\nKind regards\nAnna\nExample Ltd\nT +44 20 7946 0000\nwww.example.com", "a\n\nKind regards\nAnna"),
    ],
)
def test_what_stands_around_the_own_words_goes(text, own):
    assert own_words(text, is_reply=True).text == own


@pytest.mark.parametrize(
    "text",
    [
        "As I wrote:\nplease call", "He wrote on Monday:\n\ncome early", "> 5 pallets", "a\n--\nThis goes on with one more sentence.",
        "From: Hamburg\nTo: Berlin", "Date: 24.11.2026\nSubject: fire drill", "--- WICHTIG ---\nTor zu", "--- INFO ---\nFrom: Hamburg\nTo: Berlin", "_____\nVon: Hamburg\nBetreff: LKW", "--- Tom wrote ---\nx", "____\n250 EUR",
        "Total: 5", "Sent from my office at noon", "Kind regards\nAnna", "Best\nAnna\nBen\nCleo", "10:30:\nmeeting",
        "Down\nFrom: db01\nTo: ops\nSubject: disk full", "Forwarded message:\nplease read page 4",
        "Down\n" + "_" * 32 + "\nHost: a@b.example\nTime: 24.11.2026 08:59\nRoom: 4\nState: down",
    ],
)  # fmt: skip
def test_own_words_that_look_like_history_or_a_signature_stay(text):
    assert own_words(text, is_reply=False).text == text


def test_a_paragraph_that_begins_like_the_customers_disclaimer_is_cut_alone():
    text = "Gate 4.\nExample Group, registered\nin London.\n\nThanks"
    assert own_words(text, is_reply=False, disclaimers=("example  group",)).text == "Gate 4.\n\nThanks"


@pytest.mark.parametrize(
    ("pattern", "cut"),
    [
        ("Example Group * London", True),
        ("example group*in*.", True),
        ("* registered in london", True),
        ("Example Group * Paris", False),
        ("Group, registered", False),
        ("*", False),
        ("Thanks * London", False),
    ],
)
def test_an_asterisk_in_a_customers_disclaimer_stands_for_any_words_of_the_paragraph(pattern, cut):
    text = "Gate 4.\n\nExample Group, registered\nin London.\n\nThanks"
    expected = "Gate 4.\n\nThanks" if cut else text
    assert own_words(text, is_reply=False, disclaimers=("unheard of", pattern)).text == expected


@pytest.mark.parametrize(
    "disclaimers",
    [
        tuple(f"a*b*c*z{n}" for n in range(5_000)),
        tuple(f"*z{n}" for n in range(5_000)),
        tuple("*a" * 100 + f"z{n}" for n in range(100)),
        ("(a+)+$", "a" * 200, "*" * 200, "* " * 100),
    ],
)
def test_no_disclaimer_of_a_customer_holds_up_the_gateway(disclaimers):
    text = ("a b c d e f g h\n" * 19 + "\n") * 1_000
    found = spend_at_most(200, lambda: own_words(text, is_reply=False, disclaimers=disclaimers))
    assert found.text.startswith("a b c")


@pytest.mark.parametrize(
    "footer",
    [
        "Saadetud minu iPhone'ist", "Nosūtīts no mana iPhone", "Išsiųsta iš mano iPhone", "Enviat des del meu iPhone", "Στάλθηκε από το iPhone μου",
        "Szerezze be az iOS Outlook alkalmazást https://aka.ms/o0ukef", "获取 Outlook for iOS<https://aka.ms/o0ukef>", "Get BlueMail for Android",
        "Sent with FairEmail", "Sent from Nine", "Sicher versendet mit Tuta Mail",
        "The contents of this email and any attachments are confidential and intended for the named recipient only.",
        "_____\nThis message (including any attachments) contains confidential information intended for a specific individual.",
        "Ai sensi del Regolamento UE 2016/679 le informazioni contenute in questo messaggio sono riservate.",
    ],
)  # fmt: skip
def test_footers_and_disclaimers_of_further_clients_and_languages_go(footer):
    assert own_words(f"Gate 4.\n\n{footer}\n", is_reply=False).text == "Gate 4."


def test_a_french_contact_block_goes_below_closing_and_name():
    block = "Cordialement,\nAnna Keller\nLogistique\nTél. : +33 1 99 00 12 34\nwww.example.com"
    assert own_words(f"À 15 h.\n\n{block}", is_reply=False).text == "À 15 h.\n\nCordialement,\nAnna Keller"


def test_a_disclaimer_in_a_part_of_its_own_is_below_the_words_of_the_part_above():
    part = "This message is confidential and intended only for the person it is addressed to."
    assert own_words(part, is_reply=False, below=True).text == ""
    assert own_words(part, is_reply=False).text == part


@pytest.mark.parametrize(
    ("flowed", "text", "delete_space"),
    [
        ("a \nb\nc", "a b\nc", False),
        ("a \nb", "ab", True),
        ("-- \nsig", "-- \nsig", False),
        (" >not quoted\n From", ">not quoted\nFrom", False),
        ("> a \n> b\n>> c \nd", "> a b\n>> c \nd", False),
        ("a \n-- \nb", "a \n-- \nb", False),
        ("a \n", "a ", False),
    ],
)
def test_soft_line_breaks_are_joined(flowed, text, delete_space):
    assert unflow(flowed, delete_space=delete_space) == text


@pytest.mark.parametrize(
    ("subject", "rest", "kind"),
    [
        ("Re: x", "x", "reply"), ("AW: WG: x", "x", "reply"), ("Fwd: RE: x", "x", "forward"), ("RE[2]: x", "x", "reply"),
        ("回复：x", "x", "reply"), ("転送: x", "x", "forward"), ("Report: x", "Report: x", ""), ("x Re: y", "x Re: y", ""),
        ("Re:", "", "reply"), ("", "", ""),
    ],
)  # fmt: skip
def test_prefixes_of_the_subject_go(subject, rest, kind):
    assert strip_subject(subject) == (rest, kind)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("-----Original Message-----", "original"), ("----- Ursprüngliche Nachricht -----", "original"),
        ("---------- Forwarded message ---------", "forwarded"), ("Begin forwarded message:", "forwarded"),
        ("Original message", ""), ("----- Lieferung -----", ""), ("x" * 200, ""),
    ],
)  # fmt: skip
def test_separators_are_known_by_their_words(line, kind):
    assert separator_kind(line) == kind


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        ("see www.example.com<https://www.example.com/> now", "see www.example.com now"),
        ("see here<https://example.com/x> now", "see here https://example.com/x now"),
        ("<https://example.com/x>", "https://example.com/x"),
        ("call Anna<tel:+44> or a@example.com<mailto:a@example.com>", "call Anna or a@example.com"),
        ("a [cid:image001.png@01] b [Logo]\n[Image: x]", "a b"),
        ("a [1] [note] b", "a [1] [note] b"),
    ],
)
def test_what_a_plain_twin_writes_for_objects_is_made_readable(plain, text):
    assert text_of(plain) == text


TWINS = "--b\r\nContent-Type: text/plain\r\n\r\n{}\r\n--b\r\nContent-Type: text/html\r\n\r\n{}\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("plain", "html", "text"),
    [
        (
            "a long line that was\nwrapped by *Gmail*",
            "<div>a long line that was wrapped by <b>Gmail</b></div>",
            "a long line that was wrapped by Gmail",
        ),
        ("Disk full on db01", "<table><tr><td>Alert</td></tr><tr><td>Disk full</td></tr></table>", "Disk full on db01"),
        (
            "HTML only",
            "<table><tr><td>" + "The whole alert text stands only in here. " * 3 + "</td></tr></table>",
            ("The whole alert text stands only in here. " * 3).strip(),
        ),
        ("words", "<div></div>", "words"),
        ("words\nAnna", "<div>words</div><div id=Signature>Anna</div>", "words"),
        ("", "<p>only html</p>", "only html"),
    ],
)
def test_the_twin_that_tells_more_wins(plain, html, text):
    assert text_of(TWINS.format(plain, html), content_type="multipart/alternative; boundary=b") == text


def test_a_reply_without_own_words_falls_to_the_subject_by_profile():
    body = "On 23.11.2026 13:30, Ops wrote:\n> where are you?\n"
    header = "In-Reply-To: <1@example.com>\r\nSubject: Re: at the gate\r\n"
    found = extracted(body, header=header)
    assert isinstance(found, ExtractedText)
    assert (found.text, found.source) == ("at the gate", "subject, for a body without own words")
    refused = extracted(body, header=header, settings=Settings(subject_fallback=False))
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.NO_TEXT


def test_a_forward_with_own_words_sends_only_those():
    body = "See below.\n\n---------- Forwarded message ---------\nFrom: Ops <ops@example.org>\nDate: 23.11.2026\nSubject: x\nTo: me\n\nSecret"
    assert text_of(body, header="Subject: Fwd: x\r\n") == "See below."
    assert text_of(body.removeprefix("See below."), header="Subject: Fwd: x\r\n") == "Secret"


@pytest.mark.parametrize("body", ["", "\n \n", "-- \nAnna", "\u200b\ufeff", "<html><body><br></body></html>"])
def test_an_empty_text_is_never_the_answer(body):
    kind = "text/html" if body.startswith("<") else "text/plain; charset=utf-8"
    for header in ("", "Subject: Re: \r\n", "Subject:  \r\n"):
        assert isinstance(extracted(body, header=header, content_type=kind), Refused)


def test_subject_and_body_are_joined_where_the_profile_says_so():
    settings = Settings(text_source=TextSource.BOTH)
    assert text_of("two", header="Subject: RE: one\r\n", settings=settings) == "one\ntwo"
    assert text_of("two", settings=settings) == "two"
    assert text_of("", header="Subject: one\r\n", settings=settings) == "one"


def test_a_subject_as_text_loses_its_prefix_only_in_a_reply():
    settings = Settings(text_source=TextSource.SUBJECT)
    assert text_of("x", header="Subject: R: 5 pallets\r\n", settings=settings) == "R: 5 pallets"
    assert text_of("x", header="Subject: R: 5 pallets\r\nIn-Reply-To: <1@x>\r\n", settings=settings) == "5 pallets"


def test_an_end_marker_at_the_start_leaves_no_text():
    found = extracted("$$ nothing", settings=Settings(end_marker="$$"))
    assert isinstance(found, Refused)


def test_what_was_removed_is_told_with_its_length():
    found = extracted("own $$ rest\n-- \nAnna", settings=Settings(end_marker="$$"))
    assert isinstance(found, ExtractedText)
    assert found.removed == (("signature", 7), ("text after the end marker", 7))


def test_a_text_beyond_the_limit_is_cut_and_told():
    found = extracted("x" * (TEXT_LIMIT + 5))
    assert isinstance(found, ExtractedText)
    assert (len(found.text), found.removed) == (TEXT_LIMIT, (("text beyond the limit", 5),))


@pytest.mark.parametrize(
    ("content_type", "words"),
    [
        ("application/pkcs7-mime; smime-type=enveloped-data", "encrypted (S/MIME)"),
        ("multipart/encrypted; boundary=b", "encrypted (PGP)"),
        ("application/ms-tnef", "winmail.dat"),
        ("application/pdf", "holds no text"),
    ],
)
def test_a_mail_that_cannot_be_read_is_refused_with_the_way_out(content_type, words):
    found = extracted("--b\r\nContent-Type: x/y\r\n\r\nx\r\n--b--", content_type=content_type)
    assert isinstance(found, Refused)
    assert found.refusal is Refusal.NO_TEXT
    assert words in found.detail
