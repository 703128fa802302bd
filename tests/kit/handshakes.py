"""TLS handshakes in memory, without a socket."""

import ssl

from tests.kit.mail_servers import HOST


def shake(
    client: ssl.SSLContext,
    server: ssl.SSLContext,
    name: str | None = HOST,
    *,
    session: ssl.SSLSession | None = None,
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Run a handshake in memory and return both sides."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name, session=session)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [ours, theirs]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    assert not waiting
    return ours, theirs
