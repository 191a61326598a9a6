"""The viewer's pages and what they ask for: a few addresses that only read, all below the token.

Pages are files of this package, held in memory by name; runs are named, never paths; everything else is JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from harness.errors import DepthbenchError, UserError
from harness.view import answers
from harness.view.drawing import safe
from harness.view.guard import Guard
from harness.view.later import WaitingError
from harness.view.library import Library

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.types import ASGIApp

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
Answer = dict[str, Any]


def application(library: Library, *, token: str, port: int) -> ASGIApp:
    """Return the viewer of a library, to be served at http://127.0.0.1:PORT/TOKEN/."""
    held = static_files()

    def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in held:
            return _json({"error": "There is no such file."}, 404)
        data, kind = held[name]
        return Response(data, media_type=kind)

    def asked(answer: Callable[[Library, QueryParams], Answer]) -> Callable[..., Response]:
        def respond(request: Request) -> Response:
            try:
                return _json(answer(library, request.query_params))
            except WaitingError as waiting:
                return _json({"waiting": waiting.what}, 202)
            except UserError as error:
                return _json({"error": safe(str(error))}, 400)
            except DepthbenchError as error:
                return _json({"error": safe(str(error))}, 500)
            except Exception as error:  # said on the page; the viewer goes on
                return _json({"error": safe(f"A fault of the viewer: {type(error).__name__}: {error}")}, 500)

        return respond

    base = f"/{token}"
    routes = [
        Route(f"{base}/", page),
        Route(f"{base}/static/{{name}}", page),
        Route(f"{base}/api/runs", asked(answers.runs)),
        Route(f"{base}/api/run", asked(answers.one_run)),
        Route(f"{base}/api/attempts", asked(answers.attempts)),
        Route(f"{base}/api/puzzle", asked(answers.one_puzzle)),
    ]
    return Guard(Starlette(routes=routes), token=token, port=port)


def static_files() -> dict[str, tuple[bytes, str]]:
    """Return {name: (content, media type)} of the page's own files."""
    folder = resources.files("harness.view") / "static"
    return {
        file.name: (file.read_bytes(), KINDS[file.name[file.name.rfind(".") :]])
        for file in folder.iterdir()
        if file.name[file.name.rfind(".") :] in KINDS
    }


def _json(value: Any, status: int = 200) -> Response:
    text = json.dumps(_finite(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Response(text.encode("ascii"), status, media_type="application/json")


def _finite(value: Any) -> Any:
    """Return a value with unknown in place of what JSON has no number for, and plain numbers for numpy's."""
    if isinstance(value, dict):
        return {str(name): _finite(of) for name, of in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(of) for of in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
