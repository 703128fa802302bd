"""Reads an LDAP directory with ldap3, page by page, and never half: the only file that knows the library.

ldap3 carries TLS, the bind and BER. The loop over the pages is ours, because the library ends quietly where a page
says sizeLimitExceeded, timeLimitExceeded or referral, and takes a missing control for the last page. Entries are
converted by us, because the library looks up its configuration for every value. Not here: the process it runs in.
Standards: RFC 4511 (LDAP), RFC 4513 (bind, StartTLS), RFC 2696 (paging), RFC 4530 (entryUUID).
"""

import base64
import hashlib
import ssl
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from math import ceil
from pathlib import Path
from typing import Any, Final, Self

import ldap3
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ldap3.core.exceptions import (
    LDAPBindError,
    LDAPException,
    LDAPInvalidFilterError,
    LDAPSessionTerminatedByServerError,
    LDAPSocketReceiveError,
    LDAPStartTLSError,
)
from ldap3.strategy import base as _strategy

from addressbook.sources import BindMethod, LdapSource, LdapTls, SourceKind
from dirsync.controls import PAGED_RESULTS, NotBer, paged_cookie, paged_request
from dirsync.source import Answer, Found, LdapEntry, ReadFault, ReadFaultCode, SearchRequest

ANCHORS: Final[Mapping[SourceKind, str]] = {SourceKind.OPENLDAP: "entryUUID", SourceKind.ACTIVE_DIRECTORY: "objectGUID"}
"""The attribute that stays with an entry whatever it is called and wherever it moves."""

_OCTET_STRING: Final = 4
_SUCCESS: Final = 0
_TIME_LIMIT, _SIZE_LIMIT, _REFERRAL, _ADMIN_LIMIT, _NO_SUCH_OBJECT = 3, 4, 10, 11, 32
_PASSING: Final = frozenset({51, 52, 80})  # busy, unavailable, other (RFC 4511 §4.1.9)
_WHO_AM_I: Final = "1.3.6.1.4.1.4203.1.11.3"  # RFC 4532


def _entry_as_read(response: Any, *_: object) -> dict[str, Any]:
    """Return an entry without decoding any value; stands in for the library's own conversion of an entry."""
    return {
        "raw_dn": response[0][3],
        "attributes": {
            bytes(item[3][0][3]).decode("ascii", "replace").lower(): tuple(bytes(value[3]) for value in item[3][1][3])
            for item in response[1][3]
        },
    }


def use_own_conversion() -> bool:
    """Let ldap3 give entries as they are read, in a third of the time; False where this version has no such place."""
    if not hasattr(_strategy, "search_result_entry_response_to_dict_fast"):
        return False
    _strategy.search_result_entry_response_to_dict_fast = _entry_as_read
    return True


