"""Mails name whose they are: logo, colour and contact of the customer, readable in light and in the dark."""

import struct
from dataclasses import replace
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.sending.compose import MailIdentity, compose_notice
from sms.report import NoticeKind
from sms.settings import SettingProblem, Settings, parse_setting
from templates.brand import CARDS, contrast, fit_accent, view_brand
from templates.graphics import Graphic, size_of
from templates.render import Renderer
from tests.kit.status_samples import NOW, message, notice, report

RENDERER = Renderer()
WORDS = RENDERER.words("en")
IDENTITY = MailIdentity(
    from_name="SMS Gateway",
    from_address="status@sms.example.net",
    hostname="mx1.sms.example.net",
    message_id_domain="sms.example.net",
)


def png(width, height, name="logo"):
    content = b"\x89PNG\r\n\x1a\n" + struct.pack("!I4sII", 13, b"IHDR", width, height) + b"\x08\x06\0\0\0IEND\xaeB`\x82"
    return Graphic(name=name, media_type="image/png", content=content)


def jpeg(width, height):
    app = b"\xff\xe0" + struct.pack("!H", 16) + b"JFIF\0" + bytes(9)
    frame = b"\xff\xc2" + struct.pack("!HBHHB", 8, 8, height, width, 0)
    return Graphic(name="logo", media_type="image/jpeg", content=b"\xff\xd8" + app + b"\xff" + frame + b"\xff\xd9")


@given(colour=st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}"))
def test_every_accent_can_be_read_on_both_cards(colour):
    for fitted, ground in zip(fit_accent(colour), CARDS, strict=True):
        assert contrast(fitted, ground) >= 4.5
        assert fitted == colour or contrast(colour, ground) < 4.5


@pytest.mark.parametrize("make", [png, jpeg])
@pytest.mark.parametrize(
    ("size", "shown"),
    [((120, 40), (120, 40)), ((2200, 560), (220, 56)), ((2200, 100), (220, 10)), ((9000, 3), (220, 1))],
)
def test_a_logo_is_shown_at_its_size_or_smaller(make, size, shown):
    graphic = make(*size)
    assert size_of(graphic) == size
    brand = view_brand("Example Ltd", Settings(), WORDS, graphic)
    assert (brand.logo_width, brand.logo_height) == shown


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("image/png", b"\x89PNG\r\n\x1a\nIEND"),
        ("image/jpeg", b"\xff\xd8\xff\xd9"),
        ("image/jpeg", b"\xff\xd8" + b"\xff\xe0\0\0" * 9),
        ("image/gif", b"GIF89a\0\0\0\0;"),
    ],
)
def test_a_graphic_whose_size_nobody_can_read_is_no_logo(media_type, content):
    graphic = Graphic(name="logo", media_type=media_type, content=content)
    assert view_brand("Example Ltd", Settings(), WORDS, graphic).logo == ""


@pytest.mark.parametrize(
    ("contact", "link"),
    [
        ("helpdesk@example.com", "mailto:helpdesk@example.com"),
        ("+44 7700 900 100", "tel:+447700900100"),
        ("https://help.example.com/sms", "https://help.example.com/sms"),
        ("IT service desk, extension 42", ""),
        ("javascript:alert(1)", ""),
        ('a"b@example.com', ""),
    ],
)
def test_a_contact_is_a_link_where_it_can_be_one(contact, link):
    settings = Settings(contact=str(parse_setting("contact", contact)))
    assert view_brand("x", settings, WORDS).contact_link == link
    rendered = RENDERER.render(NoticeKind.RESULT, report(contact=contact))
    assert f"Questions? {contact}" in rendered.text
    assert ("href=" in rendered.html) == bool(link)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("accent", "red"),
        ("accent", "#12"),
        ("accent", "#12345g"),
        ("logo", "../logo"),
        ("logo", "a b"),
        ("contact", "http://example.com"),
        ("contact", "x" * 121),
    ],
)
def test_what_is_no_brand_is_refused_with_what_is_expected(name, text):
    assert isinstance(parse_setting(name, text), SettingProblem)


def test_a_colour_may_be_written_with_or_without_its_mark():
    assert parse_setting("accent", "0A7D4B") == parse_setting("accent", "#0a7d4b") == "#0a7d4b"


def test_the_logo_travels_with_the_mail_that_shows_it():
    told = notice(report(logo="logo", accent="#ffcc00", customer="Example Ltd"))
    mail = compose_notice(told, identity=IDENTITY, renderer=RENDERER, now=NOW, logo=png(120, 40))
    assert mail is not None
    read = message_from_bytes(mail.message, policy=policy.default)
    html = read.get_body(("html",))
    (graphic,) = (part for part in read.walk() if part.get_content_type() == "image/png")
    assert html is not None
    assert f'src="cid:{str(graphic["Content-ID"]).strip("<>")}"' in html.get_content()
    assert 'width="120" height="40"' in html.get_content()
    assert "Example Ltd" in html.get_content()


def test_without_a_logo_nothing_travels():
    mail = compose_notice(notice(report(logo="gone")), identity=IDENTITY, renderer=RENDERER, now=NOW)
    assert mail is not None
    assert b"image/" not in mail.message
    assert b"multipart/related" not in mail.message


@pytest.mark.parametrize("accent", ["", "#ffcc00", "#112233"])
def test_name_and_contact_have_the_accent_in_light_and_dark(accent):
    job = report(message(), accent=accent, contact="helpdesk@example.com")
    html, brand = RENDERER.render(NoticeKind.RESULT, job).html, RENDERER.view(NoticeKind.RESULT, job).brand
    assert html.count(f'class="brand" style="color:{brand.accent}"') == 1
    assert html.count(f'style="color:{brand.accent}"') == 2
    assert html.count(f".brand{{color:{brand.accent_dark} !important;}}") == 2
    assert replace(brand, accent="") != brand
