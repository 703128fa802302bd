"""Makes the connection to a directory safe, or says why it is not: by authorities, by pinned keys, or by both.

A pin is what a TLSA record says without DNS, and is judged as one: the key of the server itself is enough, that of an
authority needs a chain, dates and the name (RFC 7671 §5.1, §5.2). Several pins allow a change of key. Not here: whether
a connection may be in clear (ldap_connection), building contexts (tls.contexts).
"""

import base64
import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from addressbook.sources import LdapSource
from dirsync.source import ReadFault, ReadFaultCode
from tls.contexts import ClientCertificate, ClientContexts, ContextError, read_peer, verified_peer_role
from tls.dane import find_dane_fault
from tls.policy import Tlsa

_USAGES: Final = (3, 2)  # the server's own key, an authority's (RFC 7671 §5)
_PUBLIC_KEY, _SHA_256 = 1, 1


def secure(plain: socket.socket, source: LdapSource) -> ssl.SSLSocket:
    """Return the connection with TLS, its peer proven; raises ReadFault with the reason."""
    try:
        context = _context_of(source)
        connection = context.wrap_socket(plain, server_hostname=source.host)
    except ContextError as error:
        raise _fault(source, str(error)) from error
    except ssl.SSLCertVerificationError as error:
        raise _fault(source, error.verify_message) from error
    except (OSError, ValueError) as error:  # a peer that speaks no TLS is silent, or gone, or says something else
        cause = (getattr(error, "reason", "") or str(error)).lower().replace("_", " ")
        raise _fault(source, cause, is_passing=isinstance(error, TimeoutError | ConnectionError)) from error
    if source.pins:
        _check_pins(connection, context, source)
    return connection


def _context_of(source: LdapSource) -> ssl.SSLContext:
    certificate = None
    if source.certificate_file:
        certificate = ClientCertificate(certificate_file=Path(source.certificate_file), key_file=Path(source.key_file))
    role = verified_peer_role(Path(source.ca_file) if source.ca_file else None, certificate)
    if source.pins and not source.ca_file:
        role = replace(role, verify=False, check_hostname=False)  # the pins alone say who it is
    return ClientContexts().get(role)


def _check_pins(connection: ssl.SSLSocket, context: ssl.SSLContext, source: LdapSource) -> None:
    shown = read_peer(connection)
    assert shown is not None, "a TLS server shows a certificate"
    records = [
        Tlsa(usage=usage, selector=_PUBLIC_KEY, matching=_SHA_256, data=_digest(pin))
        for pin in source.pins
        for usage in _USAGES
    ]
    chain = (*shown.chain, *context.get_ca_certs(binary_form=True))  # many servers leave the root out
    if find_dane_fault(records, chain, shown.names, (source.host,), datetime.now(UTC)):
        connection.close()
        found = base64.b64encode(bytes.fromhex(shown.public_key)).decode("ascii")
        raise ReadFault(ReadFaultCode.PIN_MISMATCH, host=source.host, found=found)


def _digest(pin: str) -> bytes:
    try:
        return base64.b64decode(pin, validate=True)
    except ValueError:
        return b""  # it matches nothing


def _fault(source: LdapSource, cause: str, *, is_passing: bool = False) -> ReadFault:
    return ReadFault(ReadFaultCode.TLS_FAILED, is_passing=is_passing, host=source.host, cause=cause[:300])
