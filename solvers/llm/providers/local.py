"""A llama.cpp server of our own on loopback: `-S model=local/smollm2`, or `local/` before the path of any
GGUF file.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from harness.errors import RunError
from harness.running.loading import processors
from solvers.llm.gguf import model_file
from solvers.llm.keys import SECRET_NAME
from solvers.llm.protocol import Call, Endpoint, Reply
from solvers.llm.providers.openai_chat import OpenAIChat

KEY = None
SDK = "openai"
UNSUPPORTED = ("reasoning_effort", "thinking_tokens", "prompt_caching")
CONNECTIONS = 1  # more requests at a time would share the processor, and each take longer on the clock
SOURCE = "pip install --force-reinstall --no-deps --no-binary xllamacpp xllamacpp"
START_SECONDS = 600.0  # of loading: a large model comes slowly from a disk
GRACE_SECONDS = 1.0  # between a lost connection and the end of the process that held it

SERVER = """
import os, sys, threading
told = os.dup(1)
os.dup2(2, 1)  # whatever else is printed goes to the log
threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path, threads = sys.argv[1], int(sys.argv[2])
params.hostnames, params.port = ["127.0.0.1"], 0
params.n_ctx, params.n_parallel = 0, 1  # as long a context as the model was trained with
params.cache_ram_mib, params.warmup, params.verbosity = 0, False, 2
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
server = xllamacpp.Server(params)
os.write(told, server.listening_address.encode())
os.close(told)
threading.Event().wait()
"""
"""Loads the model, then says where it listens. It ends when its standard input closes: with us, however we
end.
"""


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
        # half of the processors: those that share a core only get in each other's way
        threads = max(1, processors() // 2)
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(path), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for us: requests in flight may still finish
            env={name: value for name, value in os.environ.items() if not SECRET_NAME.search(name)},
        )
        assert self._server.stdout is not None
        told = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                told = await asyncio.to_thread(self._server.stdout.read)
        if told.startswith(b"http://"):
            return OpenAIChat(
                Endpoint(
                    base_url=f"{told.decode()}/v1",
                    max_connections=self._endpoint.max_connections,
                    timeout=self._endpoint.timeout,
                )
            )
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._server.wait, GRACE_SECONDS)
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
        return RunError(
            f"The llama.cpp server {how}; its last words: {' / '.join(last) or 'none'}.",
            next_step=(
                "Free some memory, or choose a smaller model; where llama.cpp itself does not run here: "
                f"{SOURCE}"
            ),
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
            for pipe in (self._server.stdin, self._server.stdout):
                if pipe:
                    pipe.close()
        self._log.close()
