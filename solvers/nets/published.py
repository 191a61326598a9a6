"""Read checkpoints of the published TRM and HRM code: names mapped, sizes inferred, nothing executed."""

from __future__ import annotations

import dataclasses
import json
import pickle
import re
import typing
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from harness.errors import UserError, did_you_mean
from harness.options import read
from solvers.nets import weights
from solvers.nets.groups import IdTable
from solvers.nets.trm import TrmConfig

WRAPPERS = ("_orig_mod.", "module.", "ema_model.", "shadow.", "model.", "inner.")
"""Prefixes that torch.compile, DistributedDataParallel, averaging and the published loss head put before a name."""

EMBEDDINGS = ("embed_tokens.", "embed_pos.", "puzzle_emb.")


SEPARATOR = "|||"
"""Between the parts of a published identifier: task|||t3|||0241356789 (symmetry, what the colours 0, 1, 2, … become)."""


def import_checkpoint(net: str, checkpoint: Path, out: Path, options: Mapping[str, str], identifiers: Path | None = None) -> None:
    """Convert a published checkpoint to a weights file.

    net: "trm" or "hrm". options: fields of the published configuration that the tensors do not tell (number of heads, cycles,
    steps, sequence length with rotary positions); what the tensors tell is inferred and a contradiction is refused.
    identifiers: the identifiers.json of the data set, which says what the rows of the puzzle table mean.
    """
    tensors = rename(read_tensors(checkpoint))
    module = weights.build(net, _fields(tensors, options, checkpoint))
    weights.check_fit(module, tensors, checkpoint)
    record: dict[str, Any] = {"source": f"imported from {checkpoint.name}", "regime": "unknown: imported"}
    if identifiers is not None:
        table = read_identifiers(identifiers)
        if table.size != module.config.num_puzzle_identifiers:
            raise UserError(
                f"{identifiers} lists {table.size:,} ids.",
                rule=f"The puzzle table of {checkpoint} has {module.config.num_puzzle_identifiers:,} rows.",
                next_step="Give the identifiers.json of the data set that the checkpoint was trained on.",
            )
        record["exposure"] = f"Trained on pairs of {len(table.copies):,} tasks under ids of their own; which pairs is unknown."
        record["puzzle_ids"] = table.record()
    weights.save(out, net_name=net, net=module, state=tensors, record=record, dtype=torch.float32)


def read_identifiers(path: Path) -> IdTable:
    """Read an identifiers.json: the blank id, then the ids of each task's copies together, the plain one first."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
        rows: dict[str, list[str]] = {}
        last = None
        for identifier in names[1:]:
            name, *copy = identifier.split(SEPARATOR)
            if (name != last) == (name in rows) or bool(copy) == (name not in rows):
                raise ValueError(f"{identifier!r} stands where it cannot")
            last = name
            symmetry, colours = copy or ("t0", "0123456789")
            if symmetry not in {f"t{number}" for number in range(8)} or sorted(colours) != list("0123456789"):
                raise ValueError(f"{identifier!r} names no copy")
            rows.setdefault(name, []).append(symmetry[1:] + colours)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{path} is no list of puzzle identifiers: {error}.", next_step="Fetch it again.") from error
    return IdTable(
        seed=0,
        augmentations=max(map(len, rows.values()), default=1) - 1,
        copies={name: len(copies) for name, copies in rows.items()},
        digests={},
        listed={name: "".join(copies) for name, copies in rows.items()},
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Load a state dict from a .pt or .safetensors file; a pickle that wants to run code is refused."""
    if not path.is_file():
        raise UserError(f"No checkpoint at {path}.")
    if path.suffix == ".safetensors":
        return load_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles torch did not write
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))  # torch's own words go on to advise loading it all the same
        raise UserError(
            f"{path} is not a plain state dict: it asks for {asked[1] if asked else 'more than tensors'}.",
            rule="Only tensors are read; a pickle that carries code is never run.",
            next_step="Ask its author for safetensors.",
        ) from error
    except (RuntimeError, EOFError, zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path} cannot be read as a PyTorch checkpoint ({error}).", next_step="Fetch it again.") from error
    for key in ("model_state_dict", "state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not all(isinstance(t, Tensor) for t in loaded.values()):
        raise UserError(f"{path} holds no state dict.", rule="It must map names to tensors.")
    return loaded


def rename(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Strip wrappers from the names and put embeddings where `TrmNet` has them; rotary tables are recomputed, so dropped."""
    renamed = {}
    for name, tensor in tensors.items():
        while prefix := next((w for w in WRAPPERS if name.startswith(w)), None):
            name = name.removeprefix(prefix)
        if name.startswith(("rotary_emb.", "puzzle_emb.local_")):
            continue
        renamed[f"embedding.{name}" if name.startswith(EMBEDDINGS) else name] = tensor
    return renamed


def _fields(tensors: Mapping[str, Tensor], options: Mapping[str, str], source: Path) -> dict[str, Any]:
    hints = typing.get_type_hints(TrmConfig)
    known = {f.name for f in dataclasses.fields(TrmConfig)}
    given = {}
    for name, text in options.items():
        if name not in known:
            raise UserError(f"The configuration has no field {name!r}.", rule=did_you_mean(name, known))
        given[name] = read(text, hints[name], f"-C {name}")
    needed = "embedding.embed_tokens.embedding_weight"
    if needed not in tensors:
        raise UserError(f"{source} has no token embedding.", rule=f"Its names begin {', '.join(sorted(tensors)[:3])}.")
    vocab, width = tensors[needed].shape
    table = tensors.get("embedding.puzzle_emb.weights")
    inferred: dict[str, Any] = {"vocab_size": vocab, "hidden_size": width}
    inferred["L_layers"] = _layers(tensors, "L_level")
    inferred["H_layers"] = _layers(tensors, "H_level")
    inferred["puzzle_emb_ndim"] = 0 if table is None else table.shape[1]
    inferred["num_puzzle_identifiers"] = 1 if table is None else table.shape[0]
    mixer = tensors.get("L_level.layers.0.mlp_t.gate_up_proj.weight")
    learned = tensors.get("embedding.embed_pos.embedding_weight")
    inferred["mlp_t"] = mixer is not None
    if learned is not None:
        inferred["pos_encodings"] = "learned"
    for name, value in inferred.items():
        if given.setdefault(name, value) != value:
            raise UserError(f"{name} is given as {given[name]!r}.", rule=f"The tensors of {source} say {value!r}.")
    if not given.get("puzzle_emb_len"):  # the published rule: as many positions as the vector fills, rounded up
        given["puzzle_emb_len"] = -(-given["puzzle_emb_ndim"] // width)
    positions = next((int(t.shape[k]) for t, k in ((mixer, 1), (learned, 0)) if t is not None), None)
    if positions is not None:
        given.setdefault("seq_len", positions - given["puzzle_emb_len"])
    if "seq_len" not in given:
        raise UserError(
            f"The tensors of {source} do not tell the sequence length.", next_step="Give -C seq_len=81 for Sudoku, 900 for ARC."
        )
    return given


def _layers(tensors: Mapping[str, Tensor], level: str) -> int:
    return len({name.split(".")[2] for name in tensors if name.startswith(f"{level}.layers.")})