class LdapReader:
    """One connection to a directory, for one reading. Use as a context manager; entering binds."""

    def __init__(self, source: LdapSource, kind: SourceKind, attributes: Sequence[str]) -> None:
        self._source = source
        self._kind = kind
        self._anchor = ANCHORS[kind]
        self._attributes = tuple(attributes)
        self._began = time.monotonic()
        self.entries = 0
        self._connection = self._prepared()

    def __enter__(self) -> Self:
        self._bind()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(LDAPException, OSError):
            self._connection.unbind()

    def read_all(self, *, most: int = 0) -> Iterator[list[LdapEntry]]:
        """Yield the entries of each page; only once it ends without a ReadFault they are all of them.

        With `most` it ends after so many entries, and they are a sample.
        """
        source = self._source
        everybody = SearchRequest(base=source.base, filter=source.filter, attributes=self._attributes)
        for page in self.search(everybody):
            self.entries += len(page)
            yield page
            if most and self.entries >= most:
                return

    def search(self, request: SearchRequest) -> Iterator[list[LdapEntry]]:
        """Yield the entries of each page of an answer, with their anchors; raises ReadFault where it is not whole."""
        cookie, seen_cookies = b"", set[bytes]()
        attributes = (*request.attributes, self._anchor)
        while True:
            paged = (PAGED_RESULTS, True, paged_request(self._source.page_size, cookie))
            self._send(replace(request, attributes=attributes, controls=(*request.controls, paged)))
            self._check_result(request.base)
            page = self._entries_of(self._connection.response or ())
            yield page
            cookie = self._next_cookie()
            if not cookie:
                return
            if cookie in seen_cookies and not page:  # some servers never clear it
                raise ReadFault(ReadFaultCode.COOKIE_REPEATS, entries=self.entries)
            seen_cookies.add(cookie)

    def ask(self, request: SearchRequest) -> Answer:
        """Return the answer to one search that is not paged, whatever its result is."""
        self._send(request)
        result, response = self._connection.result, self._connection.response or ()
        return Answer(
            code=int(result["result"]),
            said=_said(result),
            found=tuple(
                Found(dn=_dn_of(item), attributes=item["attributes"], controls=_controls_of(item))
                for item in response
                if item["type"] == "searchResEntry"
            ),
            messages=tuple(
                (str(item.get("responseName") or ""), bytes(item.get("responseValue") or b""))
                for item in response
                if item["type"] == "intermediateResponse"
            ),
            controls=_controls_of(result),
        )

    def _prepared(self) -> ldap3.Connection:
        source = self._source
        if source.tls is LdapTls.LOOPBACK_ONLY and not _is_loopback(source.host):
            raise ReadFault(ReadFaultCode.CLEAR_TEXT, host=source.host)
        tls = None if source.tls is LdapTls.LOOPBACK_ONLY else _tls_of(source)
        server = ldap3.Server(
            source.host,
            source.port,
            use_ssl=source.tls is LdapTls.LDAPS,
            tls=tls,
            get_info=ldap3.NONE,
            connect_timeout=min(source.answer_seconds, 15),
        )
        external = source.bind is BindMethod.EXTERNAL
        connection = ldap3.Connection(
            server,
            user=None if external else source.bind_dn,
            password=None if external else _secret(source.password_file),
            authentication=ldap3.SASL if external else ldap3.SIMPLE,
            sasl_mechanism=ldap3.EXTERNAL if external else None,
            sasl_credentials="" if external else None,
            auto_bind=ldap3.AUTO_BIND_NONE,
            auto_referrals=False,  # it would show our password to another host
            raise_exceptions=False,
            check_names=False,
            return_empty_attributes=False,
            read_only=True,
            receive_timeout=ceil(source.answer_seconds),
        )
        use_own_conversion()
        connection.strategy.decode_control_fast = _control_as_read
        return connection

    def _bind(self) -> None:
        source, connection = self._source, self._connection
        try:
            connection.open(read_server_info=False)
            if source.tls is LdapTls.STARTTLS and not connection.start_tls(read_server_info=False):
                raise ReadFault(ReadFaultCode.STARTTLS_REFUSED, host=source.host, result=_said(connection.result))
            self._check_pins()
            if not connection.bind(read_server_info=False):
                raise ReadFault(
                    ReadFaultCode.BIND_REFUSED, name=source.bind_dn or "EXTERNAL", result=_said(connection.result)
                )
        except LDAPBindError as error:
            raise ReadFault(ReadFaultCode.BIND_REFUSED, name=source.bind_dn or "EXTERNAL", result=str(error)) from error
        except LDAPStartTLSError as error:
            raise ReadFault(ReadFaultCode.STARTTLS_REFUSED, host=source.host, result=str(error)) from error
        except (LDAPException, OSError) as error:
            cause = str(error)[:300]
            if "certificate" in cause.lower() or "ssl" in cause.lower() or isinstance(error, ssl.SSLError):
                raise ReadFault(ReadFaultCode.TLS_FAILED, host=source.host, cause=cause) from error
            raise ReadFault(ReadFaultCode.UNREACHABLE, is_passing=True, host=source.host, cause=cause) from error

    def _check_pins(self) -> None:
        """Raise ReadFault unless the server's key is among the pins, where there are any."""
        if not self._source.pins or self._source.tls is LdapTls.LOOPBACK_ONLY:
            return
        certificate = x509.load_der_x509_certificate(self._connection.socket.getpeercert(binary_form=True))
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        found = base64.b64encode(hashlib.sha256(key).digest()).decode("ascii")
        if found not in self._source.pins:
            raise ReadFault(ReadFaultCode.PIN_MISMATCH, host=self._source.host, found=found)

    def _send(self, request: SearchRequest) -> None:
        self._watch_deadline()
        source, connection = self._source, self._connection
        try:
            connection.search(
                request.base,
                request.filter,
                request.scope.value,
                ldap3.DEREF_NEVER,
                attributes=list(request.attributes),
                size_limit=request.most,
                controls=list(request.controls) or None,
            )
        except LDAPInvalidFilterError as error:
            raise ReadFault(ReadFaultCode.BAD_FILTER, filter=request.filter, cause=str(error)) from error
        except LDAPSessionTerminatedByServerError as error:
            raise ReadFault(ReadFaultCode.CUT, is_passing=True, entries=self.entries, cause=str(error)[:200]) from error
        except LDAPSocketReceiveError as error:
            if "timed out" in str(error) or "timeout" in str(error):
                raise ReadFault(
                    ReadFaultCode.SILENT, is_passing=True, entries=self.entries, seconds=int(source.answer_seconds)
                ) from error
            raise ReadFault(ReadFaultCode.CUT, is_passing=True, entries=self.entries, cause=str(error)[:200]) from error
        except (LDAPException, OSError) as error:
            raise ReadFault(ReadFaultCode.CUT, is_passing=True, entries=self.entries, cause=str(error)[:200]) from error

    def _check_result(self, base: str) -> None:
        result = self._connection.result
        code, entries = int(result["result"]), self.entries
        if code == _SUCCESS:
            return
        if code == _NO_SUCH_OBJECT:
            raise ReadFault(ReadFaultCode.NO_BASE, base=base)
        if code == _SIZE_LIMIT:
            raise ReadFault(ReadFaultCode.SIZE_LIMIT, entries=entries)
        if code == _TIME_LIMIT:
            raise ReadFault(ReadFaultCode.TIME_LIMIT, is_passing=True, entries=entries)
        if code == _ADMIN_LIMIT:
            raise ReadFault(ReadFaultCode.ADMIN_LIMIT, entries=entries, page_size=self._source.page_size)
        if code == _REFERRAL:
            raise ReadFault(ReadFaultCode.REFERRAL, uri=" ".join(result.get("referrals") or ()) or "an unnamed one")
        if code in _PASSING:
            raise ReadFault(ReadFaultCode.BUSY, is_passing=True, result=_said(result), entries=entries)
        raise ReadFault(ReadFaultCode.OTHER, result=_said(result), entries=entries)

    def _entries_of(self, response: Sequence[Mapping[str, Any]]) -> list[LdapEntry]:
        entries = []
        for item in response:
            if item["type"] == "searchResRef":
                foreign = [uri for uri in item["uri"] if uri not in self._source.ignored_referrals]
                if foreign:
                    raise ReadFault(ReadFaultCode.REFERRAL, uri=foreign[0])
            elif item["type"] == "searchResEntry":
                entries.append(self._entry_of(item))
        return entries

    def _entry_of(self, item: Mapping[str, Any]) -> LdapEntry:
        dn = _dn_of(item)
        attributes = dict(item["attributes"])
        values = attributes.pop(self._anchor.lower(), ())
        anchor = _anchor_of(values[0], self._kind) if len(values) == 1 else ""
        if not anchor:
            raise ReadFault(ReadFaultCode.NO_ANCHOR, dn=dn, attribute=self._anchor)
        return LdapEntry(dn=dn, anchor=anchor, attributes=attributes)

    def _next_cookie(self) -> bytes:
        value = _controls_of(self._connection.result).get(PAGED_RESULTS)
        if value is None:  # the criticality was not honoured: nobody knows whether that was all
            raise ReadFault(ReadFaultCode.NO_PAGING, entries=self.entries)
        try:
            return paged_cookie(value)
        except NotBer as error:
            raise ReadFault(ReadFaultCode.CUT, is_passing=True, entries=self.entries, cause=str(error)) from error

    def _watch_deadline(self) -> None:
        seconds = self._source.deadline_seconds
        if time.monotonic() - self._began > seconds:
            raise ReadFault(ReadFaultCode.TOO_LONG, is_passing=True, entries=self.entries, seconds=int(seconds))


