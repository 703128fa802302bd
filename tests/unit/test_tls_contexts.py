"""Contexts follow their files; certificates are described by what they really say."""

import hashlib
import ssl

import pytest

from tests.kit.handshakes import shake
from tests.kit.mail_servers import HOST, issue, make_authority, make_intermediate
from tls.contexts import (
    ClientCertificate,
    ClientContexts,
    ClientRole,
    ContextError,
    describe_certificate,
    read_peer,
    role_of,
    verified_peer_role,
)
from tls.listening import CertificateRequest, ListenerTls, ServerCertificate
from tls.policy import PolicyEntry, PolicyTable, TlsLevel, TlsPolicy, TlsVersion, decide_policy
from tls.selfsigned import make_self_signed
from tls.server_contexts import ServerContexts, build_server_context


def listener(folder, identity, **more) -> ListenerTls:
    certificate_file, key_file = identity.write(folder)
    return ListenerTls(certificates=(ServerCertificate(certificate_file=certificate_file, key_file=key_file),), **more)


def test_a_listener_shows_a_new_certificate_to_new_connections_without_a_restart(tmp_path):
    first, second = issue(), issue()
    contexts = ServerContexts(listener(tmp_path, first))
    client = ClientContexts().get(ClientRole(verify=False))
    old = contexts.current()
    assert contexts.current() is old
    second.write(tmp_path)
    fresh = contexts.current()
    assert fresh is not old
    assert shake(client, old)[0].getpeercert(True) == first.der
    assert shake(client, fresh)[0].getpeercert(True) == second.der


@pytest.mark.parametrize("damage", ["truncated key", "other key", "no certificate", "gone"])
def test_a_broken_new_certificate_keeps_the_old_one_until_it_is_mended(damage, tmp_path):
    first, second = issue(), issue()
    tls = listener(tmp_path, first)
    (files,) = tls.certificates
    contexts = ServerContexts(tls)
    old = contexts.current()
    if damage == "truncated key":
        files.key_file.write_text("-----BEGIN PRIVATE KEY-----\nMIG")
    elif damage == "other key":
        files.key_file.write_bytes(second.write(tmp_path / "other")[1].read_bytes())
    elif damage == "no certificate":
        files.certificate_file.write_text("")
    else:
        files.certificate_file.unlink()
    assert contexts.current() is old
    assert contexts.current() is old
    second.write(tmp_path)
    assert shake(ClientContexts().get(ClientRole(verify=False)), contexts.current())[0].getpeercert(True) == second.der


def test_a_listener_that_cannot_begin_says_which_file_and_why(tmp_path):
    tls = listener(tmp_path, issue())
    tls.certificates[0].key_file.write_text("no key")
    with pytest.raises(ContextError, match=r"peer\.key holds no private key in PEM"):
        ServerContexts(tls)


def test_a_listener_may_ask_for_client_certificates(tmp_path):
    authority = make_authority()
    own = issue(authority, names=("client.example",))
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.pem)
    certificate_file, key_file = own.write(tmp_path, "own")
    role = ClientRole(verify=False, certificate=ClientCertificate(certificate_file=certificate_file, key_file=key_file))
    files = listener(tmp_path, issue(), client_certificate=CertificateRequest.REQUIRE, client_ca_file=ca_file)
    context = build_server_context(files)
    assert context.verify_mode is ssl.CERT_REQUIRED
    client, server = shake(ClientContexts().get(role), context)
    client.write(b"x")
    described = read_peer(server)
    assert described is not None
    assert described.names == ("client.example",)


def test_client_contexts_are_kept_until_their_files_change_and_fail_when_those_turn_bad(tmp_path):
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(make_authority().pem)
    contexts, role = ClientContexts(), ClientRole(verify=True, ca_file=ca_file)
    first = contexts.get(role)
    assert contexts.get(role) is first
    ca_file.write_bytes(make_authority("Next").pem)
    assert contexts.get(role) is not first
    for broken in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        ca_file.write_bytes(broken)
        with pytest.raises(ContextError):
            contexts.get(role)
    ca_file.unlink()
    with pytest.raises(ContextError):
        contexts.get(role)


