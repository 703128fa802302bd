"""The TLS of the operator's listeners; `check` tries it without loading what serves them."""

from config.model import ListenerOptions
from tls.contexts import ListenerCertificate, ReloadedContext, reloaded_server_context
from tls.listening import TlsMode


def server_contexts(options: ListenerOptions) -> ReloadedContext | None:
    """Return the TLS of a listener, None where it has none. Raises ContextError for a file that can't be used."""
    if options.tls is TlsMode.OFF or options.certificate_file is None or options.key_file is None:
        return None
    return reloaded_server_context(
        ListenerCertificate(
            certificate_file=options.certificate_file,
            key_file=options.key_file,
            client_certificate=options.client_certificate,
            client_ca_file=options.client_ca_file,
        )
    )
