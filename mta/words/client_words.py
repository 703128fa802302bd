# ruff: noqa: E501, RUF001 - the words of some thirty languages in their own letters, one row for a language or a kind
"""The words that mail clients themselves write around a message, in the languages they speak: tables, no decisions.

Labels of quoted headers, verbs of attribution lines, separators before an original or forwarded message, subject
prefixes, «sent from my …», openings of disclaimers, closing formulas. The rules that use them are in mta.words.quotes.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


def _labels(**words: str) -> Mapping[str, str]:
    return MappingProxyType({word.strip(): kind for kind, text in words.items() for word in text.split(",")})


# en de fr es it nl pt pl cs sk sv da no fi hu ro tr el ru uk bg hr sl et lt lv ga mt ca ja zh-Hans zh-Hant ko
HEADER_LABELS: Final = _labels(
    sender="from,von,de,da,van,od,från,fra,lähettäjä,feladó,de la,kimden,gönderen,από,от,от кого,від,saatja,nuo,no,"
    "expéditeur,remitente,mittente,afzender,nadawca,odesílatel,avsändare,afsender,avsender,ó,minn,差出人,送信者,发件人,寄件者,寄件人,보낸 사람",
    sent="sent,date,gesendet,datum,gesendet am,envoyé,envoyé le,date d'envoi,enviado,enviado el,enviada,enviada em,enviado em,fecha,"
    "inviato,data,verzonden,verzonden op,wysłano,data wysłania,odesláno,dátum,odoslané,skickat,dato,sendt,päivämäärä,"
    "lähetetty,elküldve,küldve,trimis,tarih,gönderildi,gönderme tarihi,ημερομηνία,στάλθηκε,дата,отправлено,надіслано,"
    "изпратено,poslano,saadetud,išsiųsta,nosūtīts,datums,seolta,dáta,mibgħut,mibgħuta,enviat,日時,日付,送信日時,发送时间,发送日期,日期,时间,寄件日期,傳送日期,보낸 날짜,날짜,送信日",
    to="to,an,à,a,para,aan,do,dla,komu,pro,till,til,vastaanottaja,címzett,către,catre,kime,alıcı,προς,кому,до,za,"
    "kellele,adressaat,kam,prima,chuig,lil,per,per a,destinataire,destinatario,宛先,收件人,收件者,받는 사람",
    copy="cc,bcc,kopie,copie,copia,kopi,kopia,kópia,kopio,másolatot kap,másolat,bilgi,κοιν.,копия,копія,cópia,ccs,抄送,副本,참조",
    subject="subject,betreff,objet,asunto,oggetto,onderwerp,assunto,temat,předmět,predmet,ämne,emne,aihe,tárgy,"
    "subiect,konu,θέμα,тема,относно,zadeva,teema,tema,tēma,temats,ábhar,suġġett,assumpte,件名,主题,主旨,主題,제목",
    other="reply-to,antwort an,répondre à,importance,wichtigkeit,priority,priorität,attachments,anlagen,pièces jointes,"
    "organization,organisation,sensitivity,importanza,prioridad,重要度,優先度,添付ファイル,附件,返信先",
)

ATTRIBUTION_VERB: Final = re.compile(
    r"""(?:^|[\s,>)"'」])(?:
        wrote | writes
        | schrieb | hat\ geschrieben | geschrieben
        | a\ écrit | écrivait
        | escribió | escribiste
        | ha\ scritto | scrisse
        | schreef | heeft\ .{0,120}geschreven | heeft\ geschreven
        | escreveu
        | napisał(?:\(a\)|a)? | pisze
        | napsal(?:\(a\)|a)? | píše
        | napísal(?:\(a\)|a)?
        | skrev | har\ skrevet
        | kirjoitti
        | írta | ezt\ írta
        | a\ scris
        | şunu\ yazd[ıi] | şunları\ yazdı | yazdı | yazmış
        | έγραψε
        | написал(?:\(а\)|а)? | пишет | писал(?:\(а\)|а)? | написа | пише | написав
        | (?:je\ )?napisao(?:\/la)? | napisal(?:\(a\)|/-a|a)?
        | kirjutas | rašė | rakstīja | escrigué | va\ escriure | scríobh | kiteb
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
EASTERN_ATTRIBUTION: Final = re.compile(r"(写道|寫道|写到|書きました|のメール|のメッセージ|님이 작성|작성)\s*[:：]?$")
ATTRIBUTION_INTRO: Final = re.compile(
    r"\s*(on|am|le|el|il|op|em|a|w dniu|dnia|dne|dňa|den|d\.|på|kl|în|pe|la|στις|в|во|dana|dne|kuup|20\d\d[-年./])\b.*\d",
    re.IGNORECASE,
)

_ORIGINAL: Final = (
    "original message,original-nachricht,ursprüngliche nachricht,ursprungliche nachricht,originalnachricht,"
    "message d'origine,message d’origine,message original,message initial,mensaje original,messaggio originale,"
    "oorspronkelijk bericht,origineel bericht,mensagem original,oryginalna wiadomość,wiadomość oryginalna,"
    "treść oryginalnej wiadomości,původní zpráva,pôvodná správa,ursprungligt meddelande,originalmeddelande,"
    "oprindelig meddelelse,original meddelelse,opprinnelig melding,alkuperäinen viesti,eredeti üzenet,mesaj original,"
    "mesajul original,orijinal mesaj,orijinal ileti,özgün ileti,özgün mesaj,asıl mesaj,αρχικό μήνυμα,"
    "исходное сообщение,оригінальне повідомлення,оригинално съобщение,izvorna poruka,originalna poruka,"
    "izvirno sporočilo,missatge original,元のメッセージ,original message / 元のメッセージ,邮件原件,原始邮件,原始郵件,原始訊息,원본 메시지"
)
_FORWARDED: Final = (
    "forwarded message,forwarded mail,weitergeleitete nachricht,weitergeleitete mail,anfang der weitergeleiteten nachricht,"
    "begin forwarded message,message transféré,début du message transféré,début du message réexpédié,mensaje reenviado,"
    "inicio del mensaje reenviado,messaggio inoltrato,inizio messaggio inoltrato,doorgestuurd bericht,"
    "begin doorgestuurd bericht,mensagem encaminhada,mensagem reencaminhada,início da mensagem reenviada,"
    "início da mensagem encaminhada,wiadomość przekazana dalej,przekazana wiadomość,treść przekazanej wiadomości,"
    "początek przekazywanej wiadomości,přeposlaná zpráva,začátek přeposílané zprávy,preposlaná správa,"
    "vidarebefordrat meddelande,vidarebefordrat brev,påbörja vidarebefordrat brev,videresendt meddelelse,videresendt melding,"
    "start på videresendt besked,videresendt e-mail,edelleenlähetetty viesti,välitetty viesti,välitetty viesti alkaa,"
    "továbbított üzenet,továbbított levél,továbbított üzenet kezdete,mesaj redirecționat,mesaj redirectionat,"
    "începutul mesajului redirecționat,yönlendirilmiş mesaj,iletilen mesaj,yönlendirilen ileti,iletilmiş mesaj,"
    "προωθημένο μήνυμα,пересылаемое сообщение,пересланное сообщение,начало переадресованного сообщения,"
    "переслане повідомлення,препратено съобщение,proslijeđena poruka,posredovano sporočilo,missatge reenviat,"
    "転送されたメッセージ,転送メッセージ,転送メール,转发的邮件,转发邮件,已转发邮件,轉寄郵件,轉寄的郵件,轉寄訊息,전달된 메시지"
)
_SEPARATORS: Final = dict.fromkeys(_ORIGINAL.split(","), "original") | dict.fromkeys(_FORWARDED.split(","), "forwarded")
_SEPARATOR: Final = re.compile(
    r"\s*(?P<left>[-–—_*=]{2,})?\s*(?P<words>[^-–—_*=].{4,60}?)\s*(?P<right>[-–—_*=]{2,}|[:：])?\s*"
)


def separator_kind(line: str) -> str:
    """Return "original" or "forwarded" for a line that a client writes above history, "" for any other."""
    if len(line) > 120:
        return ""
    match = _SEPARATOR.fullmatch(line)
    if match is None or not (match["left"] or match["right"]):
        return ""
    return _SEPARATORS.get(match["words"].strip(" :：").replace("İ", "i").casefold(), "")


_REPLY_WORDS: Final = (
    r"re|aw|antw|antwort|sv|vs|odp|rif|r|ynt|yan|vá|res|resp|réf|ref|atb|ats|ad|hv|bls|απ|σχετ|отв|ответ|від|回复|回覆|"
    r"答复|答覆|返信|返|회신"
)
_FORWARD_WORDS: Final = (
    r"fw|fwd|wg|tr|rv|enc|vb|vl|doorst|pd|przekaz|i|vid|ilt|i̇lt|továbbítás|továbbítva|fp|πρθ|пересл|转发|轉寄|転送|전달"
)
_PREFIX: Final = re.compile(
    rf"\s*(?:(?P<reply>{_REPLY_WORDS})|(?P<forward>{_FORWARD_WORDS}))(?:\[\d{{1,3}}\]|\(\d{{1,3}}\))?\s?[:：]\s*",
    re.IGNORECASE,
)


def strip_subject(subject: str) -> tuple[str, str]:
    """Return the subject without «Re:» and «Fwd:» in any language, and "reply", "forward" or "" for the first of them."""
    kind = ""
    for _ in range(20):
        match = _PREFIX.match(subject)
        if match is None:
            break
        kind = kind or ("reply" if match["reply"] else "forward")
        subject = subject[match.end() :]
    return subject.strip(), kind


DEVICE_WORD: Final = re.compile(
    r"iphon|ipad|ipod|apple|android|smartphone|samsung|galaxy|huawei|xiaomi|nokia|blackberry|windows|mobile?|handy|telefon|nine\b|"
    r"t[ée]l[ée]phone|tel[ée]fono|telefoon|phone|tablet|outlook|yahoo|gmail|mail|pixel|sony|xperia|oneplus|htc|proton|tuta|k-9|"
    r"gmx|web\.de|zimbra|spark|cihaz|gerät|dispositivo|appareil|device|puhelim|laite|zařízen|urządzeni|手机|手機|携帯|スマートフォン|"
    r"айфон|телефон|устройства",
    re.IGNORECASE,
)
_DEVICE: Final = (
    r"(?:my\s+|mein\w*\s+|mi\s+|mon\s+|mijn\s+|il\s+mio\s+|meu\s+|mojego\s+|m[ée]ho\s+|min\s+|mit\s+)?(?:[\w.’'-]+\s+){0,3}"
    r"(?:iphon\w*|ipad|ipod|apple\s+watch|android|smartphone|samsung|galaxy|huawei|xiaomi|nokia|blackberry|windows\s+phone|"
    r"windows|mobile|mobil\w*|handy|telefon\w*|telefoon|t[ée]l[ée]phone|tel[ée]fono|telefono|phone|tablet|outlook|yahoo|"
    r"gmail|mail|e-mail|pixel|sony|xperia|oneplus|htc|proton\w*|tutanota|tuta|k-9|gmx\S*|web\.de|zimbra|spark|bluemail|"
    r"nine|myMail|fairemail|airmail|edison|sfr|free|orange|cihaz\w*|gerät\w*|dispositivo|appareil|device|matkapuhelim\w*|puhelim\w*)"
    r"[\w.’'-]*(?:\s+[\w.’'/(),:|-]+){0,9}?"
)
SENT_FROM: Final = re.compile(
    rf"""\s*(?:[-–—_*]{{0,3}}\s*)(?:
        (?:this\ (?:message|e-?mail)\ was\ )?sent\ (?:from|via|with|using|by)\ (?:the\ )?{_DEVICE}
        | get\ (?:outlook|bluemail|edison\ mail)\ for\ .{{2,40}} | (?:sicher\ versendet|secured|sent\ securely)\ (?:mit|with)\ tuta.{{0,30}}
        | saadetud\ .{{2,60}} | nosūtīts\ no\ .{{2,60}} | išsiųsta\ iš\ .{{2,60}}
        | (?:diese\ (?:nachricht|e-?mail|mail)\ wurde\ )?(?:gesendet\ (?:von|mit|über)|von)\ {_DEVICE}(?:\ (?:aus\ )?gesendet)?
        | (?:diese\ nachricht\ wurde\ )?(?:von|mit)\ .{{2,60}}\ gesendet
        | holen\ sie\ sich\ outlook\ für\ .{{2,30}} | outlook\ für\ (?:ios|android)\ beziehen
        | (?:enviado|enviada)\ (?:desde|do|pelo|a\ partir\ do|via|con)\ {_DEVICE}
        | (?:obtener|obter|obtenga)\ (?:o\ )?outlook\ para\ .{{2,30}}
        | (?:envoyé|téléchargez|obtenez|télécharger|obtenir)\ (?:de|depuis|à\ partir\ de|avec|via|outlook\ pour)\ .{{2,60}}
        | inviato\ (?:da|dal|dallo|con|tramite)\ {_DEVICE} | (?:scarica|ottieni|scarica\ ora)\ outlook\ per\ .{{2,30}}
        | (?:verzonden|verstuurd|verstuurd\ vanaf|verzonden\ vanaf)\ (?:vanaf|met|via|vanuit|van)?\s?{_DEVICE}
        | (?:outlook\ voor\ (?:ios|android)\ downloaden|download\ outlook\ voor\ .{{2,30}})
        | wysłan[eoay]\ (?:z|za\ pomocą|przy\ użyciu)\ .{{2,60}} | pobierz\ (?:aplikację\ )?outlook\ (?:dla|na)\ .{{2,30}}
        | odesláno\ (?:z|ze|pomocí|přes)\ .{{2,60}} | odoslané\ (?:z|zo|pomocou)\ .{{2,60}} | získat\ outlook\ pro\ .{{2,30}}
        | skickat\ från\ .{{2,60}} | skaffa\ outlook\ för\ .{{2,30}} | hämta\ outlook\ för\ .{{2,30}}
        | sendt\ (?:fra|via|med)\ .{{2,60}} | hent\ outlook\ (?:til|for)\ .{{2,30}} | få\ outlook\ (?:til|for)\ .{{2,30}}
        | lähetetty\ .{{2,60}} | hanki\ outlook\ .{{2,30}}
        | (?:küldve|elküldve)\ .{{2,60}} | .{{2,40}}(?:-ról|-ről|emről|omról)\ küldve | az\ outlook\ beszerzése\ .{{2,30}}
        | trimis\ (?:de\ pe|din|cu|prin)\ .{{2,60}} | obțineți\ outlook\ pentru\ .{{2,30}}
        | .{{2,40}}(?:dan|den|ndan|nden|umdan|ımdan|imden|ümden|tan|ten)\ gönderildi | outlook'u\ edinin | .{{2,30}}için\ outlook.{{0,20}}
        | στάλθηκε\ από\ .{{2,60}} | отправлено\ (?:с|из|от|через)\ .{{2,60}} | надіслано\ (?:з|із|від)\ .{{2,60}}
        | изпратено\ от\ .{{2,40}} | poslano\ (?:s|sa|iz|z)\ .{{2,40}} | enviat\ des\ del?\ .{{2,40}}
        | .{{2,40}}から送信(?:されました)? | (?:发自|發自|来自)(?:我的)?\s?.{{2,40}} | (?:從|从)(?:我的)?\s?.{{2,40}}(?:傳送|发送|發送|寄出)
        | .{{2,40}}에서\ 보냄
    )\s*[.!)]?\s*""",
    re.IGNORECASE | re.VERBOSE,
)

EXCUSE: Final = re.compile(
    r"""\s*(?:
        (?:please\ |pls\ )?excuse\ (?:my|any)\ (?:brevity|typos|mistakes).{0,80}
        | (?:bitte\ )?entschuldigen\ sie\ (?:die|meine)\ kürze.{0,40}
        | por\ favor,?\ disculp[ae]n?\ mi\ brevedad.{0,20} | veuillez\ excuser\ ma\ brièveté.{0,20}
        | perdonate\ la\ brevità.{0,20}
    )\s*[.!)]?\s*""",
    re.IGNORECASE | re.VERBOSE,
)

DISCLAIMER: Final = re.compile(
    r"""\s*[*_"(\[]*(?:
        (?:this|the\ information\ (?:contained\ )?in\ this)\ (?:e-?mail|message|communication|electronic\ (?:mail|message)).{0,120}
            (?:confidential|privileged|intended\ (?:solely|only|recipient))
        | the\ contents?\ of\ this\ (?:e-?mail|message).{0,120}(?:confidential|privileged|intended)
        | ai\ sensi\ (?:del|della|dell').{0,250}(?:riservat|esclusiv|confidenzial)
        | (?:legal\ )?(?:disclaimer|confidentiality\ notice|privileged\ and\ confidential|notice\ of\ confidentiality)\b
        | diese\ (?:e-?mail|nachricht|mitteilung).{0,120}(?:vertraulich|ausschließlich)
        | (?:haftungsausschluss|vertraulichkeitshinweis)\b | der\ inhalt\ dieser\ (?:e-?mail|nachricht)
        | (?:ce|le\ présent|cet)\ (?:message|courriel|e-?mail|courrier).{0,120}(?:confidentiel|exclusi)
        | (?:este|el\ presente)\ (?:mensaje|correo|e-?mail).{0,120}(?:confidencial|privilegiad|exclusivamente)
        | (?:aviso\ legal|advertencia\ legal|aviso\ de\ confidencial)
        | (?:questo|il\ presente|la\ presente)\ (?:messaggio|e-?mail|comunicazione|posta).{0,120}(?:riservat|confidenzial|esclusiv)
        | (?:le\ informazioni\ contenute\ in\ quest) | avviso\ di\ riservatezza
        | (?:dit|de\ inhoud\ van\ dit|deze)\ (?:bericht|e-?mail).{0,120}(?:vertrouwelijk|uitsluitend)
        | (?:esta|este)\ (?:mensagem|e-?mail).{0,120}(?:confidencia|exclusiv) | aviso\ de\ confidencialidade
        | (?:ta|niniejsz[aey]|treść\ (?:tej|niniejszej))\ (?:wiadomoś|e-?mail|korespondencj).{0,120}(?:poufn|wyłącznie)
        | (?:tato|tento)\ (?:zpráv|e-?mail|email).{0,120}(?:důvěrn|výhradně) | (?:táto\ správa|tento\ e-?mail).{0,120}(?:dôvern|výhradne)
        | (?:detta|det\ här)\ (?:meddelande|e-?post|mejl|mail).{0,120}(?:konfidentiell|sekretess)
        | denne\ (?:e-?mail|meddelelse|e-?post|melding|mail).{0,120}(?:fortrolig|konfidensiell)
        | tämä\ (?:viesti|sähköposti).{0,120}(?:luottamuksel|yksinomaan)
        | (?:ez|jelen)\ (?:az\ )?(?:üzenet|e-?mail|levél|elektronikus).{0,120}(?:bizalmas|kizárólag)
        | acest\ (?:mesaj|e-?mail).{0,120}(?:confiden|exclusiv)
        | bu\ (?:e-?posta|mesaj|ileti|elektronik).{0,120}(?:gizli)
        | (?:данное|это|настоящее)\ (?:сообщение|письмо|электронное).{0,120}(?:конфиденциальн)
        | (?:本メール|このメール|本電子メール|この電子メール).{0,120}(?:機密|秘密)
        | (?:本邮件|本電郵|此邮件|本郵件|此电子邮件|本電子郵件).{0,120}(?:保密|机密|機密)
        | p(?:lease)?\ consider\ the\ environment\ before\ printing
        | denken\ sie\ an\ die\ umwelt | bitte\ prüfen\ sie.{0,40}(?:umwelt|ausdruck)
        | antes\ de\ imprimir | avant\ d'imprimer | prima\ di\ stampare | pensez\ (?:à\ l')?environnement
    )""",
    re.IGNORECASE | re.VERBOSE,
)

CLOSING: Final = re.compile(
    r"""\s*(?:
        (?:kind|best|warm|many)?\s?regards | best\ wishes | yours\ (?:sincerely|faithfully|truly) | sincerely | cheers | best
        | mit\ (?:freundlichen|besten|lieben|herzlichen|freundlichem)\ (?:grüßen|grüssen|gruß|gruss) | mfg
        | (?:viele|beste|liebe|schöne|freundliche|herzliche)\ (?:grüße|grüsse) | (?:lieber|freundlicher|schöner)\ (?:gruß|gruss)
        | (?:un\ )?(?:cordial\ )?saludos?(?:\ cordial(?:es)?)? | atentamente | un\ saludo | reciba\ un\ cordial\ saludo
        | (?:bien\ )?cordialement | (?:sincères|meilleures)\ salutations | bien\ à\ vous
        | cordiali\ saluti | distinti\ saluti | saluti | cordialmente
        | (?:met\ )?vriendelijke\ groeten?|met\ vriendelijke\ groet | mvg | groeten
        | atenciosamente | (?:com\ os\ melhores\ )?cumprimentos | melhores\ cumprimentos
        | pozdrawiam | z\ poważaniem | s\ pozdravem | s\ pozdravom
        | (?:med\ )?vänlig(?:a)?\ häls(?:ning|ningar) | mvh | (?:med\ )?venlig\ hilsen | (?:med\ )?vennlig\ hilsen
        | (?:ystävällisin|parhain)\ terveisin | terveisin | üdvözlettel | tisztelettel | cu\ (?:stimă|respect)
        | saygılarımla | iyi\ çalışmalar | с\ уважением | з\ повагою | よろしくお願いいたします | 此致
    )\s*[,.!]?\s*""",
    re.IGNORECASE | re.VERBOSE,
)

CONTACT: Final = re.compile(
    r"""(?:
        (?:^|\W)(?:tel|tél|telefon|telefono|teléfono|telefoon|phone|fon|fax|mobile|mobil|móvil|mob|cell|handy|gsm|puh|tlf|direct|durchwahl
            |t|m|f|p|電話|电话|電話番号)[\s.:|]{0,4}[+(\d][\d\s()./-]{5,}
        | https?://\S+ | (?:^|\s)www\.\S+ | \S+@\S+\.\S+
        | \b(?:gmbh|ag|ltd|limited|inc|llc|s\.?l\.?u?|s\.?a\.?|s\.?r\.?l|s\.?a\.?r\.?l|s\.?p\.?a|b\.?v|n\.?v|sp\.?\ z\ ?o\.?\ ?o|s\.r\.o|a\.s|ab|a/s|oy|kft|株式会社|有限公司)\b\.?(?:\W|$)
        | \b(?:registered\ (?:office|in)|sitz\ der\ gesellschaft|handelsregister|hrb\s?\d|geschäftsführ|registergericht|ust-?id|vat\ (?:no|reg)|cif|p\.?\ ?iva|kvk|siret)
        | \b\d{4,5}\s+[A-ZÄÖÜ][a-zäöüß]+
    )""",
    re.IGNORECASE | re.VERBOSE,
)

OUTLOOK_LINK: Final = re.compile(r"outlook.{0,120}https?://aka\.ms/", re.IGNORECASE)
"""Outlook mobile's footer in whatever language: its name, and the link to where it can be had."""

IMAGE_LEFTOVER: Final = re.compile(
    r"\[(?:cid:[^\]\n]{1,200}|(?:inline\s)?(?:image|imagen|bild|immagine|afbeelding|imagem|obraz|obrázek|kuva|kép|görsel|画像|图片|logo)"
    r"(?:\s?\d*|\s?:[^\]\n]{0,200}|\.(?:png|jpe?g|gif))|https?://[^\]\s]{1,1000}\.(?:png|jpe?g|gif)[^\]\s]{0,500}"
    r"|[^\[\]]{0,300}(?:description automatically generated|automatisch generierte beschreibung|ki-generierte inhalte|"
    r"ai-generated content|description générée automatiquement|descripción generada automáticamente|"
    r"descrizione generata automaticamente|automatisch gegenereerde beschrijving|beschrijving automatisch gegenereerd|"
    r"descrição gerada automaticamente|opis wygenerowany automatycznie)[^\[\]]{0,80})\](?:<https?://[^<>\s]{1,2000}>)?",
    re.IGNORECASE,
)
