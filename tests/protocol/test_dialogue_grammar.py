"""MAIL and RCPT: paths, parameters, xtext. RFC 5321 §4.1.2, RFC 3461 §4."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.smtp.engine import replies
from mta.smtp.engine.grammar import MailFrom, Offered, RcptTo, decode_xtext, parse_mail, parse_rcpt
from mta.smtp.engine.replies import Reply

OFFERED = Offered(size=1000, smtp_utf8=True)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("<>", ""),
        ("<a@example.com>", "a@example.com"),
        ("<SMS=+49447700900@sms.example.net>", "SMS=+49447700900@sms.example.net"),
        ("<+447700900123/TYPE=SMS@x.example>", "+447700900123/TYPE=SMS@x.example"),
        ("<IMCEASMS-+2B447700900123@example.com>", "IMCEASMS-+2B447700900123@example.com"),
        ('<"a b"@example.com>', '"a b"@example.com'),
        (r'<"a\"b\\"@example.com>', r'"a\"b\\"@example.com'),
        ('<"a@b"@example.com>', '"a@b"@example.com'),
        ("<a@[127.0.0.1]>", "a@[127.0.0.1]"),
        ("<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]"),
        ("<@relay.example,@other.example:a@example.com>", "a@example.com"),
        ("<a%b!c@example.com>", "a%b!c@example.com"),
        ("<" + "l" * 64 + "@example.com>", "l" * 64 + "@example.com"),
        ("<a@host>", "a@host"),
        ("<a_b@ex_ample.com>", "a_b@ex_ample.com"),
    ],
)
def test_an_address_of_the_grammar_is_taken_and_its_route_dropped(path, address):
    assert parse_mail(f"FROM:{path}", OFFERED) == MailFrom(address=address)
    assert parse_mail(f"from: {path} ", OFFERED) == MailFrom(address=address)
    if address:
        assert parse_rcpt(f"TO:{path}", smtp_utf8=False) == RcptTo(address=address)


@pytest.mark.parametrize(
    "path",
    [
        "<a>",
        "<447700900123>",
        "<a@>",
        "<@b>",
        "<a b@example.com>",
        "<a..b@example.com>",
        "<.a@example.com>",
        "<a@example..com>",
        "<a@-example.com>",
        "<a@example.com.>",
        '<"a@example.com>',
        '<"a"b@example.com>',
        "<a@b@example.com>",
        "<a@[256.0.0.1]>",
        "<a@[127.0.0.1>",
        "<a@[IPv6:zz]>",
        "<a@[IPv6:fe80::1%eth0]>",
        "<a@[tag:x]>",
        "<a\x01b@example.com>",
        "<a\x7fb@example.com>",
        "<" + "l" * 65 + "@example.com>",
        "<a@" + "d" * 64 + ".com>",
        "<a@" + "d." * 128 + "com>",
        "<a,b@example.com>",
        "<a(b)@example.com>",
    ],
)
def test_case_13_an_address_outside_the_grammar_is_refused_as_address(path):
    assert parse_mail(f"FROM:{path}", OFFERED) == replies.BAD_SENDER_ADDRESS
    assert parse_rcpt(f"TO:{path}", smtp_utf8=False) == replies.BAD_RECIPIENT_ADDRESS


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "a@example.com",
        "FROM",
        "FROM:",
        "FROM:a@example.com",
        "FROM:<a@example.com",
        "FROM:<a@example.com>X",
        "TO:<a@example.com>",
    ],
)
def test_what_is_no_mail_command_is_refused_as_syntax(argument):
    assert parse_mail(argument, OFFERED) == replies.MAIL_SYNTAX


@pytest.mark.parametrize("argument", ["", "TO", "TO:", "TO:a@example.com", "TO:<a@example.com", "FROM:<a@example.com>"])
def test_what_is_no_rcpt_command_is_refused_as_syntax(argument):
    assert parse_rcpt(argument, smtp_utf8=False) == replies.RCPT_SYNTAX


def test_a_recipient_is_never_null_but_postmaster_needs_no_domain():
    assert parse_rcpt("TO:<>", smtp_utf8=False) == replies.BAD_RECIPIENT_ADDRESS
    assert parse_rcpt("TO:<Postmaster>", smtp_utf8=False) == RcptTo(address="Postmaster")


def test_all_parameters_of_mail_are_read_and_kept_as_sent():
    line = "FROM:<a@example.com> SIZE=999 body=8bitmime SMTPUTF8 RET=hdrs ENVID=Job+2B1+3D AUTH=<>"
    assert parse_mail(line, OFFERED) == MailFrom(
        address="a@example.com",
        options=("SIZE=999", "body=8bitmime", "SMTPUTF8", "RET=hdrs", "ENVID=Job+2B1+3D", "AUTH=<>"),
        size=999,
        body="8BITMIME",
        smtp_utf8=True,
        ret="HDRS",
        envid="Job+1=",
        auth="<>",
    )


def test_all_parameters_of_rcpt_are_read_and_kept_as_sent():
    line = "TO:<b@example.com> NOTIFY=success,Delay ORCPT=rfc822;SMS+3D+2B447700900123@example.com"
    assert parse_rcpt(line, smtp_utf8=False) == RcptTo(
        address="b@example.com",
        options=("NOTIFY=success,Delay", "ORCPT=rfc822;SMS+3D+2B447700900123@example.com"),
        notify=("SUCCESS", "DELAY"),
        orcpt_type="rfc822",
        orcpt="SMS=+447700900123@example.com",
    )


@pytest.mark.parametrize(
    ("parameters", "reply"),
    [
        ("FOO=1", replies.UNKNOWN_PARAMETER),
        ("FOO", replies.UNKNOWN_PARAMETER),
        ("NOTIFY=NEVER", replies.UNKNOWN_PARAMETER),
        ("SIZE=1 SIZE=1", replies.BAD_PARAMETER),
        ("SIZE=1 size=2", replies.BAD_PARAMETER),
        ("SIZE", replies.BAD_PARAMETER),
        ("SIZE=", replies.BAD_PARAMETER),
        ("SIZE=-1", replies.BAD_PARAMETER),
        ("SIZE=1e3", replies.BAD_PARAMETER),
        ("SIZE=" + "1" * 21, replies.BAD_PARAMETER),
        ("SIZE=1001", replies.TOO_LARGE),
        ("SIZE=" + "9" * 20, replies.TOO_LARGE),
        ("BODY=BINARYMIME", replies.PARAMETER_NOT_IMPLEMENTED),
        ("BODY", replies.BAD_PARAMETER),
        ("SMTPUTF8=1", replies.BAD_PARAMETER),
        ("RET=BODY", replies.BAD_PARAMETER),
        ("RET=FULL RET=HDRS", replies.BAD_PARAMETER),
        ("ENVID=a+2b", replies.BAD_PARAMETER),
        ("ENVID=a+", replies.BAD_PARAMETER),
        ("ENVID=a+0D+0AX", replies.BAD_PARAMETER),
        ("ENVID=" + "x" * 101, replies.BAD_PARAMETER),
        ("ENVID=a=b", replies.BAD_PARAMETER),
        ("AUTH=+ZZ", replies.BAD_PARAMETER),
        ("X-=\x01", replies.BAD_PARAMETER),
        ("-X=1", replies.BAD_PARAMETER),
    ],
)
def test_a_bad_parameter_of_mail_has_its_reply(parameters, reply):
    assert parse_mail(f"FROM:<a@example.com> {parameters}", OFFERED) == reply


@pytest.mark.parametrize(
    ("parameters", "reply"),
    [
        ("RET=FULL", replies.UNKNOWN_PARAMETER),
        ("NOTIFY", replies.BAD_PARAMETER),
        ("NOTIFY=", replies.BAD_PARAMETER),
        ("NOTIFY=ALWAYS", replies.BAD_PARAMETER),
        ("NOTIFY=NEVER,SUCCESS", replies.BAD_PARAMETER),
        ("NOTIFY=SUCCESS,SUCCESS", replies.BAD_PARAMETER),
        ("NOTIFY=SUCCESS,", replies.BAD_PARAMETER),
        ("NOTIFY=NEVER NOTIFY=NEVER", replies.BAD_PARAMETER),
        ("ORCPT=rfc822", replies.BAD_PARAMETER),
        ("ORCPT=rfc822;", replies.BAD_PARAMETER),
        ("ORCPT=;a@example.com", replies.BAD_PARAMETER),
        ("ORCPT=rf c;a", replies.BAD_PARAMETER),
        ("ORCPT=rfc822;a+0A", replies.BAD_PARAMETER),
        ("ORCPT=rfc822;" + "x" * 500, replies.BAD_PARAMETER),
        ("ORCPT=utf-8;\\x{D800}", replies.BAD_PARAMETER),
        ("ORCPT=utf-8;\\x{0A}", replies.BAD_PARAMETER),
    ],
)
def test_a_bad_parameter_of_rcpt_has_its_reply(parameters, reply):
    assert parse_rcpt(f"TO:<a@example.com> {parameters}", smtp_utf8=True) == reply


def test_an_original_recipient_of_type_utf_8_is_decoded_as_rfc_6533_says():
    command = parse_rcpt("TO:<a@example.com> ORCPT=utf-8;m\\x{FC}ller@example.com", smtp_utf8=False)
    assert isinstance(command, RcptTo)
    assert command.orcpt == "müller@example.com"
    assert isinstance(parse_rcpt("TO:<a@example.com> ORCPT=utf-8;müller@example.com", smtp_utf8=True), RcptTo)
    assert isinstance(parse_rcpt("TO:<a@example.com> ORCPT=utf-8;müller@example.com", smtp_utf8=False), Reply)


def test_a_non_ascii_address_needs_smtputf8():
    assert parse_mail("FROM:<müller@example.com>", OFFERED) == replies.NEEDS_SMTPUTF8
    assert parse_mail("FROM:<müller@exämple.com> SIZE=1", OFFERED) == replies.NEEDS_SMTPUTF8
    assert isinstance(parse_mail("FROM:<müller@exämple.com> SMTPUTF8", OFFERED), MailFrom)
    assert parse_mail("FROM:<müller@example.com> SMTPUTF8", Offered(smtp_utf8=False)) == replies.UNKNOWN_PARAMETER
    assert parse_rcpt("TO:<٤٩@example.com>", smtp_utf8=False) == replies.NEEDS_SMTPUTF8
    assert isinstance(parse_rcpt("TO:<٤٩@example.com>", smtp_utf8=True), RcptTo)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_categories=["Cc", "Cs"]), max_size=30))
def test_xtext_of_any_text_comes_back_exactly(text):
    encoded = "".join(
        chr(octet) if 0x21 <= octet <= 0x7E and octet not in b"+=" else f"+{octet:02X}" for octet in text.encode()
    )
    assert decode_xtext(encoded) == text


@given(st.text(max_size=60))
def test_no_text_at_all_breaks_the_grammar(text):
    assert isinstance(parse_mail("FROM:" + text, OFFERED), MailFrom | Reply)
    assert isinstance(parse_rcpt("TO:" + text, smtp_utf8=True), RcptTo | Reply)


@pytest.mark.parametrize(
    "argument",
    ["<" + "a." * 500, "<" + '"' + "\\" * 990, "<@" + "a," * 500, "<a@" + "b-" * 500 + ">", "<a@" + "b." * 500 + "-"],
)
def test_no_long_argument_takes_long(argument):
    assert isinstance(parse_mail("FROM:" + argument, OFFERED), Reply)


@pytest.mark.parametrize(
    ("argument", "address", "size"),
    [
        ("FROM:a@example.com", "a@example.com", None),
        ("FROM: a@example.com", "a@example.com", None),
        ("from:a@example.com SIZE=100 BODY=8BITMIME", "a@example.com", 100),
        ("FROM:<a@example.com> SIZE=100", "a@example.com", 100),
        ("FROM: <>", "", None),
    ],
)
def test_addresses_without_angle_brackets_are_taken_where_they_are_forgiven(argument, address, size):
    command = parse_mail(argument, Offered(bare_addresses=True))
    assert isinstance(command, MailFrom)
    assert (command.address, command.size) == (address, size)


def test_recipients_without_angle_brackets_are_taken_where_they_are_forgiven():
    assert parse_rcpt("TO:+447700900123@sms.example.net", smtp_utf8=False, bare_addresses=True) == RcptTo(
        address="+447700900123@sms.example.net"
    )
    command = parse_rcpt("TO: postmaster NOTIFY=NEVER", smtp_utf8=False, bare_addresses=True)
    assert command == RcptTo(address="postmaster", options=("NOTIFY=NEVER",), notify=("NEVER",))


@pytest.mark.parametrize(
    "argument",
    ["FROM:", "FROM: ", "FROM:a", "FROM:a@", "FROM:<a@example.com", "FROM:a@example.com>", "FROM:a@b@c", "FROM:a b@c"],
)
def test_what_is_no_address_is_refused_with_or_without_brackets(argument):
    assert isinstance(parse_mail(argument, Offered(bare_addresses=True)), Reply)


def test_addresses_without_angle_brackets_are_refused_by_default():
    assert parse_mail("FROM:a@example.com", Offered()) == replies.MAIL_SYNTAX
    assert parse_rcpt("TO:a@example.com", smtp_utf8=False) == replies.RCPT_SYNTAX
