# ruff: noqa: RUF001 - words of several scripts
"""What a text has in it that countries restrict: links, public shorteners, telephone numbers, words of banned subjects.

Hints of subjects are words that are rarely said of anything else; they prove nothing. Not here: which country minds.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final


def _split(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


SHORTENERS: Final = _split(
    "1url.com adf.ly b.link bit.do bit.ly bitly.com bl.ink buff.ly clck.ru clk.im cutt.ly dlvr.it dub.sh goo.gl",
    "hyperurl.co ift.tt is.gd j.mp kutt.it lc.chat lnkd.in n9.cl ow.ly po.st qr.ae rb.gy rebrand.ly s.coop s.id",
    "short.cm short.gy short.io shorte.st shorturl.at shorturl.com shrtco.de smarturl.it soo.gd su.pr surl.li t.co",
    "t.ly t2m.io tiny.cc tiny.one tiny.pl tinyurl.com tny.im tr.im u.to ulvis.net urlz.fr urly.it v.gd v.ht vk.cc",
    "vo.la wp.me x.co x.gd yourls.org zws.im",
)
"""Public services that shorten links; one that a customer runs under its own domain is none."""

# A bare domain is known by its end. Those that are words of a language count only with a path behind.
_ENDS: Final = _split(
    "ac ae ag ai app ar asia at au ba bd be bg bid biz blog br by bz ca cat cc cf cfd ch cl click cloud club cn co",
    "com cr cx cy cyou cz de dev dk do ee email es eu fi fit fm fr fun ga gd ge gg gl gle gov gq gr guru hk hr hu icu",
    "ie il im in info ink int io is it jp kr kz la life link live lk lt lu lv ly ma me media mk ml mobi monster mx my",
    "mz name net news ng ninja nl no nu nz one online org page pe ph pics pk pl pro pt pw ro rs ru sa sbs se sg sh",
    "shop si site sk so social space store su sx tech th tk to top tr tt tv tw ua ug uk us uy uz vip vn website wiki",
    "win work world ws xin xyz za zone рф бел укр срб 中国 公司 网络 한국 ไทย भारत السعودية امارات مصر",
)
_WORDS: Final = _split("at be by do fit fun im in is it life link live me my name no one page so to us work")
# Each is read once from left to right: no text makes them go back.
_BEHIND_SCHEME: Final = re.compile(r"(?<=[^\W_])://(?:[^\s/?#@]*+@)?+([^\s/?#:@]++)")
_DOTTED: Final = re.compile(r"(?<![@\w.-])[\w-]++(?:\.[\w-]++)++(?!@)")
_HIDDEN_DOT: Final = re.compile(r"\s?[\[({]\s?(?:\.|dot)\s?[\])}]\s?", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}")
_DOT_INSIDE: Final = re.compile(r"\.\w")
_OTHER_DOTS: Final = str.maketrans("。．｡․", "....")

_PHONE: Final = re.compile(
    r"(?<![\w.,-])(?!0[.,]\d)(?:(?:\+|0|\(0|1[ .-]?[38]00)[\d ().-]{5,20}\d|\([2-9]\d\d\) ?\d{3}[ .-]\d{4})(?!\w)"
)
_IBAN: Final = re.compile(r"(?<!\w)[A-Z]{2}\d\d(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?(?!\w)")
_DATE: Final = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}")
_FEWEST_DIGITS: Final = 7
_NO_DIGITS: Final = bytes(code for code in range(256) if not chr(code).isdecimal())


class Contents:
    """A text and what is in it; each thing is looked for once, when the first country asks, however many ask.

    `offers_stop` says whether some text tells its reader how to stop.
    """

    __slots__ = ("_hints", "_links", "_phone_number", "_tells_to_stop", "offers_stop", "text")

    def __init__(self, text: str, offers_stop: Callable[[str], bool]) -> None:
        self.text = text
        self.offers_stop = offers_stop
        self._links: tuple[str, ...] | None = None
        self._phone_number: str | None = None
        self._hints: frozenset[str] | None = None
        self._tells_to_stop: bool | None = None

    @property
    def links(self) -> tuple[str, ...]:
        """The hosts that it links to."""
        if self._links is None:
            self._links = find_links(self.text)
        return self._links

    @property
    def phone_number(self) -> str:
        """The first telephone number in it, empty without any."""
        if self._phone_number is None:
            self._phone_number = find_phone_number(self.text)
        return self._phone_number

    @property
    def tells_to_stop(self) -> bool:
        """Whether it tells its reader how to stop."""
        if self._tells_to_stop is None:
            self._tells_to_stop = self.offers_stop(self.text)
        return self._tells_to_stop

    def hints(self, kinds: str) -> tuple[str, ...]:
        """Return the kinds of banned subjects, of these with commas between them, that its words hint at."""
        if self._hints is None:
            self._hints = find_hints(self.text)
        return tuple(kind for kind in kinds.split(",") if kind in self._hints) if self._hints else ()


def find_links(text: str) -> tuple[str, ...]:
    """Return the hosts that a text links to, in small letters, each once: with any scheme, with www., or bare.

    Invisible characters, wide letters and dots in brackets hide none; an address of mail is none.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", "".join(char for char in text if unicodedata.category(char) != "Cf"))
        text = text.translate(_OTHER_DOTS)
    is_dotted = "." in text and _DOT_INSIDE.search(text) is not None
    if not is_dotted and "://" not in text and not ("[" in text or "(" in text or "{" in text):
        return ()
    text = _HIDDEN_DOT.sub(".", text)
    hosts = [found[1] for found in _BEHIND_SCHEME.finditer(text)]
    for found in _DOTTED.finditer(text):
        has_path = text.startswith("/", found.end())
        # A sentence may follow without a blank: the last word is none of the domain then.
        ends = (found[0],) if has_path else (found[0], found[0].rpartition(".")[0])
        hosts += [host for host in ends if _is_domain(host, has_path=has_path)][:1]
    return tuple(dict.fromkeys(host.strip(".").casefold() for host in hosts))


