"""Who may talk to the viewer: this machine's own browser, at the address it was given, and nobody else.

The socket listens on loopback alone, which a page of any web site can reach through the reader's browser.
So: the address holds a random token; `Host` must be ours, or a name that a foreign server points at 127.0.0.1
(DNS rebinding) would do; a request that names another origin is refused; nothing but reading is offered. What
is sent may run no script but our files, in no frame, and is kept by no cache.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAMES = ("127.0.0.1", "localhost")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """Wrap an application: refuse what may not be answered, and seal every answer with `HEADERS`."""

    def __init__(self, app: ASGIApp, *, token: str, port: int) -> None:
        self.app, self.token = app, token.encode()
        self.hosts = {f"{name}:{port}" for name in NAMES} | ({*NAMES} if port == 80 else set())
        self.origins = {f"http://{host}" for host in self.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # a web socket: there is none
            await send({"type": "websocket.close", "code": 1008})
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in HEADERS}
                kept = [(n, v) for n, v in message.get("headers", []) if n.lower() not in ours]
                message = {**message, "headers": [*kept, *HEADERS]}
            await send(message)

        if (why := self.refusal(scope)) is None:
            await self.app(scope, receive, sealed)
            return
        status, text = why
        body = text.encode()
        head = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        await sealed({"type": "http.response.start", "status": status, "headers": head})
        await sealed({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return (status, one sentence) for a request that is refused, else None."""
        told: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            told.setdefault(name.lower(), []).append(value)
        hosts = [value.decode("latin-1").lower() for value in told.get(b"host", [])]
        if len(hosts) != 1 or hosts[0] not in self.hosts:
            return 421, "This is not the address of the viewer. It answers at 127.0.0.1 alone."
        if any(value.decode("latin-1").lower() not in self.origins for value in told.get(b"origin", [])):
            return 403, "The viewer answers no other page."
        if not self._same_site(told):
            return 403, "The viewer answers no other page."
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "The viewer only reads."
        first = scope["path"].removeprefix("/").partition("/")[0].encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(first, self.token):
            return 403, "The address lacks the token that `bench view` printed. Open the address it printed."
        return None

    def _same_site(self, told: dict[bytes, list[bytes]]) -> bool:
        """Say whether a browser asks for us itself or for our own page; a link to the page may stand
        anywhere.
        """
        site = told.get(b"sec-fetch-site", [b"none"])
        if set(site) <= {b"none", b"same-origin"}:
            return True
        return told.get(b"sec-fetch-mode") == [b"navigate"] and told.get(b"sec-fetch-dest") == [b"document"]