def _tls_of(source: LdapSource) -> ldap3.Tls:
    for file in (source.ca_file, source.certificate_file, source.key_file):
        if file:
            _readable(file)
    return ldap3.Tls(
        validate=ssl.CERT_REQUIRED,
        version=ssl.PROTOCOL_TLS_CLIENT,
        ca_certs_file=source.ca_file or None,
        local_certificate_file=source.certificate_file or None,
        local_private_key_file=source.key_file or None,
    )


def _readable(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ReadFault(ReadFaultCode.FILE_UNREADABLE, file=file, cause=str(error.strerror)) from error


def _control_as_read(control: Any, *_: object) -> tuple[str, bytes]:
    """Return the OID and the value of a control; stands in for the library's own reading of the few that it knows."""
    value = next((part[3] for part in control[1:] if part[2] == _OCTET_STRING), b"")
    return bytes(control[0][3]).decode("ascii", "replace"), bytes(value)


def _controls_of(item: Mapping[str, Any]) -> Mapping[str, bytes]:
    return item.get("controls") or {}


def _dn_of(item: Mapping[str, Any]) -> str:
    return bytes(item["raw_dn"]).decode("utf-8", "replace")


def _secret(file: str) -> str:
    """Return the password in a file, without its last line end; an empty one would bind as nobody (RFC 4513 §5.1.2)."""
    secret = _readable(file).decode("utf-8", "replace").rstrip("\r\n") if file else ""
    if not secret:
        raise ReadFault(ReadFaultCode.BOUND_AS_NOBODY, name=file or "no password_file")
    return secret


def _anchor_of(value: bytes, kind: SourceKind) -> str:
    """Return a UUID in lower-case text: RFC 4530 has it as text, Microsoft as 16 octets, half of them little-endian."""
    try:
        if kind is SourceKind.ACTIVE_DIRECTORY:
            return str(uuid.UUID(bytes_le=value))
        return str(uuid.UUID(value.decode("ascii")))
    except (ValueError, UnicodeDecodeError):
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _said(result: Mapping[str, Any] | None) -> str:
    result = result or {}
    said = " ".join(str(result.get(name) or "") for name in ("description", "message"))
    return f"{result.get('result', '')} {said}".strip()[:300]
