"""One mail → the text of the SMS: which part has the author's words, what is left out, what replaces a missing text.

The order: own words of the body, the forwarded text of a forward without own words, the subject if the settings allow
it; the result is never empty. Not here: MIME (mta.reading.mime), reading HTML (mta.reading.html), judging lines
(mta.reading.quotes), the alphabet and the length (sms.parts).
"""

import re
from dataclasses import replace
from typing import Final

from msgspec import Struct, structs

from mta.reading.client_phrases import IMAGE_LEFTOVER, strip_subject
from mta.reading.html import QUOTE_MARK, html_text
from mta.reading.html_marks import Removal
from mta.reading.mime import Encryption, ParsedMail
from mta.reading.quotes import OwnWords, forwarded_words, own_words, tidy, unflow
from mta.reading.texts import TextSection
from mta.reading.tnef import read_tnef
from sms.outcome import Refusal, Refused
from sms.settings import Settings, TextSource

TEXT_LIMIT: Final = 100_000
_JUDGED_LENGTH: Final = 400_000
"""How much of a body in many pieces is read; its first piece is always read, within the bounds of MailLimits."""


class ExtractedText(Struct, frozen=True, kw_only=True):
    """The text as the sender typed it, never empty.

    `source` says in words where it was found; `removed` has what was left out, as kind and number of characters.
    """

    text: str
    source: str
    removed: tuple[tuple[str, int], ...] = ()


class _Words(Struct, frozen=True, kw_only=True):
    """The best text of one section, and the source that it came from."""

    words: OwnWords
    source: str


_PGP_SIGNED: Final = "-----BEGIN PGP SIGNED MESSAGE-----\n"
_PGP_SIGNATURE: Final = "\n-----BEGIN PGP SIGNATURE-----"
_PGP_END: Final = "-----END PGP SIGNATURE-----"
_PGP_ENCRYPTED: Final = re.compile(r"^-----BEGIN PGP MESSAGE-----$", re.MULTILINE)
_LINK: Final = re.compile(r"[ \t]?<(https?://[^<>\s]{1,2000}|mailto:[^<>\s]{1,500}|tel:[^<>\s]{1,100})>")
_STUB_LENGTH: Final = 200
_FIRST_THREAD_INDEX: Final = 32
"""The base64 length of an index of 22 octets; each answer and forward adds five."""


def extract_text(
    mail: ParsedMail, settings: Settings, *, subject: str, answers: bool = False
) -> ExtractedText | Refused:
    """Return the text to send. `subject` is the mail's subject without options; settings are those in force.

    One that `answers` an SMS is the body's own words and nothing else. NO_TEXT if there is none, with how to mend it.
    """
    title, subject_kind = strip_subject(subject)
    if answers:
        settings = replace(settings, text_source=TextSource.BODY)
        found = _from_body(mail, settings, "reply", answers=True)
    elif settings.text_source is TextSource.SUBJECT:
        title = subject if not _is_reply(mail, "") else title
        found = ExtractedText(text=tidy(title), source="subject") if title.strip() else None
    else:
        found = _from_body(mail, settings, subject_kind)
        if found is None and settings.subject_fallback and title and not _unreadable(mail):
            found = ExtractedText(text=tidy(title), source="subject, for a body without own words")
        elif found is not None and settings.text_source is TextSource.BOTH and title:
            text = f"{tidy(title)}\n{found.text}"
            found = ExtractedText(text=text, source=f"subject and {found.source}", removed=found.removed)
    if found is None or not found.text.strip():
        return Refused(refusal=Refusal.NO_TEXT, detail=_why_empty(mail, settings))
    return _finished(found, mail, settings)


def _why_empty(mail: ParsedMail, settings: Settings) -> str:
    if settings.text_source is TextSource.SUBJECT:
        return "the subject is empty, and the subject is the text; write the message there"
    unreadable = _unreadable(mail)
    if unreadable:
        return unreadable
    if mail.sections:
        return "the mail holds no words of its sender, only history, signature or nothing"
    return "the mail holds no text; write the message as plain text or HTML"


