# ruff: noqa: E501, RUF001 - the words of some forty languages in their own letters, one row for a language or a kind
"""The phrases that mail clients and companies write below a message, in their languages: tables, one judgement.

«Sent from my …», excuses for typing errors, openings of disclaimers, closing formulas, contact details. The rules that
use them are in mta.reading.signatures.
"""

import re
from typing import Final

DEVICE_WORD: Final = re.compile(
    r"iphon|ipad|ipod|apple|android|smartphone|samsung|galaxy|huawei|xiaomi|nokia|blackberry|windows|mobile?|handy|telefon|nine\b|"
    r"t[ée]l[ée]phone|tel[ée]fono|telefoon|phone|tablet|outlook|yahoo|gmail|mail|pixel|sony|xperia|oneplus|htc|proton|tuta|k-9|"
    r"gmx|web\.de|zimbra|spark|superhuman|aqua|canary|boxer|fastmail|thunderbird|missive|shortwave|newton|mailbird|crisp|zoho|aol\b|app\b|wireless|mobil|oppo|vivo|realme|redmi|motorola|honor|netease|网易|邮箱|郵箱|小米|华为|華為|荣耀|三星|苹果|蘋果|อุปกรณ์|โทรศัพท์|điện thoại|ponsel|perangkat|आईफ़ोन|आइफोन|फ़ोन|טלפון|אייפון|גלקסי|مکان|هاتف|جهاز|آيفون|الآيفون|آیفون|گوشی|휴대전화|아이폰|갤럭시|cihaz|gerät|dispositivo|appareil|device|puhelim|laite|zařízen|urządzeni|手机|手機|携帯|スマートフォン|"
    r"айфон|телефон|устройства",
    re.IGNORECASE,
)
_DEVICE: Final = (
    r"(?:my\s+|mein\w*\s+|mi\s+|mon\s+|mijn\s+|il\s+mio\s+|meu\s+|mojego\s+|m[ée]ho\s+|min\s+|mit\s+)?(?:[\w.’'-]+\s+){0,3}"
    r"(?:iphon\w*|ipad|ipod|apple\s+watch|android|smartphone|samsung|galaxy|huawei|xiaomi|nokia|blackberry|windows\s+phone|"
    r"windows|mobile|mobil\w*|handy|telefon\w*|telefoon|t[ée]l[ée]phone|tel[ée]fono|telefono|phone|tablet|outlook|yahoo|"
    r"gmail|mail|e-mail|pixel|sony|xperia|oneplus|htc|proton\w*|tutanota|tuta|k-9|gmx\S*|web\.de|zimbra|spark|bluemail|"
    r"superhuman|aqua\s?mail|canary|boxer|fastmail|thunderbird|missive|shortwave|newton|mailbird|crisp|zoho|aol|wireless|oppo|vivo|realme|redmi|motorola|honor|"
    r"nine|myMail|fairemail|airmail|edison|sfr|free|orange|cihaz\w*|gerät\w*|dispositivo|appareil|device|matkapuhelim\w*|puhelim\w*)"
    r"[\w.’'-]*(?:\s+[\w.’'/(),:|-]+){0,9}?"
)
SENT_FROM: Final = re.compile(
    rf"""[\s\-–—_*<(\[«"]{{0,5}}(?:
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
        | .{{2,40}}에서\ (?:보냄|발송) | (?:由|自)(?:我的)?\s?.{{2,40}}(?:傳送|发送|發送|寄出|发出) | (?:通过|透過|使用)\s?.{{2,40}}(?:发送|發送|傳送)
        | .{{2,40}}から送信(?:しました|します) | .{{2,40}}で送信 | відправлено\ (?:з|із|від|через)\ .{{2,60}} | адпраўлена\ з\ .{{2,40}}
        | (?:poslato|послато|poslano)\ (?:sa|са|s|iz|z|preko|putem|преко)\ .{{2,50}} | испратено\ (?:од|преку)\ .{{2,40}} | отправлено\ .{{2,60}}
        | (?:נשלח|נשלחה)\ מ.{{2,50}} | (?:تم\ (?:ال)?إرسال(?:ه|ها)?|أ?ُ?رسلت?|مُ?رسلة?|أُرسلت)\ (?:من|عبر|بواسطة|باستخدام)\ .{{2,50}} | (?:ارسال|فرستاده)[\ \u200c]شده\ (?:از|با)\ .{{2,50}}
        | ส่ง(?:จาก|ด้วย|โดย|ผ่าน|มาจาก).{{2,50}} | (?:đã\ )?(?:được\ )?gửi\ (?:từ|bằng|qua|trên)\ .{{2,50}} | (?:terkirim|dikirim|dihantar|dikirimkan)\ (?:dari|daripada|melalui|dengan|menggunakan)\ .{{2,50}}
        | .{{2,40}}\ (?:से|द्वारा)\ भेजा\ (?:गया|गई)(?:\ है)? | .{{2,40}}\ (?:वरून|वरुन)\ पाठवले | .{{2,40}}\ থেকে\ পাঠানো.{{0,10}} | .{{2,40}}\ سے\ بھیجا\ گیا
        | sent\ (?:úr|af|með)\ .{{2,50}} | gestuur\ (?:vanaf|van|met)\ .{{2,40}} | dërguar\ nga\ .{{2,40}} | enviat\ (?:amb|des)\ .{{2,50}} | enviado\ d[oe]\ .{{2,50}}
        | .{{2,40}}(?:tik|etik)\ bidal(?:ia|ita) | anfonwyd\ o\ .{{2,40}} | seolta\ ó\ .{{2,40}} | mibgħut\ mill?-?.{{2,40}} | vu\ mengem\ .{{2,40}} | .{{2,40}}(?:dan|dən)\ göndərildi
        | გაგზავნილია\ .{{2,50}} | ուղարկված\ է\ .{{2,40}} | (?:менің\ )?.{{2,40}}жіберілді | poslané\ (?:z|zo)\ .{{2,50}} | zasláno\ .{{2,50}}
        | sent\ (?:from|via|with)\ (?:hey|front|missive|spike|polymail|mimestream|postbox|em\ client|workspace\ one\ .{{2,20}}) | (?:powered|secured)\ by\ .{{2,30}} | mailtrack.{{0,40}}
        | yahoo\ mail:\ search,\ organi[sz]e,\ conquer | enviad[oa]\ (?:a\ través\ de|mediante|usando|através\ d[eoa])\ .{{2,50}}
        | (?:gesendet|verschickt|geschrieben|versendet)\ (?:von|mit|vom|aus|über|unterwegs)\ .{{2,60}} | mobil\ gesendet | von\ unterwegs\ gesendet
        | (?:wiadomość\ )?wysłan[aoey]\ .{{2,60}} | (?:této?\ zpráv[ay]\ byla\ )?odesl[aá]n[oa]\ .{{2,60}} | envoyé\ (?:à\ l'aide\ de|par|via|avec)\ .{{2,60}} | envoyée?\ .{{2,60}}
        | inviat[oa]\ .{{2,60}} | verstuurd\ .{{2,60}} | skickat\ .{{2,60}} | trimis\ .{{2,60}} | στάλθηκε\ .{{2,60}} | εστάλη\ από\ .{{2,60}}
    )[\s.!)\]>»"*]*""",
    re.IGNORECASE | re.VERBOSE,
)


