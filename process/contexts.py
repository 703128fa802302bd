"""The TLS of the operator's listeners; `check` tries it without loading what serves them."""

from config.model import ClientCertificate, ListenerOptions, ListenerTls
from tls.contexts import ClientCertificates, ListenerCertificate, ServerContexts


def server_contexts(options: ListenerOptions) -> ServerContexts | None:
    """Return the TLS of a listener, None where it has none. Raises ContextError for a file that can't be used."""
    if options.tls is ListenerTls.OFF or options.certificate_file is None or options.key_file is None:
        return None
    asked = {
        ClientCertificate.NONE: ClientCertificates.NONE,
        ClientCertificate.REQUEST: ClientCertificates.REQUEST,
        ClientCertificate.REQUIRE: ClientCertificates.REQUIRE,
    }
    return ServerContexts(
        ListenerCertificate(
            certificate_file=options.certificate_file,
            key_file=options.key_file,
            client_certificates=asked[options.client_certificate],
            client_ca_file=options.client_ca_file,
        )
    )