def _unreadable(mail: ParsedMail) -> str:
    """Return why a text cannot be read, "" if all can; the subject must not replace such a text."""
    encryption = mail.encryption
    if any(section.plain and _PGP_ENCRYPTED.search(section.plain) for section in mail.sections):
        encryption = Encryption.PGP
    if encryption is not None:
        return f"the mail is encrypted ({encryption}) and this service cannot read it; send it unencrypted"
    if any(read_tnef(rich) is None for rich in mail.rich):
        return "the mail is Rich Text (winmail.dat) that cannot be read; set the format to plain text or HTML"
    return ""


def _finished(found: ExtractedText, mail: ParsedMail, settings: Settings) -> ExtractedText:
    if len(found.text) > TEXT_LIMIT:
        over = (Removal.OVERLONG.value, len(found.text) - TEXT_LIMIT)
        found = structs.replace(found, text=found.text[:TEXT_LIMIT], removed=(*found.removed, over))
    if settings.sender_prefix and mail.author:
        found = structs.replace(found, text=f"{mail.author}: {found.text}")
    return found


def _is_reply(mail: ParsedMail, subject_kind: str) -> bool:
    return bool(mail.in_reply_to or mail.references) or subject_kind == "reply"


def _continues_thread(mail: ParsedMail) -> bool:
    """Return whether Outlook marks a mail as continuing a thread, even with a new subject (MS-OXOMSG 2.2.1.3)."""
    return "thread-index" in mail.fields and len(mail.text("thread-index")) > _FIRST_THREAD_INDEX


def _from_body(
    mail: ParsedMail, settings: Settings, subject_kind: str, *, answers: bool = False
) -> ExtractedText | None:
    sections = _judged(mail.sections)
    is_reply = _is_reply(mail, subject_kind) or subject_kind == "forward" or _continues_thread(mail)
    own: list[_Words] = []
    below = False
    for section in sections:
        found = _own(section, settings, is_reply=is_reply, below=below)
        own.append(found)
        below = below or bool(found.words.text)
    text = _joined(own, settings)
    if text is not None:
        return text
    for rich in mail.rich:
        unpacked = read_tnef(rich)
        if unpacked is not None:
            words = _own(unpacked, settings, is_reply=is_reply)
            text = _joined([_Words(words=words.words, source=f"Rich Text (TNEF), {words.source}")], settings)
            if text is not None:
                return text
            sections = (*sections, unpacked)
    return None if answers else _forwarded(mail, sections, settings, subject_kind)


def _judged(sections: tuple[TextSection, ...]) -> tuple[TextSection, ...]:
    if len(sections) == 1:
        return sections
    length = 0
    for index, section in enumerate(sections):
        length += max(len(section.plain or ""), len(section.html or ""))
        if index and length > _JUDGED_LENGTH:
            return sections[:index]
    return sections


def _joined(found: list[_Words], settings: Settings) -> ExtractedText | None:
    """Return the sections' texts as one, cut at the end marker."""
    texts = [item.words.text for item in found if item.words.text]
    if len(texts) > 1:  # plain and HTML that are not alternatives by MIME are still one text
        texts = [*reversed({_letters(text): text for text in reversed(texts)}.values())]
    text = texts[0] if len(texts) == 1 and QUOTE_MARK not in texts[0] else tidy("\n".join(texts))
    removed = [(kind.value, length) for item in found for kind, length in item.words.removed if length]
    if settings.end_marker and settings.end_marker in text:
        text, marker, rest = text.partition(settings.end_marker)
        text = text.rstrip()
        removed.append((Removal.END_MARKER.value, len(marker) + len(rest)))
    if not text.strip():
        return None
    sources = dict.fromkeys([item.source for item in found if item.words.text])
    return ExtractedText(text=text, source=" and ".join(sources), removed=tuple(removed))


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)) or text


