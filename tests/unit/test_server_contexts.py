"""Which certificate a listener shows to whom, and what it shows once files have changed."""

import ssl
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from structlog.testing import capture_logs

from process.log import log_unraisable
from tests.kit.handshakes import shake
from tests.kit.mail_servers import Identity, issue, make_authority
from tls.contexts import ClientContexts, ClientRole, ContextError
from tls.listening import CertificateRequest, ListenerTls, ServerCertificate
from tls.server_contexts import ServerContexts

ANYBODY = ClientContexts().get(ClientRole(verify=False))


def by_cipher(ciphers: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    return context


@dataclass
class Door:
    """A listener with some certificates; `of` has them by the name of their files."""

    folder: Path
    of: dict[str, Identity] = field(default_factory=dict)

    def put(self, name: str, *names: str, **more) -> Identity:
        self.of[name] = issue(names=names, **more)
        self.of[name].write(self.folder, name)
        return self.of[name]

    def open(self, *order: str, **more) -> ServerContexts:
        shown = [
            ServerCertificate(certificate_file=self.folder / f"{name}.pem", key_file=self.folder / f"{name}.key")
            for name in order
        ]
        return ServerContexts(ListenerTls(certificates=tuple(shown), **more))

    def shown(self, contexts: ServerContexts, asked: str | None, client: ssl.SSLContext = ANYBODY) -> str:
        der = shake(client, contexts.current(), asked)[0].getpeercert(True)
        return next(name for name, identity in self.of.items() if identity.der == der)


@pytest.fixture
def door(tmp_path) -> Door:
    return Door(tmp_path)


ASKED = [
    ("mx.example.com", "mx"),
    ("MX.Example.COM", "mx"),
    ("mx.example.com.", "mx"),
    ("sms.example.net", "sms"),
    ("a.sms.example.net", "wild"),
    ("b.a.sms.example.net", "mx"),
    ("xsms.example.net", "mx"),
    ("sub.mx.example.com", "mx"),
    ("unknown.example", "mx"),
    ("example", "mx"),
    (None, "mx"),
]


@pytest.mark.parametrize(("asked", "shown"), ASKED)
def test_the_name_that_a_client_asks_for_picks_the_certificate_and_any_other_gets_the_first(door, asked, shown):
    door.put("mx", "mx.example.com")
    door.put("sms", "sms.example.net", "other.example.net")
    door.put("wild", "*.sms.example.net")
    assert door.shown(door.open("mx", "sms", "wild"), asked) == shown


def test_a_name_stands_before_a_wildcard_whichever_comes_first(door):
    door.put("wild", "*.example.com")
    door.put("exact", "mx.example.com")
    contexts = door.open("wild", "exact")
    assert [door.shown(contexts, name) for name in ("mx.example.com", "a.example.com")] == ["exact", "wild"]


@pytest.mark.parametrize("asked", ["mx.example.com", None])
def test_keys_of_both_kinds_are_offered_and_the_client_takes_what_it_understands(door, asked):
    door.put("modern", "mx.example.com")
    door.put("old", "mx.example.com", rsa_bits=2048)
    contexts = door.open("modern", "old")
    assert door.shown(contexts, asked, by_cipher("ECDHE+ECDSA")) == "modern"
    assert door.shown(contexts, asked, by_cipher("ECDHE+aRSA")) == "old"


def test_of_two_equal_certificates_the_first_is_shown(door):
    door.put("first", "mx.example.com")
    door.put("second", "mx.example.com")
    assert door.shown(door.open("first", "second"), "mx.example.com") == "first"


def test_a_certificate_without_names_is_shown_to_who_asks_for_nothing_known(door):
    door.put("plain", common_name="gateway")
    door.put("named", "mx.example.com")
    contexts = door.open("plain", "named")
    assert [door.shown(contexts, name) for name in (None, "gateway", "mx.example.com")] == ["plain", "plain", "named"]


def test_one_broken_file_leaves_its_certificate_as_it_was_and_lets_the_others_be_renewed(door):
    door.put("mx", "mx.example.com")
    door.put("sms", "sms.example.net")
    contexts = door.open("mx", "sms")
    (door.folder / "mx.key").write_text("torn")
    door.of["old sms"] = door.of["sms"]
    door.put("sms", "sms.example.net", "new.example.net")
    with capture_logs() as logged:
        seen = [door.shown(contexts, name) for name in ("mx.example.com", "sms.example.net", "new.example.net")]
    assert seen == ["mx", "sms", "sms"]
    assert [line["event"] for line in logged] == ["certificate_unusable"]
    assert "mx.key holds no private key in PEM" in logged[0]["fault"]
    door.put("mx", "mx.example.com", "more.example.com")
    assert door.shown(contexts, "more.example.com") == "mx"


def test_a_name_that_moves_to_another_certificate_is_shown_by_that(door):
    door.put("one", "mx.example.com", "sms.example.net")
    door.put("two", "other.example")
    contexts = door.open("one", "two")
    assert door.shown(contexts, "sms.example.net") == "one"
    door.put("one", "mx.example.com")
    door.put("two", "sms.example.net")
    assert door.shown(contexts, "sms.example.net") == "two"


def test_who_is_told_to_read_again_reads_files_that_look_unchanged(door):
    door.put("mx", "mx.example.com")
    contexts = door.open("mx")
    before = contexts.current()
    contexts.reload()
    assert contexts.current() is not before


def test_no_name_opens_a_way_around_the_certificate_that_clients_need(door):
    authority, stranger = make_authority(), make_authority("Stranger")
    (door.folder / "ca.pem").write_bytes(authority.pem)
    door.put("mx", "mx.example.com")
    door.put("sms", "sms.example.net")
    contexts = door.open(
        "mx", "sms", client_certificate=CertificateRequest.REQUIRE, client_ca_file=door.folder / "ca.pem"
    )
    known, unknown = (
        issue(signer, names=("client.example",)).write(door.folder, name)
        for signer, name in ((authority, "known"), (stranger, "unknown"))
    )
    for name in ("mx.example.com", "sms.example.net", None):
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        for without in (True, False):
            if not without:
                client.load_cert_chain(*unknown)
            with pytest.raises(ssl.SSLError):
                shake(client, contexts.current(), name)
        client.load_cert_chain(*known)
        assert shake(client, contexts.current(), name)[1].getpeercert()


def test_clients_that_speak_only_what_is_broken_are_turned_away(door):
    door.put("mx", "mx.example.com", rsa_bits=2048)
    door.put("sms", "sms.example.net", rsa_bits=2048)
    contexts = door.open("mx", "sms")
    for name in ("mx.example.com", "sms.example.net"):
        for ciphers in ("AES128-SHA256", "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"):
            with pytest.raises(ssl.SSLError):
                shake(by_cipher(ciphers), contexts.current(), name)


def test_sessions_end_with_the_authorities_that_let_them_begin(door):
    authority, other = make_authority(), make_authority("Other")
    (door.folder / "ca.pem").write_bytes(authority.pem)
    door.put("mx", "mx.example.com")
    contexts = door.open("mx", client_certificate=CertificateRequest.REQUIRE, client_ca_file=door.folder / "ca.pem")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.load_cert_chain(*issue(authority, names=("client.example",)).write(door.folder, "client"))
    session = shake(client, contexts.current())[0].session
    assert shake(client, contexts.current(), session=session)[0].session_reused
    (door.folder / "ca.pem").write_bytes(other.pem)
    with pytest.raises(ssl.SSLError):
        shake(client, contexts.current(), session=session)


FORMS = {
    "text before it": (lambda pem: b"Certificate:\n    Data:\n" + pem, ""),
    "Windows' lines and mark": (lambda pem: b"\xef\xbb\xbf" + pem.replace(b"\n", b"\r\n"), ""),
    "UTF-16": (lambda pem: pem.decode().encode("utf-16"), "mx.pem holds no certificate in PEM"),
    "another certificate first": (lambda pem: make_authority().pem + pem, "belongs to another certificate than the first"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_file_is_read_in_the_forms_that_tools_write_or_its_fault_is_named(door, form):
    change, fault = FORMS[form]
    door.put("mx", "mx.example.com")
    door.put("other", "other.example")
    file = door.folder / "mx.pem"
    file.write_bytes(change(file.read_bytes()))
    if fault:
        with pytest.raises(ContextError, match=fault):
            door.open("other", "mx")
    else:
        assert door.shown(door.open("other", "mx"), "mx.example.com") == "mx"


def test_an_encrypted_key_is_named_with_what_to_do(door):
    door.put("mx", "mx.example.com")
    secret = door.of["mx"].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (door.folder / "mx.key").write_bytes(secret)
    with pytest.raises(ContextError, match=r"mx\.key is encrypted: store it without a passphrase"):
        door.open("mx")


def test_a_server_name_that_is_none_ends_the_handshake_in_one_line_of_the_log(door, monkeypatch):
    door.put("mx", "mx.example.com")
    door.put("sms", "sms.example.net")
    monkeypatch.setattr(sys, "unraisablehook", log_unraisable)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ANYBODY.wrap_bio(to_client, to_server, server_hostname="abcdef.example").do_handshake()
    hello = ssl.MemoryBIO()
    hello.write(to_server.read().replace(b"abcdef", b"ab\xff\r\n\xfe"))
    with capture_logs() as logged, pytest.raises(ssl.SSLError):
        door.open("mx", "sms").current().wrap_bio(hello, to_client, server_side=True).do_handshake()
    assert [line["event"] for line in logged] == ["unraisable"]
    assert "\n" not in logged[0]["cause"]