def _is_domain(host: str, *, has_path: bool) -> bool:
    folded = host.casefold()
    if has_path and _ADDRESS.fullmatch(host) is not None:
        return True
    if "." in folded and (folded.startswith("www.") or "xn--" in folded):
        return True
    name, _, end = host.rpartition(".")
    if not name or (end[:1].isupper() and not name[:1].isupper()):
        return False  # the end of one sentence and the beginning of another
    return end.casefold() in _ENDS and (has_path or end.casefold() not in _WORDS or folded in SHORTENERS)


def is_shortener(host: str) -> bool:
    """Return whether a host is a public service that shortens links."""
    return host.removeprefix("www.") in SHORTENERS


def find_phone_number(text: str) -> str:
    """Return the first telephone number in a text, empty without any: with plus, 0 or 1300 in front, and no date."""
    if text.isascii() and len(text.encode().translate(None, _NO_DIGITS)) < _FEWEST_DIGITS:
        return ""
    # The groups of an account can look like one.
    for found in _PHONE.finditer(_IBAN.sub(" - ", text)):
        if sum(char.isdigit() for char in found[0]) >= _FEWEST_DIGITS and _DATE.match(found[0]) is None:
            return found[0]
    return ""


def find_hints(text: str) -> frozenset[str]:
    """Return the kinds of banned subjects that words of a text hint at."""
    if text.isascii():
        # As octets: a third of the time, in a path that each text takes.
        hinting = _ASCII_HINTS.intersection(text.encode().translate(_LETTERS).split())
        return frozenset(kind for word in hinting for kind in _HINTS[word.decode()]) if hinting else _NO_HINTS
    folded = text.casefold()
    found = {kind for word in _WORD.findall(folded) for kind in _HINTS.get(word, ())}
    return frozenset(found | {kind for word, kind in _UNSPACED if word in folded})


