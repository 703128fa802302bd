# ruff: noqa: RUF001 - the words of some forty languages in their own letters
"""The words with which a handset stops, starts again or asks for help, in the languages that we serve: tables.

Sources: FCC 47 CFR 64.1200(a)(10), CTIA's and the carriers' published lists; plain words of the language elsewhere. Not
here: comparing them with a text (words).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class OptKind(StrEnum):
    """What a word asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"


# language → words, phrases joined by a blank.
_STOP: Final[dict[str, str]] = {
    "en": "STOP, STOPALL, STOP ALL, UNSUBSCRIBE, CANCEL, END, QUIT, REVOKE, OPTOUT, OPT OUT, REMOVE, REMOVE ME",
    "fr": "STOP, ARRET, ARRÊT, DESABONNER, DESINSCRIRE, DESINSCRIPTION, FIN",
    "es": "STOP, BAJA, ALTO, CANCELAR, PARAR, DETENER, DESUSCRIBIR, NO MAS, NO",
    "de": "STOP, STOPP, ABMELDEN, ABBESTELLEN, ENDE",
    "it": "STOP, BASTA, CANCELLA, ANNULLA, DISISCRIVI",
    "pt": "PARAR, PARE, SAIR, CANCELAR, REMOVER",
    "nl": "STOP, AFMELDEN, UIT",
    "ca": "ATURAR, BAIXA",
    "gl": "BAIXA, PARAR",
    "sv": "STOPP, AVSLUTA, AVREGISTRERA",
    "no": "STOPP, AVMELD",
    "da": "STOP, AFMELD",
    "fi": "LOPETA, SEIS, POISTA",
    "pl": "STOP, KONIEC, WYPISZ, REZYGNUJE, REZYGNUJĘ",
    "cs": "STOP, ZRUS, ZRUŠ, KONEC, ODHLASIT",
    "sk": "STOP, ZRUS, ZRUŠ, KONIEC, ODHLASIT",
    "hu": "STOP, LEALLIT, LEIRATKOZAS, LEIRATKOZÁS",
    "ro": "STOP, DEZABONARE, OPRIRE",
    "bg": "STOP, СТОП, ОТКАЗ",
    "sr": "STOP, ODJAVA, ОДЈАВА, СТОП",
    "hr": "STOP, ODJAVA",
    "bs": "STOP, ODJAVA",
    "sl": "STOP, ODJAVA",
    "el": "STOP, ΣΤΟΠ, ΔΙΑΓΡΑΦΗ",
    "tr": "DUR, IPTAL, İPTAL, RET, STOP",
    "ru": "СТОП, ОТПИСКА, STOP",
    "uk": "СТОП, ВІДПИСАТИСЯ",
    "et": "STOPP, LOPETA",
    "lv": "STOP, BEIGT, ATTEIKTIES",
    "lt": "STOP, ATSISAKYTI",
    "ar": "إيقاف, توقف, الغاء, إلغاء, STOP",
    "he": "הסר, הסרה, עצור",
    "zh": "R, TD, 退订, 退訂, 取消, 停止, 拒收",
    "ja": "停止, 解除, 配信停止",
    "ko": "수신거부, 중지",
    "th": "หยุด, ยกเลิก",
    "vi": "HUY, HUỶ, DUNG, DỪNG",
    "id": "STOP, BERHENTI",
    "ms": "STOP, BERHENTI",
    "hi": "STOP, बंद",
    "sw": "STOP, ACHA",
}
_START: Final[dict[str, str]] = {
    "en": "START, UNSTOP, YES, SUBSCRIBE",
    "fr": "START, DEBUT, OUI, REPRENDRE",
    "es": "ALTA, INICIAR, SI",
    "de": "START, ANMELDEN",
    "it": "INIZIA, ISCRIVI",
    "pt": "INICIAR, VOLTAR",
    "nl": "START, AANMELDEN, AAN",
    "ca": "ALTA",
    "gl": "ALTA",
    "sv": "START",
    "no": "START",
    "da": "START",
    "fi": "ALOITA",
    "pl": "START",
    "cs": "START",
    "sk": "START",
    "hu": "START",
    "ro": "START",
    "bg": "СТАРТ",
    "sr": "PRIJAVA, ПРИЈАВА",
    "hr": "PRIJAVA",
    "bs": "PRIJAVA",
    "sl": "PRIJAVA",
    "el": "ΕΝΑΡΞΗ",
    "tr": "BASLA, BAŞLA",
    "ru": "СТАРТ",
    "uk": "СТАРТ",
    "et": "START",
    "lv": "START",
    "lt": "START",
    "ar": "ابدأ",
    "he": "התחל",
    "zh": "订阅, 訂閱",
    "ja": "開始",
    "ko": "시작",
    "id": "MULAI",
    "ms": "MULA",
}
_HELP: Final[dict[str, str]] = {
    "en": "HELP, INFO",
    "fr": "AIDE, INFO, CONTACT",
    "es": "AYUDA, INFO",
    "de": "HILFE, INFO",
    "it": "AIUTO, INFO",
    "pt": "AJUDA",
    "nl": "HELP, HULP, INFO",
    "ca": "AJUDA",
    "gl": "AXUDA",
    "sv": "HJÄLP, HJALP",
    "no": "HJELP",
    "da": "HJÆLP, HJAELP",
    "fi": "APUA, OHJE",
    "pl": "POMOC",
    "cs": "POMOC",
    "sk": "POMOC",
    "hu": "SEGITSEG, SEGÍTSÉG",
    "ro": "AJUTOR",
    "bg": "ПОМОЩ",
    "sr": "POMOC, POMOĆ, ПОМОЋ",
    "hr": "POMOC, POMOĆ",
    "bs": "POMOC, POMOĆ",
    "sl": "POMOC, POMOČ",
    "el": "ΒΟΗΘΕΙΑ",
    "tr": "YARDIM",
    "ru": "ПОМОЩЬ",
    "uk": "ДОПОМОГА",
    "et": "ABI",
    "lv": "PALIDZIBA",
    "lt": "PAGALBA",
    "ar": "مساعدة",
    "he": "עזרה",
    "zh": "帮助, 幫助",
    "ja": "ヘルプ",
    "ko": "도움",
    "th": "ช่วยเหลือ",
    "vi": "TROGIUP, TRO GIUP",
    "id": "BANTUAN",
    "ms": "BANTUAN",
}


