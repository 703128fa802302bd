"""What this machine is like for the gateway: its disk, and the certificates that it shows to others."""

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from config.model import Config
from gateway.admin.health import ListenerFacts, Surroundings


def look_around(config: Config, serving: str | None) -> Surroundings:
    """Return the listeners, the disk and the certificates of an operator's file; `serving` says who serves."""
    kept = config.server.sqlite_file
    folder = kept.parent if kept is not None else config.server.data_dir
    return Surroundings(
        serving=serving,
        folder=str(folder),
        free=shutil.disk_usage(folder).free,
        reserve=config.limits.disk_reserve,
        listeners=tuple(_listeners(config)),
        certificates=_ends_of(dict.fromkeys(_certificates(config))),
        unusable=tuple(_unusable(config)),
        renews=config.acme_file is not None,
    )


def _listeners(config: Config) -> Iterator[ListenerFacts]:
    """Yield where the gateway listens, in the order of the operator's file."""
    for one in config.listeners:
        yield ListenerFacts(name=one.name, speaks="SMTP", address=str(one.address), tls=one.tls.value)
    for http in config.http_listeners:
        speaks = f"HTTP ({', '.join(http.serves)})"
        yield ListenerFacts(name=http.name, speaks=speaks, address=str(http.address), tls=_at_once(tls=http.tls))
    for smpp in config.smpp_servers:
        yield ListenerFacts(name=smpp.name, speaks="SMPP", address=str(smpp.address), tls=_at_once(tls=smpp.tls))


def _at_once(*, tls: bool) -> str:
    return "implicit" if tls else "off"


def _certificates(config: Config) -> Iterator[tuple[str, Path]]:
    """Yield every certificate of ours, with whose it is."""
    for _, _, one in config.doors():
        if one.certificate_file is not None:
            yield one.name, one.certificate_file
    for each in config.certificates:
        yield each.certificate_file.stem, each.certificate_file
    for carrier in config.carriers:
        if carrier.certificate_file is not None:
            yield carrier.name, carrier.certificate_file
    for route in config.mail.routes:
        if route.certificate_file is not None:
            yield f"{route.host} (mail)", route.certificate_file


def _unusable(config: Config) -> Iterator[tuple[str, str]]:
    """Yield why files of listeners can't be used as they are now, each once."""
    if all(one.asked_tls is None for _, _, one in config.doors()):
        return
    from process.contexts import ListenerContexts  # noqa: PLC0415 - its library costs what few commands may cost
    from tls.contexts import ContextError  # noqa: PLC0415

    contexts, known = ListenerContexts(config), set()
    for _, _, one in config.doors():
        try:
            contexts.make(one.asked_tls)
        except ContextError as error:
            if str(error) not in known:
                yield one.name, str(error)
            known.add(str(error))


def _ends_of(certificates: dict[tuple[str, Path], None]) -> list[tuple[str, str, datetime]]:
    """Return when each ends that can be read."""
    if not certificates:
        return []
    from tls.certificate_end import certificate_end  # noqa: PLC0415 - its library costs what few commands may cost

    ends = ((name, str(file), certificate_end(file)) for name, file in certificates)
    return [(name, file, end) for name, file, end in ends if end is not None]