def is_device_footer(line: str) -> bool:
    """Return whether a line names the device or client of the mail, with words such as «sent from»."""
    return SENT_FROM.fullmatch(line) is not None and DEVICE_WORD.search(line) is not None


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
        (?:^|\W)(?:[☎📞📱📠🖷✆]\ufe0f?|tel|tél|telefon|telefono|teléfono|telefoon|phone|fon|fax|mobile|mobil|móvil|mob|cell|handy|gsm|puh|tlf|direct|durchwahl
            |t|m|f|p|電話|电话|電話番号)[\s.:|]{0,4}[+(\d][\d\s()./-]{5,}
        | ^\W{0,3}\+[\d\s()./-]{8,}$ | https?://\S+ | (?:^|\s)www\.\S+ | \S+@\S+\.\S+
        | \b(?:gmbh|ag|ltd|limited|inc|llc|s\.?l\.?u?|s\.?a\.?|s\.?r\.?l|s\.?a\.?r\.?l|s\.?p\.?a|b\.?v|n\.?v|sp\.?\ z\ ?o\.?\ ?o|s\.r\.o|a\.s|ab|a/s|oy|kft|株式会社|有限公司)\b\.?(?:\W|$)
        | \b(?:registered\ (?:office|in)|sitz\ der\ gesellschaft|handelsregister|hrb\s?\d|geschäftsführ|registergericht|ust-?id|vat\ (?:no|reg)|cif|p\.?\ ?iva|kvk|siret)
        | \b\d{4,5}\s+[A-ZÄÖÜ][a-zäöüß]+
    )""",
    re.IGNORECASE | re.VERBOSE,
)

OUTLOOK_LINK: Final = re.compile(r"outlook.{0,120}https?://aka\.ms/", re.IGNORECASE)
"""Outlook mobile's footer in any language: its name, and the download link."""
