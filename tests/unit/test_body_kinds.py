"""Forms and notices are not quotes; what clients write around a message goes in every language that they speak."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.reading.addresses import RecipientAddress, read_recipient
from mta.reading.body import ExtractedText, extract_text
from mta.reading.client_phrases import HEADER_LABELS
from mta.reading.mime import MailLimits, ParsedMail, read_mail
from mta.reading.quotes import own_words, tidy
from sms.outcome import Refused
from sms.settings import Settings


def text_of(body, header="", content_type="text/plain; charset=utf-8"):
    mail = read_mail(f"From: a@example.com\n{header}Content-Type: {content_type}\n\n{body}".encode(), MailLimits())
    assert isinstance(mail, ParsedMail)
    found = extract_text(mail, Settings(), subject=mail.subject)
    assert isinstance(found, ExtractedText), found
    return found.text


FORMS = [
    "New transfer:\nFrom: Depot 3\nTo: Shop 12\nDate: Tuesday 8 am\nSubject: 12 pallets\nCall the dock.",
    "Von: Lager 3\nAn: Laden 12\nDatum: Dienstag 8 Uhr\nBetreff: 12 Paletten",
    "Kontaktformular\n\nVon: Ines <ines@example.org>\nDatum: 12.01.2026 09:02\nAn: info@example.com\nBetreff: Tor\n\nNachricht: Tor 4 ist zu.",
    "Formulaire de contact\nDe : Inès <ines@example.org>\nEnvoyé : 12/01/2026 09:02\nÀ : info@example.com\nObjet : Porte\n\nLa porte 4 est bloquée.",
    "De: Inés <ines@example.org>\nFecha: 12/01/2026 09:02\nPara: info@example.com\nAsunto: Puerta\nMensaje: puerta 4 cerrada",
    "Da: Ines <ines@example.org>\nInviato: 12/01/2026 09:02\nA: info@example.com\nOggetto: Porta\n\nChiusa.",
    "От: Инес <ines@example.org>\nДата: 12.01.2026 09:02\nКому: info@example.com\nТема: Ворота\n\nВорота 4 закрыты.",
    "发件人: Ines <ines@example.org>\n日期: 2026-01-12 09:02\n收件人: info@example.com\n主题: 门\n\n四号门关了。",
    "Fax received\nFrom: +44 20 7946 0000\nTo: 4711\nDate: 12.01.2026 09:02\nSubject: Fax, 3 pages",
    "Quarantine\n\nFrom: x <x@example.org>\nSent: Monday, January 12, 2026 9:02 AM\nTo: a@example.com\nSubject: Invoice\n\nRelease it?",
    "ticket 7\n-----\nFrom: x <x@example.org>\nDate: 12.01.2026 09:02\nSubject: disk\n-----\nDisk full",
    "Ines <ines@example.org> wrote on 12.01.2026 at 09:02:\n> Gate 4 is blocked",
    "On 12.01.2026 at 09:02 Ines <ines@example.org> wrote:\n\nGate 4 is blocked",
    "Monitor\n--\nHost: db1\nState: down\nSince: 9:02", "> 90 % of the disk\n> 70 % of memory",
    "##- Please type your reply above this line -##\n\nTicket 7: gate 4 is blocked",
    "Held\n> From: x <x@example.org>\n> Date: 12.01.2026 09:02\n> Subject: Invoice\n\nRelease it?",
    "-------- Alarm --------\nFrom: db1@example.com\nDate: 12.01.2026 09:02\nTo: ops\nSubject: down",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_form_or_notice_is_sent_whole(form):
    assert text_of(form) == form


@pytest.mark.parametrize("form", FORMS[:2])
def test_fields_without_address_and_date_are_own_words_in_an_answer_too(form):
    assert text_of(form, "In-Reply-To: <x@example.com>\n") == form


def test_a_forward_of_nothing_but_fields_is_sent_whole():
    form = "From: +44 20 7946 0000\nTo: 4711\nDate: 12.01.2026 09:02\nSubject: New voicemail, 32 seconds"
    assert text_of(form, "Subject: Fwd: voicemail\n") == form


_WORDS = st.text(st.sampled_from("abcdeäßé тор門 19.:/@<>-,%"), max_size=30)
_NOTICE_LINE = st.one_of(
    st.tuples(st.sampled_from(sorted(HEADER_LABELS)), st.sampled_from([":", " :", "："]), _WORDS).map(lambda field: f"{field[0].title()}{field[1]} {field[2]}"),
    st.tuples(st.sampled_from(sorted(HEADER_LABELS)), st.sampled_from(["12.01.2026 09:02", "x <x@example.org>", "Mon, 12 Jan 2026 09:02"])).map(": ".join),
    st.sampled_from(
        ["", "=====", "-----", "> load 9", "wrote:", "Host: db1", "Message:", "On 12.01.2026 09:02 x <x@example.org> wrote:", "Am 12.01.2026 schrieb x:", "Date, state"]
    ),
)  # fmt: skip


@given(st.lists(_NOTICE_LINE, max_size=14))
def test_what_answers_and_forwards_nothing_keeps_every_line(lines):
    notice = "\n".join(["Alarm 7", *lines, "End of the alarm."])
    assert own_words(notice, is_reply=False).text == tidy(notice)


QUOTED = [
    "-------- 원본 이메일 --------\n발신: 홍 <hong@example.com>\n날짜: 26/1/12 09:02\n제목: 4\n\nx",
    "-------- הודעה מקורית --------\nמאת: x\nx", "-------- Pesan asli --------\nDari: x\n\nx", "-------- ข้อความต้นฉบับ --------\nx",
    "---------- Replied message ----------\nSender: x <x@example.com>\nDate: January 12 2026 09:02\nReceiver: a\n\nx",
    "---- Replied Message ----\n| From | x<x@example.com> |\n| Date | 01/12/2026 |\n| Subject | x |\nx", "---- 回复的原邮件 ----\n| 发件人 | x |\nx",
    '------------------ Original ------------------\nFrom: "x"<x@example.com>;\nDate: Mon, Jan 12, 2026 09:02 AM\nTo: "a";\nSubject: x\n\nx',
    "------------- Пратената порака -------------\nОд: x <x@example.com>\nДатум: 12.01.2026 09:02\nДо: a\nТема: x\n\nx",
    "---- On Mon, 12 Jan 2026 09:02:11 +0100 x\n<x@example.com> wrote ----\n\nx", "---- Le lun., 12 janv. 2026 09:02:11\n+0100 x\n<x@example.com> a écrit ----\nx",
    "מאת: x <x@example.com>\nנשלח: 12.01.2026 09:02\nאל: a\nנושא: x\n\nx", "من: x <x@example.com>\nتاريخ الإرسال: 12/01/2026 09:02\nإلى: a\nالموضوع: x\n\nx",
    "จาก: x <x@example.com>\nวันที่: 12 ม.ค. 2569\nถึง: a\nเรื่อง: x\n\nx", "Từ: x <x@example.com>\nĐã gửi: 12/01/2026\nĐến: a\nChủ đề: x\n\nx",
    "Dari: x <x@example.com>\nDikirim: 12 Januari 2026 09:02\nKepada: a\nSubjek: x\n\nx", "प्रेषक: x <x@example.com>\nदिनांक: 12/01/2026\nप्रति: a\nविषय: x\n\nx",
    "From: Milo Hart\nSent: Monday, January 12, 2026 9:02 AM\nTo: Dana Reed\nSubject: x\n\nx", "Pada Sen, 12 Jan 2026 pukul 09.02 x <x@example.com> menulis:\n\nx",
    "On Jan 12, 2026 you wrote:\n\nx", "2026/1/12 x via y <y@example.com>\n\n> x", "Vào 09:02, T2, 12 thg 1, 2026 x <x@example.com> đã viết:\n> x",
    "\u202bבתאריך יום ב׳, 12 בינו׳ 2026 ב-9:02 מאת \u202ax\u202c\u200f <\u202ax@example.com\u202c\u200f>:\u202c\n\n> x",
    "في الاثنين، 12 يناير 2026 في 9:02 ص تمت كتابة ما يلي بواسطة x <x@example.com>:\n> x", "เมื่อ จ. 12 ม.ค. 2569 เวลา 09:02 x <x@example.com> เขียนว่า:\n> x",
    "सोम, 12 जन॰ 2026 को 9:02 am बजे को x <x@example.com> ने लिखा:\n> x", "On Mon, Jan 12, 2026 at 9:02 AM, x < x@example.com > wrote:\n\n> x",
    "##- Please type your reply above this line -##\n\nx", "##- Bitte geben Sie Ihre Antwort oberhalb dieser Zeile ein -##\nx", "-- Please reply above this line --\n\nx",
    "## Escriba su respuesta por encima de esta línea ##\nx", "##- Veuillez répondre au-dessus de cette ligne -##\nx", "Reply above this line.\n\nx",
]  # fmt: skip


@pytest.mark.parametrize("history", QUOTED)
def test_history_of_clients_goes_from_an_answer(history):
    assert text_of(f"Gate 4.\n\n{history}\n", "In-Reply-To: <x@example.com>\n") == "Gate 4."


def test_outlooks_thread_index_tells_an_answer_under_a_new_subject():
    body = "Gate 4.\n\nFrom: Milo Hart\nSent: Monday, January 12, 2026 9:02 AM\nTo: Dana Reed\nSubject: x\n\nx"
    assert text_of(body, "Thread-Index: AQHcg4QxT3Vn0Wc1rUG2k8r1l3w9cA==\n") == body
    assert text_of(body, "Thread-Index: AQHcg4QxT3Vn0Wc1rUG2k8r1l3w9cAAAABc=\n") == "Gate 4."


FOOTERS = [
    "Sent from my iPhone", "Von meinem iPhone gesendet", "Envoyé de mon iPhone", "Enviado desde mi iPhone", "Inviato da iPhone", "Verstuurd vanaf mijn iPhone", "Enviado do meu iPhone",
    "Sendt fra min iPhone", "Skickat från min iPhone", "Lähetetty iPhonesta", "iPhoneから送信", "나의 iPhone에서 보냄", "发自我的 iPhone", "從我的 iPhone 傳送", "由我的 iPhone 傳送", "Отправлено с iPhone",
    "Wysłane z iPhone'a", "iPhone'umdan gönderildi", "Надіслано з iPhone", "Відправлено з iPhone", "أرسلت من الـ iPhone", "تم الإرسال من الـ iPhone", "Poslano s mog iPhone uređaja", "Odesláno z iPhonu",
    "Στάλθηκε από το iPhone μου", "נשלח מה-iPhone שלי", "मेरे iPhone से भेजा गया", "Elküldve az iPhone-omról", "iPhone-omról küldve", "Dikirim dari iPhone saya", "Dihantar dari iPhone saya", "Trimis de pe iPhone-ul meu",
    "Odoslané z iPhonu", "ส่งจาก iPhone ของฉัน", "Đã gửi từ iPhone của tôi", "Enviat des del meu iPhone", "Poslano z mojega iPhona", "Изпратено от моя iPhone", "ارسال شده از iPhone من", "Менің iPhone құрылғымнан жіберілді",
    "Послато са мог iPhone-а", "Sent úr iPhone-símanum mínum", "내 Galaxy에서 보냄", "Galaxyから送信", "从我的 Galaxy 发送", "ส่งจาก Galaxy ของฉัน", "Đã gửi từ Galaxy của tôi", "\u202bנשלח מה-Galaxy שלי\u202c",
    "Sent from my Galaxy", "<<sent by galaxy>>", "(sent from a phone)", "[Sent from my mobile]", "— Sent from mobile", "Sent from my Samsung Galaxy smartphone.", "Sent from a mobile device, please excuse typos",
    "Sent with Aqua Mail for Android\nhttps://www.mobisystems.com/aqua-mail", "Sent via Superhuman ( https://sprh.mn/?vip=a@example.com )", "Sent via Superhuman <https://sprh.mn/?vip=a@example.com>", "Sent with Spark",
    "Sent with [Proton Mail](https://proton.me/) secure email.", "Sent with Proton Mail secure email.", "Sent from Proton Mail Android", "Gesendet mit der GMX Mail App", "Gesendet mit der WEB.DE Mail App",
    "Diese Nachricht wurde von meinem Android Mobiltelefon mit GMX Mail gesendet.", "Gesendet mit Tuta\nhttps://tuta.com", "Secured with Tuta Mail:\nhttps://tuta.com/free-email", "Sent using Zoho Mail", "Sent from Zoho Mail",
    "Sent from Canary (https://canarymail.io)", "Sent from Mail for Windows", "Gesendet von Mail für Windows", "Sent from Yahoo Mail on Android", "Sent from Workspace ONE Boxer", "Sent from my BlackBerry 10 smartphone.",
    "发自我的小米手机", "发自我的华为手机", "来自我的华为手机", "发自网易邮箱大师", "Sent via Missive", "Sent from Fastmail", "Envoyé à partir de Outlook pour Android", "Envoyé depuis mon appareil Galaxy",
]  # fmt: skip


@pytest.mark.parametrize("footer", FOOTERS)
def test_footers_of_clients_go(footer):
    assert text_of(f"Gate 4.\n\n{footer}\n") == "Gate 4."


@pytest.mark.parametrize(
    "words",
    ["Bring the phone from the office", "Sent from my office at noon", "Call the iPhone", "Dikirim dari gudang 3", "ส่งจากคลัง 3", "נשלח מהמחסן", "Die Palette wurde von Lager 3 gesendet", "https://example.com/gate"],
)  # fmt: skip
def test_words_that_only_look_like_a_footer_stay(words):
    assert text_of(f"Gate 4.\n\n{words}") == f"Gate 4.\n\n{words}"


@pytest.mark.parametrize("rule", ["—————", "_____", "-----", "=====", "~~~~~", "––––", "────"])
def test_a_contact_block_below_a_rule_goes_and_fields_below_one_stay(rule):
    assert text_of(f"Gate 4.\n\n{rule}\nDana Reed\nDock lead\n📧 a@example.com\n📱 +44 7700 900123") == "Gate 4."
    notice = f"Gate 4.\n\n{rule}\nHost: db1\nState: down\nhttps://example.com/1"
    assert text_of(notice) == notice


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<ol start=4><li>a<li value=9>b<li>c</ol>", "4. a\n9. b\n10. c"), ("<p>a</p><button>b</button><button>c</button><p>d</p>", "a\n\nb\nc\n\nd"),
        ("<details><summary>a</summary>b</details>", "a\nb"), ("<p>a</p><p style='color:#ffffff;font-size:1px'>x</p>", "a"), ("<p>a</p><font color=white>x</font>", "a"),
        ("<table bgcolor=navy><tr><td style='color:#fff'>a</table>", "a"), ("<div style='background:#000'><p style='color:white'>a</p></div>", "a"),
        ("<div style='color:white'><p style='color:#333'>a</p></div>", "a"), ("a<div style='position:absolute;left:-9999px'>x</div>", "a"), ("<p style='margin-left:-100px'>a</p>", "a"),
        ("<div>a</div><div data-marker=__SIG_PRE__>x</div>", "a"), ("<div>a</div><div data-marker='__SIG_POST__'>x</div>", "a"), ("<div name=messageBodySection>a</div><div name=messageSignatureSection>x</div>", "a"),
        ("a<div id=aqm-signature>x</div>", "a"), ("a<div id=_rc_sig>x</div>", "a"), ("a<signature>x</signature>", "a"), ("a<div class='sh-signature'>x</div>", "a"), ("<p>a</p><div data-marker='__QUOTED_TEXT__'>x</div>", "a"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("filler", ["", "<!-- " + "y" * 41_000 + " -->"])
def test_html_of_further_clients_reads_as_it_is_seen(html, text, filler):
    assert text_of(html + filler, "In-Reply-To: <x@example.com>\n", "text/html; charset=utf-8") == text


@pytest.mark.parametrize(
    "local",
    [
        "＋４４７７００９００１２３", '"+44\u00a07700\u00a0900123"', '"\u202a+447700900123\u202c"', '"\u200e+44 7700 900123"', '"+44\u20117700\u2011900123"', '"+44\u2009(0)\u20097700 900123"',
        "+٤٤٧٧٠٠٩٠٠١٢٣", '"tel:+447700900123"', '"TEL:+44-7700-900123"', '"sms:+447700900123"', '"tel:+447700900123;phone-context=+44"', '"smsto:+447700900123"',
    ],
)  # fmt: skip
def test_a_number_is_read_however_it_was_pasted(local):
    address = read_recipient(f"{local}@sms.example.net", prefixes=())
    assert isinstance(address, RecipientAddress)
    assert "".join(filter(str.isdigit, address.number.replace("(0)", ""))) == "447700900123"


@pytest.mark.parametrize("local", ["+44770090012³", "+4477009001½3", "Ⅳ477009001"])
def test_signs_that_are_no_digits_do_not_become_digits(local):
    assert isinstance(read_recipient(f"{local}@sms.example.net", prefixes=()), Refused)
