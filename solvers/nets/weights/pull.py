"""Published checkpoints by name: fetched from the Hugging Face hub, checked, converted, and kept.

What there is stands in `manifest.json`. The file's hash is checked before anything of it is loaded; of an
entry without a known hash, or without a known revision, the first download is trusted and what it was is
written down beside the converted weights, so that a later one must be the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import RunError, UserError, did_you_mean
from harness.folders import cache_folder

MANIFEST = Path(__file__).parent / "manifest.json"
FIRST_SEEN = "first-seen.json"
"""What the entries without a known hash turned out to be, in the folder of the converted weights."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """One checkpoint that somebody has published; None is unknown."""

    name: str
    net: str  # the --solver that runs it
    task: str
    repository: str  # on the hub
    revision: str | None
    file: str
    sha256: str | None
    bytes: int | None
    parameters: int | None
    licence: str
    reports: str  # what the publisher says it scores
    measured: str | None  # what others measured
    config: Mapping[str, str] = field(default_factory=dict)  # fields that the tensors do not tell
    beside: tuple[str, ...] = ()  # further files of the repository that say what it is; not all have them
    untried: str | None = None  # why it may not load

    @property
    def size(self) -> str:
        """The download in words."""
        return "size unknown" if self.bytes is None else f"{self.bytes / 1e6:,.0f} MB"

    @property
    def where(self) -> Path:
        """The file that its converted weights are kept in."""
        return cache_folder() / "weights" / f"{self.name}.safetensors"


@cache
def manifest() -> dict[str, Published]:
    """Return what can be pulled, by name."""
    body = json.loads(MANIFEST.read_text(encoding="utf-8"))
    entries = [Published(**{**entry, "beside": tuple(entry["beside"])}) for entry in body["weights"]]
    return {entry.name: entry for entry in entries}


def find(name: str) -> Published:
    """Return an entry of the manifest. Raises UserError for a name it does not have."""
    if name not in manifest():
        raise UserError(
            f"No published weights {name!r}.",
            rule=did_you_mean(name, manifest(), show=20),
            next_step="`bench weights list` shows all.",
        )
    return manifest()[name]


def advice(task: str, net: str | None = None) -> str:
    """Say what can be pulled for a task, with its size; nothing if there is none."""
    fitting = [e for e in manifest().values() if e.task == task and net in (None, e.net) and not e.untried]
    if not fitting:
        return ""
    listed = ", ".join(f"{entry.name} ({entry.size})" for entry in fitting)
    return f"Published weights: `bench weights pull NAME` fetches {listed}."


def _silent(line: str) -> None: ...


def pull(name: str, say: Callable[[str], None] = _silent, *, again: bool = False) -> Path:
    """Return the converted weights of a published checkpoint, fetching it if it is not here yet.

    Downloads resume, honour HF_ENDPOINT, HF_HUB_OFFLINE and HF_TOKEN, and need the size of the file on disk
    twice. again: fetch and convert anew. Raises UserError where the file is another than the manifest says
    or cannot be loaded, RunError where it cannot be had now.
    """
    from solvers.nets.weights.published import import_checkpoint

    entry = find(name)
    if entry.where.is_file() and not again:
        return entry.where
    first_seen = _first_seen()
    known = first_seen.get(name, {})
    say(f"Fetching {entry.repository}/{entry.file} ({entry.size}, licence: {entry.licence}).")
    checkpoint, revision = _download(entry, entry.revision or known.get("revision"), again)
    digest = _check(entry, checkpoint, entry.sha256 or known.get("sha256"))
    entry.where.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "source": f"{entry.repository}/{entry.file} at {revision}",
        "checkpoint_sha256": digest,
        "licence": entry.licence,
        "published_for": entry.task,
        "reports": entry.reports,
        "measured_by_others": entry.measured,
    }
    try:
        notes = import_checkpoint(entry.net, checkpoint, entry.where, dict(entry.config), about=about)
    except UserError as error:
        if entry.untried is None:
            raise
        raise UserError(f"{name} cannot be loaded: {error}", rule=entry.untried) from error
    if entry.sha256 is None or entry.revision is None:
        say(f"Trusted on first use: SHA-256 {digest}, revision {revision}.")
        first_seen[name] = {"sha256": digest, "revision": revision}
        _write_first_seen(first_seen)
    for note in notes:
        say(note)
    return entry.where


def _download(entry: Published, revision: str | None, again: bool) -> tuple[Path, str]:
    """Fetch the checkpoint and what is beside it; return its path and the commit it came from."""
    import httpx
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    def fetch(file: str) -> Path:
        endpoint = os.environ.get("HF_ENDPOINT") or None
        return Path(
            hf_hub_download(
                entry.repository, file, revision=revision, endpoint=endpoint, force_download=again
            )
        )

    try:
        checkpoint = fetch(entry.file)
        commit = checkpoint.parents[entry.file.count("/")].name
        for file in entry.beside:
            try:
                fetch(file)
            except EntryNotFoundError:
                continue  # what it would say is in the manifest, as far as it is known
    except (OSError, ValueError, httpx.HTTPError) as error:
        why = " ".join(str(error).split())[:300] or type(error).__name__
        raise RunError(
            f"{entry.name} could not be fetched from {entry.repository}: {why}",
            rule=f"It is {entry.size}; downloads resume where they stopped.",
            next_step="Connect to the network (or set HF_ENDPOINT), free some disk, and pull it again.",
        ) from error
    return checkpoint, commit


def _check(entry: Published, checkpoint: Path, wanted: str | None) -> str:
    """Return the hash of the file; one that differs from what is known is deleted, not loaded."""
    with checkpoint.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    if wanted is not None and digest != wanted:
        checkpoint.resolve().unlink()
        checkpoint.unlink(missing_ok=True)
        raise UserError(
            f"{entry.repository}/{entry.file} has SHA-256 {digest}.",
            rule=f"{'The manifest says' if entry.sha256 else 'The first one fetched had'} {wanted}; "
            "the file was deleted and nothing of it loaded.",
            next_step="Pull it again; if it stays so, the repository has changed what it publishes.",
        )
    return digest


def _first_seen() -> dict[str, Any]:
    try:
        found = json.loads((cache_folder() / "weights" / FIRST_SEEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_first_seen(found: Mapping[str, Any]) -> None:
    path = cache_folder() / "weights" / FIRST_SEEN
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(json.dumps(found, indent=1), encoding="utf-8")
    scratch.replace(path)
