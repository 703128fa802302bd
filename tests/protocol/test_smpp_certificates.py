"""Certificates towards carriers that are renewed while the gateway runs: each new link has those of the files as they are."""

import ssl

import pytest
import structlog
import trustme
from cryptography import x509

from smpp.simulator.script import Script
from tests.kit.smpp import Listener, account_of, carrier, client_of
from tls.contexts import ClientCertificate, ContextError, reloaded_client_context, verified_peer_role


class Files:
    """Our certificate, its key and the authorities of the carrier, in files as an operator keeps them."""

    def __init__(self, folder, authority: trustme.CA) -> None:
        self.certificate, self.key, self.authorities = (folder / name for name in ("own.pem", "own.key", "ca.pem"))
        self.role = verified_peer_role(
            self.authorities, ClientCertificate(certificate_file=self.certificate, key_file=self.key)
        )
        authority.cert_pem.write_to_path(self.authorities)
        self.renew(authority)

    def renew(self, authority: trustme.CA) -> int:
        """Write a new certificate with its key and return its serial number."""
        issued = authority.issue_cert("gateway.example.com")
        issued.private_key_pem.write_to_path(self.key)
        issued.cert_chain_pems[0].write_to_path(self.certificate)
        return x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes()).serial_number


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def server_context(authority: trustme.CA, clients: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    clients.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def serials(simulator) -> list[int]:
    """Return the serial numbers of the certificates that the carrier was shown on its links."""
    shown = [line._transport.get_extra_info("peercert") for line in simulator.lines if line.session.was_bound]
    return [int(certificate["serialNumber"], 16) for certificate in shown]


async def bound_anew(simulator, client, listener) -> list[int]:
    """Cut the link, wait for the next one, and return what was shown on it."""
    simulator.cut_links()
    await listener.until(lambda: client.free_window() == 0)
    await listener.until(lambda: client.free_window() > 0)
    return serials(simulator)


async def test_the_next_link_shows_the_renewed_certificate_and_a_broken_one_leaves_the_last_good_in_use(
    tmp_path, authority
):
    files = Files(tmp_path, authority)
    listener = Listener()
    tls = reloaded_client_context(files.role, carrier="alpha")
    async with carrier(Script(), tls=server_context(authority, authority)) as simulator:
        account = account_of(simulator, tls=tls.current, server_hostname="localhost")
        async with client_of(account, listener) as client:
            await listener.until(lambda: client.free_window() > 0)
            first = serials(simulator)

            second = files.renew(authority)
            assert serials(simulator) == first  # a link that runs keeps what it began with
            with structlog.testing.capture_logs() as logs:
                assert await bound_anew(simulator, client, listener) == [second] != first
            assert [line["carrier"] for line in logs if line["event"] == "certificate_reloaded"] == ["alpha"]

            files.certificate.write_text("no certificate\n")
            with structlog.testing.capture_logs() as logs:
                for _ in range(2):
                    assert await bound_anew(simulator, client, listener) == [second]
            (line,) = [line for line in logs if line["event"] == "certificate_unusable"]
            assert (line["carrier"], line["log_level"]) == ("alpha", "error")
            assert str(files.certificate) in line["fault"]

            third = files.renew(authority)
            assert await bound_anew(simulator, client, listener) == [third]


async def test_the_next_link_is_proven_by_the_authorities_of_the_file_as_it_is_then(tmp_path, authority):
    files = Files(tmp_path, authority)
    other = trustme.CA()
    tls = reloaded_client_context(files.role, carrier="alpha")
    async with carrier(Script(), tls=server_context(other, authority)) as simulator:
        account = account_of(simulator, tls=tls.current, server_hostname="localhost")
        listener = Listener()
        async with client_of(account, listener) as client:
            assert client.free_window() == 0
            other.cert_pem.write_to_path(files.authorities)
            await listener.until(lambda: client.free_window() > 0)
            files.authorities.unlink()
            assert len(await bound_anew(simulator, client, listener)) == 1


def test_files_that_cannot_be_used_at_the_start_are_told_at_the_start(tmp_path, authority):
    files = Files(tmp_path, authority)
    files.key.write_text("no key\n")
    with pytest.raises(ContextError, match=r"own\.key holds no private key"):
        reloaded_client_context(files.role, carrier="alpha")
