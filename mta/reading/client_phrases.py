# ruff: noqa: E501, RUF001 - the words of some thirty languages in their own letters, one row for a language or a kind
"""The phrases that mail clients write around a message, in their languages: tables, no decisions.

Labels of quoted headers, verbs of attribution lines, separators before an original or forwarded message, subject
prefixes. The rules that use them are in mta.reading.history. Not here: phrases below a message
(mta.reading.footer_words).
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
    "expéditeur,remitente,mittente,afzender,nadawca,odesílatel,avsändare,afsender,avsender,ó,minn,差出人,送信者,发件人,寄件者,寄件人,보낸 사람,sender,sent by,מאת,من,المرسل,از,فرستنده,จาก,từ,người gửi,dari,daripada,pengirim,प्रेषक,द्वारा,šalje,pošiljalac,шаље,пошиљалац,frá,nga,кімнен,gestuur deur,nork,발신,보낸사람,发件人邮箱,送信元,от кого",
    sent="sent,date,gesendet,datum,gesendet am,envoyé,envoyé le,date d'envoi,enviado,enviado el,enviada,enviada em,enviado em,fecha,"
    "inviato,data,verzonden,verzonden op,wysłano,data wysłania,odesláno,dátum,odoslané,skickat,dato,sendt,päivämäärä,"
    "lähetetty,elküldve,küldve,trimis,tarih,gönderildi,gönderme tarihi,ημερομηνία,στάλθηκε,дата,отправлено,надіслано,"
    "изпратено,poslano,saadetud,išsiųsta,nosūtīts,datums,seolta,dáta,mibgħut,mibgħuta,enviat,日時,日付,送信日時,发送时间,发送日期,日期,时间,寄件日期,傳送日期,보낸 날짜,날짜,送信日,sent on,sent at,date sent,received,נשלח,תאריך,נשלח בתאריך,تاريخ الإرسال,التاريخ,تم الإرسال,تاريخ,أُرسلت,تاریخ,ارسال شده,ارسال‌شده,วันที่,ส่ง,ส่งเมื่อ,ngày,ngày gửi,đã gửi,thời gian,tanggal,dikirim,dihantar,tarikh,भेजा गया,दिनांक,तिथि,तारीख,poslato,послато,датум,испратено,dagsetning,dërguar,күні,gestuur,noiz,발신 날짜,보낸날짜,보낸 시간,일시,发送日期时间,傳送時間,寄送日期,送信日付",
    to="to,an,à,a,para,aan,do,dla,komu,pro,till,til,vastaanottaja,címzett,către,catre,kime,alıcı,προς,кому,до,za,"
    "kellele,adressaat,kam,prima,chuig,lil,per,per a,destinataire,destinatario,宛先,收件人,收件者,받는 사람,receiver,recipient,recipients,sent to,אל,עבור,לכבוד,إلى,المستلم,به,گیرنده,ถึง,đến,tới,người nhận,kepada,untuk,को,प्रति,प्राप्तकर्ता,прима,për,кімге,받은 사람,받는사람,수신,수신자,收件人邮箱,送信先",
    copy="cc,bcc,kopie,copie,copia,kopi,kopia,kópia,kopio,másolatot kap,másolat,bilgi,κοιν.,копия,копія,cópia,ccs,抄送,副本,참조,עותק,העתק,نسخة,نسخة إلى,رونوشت,สำเนา,tembusan,प्रतिलिपि,숨은 참조",
    subject="subject,betreff,objet,asunto,oggetto,onderwerp,assunto,temat,předmět,predmet,ämne,emne,aihe,tárgy,"
    "subiect,konu,θέμα,тема,относно,zadeva,teema,tema,tēma,temats,ábhar,suġġett,assumpte,件名,主题,主旨,主題,제목,נושא,הנדון,الموضوع,موضوع,เรื่อง,หัวเรื่อง,หัวข้อ,chủ đề,tiêu đề,subjek,perihal,विषय,naslov,наслов,предмет,efni,subjekti,тақырып,тақырыбы,gaia,표제",
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
ATTRIBUTION_ENDING: Final = re.compile(
    r"(写道|寫道|写到|写了|寫了|書きました|のメール|のメッセージ|님이 작성|작성|님이 다음과 같이 썼습니다|님이 쓴 글|님이 씀"
    r"|כתב|כתבה|כתב/ה|כתב \(ה\)|كتب|كتبت|كتب/ت|نوشت|เขียน|เขียนว่า|ได้เขียน|đã viết|viết|menulis|menulis pesan ini|tulis|"
    r"ने लिखा|लिखा|লিখেছেন|skrifaði|ritaði|је написао|је написала|je napisala?|напиша|shkroi|het geskryf|geskryf|ysgrifennodd|"
    r"idatzi du|idatzi zuen|escribiu|գրել է|yazıb|жазды|напісаў|напісала|isinulat|aliandika)\s*[:：]?$",
    re.IGNORECASE,
)
ATTRIBUTION_INTRO: Final = re.compile(
    r"\s*(on|am|le|el|il|op|em|a|w dniu|dnia|dne|dňa|den|d\.|på|kl|în|pe|la|στις|в|во|на|у|dana|dne|kuup|vào|pada|ב?תאריך|في|در|เมื่อ|20\d\d[-年./])\b.*\d",
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
    "izvirno sporočilo,missatge original,元のメッセージ,original message / 元のメッセージ,邮件原件,原始邮件,原始郵件,原始訊息,원본 메시지,"
    "replied message,original mail,original e-mail,original email,originalmail,e-mail d'origine,e-mail original,correo original,"
    "e-mail originale,email originale,e-mail originalny,wiadomość pierwotna,původní e-mail,pôvodný e-mail,ursprungligt mejl,original-mail,"
    "eredeti levél,eredeti e-mail,orijinal e-posta,αρχικό email,исходное письмо,первоначальное сообщение,початкове повідомлення,"
    "originalna poruka,оригинална порука,изворна порука,оригинална порака,originalus laiškas,pradinis pranešimas,sākotnējais ziņojums,"
    "oriģinālais ziņojums,algne sõnum,algne kiri,upprunaleg skilaboð,mesazhi origjinal,oorspronklike boodskap,jatorrizko mezua,"
    "mensaxe orixinal,הודעה מקורית,ההודעה המקורית,الرسالة الأصلية,رسالة أصلية,پیام اصلی,ข้อความดั้งเดิม,ข้อความต้นฉบับ,ข้อความเดิม,"
    "thư gốc,tin nhắn gốc,email gốc,pesan asli,pesan awal,mesej asal,mesej asli,मूल संदेश,मूल मेल,бастапқы хабар,원본 이메일,원본 메일,"
    "원래 메시지,回复的原邮件,回复的邮件,原邮件,原始信件,原始電郵,元のメール,受信メール"
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
    ",forwarded e-mail,forwarded email,הודעה שהועברה,הודעה מועברת,الرسالة المُعاد توجيهها,رسالة معاد توجيهها,رسالة مُعاد توجيهها,"
    "پیام ارسال‌شده,پیام هدایت‌شده,ข้อความที่ส่งต่อ,ส่งต่อข้อความ,thư đã chuyển tiếp,thư được chuyển tiếp,tin nhắn đã chuyển tiếp,pesan terusan,"
    "pesan yang diteruskan,mesej yang dimajukan,अग्रेषित संदेश,फ़ॉरवर्ड किया गया संदेश,прослеђена порука,proslеđena poruka,prosleđena poruka,"
    "препратена порака,áframsend skilaboð,mesazh i përcjellë,birzalitako mezua,mensaxe reenviada,edastatud kiri,persiųstas laiškas,"
    "persiųstas pranešimas,pārsūtīta ziņa,pārsūtītais ziņojums,转发的原邮件,转发的消息,轉寄的訊息,전달된 이메일,전달 메일"
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


REPLY_ABOVE: Final = re.compile(
    r"""(?:repl|respon|answer|type|write).{0,40}\babove\ this\ (?:line|text|email|message) | oberhalb\ dieser\ (?:zeile|linie) | über\ dieser\ (?:zeile|linie)
    | au[- ]dessus\ de\ cette\ ligne | (?:encima|arriba)\ de\ esta\ l[ií]nea | acima\ d(?:esta|e\ esta)\ linha | sopra\ (?:a\ )?questa\ (?:riga|linea)
    | boven\ deze\ (?:regel|lijn) | (?:powyżej|nad)\ t[eą]j?\ lini[iąę] | nad\ (?:tento\ řádek|tímto\ řádkem|tento\ riadok) | (?:ovanför|över)\ den\ här\ (?:raden|linjen)
    | over\ denne\ (?:linje|linjen) | tämän\ rivin\ yläpuolelle | e\ (?:fölé\ a\ )?sor\ fölé | deasupra\ acestei\ linii | bu\ satırın\ üst
    | выше\ этой\ (?:строки|линии) | вище\ ц(?:ього\ рядка|ієї\ лінії) | מעל\ (?:ה)?שורה | فوق\ هذا\ السطر | この(?:行|線)より上 | 此[行线線](?:之|以)?上 | 이\ 줄\ 위
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""The line of a helpdesk: answers go above it."""

_REPLY_WORDS: Final = (
    r"re|aw|antw|antwort|sv|vs|odp|rif|r|ynt|yan|vá|res|resp|réf|ref|atb|ats|ad|hv|bls|απ|σχετ|отв|ответ|від|回复|回覆|השב|תגובה|رد|پاسخ|ตอบ|ตอบกลับ|trả lời|bls|balas|उत्तर|одг|odg|ats|atb|vs|"
    r"答复|答覆|返信|返|회신"
)
_FORWARD_WORDS: Final = r"fw|fwd|wg|tr|rv|enc|vb|vl|doorst|pd|przekaz|i|vid|ilt|i̇lt|továbbítás|továbbítva|fp|πρθ|пересл|转发|轉寄|転送|전달|הועבר|إعادة توجيه|ส่งต่อ|chuyển tiếp|прсл|prosl|edasi|persiųsta"
_PREFIX: Final = re.compile(
    rf"\s*(?:(?P<reply>{_REPLY_WORDS})|(?P<forward>{_FORWARD_WORDS}))(?:\[\d{{1,3}}\]|\(\d{{1,3}}\))?\s?[:：]\s*",
    re.IGNORECASE,
)


def strip_subject(subject: str) -> tuple[str, str]:
    """Return the subject without «Re:» and «Fwd:» in any language, and "reply", "forward" or "" for the first of them."""
    if ":" not in subject and "\N{FULLWIDTH COLON}" not in subject:
        return subject.strip(), ""
    kind = ""
    for _ in range(20):
        match = _PREFIX.match(subject)
        if match is None:
            break
        kind = kind or ("reply" if match["reply"] else "forward")
        subject = subject[match.end() :]
    return subject.strip(), kind


IMAGE_LEFTOVER: Final = re.compile(
    r"\[(?:cid:[^\]\n]{1,200}|(?:inline\s)?(?:image|imagen|bild|immagine|afbeelding|imagem|obraz|obrázek|kuva|kép|görsel|画像|图片|logo)"
    r"(?:\s?\d*|\s?:[^\]\n]{0,200}|\.(?:png|jpe?g|gif))|https?://[^\]\s]{1,1000}\.(?:png|jpe?g|gif)[^\]\s]{0,500}"
    r"|[^\[\]]{0,300}(?:description automatically generated|automatisch generierte beschreibung|ki-generierte inhalte|"
    r"ai-generated content|description générée automatiquement|descripción generada automáticamente|"
    r"descrizione generata automaticamente|automatisch gegenereerde beschrijving|beschrijving automatisch gegenereerd|"
    r"descrição gerada automaticamente|opis wygenerowany automatycznie)[^\[\]]{0,80})\](?:<https?://[^<>\s]{1,2000}>)?",
    re.IGNORECASE,
)