def _forwarded(
    mail: ParsedMail, sections: tuple[TextSection, ...], settings: Settings, subject_kind: str
) -> ExtractedText | None:
    """Return the forwarded text of a forward without own words: below its separator, or the attached mail."""
    for section in sections:
        text = _plain_lines(section) if section.html is None else html_text(section.html, keep_history=True).text
        words = forwarded_words(text, disclaimers=settings.disclaimers)
        if words.text and (words.forward or subject_kind == "forward" or not _is_reply(mail, subject_kind)):
            return _joined([_Words(words=words, source="forwarded mail")], settings)
    if subject_kind != "reply":
        inner = [_own(section, settings, is_reply=True) for section in mail.forwarded[:1]]
        found = _joined(inner, settings)
        if found is not None:
            return ExtractedText(text=found.text, source="attached mail", removed=found.removed)
    return None


def _own(section: TextSection, settings: Settings, *, is_reply: bool, below: bool = False) -> _Words:
    """Return the own words of a section from the better of its twins.

    HTML wins because only it marks signatures and history, and because clients wrap its twin; the plain text wins over
    a machine's layout of tables beside a readable text.
    """
    plain = None
    if section.plain is not None and section.plain.strip():
        words = own_words(_plain_lines(section), is_reply=is_reply, disclaimers=settings.disclaimers, below=below)
        plain = _Words(words=words, source="plain text")
    if section.html is None:
        return plain or _Words(words=OwnWords(text=""), source="plain text")
    read = html_text(section.html)
    words = own_words(read.text, is_reply=is_reply, disclaimers=settings.disclaimers, below=below)
    html = _Words(
        words=OwnWords(text=words.text, removed=(*read.removed, *words.removed), forward=words.forward), source="HTML"
    )
    if plain is None or read.structured or not plain.words.text:
        return html
    if not words.text and not words.forward:
        return plain
    stub = len(plain.words.text) < _STUB_LENGTH and len(words.text) > 4 * len(plain.words.text)
    return plain if read.tabular and not stub else html


def _plain_lines(section: TextSection) -> str:
    """Return plain text as it was typed: without PGP armour, soft line breaks and placeholders for HTML objects."""
    text = section.plain or ""
    if "-----BEGIN PGP" in text:
        if _PGP_ENCRYPTED.search(text):
            return ""
        text = _without_armour(text)
    if section.flowed:
        text = unflow(text, delete_space=section.delete_space)
    if "[" in text:
        text = IMAGE_LEFTOVER.sub("", text)
    if "<" in text:
        text = _LINK.sub(_plain_link, text)
    return text


def _without_armour(text: str) -> str:
    """Return the text of a clear-signed message, with the text before and after it (RFC 4880 §7)."""
    before, begin, rest = text.partition(_PGP_SIGNED)
    signed, signature, after = rest.partition(_PGP_SIGNATURE)
    if not begin or not signature:
        return text
    _, _, content = f"\n{signed}".partition("\n\n")  # armour headers end with an empty line
    content = re.sub(r"^- ", "", content, flags=re.MULTILINE)  # RFC 4880 §7.1: a leading hyphen was escaped
    return f"{before}{content}\n{after.partition(_PGP_END)[2]}"


def _plain_link(match: re.Match[str]) -> str:
    """Rewrite `text<url>` of a plain twin: the address once, after its word."""
    url = match[1]
    before = match.string[max(0, match.start() - 300) : match.start()]
    visible = "" if not before or before[-1].isspace() else before.rsplit(maxsplit=1)[-1]
    if not url.startswith("http"):
        return "" if visible else url.partition(":")[2]
    bare = url.partition("://")[2].removeprefix("www.").rstrip("/").lower()
    if visible and visible.lower().rpartition("://")[2].removeprefix("www.").rstrip("/") == bare:
        return ""
    return f" {url}" if before and match.start() and before[-1] != "\n" else url
