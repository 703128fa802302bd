"""How much of a request's body is read. What is beyond raises HTTPException 413 where an application reads it.

So each interface answers in its own form, and a client that waits for «100 Continue» (RFC 9110 §10.1.1) hears of a
length that is too large before it sends. Not here: how long a body may take (web.connection).
"""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """An ASGI application whose requests have bodies of `most` octets, unless `allow_body` says otherwise."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope["state"]["most_octets"] = self._most
        headers = Headers(scope=scope)
        declared = int(headers.get("content-length", "0"))
        read = 0
        more = declared > 0 or "transfer-encoding" in headers

        async def receive_on() -> Message:
            nonlocal read, more
            most = scope["state"]["most_octets"]
            if declared > most:
                raise _too_large(most)
            message = await receive()
            more = message.get("more_body", False)
            read += len(message.get("body", b""))
            if read > most:
                raise _too_large(most)
            return message

        async def send_on(message: Message) -> None:
            if more and message["type"] == "http.response.body" and not message.get("more_body", False):
                # A connection that ends while its client still sends is reset, and the answer lost (RFC 9112 §9.6).
                await send({**message, "more_body": True})
                while (await receive()).get("more_body", False):
                    pass
                message = {"type": "http.response.body"}
            await send(message)

        await self._app(scope, receive_on, send_on)


def allow_body(request: Request, most: int) -> None:
    """Let the body of this request have so many octets; it must not have been read yet."""
    request.state.most_octets = most


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"The body has more than {most} octets, the most in one request: send it in several.")
