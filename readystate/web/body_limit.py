"""Nobody may fill our memory: bodies are bounded before anybody's token is looked at."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from readystate.web.errors import too_large

#: Ten thousand nodes to import are 2 MiB, two thousand annotation files less than 20.
MOST_BYTES = 32 * 1024 * 1024


class _TooLarge(Exception):
    """More came than was announced."""


class BodyLimit:
    """An ASGI middleware. What is announced to be too large is refused at once; what turns out to
    be is cut, which its reader tells as an unreadable body."""

    def __init__(self, app: ASGIApp, *, most_bytes: int = MOST_BYTES) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _announced(scope) > self._most_bytes:
            await too_large(scope["path"], self._most_bytes)(scope, receive, send)
            return
        left = self._most_bytes

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _TooLarge
            return message

        await self._app(scope, bounded, send)


def _announced(scope: Scope) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0
