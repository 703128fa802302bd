"""The TLS of the operator's listeners, whatever they speak; `check` tries it without loading what serves them."""

from dataclasses import replace

from config.model import Config
from tls.listening import ListenerTls
from tls.server_contexts import ServerContexts


class ListenerContexts:
    """Makes the contexts of each listener, and reads all their files again when told."""

    def __init__(self, config: Config) -> None:
        self._shared = tuple(each.certificate for each in config.certificates)
        self._made: list[ServerContexts] = []

    def make(self, asked: ListenerTls | None) -> ServerContexts | None:
        """Return the contexts of a listener, None where it speaks no TLS.

        Raises ContextError for a file that can't be used.
        """
        if asked is None:
            return None
        made = ServerContexts(replace(asked, certificates=tuple(dict.fromkeys((*asked.certificates, *self._shared)))))
        self._made.append(made)
        return made

    def reload(self) -> None:
        """Read the files of all listeners again; what can't be used stays as it was, and is logged."""
        for contexts in self._made:
            contexts.reload()
