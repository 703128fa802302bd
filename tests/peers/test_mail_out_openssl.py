"""Certificates that only the openssl program still makes: signed with digests that nobody should trust (case 29)."""

import subprocess
from pathlib import Path

import pytest

from sms.outcome import Done, Retry
from tests.kit.mail_servers import HOST, Identity, Peer, issue, make_deliverer, server_context, status_mail
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer
from tls.policy import TlsLevel


def sign_with(digest: str, authority: Identity, host: Identity, folder: Path) -> tuple[Path, Path]:
    program = find_program("openssl")
    require_peer("openssl (the program)", program)
    assert program is not None
    issuer, issuer_key = authority.write(folder, "authority")
    _, key = host.write(folder, "host")
    names, request, signed = folder / "names", folder / "request", folder / "signed.pem"
    names.write_text(f"subjectAltName=DNS:{HOST}\n")
    for command in (
        [program, "req", "-new", "-key", key, "-subj", "/CN=test", "-out", request],
        [program, "x509", "-req", f"-{digest}", "-days", "5", "-in", request, "-CA", issuer, "-CAkey", issuer_key,
         "-set_serial", "77", "-extfile", names, "-out", signed],
    ):  # fmt: skip
        subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=PATIENCE)
    return signed, key


@pytest.mark.parametrize(("digest", "delivered"), [("sha256", True), ("sha1", False), ("md5", False)])
async def test_case_29_a_certificate_signed_with_a_weak_digest_waits(digest, delivered, tmp_path):
    authority = issue(names=(), common_name="Root", authority=True, rsa_bits=2048)
    host = issue()
    signed, key = sign_with(digest, authority, host, tmp_path)
    context = server_context(host, tmp_path / "context")
    context.load_cert_chain(signed, key)
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority.pem)
    async with Peer(context) as peer:
        deliverer = make_deliverer(peer.port, TlsLevel.SECURE, ca_file=roots)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Done) is delivered
    if isinstance(attempt.outcome, Retry):
        assert "CA signature digest algorithm too weak" in attempt.outcome.problem.cause
    assert "MAIL" not in peer.verbs_in_clear
