"""Words of an inbound text as they are compared: keywords, prefixes, and the words that stop, start and help.

Compared are words without case, accents, width and punctuation. Not here: the tables (opt_words), whose text it is
(routing).
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from inbound.opt_words import COURTESY_WORDS, OPT_WORDS, ORDINARY_WORDS, OptKind

# Their marks are accents, which people leave out; elsewhere a mark is a letter's sound.
_ACCENTED: Final = ("LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW")
# Letters that have no accent to lose, as those write them who have no such key.
_PLAIN: Final = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "ð": "d", "þ": "th", "ـ": ""}  # noqa: RUF001 - the dotless i
)
_APOSTROPHES: Final = frozenset("'’ʼ＇")  # noqa: RUF001 - the look-alikes are the point
_MOST_SCANNED: Final = 2_000


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: its compared form, and where it stands in code points."""

    folded: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OptRequest:
    """What a whole text asks for by a folded `word`. `languages` are those that have it.

    It `is_ordinary` if it is also said without asking for this.
    """

    kind: OptKind
    word: str
    languages: tuple[str, ...]
    is_ordinary: bool = False


def split_words(text: str) -> list[Word]:
    """Return the words of a text's first 2,000 characters; what is no letter, mark or digit parts them."""
    words: list[Word] = []
    start = -1
    scanned = text[:_MOST_SCANNED]
    for index, char in enumerate(scanned):
        if _is_in_word(scanned, index, char, inside=start >= 0):
            start = index if start < 0 else start
        elif start >= 0:
            words.append(Word(_fold_word(scanned[start:index]), start, index))
            start = -1
    if start >= 0:
        words.append(Word(_fold_word(scanned[start:]), start, len(scanned)))
    return [word for word in words if word.folded]


def fold(text: str) -> str:
    """Return the compared form of a keyword or prefix: its words, joined by a blank; empty if it has none."""
    return " ".join(word.folded for word in split_words(text))


def opens(words: Sequence[Word], folded: str) -> int:
    """Return how many words of a text are the folded keyword that opens it, 0 if it does not."""
    wanted = folded.split()
    return len(wanted) if wanted and [word.folded for word in words[: len(wanted)]] == wanted else 0


def is_courtesy(words: Iterable[Word]) -> bool:
    """Return whether words only thank or ask kindly."""
    return all(word.folded in _COURTESY for word in words)


def read_opt_request(words: Sequence[Word]) -> OptRequest | None:
    """Return what a whole text asks for: one of the known words, and nothing beside it but courtesy.

    An ordinary word that is one of them, such as END or INFO, must be the whole text. A number or a name beside the
    word asks for something else: `STOP 12345` names a list, `stop by at five` is talk.
    """
    folded = [word.folded for word in words]
    whole = _KNOWN.get(" ".join(folded))
    if whole is not None:
        return whole
    asked: OptRequest | None = None
    index = 0
    while index < len(folded):
        length, request = _known_at(folded, index)
        if request is not None and (asked is None or request.kind is asked.kind) and not request.is_ordinary:
            asked = asked or request
            index += length
        elif folded[index] in _COURTESY:
            index += 1
        else:
            return None
    return asked


def read_opt_text(text: str) -> OptRequest | None:
    """Return what a text asks for, also above a signature that its phone adds; an ordinary word must stand alone."""
    asked = read_opt_request(split_words(text))
    if asked is not None:
        return asked
    signed = _SIGNATURE.search(text, 0, _MOST_SCANNED)
    above = read_opt_request(split_words(text[: signed.start()])) if signed is not None else None
    return above if above is not None and not above.is_ordinary else None


def offers_stop(text: str) -> bool:
    """Return whether a text tells its reader how to stop: by a known word in capitals, or one that means nothing else.

    `Reply STOP`, `STOP to 12345`, `STOP=end` and `STOP2END` offer it, `you can stop by` and `STOP paying too much` do
    not.
    """
    words = split_words(text)
    for index, word in enumerate(words):
        if word.folded.startswith("stop") and _GLUED.fullmatch(text, word.start, word.end) is not None:
            return True
        for length in range(min(_LONGEST, len(words) - index), 0, -1):
            some = words[index : index + length]
            found = _KNOWN.get(" ".join(word.folded for word in some))
            if found is None or found.kind is not OptKind.STOP or found.is_ordinary:
                continue
            if found.word in _UNMISTAKABLE:
                return True
            if text[some[0].start : some[-1].end].isupper() and _is_instruction(text, words, index + length):
                return True
    return not text.isascii() and any(phrase in text for phrase in _UNSPACED_STOPS)