_NO_HINTS: Final[frozenset[str]] = frozenset()
_LETTERS: Final = bytes(
    ord(char.lower()) if (char := chr(code)).isalpha() and code < 128 else 32 for code in range(256)
)
_WORD: Final = re.compile(r"[^\W\d_]+")

# kind → words of several languages; what is also said of other things is not here.
_SUBJECTS: Final = MappingProxyType(
    {
        "gambling": "casino casinos kasino roulette ruleta jackpot poker bookmaker bookie bets betting sportsbook "
        "sportwetten wetten glücksspiel apuestas apuesta apostas scommesse togel bahis zakłady kaszinó fogadás "
        "казино букмекер рулетка قمار كازينو مراهنات",
        "adult": "porn porno pornographie xxx escort escorts nudes nude sexy striptease onlyfans порно эскорт إباحي",
        "politics": "election elections referendum ballot vote voting senator wahlen bundestagswahl élection "
        "élections votez elección elecciones vota votar eleição eleições elezioni votate wybory seçim выборы "
        "голосуйте вибори انتخابات pemilu undi",
        "religion": "church bible jesus koran quran mosque prayer sermon gospel gottesdienst évangile evangelio "
        "iglesia igreja chiesa церковь библия молитва مسجد القرآن كنيسة gereja masjid",
        "alcohol": "alcohol alcool alkohol whisky whiskey vodka wodka beer wine gin tequila champagne bier wein "
        "schnaps bière cerveza cerveja birra piwo пиво водка вино خمر كحول",
        "drugs": "cannabis marijuana marihuana cbd thc cocaine kokain heroin hashish haschisch cannabidiol "
        "каннабис марихуана кокаин مخدرات حشيش ganja",
        "loans": "loan loans payday darlehen préstamo préstamos empréstimo prestito pożyczka kölcsön hitel займ позика "
        "قرض قروض pinjaman pinjol",
        "crypto": "crypto bitcoin btc ethereum altcoin kryptowährung criptomoneda criptomoedas криптовалюта биткоин "
        "بيتكوين kripto",
        "tobacco": "tobacco tabak tabac tabaco cigarette cigarettes cigars vape vapes zigaretten сигареты табак "
        "سجائر rokok",
        "weapons": "weapon weapons gun guns rifle pistol firearm firearms ammunition waffen pistole armas оружие "
        "пистолет أسلحة senjata",
    }
)
_UNSPACED: Final = tuple(
    (word, kind)
    for kind, words in {
        "gambling": "赌场 赌博 博彩 彩票 カジノ 賭博 카지노 도박 คาสิโน พนัน",
        "adult": "色情 裸聊 アダルト 성인 โป๊",
        "politics": "选举 投票 選挙 선거 เลือกตั้ง",
        "religion": "教会 圣经 教堂 교회 โบสถ์",
        "alcohol": "白酒 啤酒 葡萄酒 ビール 소주 맥주 เบียร์ เหล้า",
        "drugs": "毒品 大麻 마약 กัญชา",
        "loans": "贷款 借款 ローン 대출 สินเชื่อ เงินกู้",
        "crypto": "比特币 加密货币 仮想通貨 비트코인 คริปโต",
        "tobacco": "香烟 电子烟 タバコ 담배 บุหรี่",
        "weapons": "枪支 武器 총기 ปืน",
    }.items()
    for word in words.split()
)


def _by_word() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for kind, words in _SUBJECTS.items():
        for word in dict.fromkeys(words.casefold().split()):
            found.setdefault(word, []).append(kind)
    return MappingProxyType({word: tuple(kinds) for word, kinds in found.items()})


_HINTS: Final = _by_word()
_ASCII_HINTS: Final = frozenset(word.encode() for word in _HINTS if word.isascii())
