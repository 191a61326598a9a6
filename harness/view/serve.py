"""Serve the viewer on loopback until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable

from harness.errors import UserError
from harness.view.app import application
from harness.view.library import Library

HOST = "127.0.0.1"
LAST_SECONDS = 2  # that open requests have when the viewer ends


def listen(port: int) -> socket.socket:
    """Return a socket on loopback; port 0 takes any free one. Raises UserError where that is not possible."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise UserError(
            f"Port {port} of {HOST} cannot be used: {error.strerror}.",
            next_step="Leave --port out: any free port is then taken.",
        ) from error
    return found


def serve(library: Library, port: int, ready: Callable[[str], None]) -> None:
    """Serve a library until a signal ends it; `ready` is told the address as soon as it answers."""
    import uvicorn

    with listen(port) as listening:
        port = listening.getsockname()[1]
        token = secrets.token_urlsafe(24)

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                if self.started:
                    ready(f"http://{HOST}:{port}/{token}/")

        config = uvicorn.Config(
            application(library, token=token, port=port),
            log_level="error",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=LAST_SECONDS,
        )
        Server(config).run(sockets=[listening])