def _is_instruction(text: str, words: Sequence[Word], index: int) -> bool:
    """Return whether nothing follows a word, or a sign, a number, or a word that leads to one, at this index."""
    if index == len(words) or not text[words[index - 1].end].isspace():
        return True
    following = words[index].folded
    return following[0].isdigit() or following in _LEADING


def _known_at(folded: Sequence[str], index: int) -> tuple[int, OptRequest | None]:
    """Return the longest known phrase that begins at a word, and its length in words."""
    for length in range(_LONGEST, 0, -1):
        found = _KNOWN.get(" ".join(folded[index : index + length])) if index + length <= len(folded) else None
        if found is not None:
            return length, found
    return 0, None


def _is_in_word(text: str, index: int, char: str, *, inside: bool) -> bool:
    if char in _APOSTROPHES:
        following = text[index + 1 : index + 2]
        return inside and following.isalpha()
    category = unicodedata.category(char)
    return category[0] == "L" or category == "Nd" or (inside and (category[0] == "M" or category == "Cf"))


@lru_cache(maxsize=4096)
def _fold_word(word: str) -> str:
    """Return one word without case (Unicode §3.13, full folding), width (NFKC), accents and invisible characters."""
    folded = unicodedata.normalize("NFKC", word).casefold().translate(_PLAIN)
    kept: list[str] = []
    accented = False
    for char in unicodedata.normalize("NFD", folded):
        category = unicodedata.category(char)
        if (category[0] != "L" and category != "Nd") and not (kept and category[0] == "M"):
            continue
        if category == "Mn":
            if not accented:
                kept.append(char)
            continue
        accented = unicodedata.name(char, "").startswith(_ACCENTED)
        kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


def _fold_all(words: Iterable[str]) -> frozenset[str]:
    return frozenset(folded for word in words for folded in fold(word).split())


def _known_requests() -> dict[str, OptRequest]:
    languages: dict[tuple[str, OptKind], list[str]] = {}
    for kind, by_language in OPT_WORDS.items():
        for language, words in by_language.items():
            for word in words:
                found = languages.setdefault((fold(word), kind), [])
                if language not in found:
                    found.append(language)
    return {
        word: OptRequest(kind=kind, word=word, languages=tuple(found), is_ordinary=word in _ORDINARY)
        for (word, kind), found in languages.items()
    }


_COURTESY: Final = _fold_all(COURTESY_WORDS)
_ORDINARY: Final = frozenset(map(fold, ORDINARY_WORDS))
_KNOWN: Final = _known_requests()
_UNMISTAKABLE: Final = frozenset(
    {"unsubscribe", "optout", "opt out", "desabonner", "desinscrire", "desinscription", "desuscribir", "abmelden"}
    | {"afmelden", "disiscrivi", "odjava", "отписка", "відписатися", "odhlasit", "leiratkozas", "dezabonare"}
)
_LEADING: Final = _fold_all(
    (
        "to for or and via with ends end opt unsub sms an zu oder und um au pour ou et a al para por o y",
        "na ali pro do til för till per e om naar of aan p",
    )
)
# An empty line, one of dashes, or what phones write by themselves.
_SIGNATURE: Final = re.compile(
    r"[\r\n](?:\r?\n|[ \t]*[-_—]{2}"
    r"|(?i:sent from|sent via|get outlook|gesendet|von meinem|envoy|enviad|inviat|verzonden))"
)
# As senders write it to save blanks: STOP2END, STOP36111, Txt STOPto60300.
_GLUED: Final = re.compile(r"(?i:stop)(?:2[A-Za-z]+|(?i:to)\d+)|STOP\d{3,}")
# Of scripts without blanks or capitals; «cancel» and «stop» alone are ordinary words there.
_UNSPACED_STOPS: Final = ("退订", "退訂", "拒收", "配信停止", "수신거부", "무료거부", "إيقاف", "להסרה", "הסר")
_LONGEST: Final = max(len(word.split()) for word in _KNOWN)
