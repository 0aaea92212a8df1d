"""Security headers: on every answer, those of pages, problems and faults too."""

import base64
import hashlib
import re
from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = b"content-security-policy"
_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    _POLICY: b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}
_PAGE = (
    "default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.S)


class SecurityHeaders:
    """ASGI middleware. What an answer says of itself stays; a page's own scripts are allowed by their digests."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        page: Message | None = None  # the start of a page, held until its text is there

        async def send_with_headers(message: Message) -> None:
            nonlocal page
            if message["type"] == "http.response.start":
                if _is_page(message):
                    page = message
                    return
                _add(message, _ALWAYS)
            elif page is not None:
                _add(page, _ALWAYS | {_POLICY: page_policy(message.get("body", b"")).encode()})
                await send(page)
                page = None
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


@lru_cache(maxsize=64)
def page_policy(page: bytes) -> str:
    """A policy that lets run what stands in a page, and nothing that was put into it later."""
    digests = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _SCRIPT.findall(page)]
    return _PAGE.format(scripts=" ".join(f"'sha256-{digest}'" for digest in digests))


def _is_page(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/html") for name, value in message["headers"]
    )


def _add(message: Message, headers: dict[bytes, bytes]) -> None:
    """Add the headers that are not there; as bytes, since this is done for every answer."""
    given = message["headers"]
    present = {name for name, _ in given}
    message["headers"] = [*given, *((name, value) for name, value in headers.items() if name not in present)]