def test_no_client_context_ever_judges_by_common_name_or_takes_old_versions():
    contexts = ClientContexts()
    for role in (ClientRole(verify=False), ClientRole(verify=True), verified_peer_role()):
        context = contexts.get(role)
        assert not context.hostname_checks_common_name
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_COMPRESSION
    assert contexts.get(verified_peer_role()).check_hostname


def test_a_carrier_is_proven_whatever_its_old_software_needs():
    contexts = ClientContexts()
    modern = contexts.get(verified_peer_role())
    assert {cipher["name"] for cipher in modern.get_ciphers() if cipher["protocol"] == "TLSv1.2"} <= {
        cipher["name"] for cipher in modern.get_ciphers() if cipher["aead"]
    }
    old = contexts.get(verified_peer_role(minimum_version=TlsVersion.TLS_1_0))
    assert old.minimum_version == ssl.TLSVersion.MINIMUM_SUPPORTED
    named = contexts.get(verified_peer_role(ciphers="AES128-SHA256"))
    assert "AES128-SHA256" in {cipher["name"] for cipher in named.get_ciphers()}
    for context in (modern, old, named):
        assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


ROLES = [
    (TlsLevel.MAY, False, ""),
    (TlsLevel.ENCRYPT, False, "ECDHE+AESGCM:ECDHE+CHACHA20"),
    (TlsLevel.SECURE, True, "ECDHE+AESGCM:ECDHE+CHACHA20"),
]


@pytest.mark.parametrize(("level", "verify", "ciphers"), ROLES)
def test_the_role_follows_the_demand(level, verify, ciphers):
    table = PolicyTable((PolicyEntry(policy=TlsPolicy(level=level)),))
    role = role_of(decide_policy("example.com", "", table, host=HOST))
    assert (role.verify, role.ciphers, role.ca_file) == (verify, ciphers, None)


def test_a_demand_may_name_versions_and_ciphers():
    policy = TlsPolicy(level=TlsLevel.ENCRYPT, minimum_version=TlsVersion.TLS_1_3, ciphers="ECDHE+AESGCM")
    role = role_of(decide_policy("example.com", "", PolicyTable((PolicyEntry(policy=policy),)), host=HOST))
    context = ClientContexts().get(role)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    with pytest.raises(ContextError, match="no cipher"):
        ClientContexts().get(ClientRole(verify=False, ciphers="NOTHING"))


def test_a_certificate_is_described_by_its_digests_and_dns_names():
    identity = issue(names=("a.example", "*.b.example"), addresses=("192.0.2.1",), common_name="cn.example")
    described = describe_certificate(identity.der)
    assert described.names == ("a.example", "*.b.example")
    assert described.certificate == hashlib.sha256(identity.der).hexdigest()
    assert described.public_key == hashlib.sha256(identity.spki).hexdigest()


def test_bytes_that_are_no_certificate_have_no_names_and_no_key():
    described = describe_certificate(b"junk")
    assert (described.names, described.public_key) == ((), "")


def test_the_whole_presented_chain_can_be_read(tmp_path):
    leaf = issue(make_intermediate(make_authority()))
    client, _ = shake(ClientContexts().get(ClientRole(verify=False)), build_server_context(listener(tmp_path, leaf)))
    described = read_peer(client)
    assert described is not None
    assert described.chain[0] == leaf.der
    assert len(described.chain) == 3


def test_a_self_signed_certificate_is_good_for_its_name(tmp_path):
    made = make_self_signed("sandbox.example")
    certificate_file, key_file = made.write(tmp_path)
    assert key_file.stat().st_mode & 0o777 == 0o600
    shown = ServerCertificate(certificate_file=certificate_file, key_file=key_file)
    context = build_server_context(ListenerTls(certificates=(shown,)))
    trusting = ClientContexts().get(ClientRole(verify=True, ca_file=certificate_file, check_hostname=True))
    assert shake(trusting, context, "sandbox.example")[0].version() == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(trusting, context, "other.example")
