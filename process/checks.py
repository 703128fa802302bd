"""What would keep the gateway from starting or from working, found by the builders that its start calls.

Nothing is started, bound for longer than a moment, or written. Not here: the file's own errors (config), what settings
contradict (gateway.config_lint).
"""

import errno
import os
import re
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from config.carriers import CarrierKind
from config.field_types import HostPort
from config.model import Config
from process.carriers import build_clients
from process.clock import SystemClock
from process.contexts import ListenerContexts
from process.signers import UnusableKeyError, load_signers
from process.surroundings import look_around
from tls.acme import check_available
from tls.contexts import ClientCertificate, ClientContexts, ClientRole, ContextError

_BY_THIS_USER = "by this user: «sudo -u mail2sms mail2sms check» checks as the service"
_UNUSABLE = (UnusableKeyError, ContextError, OSError, ValueError)


def find_unusable(config: Config, *, is_served: bool) -> Iterator[tuple[str, str]]:
    """Yield where what is unusable stands, as table and name, and why; ports of a gateway that serves are its own."""
    for _, said in _tried("", partial(load_signers, config)):
        yield re.split("[,:]", said)[0], said
    contexts = ListenerContexts(config)
    for table, _, one in config.doors():
        where = f"[[{table}]] {one.name}"
        yield from _tried(where, partial(contexts.make, one.asked_tls))
        if not is_served:
            yield from _tried(where, partial(_try_port, one.address))
    for carrier in config.carriers:
        if carrier.kind is not CarrierKind.SANDBOX:
            where = f"[[carrier]] {carrier.name}"
            yield from _tried(where, partial(build_clients, [carrier], {}, SystemClock()))
    if config.acme_file is not None:
        yield from _tried("[acme]", check_available)
    yield from _of_mail_out(config)
    yield from _tried("[server] data_dir", partial(_check_folder, config.server.data_dir))
    kept = config.server.sqlite_file
    if kept is not None:
        yield from _tried("[server] database", partial(_check_database, kept))


def find_doubtful(config: Config, *, is_served: bool) -> Iterator[str]:
    """Yield what keeps no gateway from starting, though part of it won't work: an ended certificate, a taken port."""
    if not config.http and not is_served:
        for http in config.http_listeners:
            for _, said in _tried("", partial(_try_port, http.address)):
                yield f"HTTP would not be served to this machine: {said}; name another address in [[http]]"
    now = datetime.now(UTC)
    for name, file, ends in look_around(config, "").certificates:
        if ends < now:
            yield f"{name}: the certificate in {file} ended at {ends:%Y-%m-%d %H:%M} UTC, and is refused: renew it"


def _of_mail_out(config: Config) -> Iterator[tuple[str, str]]:
    contexts = ClientContexts()
    for route in config.mail.routes:
        if route.certificate_file is not None and route.key_file is not None:
            certificate = ClientCertificate(certificate_file=route.certificate_file, key_file=route.key_file)
            role = ClientRole(verify=False, certificate=certificate)
            yield from _tried(f"[[mail.route]] {route.domain}", partial(contexts.get, role))
    for rule in config.mail.tls_policies:
        if rule.ca_file is not None:
            role = ClientRole(verify=True, ca_file=rule.ca_file)
            yield from _tried(f"[[mail.tls]] {rule.domain}", partial(contexts.get, role))
    if config.push.ca_file is not None:
        role = ClientRole(verify=True, check_hostname=True, ca_file=config.push.ca_file)
        yield from _tried("[push] ca_file", partial(contexts.get, role))


def _tried(where: str, build: Callable[[], object]) -> Iterator[tuple[str, str]]:
    try:
        build()
    except _UNUSABLE as error:
        said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        yield where, said


def _try_port(address: HostPort) -> None:
    """Bind a listener's port for a moment. Raises OSError where serving could not."""
    for family, kind, number, _, target in socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        with socket.socket(family, kind, number) as door:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                door.bind(target)
            except OSError as error:
                if error.errno != errno.EACCES:  # a service may have a right that who checks has not
                    raise OSError(f"{address} can't be listened at: {error.strerror}") from None


def _check_folder(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"{folder} can't be written {_BY_THIS_USER}")


def _check_database(file: Path) -> None:
    """Raise ValueError where a SQLite file can't be made or written."""
    if not file.parent.is_dir():
        raise ValueError(f"{file.parent} is no folder: make it, or name another file")
    _check_folder(file.parent)
    if file.exists() and not os.access(file, os.R_OK | os.W_OK):
        raise ValueError(f"{file} can't be written {_BY_THIS_USER}")
