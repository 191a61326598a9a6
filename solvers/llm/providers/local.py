"""A llama.cpp server of our own on loopback: `-S model=local/smollm2`, or `local/` before the path of any
GGUF file.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.errors import RunError
from solvers.llm.gguf import model_file
from solvers.llm.protocol import Call, Endpoint, Reply
from solvers.llm.providers.openai_chat import OpenAIChat

KEY = None
SDK = "openai"
UNSUPPORTED = ("reasoning_effort", "thinking_tokens", "prompt_caching")
CONNECTIONS = 1  # the server answers one request at a time: more would only wait in line, on the clock
START_SECONDS = 120.0
GRACE_SECONDS = 1.0  # between a lost connection and the end of the process that held it

CRASHES = "llama.cpp builds for the processor it is built on and crashes on some, those with AMX among them."
PORTABLE = (
    "Build it portable: CMAKE_ARGS=-DGGML_NATIVE=OFF pip install --force-reinstall --no-cache-dir "
    "--no-binary llama-cpp-python llama-cpp-python"
)

SERVER = """
import os, runpy, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()
runpy.run_module("llama_cpp.server", run_name="__main__")
"""
"""The server ends when its standard input closes: with us, however we end."""


class Local:
    """Starts the server with the first call, which names the model file, and ends it on close."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._starting = asyncio.Lock()
        self._chat: OpenAIChat | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._failed: RunError | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the server)

    async def call(self, call: Call) -> Reply:
        async with self._starting:
            if self._failed is not None:  # for the calls that waited for the start
                raise self._failed
            if self._chat is None:
                self._chat = await self._start(model_file(call.model))
        asking = asyncio.ensure_future(self._chat.call(call))
        ending = asyncio.ensure_future(self._end_of_server())
        try:
            await asyncio.wait({asking, ending}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done() and asking.exception() is not None:
                # a lost connection is noticed before the end of the process that held it
                await asyncio.wait({ending}, timeout=GRACE_SECONDS)
            if ending.done():
                raise ending.result()
            return asking.result()
        finally:
            asking.cancel()
            ending.cancel()

    async def _start(self, path: Path) -> OpenAIChat:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        options = [
            "--model",
            str(path),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--n_ctx",
            "0",
            "--interrupt_requests",
            "false",
        ]
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER, *options],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for us: requests in flight may still finish
            env={
                name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_TOKEN"))
            },
        )
        since = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - since < START_SECONDS and self._server.poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return OpenAIChat(
                Endpoint(
                    base_url=f"http://127.0.0.1:{port}/v1",
                    max_connections=self._endpoint.max_connections,
                    timeout=self._endpoint.timeout,
                )
            )
        self._failed = self._ended(self._server.poll())
        raise self._failed

    async def _end_of_server(self) -> RunError:
        """Wait until the server has ended by itself; return what to say of it."""
        assert self._server is not None
        while (status := self._server.poll()) is None:
            await asyncio.sleep(GRACE_SECONDS / 5)
        return self._ended(status)

    def _ended(self, status: int | None) -> RunError:
        self._log.seek(0)
        last = self._log.read().decode(errors="replace").strip().splitlines()[-3:]
        how = "does not answer" if status is None else f"ended with status {status}"
        if status is not None and status < 0:
            how = f"was ended by {signal.Signals(-status).name}"
        crashed = status is not None and status < 0
        return RunError(
            f"The llama.cpp server {how}; its last words: {' / '.join(last) or 'none'}.",
            rule=CRASHES if crashed else "",
            next_step=PORTABLE if crashed else "Free some memory, or choose a smaller model.",
        )

    async def close(self) -> None:
        if self._chat:
            await self._chat.close()
        if self._server:
            self._server.terminate()
            try:
                await asyncio.to_thread(self._server.wait, 5)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            if self._server.stdin:
                self._server.stdin.close()
        self._log.close()