def _split(table: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({language: tuple(words.split(", ")) for language, words in table.items()})


# What each kind has, by language (ISO 639-1).
OPT_WORDS: Final[Mapping[OptKind, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {OptKind.STOP: _split(_STOP), OptKind.START: _split(_START), OptKind.HELP: _split(_HELP)}
)

# Ordinary words of some language, or too short to mean one thing: only as the whole text, without courtesy.
ORDINARY_WORDS: Final = tuple(
    word
    for words in (
        "END, FIN, INFO, NO, UIT, RET, R, TD, DUR, ALTO, BAJA, ALTA, SI, YES, OUI, AAN, CONTACT, SEIS, PARE, ABI",
        "ENDE, MULA, HUY, DUNG, QUIT, REMOVE, BASTA",
    )
    for word in words.split(", ")
)

# What people add to a word without changing what they ask for: thanks, please, and that it is SMS to them.
_COURTESY: Final = {
    "en": "thanks thank you thx ty ta cheers please pls plz kindly now immediately hi hello dear sir madam "
    "sms text texts txt texting message messages messaging msg msgs sending send me to all these the this any more "
    "anymore",
    "fr": "merci svp s'il vous plaît stp bonjour les des moi",
    "es": "gracias por favor hola mensajes ya",
    "it": "grazie per favore prego ciao messaggi",
    "pt": "obrigado obrigada por favor ola mensagens",
    "de": "danke bitte vielen dank hallo keine mehr nachrichten",
    "nl": "bedankt dank je u alstublieft aub graag berichten dag",
    "sv": "tack snälla vänligen",
    "no": "takk vennligst",
    "da": "tak venligst",
    "fi": "kiitos",
    "pl": "dziękuję dzieki prosze proszę",
    "cs": "děkuji dekuji diky prosím prosim",
    "sk": "ďakujem",
    "hu": "köszönöm koszonom kérem kerem",
    "ro": "multumesc mulțumesc va rog vă rog",
    "ru": "спасибо пожалуйста",
    "uk": "дякую будь ласка",
    "bg": "благодаря моля",
    "sr": "хвала молим",
    "hr": "hvala molim",
    "el": "ευχαριστώ παρακαλώ",
    "tr": "teşekkürler lütfen tesekkurler lutfen",
    "et": "aitäh palun",
    "lv": "paldies lūdzu",
    "lt": "ačiū prašau",
    "ar": "شكرا من فضلك",
    "he": "תודה בבקשה",
    "zh": "谢谢 謝謝 请",
    "ja": "ありがとう お願いします",
    "ko": "감사합니다",
    "th": "ขอบคุณ ครับ ค่ะ",
    "vi": "cảm ơn",
    "id": "terima kasih tolong",
}
COURTESY_WORDS: Final = tuple(word for words in _COURTESY.values() for word in words.split())
