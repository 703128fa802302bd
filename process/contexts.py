"""The TLS of the operator's listeners, whatever they speak; `check` tries it without loading what serves them."""

from dataclasses import replace

from config.model import Config
from tls.listening import ListenerTls, ServerCertificate
from tls.server_contexts import ServerContexts


class ListenerContexts:
    """Makes the contexts of each listener, and reads all their files again when told."""

    def __init__(self, config: Config) -> None:
        shared = [each.certificate for each in config.certificates]
        if config.acme_file is not None and config.acme_file.exists():
            shared.append(ServerCertificate(certificate_file=config.acme_file, key_file=config.acme_file))
        self._shared = tuple(shared)
        self._made: list[ServerContexts] = []

    def make(self, asked: ListenerTls | None) -> ServerContexts | None:
        """Return the contexts of a listener, None where it speaks no TLS or waits for its first certificate of [acme].

        Raises ContextError for a file that can't be used.
        """
        certificates = (*asked.certificates, *self._shared) if asked is not None else ()
        if asked is None or not certificates:
            return None
        made = ServerContexts(replace(asked, certificates=tuple(dict.fromkeys(certificates))))
        self._made.append(made)
        return made

    def reload(self) -> None:
        """Read the files of all listeners again; what can't be used stays as it was, and is logged."""
        for contexts in self._made:
            contexts.reload()
